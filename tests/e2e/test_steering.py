"""The server steers a program that runs: a mark brings the flight recorder's spans into SQL, a control switches it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.serving import Server
from tests.waiting import until

PROGRAM = """
import sys, threading, tachy

tachy.start(mode="flight", flight_before_ms=60_000, flush_ms=50)
FRAME, STEP = tachy.span("frame", target="game"), tachy.span("step", target="game.ai")
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
print(tachy.stats().process_id, flush=True)
with tachy.span("main", target="game"):
    while not ended.wait(0.005):
        with FRAME, STEP:
            tachy.metric("tick", 1, target="game")
assert tachy.flush(60)  # a stop leaves to the files what a busy machine does not send in time
tachy.stop()
stats = tachy.stats()
assert stats.recorded["span"] == stats.sent["span"] + stats.not_retained and stats.not_retained > 0, stats
"""


@contextmanager
def running(server: Server, folder: Path) -> Iterator[str]:
    """The program's process id; at the end it must be content with its counts."""
    environment = {**os.environ, "TACHY_URL": server.http, "TACHY_SESSION_FOLDER": str(folder)}
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=pipe, stdout=pipe, text=True, env=environment)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def ask(server: Server, sql: str) -> list[list[Any]]:
    answer = server.client.post("/api/query", json={"sql": sql})
    assert answer.status_code == 200, answer.text
    rows: list[list[Any]] = json.loads(answer.text)["rows"]
    return rows


def wait_for(server: Server, sql: str) -> list[list[Any]]:
    """The rows, as soon as there are some."""
    rows: list[list[Any]] = []
    until(lambda: rows.extend(ask(server, sql)) or rows, lambda: sql)
    return rows


def test_a_mark_brings_the_spans_around_it(server: Server, tmp_path: Path) -> None:
    with running(server, tmp_path) as process_id:
        where = f"WHERE process_id = '{process_id}'"
        wait_for(server, f"SELECT 1 FROM measures {where} AND name = 'tick' LIMIT 1")
        assert ask(server, f"SELECT count(*) FROM thread_spans {where}") == [[0]]
        answer = server.client.post(f"/api/processes/{process_id}/mark", json={"reason": "it looks odd"})
        assert answer.status_code == 200, answer.text
        odd = f"{where} AND target = 'tachy' AND msg LIKE '%: it looks odd'"
        ((marked,),) = wait_for(server, f"SELECT time FROM log_entries {odd}")
        wait_for(server, f"SELECT 1 FROM thread_spans {where} AND name = 'main' AND is_open LIMIT 1")
        nested = f"SELECT DISTINCT name, depth FROM thread_spans {where} ORDER BY depth"
        assert ask(server, nested) == [["main", 0], ["frame", 1], ["step", 2]]
        # its window, of two seconds, ends, and then nothing more comes
        later = f"time > TIMESTAMP '{marked}' + INTERVAL '2500 milliseconds'"
        wait_for(server, f"SELECT 1 FROM measures {where} AND name = 'tick' AND {later} LIMIT 1")
        counts = f"SELECT count(*) FROM thread_spans {where}"
        deadline = time.monotonic() + 60
        before, now = None, ask(server, counts)
        while before != now:
            assert time.monotonic() < deadline
            time.sleep(1.5)
            before, now = now, ask(server, counts)


def test_a_control_switches_modes_and_categories(server: Server, tmp_path: Path) -> None:
    with running(server, tmp_path) as process_id:
        where = f"WHERE process_id = '{process_id}'"
        wait_for(server, f"SELECT 1 FROM measures {where} AND name = 'tick' LIMIT 1")
        told = {"mode": "all", "categories": {"game.ai": "none"}}
        assert server.client.put(f"/api/processes/{process_id}/control", json=told).status_code == 200
        wait_for(server, f"SELECT 1 FROM thread_spans {where} AND name = 'frame' LIMIT 1")
        # from when it was told on: no step is among the newest frames
        names = f"SELECT DISTINCT name FROM (SELECT name FROM thread_spans {where} ORDER BY begin DESC LIMIT 20)"
        until(lambda: ask(server, names) == [["frame"]])
