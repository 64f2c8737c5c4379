"""The recorder on a system that it does not know, whose functions the host brings (tachy/host.h): here POSIX's."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.native import capture
from tests.native.capture import LOG, METRIC, SPAN
from tests.native.test_recorder import ADDRESS, PLAIN, THREAD, make

SCENARIOS = [
    "one_thread", "eight_threads", "full_pool", "exact_counts", "async_across_threads", "logs", "metrics",
    "thread_churn", "cuts_under_load", "nothing_runs", "many_sessions", "restart_under_load", "flushes", "halves",
    "nobody_takes", "stop_waits", "levels", "concurrent_levels",
]  # fmt: skip


def execute(scenario: str, folder: Path, sanitizer: str) -> str:
    program = make(sanitizer, "recorder_tests_static", system="host") / "recorder_tests_static"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TACHY_")}
    environment |= {"TACHY_SESSION_FOLDER": str(folder / "session"), "TSAN_OPTIONS": "halt_on_error=1"}
    command = [str(program), scenario, str(folder / "batches")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert not (folder / "session").exists()  # nobody knows how
    return done.stdout


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_was_recorded_is_sent(scenario: str, tmp_path: Path) -> None:
    reported = {each["process_id"]: each for each in map(json.loads, execute(scenario, tmp_path, PLAIN).splitlines())}
    for session in capture.read(tmp_path / "batches", holes=scenario in ("nobody_takes", "stop_waits")):
        stats = reported.get(session.process_id.hex)
        for cls in (LOG, METRIC, SPAN) if stats else ():
            assert session.events(cls) == stats["sent"][cls]


@pytest.mark.long
@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD])
@pytest.mark.parametrize("scenario", ["eight_threads", "thread_churn", "restart_under_load", "flushes"])
def test_clean_under_sanitizers(scenario: str, sanitizer: str, tmp_path: Path) -> None:
    execute(scenario, tmp_path, sanitizer)
