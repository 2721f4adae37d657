"""The sample upstream's lists as cases, one for each way in which it divides them."""

from tests.servers.cases import BARE, Case

from swath.demo import network

USERS = (*(str(user) for user in network.DOCUMENTED_USERS), "1", "2", "7", "40", "61")

SAMPLES = (
    Case(
        name="sample-cursor",
        server="sample",
        endpoint={
            "url": "{base}/users/{{user}}/posts",
            "query": {"cursor": "{{cursor}}", "limit": "20"},
        },
        paginator={"type": "cursor", "cursor_path": "$.next", "variable": "cursor"},
        collection="results",
        rows=lambda user: network.posts(int(user)),
        variable="user",
        items=USERS,
    ),
    Case(
        name="sample-page-number",
        server="sample",
        endpoint={"url": "{base}/users/{{user}}/followers", "query": {"page": "{{page}}"}},
        paginator={"type": "page_number", "variable": "page", "total_path": "total"},
        collection="followers",
        rows=lambda user: network.followers(int(user)),
        variable="user",
        items=USERS,
    ),
    Case(
        name="sample-offset",
        server="sample",
        endpoint={
            "url": "{base}/search",
            "query": {"q": "{{term}}", "offset": "{{offset}}", "limit": "{{limit}}"},
        },
        paginator={"type": "offset", "variable": "offset", "limit": 50, "total_path": "total"},
        collection="items",
        rows=lambda term: [network.found(number) for number in range(network.SEARCH_TOTAL)],
        variable="term",
        items=("coffee", "a&b=c", "東京"),
    ),
    Case(
        name="sample-header-link",
        server="sample",
        endpoint={"url": "{base}/repos", "query": {"per_page": "{{size}}"}},
        paginator={"type": "header_link"},
        collection=BARE,
        rows=lambda size: [network.repo(number) for number in range(network.REPOS_TOTAL)],
        variable="size",
        items=("7", "19", "30", "95", "100"),
    ),
    Case(
        name="sample-next-url",
        server="sample",
        endpoint={"url": "{base}/feed", "query": {"of": "{{reader}}"}},
        paginator={"type": "next_url", "next_url_path": "next_url"},
        collection="items",
        rows=lambda reader: [network.feed_entry(number) for number in range(network.FEED_TOTAL)],
        variable="reader",
        items=("one", "two"),
    ),
)
