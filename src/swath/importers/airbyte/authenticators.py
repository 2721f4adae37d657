"""Authenticators: secrets in the request, or a token that the workflow fetches."""

from typing import Any, Final

from swath.flow.definition import Json
from swath.importers.airbyte.interpolation import Interpolation, write_path
from swath.importers.airbyte.requests import Draw, draw_request
from swath.importers.credentials import basic
from swath.importers.holes import hole, variables_of

Node = dict[str, Any]

_PLAIN: Final = ("", "NoAuth")


def add_authenticator(given: Json, draw: Draw, interpolation: Interpolation) -> Node | None:
    """Put into the request what an authenticator does; return how a token is fetched, if one is."""
    known = given if isinstance(given, dict) else {}
    kind = str(known.get("type") or "")
    if kind in _PLAIN:
        return None
    if kind == "BearerAuthenticator":
        token = _secret(interpolation, known.get("api_token"), "api_token")
        draw.headers["Authorization"] = f"Bearer {token}"
    elif kind == "ApiKeyAuthenticator":
        _add_key(known, draw, interpolation)
    elif kind == "BasicHttpAuthenticator":
        user = interpolation.text(known.get("username"), "username")
        password = _secret(interpolation, known.get("password"), "password") if known.get("password") else ""
        draw.headers["Authorization"] = basic(f"{user}:{password}")
        for name in variables_of(draw.headers["Authorization"]):
            interpolation.variables.setdefault(name, {})["secret"] = True
    elif kind == "OAuthAuthenticator":
        draw.headers["Authorization"] = f"Bearer {hole('access_token')}"
        return _oauth(known, interpolation)
    elif kind in ("SessionTokenAuthenticator", "LegacySessionTokenAuthenticator"):
        return _session(known, draw, interpolation)
    else:
        interpolation.note(f"The authenticator {kind} was left out: put what it makes into the headers.")
    return None


def _secret(interpolation: Interpolation, given: Json, place: str) -> str:
    """Return a template whose variables are secret."""
    text = interpolation.text(given, place)
    for name in variables_of(text):
        known = interpolation.variables.setdefault(name, {})
        known["secret"] = True
        known.pop("sample", None), known.pop("default", None)
    return text


def _add_key(known: Node, draw: Draw, interpolation: Interpolation) -> None:
    token = _secret(interpolation, known.get("api_token"), "api_token")
    option = known.get("inject_into")
    if isinstance(option, dict):
        draw.inject(option, token, interpolation)
    else:
        draw.headers[interpolation.text(known.get("header"), "header") or "Authorization"] = token


def _oauth(known: Node, interpolation: Interpolation) -> Node:
    """Return how a token is fetched with client credentials, or renewed with a refresh token."""
    grant = interpolation.text(known.get("grant_type") or "refresh_token", "grant_type")
    names = {
        key: str(known.get(f"{key}_name") or key) for key in ("client_id", "client_secret", "refresh_token")
    }
    form: Node = {str(known.get("grant_type_name") or "grant_type"): grant}
    form[names["client_id"]] = interpolation.text(known.get("client_id"), "client_id")
    form[names["client_secret"]] = _secret(interpolation, known.get("client_secret"), "client_secret")
    if known.get("refresh_token"):
        form[names["refresh_token"]] = _secret(interpolation, known.get("refresh_token"), "refresh_token")
    scopes = known.get("scopes")
    if isinstance(scopes, list) and scopes:
        form["scope"] = " ".join(map(str, scopes))
    form.update(interpolation.write(known.get("refresh_request_body") or {}, "refresh_request_body"))
    interpolation.variables["access_token"] = {"secret": True}
    auth: Node = {
        "variable": "access_token",
        "url": interpolation.text(known.get("token_refresh_endpoint"), "token_refresh_endpoint"),
        "body": {"form": form},
    }
    if headers := interpolation.write(known.get("refresh_request_headers") or {}, "refresh_request_headers"):
        auth["headers"] = headers
    if known.get("access_token_name"):
        auth["token_path"] = str(known["access_token_name"])
    if known.get("expires_in_name"):
        auth["expires_path"] = str(known["expires_in_name"])
    return auth


def _session(known: Node, draw: Draw, interpolation: Interpolation) -> Node | None:
    """Return the login that fetches a session's token, and put that where it goes."""
    login = known.get("login_requester")
    if not isinstance(login, dict):
        interpolation.note("The session's login was left out: describe under auth how its token is fetched.")
        return None
    asked = draw_request(login, interpolation)
    add_authenticator(login.get("authenticator"), asked, interpolation)
    interpolation.variables["session_token"] = {"secret": True}
    used = known.get("request_authentication")
    option = used.get("inject_into") if isinstance(used, dict) else None
    if isinstance(option, dict):
        draw.inject(option, hole("session_token"), interpolation)
    else:
        draw.headers["Authorization"] = f"Bearer {hole('session_token')}"
    path = known.get("session_token_path")
    auth: Node = {
        "variable": "session_token",
        "url": asked.url,
        "method": asked.method,
        "query": asked.query,
        "headers": asked.headers,
        "body": asked.body,
        "token_path": write_path([str(key) for key in path]) if isinstance(path, list) else "token",
    }
    if known.get("expiration_duration"):
        interpolation.note("The session's duration was left out: a new token is fetched when one is refused.")
    return {key: value for key, value in auth.items() if value not in ({}, None)}
