# ruff: noqa: E501 - commands stand as they are copied
"""Scripts around curl: variables, texts that are fed to it, and the quoting that browsers write for shells."""

from itertools import product
from pathlib import Path

import pytest
from tests.importers.conftest import FILES
from tests.importers.wire import Told, check_formula, compact, local, run_shell, send
from tests.upstreams.scripted import Scripted

from swath.errors import InvalidInput
from swath.importers import read_curl

#: All are run in a real bash.
BASH = {
    "chrome escapes brackets": r"curl 'https://api.example.com/items?filter\[name\]=a&sort\[\]=b&x=\{1\}' -H 'accept: */*'",
    "firefox turns globs off": "curl 'https://api.example.com/items?filter[name]=a&fields[]=b' --globoff --compressed -H 'Accept: */*'",
    "json in the query": r"curl 'https://api.example.com/items?where=\{%22a%22:\[1,2\]\}&limit=1'",
    "braces in the query": "curl -g 'https://api.example.com/items?a={{b}&c={%22d%22:{}}'",
    "get with json": """curl -G --json '{"a":{"b,c":1}}' https://api.example.com/s""",
    "variables set before": 'BASE=https://api.example.com/v1\nexport TOKEN="abc123def456"\ncurl -H "Authorization: Bearer $TOKEN" "$BASE/users?a=${TOKEN2:-x}"',
    "options in a variable": "OPTIONS='-s -L'\ncurl $OPTIONS https://api.example.com/x",
    "a header in a variable": 'AUTH="X-Api-Key: 0123456789abcdef"; curl -H "$AUTH" https://api.example.com/x',
    "a default": 'curl "https://api.example.com/s?x=${SINCE:-2024}"',
    "a here-document in a substitution": 'curl -H \'Content-Type: application/json\' https://api.example.com/x --data "$(cat <<\'EOF\'\n{"a":"(it\'s) $5"}\nEOF\n)"',
    "a here-document with variables": 'ID=7\ncurl -H \'Content-Type: application/json\' -d @- https://api.example.com/x <<EOF\n{"id":"$ID","q":"a\\"b"}\nEOF',
    "a here-document with tabs": "curl --data-binary @- -H 'Content-Type: text/plain' https://api.example.com/x <<-EOF\n\thello\n\tEOF",
    "a here-string": "curl -d @- https://api.example.com/x <<< 'a=1&b=2'",
    "fed by echo": """echo '{"a":1}' | curl -H 'Content-Type: application/json' -d @- https://api.example.com/x""",
    "fed by printf": "printf '%s' 'a=1' | curl -d @- https://api.example.com/x",
    "fed by cat": "cat data.json | curl -H 'Content-Type: application/json' \\\n  -d @- \\\n  https://api.example.com/x",
    "fed from a file": "curl --data-binary @- -H 'Content-Type: text/csv' https://api.example.com/x < rows.csv",
    "an upload from its input": "curl -T - -H 'Content-Type: text/csv' https://api.example.com/x < rows.csv",
    "two uploads": "curl -H 'Content-Type: text/csv' -T notes.txt https://api.example.com/a -T rows.csv https://api.example.com/b",
    "an upload and a get": "curl -H 'Content-Type: text/csv' -T notes.txt https://api.example.com/a https://api.example.com/b",
    "inside a substitution": 'RESULT=$(curl -s https://api.example.com/a)\nB=`curl -s https://api.example.com/b`; echo "$RESULT" $B',
    "either or": "curl -s https://api.example.com/a && curl -s https://api.example.com/b || echo no",
    "in a loop": "for i in 1; do curl https://api.example.com/s?i=1; done",
    "digest asks first": "curl --digest -u ann:s3cret99 https://api.example.com/x",
    "an option of another protocol": "curl --proxy-capath /etc --krb private --tlsuser ann https://api.example.com/s",
    "a quoted file name": """curl -F 'file=@"notes.txt";filename="a \\"b\\".txt"' https://api.example.com/x""",
    "a part typed by its new name": "curl -F 'f=@rows.csv;filename=x.txt' -F 'g=@notes.txt;filename=y' https://api.example.com/x",
    "an exclamation mark": r"curl 'https://api.example.com/x' --data-raw $'a=1\u0021&b=it\'s\u0009'",
    "glued options": "curl -XPOST -da=1 -Afoo -bk=v -ehttps://r.example https://api.example.com/s",
    "next with its own": "curl -X DELETE -u a:bcdefghijk https://api.example.com/a --next -d x=1 https://api.example.com/b --next -I https://api.example.com/c",
    "odata": 'curl "https://api.example.com/odata/People(1)?\\$filter=a%20eq%20%27b%27&\\$top=5"',
    "its own host": "curl -H 'Host: other.example' https://api.example.com/s",
    "a vendor's json": """curl --json '{"a":1}' -H 'Content-Type: application/vnd.api+json' https://api.example.com/s""",
    "lines of json": """curl 'https://api.example.com/_bulk' -H 'content-type: application/x-ndjson' --data-binary $'{"index":{}}\\n{"a":1}\\n'""",
    "a type with a parameter": "curl -F 'x=☃;type=text/plain; charset=utf-8' -F 'f=@notes.txt;type=text/csv;header=absent;filename=b.csv' https://api.example.com/s",
    "a written header beats -u": "curl -u a:bcdefghij -b a=1 -H 'Cookie: c=2' -H 'Authorization: Bearer tok123456789' https://api.example.com/s",
}


@pytest.mark.parametrize("name", BASH)
async def test_bash_sends_what_curl_sends(name: str, upstream: Scripted, folder: Path) -> None:
    """Method, address, headers and body, of every request of the script."""
    imported = read_curl(local(BASH[name], upstream))
    check_formula(imported)
    files = {file.partition(".")[0]: text for file, text in FILES.items()}
    sent, expected = await send(imported, upstream, files), run_shell(BASH[name], upstream, folder)
    assert [plain(each) for each in sent] == [plain(each) for each in expected]


#: Loops, and what each goes through, the first varying slowest.
LOOPS = {
    "words": (
        'for user in ann "bob-c"; do\n  curl -s "https://api.example.com/users/${user}?a=1" > $user.json\ndone',
        [["ann"], ["bob-c"]],
    ),
    "numbers in braces": (
        'for p in {1..3} x{a,b}; do curl "https://api.example.com/items?page=$p"; sleep 0; done',
        [["1"], ["2"], ["3"], ["xa"], ["xb"]],
    ),
    "a sequence": (
        "for i in $(seq 2 2 6); do curl https://api.example.com/items/$i | cat; done",
        [["2"], ["4"], ["6"]],
    ),
    "a variable": (
        "IDS='1 2'; i=9\nfor i in $IDS; do curl -d \"id=$i\" https://api.example.com/items; done",
        [["1"], ["2"]],
    ),
    "one in another": (
        "for a in 1 2; do for b in x y; do curl https://api.example.com/$a/$b; done; done",
        [["1", "x"], ["1", "y"], ["2", "x"], ["2", "y"]],
    ),
    "an array": (
        'IDS=(1 "2")\nargs=(-H "X-A: 1" -s)\nfor id in "${IDS[@]}"; do curl "${args[@]}" https://api.example.com/items/$id; done',
        [["1"], ["2"]],
    ),
    "numbers downwards": (
        "for i in {3..1}; do curl https://api.example.com/items/$i; done",
        [["3"], ["2"], ["1"]],
    ),
    "a counting loop": (
        "for ((i=8; i<11; i++)); do curl https://api.example.com/items/$i; done",
        [["8"], ["9"], ["10"]],
    ),
    "xargs": (
        "printf '%s\\n' a-b | xargs -n1 -I{} curl https://api.example.com/{}/x",
        [["a-b"]],
    ),
    "xargs at the end": (
        "seq 3 | xargs -n 1 curl -s -H 'X-A: 1' https://api.example.com/x -d",
        [["1"], ["2"], ["3"]],
    ),
}


@pytest.mark.parametrize("name", LOOPS)
async def test_what_a_loop_goes_through_is_a_list(name: str, upstream: Scripted, folder: Path) -> None:
    """One endpoint with a variable for each loop; every round sends what the real one sends."""
    script, rounds = LOOPS[name]
    imported = read_curl(local(script, upstream))
    check_formula(imported)
    (workflow,) = imported.formula["workflows"].values()
    names = [each["target_variable_name"] for each in workflow["mappings"]]
    lists = [imported.formula["collections"][each["source_collection"]] for each in workflow["mappings"]]
    assert [list(each) for each in product(*lists)] == rounds
    sent = [await send(imported, upstream, dict(zip(names, each, strict=True))) for each in rounds]
    assert [each for (each,) in sent] == run_shell(script, upstream, folder)


#: A script of cmd, and what it is in bash.
CMD_LOOPS = {
    "in a file": (
        '@echo off\r\nfor %%i in (1 "2",c) do (\r\n  curl "https://api.example.com/%%i/x?y=%%~i" ^\r\n    -H "X-A: %%i"\r\n)',
        'for i in 1 2 c; do curl https://api.example.com/$i/x?y=$i -H "X-A: $i"; done',
    ),
    "at a prompt": (
        'for %a in ("b c" d) do @curl https://api.example.com/x -d "a=%a"',
        "for a in b+c d; do curl https://api.example.com/x -d a=$a; done",
    ),
    "numbers": (
        "FOR /L %%N IN (1,2,5) DO curl https://api.example.com/%%N",
        "for n in 1 3 5; do curl https://api.example.com/$n; done",
    ),
    "numbers downwards": (
        "for /L %%n in (2,-1,1) do curl https://api.example.com/%%n",
        "for n in 2 1; do curl https://api.example.com/$n; done",
    ),
    "one in another": (
        "for %%i in (1 2) do for %%j in (a b) do curl https://api.example.com/%%i/%%j",
        "for i in 1 2; do for j in a b; do curl https://api.example.com/$i/$j; done; done",
    ),
}


@pytest.mark.parametrize("name", CMD_LOOPS)
async def test_what_a_loop_of_cmd_goes_through_is_a_list(name: str, upstream: Scripted, folder: Path) -> None:
    """Its variable is one letter behind a percent sign, two in a file; each round sends what bash would."""
    script, in_bash = CMD_LOOPS[name]
    imported = read_curl(local(script, upstream))
    check_formula(imported)
    (workflow,) = imported.formula["workflows"].values()
    names = [each["target_variable_name"] for each in workflow["mappings"]]
    lists = [imported.formula["collections"][each["source_collection"]] for each in workflow["mappings"]]
    rounds = [dict(zip(names, each, strict=True)) for each in product(*lists)]
    sent = [told for each in rounds for told in await send(imported, upstream, each)]
    assert sent == run_shell(in_bash, upstream, folder)


async def test_commands_that_differ_in_one_value_are_one_with_a_list(
    upstream: Scripted, folder: Path
) -> None:
    """As of several products that somebody looked at; another header makes another request."""
    script = "\n".join(f"curl https://api.example.com/items/{n}?full=1 -H 'X-A: 1'" for n in (11, 12, 13))
    imported = read_curl(
        local(f"{script}\ncurl https://api.example.com/items/14?full=1 -H 'X-A: 2'", upstream)
    )
    check_formula(imported)
    assert imported.formula["collections"] == {"item_id": ["11", "12", "13"]}
    first, other = imported.formula["endpoints"]
    sent = [await send(imported, upstream, {"item_id": n}, [first]) for n in (11, 12, 13)]
    assert [each for (each,) in sent] == run_shell(script, upstream, folder)
    assert imported.formula["workflows"][other] == {"endpoint": other}


@pytest.mark.parametrize(
    "script",
    [
        "for u in $(cat users.txt); do curl https://api.example.com/$u; done",
        "while read -r u; do curl https://api.example.com/$u; done < users.txt",
        "for /f %%u in (users.txt) do curl https://api.example.com/%%u",
        "for %%u in (*.txt) do curl https://api.example.com/%%~u",
        "cat users.txt | xargs -I{} curl https://api.example.com/{}",
        "while IFS=, read -r u name; do curl https://api.example.com/$u/$name; done < users.txt",
        "for u in ${USERS[@]}; do curl https://api.example.com/$u; done",
    ],
)
def test_a_list_that_a_loop_reads_is_asked_for(script: str) -> None:
    imported = read_curl(script)
    check_formula(imported)
    assert any("give it with --input" in note for note in imported.notes)
    assert "collections" not in imported.formula


def plain(told: Told) -> Told:
    """Braces in queries may be encoded or not: a template needs some of them encoded."""
    return Told(told.method, told.url.replace("%7B", "{").replace("%7D", "}"), told.headers, told.body)


CHROME = """$session = New-Object Microsoft.PowerShell.Commands.WebRequestSession
$session.UserAgent = "Mozilla/5.0"
"""
#: A script of PowerShell, and what it is in bash.
POWERSHELL = {
    "variables in texts": (
        """$token = "abc123def456"; $who = 'ann'
$base = 'https://api.example.com'
$headers = @{ Authorization = "Bearer $token"; Accept = "application/json" }
Invoke-RestMethod -Uri "$base/x?q=$($who)" -Headers $headers""",
        "curl 'https://api.example.com/x?q=ann' -H 'Authorization: Bearer abc123def456' -H 'Accept: application/json'",
    ),
    "postman's copy": (
        """$headers = New-Object "System.Collections.Generic.Dictionary[[String],[String]]"
$headers.Add("Content-Type", "application/json")
$headers.Add("Authorization", "Bearer abc123def456")
$headers["X-C"] = "3"
$body = @"
{
    `"name`": `"Ann`"
}
"@
$response = Invoke-RestMethod 'https://api.example.com/x' -Method 'POST' -Headers $headers -Body $body
$response | ConvertTo-Json""",
        """curl https://api.example.com/x -H 'Content-Type: application/json' -H 'Authorization: Bearer abc123def456' -H 'X-C: 3' -d '{"name":"Ann"}'""",
    ),
    "a table of parameters": (
        """$params = @{
  Uri = 'https://api.example.com/x'
  Method = 'Post'
  Body = @{ a = 1; b = 'x y' }
}
Invoke-RestMethod @params""",
        "curl https://api.example.com/x -d 'a=1&b=x+y'",
    ),
    "nested json": (
        """$body = @{ query = @{ match = @{ a = "b" } }; tags = @("x","y"); more = 1, 2.5; n = "03"; ok = $true; none = $null } | ConvertTo-Json -Depth 5
Invoke-RestMethod -Method POST -Uri https://api.example.com/x -ContentType application/json -Body $body""",
        """curl https://api.example.com/x -H 'Content-Type: application/json' -d '{"query":{"match":{"a":"b"}},"tags":["x","y"],"more":[1,2.5],"n":"03","ok":true,"none":null}'""",
    ),
    "json made in place": (
        "irm https://api.example.com/x -Method Put -ContentType 'application/json' -Body (ConvertTo-Json @{ a = 1 })",
        """curl -X PUT https://api.example.com/x -H 'Content-Type: application/json' -d '{"a":1}'""",
    ),
    "a form with a file": (
        "Invoke-RestMethod -Uri https://api.example.com/x -Method Post -Form @{ a = '1'; f = Get-Item notes.txt }",
        "curl -F a=1 -F 'f=@notes.txt;type=application/octet-stream' https://api.example.com/x",
    ),
    "a file": (
        "Invoke-RestMethod -Uri https://api.example.com/x -Method Put -InFile rows.csv -ContentType text/csv",
        "curl -T rows.csv -H 'Content-Type: text/csv' https://api.example.com/x",
    ),
    "a token": (
        "irm https://api.example.com/x -Authentication Bearer -Token (ConvertTo-SecureString 'abc123def456' -AsPlainText -Force)",
        "curl --oauth2-bearer abc123def456 https://api.example.com/x",
    ),
    "curl by that name": (
        'curl -Uri "https://api.example.com/x" -Method Delete',
        "curl -X DELETE https://api.example.com/x",
    ),
    "the answer's content": (
        '(Invoke-WebRequest -Uri:"https://api.example.com/x" -UseBasicParsing).Content',
        "curl https://api.example.com/x",
    ),
    "a login that is made": (
        """$user = "ann"
$pair = "{0}:{1}" -f $user, 's3cret99'
$encoded = [System.Convert]::ToBase64String([System.Text.Encoding]::ASCII.GetBytes($pair))
irm ("https://api.example.com/" + $user + '/x') -Headers @{ Authorization = "Basic $encoded" }""",
        "curl -u ann:s3cret99 https://api.example.com/ann/x",
    ),
    "a login that is made inside of a text": (
        """iwr https://api.example.com/x -Headers @{ Authorization = "Basic $([Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes('ann:s3cret99')))" }""",
        "curl -u ann:s3cret99 https://api.example.com/x",
    ),
    "switches": (
        "irm -UseDefaultCredentials -SkipHttpErrorCheck -Uri https://api.example.com/x -HttpVersion 2.0 -NoProxy -UseBasicParsing:$true -Method:Delete",
        "curl -X DELETE https://api.example.com/x",
    ),
    "a query with brackets": (
        f"""{CHROME}$session.Cookies.Add((New-Object System.Net.Cookie("a", "1%2C2", "/", "api.example.com")))
Invoke-WebRequest -UseBasicParsing -Uri "https://api.example.com/items?filter[name]=x&`$top=5" `
-WebSession $session `
-Headers @{{
"accept"="*/*"
  "accept-encoding"="gzip, deflate, br, zstd"
  "sec-ch-ua-platform"="`"Windows`""
}}""",
        """curl -g 'https://api.example.com/items?filter[name]=x&$top=5' -A Mozilla/5.0 -b a=1%2C2 -H 'sec-ch-ua-platform: "Windows"'""",
    ),
    "firefox": (
        f"""{CHROME}Invoke-WebRequest -Uri "https://api.example.com/list?q=caf%C3%A9" `
-WebSession $session `
-Headers @{{
"Accept" = "*/*"
"Accept-Language" = "en-US,en;q=0.5"
"Accept-Encoding" = "gzip, deflate, br, zstd"
"DNT" = "1"
}}""",
        "curl 'https://api.example.com/list?q=caf%C3%A9' -A Mozilla/5.0 -H 'Accept-Language: en-US,en;q=0.5' -H 'DNT: 1'",
    ),
}


@pytest.mark.parametrize("name", POWERSHELL)
async def test_powershell_means_the_same(name: str, upstream: Scripted, folder: Path) -> None:
    """Against the same command that a real bash runs."""
    written, in_bash = POWERSHELL[name]
    imported = read_curl(local(written, upstream))
    check_formula(imported)
    files = {file.partition(".")[0]: text for file, text in FILES.items()}
    sent, expected = await send(imported, upstream, files), run_shell(in_bash, upstream, folder)
    if any("without the spaces" in note for note in imported.notes):
        sent, expected = [compact(each) for each in sent], [compact(each) for each in expected]
    assert sent == expected


def test_what_only_powershell_can_compute_is_a_variable() -> None:
    """Neither its name nor its brackets are sent."""
    imported = read_curl(
        'irm "https://api.example.com/$([guid]::NewGuid())/x" -Headers @{ "X-A" = (Get-Content a.txt); "X-B" = "$(hostname)" }'
    )
    check_formula(imported)
    (endpoint,) = imported.formula["endpoints"].values()
    assert endpoint["url"] == "https://api.example.com/{{NewGuid}}/x"
    assert endpoint["headers"] == {"X-A": "{{Get_Content_a_txt}}", "X-B": "{{hostname}}"}


@pytest.mark.parametrize("ids", ["$ids = 1..3", "$ids = @('1', '2', '3')", "$ids = '1', '2', '3'"])
def test_what_a_loop_of_powershell_goes_through_is_a_list(ids: str) -> None:
    imported = read_curl(
        f"{ids}\nforeach ($id in $ids) {{ irm https://api.example.com/items/$id -FollowRelLink }}"
    )
    check_formula(imported)
    assert imported.formula["collections"] == {"id": ["1", "2", "3"]}
    assert imported.formula["workflows"]["Items"] == {
        "endpoint": "Items",
        "mappings": [{"target_variable_name": "id", "source_collection": "id"}],
        "paginator": {"type": "header_link"},
    }


def test_parameters_of_powershell_that_are_not_carried_are_listed() -> None:
    imported = read_curl(
        'Invoke-WebRequest -Uri "https://api.example.com/x" -TimeoutSec 10 -SkipCertificateCheck '
        '-MaximumRetryCount 3 -Proxy "http://p:1" -Credential $me -UseDefaultCredentials'
    )
    assert imported.formula["workflows"]["X"] == {
        "endpoint": "X",
        "limits": {"timeout": 10},
        "retry": {"max_attempts": 4},
    }
    notes = "\n".join(imported.notes)
    for part in ("-skipcertificatecheck", "choose it with --proxy", "-credential", "user of Windows"):
        assert part in notes


FETCH = """fetch("https://api.example.com/v1/items?page=1", {
  "headers": {
    "accept": "application/json",
    "authorization": "Bearer abc123def456",
    "content-type": "application/json"
  },
  "referrer": "https://www.example.com/",
  "body": "{\\"q\\":\\"caf\u00e9 {{x}}\\"}",
  "method": "POST",
  "mode": "cors",
  "credentials": "include"
});"""
#: What is no command, and what it is in bash.
OTHERWISE = {
    "fetch": (
        FETCH,
        """curl 'https://api.example.com/v1/items?page=1' -H 'accept: application/json' -H 'authorization: Bearer abc123def456' -H 'content-type: application/json' -e https://www.example.com/ -d '{"q":"caf\u00e9 {{x}}"}'""",
    ),
    "fetch of Firefox": (
        'await fetch("https://api.example.com/x", {\n    "credentials": "omit",\n    "headers": {\n        "Accept": "*/*"\n    },\n    "method": "GET",\n    "mode": "cors"\n});',
        "curl https://api.example.com/x",
    ),
    "several": (
        'fetch("https://api.example.com/a", {"body": null}); ;\nfetch("https://api.example.com/b")',
        "curl https://api.example.com/a https://api.example.com/b",
    ),
    "an address": (
        "https://api.example.com/x?a=1&b[]={2}\n",
        "curl -g 'https://api.example.com/x?a=1&b[]={2}'",
    ),
    "an address in quotes": ('"https://api.example.com/x"', "curl https://api.example.com/x"),
    "Markdown": (
        "```bash\ncurl https://api.example.com/x \\\n  -H 'A: b'\n```\n",
        "curl https://api.example.com/x -H 'A: b'",
    ),
}


@pytest.mark.parametrize("name", OTHERWISE)
async def test_what_is_no_command_means_the_same(name: str, upstream: Scripted, folder: Path) -> None:
    """What else a browser copies, and what a page of documentation has around a command."""
    written, in_bash = OTHERWISE[name]
    imported = read_curl(local(written, upstream))
    check_formula(imported)
    sent, expected = await send(imported, upstream), run_shell(in_bash, upstream, folder)
    assert [plain(each) for each in sent] == [plain(each) for each in expected]
    assert not any("Not a curl command" in note for note in imported.notes)


@pytest.mark.parametrize(
    "command",
    [
        "curl https://api.example.com/users/<user-id>/x -H 'Authorization: Bearer <token>'",
        "curl 'https://api.example.com/users/<user id>/x' -H 'Authorization: Bearer YOUR_API_TOKEN'",
        "curl \"https://api.example.com/users/<user_id>/x\" -H 'Authorization: Bearer {token}'",
    ],
)
async def test_what_stands_for_something_of_one_s_own_is_a_variable(command: str, upstream: Scripted) -> None:
    """As documentation writes it: nothing of it is sent, and no such secret is kept."""
    imported = read_curl(local(command, upstream))
    check_formula(imported)
    assert imported.secrets == {}
    (sent,) = await send(imported, upstream, {"user_id": "7", "token": "abc123def456"})
    assert (sent.url, sent.headers) == (f"{upstream.url}/users/7/x", {"authorization": "Bearer abc123def456"})


@pytest.mark.parametrize(
    ("command", "note"),
    [
        (FETCH, "copy as cURL"),
        ("curl --digest -u a:secret99 https://api.example.com/x", "the login of -u is left out"),
        ("curl --anyauth -u a:secret99 https://api.example.com/x", "sends -u as Basic"),
        ("curl --aws-sigv4 aws:amz -u a:secret99 https://api.example.com/x", "does not sign"),
        ("curl -F 'f=@a.txt,b.txt' https://api.example.com/x", "write an -F each"),
        ("curl -d @notes.txt https://api.example.com/x", "sends no line ends"),
        ("curl -X get https://api.example.com/x", "sent in capitals"),
        ("TOKEN=secret99 curl https://api.example.com/x", "left out: TOKEN=..."),
        ("""curl https://api.example.com/x --json '{"a":"\\u00e9"}'""", "escapes"),
    ],
)
def test_what_differs_is_told(command: str, note: str) -> None:
    imported = read_curl(command)
    check_formula(imported)
    notes = "\n".join(imported.notes)
    assert note in notes
    assert "secret99" not in notes


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("curl \u2013X POST https://api.example.com/s", "dashes are typographic"),
        ("fetch('https://api.example.com/s', {method: 'POST'})", "Copy it as cURL instead"),
        ("curl \u201chttps://api.example.com/s\u201d", "quotes are typographic"),
        ("curl --request=POST https://api.example.com/s", "Write --request POST"),
        ("curl -K settings.txt", "options in that file"),
    ],
)
def test_what_is_wrong_is_explained(command: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_curl(command)
    assert message in str(refused.value)


async def test_a_blank_behind_a_backslash_goes_on(upstream: Scripted) -> None:
    """As pages of documentation often have it; a shell would end the command there."""
    imported = read_curl(local("curl https://api.example.com/s \\ \n  -H 'X-A: 1'", upstream))
    (sent,) = await send(imported, upstream)
    assert sent.headers == {"x-a": "1"}
