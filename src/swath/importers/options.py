"""The options of curl: which there are, which take a value, and what becomes of each."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from swath.errors import InvalidInput

_SHORT: Final = {
    "X": "request", "H": "header", "d": "data", "F": "form", "b": "cookie", "u": "user", "A": "user-agent",
    "e": "referer", "x": "proxy", "m": "max-time", "T": "upload-file", "r": "range", "G": "get", "I": "head",
    "L": "location", "k": "insecure", "s": "silent", "S": "show-error", "f": "fail", "i": "include",
    "v": "verbose", "o": "output", "O": "remote-name", "J": "remote-header-name", "c": "cookie-jar",
    "D": "dump-header",
    "w": "write-out", "N": "no-buffer", "#": "progress-bar", "g": "globoff", "0": "http1.0", "1": "tlsv1",
    "2": "sslv2", "3": "sslv3", "4": "ipv4", "6": "ipv6", "a": "append", "B": "use-ascii", "C": "continue-at",
    "E": "cert", "h": "help", "j": "junk-session-cookies", "K": "config", "l": "list-only", "M": "manual",
    "n": "netrc", "p": "proxytunnel", "P": "ftp-port", "q": "disable", "Q": "quote", "R": "remote-time",
    "t": "telnet-option", "U": "proxy-user", "V": "version", "y": "speed-time", "Y": "speed-limit",
    "z": "time-cond", "Z": "parallel", ":": "next",
}  # fmt: skip

#: Those that say what is sent.
_CARRIED: Final = frozenset(
    """request header data data-raw data-binary data-ascii data-urlencode json form form-string cookie
    user user-agent referer upload-file range get head url url-query oauth2-bearer max-time
    connect-timeout retry max-redirs max-filesize location globoff next compressed basic proxy proxy1.0
    proxy-user socks5 socks5-hostname anyauth""".split()  # noqa: SIM905
)
#: Those of them, and of all others, that take a value.
_VALUED: Final = frozenset(
    """request header data data-raw data-binary data-ascii data-urlencode json form form-string cookie
    user user-agent referer upload-file range url url-query oauth2-bearer max-time connect-timeout
    retry max-redirs max-filesize abstract-unix-socket alt-svc aws-sigv4 cacert capath cert
    cert-type ciphers config connect-to continue-at cookie-jar create-file-mode crlfile curves
    delegation dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-url dump-header egd-file
    engine etag-compare etag-save expect100-timeout expand-url expand-header expand-data ftp-port
    happy-eyeballs-timeout-ms hostpubmd5 hsts interface keepalive-time key key-type libcurl
    limit-rate local-port login-options mail-auth mail-from mail-rcpt netrc-file noproxy output
    output-dir parallel-max pass pinnedpubkey preproxy proto proto-default proto-redir proxy
    proxy-cacert proxy-cert proxy-header proxy-key proxy-pass proxy-user proxy1.0 pubkey quote
    random-file rate request-target resolve retry-delay retry-max-time socks4 socks4a socks5
    socks5-hostname speed-limit speed-time stderr telnet-option time-cond tls-max tls13-ciphers
    trace trace-ascii trace-config unix-socket variable write-out haproxy-clientip ipfs-gateway ech
    ftp-account ftp-alternative-to-user ftp-method ftp-ssl-ccc-mode hostpubsha256 ip-tos keepalive-cnt
    knownhosts krb parallel-max-host proxy-capath proxy-cert-type proxy-ciphers proxy-crlfile
    proxy-key-type proxy-pinnedpubkey proxy-service-name proxy-tls13-ciphers proxy-tlsauthtype
    proxy-tlspassword proxy-tlsuser sasl-authzid service-name sigalgs socks5-gssapi-service ssl-sessions
    tftp-blksize tlsauthtype tlspassword tlsuser upload-flags vlan-priority""".split()  # noqa: SIM905
)
#: Those that concern only what curl shows, stores or how it connects.
_HARMLESS: Final = frozenset(
    """silent show-error fail fail-with-body fail-early include show-headers verbose output output-dir
    create-dirs remote-name remote-name-all remote-header-name write-out no-buffer progress-bar
    no-progress-meter dump-header styled-output no-clobber trace trace-ascii trace-time stderr
    http1.0 http1.1 http2 http2-prior-knowledge http3 http3-only tlsv1 tlsv1.0 tlsv1.1 tlsv1.2
    tlsv1.3 ssl-no-revoke tcp-nodelay keepalive-time no-keepalive ipv4 ipv6 parallel
    parallel-immediate parallel-max disable cookie-jar retry-delay retry-max-time retry-all-errors
    retry-connrefused no-sessionid raw junk-session-cookies expect100-timeout libcurl xattr
    path-as-is proto-default remote-time""".split()  # noqa: SIM905
)
#: Why others are not carried, and what to do.
_REASONS: Final = {
    "insecure": "Swath checks certificates always; give the authority under tls of the endpoint",
    "netrc": "Swath reads no .netrc; give the credentials as secret variables",
    "config": "the options in that file are not known; write them into the command",
    "cert": "give the certificate under tls of the endpoint",
    "key": "give the certificate's key under tls of the endpoint",
    "cacert": "give the authority under tls of the endpoint",
    "resolve": "Swath looks names up itself",
    "connect-to": "Swath connects to the host in the URL",
    "unix-socket": "Swath connects to hosts only",
    "limit-rate": "set a rate limit on the workflow instead",
    "rate": "set a rate limit on the workflow instead",
}
#: Logins other than Basic; the option `--user` goes with them.
OTHER_LOGINS: Final = {
    "digest": "Swath does not speak digest authentication",
    "ntlm": "Swath does not speak NTLM authentication",
    "negotiate": "Swath does not speak Negotiate authentication",
    "aws-sigv4": "Swath does not sign requests for AWS",
}
for _name, _why in OTHER_LOGINS.items():
    _REASONS[_name] = f"{_why}; the login of -u is left out with it"
for _name in ("socks4", "socks4a", "preproxy"):
    _REASONS[_name] = "Swath goes through one HTTP or SOCKS5 proxy; add it under proxies"


@dataclass(slots=True)
class Options:
    """The options of one curl command, up to a `--next`."""

    urls: list[str] = field(default_factory=list)
    given: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    #: Pieces of data in their order: which option, and its value.
    pieces: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def last(self, name: str, default: str = "") -> str:
        values = self.given.get(name)
        return values[-1] if values else default

    def has(self, name: str) -> bool:
        return name in self.given


_DATA: Final = frozenset(
    "data data-raw data-binary data-ascii data-urlencode json form form-string url-query".split()  # noqa: SIM905
)
_VALUES: Final = _CARRIED | _VALUED
_ALL: Final = _VALUES | _HARMLESS | frozenset(_REASONS) | frozenset(_SHORT.values())


def read_options(words: list[str]) -> list[Options]:
    """Read the words after `curl`; `--next` begins another request. Raises InvalidInput."""
    reader = _OptionReader(words)
    return reader.read()


class _OptionReader:
    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.at = 0
        self.options = Options()
        self.done: list[Options] = []
        self.harmless: dict[str, None] = {}

    def read(self) -> list[Options]:
        plain = False
        while self.at < len(self.words):
            word = self.words[self.at]
            self.at += 1
            if plain or not word.startswith("-") or word == "-":
                self.options.urls.append(word)
            elif word == "--":
                plain = True
            elif word.startswith("--"):
                self._long(word)
            else:
                self._short(word)
        self._finish()
        return self.done

    def _finish(self) -> None:
        if self.harmless:
            listed = ", ".join(self.harmless)
            self.options.notes.append(
                f"Left out, for they concern only curl's own output or connection: {listed}."
            )
        self.done.append(self.options)
        self.options, self.harmless = Options(), {}

    def _short(self, word: str) -> None:
        for position, letter in enumerate(word[1:], 1):
            name = _SHORT.get(letter)
            if name is None:
                raise InvalidInput(
                    "command", f"curl has no option -{letter}. Is a quote missing before {word!r}?"
                )
            if name in _VALUED:
                rest = word[position + 1 :]
                self._take(name, f"-{letter}", rest or self._value(f"-{letter}"))
                return
            self._take(name, f"-{letter}", "")

    def _long(self, word: str) -> None:
        name = _full_name(word[2:])
        if "=" in name:
            option, _, value = word.partition("=")
            how = f" Write {option} {value} with a space between." if option[2:] in _VALUED else ""
            raise InvalidInput("command", f"curl has no option {word}.{how}")
        self._take(name, f"--{name}", self._value(word) if name in _VALUED else "")

    def _value(self, option: str) -> str:
        if self.at >= len(self.words):
            raise InvalidInput(
                "command", f"The option {option} of curl needs a value. Copy the whole command."
            )
        self.at += 1
        return self.words[self.at - 1]

    def _take(self, name: str, shown: str, value: str) -> None:
        if name == "next":
            self._finish()
        elif name == "url":
            self.options.urls.append(value)
        elif name in _DATA:
            self.options.pieces.append((name, value))
        elif name in _CARRIED:
            self.options.given[name].append(value)
        elif name in _HARMLESS:
            self.harmless[shown] = None
        else:
            self.options.given[name].append(value)
            reason = _REASONS.get(name, "Swath has nothing that corresponds")
            self.options.notes.append(f"The option {shown} was left out: {reason}.")


def _full_name(name: str) -> str:
    """Complete an abbreviated option, as curl does."""
    if name in _ALL:
        return name
    found = sorted(each for each in _ALL if each.startswith(name))
    return found[0] if found else name
