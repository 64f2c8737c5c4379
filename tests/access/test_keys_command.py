"""`tachy keys`, with the server that obeys it."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from tachy_server import keys
from tachy_server.postgres.supervisor import dsn_of

from tests.model.encoder import Process
from tests.serving import BATCH_HEADERS, Server
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str, data: Path | None = None, code: int = 0) -> tuple[str, str]:
    """What it prints to both streams."""
    where = [f"--data={data}"] if data else []
    env = {name: value for name, value in os.environ.items() if not name.startswith("TACHY_")}
    full = [sys.executable, "-m", "tachy.cli", "keys", *arguments, *where]
    done = subprocess.run(full, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout.strip(), done.stderr


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "data"


@pytest.fixture(scope="module")
def first(data: Path) -> str:
    """A key that was made before the server's first start."""
    key, said = command("create", "the first", "--scopes", "admin,query", data=data)
    assert re.fullmatch(r"tk_[0-9a-z]{12}_[0-9A-Za-z]{43}", key)
    assert "from now on the server answers nobody without a key" in said
    return key


@pytest.fixture(scope="module")
def locked(data: Path, first: str) -> Iterator[Server]:
    with Server(data) as running:
        yield running


def _post(client: httpx.Client, key: str) -> httpx.Response:
    return client.post("/ingest/v1/batch", content=Process().batch(), headers=BATCH_HEADERS | bearer(key))


def test_a_server_that_has_keys_asks_for_one_from_its_start(locked: Server, first: str) -> None:
    assert locked.client.get("/api/settings").status_code == 401
    assert locked.client.get("/api/settings", headers=bearer(first)).status_code == 200
    assert _post(locked.client, first).status_code == 403
    curl = ["curl", "-sS", "-u", f"me:{first}", f"{locked.http}/api/stats"]
    assert '"no_key": ' in subprocess.run(curl, capture_output=True, text=True, check=True).stdout.replace('":', '": ')


def test_a_running_server_takes_up_what_is_made_and_revoked(locked: Server, data: Path, first: str) -> None:
    key, said = command("create", "a build", "--scopes", "ingest", "--expires", "12h", data=data)
    assert "from now on" not in said
    with locked.client_elsewhere() as client:
        until(lambda: _post(client, key).status_code == 200)
    assert locked.client.post("/api/query", json={"sql": "select 1"}, headers=bearer(key)).status_code == 403
    until(lambda: f"{key.split('_')[1]}  a build" in command("list", data=data)[0])
    row = next(line for line in command("list", data=data)[0].splitlines() if "a build" in line)
    assert re.search(r"ingest +valid +\d{4}-\S+ +\d{4}-\S+ +(never|\d{4}-\S+) +- +-$", row)
    assert command("revoke", "a build", data=data)[0] == f"revoked {key.split('_')[1]}"
    with locked.client_elsewhere() as client:
        until(lambda: _post(client, key).status_code == 401)
    refusals = locked.client.get("/api/stats", headers=bearer(first)).json()["refusals"]
    assert refusals["revoked_key"] >= 1
    assert "revoked" in command("list", data=data)[0]


def test_secrets_are_nowhere(locked: Server, data: Path, first: str) -> None:
    """Neither in the database's rows nor in any file of the data folder, what the server says included."""
    _post(locked.client, first)
    locked.client.get("/api/query", headers=bearer(first))
    secret = first.rpartition("_")[2]
    with psycopg.connect(dsn_of(data.absolute())) as connection:
        assert secret not in str(connection.execute("SELECT keys::text FROM keys").fetchall())
        connection.execute("CHECKPOINT")
    files = [file for file in data.rglob("*") if file.is_file()]
    assert len(files) > 100
    assert not any(secret.encode() in file.read_bytes() for file in files)
    assert secret not in locked.output()


def test_the_last_use_is_noted(locked: Server, data: Path, first: str) -> None:
    assert locked.client.get("/api/stats", headers=bearer(first)).status_code == 200
    locked.stop()
    listed = command("list", data=data)[0]
    locked.start()
    assert re.search(r"the first .* never +\d{4}-\S+Z +- +-$", listed, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["create", "x", "--scopes", "ingest,all"], "some of ingest,query,control,admin"),
        (["create", "x"], "--scopes"),
        (["create", "x\ny", "--scopes", "query"], "is no name"),
        (["create", "x", "--scopes", "query", "--expires", "2001-01-01"], "is over already"),
        (["create", "x", "--scopes", "query", "--expires", "soon"], "is not a time"),
        ([], "ACTION"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], sentence: str) -> None:
    assert sentence in command(*arguments, code=2)[1]


def test_a_key_that_is_not_there_cannot_be_revoked(locked: Server, data: Path) -> None:
    assert "there is no key" in command("revoke", "nobody", data=data, code=1)[1]


def test_the_page_has_every_option() -> None:
    page = (ROOT / "docs/cli.md").read_text().partition("## tachy keys")[2].partition("\n## ")[0]
    actions = next(a for a in keys.parser()._actions if isinstance(a, argparse._SubParsersAction)).choices
    for name, action in actions.items():
        assert f"`tachy keys {name}" in page
        for option in action._actions:
            if option.option_strings and "--help" not in option.option_strings:
                assert f"`{option.option_strings[-1]} " in page
