"""The commands against a running server."""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml
from tests.acceptance.server import Server
from tests.cli.conftest import NAME, Swath, see
from tests.upstreams.scripted import Play, Scripted
from typer.testing import CliRunner

from swath.cli import app

EXPECTED = {
    "serve", "worker", "demo", "run", "apply", "preview", "trigger", "status", "cancel", "pause", "resume",
    "change", "retry", "download", "import", "proxies", "tokens", "schedules", "webhooks",
}  # fmt: skip


def test_a_formula_is_applied_triggered_and_downloaded(remote: Swath, folder: Path) -> None:
    """The whole way, each command's output feeding the next."""
    ran = remote("apply", "posts.yaml", "--yes")
    assert ran.returncode == 0, ran.stderr
    assert f"+ workflow {NAME}: create" in ran.stdout
    assert "+ url: http://127.0.0.1:" in ran.stdout
    assert "Without a value" not in ran.stderr
    triggered = remote("trigger", NAME, "--param", 'user=["ada", "nobody"]', "--wait")
    assert triggered.returncode == 3, triggered.stderr
    assert "partially_failed" in triggered.stdout
    execution = triggered.stdout.split()[0]
    shown = json.loads(remote("status", execution, "--json").stdout)
    assert (shown["status"], shown["counters"]["items"]) == ("partially_failed", 2)
    assert execution in remote("status").stdout
    saved = remote("download", execution, "--out=out")
    assert saved.stdout == "out/posts.csv\n"
    assert (folder / "out" / "posts.csv").read_text().count("ada") == 4
    again = remote("retry", execution)
    assert again.returncode == 0
    assert "Say what to change" in remote("change", execution).stderr
    late = remote("change", execution, "--priority", "9", "--max-rows", "5", "--rate", "0.5")
    assert (late.returncode, "goes on" in late.stderr) == (2, True), late.stderr
    assert remote("cancel", again.stdout.strip(), "--wait").returncode == 0


def test_partial_items_are_fetched_again_where_asked(remote: Swath, folder: Path) -> None:
    """An item that its upstream cut short is no failure; `--partial` names it."""
    text = (folder / "posts.yaml").read_text().replace(NAME, "Repeating")
    paged = text.replace(
        "endpoint: Posts", "endpoint: Posts\n    paginator: {type: next_url, next_url_path: next}"
    )
    (folder / "posts.yaml").write_text(paged)
    assert remote("apply", "posts.yaml", "--yes").returncode == 0
    ended = remote("trigger", "Repeating", "--param", 'user=["ada", "echo"]', "--wait")
    assert ended.returncode == 3, ended.stderr
    execution = ended.stdout.split()[0]
    refused = remote("retry", execution)
    assert refused.returncode != 0
    assert "partial" in refused.stderr
    again = remote("retry", execution, "--partial", "--wait")
    assert again.returncode == 3, again.stderr


def test_a_change_is_shown_before_it_is_made(remote: Swath, folder: Path) -> None:
    """Without a terminal nothing is applied that nobody confirmed; an unchanged formula asks for nothing."""
    text = (folder / "posts.yaml").read_text().replace(NAME, "Changing")
    (folder / "posts.yaml").write_text(text)
    assert remote("apply", "posts.yaml", "--yes").returncode == 0
    assert remote("apply", "posts.yaml").returncode == 0
    (folder / "posts.yaml").write_text(text.replace("endpoint: Posts", "endpoint: Posts\n    concurrency: 3"))
    ran = remote("apply", "posts.yaml")
    assert ran.returncode == 2
    assert "~ workflow Changing: update\n    + concurrency: 3\n" in ran.stdout
    assert "Nothing was changed. Without a terminal, give --yes." in ran.stderr
    planned = json.loads(remote("apply", "posts.yaml", "--dry-run", "--json").stdout)
    assert [each["name"] for each in planned["changes"] if each["action"] == "update"] == ["Changing"]


def test_what_a_formula_refers_to_in_vain_is_told_with_file_and_line(
    swath: Swath, remote: Swath, folder: Path
) -> None:
    """All of it at once, with and without a server, though the server is sent no file but its items."""
    text = (folder / "posts.yaml").read_text()
    (folder / "posts.yaml").write_text(
        text.replace("endpoint: Posts", "endpoint: Post").replace("collection: People", "collection: Peple")
    )
    where = f"swath: posts.yaml:%d: workflows.{NAME}."
    for ran in (swath("run", "posts.yaml"), remote("apply", "posts.yaml"), remote("preview", "posts.yaml")):
        assert ran.returncode == 2
        assert ran.stderr.splitlines()[-2:] == [
            where % 9 + "endpoint: There is no endpoint 'Post', here or kept; did you mean 'Posts'?",
            where % 10 + "mappings[0].source_collection: There is no collection 'Peple', here or kept; "
            "did you mean 'People'?",
        ]


def test_a_preview_shows_tables_and_an_estimate(remote: Swath) -> None:
    """Of a file that nobody has applied, secrets masked."""
    ran = remote("preview", "posts.yaml", "--items=1")
    assert ran.returncode == 0, ran.stderr
    assert "2 input items; the first page of 1 of them:" in ran.stdout
    assert "posts: 2 rows of 3 columns" in ran.stdout
    assert "In all about 2 requests, 4 rows" in ran.stdout
    assert "posts.by" in ran.stdout
    assert "a-secret-of-many-letters" not in remote("preview", "posts.yaml", "--json").stdout


def test_rows_in_a_pipe_have_a_line_each(remote: Swath, folder: Path) -> None:
    """However wide they are and whatever the terminal behind the pipe: nothing is folded or cut."""
    remote("apply", "posts.yaml", "--yes")
    execution = remote("trigger", NAME).stdout.strip()
    listed = remote("status", COLUMNS="40").stdout.splitlines()
    (line,) = [line for line in listed if execution in line]
    assert NAME in line
    shown = remote("preview", "posts.yaml", "--items=1", COLUMNS="20").stdout
    assert re.search(r"^ *posts.id +posts.by +input.user *$", shown, re.MULTILINE)


def test_at_a_terminal_a_row_has_a_line(remote: Swath, folder: Path, server: Server) -> None:
    """Of eighty columns, with a name of usual length: what does not fit is named below, whole words only."""
    remote("apply", "posts.yaml", "--yes")
    execution = remote("trigger", NAME, "--wait").stdout.split()[0]
    at = {
        "SWATH_URL": server.url,
        "SWATH_TOKEN": server.token,
        "SWATH_SECRET_TOKEN": "a-secret-of-many-letters",
    }
    lines = see(folder, "status", **at)
    (line,) = [line for line in lines if line.split()[:1] == [execution[:8]]]
    assert NAME in line
    assert "2/2" in line
    assert re.search(r"^[0-9a-f-]{36}  ", "\n".join(see(folder, "tokens", "list", **at)), re.MULTILINE)
    lines = see(folder, "preview", "posts.yaml", "--items=1", width=30, **at)
    start = lines.index("posts: 2 rows of 3 columns")
    assert max(map(len, lines[start : start + 6])) <= 30
    assert "and input.user" in lines


def test_a_file_of_secrets_may_hold_those_of_others(remote: Swath, folder: Path) -> None:
    """One file for all formulas of a folder; what is named on the command must be there."""
    (folder / "all.secrets").write_text("token=a-secret-of-many-letters\nother=x\n")
    ran = remote("preview", "posts.yaml", "--secret=@all.secrets", SWATH_SECRET_TOKEN="")
    assert ran.returncode == 0, ran.stderr
    ran = remote("apply", "posts.yaml", "--yes", "--secret=other=x")
    assert (ran.returncode, "This formula has no secret 'other'" in ran.stderr) == (2, True), ran.stderr


def test_a_preview_that_brings_nothing_says_why(remote: Swath) -> None:
    """A request for each item with what came of it; the exit code is that of a failure."""
    ran = remote("preview", "posts.yaml", "--param=user=nobody")
    assert ran.returncode == 1
    assert "404  not_found" in ran.stdout
    assert "/users/nobody/posts" in ran.stdout
    assert "The upstream answered 404" in ran.stdout


def test_an_execution_shows_its_failures_and_is_known_by_its_beginning(remote: Swath) -> None:
    """What failed, why, and how it is fetched again; the address of each file whole, to be copied."""
    remote("apply", "posts.yaml", "--yes")
    ran = remote("trigger", NAME, '--param=user=["ada", "nobody"]', "--wait")
    assert ran.returncode == 3, ran.stderr
    assert "  user=nobody: not_found: The upstream answered 404" in ran.stdout
    execution = ran.stdout.split()[0]
    assert re.search(r"posts: 2 rows of 3 columns, .*\n    http://.*/posts\.csv\n", ran.stdout)
    assert remote("status", execution[:8]).stdout == remote("status", execution).stdout
    assert remote("status", "ffff0000").returncode == 2


def test_a_command_of_curl_becomes_a_formula(swath: Swath, folder: Path) -> None:
    """Written where it is told; the secret into a file of its own, readable by its owner only."""
    command = "curl https://api.example/me -H 'Authorization: Bearer 0123456789abcdef'"
    ran = swath("import", "curl", "-", "-o", "me.yaml", "--secrets=me.secrets", stdin=command)
    assert ran.returncode == 0, ran.stderr
    text = (folder / "me.yaml").read_text()
    assert "0123456789abcdef" not in text
    assert "https://api.example/me" in str(yaml.safe_load(text))
    secrets = folder / "me.secrets"
    assert (secrets.stat().st_mode & 0o777, "0123456789abcdef" in secrets.read_text()) == (0o600, True)
    assert "use them with --secret @me.secrets, and keep it out of git." in ran.stderr
    assert swath("import", "wget", "-").returncode == 2
    ran = swath("import", "curl", "-", "--only=orders", stdin=command)
    assert (ran.returncode, "There is none of it among: Me (https://api.example/me)." in ran.stderr) == (
        2,
        True,
    )


def test_a_document_is_told_where_its_api_is(swath: Swath) -> None:
    """As a framework writes it, it does not say so; the refusal names the option."""
    document = '{"openapi": "3.1.0", "paths": {"/items/": {"get": {"summary": "Items", "responses": {}}}}}'
    ran = swath("import", "openapi", "-", stdin=document)
    assert (ran.returncode, "--base-url https://host" in ran.stderr) == (2, True)
    ran = swath("import", "openapi", "-", "--base-url=http://127.0.0.1:8000", "--only=Items", stdin=document)
    assert ran.returncode == 0, ran.stderr
    formula = yaml.safe_load(ran.stdout)
    assert formula["endpoints"]["Items"]["url"] == "http://127.0.0.1:8000/items/"
    assert formula["workflows"] == {"Items": {"endpoint": "Items"}}


def test_a_document_is_fetched_where_it_is(swath: Swath, upstream: Scripted) -> None:
    """An address is how people have it; its servers without a host lie where it was found."""
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": "../v2"}],
        "paths": {"/items": {"get": {"summary": "Items"}}},
    }
    upstream.on("/docs/openapi.json", Play.json(document))
    upstream.on("/moved", Play(status=302, headers=[("Location", "/docs/openapi.json")]))
    upstream.on("/page", Play.html())
    upstream.on("/absent", Play(status=404))
    ran = swath("import", "openapi", f"{upstream.url}/moved")
    assert ran.returncode == 0, ran.stderr
    assert yaml.safe_load(ran.stdout)["endpoints"]["Items"]["url"] == f"{upstream.url}/v2/items"
    for place, told in (("/absent", "answered 404"), ("/page", "answered a web page")):
        ran = swath("import", "openapi", upstream.url + place)
        assert (ran.returncode, told in ran.stderr) == (2, True), ran.stderr
    ran = swath("import", "curl", f"{upstream.url}/never-asked?page=1")
    assert yaml.safe_load(ran.stdout)["endpoints"]["Never asked"]["query"] == {"page": "1"}
    ran = swath("import", "openapi", "http://127.0.0.1:9/openapi.json")
    assert (ran.returncode, "cannot be fetched" in ran.stderr) == (2, True), ran.stderr


def test_a_document_of_several_files_is_read_with_all(swath: Swath, folder: Path, upstream: Scripted) -> None:
    """Those in its folder and below, on the disk and at an address; what is elsewhere is listed."""
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": upstream.url}],
        "paths": {"/items": {"$ref": "paths/items.json"}, "/others": {"$ref": "../others.json"}},
    }
    items = {"get": {"summary": "Items", "parameters": [{"$ref": "../page.json"}]}}
    files = {
        "api/openapi.json": document,
        "api/paths/items.json": items,
        "api/page.json": {"in": "query", "name": "page", "required": True},
        "others.json": {"get": {"summary": "Others"}},
    }
    for name, value in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(value))
        upstream.on(f"/{name}", Play.json(value))
    for place in ("api/openapi.json", f"{upstream.url}/api/openapi.json?full=1"):
        ran = swath("import", "openapi", place)
        assert ran.returncode == 0, ran.stderr
        assert yaml.safe_load(ran.stdout)["endpoints"] == {
            "Items": {
                "url": f"{upstream.url}/items",
                "query": {"page": "{{page}}"},
                "variables": {"page": {}},
            }
        }
        assert "not followed: ../others.json. " in ran.stderr
    (folder / "api" / "page.json").unlink()
    (folder / "api" / "page.json").symlink_to(folder / "others.json")
    ran = swath("import", "openapi", "api/openapi.json")
    assert "not followed: page.json, ../others.json. " in ran.stderr


def test_proxies_and_tokens_are_kept(remote: Swath) -> None:
    """Added, listed with their passwords masked, removed."""
    made = remote(
        "proxies", "add", "http://me:hidden@127.0.0.1:9", "--location=nyc", "--name=nyc-1"
    ).stdout.strip()
    listed = remote("proxies", "list").stdout
    assert made in listed
    assert "nyc-1" in listed
    assert "hidden" not in listed
    assert remote("proxies", "test", made).returncode == 1
    assert remote("proxies", "remove", made).returncode == 0
    token = remote("tokens", "create", "for tests", "--user=somebody").stdout.strip()
    ran = remote("status", SWATH_TOKEN=token)
    assert (ran.returncode, ran.stderr) == (0, "None yet: swath trigger WORKFLOW starts one.\n")
    listed = json.loads(remote("tokens", "list", "--json", SWATH_TOKEN=token).stdout)
    assert [(each["name"], each["user"]) for each in listed] == [("for tests", "somebody")]
    assert remote("tokens", "revoke", listed[0]["id"], SWATH_TOKEN=token).returncode == 0
    ran = remote("status", SWATH_TOKEN=token)
    assert (ran.returncode, ran.stderr.startswith("swath: token: ")) == (1, True)


def test_errors_are_sentences(remote: Swath) -> None:
    """An unknown name, an unknown id, a server that is not there: no traceback."""
    ran = remote("trigger", "No such workflow")
    assert ran.returncode == 2
    assert ran.stderr.startswith("swath: workflow: 'No such workflow' is not the name of one. There are: ")
    assert remote("status", "00000000-0000-0000-0000-000000000000").returncode == 2
    ran = remote("status", SWATH_URL="http://127.0.0.1:9")
    assert (ran.returncode, "Is the server running?" in ran.stderr) == (1, True)
    ran = remote("status", SWATH_TOKEN="")
    assert (ran.returncode, "there is no token for one: set SWATH_TOKEN" in ran.stderr) == (1, True)


def test_help_lists_every_command_and_loads_no_server() -> None:
    """It is what a newcomer types first, and completion asks it at every tab."""
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert {
        line.split()[0] for line in shown.partition("Commands:")[2].splitlines() if line.strip()
    } >= EXPECTED
    code = "import sys; from swath.cli import app; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"fastapi", "sqlalchemy", "dbos", "pyreqwest", "pydantic", "nicegui", "httpx", "rich", "yaml"}
    assert heavy.isdisjoint(loaded)


def test_schedules_are_made_held_and_deleted(remote: Swath, folder: Path) -> None:
    """By the workflow's name; a time that cannot be read is refused in a sentence."""
    text = (folder / "posts.yaml").read_text().replace(NAME, "Nightly")
    (folder / "posts.yaml").write_text(text)
    assert remote("apply", "posts.yaml", "--yes").returncode == 0
    wish = ("schedules", "create", "Nightly", "30 2 * * 1-5", "--timezone=Europe/Berlin", "--name=nightly")
    made = remote(*wish, "--param", 'user=["ada"]')
    assert made.returncode == 0, made.stderr
    schedule = made.stdout.strip()
    listed = remote("schedules", "list").stdout
    assert ("Nightly" in listed, "30 2 * * 1-5 Europe/Berlin" in listed) == (True, True)
    assert remote("schedules", "hold", schedule).returncode == 0
    (shown,) = json.loads(remote("schedules", "list", "--json").stdout)
    assert (shown["enabled"], shown["execution"]["execution_parameters"]) == (False, {"user": ["ada"]})
    assert remote("schedules", "release", schedule).returncode == 0
    assert remote("schedules", "delete", schedule).returncode == 0
    assert json.loads(remote("schedules", "list", "--json").stdout) == []
    refused = remote("schedules", "create", "Nightly", "never")
    assert (refused.returncode, "cron" in refused.stderr) == (2, True)


def test_webhooks_are_made_tried_and_deleted(remote: Swath, upstream: Scripted) -> None:
    """The secret is told once, beside the id; what was told and what came of it is listed."""
    upstream.on("/hook", Play(status=204))
    made = remote("webhooks", "create", f"{upstream.url}/hook", "--event=execution.failed", "--name=mine")
    assert made.returncode == 0, made.stderr
    assert "shown this once: whsec_" in made.stderr
    webhook = made.stdout.strip()
    assert "execution.failed" in remote("webhooks", "list").stdout
    assert remote("webhooks", "test", webhook).stdout == "delivered: 204\n"
    listed = remote("webhooks", "deliveries", webhook).stdout
    assert ("webhook.test" in listed, "204" in listed) == (True, True)
    upstream.on("/hook", Play(status=400))
    assert remote("webhooks", "test", webhook).returncode == 1
    assert remote("webhooks", "delete", webhook).returncode == 0
    assert json.loads(remote("webhooks", "list", "--json").stdout) == []


def test_files_are_saved_in_another_form(remote: Swath, folder: Path) -> None:
    """They are combined again, nothing is fetched again; a retry takes what failed with one error."""
    text = (folder / "posts.yaml").read_text().replace(NAME, "Forms")
    (folder / "posts.yaml").write_text(text)
    assert remote("apply", "posts.yaml", "--yes").returncode == 0
    wish = ("trigger", "Forms", "--param", 'user=["ada", "nobody"]', "--archive", "--compression=gzip")
    ended = remote(*wish, "--out=first")
    assert ended.returncode == 3, ended.stderr
    assert sorted(path.name for path in (folder / "first").iterdir()) == ["Forms.zip", "posts.csv.gz"]
    assert re.search(r"posts: 2 rows of 3 columns, .*\n.*\nForms.zip: all of these files, \d", ended.stdout)
    execution = ended.stdout.split()[0]
    saved = remote("download", execution, "--out=out", "--format=jsonl", "--compression=zstd")
    assert "out/posts.jsonl.zst" in saved.stdout.splitlines()
    chosen = text.replace("endpoint: Posts", "endpoint: Posts\n    columns: {posts: [input.user, posts.id]}")
    (folder / "posts.yaml").write_text(chosen)
    assert remote("apply", "posts.yaml", "--yes").returncode == 0
    assert remote("download", execution, "--out=then", "--compression=none").returncode == 0
    assert (folder / "then" / "posts.csv").read_text().splitlines()[0] == "posts.id,posts.by,input.user"
    assert remote("download", execution, "--out=now", "--compression=none", "--as-now").returncode == 0
    assert (folder / "now" / "posts.csv").read_text() == "input.user,posts.id\nada,0\nada,1\n"
    refused = remote("retry", execution, "--error=timeout")
    assert (refused.returncode, "the error codes are: not_found" in refused.stderr) == (2, True)
    assert remote("retry", execution, "--error=not_found", "--wait").returncode == 3
    assert remote("retry", execution, "--which=nothing").returncode == 2
