"""Executions that follow on each other survive the death of their process between them."""

from pathlib import Path

from server import Server, wait_until
from tests.upstreams.scripted import Asked, Play, Scripted

PEOPLE = 3_000
FORMULA = """
endpoints:
  People: {{url: "{url}/people"}}
  Person: {{url: "{url}/people/{{{{id}}}}"}}
workflows:
  Person:
    endpoint: Person
    mappings: [{{target_variable_name: id, from_result: {{workflow: People, column: id}}}}]
  People: {{endpoint: People}}
"""


def person(asked: Asked) -> Play:
    return Play.json({"of": [{"name": asked.path}]})


def test_killed_between_two_executions_the_second_runs_once(tmp_path: Path) -> None:
    """`kill -9` as soon as the first one's end is seen, and again when the second has drawn its inputs:
    there is one second execution, its inputs were frozen once, and each row is asked for."""
    with Scripted() as upstream, Server(tmp_path / "data") as server:
        upstream.on("/people", Play.json({"results": [{"id": number} for number in range(PEOPLE)]}))
        upstream.on("/people/*", person)
        applied = server.post("/formulas", {"formula": FORMULA.format(url=upstream.url)})
        named = {each["name"]: each["id"] for each in applied["workflows"]}
        first = server.trigger(named["People"])
        ended = server.wait(first)
        server.kill()
        (second,) = ended["started"]
        server.start()
        wait_until(lambda: server.execution(second)["counters"]["items"], "the inputs are drawn")
        server.kill()
        server.start()
        execution = server.wait(second)
        assert (execution["status"], execution["counters"]["items"]) == ("succeeded", PEOPLE)
        assert execution["triggered_by"] == first
        listed = server.get(f"/workflows/{named['Person']}/executions")["objects"]
        assert [each["id"] for each in listed] == [second]
        events = server.get(f"/workflows/executions/{second}/events")["objects"]
        assert [each["kind"] for each in events].count("inputs_drawn") == 1
        asked = {each.path for each in upstream.asked}
        assert asked == {"/people", *(f"/people/{number}" for number in range(PEOPLE))}
