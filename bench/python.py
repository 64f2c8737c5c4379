"""What recording costs a Python program, in nanoseconds above an empty loop of the same shape.

    python -m bench.python            # build/bench/python.json; exit 1 when a budget is broken

Interleaved: every round times each candidate once, the best of all rounds counts. A sink takes what is recorded.
"""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import tachy

from bench import peers
from bench.budgets import Cases, finish, machine

ROUNDS = 60
CALLS = 20_000

SPAN = tachy.span("constant")
SET = tachy.properties({"map": "e1m1"})
log = logging.getLogger("overhead")
null_log = logging.getLogger("overhead.null")


def plain() -> None: ...


@tachy.span("decorated")
def decorated() -> None: ...


def empty(n: int) -> None:
    for _ in range(n):
        pass


def begin_end(n: int) -> None:
    begin, end, span = tachy.begin, tachy.end, SPAN
    for _ in range(n):
        end(begin(span))


def with_constant(n: int) -> None:
    span = SPAN
    for _ in range(n):
        with span:
            pass


def with_name(n: int) -> None:
    for _ in range(n):
        with tachy.span("inline"):
            pass


def with_value(n: int) -> None:
    for i in range(n):
        with tachy.span("valued", tile=i):
            pass


def value(n: int) -> None:
    with SPAN as span:
        for i in range(n):
            span["tile"] = i


def call_plain(n: int) -> None:
    f = plain
    for _ in range(n):
        f()


def call_decorated(n: int) -> None:
    f = decorated
    for _ in range(n):
        f()


def metric(n: int) -> None:
    f = tachy.metric
    for _ in range(n):
        f("speed", 3)


def metric_unit_set(n: int) -> None:
    f, properties = tachy.metric, SET
    for _ in range(n):
        f("speed", 2.5, unit="m/s", properties=properties)


def metric_dict(n: int) -> None:
    f = tachy.metric
    for _ in range(n):
        f("speed", 2.5, properties={"map": "e1m1"})


def message(n: int) -> None:
    f = tachy.log
    for _ in range(n):
        f("info", "a message of some length")


def logging_tachy(n: int) -> None:
    for i in range(n // 20):
        log.info("a message of some length %d", i)


def logging_null(n: int) -> None:
    for i in range(n // 20):
        null_log.info("a message of some length %d", i)


@dataclass(frozen=True, slots=True)
class Case:
    """A loop, what is subtracted of it, and by what both divide the number of calls that they are asked for."""

    loop: Callable[[int], None]
    base: Callable[[int], None] = empty
    part: int = 1


CASES = {
    "begin_end": Case(begin_end),
    "with_object": Case(with_constant),
    "with_name": Case(with_name),
    "with_value": Case(with_value),
    "value": Case(value),
    "decorator": Case(call_decorated, call_plain),
    "metric": Case(metric),
    "metric_properties": Case(metric_unit_set),
    "metric_dict": Case(metric_dict),
    "log": Case(message),
    "logging_handler": Case(logging_tachy, part=20),
    "logging_null": Case(logging_null, part=20),
}


@contextmanager
def recording() -> Iterator[None]:
    """A session that a sink takes from, with a pool that holds everything between two flushes."""
    from tests.pysdk.sink import Sink

    handlers = ((log, tachy.LoggingHandler()), (null_log, logging.NullHandler()))
    for logger, handler in handlers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    with Sink() as sink:
        tachy.start(sink.url)
        yield
        tachy.stop(30)
    for logger, handler in handlers:
        logger.removeHandler(handler)


def measure() -> dict[str, float]:
    """Nanoseconds per call of each candidate."""
    functions = list(dict.fromkeys(f for case in CASES.values() for f in (case.loop, case.base)))
    best = dict.fromkeys(functions, float("inf"))
    gc.disable()
    for _ in range(ROUNDS):
        for function in functions:
            begin = time.perf_counter_ns()
            function(CALLS)
            best[function] = min(best[function], time.perf_counter_ns() - begin)
        tachy.flush(5)
    gc.enable()
    return {name: (best[case.loop] - best[case.base] / case.part) / (CALLS / case.part) for name, case in CASES.items()}


def main() -> int:
    """Measures, writes, judges."""
    about = machine()
    with recording():
        found = measure()
    runs = ROUNDS * CALLS
    stats = tachy.stats()
    complete = stats.recorded == {"log": runs + runs // 20, "metric": 3 * runs, "span": 5 * runs + ROUNDS}
    if not complete or any(stats.dropped.values()):
        print(f"not every call was recorded, so the figures mean nothing: {stats}", file=sys.stderr)
        return 1
    cases: Cases = {name: {"ns_per_event": ns} for name, ns in found.items()}
    cases["logging_handler"]["ns_above_null_handler"] = found["logging_handler"] - found["logging_null"]
    for name, (ns, ours) in peers.measure().items():
        cases[name] = {"ns_per_event": ns, "of_tachy": ns / found[ours]}
    cases["logging_null"]["of_tachy"] = found["logging_null"] / found["log"]
    return finish("python", cases, about)


if __name__ == "__main__":
    sys.exit(main())
