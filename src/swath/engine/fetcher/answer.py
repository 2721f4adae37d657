"""What comes back from the outside."""

import msgspec

Headers = tuple[tuple[str, str], ...]


class Answer(msgspec.Struct, frozen=True):
    """A whole answer. `url` is where it came from after `hops` redirects, `elapsed` in seconds."""

    status: int
    headers: Headers
    body: bytes
    url: str
    elapsed: float
    hops: int = 0

    @property
    def content_type(self) -> str:
        for name, value in self.headers:
            if name == "content-type":
                return value
        return ""
