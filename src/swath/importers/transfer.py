"""What curl would send for its options: method, headers and body by its rules."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from swath.flow.definition import Json
from swath.importers.credentials import basic
from swath.importers.globs import Spread, spread
from swath.importers.holes import encode_form, hole, identifier, with_holes
from swath.importers.imported import Draft
from swath.importers.options import OTHER_LOGINS, Options
from swath.importers.sent import Sent
from swath.importers.words import Command

_FORM: Final = "application/x-www-form-urlencoded"
#: What curl says of a file by the end of its name.
_TYPES: Final = {
    "gif": "image/gif", "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "svg": "image/svg+xml",
    "txt": "text/plain", "htm": "text/html", "html": "text/html", "pdf": "application/pdf",
    "xml": "application/xml",
}  # fmt: skip
#: What documentation writes where something of one's own is to stand: no URL has such brackets.
_PLACEHOLDER: Final = re.compile(r"<([A-Za-z][\w. -]*)>")
_CONTENT: Final = re.compile(r"""[@<]?"(?:[^"\\]|\\.)*"|[^;]*""")
#: A type goes on over its own parameters, such as a charset.
_SETTING: Final = re.compile(
    r""";\s*(type|filename)=("(?:[^"\\]|\\.)*"|(?<=type=)[^;]*(?:;(?!\s*(?:type|filename|headers|encoder)=)[^;]*)*|[^;]*)"""
)


def build_requests(
    options: Options, command: Command, draft: Draft
) -> Iterator[tuple[Sent, dict[str, list[str]]]]:
    """Yield what curl would send to each URL of its options, with the lists that the URL names."""
    uploads = options.given.get("upload-file", [])
    draft.note(*options.notes)
    for n, url in enumerate(options.urls):
        for name in _PLACEHOLDER.findall(url):
            draft.note(f"<{name}> in the URL is taken for the variable {identifier(name)}.")
        url = _PLACEHOLDER.sub(lambda found: hole(identifier(found[1])), url)
        found = Spread(url, {}, ()) if options.has("globoff") else spread(url)
        for name in found.named:
            draft.note(f"{{{name}}} in the URL is taken for the variable {name}.")
        upload = uploads[n] if n < len(uploads) else None
        yield _Transfer(options, command, draft, upload).to(found.url), found.lists


def build_settings(options: Options) -> dict[str, Json]:
    """Return what the options mean for the workflow: times and tries."""
    limits: dict[str, Json] = {}
    for option, limit in (("max-time", "timeout"), ("connect-timeout", "connect_timeout")):
        if (seconds := _number(options.last(option))) > 0:
            limits[limit] = seconds
    if options.has("max-redirs") and (hops := _number(options.last("max-redirs"), -1)) >= 0:
        limits["max_redirects"] = min(int(hops), 20)
    if (size := _number(options.last("max-filesize"))) >= 1:
        limits["max_response_bytes"] = int(size)
    tries = _number(options.last("retry"))
    return {"limits": limits, "retry": {"max_attempts": min(int(tries) + 1, 100)} if tries >= 1 else {}}


def _number(text: str, default: float = 0.0) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def stand_in(path: str, default: str, draft: Draft) -> str:
    """Return a variable for the content of a file, which no import reads."""
    variable = identifier(re.split(r"[/\\]", path)[-1].partition(".")[0], default)
    draft.note(f"The file {path} is not read: give its content as the variable {variable}.")
    return hole(variable)


class _Transfer:
    """The request of one set of options, to one of its URLs; each has the upload that stands in its turn."""

    def __init__(self, options: Options, command: Command, draft: Draft, upload: str | None) -> None:
        self.options = options
        self.command = command
        self.draft = draft
        self.upload = upload

    def to(self, url: str) -> Sent:
        options = self.options
        text = self._upload_name(url if "://" in url[:12] else f"http://{url}")
        body, query = self._data()
        multipart = self._multipart()
        if self.upload is not None:
            body = self._file(self.upload, "body")
        if options.has("get"):
            query, body = [*query, *([body] if body else [])], None
        return Sent(
            url=_with_query(with_holes(text), query),
            method=self._method(body, multipart),
            headers=list(self._headers(body)),
            body=body,
            multipart=multipart,
        )

    def _upload_name(self, url: str) -> str:
        """Add the file's name where a file is put into a folder."""
        path = self.upload
        return url + quote(re.split(r"[/\\]", path)[-1]) if path and url.endswith("/") else url

    def _method(self, body: str | None, multipart: object) -> str:
        options = self.options
        if options.has("request"):
            named = options.last("request")
            if named != named.upper():
                self.draft.note(f"The method {named} is sent in capitals, as {named.upper()}.")
            return named
        if options.has("head"):
            return "HEAD"
        if self.upload is not None:
            return "PUT"
        return "POST" if body is not None or multipart is not None else "GET"

    # --- headers

    def _headers(self, body: str | None) -> Iterator[tuple[str, str]]:
        """Yield the headers, those that options mean only where none is written out."""
        written = list(self._written())
        names = {name.lower() for name, _ in written}
        yield from ((name, value) for name, value in self._meant(body) if name.lower() not in names)
        yield from ((name, value) for name, value in written if value is not None)

    def _written(self) -> Iterator[tuple[str, str | None]]:
        """Yield the `-H` headers; `Name:` takes one away, `Name;` sends it empty."""
        for line in self.options.given.get("header", []):
            name, mark, value = line.partition(":")
            if line.startswith("@"):
                self.draft.note(
                    f"The headers in the file {line[1:]} were left out: write them into the command."
                )
            elif mark:
                if not value.strip():
                    self.draft.note(
                        f"-H '{name}:' takes a header away; Swath sends its own one, if it has any."
                    )
                yield name, with_holes(value.strip()) or None
            elif line.endswith(";"):
                yield line[:-1], ""

    def _meant(self, body: str | None) -> Iterator[tuple[str, str]]:
        options = self.options
        if any(name == "json" for name, _ in options.pieces):
            yield "Content-Type", "application/json"
            yield "Accept", "application/json"
        elif body is not None and self.upload is None:
            yield "Content-Type", _FORM
        texts = (
            ("User-Agent", options.last("user-agent")),
            ("Referer", options.last("referer").removesuffix(";auto")),
            ("Cookie", ";".join(self._cookies())),
            ("Range", f"bytes={options.last('range')}" if options.has("range") else ""),
        )
        yield from ((name, with_holes(text)) for name, text in texts if text)
        yield from self._credentials()

    def _cookies(self) -> Iterator[str]:
        for value in self.options.given.get("cookie", []):
            if "=" in value or "{{" in value:
                yield value
            else:
                self.draft.note(
                    f"The cookies in the file {value} were left out: write them as -b 'name=value'."
                )

    def _credentials(self) -> Iterator[tuple[str, str]]:
        options = self.options
        if options.has("oauth2-bearer"):
            yield "Authorization", f"Bearer {with_holes(options.last('oauth2-bearer'))}"
        elif options.has("user") and not any(map(options.has, OTHER_LOGINS)):
            if options.has("anyauth"):
                self.draft.note(
                    "With --anyauth curl asks first which login is wanted; Swath sends -u as Basic."
                )
            known = options.last("user")
            if ":" not in known:
                self.draft.note(f"-u {known} has no password: curl would ask for it; set it in the secret.")
                known += ":"
            yield "Authorization", basic(known)

    # --- the body

    def _data(self) -> tuple[str | None, list[str]]:
        """Return the body of all `-d` and their like, and what `--url-query` adds to the URL."""
        body: str | None = None
        query = []
        for option, value in self.options.pieces:
            if option in ("form", "form-string"):
                continue
            if option == "url-query":
                query.append(value[1:] if value.startswith("+") else self._url_encoded(value))
                continue
            piece = self._piece(option, value)
            joint = "" if option == "json" else "&"
            body = piece if body is None else f"{body}{joint}{piece}"
        return body, query

    def _piece(self, option: str, value: str) -> str:
        if option == "data-urlencode":
            return self._url_encoded(value)
        if value.startswith("@") and option != "data-raw":
            text = self._file(value[1:], "body")
            if option not in ("data", "data-ascii"):
                return text
            if value[1:] not in ("-", "."):
                self.draft.note(
                    f"Of the file {value[1:]} curl's -d sends no line ends: give it without them."
                )
            return re.sub(r"[\r\n]", "", text)
        return with_holes(value)

    def _url_encoded(self, value: str) -> str:
        """Encode as `--data-urlencode` does: `name=text`, `=text`, `text`, `name@file`, `@file`."""
        found = re.match(r"([^=@]*)([=@])", value)
        if found is None:
            return encode_form(value)
        name, mark, rest = found[1], found[2], value[found.end() :]
        text = encode_form(rest if mark == "=" else self._read(rest, "text"))
        return f"{name}={text}" if name else text

    def _file(self, path: str, default: str) -> str:
        """Return the template that stands for a file's content."""
        return with_holes(self._read(path, default))

    def _read(self, path: str, default: str) -> str:
        """Return a file's content: the text fed to the command, or a variable."""
        if path in ("-", "."):
            if self.command.stdin is not None:
                return self.command.stdin
            path = self.command.stdin_file or path
        return stand_in(path, default, self.draft)

    def _multipart(self) -> dict[str, Json] | None:
        parts: dict[str, Json] = {}
        for option, value in self.options.pieces:
            if option not in ("form", "form-string"):
                continue
            name, _, text = value.partition("=")
            part = with_holes(text) if option == "form-string" else self._part(text)
            if name in parts:
                known = parts[name]
                part = [*(known if isinstance(known, list) else [known]), part]
            parts[name] = part
        return parts or None

    def _part(self, text: str) -> Json:
        """Read the value of a `-F`: text, `@file` or `<file`, and its settings."""
        found = _CONTENT.match(text)
        content, rest = (_unquote(found[0]), text[found.end() :]) if found else (text, "")
        found_quoted = '"' in text[:2]
        settings = {each[1]: _unquote(each[2]) for each in _SETTING.finditer(rest)}
        if left := _SETTING.sub("", rest).strip("; "):
            self.draft.note(f"The setting {left!r} of -F was left out: Swath has nothing that corresponds.")
        kind = settings.get("type")
        if content.startswith("@"):
            if "," in content and not found_quoted:
                self.draft.note(
                    f"{content} names several files, which Swath does not send as one part: write an -F each."
                )
            name = re.split(r"[/\\]", content)[-1].lstrip("@")
            filename = settings.get("filename", name)
            kind = kind or _type_of(filename) or _type_of(name) or "application/octet-stream"
            return {"filename": filename, "content": self._file(content[1:], "file"), "content_type": kind}
        value = self._file(content[1:], "file") if content.startswith("<") else with_holes(content)
        part = {"filename": settings.get("filename"), "content": value, "content_type": kind}
        return {k: v for k, v in part.items() if v} if settings else value


def _type_of(name: str) -> str | None:
    return _TYPES.get(name.rpartition(".")[2].lower())


def _unquote(text: str) -> str:
    """Take the quotes off a value of `-F`, also behind its `@` or `<`."""
    found = re.fullmatch(r'\s*([@<]?)"(.*)"\s*', text, re.DOTALL)
    return found[1] + re.sub(r"\\(.)", r"\1", found[2]) if found else text.strip()


def _with_query(url: str, more: list[str]) -> str:
    if not more:
        return url
    address, mark, fragment = url.partition("#")
    joint = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
    return f"{address}{joint}{'&'.join(more)}{mark}{fragment}"
