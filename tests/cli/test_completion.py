"""What shells offer while a command is typed: as each of them asks, and in a real bash."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import environment

SWATH = str(Path(sys.executable).with_name("swath"))
BASH = """
source <("$SWATH" --show-completion bash)
COMP_WORDS=(%s) COMP_CWORD=%d
_swath_completion "$SWATH"
printf '%%s\\n' "${COMPREPLY[@]}"
"""


def ask(**asked: str) -> str:
    """Ask as the script of a shell does, in the environment."""
    ran = subprocess.run(
        [SWATH],
        env=environment(**asked),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return ran.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("swath sch", ["schedules"]),
        ("swath webhooks d", ["deliveries", "delete"]),
        ("swath run x.yaml --format ", ["csv", "json", "jsonl", "parquet", "xlsx"]),
        ("swath download ID --compression z", ["zstd"]),
        ("swath import ", ["curl", "har", "postman", "openapi", "airbyte"]),
        ("swath trigger W --no-ch", ["--no-chain"]),
    ],
)
def test_a_real_bash_is_offered_what_fits(typed: str, offered: list[str]) -> None:
    """Commands, options and their values."""
    words = typed.split(" ")
    script = BASH % (" ".join(f"'{word}'" for word in words), len(words) - 1)
    ran = subprocess.run(
        ["bash", "-c", script],
        env=environment(SWATH=SWATH),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ran.stdout.split() == offered, ran.stderr


def test_zsh_and_fish_are_told_what_each_is_for() -> None:
    """They show a sentence beside each."""
    told = ask(_SWATH_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="swath sch")
    assert '"schedules":"Make, list, hold and delete schedules."' in told
    asked = {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": "swath sch"}
    assert ask(_SWATH_COMPLETE="complete_fish", **asked).startswith("schedules\tMake, list, hold and delete")
