"""Keep rules are asked what they keep, of what has come since they were asked the last time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.errors import StoreError, TachyError
from tachy_server.lake import keep_rules
from tachy_server.lake.database import Connection

Ask = Callable[[str, int, int], pa.Table]
"""Runs a query over a range of times, UTC nanoseconds, both inclusive. Raises TachyError."""

_HOUR: Final = 3600 * 10**9
_EVER: Final = {"begin": -(1 << 63), "end": (1 << 63) - 2}  # PostgreSQL's ranges end before their upper bound


class Rules:
    """Asked every hour, and before anything is dropped."""

    def __init__(self, ask: Ask, late: int, *, clock: Callable[[], int] = time.time_ns) -> None:
        """`late`: so many nanoseconds after its insert time a segment may be committed."""
        self._ask, self._late, self._clock = ask, late, clock
        self._asked = -_HOUR

    def look(self, connection: Connection) -> None:
        """Asks them if an hour is over. Raises StoreError."""
        if self._clock() - self._asked >= _HOUR:
            self.ask_all(connection)

    def ask_all(self, connection: Connection) -> None:
        """Asks all of them now. Raises StoreError where one has no answer: then nobody knows what may be dropped."""
        until = self._clock() - self._late
        for rule in keep_rules.read(connection):
            times = keep_rules.arrived(connection, rule.name, until)
            if times is None:
                continue
            try:
                said = self._ask(rule.sql, *times)
            except TachyError as error:
                raise StoreError(f"keep rule {rule.name}, without which nothing is dropped: {error}") from None
            ids = said.column("process_id").cast(pa.string())
            bounds = [_bound(said, name).filter(pc.is_valid(ids)).to_pylist() for name in ("begin", "end")]
            keep_rules.note(connection, rule.name, ids.drop_null().to_pylist(), bounds[0], bounds[1], until)
        keep_rules.forget_ended(connection)
        self._asked = self._clock()


def _bound(said: pa.Table, name: str) -> pa.ChunkedArray:
    """UTC nanoseconds."""
    if name not in said.column_names:
        return pa.chunked_array([pa.repeat(pa.scalar(_EVER[name], pa.int64()), len(said))])
    times = said.column(name).cast(pa.timestamp("ns", tz="UTC")).cast(pa.int64())
    return pc.fill_null(times, _EVER[name])
