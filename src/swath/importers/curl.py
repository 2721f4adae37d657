"""Commands of curl, as people type them, documentation prints them and browsers copy them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.importers.addresses import name_of
from swath.importers.alike import merge_alike
from swath.importers.cmdlets import find_requests
from swath.importers.fetches import CALL, find_fetches
from swath.importers.hints import hints
from swath.importers.holes import has_hole
from swath.importers.imported import Draft, Imported
from swath.importers.loops import Loops, spell_out
from swath.importers.options import read_options
from swath.importers.sent import Sent, build_endpoint
from swath.importers.shell import Command, read_commands
from swath.importers.transfer import build_requests, build_settings
from swath.importers.ways import add_proxy

__all__ = ["read_curl"]

_PROMPT: Final = re.compile(r"^\s*(?:[$>#%]|PS [^>\n]*>|[A-Za-z]:\\[^>\n]*>)\s+(?=curl\b)", re.MULTILINE)
_CURL: Final = re.compile(r"(?:.*[/\\\\])?curl(?:\.exe)?", re.IGNORECASE)
_IS_CMDLET: Final = re.compile(
    r"\b(?:Invoke-WebRequest|Invoke-RestMethod|iwr|irm)\b|\bcurl(?=\s+-(?:Uri|Method|Headers)\b)",
    re.IGNORECASE,
)

_WORD: Final = re.compile(r"\bcurl(?:\.exe)?\s", re.IGNORECASE)
#: What documentation in Markdown puts around a command.
_FENCE: Final = re.compile(r"^\s*(?:```|~~~)[\w-]*[ \t]*$", re.MULTILINE)
_BARE: Final = re.compile(r"\s*[\"'<]?(https?://[^\s\"'<>]+)[\"'>]?\s*", re.IGNORECASE)
_TYPOGRAPHIC: Final = "\u2018\u2019\u201c\u201d\u201e"
_DASHES: Final = "\u2013\u2014\u2212"

#: A request, what its workflow is given, and lists that its URL or a loop around it names.
Found = tuple[Sent, dict[str, Json], dict[str, list[str]]]


def read_curl(text: str) -> Imported:
    """Return the formula of one or several commands: an endpoint and a workflow for each URL.

    Those that differ in one id or search are one, with the values as its list.

    Takes the quoting of bash, cmd and PowerShell, PowerShell's own `Invoke-WebRequest`, `fetch` as browsers
    copy it, and a bare URL. Raises InvalidInput where there is no command, or one cannot be read.
    """
    draft = Draft()
    text = _PROMPT.sub("", _FENCE.sub("", text))
    if bare := _BARE.fullmatch(text):
        text = f"curl -g '{bare[1]}'"
    for sent, settings, lists in _find(text, draft):
        _keep(sent, settings, lists, draft)
    merge_alike(draft, headers=True)
    if not draft.endpoints:
        raise InvalidInput(
            "command", " ".join(draft.notes) or "There is no request in it. Paste a curl command."
        )
    return draft.finish()


def _find(text: str, draft: Draft) -> Iterator[Found]:
    if _IS_CMDLET.search(text):
        yield from find_requests(text, draft)
        return
    if CALL.search(text) and not _WORD.search(text):
        yield from find_fetches(text, draft)
        return
    loops = Loops(draft)
    for command in filter(None, map(loops.enter, read_commands(spell_out(text)))):
        for sent, settings, lists in _read(command, draft):
            yield sent, settings, {**loops.lists_in(sent), **lists}


def _read(command: Command, draft: Draft) -> Iterator[Found]:
    start = next((n for n, word in enumerate(command.words) if _CURL.fullmatch(word)), None)
    if start is None:
        draft.note(f"Not a curl command, and left out: {_named(command.words)}")
        return
    if start:
        draft.note(f"What stands before curl was left out: {_named(command.words[:start])}")
    if command.piped_into:
        draft.note(f"What the output is piped into was left out: {command.piped_into[:80]}")
    for options in read_options(command.words[start + 1 :]):
        if not options.urls:
            why = " ".join(["The curl command has no URL. Copy the whole command.", *options.notes])
            raise InvalidInput("command", why)
        if any(url[0] in _TYPOGRAPHIC for url in options.urls if url):
            raise InvalidInput("command", "The quotes are typographic ones. Write ' or \" in their place.")
        if any(url[0] in _DASHES for url in options.urls if url):
            raise InvalidInput("command", "The dashes are typographic ones. Write - in their place.")
        add_proxy(options, draft)
        for sent, lists in build_requests(options, command, draft):
            yield replace(sent, variables=_defaults(command, sent)), build_settings(options), lists


def _defaults(command: Command, sent: Sent) -> dict[str, dict[str, Json]]:
    """Return what `${NAME:-this}` says of the variables of one request."""
    texts = f"{sent.url} {sent.headers} {sent.body} {sent.multipart}"
    return {name: {"default": text} for name, text in command.defaults.items() if has_hole(name, texts)}


def _named(words: list[str]) -> str:
    """Return words for a note; values that a shell would set may be secrets."""
    return re.sub(r"\b([A-Za-z_]\w*)=\S+", r"\1=...", " ".join(words))[:80]


def _keep(sent: Sent, settings: dict[str, Json], lists: dict[str, list[str]], draft: Draft) -> None:
    """Add an endpoint, a workflow over it, and its lists."""
    name = draft.add_endpoint(name_of(sent.url), build_endpoint(sent, draft))
    if name is None:
        return
    mappings = [
        {"target_variable_name": variable, "source_collection": draft.collect(variable, values)}
        for variable, values in lists.items()
    ]
    draft.add_workflow(name, name, {"mappings": mappings, **settings})
    draft.note(*hints(name, draft.endpoints[name]))
