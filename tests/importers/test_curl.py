# ruff: noqa: E501 - commands stand as they are copied
"""Commands of curl: what Swath sends for the import is what the real curl sends beside it."""

import dataclasses
import shlex
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.importers.conftest import FILES
from tests.importers.wire import HOST, check_formula, compact, local, relocated, run_shell, send
from tests.upstreams.scripted import Scripted

from swath.errors import InvalidInput
from swath.importers import read_curl
from swath.importers.hints import Spot, fill_spot, find_spots
from swath.importers.shell import read_commands

#: Commands as people type them, documentation prints them and browsers copy them; all are run in a real bash.
BASH = {
    "bare": "curl https://api.example.com/users",
    "no scheme": "curl api.example.com/users",
    "quiet flags": "curl -sSL --compressed -o /dev/null 'https://api.example.com/a?b=c'",
    "query in double quotes": 'curl "https://api.example.com/search?q=rust+lang&sort=stars&order=desc"',
    "encoded query": "curl 'https://api.example.com/search?q=caf%C3%A9%20au%20lait&filter%5Bname%5D=a%3Ab'",
    "repeated parameters": "curl 'https://api.example.com/x?tag=a&tag=b&other=1&tag=c'",
    "parameters without values": "curl 'https://api.example.com/x?flag&empty=&a=1'",
    "dots in the path": "curl https://api.example.com/a/./b/../c//d",
    "odd characters in the path": "curl 'https://api.example.com/a;b=1/c@d/e:f/%7Bg%7D/h%2Fi'",
    "a fragment": "curl 'https://api.example.com/page?x=1#section'",
    "header": "curl -H 'Accept: application/json' https://api.example.com/x",
    "header glued to its flag": "curl -H'X-A: 1' -H\"X-B: 2\" https://api.example.com/x",
    "bearer": "curl https://api.example.com/me -H 'Authorization: Bearer abc123def456'",
    "bearer by option": "curl --oauth2-bearer abc123def456 https://api.example.com/me",
    "basic": "curl -u ann:s3cret:with:colons https://api.example.com/me",
    "basic without a password": "curl -u sk_test_4eC39HqLyjWDarjtT1zdp7dc: https://api.example.com/v1/charges",
    "basic in the URL": "curl http://ann:s3cret@api.example.com/me",
    "api key in the query": "curl 'https://api.example.com/weather?city=Berlin&appid=1&api_key=0123456789abcdef'",
    "api key with odd characters": "curl 'https://api.example.com/weather?api_key=a%2Bb%2Fc%3D%3D&city=Rome'",
    "api key in a header": "curl -H 'X-Api-Key: 0123456789abcdef' https://api.example.com/x",
    "form": "curl -d name=Ann -d 'city=New+York' https://api.example.com/people",
    "form with spaces left as they are": "curl -d 'a=hello world&b=x/y' https://api.example.com/people",
    "login": "curl -X POST --data 'user=ann&password=s3cret99' https://api.example.com/login",
    "put": "curl -X PUT -d done=true https://api.example.com/tasks/1",
    "delete": "curl -XDELETE https://api.example.com/tasks/1",
    "head": "curl -I https://api.example.com/x",
    "json without a type": """curl https://api.example.com/x -d '{"a":1,"b":[true,null,"c"]}'""",
    "json": """curl https://api.example.com/x -H 'Content-Type: application/json' -d '{"a":1.5,"b":"é"}'""",
    "json with spaces": """curl -X POST https://api.example.com/x \\
      -H "Content-Type: application/json" \\
      -d '{
        "name": "Ann",
        "tags": ["x", "y"]
      }'""",
    "json in double quotes": 'curl -H "Content-Type: application/json" -d "{\\"a\\": \\"b\\"}" https://api.example.com/x',
    "--json": """curl --json '{"tool":"curl"}' https://api.example.com/x""",
    "--json twice": """curl --json '{"tool":' --json '"curl"}' https://api.example.com/x""",
    "numbers that do not fit": """curl --json '{"id":12345678901234567890123,"f":1.10}' https://api.example.com/x""",
    "duplicate keys": """curl --json '{"a":1,"a":2}' https://api.example.com/x""",
    "get with data": "curl -G -d q=test -d limit=10 https://api.example.com/search",
    "get with data and a query": "curl -G --data-urlencode 'q=a b&c' -d limit=10 'https://api.example.com/search?x=1'",
    "url-encoded data": "curl --data-urlencode 'q=1 + 1 = 2' --data-urlencode '=x y' https://api.example.com/x",
    "url-query": "curl --url-query 'q=a b' https://api.example.com/x",
    "data-raw with an at sign": "curl --data-raw '@nobody' https://api.example.com/x",
    "text": "curl -H 'Content-Type: text/plain' --data-binary $'line 1\\nline 2\\ttab' https://api.example.com/x",
    "xml": "curl -H 'Content-Type: text/xml; charset=utf-8' -d '<a b=\"c\">d</a>' https://api.example.com/soap",
    "graphql": """curl https://api.example.com/graphql -H 'Content-Type: application/json' \\
      --data-raw '{"query":"query($n: Int) { items(first: $n) { id } }","variables":{"n":5}}'""",
    "cookies": "curl -b 'session=abcdef; theme=dark' https://api.example.com/x",
    "cookies twice": "curl -b session=abcdef -b theme=dark https://api.example.com/x",
    "user agent and referer": "curl -A 'Mozilla/5.0 (X11)' -e https://example.org/ https://api.example.com/x",
    "an empty header": "curl -H 'X-Empty;' https://api.example.com/x",
    "a header twice": "curl -H 'X-A: 1' -H 'X-A: 2' https://api.example.com/x",
    "a range": "curl -r 0-99 https://api.example.com/x",
    "multipart": "curl -F name=Ann -F 'bio=likes; semicolons' https://api.example.com/x",
    "multipart with a type": """curl -F 'meta={"a":1};type=application/json' https://api.example.com/x""",
    "multipart with a file": "curl -F 'file=@notes.txt' -F who=me https://api.example.com/x",
    "multipart with a file named and typed": "curl -F 'f=@notes.txt;filename=a.csv;type=text/csv' https://api.example.com/x",
    "multipart from a file": "curl -F 'text=<notes.txt' https://api.example.com/x",
    "multipart strings": "curl --form-string 'a=@x;type=y' https://api.example.com/x",
    "data from a file": "curl --data-binary @notes.txt -H 'Content-Type: text/plain' https://api.example.com/x",
    "upload": "curl -T notes.txt https://api.example.com/files/",
    "several URLs": "curl -H 'X-A: 1' https://api.example.com/a https://api.example.com/b",
    "next": "curl -d a=1 https://api.example.com/a --next -H 'X-B: 2' https://api.example.com/b",
    "several commands": "curl https://api.example.com/a\ncurl -X POST https://api.example.com/b; curl https://api.example.com/c",
    "piped": "curl -s https://api.example.com/a | cat",
    "redirected": "curl -s https://api.example.com/a > out.json 2>/dev/null",
    "commented": "# list them\ncurl https://api.example.com/a  # all of them",
    "here-document": """curl -d @- -H 'Content-Type: application/json' https://api.example.com/x <<'EOF'
{"a":1}
EOF""",
    "abbreviated options": "curl --head https://api.example.com/a",
    "options after the URL": "curl https://api.example.com/a -H 'X-A: 1' --url https://api.example.com/b",
    "literal braces": """curl -g 'https://api.example.com/x' -d 'a={{not a variable}}&b={%c%}'""",
    "single quote inside": "curl -d 'it'\\''s' -H 'Content-Type: text/plain' https://api.example.com/x",
    "chrome bash": """curl 'https://api.example.com/api/items?page=1&size=50' \\
  -H 'accept: application/json, text/plain, */*' \\
  -H 'accept-language: en-US,en;q=0.9' \\
  -H 'authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl' \\
  -b '_ga=GA1.1.1; sid=s%3Aabc' \\
  -H 'origin: https://www.example.com' \\
  -H 'priority: u=1, i' \\
  -H 'referer: https://www.example.com/' \\
  -H 'sec-ch-ua: "Chromium";v="131", "Not_A Brand";v="24"' \\
  -H 'sec-ch-ua-mobile: ?0' \\
  -H 'sec-fetch-mode: cors' \\
  -H 'user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36' \\
  -H 'x-csrf-token: 0a1b2c3d4e5f'""",
    "chrome bash post": """curl 'https://api.example.com/search' \\
  -H 'content-type: application/json;charset=UTF-8' \\
  --data-raw $'{"q":"it\\'s \\u0021 50%","from":0}'""",
    "chrome multipart": """curl 'https://api.example.com/upload' \\
  -H 'content-type: multipart/form-data; boundary=----WebKitFormBoundaryAb1' \\
  --data-raw $'------WebKitFormBoundaryAb1\\r\\nContent-Disposition: form-data; name="a"\\r\\n\\r\\n1\\r\\n------WebKitFormBoundaryAb1--\\r\\n'""",
    "firefox bash": """curl 'https://api.example.com/v2/list' --compressed -X POST -H 'User-Agent: Mozilla/5.0' \
-H 'Accept: */*' -H 'Accept-Encoding: gzip, deflate, br, zstd' -H 'Content-Type: application/x-www-form-urlencoded' \
-H 'DNT: 1' -H 'Sec-GPC: 1' -H 'Connection: keep-alive' -H 'TE: trailers' --data-raw 'page=1&per_page=20'""",
    "safari": """curl 'https://api.example.com/list' \\
-X 'GET' \\
-H 'Accept: application/json' \\
-H 'Sec-Fetch-Site: same-origin' \\
-H 'Cookie: a=1; b=2'""",
    "postman's copy": """curl --location 'https://api.example.com/items?limit=5' \\
--header 'Content-Type: application/json' \\
--header 'Authorization: Basic YW5uOnMzY3JldDk5' \\
--data '{"a":"b"}'""",
    "httpie's and docs' style": """curl --request POST \\
     --url https://api.example.com/v1/query \\
     --header 'accept: application/json' \\
     --header 'content-type: application/json' \\
     --data '{"limit":10}'""",
    "bytes by code": "curl -H 'Content-Type: text/plain' -d $'caf\\xc3\\xa9 \\u2603 \\101' https://api.example.com/x",
}
#: Those of them whose formula writes a JSON body without its spaces, and says so.
SPACED = {"json with spaces", "json in double quotes"}
#: Those whose body has no content type, where Swath sends one, and says so.
UNTYPED = {"upload"}


@pytest.mark.parametrize("name", BASH)
async def test_bash_sends_what_curl_sends(name: str, upstream: Scripted, folder: Path) -> None:
    """Method, address, headers and body, of every request of the command."""
    command = BASH[name]
    imported = read_curl(local(command, upstream))
    check_formula(imported)
    files = {"notes": FILES["notes.txt"]}
    sent, expected = await send(imported, upstream, files), run_shell(command, upstream, folder)
    if name in SPACED:
        assert any("without the spaces" in note for note in imported.notes)
        sent, expected = [compact(each) for each in sent], [compact(each) for each in expected]
    if name in UNTYPED:
        assert any("no content type" in note for note in imported.notes)
        sent = [dataclasses.replace(each, headers={}) for each in sent]
    assert sent == expected


async def test_shell_variables_become_variables(upstream: Scripted, folder: Path) -> None:
    """In a secret's place they are secret."""
    command = (
        'curl "https://api.example.com/users/$WHO/repos?since=${SINCE}" -H "Authorization: Bearer $TOKEN"'
    )
    values = {"WHO": "ann", "SINCE": "2024", "TOKEN": "abc123def456"}
    imported = read_curl(local(command, upstream))
    check_formula(imported)
    (endpoint,) = imported.formula["endpoints"].values()
    assert endpoint["variables"] == {"SINCE": {}, "TOKEN": {"secret": True}, "WHO": {}}
    assert await send(imported, upstream, values) == run_shell(command, upstream, folder, values)


async def test_credentials_from_shell_variables(upstream: Scripted, folder: Path) -> None:
    command = 'curl -u "$NAME:$PASSWORD" https://api.example.com/me'
    values = {"NAME": "ann", "PASSWORD": "s3cret99"}
    imported = read_curl(local(command, upstream))
    assert await send(imported, upstream, values) == run_shell(command, upstream, folder, values)


@pytest.mark.parametrize(
    "command",
    [
        "curl 'https://api.example.com/users/{ann,bob}/posts?page=[1-3]'",
        "curl 'https://api.example.com/files/part[001-003].json'",
        "curl 'https://api.example.com/rows/[a-e:2]'",
    ],
)
async def test_lists_in_a_url_become_collections(command: str, upstream: Scripted, folder: Path) -> None:
    """curl's own lists: each value is in a collection, and all are multiplied as curl does."""
    imported = read_curl(local(command, upstream))
    check_formula(imported)
    (workflow,) = imported.formula["workflows"].values()
    lists = [
        (each["target_variable_name"], imported.formula["collections"][each["source_collection"]])
        for each in workflow["mappings"]
    ]
    sent = []
    for values in product_of(lists):
        sent += await send(imported, upstream, values)
    assert sent == run_shell(command, upstream, folder)


def product_of(lists: list[tuple[str, list[str]]]) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = [{}]
    for name, values in lists:
        rows = [{**row, name: value} for row in rows for value in values]
    return rows


#: A command for another shell, and what it is in bash.
OTHERS = {
    "chrome cmd": (
        r'''curl ^"https://api.example.com/search?q=caf^%^C3^%^A9^&n=50^%^25^" ^
  -H ^"accept: application/json, text/plain, */*^" ^
  -H ^"sec-ch-ua: ^\^"Chromium^\^";v=^\^"131^\^"^" ^
  -H ^"x-path: C:^\\Users^\\ann^" ^
  -b ^"sid=abcdef^" ^
  --data-raw ^"^{^\^"text^\^":^\^"it's ^\^\^\^"quoted^\^\^\^" ^!^\^",^\^"n^\^":^[1,2^]^}^"''',
        """curl 'https://api.example.com/search?q=caf%C3%A9&n=50%25' -H 'accept: application/json, text/plain, */*' \
        -H 'sec-ch-ua: "Chromium";v="131"' -H 'x-path: C:\\\\Users\\\\ann' -b 'sid=abcdef' \
        --data-raw '{"text":"it'\\''s \\"quoted\\" !","n":[1,2]}'""",
    ),
    "chrome cmd with lines": (
        'curl ^"https://api.example.com/x^" ^\n  -H ^"content-type: text/plain^" ^\n  --data-raw ^"a^\n\nb^"',
        "curl https://api.example.com/x -H 'content-type: text/plain' --data-raw $'a\\nb'",
    ),
    "old chrome cmd": (
        'curl "https://api.example.com/x?a=1&b=2" ^\n  -H "accept: */*" ^\n  --data-raw "{\\"a\\":\\"b c\\"}" ^\n'
        "  --compressed",
        """curl 'https://api.example.com/x?a=1&b=2' -H 'accept: */*' --data-raw '{"a":"b c"}'""",
    ),
    "firefox cmd": (
        'curl "https://api.example.com/x" --compressed -X POST -H "Accept: application/json" ^\n'
        ' --data-raw "{""a"":""b""}"',
        """curl https://api.example.com/x -X POST -H 'Accept: application/json' --data-raw '{"a":"b"}'""",
    ),
    "cmd with crlf": (
        'curl -X PUT ^\r\n "https://api.example.com/x" ^\r\n -d "a=1"',
        "curl -X PUT https://api.example.com/x -d a=1",
    ),
    "powershell curl.exe": (
        "curl.exe -X POST 'https://api.example.com/x' `\n  -H 'Content-Type: application/json' `\n"
        "  -d '{\\\"a\\\":\\\"it''s\\\"}'",
        """curl -X POST https://api.example.com/x -H 'Content-Type: application/json' -d '{"a":"it'\\''s"}'""",
    ),
    "powershell double quotes": (
        'curl.exe "https://api.example.com/x?a=1&b=`$2" `\n -H "X-Quote: a `"b`" c"',
        """curl 'https://api.example.com/x?a=1&b=$2' -H 'X-Quote: a "b" c'""",
    ),
    "chrome powershell": (
        """$session = New-Object Microsoft.PowerShell.Commands.WebRequestSession
$session.UserAgent = "Mozilla/5.0 (X11; Linux x86_64)"
$session.Cookies.Add((New-Object System.Net.Cookie("sid", "abcdef", "/", "api.example.com")))
$session.Cookies.Add((New-Object System.Net.Cookie("theme", "dark", "/", ".example.com")))
Invoke-WebRequest -UseBasicParsing -Uri "https://api.example.com/search?q=1" `
-Method "POST" `
-WebSession $session `
-Headers @{
"authority"="api.example.com"
  "method"="POST"
  "path"="/search?q=1"
  "scheme"="https"
  "accept"="application/json"
  "accept-encoding"="gzip, deflate, br"
  "sec-ch-ua"="`"Chromium`";v=`"131`""
} `
-ContentType "application/json" `
-Body "{`"a`":`"50`$`"}\"""",
        """curl 'https://api.example.com/search?q=1' -H 'accept: application/json' -A 'Mozilla/5.0 (X11; Linux x86_64)' \
        -b 'sid=abcdef; theme=dark' -H 'sec-ch-ua: "Chromium";v="131"' -H 'Content-Type: application/json' \
        --data-raw '{"a":"50$"}'""",
    ),
    "chrome powershell with bytes": (
        'Invoke-WebRequest -UseBasicParsing -Uri "https://api.example.com/x" -Method "PUT" -ContentType "text/plain" '
        '-Body ([System.Text.Encoding]::UTF8.GetBytes("caf$([char]233) $([char]10)x"))',
        "curl -X PUT https://api.example.com/x -H 'Content-Type: text/plain' -d $'caf\\u00e9 \\nx'",
    ),
    "powershell rest method": (
        """$headers = @{ Accept = 'application/json'; 'X-Api-Key' = '0123456789abcdef' }
$body = @{ name = 'Ann'; tags = 'x' } | ConvertTo-Json
Invoke-RestMethod -Uri 'https://api.example.com/people' -Method Post -Headers $headers -ContentType 'application/json' -Body $body
""",
        """curl https://api.example.com/people -H 'Accept: application/json' -H 'X-Api-Key: 0123456789abcdef' \
        -H 'Content-Type: application/json' -d '{"name":"Ann","tags":"x"}'""",
    ),
    "powershell query": (
        "irm https://api.example.com/search -Body @{ q = 'a b'; n = 3 }",
        "curl 'https://api.example.com/search?q=a+b&n=3'",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_other_shells_mean_the_same(name: str, upstream: Scripted, folder: Path) -> None:
    """cmd and PowerShell, against the same command that a real bash runs."""
    written, in_bash = OTHERS[name]
    imported = read_curl(local(written, upstream))
    check_formula(imported)
    sent, expected = await send(imported, upstream), run_shell(in_bash, upstream, folder)
    if any("without the spaces" in note for note in imported.notes):
        sent = [compact(each) for each in sent]
        expected = [compact(each) for each in expected]
    assert sent == expected


def test_secrets_leave_the_formula() -> None:
    """Each becomes a secret variable; the formula does not hold it."""
    imported = read_curl(
        "curl 'https://api.example.com/x?api_key=k-0123456789' -H 'Authorization: Bearer t-0123456789' "
        "-b 'sid=c-0123456789' -H 'X-Session-Token: s-0123456789' -u a:b "
        """--json '{"password":"p-0123456789","page_token":"not secret"}'"""
    )
    check_formula(imported)
    assert imported.secrets == {
        "api_key": "k-0123456789",
        "token": "t-0123456789",
        "cookie": "sid=c-0123456789",
        "x_session_token": "s-0123456789",
        "password": "p-0123456789",
    }
    (endpoint,) = imported.formula["endpoints"].values()
    assert all(endpoint["variables"][name] == {"secret": True} for name in imported.secrets)
    assert endpoint["body"]["json"]["page_token"] == "not secret"
    assert "0123456789" not in yaml.safe_dump(imported.formula)
    assert "0123456789" not in repr(imported)


async def test_a_secret_that_stands_twice_leaves_the_formula_twice(upstream: Scripted, folder: Path) -> None:
    """As in the address of a referrer, and in a header of another name."""
    command = (
        "curl 'https://api.example.com/x?token=t-0123456789' -H 'Referer: https://www.example.com/?token=t-0123456789' "
        "-H 'X-Seen: t-0123456789;1'"
    )
    imported = read_curl(local(command, upstream))
    check_formula(imported)
    assert imported.secrets == {"token": "t-0123456789"}
    assert await send(imported, upstream) == run_shell(command, upstream, folder)


@pytest.mark.parametrize(
    ("options", "url", "secret"),
    [
        ("-x http://proxy.example:3128", "http://proxy.example:3128", None),
        ("-x proxy.example", "http://proxy.example:1080", None),
        ("--proxy socks5h://proxy.example:9050", "socks5h://proxy.example:9050", None),
        ("--socks5 proxy.example:1081", "socks5://proxy.example:1081", None),
        ("--socks5-hostname proxy.example", "socks5h://proxy.example:1080", None),
        (
            "-x ann:p%40w@proxy.example:3128",
            "http://proxy.example:3128",
            "http://ann:p%40w@proxy.example:3128",
        ),
        (
            "-x proxy.example:3128 -U 'ann:p@w'",
            "http://proxy.example:3128",
            "http://ann:p%40w@proxy.example:3128",
        ),
    ],
)
def test_a_proxy_becomes_one_of_the_formula(options: str, url: str, secret: str | None) -> None:
    """Its login is a secret; how to choose it is said. Named in two commands it is one."""
    imported = read_curl(
        f"curl {options} https://api.example.com/x\ncurl {options} https://api.example.com/y"
    )
    check_formula(imported)
    assert imported.formula["proxies"] == {
        "proxy.example": {"type": "dedicated", "location": "proxy.example", "url": url}
    }
    assert imported.secrets == ({"proxies.proxy.example": secret} if secret else {})
    assert any("--proxy dedicated:proxy.example" in note for note in imported.notes)


def test_a_proxy_that_is_not_carried_is_listed() -> None:
    """One whose address is a variable, of another kind, or a login without any."""
    for options in ('-x "$PROXY"', "--socks4 proxy:1080", "-U a:b", "-x ftp://proxy"):
        imported = read_curl(f"curl {options} https://api.example.com/x")
        assert "proxies" not in imported.formula
        assert any("left out" in note for note in imported.notes), options


def test_what_cannot_be_carried_is_listed() -> None:
    """Nothing is dropped in silence."""
    imported = read_curl(
        "curl -sk -x http://ann:pw@proxy:3128 --digest --cacert ca.pem -b jar.txt -H @more.txt -H 'Accept:' "
        "-H 'If-None-Match: \"1\"' --limit-rate 10k --hsts x https://api.example.com/x | jq ."
    )
    notes = "\n".join(imported.notes)
    for part in (
        "-k",
        "dedicated:proxy",
        "--digest",
        "--cacert",
        "jar.txt",
        "more.txt",
        "Accept",
        "If-None-Match",
    ):
        assert part in notes
    for part in ("--limit-rate", "--hsts", "-s", "jq ."):
        assert part in notes
    assert "pw" not in notes


@pytest.mark.parametrize(
    ("address", "target", "told"),
    [
        ("/x?", "/x", f"The ? at the end of {HOST}/x is not sent, as nothing follows it."),
        ("/x?&a=1&&b=2&", "/x?a=1&b=2", f"Of the query of {HOST}/x only pairs are sent"),
        ("/x?a={{b c}}", "/x?a=%7B%7Bb%20c}}", f"Braces in the URL {HOST}/x"),
        ("/x/{a?b={c}&d=", "/x/%7Ba?b={c}&d=", ""),
    ],
)
async def test_signs_that_go_out_otherwise_are_told(
    address: str, target: str, told: str, upstream: Scripted
) -> None:
    """They mean the same to a server: a mark without a query, pairs that are none, braces."""
    imported = read_curl(f"curl -g '{HOST}{address}'")
    (sent,) = await send(relocated(imported, upstream), upstream)
    assert sent.url == upstream.url + target
    assert [note.startswith(told) for note in imported.notes] == ([True] if told else [])


@pytest.mark.parametrize(
    "command",
    [
        "curl -d 'not a form' --data-urlencode name@notes.txt https://api.example.com/x",
        "cat notes.txt | curl -d 'not a form' --data-urlencode name@- https://api.example.com/x",
        "curl -d 'a=1' --data-urlencode name@notes.txt -d 'a=2' https://api.example.com/x",
        "curl -H 'Content-Type: text/plain' --data-urlencode @notes.txt https://api.example.com/x",
        "curl -d 'a=1' --data-urlencode name@notes.txt https://api.example.com/x",
    ],
)
async def test_a_file_is_encoded_where_curl_encodes_it(
    command: str, upstream: Scripted, folder: Path
) -> None:
    """By its place in a form or a query, else by a filter; a shell's variable likewise."""
    content = FILES["notes.txt"]
    for written in (command, command.replace("name@notes.txt", 'name="$notes"')):
        imported = read_curl(local(written, upstream))
        check_formula(imported)
        sent = await send(imported, upstream, {"notes": content})
        assert sent == run_shell(written, upstream, folder, {"notes": content})


def test_a_secret_in_a_file_stays_in_it() -> None:
    """What stands for the file is secret; there is nothing to hide."""
    imported = read_curl(f"curl -d 'not a form' --data-urlencode password@file.txt {HOST}/x")
    assert imported.secrets == {}
    assert imported.formula["endpoints"]["X"]["variables"] == {"file": {"secret": True}}
    assert imported.formula["endpoints"]["X"]["body"] == {
        "text": "not a form&password={{ file | urlencode }}"
    }


def test_times_and_tries_go_to_the_workflow() -> None:
    imported = read_curl(
        "curl -m 30 --connect-timeout 2.5 --retry 3 --max-redirs 2 --max-filesize 1000 https://api.example.com/x"
    )
    check_formula(imported)
    assert imported.formula["workflows"]["X"] == {
        "endpoint": "X",
        "limits": {"timeout": 30.0, "connect_timeout": 2.5, "max_redirects": 2, "max_response_bytes": 1000},
        "retry": {"max_attempts": 4},
    }


def test_a_name_in_braces_is_a_variable() -> None:
    """Documentation writes `{id}`; curl would send `id`."""
    imported = read_curl("curl https://api.example.com/users/{user_id}/posts/{{post}}")
    assert (
        imported.formula["endpoints"]["Users posts"]["url"]
        == f"{HOST}/users/{{{{user_id}}}}/posts/{{{{post}}}}"
    )
    assert "{user_id} in the URL" in "\n".join(imported.notes)


@pytest.mark.parametrize("blank", ["+", "%20"])
def test_a_value_that_is_one_of_many_gives_way_to_a_variable(blank: str) -> None:
    """Ids in the path, and what the query searches for; not pages, versions, secrets or what is a variable."""
    imported = read_curl(f"curl '{HOST}/v2/users/42/posts?q=red{blank}shoes&page=1&sort=id'")
    endpoint = dict(imported.formula["endpoints"]["Users posts"])
    user, words = find_spots(endpoint)
    assert (user, words) == (Spot("42", "user_id"), Spot("red shoes", "q", "q"))
    fill_spot(endpoint, user, "user_id")
    fill_spot(endpoint, words, "words")
    address, query = f"{HOST}/v2/users/{{{{user_id}}}}/posts", {"q": "{{words}}", "page": "1", "sort": "id"}
    written = f"{address}?q={{{{words}}}}&page=1&sort=id"
    assert (endpoint["url"], endpoint.get("query")) == ((written, None) if blank == "+" else (address, query))
    assert list(find_spots(endpoint)) == []
    assert "looks like one of many, as q" in imported.notes[1]


def test_what_could_be_a_list_or_a_page_is_told() -> None:
    """An id in the path, a page in the query: proposed, and left as they are."""
    imported = read_curl(
        "curl 'https://api.example.com/users/42/posts?page=1&per_page=20&access_token=t-0123456789'"
    )
    assert imported.formula["endpoints"]["Users posts"]["query"]["page"] == "1"
    assert imported.notes == (
        "Users posts: 42 looks like an id; to ask for many, put {{user_id}} there and map a list to it.",
        "Users posts: page looks like the number of a page; to follow the pages, put {{page}} there and set a "
        "paginator of type page_number. A preview proposes one.",
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "Paste a curl command"),
        ("wget https://api.example.com", "wget"),
        ("curl", "no URL"),
        ("curl -H 'X: 1", "The quote ' at line 1, column 9 is not closed"),
        ("curl https://api.example.com -H", "-H of curl needs a value"),
        ("curl ftp://api.example.com/x", "not an http or https URL"),
        ("curl $BASE/users", "is a variable"),
        ("curl https://api.example.com -d @- <<EOF\n{}", "does not end with EOF"),
        ("curl 'https://api.example.com/[1-9000000]'", "Use a collection"),
        ("for n in {1..9000000}; do curl https://api.example.com/$n; done", "Use a collection"),
        ("for n in $(seq 9000000); do curl https://api.example.com/$n; done", "Use a collection"),
        ("foreach ($n in 1..9000000) { irm https://api.example.com/$n }", "Use a collection"),
        ("for /L %%n in (1,1,9000000) do curl https://api.example.com/%%n", "Use a collection"),
        ('curl ^"https://api.example.com/x', "not closed"),
        ('Invoke-WebRequest -Uri "https://api.example.com', "not closed"),
    ],
)
def test_a_command_that_cannot_be_read_is_explained(command: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_curl(command)
    assert message in str(refused.value)


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=20), min_size=1, max_size=5
    )
)
def test_quoted_words_come_back(words: list[str]) -> None:
    """Whatever `shlex` quotes is read as it was."""
    (command,) = read_commands("curl \\\n" + shlex.join(words))
    assert command.words == ["curl", *words]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=40))
def test_double_quoted_words_come_back(word: str) -> None:
    escaped = "".join(f"\\{char}" if char in '"\\$`' else char for char in word)
    (command,) = read_commands(f'curl \\\n "{escaped}"')
    assert command.words == ["curl", word]


@given(st.text(st.characters(codec="ascii", exclude_characters="\r\0"), max_size=40))
def test_words_that_cmd_escapes_come_back(word: str) -> None:
    """By the rules that a browser follows for cmd: first the program's own, then a caret before all else."""
    inner = quote_for_program(word)
    line = "".join(f"^{char}" if not char.isalnum() and char != "\n" else char for char in inner)
    (command,) = read_commands(f'curl ^"{line}^"'.replace("\n", "^\n\n"))
    assert command.words == ["curl", word]


def quote_for_program(word: str) -> str:
    """Escape quotes, and backslashes before quotes or the end."""
    out, slashes = "", 0
    for char in word:
        if char == "\\":
            slashes += 1
            continue
        out += "\\" * (slashes * 2 + 1) + char if char == '"' else "\\" * slashes + char
        slashes = 0
    return out + "\\" * (slashes * 2)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0\\"), max_size=40))
def test_words_that_powershell_escapes_come_back(word: str) -> None:
    escaped = "".join(f"`{char}" if char in '"`$' else char for char in word)
    (command,) = read_commands(f'curl.exe "{escaped}" `\n -s')
    assert command.words == ["curl.exe", word, "-s"]
