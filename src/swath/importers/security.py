"""Security schemes of OpenAPI documents: which secret a request carries, and how a token is fetched."""

from dataclasses import dataclass, field
from typing import Any

from swath.flow.definition import Json
from swath.importers.documents import References, as_list, as_object, objects
from swath.importers.holes import hole, identifier

Node = dict[str, Any]


@dataclass(slots=True)
class Credentials:
    """What a request carries to be let in."""

    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, Json] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    variables: dict[str, Node] = field(default_factory=dict)
    #: How the workflow fetches a token.
    auth: Node | None = None
    notes: list[str] = field(default_factory=list)

    def secret(self, name: str, description: str = "") -> str:
        """Declare a secret variable and return its name."""
        self.variables[name] = {"secret": True, **({"description": description} if description else {})}
        return name


def read_security(wanted: Json, schemes: Node, references: References) -> Credentials:
    """Return what the first of several ways to be let in needs; an empty way needs nothing."""
    ways = objects(wanted)
    credentials = Credentials()
    known = [way for way in ways if all(name in schemes for name in way)]
    spoken = (way for way in known if all(_is_spoken(references.object(schemes[name])) for name in way))
    chosen = next(spoken, next(iter(known), {}))
    for name in chosen:
        _add(
            credentials, name, references.object(schemes[name]), [str(each) for each in as_list(chosen[name])]
        )
    others = [" and ".join(way) or "nothing" for way in known if way is not chosen]
    if chosen and others:
        credentials.notes.append(
            f"Of several ways to be let in, {' and '.join(chosen)} is taken, not {', '.join(others)}."
        )
    for way in ways:
        credentials.notes += [
            f"The security scheme {name} is not described." for name in way if name not in schemes
        ]
    return credentials


def _is_spoken(scheme: Node) -> bool:
    """Tell whether Swath can let itself in by a scheme."""
    kind = scheme.get("type")
    return kind in ("apiKey", "oauth2", "openIdConnect") or (
        kind == "http" and str(scheme.get("scheme")).lower() in ("basic", "bearer")
    )


def _add(credentials: Credentials, name: str, scheme: Node, scopes: list[str]) -> None:
    kind = scheme.get("type")
    description = " ".join(str(scheme.get("description") or "").split())[:200]
    if kind == "apiKey":
        _add_key(credentials, str(scheme.get("name")), str(scheme.get("in")), description)
    elif kind == "http" and str(scheme.get("scheme")).lower() == "basic":
        told = description or "user:password"
        variable = credentials.secret("credentials", told)
        credentials.headers["Authorization"] = f"Basic {{{{ {variable} | base64 }}}}"
    elif kind == "http" and str(scheme.get("scheme")).lower() == "bearer":
        credentials.headers["Authorization"] = f"Bearer {hole(credentials.secret('token', description))}"
    elif kind in ("oauth2", "openIdConnect"):
        credentials.headers["Authorization"] = (
            f"Bearer {hole(credentials.secret('access_token', description))}"
        )
        _add_flow(credentials, name, as_object(scheme.get("flows")), scopes)
    else:
        shown = scheme.get("scheme") or kind
        credentials.notes.append(
            f"The security scheme {name} ({shown}) was left out: Swath does not speak it."
        )


def _add_key(credentials: Credentials, name: str, place: str, description: str) -> None:
    filled = hole(credentials.secret(identifier(name).lower(), description))
    if place == "query":
        credentials.query[name] = filled
    elif place == "cookie":
        credentials.cookies.append(f"{name}={filled}")
    else:
        credentials.headers[name] = filled


def _add_flow(credentials: Credentials, name: str, flows: Node, scopes: list[str]) -> None:
    """Let the workflow fetch its token, where that needs nobody to look on."""
    flow = flows.get("clientCredentials")
    if not isinstance(flow, dict) or "://" not in str(flow.get("tokenUrl")):
        told = "put a token into access_token, or describe under auth how one is fetched"
        credentials.notes.append(f"The security scheme {name} needs somebody to log in: {told}.")
        return
    credentials.variables["client_id"] = {}
    credentials.secret("client_secret")
    form = {
        "grant_type": "client_credentials",
        "client_id": hole("client_id"),
        "client_secret": hole("client_secret"),
    }
    if wanted := scopes or list(as_object(flow.get("scopes"))):
        form["scope"] = " ".join(wanted)
    credentials.auth = {"variable": "access_token", "url": str(flow["tokenUrl"]), "body": {"form": form}}
