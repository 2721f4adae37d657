"""Every example of README and documentation works as it stands, but for hosts and ids."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.acceptance.server import Server, wait_until
from tests.docs.example import HOSTS, play_example
from tests.docs.examples import Example, find_examples
from tests.upstreams.scripted import Scripted

#: A shell in which a command that fails, or a request that is refused, fails the example.
SHELL = ["bash", "-euo", "pipefail", "-c"]
STRICT = 'curl() { command curl --fail-with-body -S "$@"; }\n'

PEOPLE = """
endpoints:
  Everybody: {url: "https://api.example.com/people", query: {user: "{{user}}"}}
workflows:
  Everybody: {endpoint: Everybody, mappings: [{target_variable_name: user, source_collection: Users}]}
collections:
  Users: ["1", "2"]
"""


class World:
    """What the examples of a page meet: a user of their own, and the APIs that they ask."""

    def __init__(self, server: Server, upstream: Scripted, folder: Path, user: str) -> None:
        self.server, self._upstream, self._folder = server, upstream, folder
        self.token = server.post("/tokens", {"user": user})["token"]
        self._ids: dict[str, str] = {}
        workflow = self.apply(PEOPLE)["Everybody"]
        execution = self.execute(workflow)
        self._ids = {
            "WORKFLOW_ID": workflow,
            "EXECUTION_ID": execution["id"],
            "COLLECTION_ID": self._ask("GET", "/collections")["objects"][0]["id"],
            "ENDPOINT_ID": self._ask("GET", "/endpoints")["objects"][0]["id"],
            "RESULT_URL": execution["results"][0]["url"],
        }
        folder.mkdir()
        (folder / "repositories.yaml").write_text(self.localize(_formula_of("formulas.md")))
        (folder / "users.csv").write_text("user_id,name\n1,Ann\n2,Bob\n")

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self.server.ask(method, path, headers={"Token": self.token}, **options)
        assert answer.ok, answer.text
        return answer.json()

    def execute(self, workflow: str) -> dict[str, Any]:
        """Execute a workflow and wait for its end."""
        made = self._ask("POST", f"/workflows/{workflow}/executions", json={})["object"]["id"]

        def ended() -> Any:
            found = self._ask("GET", f"/workflows/executions/{made}")["object"]
            return found if found["completed_at"] else None

        return dict(wait_until(ended, "the example's execution has ended"))

    def localize(self, text: str) -> str:
        """Return a text with our addresses and ids in the place of those that it names."""
        for host in HOSTS:
            text = text.replace(host, self._upstream.url)
        text = text.replace("http://127.0.0.1:8400", self.server.url)
        for name, value in self._ids.items():
            text = text.replace(name, value)
        return text

    def apply(self, formula: str) -> dict[str, str]:
        """Apply a formula, each of its secrets with some value; return the ids of its workflows by name."""
        body: dict[str, Any] = {"formula": self.localize(formula)}
        missing = self._ask("POST", "/formulas?dry_run=true", json=body)["object"]["secrets_missing"]
        body["secrets"] = dict.fromkeys(missing, "a value of a secret")
        applied = self._ask("POST", "/formulas", json=body)["object"]
        return {each["name"]: each["id"] for each in applied["workflows"]}

    def run(self, script: str) -> None:
        """Run a shell script in a folder with what the examples read."""
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SWATH": self.server.base,
            "SWATH_URL": self.server.url,
            "SWATH_TOKEN": self.token,
            "TOKEN": f"Token: {self.token}",
            "SWATH_ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
        }
        ran = subprocess.run(
            [*SHELL, STRICT + self.localize(script)],
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


Worlds = Callable[[Path], World]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """A server, and on it a world for each page."""
    folder = tmp_path_factory.mktemp("examples")
    with Scripted() as upstream, Server(folder / "data") as server:
        play_example(upstream)
        yield cache(lambda page: World(server, upstream, folder / page.stem, page.stem))


@pytest.fixture
def world(worlds: Worlds, example: Example) -> World:
    return worlds(example.page)


def _formula_of(page: str) -> str:
    return next(each.text for each in find_examples("yaml") if each.page.name == page)


def cases(*languages: str) -> Any:
    return pytest.mark.parametrize(
        "example", [each for each in find_examples(*languages) if each.reason is None], ids=str
    )


@cases("json")
def test_json_is_json(example: Example) -> None:
    """What is shown as JSON can be read by a program."""
    json.loads(example.text)


@cases("yaml")
def test_a_formula_runs(world: World, example: Example) -> None:
    """Each workflow that is shown runs and brings rows; what is no whole formula is YAML at least."""
    formula = yaml.safe_load(example.text)
    if "endpoints" not in formula:
        return
    for name, workflow in world.apply(example.text).items():
        execution = world.execute(workflow)
        assert execution["status"] == "succeeded", (name, execution["counters"], execution["warnings"])
        assert execution["counters"]["rows"], name


@cases("sh")
def test_commands_succeed(world: World, example: Example) -> None:
    """Each command that is shown ends well."""
    world.run(example.text)


@cases("python")
def test_programs_succeed(world: World, example: Example) -> None:
    """So does each program."""
    world.run(f"python - <<'PROGRAM'\n{example.text}\nPROGRAM\n")


def test_what_is_not_run_has_a_reason() -> None:
    """Examples are left out by name only, and there are some of each kind that are not."""
    every = find_examples("json", "yaml", "sh", "python")
    assert {each.language for each in every if each.reason is None} >= {"json", "yaml", "sh"}
    assert [str(each) for each in every if each.reason is not None and len(each.reason) < 10] == []
