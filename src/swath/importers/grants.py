"""How requests of Postman are let in: the kinds of its authorization."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from swath.flow.definition import Json
from swath.importers.credentials import basic
from swath.importers.documents import as_object, objects
from swath.importers.holes import hole, variables_of

Node = dict[str, Any]


@dataclass(slots=True)
class Grant:
    """What an authorization comes to. Headers are templates, the query is as the source writes it."""

    headers: tuple[tuple[str, str], ...] = ()
    query: list[str] = field(default_factory=list)
    variables: dict[str, Node] = field(default_factory=dict)
    #: The variables in a secret's place.
    secret: set[str] = field(default_factory=set)
    #: Secrets by variable.
    found: dict[str, str] = field(default_factory=dict, repr=False)
    settings: dict[str, Json] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_grant(given: Node | None, write: Callable[[str], str]) -> Grant:
    """Read an authorization; `write` makes a template of a text."""
    kind = str(as_object(given).get("type") or "noauth")
    known = _details(as_object(given).get(kind))
    if kind == "noauth":
        return Grant()
    if kind == "bearer":
        return _header("Authorization", f"Bearer {write(known.get('token', ''))}")
    if kind == "basic":
        return _header(
            "Authorization", basic(f"{write(known.get('username', ''))}:{write(known.get('password', ''))}")
        )
    if kind == "apikey":
        return _key(known, write)
    if kind == "oauth2":
        return _oauth(known, write)
    return Grant(notes=[f"its authorization ({kind}) was left out: Swath does not speak it."])


def _details(listed: Json) -> dict[str, str]:
    """Return the details of a kind, which v2.1 lists and v2.0 has in an object."""
    if isinstance(listed, dict):
        return {name: str(value) for name, value in listed.items() if value is not None}
    return {
        str(each.get("key")): str(each["value"]) for each in objects(listed) if each.get("value") is not None
    }


def _header(name: str, value: str) -> Grant:
    return Grant(headers=((name, value),), secret=set(variables_of(value)))


def _key(known: dict[str, str], write: Callable[[str], str]) -> Grant:
    name, value = known.get("key", "X-API-Key"), known.get("value", "")
    if known.get("in") == "query":
        return Grant(query=[f"{name}={value}"], secret=set(variables_of(write(value))))
    return _header(name, write(value))


def _oauth(known: dict[str, str], write: Callable[[str], str]) -> Grant:
    """Take the token that is there; let the workflow fetch it where that needs nobody to log in."""
    token = write(known.get("accessToken", "")) or hole("access_token")
    prefix = known.get("headerPrefix", "Bearer").strip()
    grant = _header("Authorization", f"{prefix} {token}".strip())
    if known.get("addTokenTo") == "queryParams":
        grant = Grant(query=[f"access_token={known.get('accessToken', '') or hole('access_token')}"])
    grant.secret.add("access_token")
    if known.get("grant_type") == "client_credentials" and known.get("accessTokenUrl"):
        grant.headers = (("Authorization", f"{prefix} {hole('access_token')}"),) if grant.headers else ()
        grant.variables["access_token"] = {"secret": True}
        grant.settings = {"auth": _fetching(known, grant, write)}
    elif not known.get("accessToken"):
        grant.notes.append("its OAuth 2 needs somebody to log in: put a token into access_token.")
    return grant


def _fetching(known: dict[str, str], grant: Grant, write: Callable[[str], str]) -> Node:
    form = {"grant_type": "client_credentials"}
    for ours, theirs in (("client_id", "clientId"), ("client_secret", "clientSecret")):
        text = write(known.get(theirs, ""))
        is_secret = ours == "client_secret"
        names = variables_of(text)
        form[ours] = text if names else hole(ours)
        for name in names or {ours}:
            grant.variables[name] = {"secret": True} if is_secret else {}
        if text and not names and is_secret:
            grant.found[ours] = text
        elif text and not names:
            grant.variables[ours] = {"default": text}
    if known.get("scope"):
        form["scope"] = write(known["scope"])
    return {"variable": "access_token", "url": write(known["accessTokenUrl"]), "body": {"form": form}}
