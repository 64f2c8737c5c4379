"""A program is killed; what it had recorded is in SQL, once, with what it was doing when it died."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Server
from tests.waiting import until

AWAY = "http://127.0.0.1:9"  # discard: nobody listens there

PROGRAM = """
import sys, time, tachy

tachy.start(properties={"suite": "survival"}, level="trace")
OUTER, INNER = tachy.span("outer"), tachy.span("inner")
tachy.begin(OUTER)
for i in range(500):
    with INNER:
        tachy.metric("count", i)
        tachy.log("info", f"step {i}")
print(tachy.stats().process_id, flush=True)
time.sleep(60)
"""


def die(url: str, folder: Path) -> str:
    """Runs the program until it has recorded everything, kills it; its process id."""
    environment = {**os.environ, "TACHY_URL": url, "TACHY_SESSION_FOLDER": str(folder)}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        process_id = process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        process.stdout.close()
    return process_id


def recover(folder: Path, url: str, *options: str, code: int = 0) -> str:
    """What `tachy recover` says."""
    command = [sys.executable, "-m", "tachy.cli", "recover", str(folder), "--url", url, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def ask(server: Server, sql: str) -> list[list[Any]]:
    answer = server.client.post("/api/query", json={"sql": sql})
    assert answer.status_code == 200, answer.text
    rows: list[list[Any]] = json.loads(answer.text)["rows"]
    return rows


def check(server: Server, process_id: str, state: str = "crashed") -> None:
    where = f"WHERE process_id = '{process_id}'"
    assert ask(server, f"SELECT end_state FROM processes {where}") == [[state]]
    assert ask(
        server, f"SELECT count(*), count(DISTINCT value), max(value) FROM measures {where} AND name = 'count'"
    ) == [[500, 500, 499]]
    assert ask(server, f"SELECT count(*), count(DISTINCT msg) FROM log_entries {where} AND msg LIKE 'step %'") == [
        [500, 500]
    ]
    spans = ask(
        server, f"SELECT name, is_open, count(*) FROM thread_spans {where} GROUP BY name, is_open ORDER BY name"
    )
    assert spans == [["inner", False, 500], ["outer", True, 1]]


def test_the_command_sends_what_a_killed_program_left(server: Server, tmp_path: Path) -> None:
    process_id = die(AWAY, tmp_path)
    assert "still in" in recover(tmp_path, AWAY, "--timeout", "1", code=1)
    said = recover(tmp_path, server.http)
    assert said.startswith("1 session")
    check(server, process_id)
    assert list(tmp_path.iterdir()) == []
    assert recover(tmp_path, server.http).startswith("0 sessions")


def test_the_next_program_sends_what_a_killed_one_left(server: Server, tmp_path: Path) -> None:
    process_id = die(server.http, tmp_path)
    elsewhere = die(AWAY, tmp_path)  # left for programs that send there
    environment = {**os.environ, "TACHY_URL": server.http, "TACHY_SESSION_FOLDER": str(tmp_path)}
    program = "import tachy, time; tachy.start(); time.sleep(0.5); tachy.stop()"
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=False, timeout=60)
    assert done.returncode == 0
    crashed = f"SELECT 1 FROM processes WHERE process_id = '{process_id}' AND end_state = 'crashed'"
    until(lambda: ask(server, crashed))
    check(server, process_id)
    assert {file.suffix for file in tmp_path.iterdir()} == {".batch"}  # elsewhere's
    recover(tmp_path, server.http)
    check(server, elsewhere)


@pytest.mark.parametrize(
    "how", ["os._exit(7)", "os.abort()", "os.kill(os.getpid(), 11)", "os.execv('/bin/true', ['true'])"]
)
def test_the_ways_in_which_a_python_program_dies(how: str, server: Server, tmp_path: Path) -> None:
    environment = {**os.environ, "TACHY_URL": server.http, "TACHY_SESSION_FOLDER": str(tmp_path)}
    program = PROGRAM.replace("time.sleep(60)", f"import os; {how}")
    done = subprocess.run([sys.executable, "-c", program], env=environment, text=True, capture_output=True, check=False)
    recover(tmp_path, server.http)
    check(server, done.stdout.split()[0])
