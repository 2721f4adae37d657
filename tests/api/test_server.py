"""What the server tells of itself."""

from pathlib import Path

from tests.api.harness import ADMIN_TOKEN, Client, run_server

from swath import __version__
from swath.settings import Settings


def test_a_user_learns_what_concerns_him(alice: Client) -> None:
    """Who he is, and how his executions may go out; nothing of the machine."""
    told = alice.get("/settings")
    assert (told["version"], told["admin"], told["database"]) == (__version__, False, "sqlite")
    assert told["user"].startswith("user-")
    names = {each["variable"] for each in told["settings"]}
    assert names == {"SWATH_PUBLIC_URL", "SWATH_DIRECT_ALLOWED", "SWATH_PROXY_RATE"}


def test_an_administrator_learns_all_but_secrets(tmp_path: Path) -> None:
    """Secret values never, the password in an address neither; that they are set is told."""
    settings = Settings(
        data_dir=tmp_path, token=ADMIN_TOKEN, secret_key="open sesame", public_url="http://u:sesame@h.example"
    )
    with run_server(settings) as server:
        client = Client(server, ADMIN_TOKEN)
        answer = client.ask("GET", "/settings")
        client.close()
    told = {each["variable"]: each for each in answer.json()["object"]["settings"]}
    assert told["SWATH_SECRET_KEY"] == told["SWATH_SECRET_KEY"] | {"value": None, "given": True}
    assert told["SWATH_DATA_DIR"]["value"] == str(tmp_path)
    assert (told["SWATH_WORKER_SHARDS"]["value"], told["SWATH_WORKER_SHARDS"]["given"]) == (4, False)
    assert told["SWATH_TOKEN"]["meaning"]
    assert "sesame" not in answer.text
    assert ADMIN_TOKEN not in answer.text
