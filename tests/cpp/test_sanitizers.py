"""The SDK, the recorder and an instrumented program under the sanitizers, with many threads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cpp.builds import programs, run, simulation
from tests.pysdk.sink import Answer, Sink

FLAGS = {
    "address": ("-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"),
    "thread": ("-O1", "-g1", "-fsanitize=thread"),
}
SANITIZERS = ["address", pytest.param("thread", marks=pytest.mark.long)]
OPTIONS = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "TSAN_OPTIONS": "halt_on_error=1"}


@pytest.mark.parametrize("sanitizer", SANITIZERS)
@pytest.mark.parametrize("threads", [2, 8])
def test_sessions_are_clean(sanitizer: str, threads: int, tmp_path: Path) -> None:
    program = programs(sanitizer, *FLAGS[sanitizer]) / "exercise"
    report = tmp_path / "report.json"
    with Sink(lambda number: Answer(503 if number == 1 else 200)) as sink:
        run([program, sink.url, report, str(threads), "500", "20000", "1"], env=OPTIONS, timeout=120)
        found = json.loads(report.read_text())
        assert found["recorded"]["span"] == 8 * threads * 500
        assert found["dropped"] == {"log": 0, "metric": 0, "span": 0}
        assert sink.events() == found["recorded"]


@pytest.mark.parametrize("sanitizer", SANITIZERS)
@pytest.mark.parametrize("count", [500, pytest.param(20000, marks=pytest.mark.long)])
def test_a_sender_that_is_stopped_while_it_begins_leaves_nothing(sanitizer: str, count: int) -> None:
    program = programs(sanitizer, *FLAGS[sanitizer]) / "parts"
    with Sink() as sink:
        run([program, "turns", sink.url, str(count)], env=OPTIONS, timeout=300)
        assert sink.events()["log"] == 3000


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_instrumented_programs_are_clean(sanitizer: str, tmp_path: Path) -> None:
    program = programs(sanitizer, *FLAGS[sanitizer]) / "calls_cpp"
    report = tmp_path / "report.json"
    with Sink() as sink:
        env = {**OPTIONS, "TACHY_URL": sink.url, "TACHY_REPORT": str(report), "TACHY_STOP_TIMEOUT_MS": "20000"}
        run([program], env=env, timeout=120)
        found = json.loads(report.read_text())
        assert found["recorded"]["span"] - found["dropped"]["span"] == sink.events()["span"] > 1000


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_the_simulation_is_clean(sanitizer: str, tmp_path: Path) -> None:
    program = simulation(sanitizer, *FLAGS[sanitizer])
    report = tmp_path / "report.json"
    with Sink() as sink:
        command: list[str | Path] = [program, "--seconds", "2", "--threads", "4", "--bodies", "800", "--url", sink.url]
        run([*command, "--report", report], env=OPTIONS, timeout=120)
        assert sink.events() == json.loads(report.read_text())["recorded"]
