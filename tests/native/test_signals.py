"""Signal handlers that record while their thread records: nothing hangs, nothing is torn, every event is counted."""

from __future__ import annotations

import collections
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.native import capture
from tests.native.capture import LOG, METRIC, SPAN, Session
from tests.native.test_recorder import ADDRESS, PLAIN, THREAD, make

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="timers and single steps of Linux")
STEPS = pytest.mark.skipif(platform.machine() != "x86_64", reason="the trap flag of x86-64")
PARENTS = {
    "main outer": {None},
    "main phase": {None},
    "main inner": {"main outer"},
    "handler outer": {None, "main outer", "main inner", "main phase", "handler outer", "handler inner"},
    "handler inner": {"handler outer"},
}


def execute(
    sanitizer: str, folder: Path, *arguments: str, batches: str | None = None
) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """The stats of the session, and how many events of each class the threads and the handlers tried to record."""
    program = make(sanitizer, "signals") / "signals"
    mode, *rest = arguments
    command = [str(program), mode, batches or str(folder / "batches"), *rest]
    environment = {"TACHY_SESSION_FOLDER": str(folder / "session"), "TSAN_OPTIONS": "halt_on_error=1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    told, tried = (json.loads(line) for line in done.stdout.splitlines())
    return told, tried


def check(session: Session, told: dict[str, Any], tried: dict[str, list[int]]) -> None:
    """Every event that was tried is there once, whole and under its name, or was a handler's and is counted."""
    reports = sum(row["name"] == "tachy.dropped_events" for row in session.rows(METRIC))
    for cls in (LOG, METRIC, SPAN):
        own = reports if cls == METRIC else 0
        assert told["recorded"][cls] == tried["main"][cls] + tried["handlers"][cls] + own
        assert session.events(cls) == told["recorded"][cls] - told["dropped"][cls]
        assert told["dropped"][cls] <= tried["handlers"][cls]
    names: dict[tuple[int, int], str] = {}
    for block in session.of(SPAN):
        for row in block.rows:
            names[block.head.threads[row["thread"]].number, row["id"]] = row["name"]
    for block in session.of(SPAN):
        for row in block.rows:
            parent = names.get((block.head.threads[row["thread"]].number, row["parent"]))
            assert parent in PARENTS[row["name"]], row
    # a handler's span may end after the moment that its thread took for the end of what encloses it
    assert told["backwards"] <= tried["main"][SPAN]


def check_rounds(session: Session, rounds: int, first: int = 1) -> None:
    """The threads' own events are all there."""
    wanted = list(range(first, first + rounds))
    texts = [row["msg"] for row in session.rows(LOG)]
    assert sorted(int(text[10:]) for text in texts if text.startswith("main text ")) == wanted
    assert sorted(int(text[5:]) for text in texts if text.startswith("main ") and text[5:].isdigit()) == wanted
    metrics = [row for row in session.rows(METRIC) if row["name"] == "main metric"]
    assert sorted(row["value"] for row in metrics) == wanted
    spans = collections.Counter(row["name"] for row in session.rows(SPAN) if row["target"] == "main")
    assert spans["main inner"] == spans["main phase"] == rounds
    asyncs = collections.Counter((row["name"], row["event_type"]) for row in session.asyncs())
    assert asyncs["main async", "begin"] == asyncs["main async", "end"] == rounds


@STEPS
def test_a_handler_may_interrupt_every_single_instruction(tmp_path: Path) -> None:
    """Attaching a thread, its end, every slow path and the inline half, one instruction after the other."""
    told, tried = execute(PLAIN, tmp_path, "steps")
    (session,) = capture.read(tmp_path / "batches")
    check(session, told, tried)
    rounds = tried["main"][LOG] // 2
    check_rounds(session, rounds)
    assert rounds == 10
    assert told["mismatched"] == 4  # what was open where a thread ended
    for cls in (LOG, METRIC, SPAN):
        assert 0 < told["dropped"][cls] < tried["handlers"][cls]
    made = [row for row in session.rows(METRIC) if row["name"].startswith("made ") and row["target"] == "main"]
    assert {row["name"] for row in made} == {f"made {n:05}" for n in range(5, 11)}
    assert {json.loads(row["properties"])["number"] for row in made} == {f"{n:05}" for n in range(5, 11)}


def test_handlers_of_two_timers_record_at_full_rate(tmp_path: Path) -> None:
    told, tried = execute(PLAIN, tmp_path, "timers", "100", "100")
    (session,) = capture.read(tmp_path / "batches")
    check(session, told, tried)
    assert tried["handlers"][SPAN] > 0
    check_rounds(session, tried["main"][LOG] // 2, first=0)


@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD])
def test_handlers_are_clean_under_sanitizers(sanitizer: str, tmp_path: Path) -> None:
    execute(sanitizer, tmp_path, "timers", "300", "1000")


@pytest.mark.long
def test_handlers_of_two_timers_record_for_a_minute() -> None:
    """As in the short tier, and only counted: there are hundreds of millions of events, of which no disk gets any."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        told, tried = execute(PLAIN, Path(folder), "timers", "60000", "2000", batches=os.devnull)
    for cls in (LOG, METRIC, SPAN):
        assert told["recorded"][cls] >= tried["main"][cls] + tried["handlers"][cls]
        assert told["recorded"][cls] - told["dropped"][cls] == told["sent"][cls] + told["kept"][cls]
    assert told["recorded"][SPAN] == tried["main"][SPAN] + tried["handlers"][SPAN]
    assert told["recorded"][LOG] == tried["main"][LOG] + tried["handlers"][LOG]
