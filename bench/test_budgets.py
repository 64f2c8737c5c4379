"""The budgets as tests: `pytest bench/` times the Python cases, and judges what `make bench-native` last measured.

Not part of `make test` (its folder is tests/): these are timed, and a busy machine can fail them.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tachy
from pytest_benchmark.fixture import BenchmarkFixture

from bench.budgets import RESULTS, budgets, judge
from bench.python import CALLS, CASES, Case, recording

ROUNDS = 40
NATIVE = [RESULTS / "native.json", RESULTS / "around.json"]


@pytest.fixture(scope="module")
def _recording() -> Iterator[None]:
    with recording():
        yield


def _best(loop: Callable[[int], None]) -> float:
    """Seconds, of the best round."""
    best = float("inf")
    gc.disable()
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        loop(CALLS)
        best = min(best, time.perf_counter() - begin)
        tachy.flush(5)
    gc.enable()
    return best


def _ns(case: Case, seconds: float) -> float:
    """Per call, of a case's loop that took so long."""
    return (seconds - _best(case.base) / case.part) / (CALLS / case.part) * 1e9


@pytest.mark.benchmark(disable_gc=True)
@pytest.mark.usefixtures("_recording")
@pytest.mark.parametrize("name", CASES)
def test_python(name: str, benchmark: BenchmarkFixture) -> None:
    case = CASES[name]
    measure: Any = benchmark.pedantic
    measure(case.loop, args=(CALLS,), setup=lambda: tachy.flush(5) and None, rounds=ROUNDS, warmup_rounds=1)
    if benchmark.stats is None:
        pytest.skip("benchmarks are disabled, so nothing was timed")
    figures = {"ns_per_event": _ns(case, benchmark.stats.stats.min)}
    if name == "logging_handler":
        null = CASES["logging_null"]
        figures["ns_above_null_handler"] = figures["ns_per_event"] - _ns(null, _best(null.loop))
    benchmark.extra_info.update(figures)
    wanted = {name: budgets("python").get(name, {})}
    assert [v for v in judge(wanted, {name: figures}) if v.verdict != "ok"] == []


def _native() -> list[object]:
    verdicts = [verdict for file in NATIVE if file.exists() for verdict in json.loads(file.read_text())["verdicts"]]
    if verdicts:
        return verdicts
    reason = pytest.mark.skip(reason="nothing has been measured: `make bench-native` does")
    return [pytest.param(["native", "budgets", None, None, "not run"], marks=reason)]


@pytest.mark.parametrize("verdict", _native(), ids=lambda verdict: f"{verdict[0]}-{verdict[1]}")
def test_native(verdict: tuple[str, str, float, float | None, str]) -> None:
    case, name, budget, figure, word = verdict
    if figure is None:
        pytest.skip("could not be measured there")
    assert word != "BROKEN", f"{case} {name} is {figure}, and may be {budget}"
