"""Fetches lists with dlt's REST client. Runs in dlt's own environment: `client.py` starts it and talks to it.

Each line of the input is one list to fetch, each line of the output its rows and how many requests it took:

    {"url", "method", "params", "json", "selector", "paginator": [class, arguments]}
    {"rows": [...], "requests": n}
"""

import json
import sys
from typing import Any

import requests
from dlt.sources.helpers.rest_client import RESTClient, paginators


class CountingSession(requests.Session):
    """A session that knows how many requests it has sent."""

    sent = 0

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        self.sent += 1
        return super().send(request, **options)


def fetch(job: dict[str, Any]) -> dict[str, Any]:
    session = CountingSession()
    name, arguments = job["paginator"]
    client = RESTClient(base_url=job["url"], session=session)
    pages = client.paginate(
        job["url"],
        method=job["method"],
        params=job["params"],
        json=job["json"],
        data_selector=job["selector"],
        paginator=getattr(paginators, name)(**arguments),
    )
    rows = [row for page in pages for row in page]
    return {"rows": rows, "requests": session.sent}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(fetch(json.loads(line))), flush=True)
