"""Programs of both SDKs at a server that wants keys: what they record arrives, and with it no credentials."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tachy

from tests.access.test_keys_command import bearer, command, data, first, locked, until
from tests.cpp.builds import programs, run
from tests.serving import Server

__all__ = ["data", "first", "locked"]

PYTHON = """
import json, sys, tachy
tachy.start(properties={"build": "test"})
tachy.log("info", "from Python")
tachy.stop(float(sys.argv[1]))
print(json.dumps(tachy.stats().as_dict()))
"""


@pytest.fixture(scope="module")
def sends(locked: Server, data: Path) -> str:
    """A key to send with, which the server knows."""
    key = command("create", "sends", "--scopes", "ingest", data=data)[0]
    headers = bearer(key) | {"content-type": "application/octet-stream"}
    with locked.client_elsewhere() as client:
        until(lambda: client.post("/ingest/v1/batch", content=b"none", headers=headers).status_code == 400)
    return key


def from_python(server: Server, key: str, seconds: int) -> dict[str, Any]:
    """What a program counted."""
    env = os.environ | {"TACHY_URL": server.http, "TACHY_KEY": key}
    command = [sys.executable, "-c", PYTHON, str(seconds)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert key not in done.stdout + done.stderr
    counted: dict[str, Any] = json.loads(done.stdout)
    return counted


def test_programs_send_with_their_key_and_it_is_nowhere_in_the_lake(
    locked: Server, sends: str, first: str, tmp_path: Path
) -> None:
    counted = from_python(locked, sends, 20)
    assert counted["sent"]["log"] == counted["recorded"]["log"] == 1
    report = tmp_path / "report.json"
    printed = run([programs() / "exercise", locked.http, report, "1", "100", "20000"], env={"TACHY_KEY": sends})
    assert sends not in printed + report.read_text()
    of_cpp = json.loads(report.read_text())
    assert of_cpp["sent"] == of_cpp["recorded"]
    with tachy.connect(locked.flight, url=locked.http, token=first) as lake:
        for view in ("processes", "streams", "log_entries", "measures"):
            table = lake.query(f"SELECT * FROM {view}")
            assert table.num_rows > 0
            assert sends.rpartition("_")[2] not in str(table.to_pylist())
    assert sends not in locked.output()


def test_a_wrong_key_costs_nothing_that_was_recorded(locked: Server, sends: str, session_folder: Path) -> None:
    wrong = sends[:-1] + ("a" if sends[-1] != "a" else "b")
    counted = from_python(locked, wrong, 1)
    assert (counted["kept"]["log"], counted["dropped"]["log"]) == (1, 0)
    files = [file.read_bytes() for file in session_folder.rglob("*") if file.is_file()]
    assert files
    assert not any(secret.encode() in content for secret in (sends, wrong) for content in files)
    recover = [sys.executable, "-m", "tachy.cli", "recover", str(session_folder), "--url", locked.http]
    env = os.environ | {"TACHY_KEY": sends}
    done = subprocess.run(recover, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
