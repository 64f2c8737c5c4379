"""The end of a day's life in a lake of 90 days: what it takes, and in how many statements."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from tachy_server.lake.database import Connection, Database
from tachy_server.lake.lake import Lake
from tachy_server.lake.store import Store
from tachy_server.maintain.lives import Expirer
from tachy_server.maintain.rewriting import LATE, Rewriter
from tachy_server.maintain.rules import Rules

from bench.lake_made import SECOND, Made
from tests.maintain.conftest import Watched
from tests.model.records import LOG, METRIC

_GRACE: Final = 900


class Counting(Lake):
    """One whose connections count their statements."""

    def __init__(self, database: Database, store: Store) -> None:
        super().__init__(database, store)
        self.statements = 0

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A pooled one."""

        def counting(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **options: Any) -> Any:
                self.statements += 1
                return function(*given, **options)

            return call

        with super().connection() as connection:
            yield cast("Connection", Watched(connection, counting))


def expiry(made: Made) -> dict[str, float]:
    """Logs and metrics of the first day are over: their rows, and then their objects, when nobody can read them."""
    lake = Counting(made.lake.database, made.lake.store)
    now = made.end

    def clock() -> int:
        return now

    rewriter = Rewriter(lake, 0, _GRACE, clock=clock)  # which only removes
    life = made.hours / 24 - 2
    rules = Rules(lambda *_: None, LATE, clock=clock)
    expirer = Expirer(lake, rewriter, {LOG: life, METRIC: life}, _GRACE * SECOND, rules, clock=clock)
    begin = time.perf_counter()
    dropped = expirer.run()
    seconds, statements = time.perf_counter() - begin, lake.statements
    now += (_GRACE + 1) * SECOND
    begin = time.perf_counter()
    rewriter.run()
    removed = rewriter.stats()["removed_segments"]
    lake.close()
    if not dropped == removed > 0:
        raise RuntimeError(f"{dropped} segments were dropped and {removed} objects removed")
    return {
        "seconds": seconds,
        "seconds_of_objects": time.perf_counter() - begin,
        "statements": float(statements),
        "segments": float(dropped),
        "blocks": float(expirer.dropped.blocks),
    }
