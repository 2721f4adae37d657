"""Answers in the shapes of public APIs, small and written for the tests: what the worked formulas meet."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.upstreams.scripted import Asked, Play

Answer = Callable[[Asked], Play]


@dataclass(frozen=True)
class Shape:
    """How an API answers, and what must come out: items, requests, the primary table and its rows.

    Where one workflow follows on another, of the last.
    """

    answer: Answer
    items: int
    requests: int
    collection: str
    rows: int
    #: What the request for the first input asks for, without the host.
    first: str
    #: Columns that are among those of the primary table.
    columns: tuple[str, ...]


def github(asked: Asked) -> Play:
    name, page = asked.path.split("/")[2], int(asked.query.get("page", "1"))
    rows = [{"id": page * 10 + n, "full_name": f"{name}/r{n}", "owner": {"login": name}} for n in range(2)]
    more = f'<{asked.path}?per_page=100&page={page + 1}>; rel="next", <{asked.path}?page=2>; rel="last"'
    return Play.json(rows, headers=[("Link", more)] if page < 2 else [])


def github_organizations(asked: Asked) -> Play:
    parts = asked.path.split("/")
    if parts[1] == "orgs":
        rows = [{"name": f"r{n}", "owner": {"login": parts[2]}, "archived": n == 2} for n in range(3)]
        return Play.json(rows)
    return Play.json([{"number": n, "title": parts[3], "user": {"login": "u"}} for n in range(2)])


def gitlab(asked: Asked) -> Play:
    page = int(asked.query.get("page") or 1)
    rows = [
        {"iid": page * 10 + n, "title": "t", "author": {"username": "u"}, "labels": ["bug"]} for n in range(2)
    ]
    return Play.json(
        rows, headers=[("X-Next-Page", str(page + 1) if page < 3 else ""), ("X-Page", str(page))]
    )


def wikipedia_summary(asked: Asked) -> Play:
    title = asked.path.rpartition("/")[2]
    return Play.json(
        {"type": "standard", "title": title, "pageid": 1, "extract": "…", "thumbnail": {"width": 320}}
    )


def category_members(asked: Asked) -> Play:
    cursor = asked.query.get("cmcontinue")
    rows = [{"pageid": n, "ns": 0, "title": f"{cursor}{n}"} for n in range(2)]
    more = {} if cursor else {"continue": {"cmcontinue": "page|41|7", "continue": "-||"}}
    return Play.json({"batchcomplete": "", **more, "query": {"categorymembers": rows}})


def pypi(asked: Asked) -> Play:
    name = asked.path.split("/")[2]
    files = [
        {"filename": f"{name}-1.0{end}", "size": 9, "digests": {"sha256": "x"}} for end in (".whl", ".tar.gz")
    ]
    return Play.json({"info": {"name": name, "version": "1.0"}, "last_serial": 1, "urls": files})


def npm(asked: Asked) -> Play:
    first, last = asked.path.split("/")[3].split(":")
    rows = [{"downloads": 7, "day": first}, {"downloads": 8, "day": last}]
    return Play.json({"start": first, "end": last, "package": asked.path.split("/")[4], "downloads": rows})


def open_meteo(asked: Asked) -> Play:
    daily = {"time": ["2024-01-01", "2024-01-02"], "temperature_2m_max": [3.1, 4.0]}
    return Play.json({"latitude": float(asked.query["latitude"]), "elevation": 38.0, "daily": daily})


def frankfurter(asked: Asked) -> Play:
    return Play.json(
        {"base": asked.query["base"], "date": asked.path[4:], "rates": {"USD": 1.08, "JPY": 161.4}}
    )


def coingecko(asked: Asked) -> Play:
    page = int(asked.query["page"])
    rows = [{"id": f"c{page}{n}", "current_price": 42000.5, "roi": None} for n in range(2 if page < 3 else 0)]
    return Play.json(rows)


def met(asked: Asked) -> Play:
    number = int(asked.path.rpartition("/")[2])
    if number % 2:
        return Play.json({"message": "ObjectID not found"}, status=404)
    return Play.json(
        {"objectID": number, "title": "Cypresses", "artistDisplayName": "Van Gogh", "tags": None}
    )


def art_institute(asked: Asked) -> Play:
    page = int(asked.query["page"])
    rows = [
        {"id": page * 10 + n, "title": "Water Lilies", "_score": 9.5} for n in range(2 if page < 3 else 1)
    ]
    return Play.json({"pagination": {"total": 5, "limit": 2, "current_page": page}, "data": rows})


def openalex(asked: Asked) -> Play:
    dois = asked.query["filter"].removeprefix("doi:").split("|")
    if asked.query["cursor"] != "*":
        return Play.json({"meta": {"count": len(dois), "next_cursor": None}, "results": []})
    rows: list[Any] = [{"id": f"W{n}", "doi": doi, "cited_by_count": n} for n, doi in enumerate(dois)]
    return Play.json({"meta": {"count": len(rows), "next_cursor": "IlsxMDAuMF0i"}, "results": rows})


def hacker_news(asked: Asked) -> Play:
    page = int(asked.query["page"])
    found = [
        {"objectID": f"{page}{n}", "title": "t", "created_at": f"2024-0{n + 1}-01T00:00:00Z"}
        for n in range(2)
    ]
    return Play.json({"hits": found if page < 2 else [], "nbHits": 4, "page": page, "nbPages": 2})


def countries(asked: Asked) -> Play:
    code = "DE" if b'"EU"' in asked.body else "KE"
    return Play.json({"data": {"countries": [{"code": code, "name": "n", "capital": None, "currency": "x"}]}})


SHAPES = {
    "github-repositories": Shape(
        github, 3, 6, "response", 12, "/users/torvalds/repos?per_page=100&sort=pushed",
        ("full_name", "owner.login"),
    ),
    "github-issues-of-organizations": Shape(
        github_organizations, 4, 4, "response", 8, "/repos/python/r0/issues?per_page=100&state=all",
        ("title", "input.repository"),
    ),
    "gitlab-issues": Shape(
        gitlab, 2, 6, "response", 12, "/api/v4/projects/278964/issues?per_page=100&state=opened",
        ("iid", "author.username", "labels[0]"),
    ),
    "wikipedia-summaries": Shape(
        wikipedia_summary, 4, 4, "response", 4, "/api/rest_v1/page/summary/Swath",
        ("title", "thumbnail.width"),
    ),
    "wikipedia-category-members": Shape(
        category_members, 2, 4, "query.categorymembers", 8,
        "/w/api.php?action=query&list=categorymembers&cmtitle=Category:Python+(programming+language)"
        "&cmlimit=500&format=json",
        ("query.categorymembers.title",),
    ),
    "pypi-packages": Shape(pypi, 3, 3, "urls", 6, "/pypi/requests/json", ("urls.filename", "info.version")),
    "npm-downloads": Shape(
        npm, 6, 6, "downloads", 12, "/downloads/range/2024-01-01:2024-01-31/react",
        ("downloads.day", "package"),
    ),
    "open-meteo-forecast": Shape(
        open_meteo, 2, 2, "daily.time", 4,
        "/v1/forecast?latitude=52.52&longitude=13.41&daily=temperature_2m_max,temperature_2m_min,"
        "precipitation_sum&timezone=UTC&forecast_days=3",
        ("daily.time", "latitude"),
    ),
    "exchange-rates": Shape(
        frankfurter, 6, 6, "response", 6, "/v1/2024-01-01?base=EUR&symbols=USD,GBP,JPY", ("rates.USD", "date")
    ),
    "coin-markets": Shape(
        coingecko, 2, 6, "response", 8,
        "/api/v3/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=250&page=1",
        ("id", "current_price"),
    ),
    "met-museum-objects": Shape(
        met, 6, 6, "response", 3, "/public/collection/v1/objects/436530", ("objectID", "title")
    ),
    "art-institute-artworks": Shape(
        art_institute, 2, 6, "data", 10,
        "/api/v1/artworks/search?q=monet&page=1&limit=100&fields=id,title,artist_display,date_display",
        ("data.title",),
    ),
    "openalex-works": Shape(
        openalex, 1, 2, "results", 3,
        "/works?filter=doi:10.7717/peerj.4375|10.1038/nature12373|10.1126/science.1259855&per-page=50"
        "&cursor=*&select=id,doi,title,cited_by_count",
        ("results.doi",),
    ),
    "hacker-news-stories": Shape(
        hacker_news, 2, 6, "hits", 8, "/api/v1/search_by_date?query=sqlite&tags=story&hitsPerPage=100&page=0",
        ("hits.title",),
    ),
    "graphql-countries": Shape(countries, 2, 2, "data.countries", 2, "/graphql", ("data.countries.code",)),
}  # fmt: skip
