"""How long an event takes from a program to SQL, on one machine: after a flush, and an error that nobody flushes."""

from __future__ import annotations

import time
from collections.abc import Callable

import tachy
from tachy.client import Connection

from bench.budgets import Cases
from tests.serving import Server

ROUNDS = 60
PAUSE = 0.3  # seconds between two: logs that go at once go every 250 ms at most
PATIENCE = 10.0


def visible(server: Server) -> Cases:
    """The time that 19 of 20 do not exceed, and the middle one's."""
    tachy.start(server.http)
    try:
        with tachy.connect(server.flight, url=server.http) as connection:
            flushed = [_way(connection, "flushed", number, _flushed) for number in range(ROUNDS)]
            errors = [_way(connection, "error", number, _error) for number in range(ROUNDS)]
    finally:
        tachy.stop(10)
    return {"visible_flushed": _figures(flushed), "visible_error": _figures(errors)}


def _figures(times: list[float]) -> dict[str, float]:
    times.sort()
    return {"p95_ms": times[ROUNDS * 19 // 20], "median_ms": times[ROUNDS // 2]}


def _flushed(text: str) -> None:
    tachy.log("info", text)
    tachy.flush(PATIENCE)


def _error(text: str) -> None:
    tachy.log("error", text)


def _way(connection: Connection, kind: str, number: int, record: Callable[[str], None]) -> float:
    """Milliseconds until a query has it."""
    text = f"{kind} {number}"
    where = f"WHERE process_id = '{tachy.stats().process_id}' AND msg = '{text}'"
    time.sleep(PAUSE)
    begin = time.perf_counter()
    record(text)
    while True:
        found = connection.query(f"SELECT count(*) AS n FROM log_entries {where}").column("n")[0].as_py()
        taken = time.perf_counter() - begin
        if found:
            return taken * 1e3
        if taken > PATIENCE:
            raise RuntimeError(f"{text!r} is not there after {PATIENCE:g} s")
