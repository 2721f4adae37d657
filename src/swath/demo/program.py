"""A client of the documented API, as short as its users write them; the demonstration runs it."""

import os

import requests

BASE = os.environ["SWATH_URL"] + "/cloud/api/v1"
HEADERS = {"Token": os.environ["SWATH_TOKEN"]}


def main() -> None:
    """List, look, change a collection and back, trigger, and look at the execution's status."""
    (listed, *_) = requests.get(f"{BASE}/workflows", headers=HEADERS).json()["objects"]
    print("workflow:", listed)
    workflow = requests.get(f"{BASE}/workflows/{listed['id']}", headers=HEADERS).json()["object"]
    collection = f"{BASE}/collections/{workflow['mappings'][0]['source_collection_id']}"
    print("collection:", requests.get(collection, headers=HEADERS).json())
    for method in ("remove", "add"):
        change = {"method": method, "items": ["43823188", "50834309"]}
        print(f"{method}:", requests.post(collection, json=change, headers=HEADERS).json())
    execution = requests.post(
        f"{BASE}/workflows/{listed['id']}/executions",
        json={
            "proxy": {"type": "dedicated", "location": "nyc"},
            "execution_parameters": {"min_timestamp": 1546300800, "max_timestamp": 1548979200},
            "do_proxy_hot_swap": False,
        },
        headers=HEADERS,
    ).json()
    print("execution:", execution)
    status = f"{BASE}/workflows/executions/{execution['object']['id']}"
    print("status:", requests.get(status, headers=HEADERS).json())


if __name__ == "__main__":
    main()
