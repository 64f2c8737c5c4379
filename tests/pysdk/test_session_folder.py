"""What programs leave in the session folder when they end: their batches, within one bound and one age for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tachy import session_folder
from tachy_server.formats import reader

from tests.pysdk.sink import Sink

AWAY = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
CLASSES = {1: "log", 2: "metric", 3: "span"}
PROGRAM = """
import json, random, sys, time, tachy
folder, url, events, end, spool_bytes, seconds = sys.argv[1:]
tachy.start(url=url, session_folder=folder, exit_timeout=0.0, spool_bytes=int(spool_bytes), flush_ms=60000,
            spool_seconds=int(seconds))
for i in range(int(events)):
    with tachy.span("work"):
        pass
    tachy.metric("load", random.random())  # which no sender can compress
    if i % 100 == 0:
        tachy.log("info", f"step {i}")
if end == "kill":
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
if end == "send":
    assert tachy.flush(60)
tachy.stop(0)
stats = tachy.stats()
print(json.dumps({name: getattr(stats, name) for name in ("recorded", "dropped", "sent", "kept", "left_dropped")}))
"""


def start(
    folder: Path, url: str, events: int = 100, end: str = "stop", spool_bytes: int = 1 << 28, seconds: int = 10**6
) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder), url, str(events), end, str(spool_bytes), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(program: subprocess.Popen[str], killed: bool = False) -> dict[str, Counter[str]]:
    out, errors = program.communicate(timeout=120)
    if killed:
        return {}
    assert program.returncode == 0, errors
    return {name: Counter(counts) for name, counts in json.loads(out).items()}


def run(folder: Path, url: str, **options: Any) -> dict[str, Counter[str]]:
    return end(start(folder, url, **options), options.get("end") == "kill")


def events_in(folder: Path, owner: str = "") -> Counter[str]:
    found: Counter[str] = Counter()
    for path in folder.glob(f"{owner}*.batch"):
        for _, _, block in reader.check_batch(path.read_bytes()).blocks:
            found[CLASSES[block.cls]] += block.events
    return found


def storage_of(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "sessions"
    made.mkdir(mode=0o700)
    return made


def test_a_program_that_ended_leaves_its_unsent_batches_and_nothing_else(folder: Path) -> None:
    kept = run(folder, AWAY[0])["kept"]
    assert {path.suffix for path in folder.iterdir()} == {".batch"}
    assert events_in(folder) == kept
    assert kept["span"] == 100
    with Sink() as other:  # who has another server leaves them alone
        run(folder, other.url, end="send")
        assert other.events()["span"] == 100
    assert events_in(folder) == kept


def test_a_later_program_with_the_same_server_sends_what_ended_ones_left(folder: Path) -> None:
    with Sink() as sink:
        url = sink.url
    run(folder, url)
    run(folder, url)
    assert events_in(folder)["span"] == 200
    with Sink(port=int(url.rsplit(":", 1)[1])) as sink:
        sent = subprocess.run(
            [sys.executable, "-m", "tachy.cli", "recover", str(folder), "--url", sink.url],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert "2 sessions" in sent.stdout
        assert sink.events()["span"] == 200
    assert list(folder.iterdir()) == []


def test_what_a_killed_program_left_takes_only_its_batches_once_another_has_started(folder: Path) -> None:
    run(folder, AWAY[0], end="kill")
    assert {path.suffix for path in folder.iterdir()} == {".session"}
    with Sink() as other:
        run(folder, other.url, end="send")
    assert {path.suffix for path in folder.iterdir()} == {".batch"}
    assert events_in(folder) >= Counter(span=100, metric=100, log=1)


def test_a_recovery_that_cannot_send_leaves_batches_alone_again(folder: Path) -> None:
    kept = run(folder, AWAY[0])["kept"]
    command = [sys.executable, "-m", "tachy.cli", "recover", str(folder), "--url", AWAY[0], "--timeout", "0"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 1
    assert {path.suffix for path in folder.iterdir()} == {".batch"}
    assert events_in(folder) == kept


def test_one_bound_holds_for_all_programs_and_servers_and_the_oldest_spans_go_first(folder: Path) -> None:
    bound = 640 << 10
    totals: dict[str, Counter[str]] = {}
    first = run(folder, AWAY[0], events=20000, spool_bytes=bound)
    (oldest,) = session_folder.look(folder)
    for i in range(5):
        for name, counts in run(folder, AWAY[i % 2], events=20000, spool_bytes=bound).items():
            totals.setdefault(name, Counter()).update(counts)
        assert storage_of(folder) <= bound
    for name, counts in first.items():
        totals[name].update(counts)
    left = events_in(folder)
    assert left["log"] == totals["recorded"]["log"] == 1200
    assert totals["left_dropped"]["span"] > 0
    assert totals["left_dropped"]["log"] == totals["sent"]["span"] == 0
    assert left + totals["dropped"] + totals["left_dropped"] == totals["recorded"]
    (still,) = [one for one in session_folder.look(folder) if one.process_id == oldest.process_id]
    assert set(+events_in(folder, oldest.id)) == {"log"}
    assert still.age >= oldest.age  # and are as old as they were


def test_programs_that_keep_the_bound_at_the_same_time_lose_nothing_uncounted(folder: Path) -> None:
    bound = 640 << 10
    totals: dict[str, Counter[str]] = {}
    for _ in range(2):
        programs = [start(folder, AWAY[i % 2], events=10000, spool_bytes=bound) for i in range(4)]
        for program in programs:
            for name, counts in end(program).items():
                totals.setdefault(name, Counter()).update(counts)
    for url in AWAY:  # what the last of each server's found locked
        run(folder, url, events=1, spool_bytes=bound)
    left = events_in(folder)
    lost = totals["dropped"] + totals["left_dropped"]
    assert left["log"] == totals["recorded"]["log"] + 2
    assert {path.suffix for path in folder.iterdir()} == {".batch"}
    assert left["span"] + lost["span"] <= totals["recorded"]["span"] + 2
    assert storage_of(folder) <= bound


def test_what_is_too_old_is_dropped_and_counted(folder: Path) -> None:
    kept = run(folder, AWAY[1])["kept"]
    for path in folder.iterdir():
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    run(folder, AWAY[1])
    dropped = run(folder, AWAY[0], seconds=1800)["left_dropped"]
    assert +dropped == +kept
    assert sum(one.process_id != "" for one in session_folder.look(folder)) == 2


def test_recover_lists_what_lies_there_and_deletes_what_programs_left(folder: Path) -> None:
    run(folder, AWAY[0])
    for path in folder.iterdir():
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    run(folder, AWAY[1])
    running = subprocess.Popen(
        [sys.executable, "-c", f"import tachy; tachy.start(url={AWAY[0]!r}, session_folder={str(folder)!r}, "
         "exit_timeout=0.0, flush_ms=600000); print(1, flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdin is not None
    assert running.stdout.readline() == "1\n"

    def command(*options: str) -> list[list[str]]:
        arguments = [sys.executable, "-m", "tachy.cli", "recover", str(folder), *options]
        out = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True).stdout
        return [line.split() for line in out.splitlines()[1:-1]]

    assert sum("runs" in row for row in command("--list")) >= 1
    listed = session_folder.look(folder)
    assert {one.destination for one in listed} == set(AWAY)
    assert all(one.size > 0 for one in listed)
    old = command("--list", "--older-than", "3600")
    deleted = command("--delete", "--older-than", "3600")
    assert [row[0] for row in deleted] == [row[0] for row in old if "runs" not in row]
    command("--delete")
    assert {one.state for one in session_folder.look(folder)} == {"runs"}
    running.stdin.write("\n")
    running.stdin.close()
    running.wait(timeout=60)
    running.stdout.close()
