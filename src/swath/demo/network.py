"""The sample social network: every user, post and follower is computed from its number alone.

Nothing is stored and nothing is left to chance, so a million users cost nothing, two runs see the same
network, and a test computes what a result must hold from the very functions that the upstream serves.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

#: The users that the documentation's program asks for; each has posts before, in and after January 2019.
DOCUMENTED_USERS = (43823188, 50834309, 54546072, 192946169)

SEED = 20190120
NEWEST = int(datetime(2019, 2, 25, tzinfo=UTC).timestamp())
HOUR = 3600
SEARCH_TOTAL = 230
REPOS_TOTAL = 95
FEED_TOTAL = 64

T = TypeVar("T")

_MASK = (1 << 64) - 1
_FIRST = ("amber", "brisk", "calm", "dusty", "early", "fond", "green", "hazel", "ivory", "jolly", "keen")
_LAST = ("otter", "pine", "quill", "river", "stone", "tulip", "umber", "vale", "willow", "yarrow", "zephyr")
_TAGS = ("coffee", "design", "köln", "maps", "music", "nofilter", "rain", "sunday", "ücker", "walk")
_CITIES = (
    ("New York", "40.712776", "-74.005974"),
    ("São Paulo", "-23.550520", "-46.633309"),
    ("Amsterdam", "52.370216", "4.895168"),
    ("東京", "35.689487", "139.691711"),
)
#: Texts that a careless writer of CSV or JSON gets wrong stand between ordinary ones.
_TEXTS = (
    "Morning walk along the canal",
    'He said "no", then yes',
    "One line,\nand a second",
    "=SUM(1,2) is only text",
    "naïve café ☕ 🙂",
    "semi;colon, comma and\ttab",
    "",
    "trailing space ",
    "Nothing to see here",
    "null",
    "+1 for this",
)
_COMMENTS = ("Nice", "So true, really", "Where is this?", 'A "quote"', "😂", "first\r\nsecond", "0042")


def user(user_id: int) -> dict[str, Any]:
    bits = _draw(user_id)
    return {
        "id": str(user_id),
        "username": username(user_id),
        "verified": user_id % 7 == 0,
        "joined_at": NEWEST - 400 * 24 * HOUR - bits % 10**8,
        "posts_count": posts_count(user_id),
        "followers_count": followers_count(user_id),
    }


def username(user_id: int) -> str:
    return f"{_FIRST[user_id % 11]}.{_LAST[user_id // 11 % 11]}{user_id % 1000}"


def posts_count(user_id: int) -> int:
    """0 to 60; 60 to 79 for the documented users, whose posts then reach back beyond January 2019."""
    if user_id in DOCUMENTED_USERS:
        return 60 + _draw(user_id, 2) % 20
    return _draw(user_id, 2) % 61


def posts(user_id: int, min_timestamp: float | None = None, max_timestamp: float | None = None) -> list[Any]:
    """A user's posts, newest first; both bounds are inclusive, in epoch seconds."""
    everything = (post(user_id, number) for number in range(posts_count(user_id)))
    return [one for one in everything if _within(one["created_at"], min_timestamp, max_timestamp)]


def post(user_id: int, number: int) -> dict[str, Any]:
    """One post; number 0 is the newest. Its score has more digits than a double holds."""
    bits = _draw(user_id, 1000 + number)
    created_at = _created_at(user_id, number, bits)
    made: dict[str, Any] = {
        "id": created_at << 31 | bits & 0x7FFFFFFF,
        "text": _pick(_TEXTS, bits >> 5),
        "created_at": created_at,
        "author": {"id": str(user_id), "username": username(user_id), "verified": user_id % 7 == 0},
        "hashtags": [_TAGS[(bits >> shift) % 10] for shift in range(8, 8 + 7 * (bits % 4), 7)],
        "comments": list(_comments(user_id, number, bits)),
        "likes": bits >> 40 & 0xFFFF,
        "score": Decimal(f"{1 + bits % 9}.{bits % 10**18:018d}"),
        "location": _location(bits >> 20),
    }
    if bits % 11 == 0:
        made["pinned"] = True
    return made


def followers_count(user_id: int) -> int:
    return _draw(user_id, 3) % 121


def followers(user_id: int) -> list[Any]:
    return [follower(user_id, number) for number in range(followers_count(user_id))]


def follower(user_id: int, number: int) -> dict[str, Any]:
    bits = _draw(user_id, 500_000 + number)
    other = 10_000 + bits % 10**8
    return {"id": str(other), "username": username(other), "since": NEWEST - bits % (300 * 24 * HOUR)}


def found(number: int) -> dict[str, Any]:
    """What stands at `number` of every search's results."""
    return user(1000 + _draw(number, 4) % 10**7)


def repo(number: int) -> dict[str, Any]:
    bits = _draw(number, 5)
    return {
        "id": number + 1,
        "name": f"{_pick(_FIRST, bits)}-{_pick(_LAST, bits >> 9)}",
        "stars": bits >> 30 & 0xFFF,
        "owner": {"login": username(bits % 10**6), "site_admin": False},
        "topics": [_pick(_TAGS, bits >> 17)] * (bits % 2),
    }


def feed_entry(number: int) -> dict[str, Any]:
    return post(DOCUMENTED_USERS[number % 4], number // 4)


def sample_rows(number: Any) -> list[Any]:
    """20 nested rows, about 5 KB as JSON, that differ from page to page only in `page`."""
    rows = [post(1, place) for place in range(20)]
    return [{"page": number, **{name: row[name] for name in row if name != "comments"}} for row in rows]


def _comments(user_id: int, number: int, bits: int) -> Iterator[dict[str, Any]]:
    for place in range(bits >> 12 & 3):
        own = _draw(user_id, 1_000_000 + number * 4 + place)
        other = 10_000 + own % 10**8
        yield {
            "id": own >> 2,
            "text": _pick(_COMMENTS, own >> 7),
            "likes": own >> 50 & 0xFF,
            "user": {"id": str(other), "username": username(other)},
        }


def _created_at(user_id: int, number: int, bits: int) -> int:
    step = 24 * HOUR + user_id % (24 * HOUR)
    return NEWEST - number * step - bits % (6 * HOUR)


def _location(bits: int) -> dict[str, Any] | None:
    if bits % 3 == 0:
        return None
    city, latitude, longitude = _pick(_CITIES, bits >> 3)
    return {"city": city, "latitude": Decimal(latitude), "longitude": Decimal(longitude)}


def _within(moment: int, earliest: float | None, latest: float | None) -> bool:
    return (earliest is None or moment >= earliest) and (latest is None or moment <= latest)


def _pick(choices: tuple[T, ...], bits: int) -> T:
    return choices[bits % len(choices)]


def _draw(number: int, purpose: int = 0) -> int:
    """64 well-mixed bits for a number and what they are for (the finalizer of splitmix64)."""
    bits = (number * 0x9E3779B97F4A7C15 + purpose * 0xC2B2AE3D27D4EB4F + SEED) & _MASK
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & _MASK
    return bits ^ bits >> 31
