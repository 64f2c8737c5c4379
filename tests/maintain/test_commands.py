"""`tachy rebuild` and `tachy check` beside a server, over a folder and over S3."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tachy_server import check, rebuild
from tachy_server.lake.s3_store import S3Store
from tachy_server.lake.store import LocalStore, Store

from tests.lake.conftest import game, process_id_of, rows_of
from tests.lake.test_store import CREDENTIALS
from tests.lake.test_store import bucket as bucket
from tests.lake.test_store import s3 as s3
from tests.model.encoder import Process
from tests.serving import Server

ROOT = Path(__file__).resolve().parents[2]


def command(server: Server, name: str, *arguments: str) -> tuple[int, list[str]]:
    """Its exit code, and the lines that it prints to both streams."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("TACHY_")}
    store = [f"--store={server.store}"] if isinstance(server, OnS3) else []
    full = [sys.executable, "-m", "tachy.cli", name, f"--data={server.data}", *store, *arguments]
    done = subprocess.run(full, capture_output=True, text=True, timeout=120, check=False, env=env)
    return done.returncode, (done.stdout + done.stderr).splitlines()


class OnS3(Server):
    """A server whose objects lie in a bucket."""

    store = ""


@pytest.fixture(params=["folder", "s3"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Server, Store]]:
    """A server that ingests, and its store."""
    if request.param == "folder":
        with Server(tmp_path / "data", "--role", "ingest") as server:
            yield server, LocalStore(tmp_path / "data" / "store")
        return
    name = request.getfixturevalue("bucket")
    env = CREDENTIALS | {"AWS_ENDPOINT_URL_S3": request.getfixturevalue("s3")}
    url = f"s3://{name}/lake"
    with OnS3(tmp_path / "data", "--role", "ingest", "--store", url, "--commit-wait", "5", env=env) as server:
        server.store = url  # type: ignore[attr-defined]
        yield server, S3Store(name, "lake")


def tables(server: Server) -> dict[str, list[str]]:
    with rows_of(server.data) as rows:
        return {
            name: [text for (text,) in rows.execute(f"SELECT to_jsonb(t)::text FROM {name} AS t ORDER BY 1".encode())]
            for name in ("processes", "streams", "segments", "block_days")
        }


def test_a_lost_database_is_made_again_and_the_server_goes_on(stored: tuple[Server, Store]) -> None:
    server, store = stored
    batches = [game().batch() for _ in range(5)] + [Process(exe="idle").batch([], state="exited")]
    for batch in batches:
        assert server.post(batch).json()["status"] == "stored"
    before = tables(server)
    code, lines = command(server, "rebuild")
    assert code == 1
    assert "already" in lines[0]
    assert server.stop() == 0
    shutil.rmtree(server.data / "postgres")
    store.put_new("segments/2026-11-23/nothing.tseg", [b"nothing"])
    code, lines = command(server, "rebuild")
    assert (code, lines) == (
        1,
        [
            "segments/2026-11-23/nothing.tseg is left out: a segment has at least 64 bytes",
            "6 segments are there again; 0 were replaced and will be removed; 0 hold nothing that is not in others, "
            "tachy check --mend removes them",
        ],
    )
    server.start()
    assert tables(server) == before
    assert [server.post(batch).json()["status"] for batch in batches] == ["known"] * 6
    assert server.post(game().batch()).json()["status"] == "stored"


def test_a_check_beside_a_server_says_what_is_wrong_and_mends_it(stored: tuple[Server, Store]) -> None:
    server, store = stored
    batches = [game().batch() for _ in range(3)]
    for batch in batches:
        server.post(batch)
    assert command(server, "check", "--blocks") == (0, ["3 objects, 3 segments, 9 blocks: no faults"])
    (key, _), *_ = store.objects("segments/")
    store.remove(key)
    store.put_new("segments/2026-11-23/nothing.tseg", [b"nothing"])
    code, lines = command(server, "check")
    assert code == 1
    assert lines[0] == f"hole {key}: the object is gone, with 3 blocks"
    assert lines[-1] == "1 objects without a row are younger than 3600 s and may get one"
    code, lines = command(server, "check", "--json", "--grace", "0")
    faults = [json.loads(line) for line in lines]
    assert (code, [fault.get("kind") for fault in faults]) == (1, ["hole", "orphan", None])
    assert faults[-1] == {"objects": 3, "segments": 2, "blocks": 0, "young": 0, "faults": 2}
    code, lines = command(server, "check", "--mend", "--grace", "0")
    assert (code, [line.split()[0] for line in lines]) == (0, ["hole", "count", "orphan", "3"])
    assert command(server, "check", "--grace", "0") == (0, ["2 objects, 2 segments: no faults"])
    with rows_of(server.data) as rows:
        empty = rows.execute("SELECT process_id FROM processes WHERE log_blocks = '{}'").fetchall()
    assert len(empty) == 1
    lost = next(batch for batch in batches if process_id_of(batch) == empty[0][0])
    assert server.post(lost).json()["status"] == "stored"
    with rows_of(server.data) as rows:
        assert rows.execute("SELECT count(*) FROM processes WHERE log_blocks = '{}'").fetchone() == (0,)


@pytest.mark.parametrize(("name", "parser"), [("rebuild", rebuild.parser), ("check", check.parser)])
def test_every_option_is_in_the_documents(name: str, parser: Callable[[], object]) -> None:
    page = (ROOT / "docs/cli.md").read_text().partition(f"## tachy {name}")[2].partition("\n## ")[0]
    for action in parser()._actions:  # type: ignore[attr-defined]
        if "--help" not in action.option_strings:
            metavar = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
            assert f"`{action.option_strings[-1]}{metavar}`" in page
