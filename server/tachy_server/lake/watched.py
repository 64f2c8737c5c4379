"""Which processes somebody looks at: their recorders are asked to send every second (docs/http.md, "Control").

Queries and traces say whose new events they select; ingest asks. They meet in PostgreSQL, for they may be on different
nodes: one small write per process and 10 s of queries, one small read per second of ingest.
To check: pytest tests/lake/test_watched.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from typing import Final
from uuid import UUID

from tachy_server.lake.database import Connection

FLUSH: Final = "flush=1s"
"""What their recorders are told, beside or without a control."""

_SECOND: Final = 1_000_000_000
_LOOKS_FOR: Final = 30 * _SECOND  # after a query
_AGAIN: Final = 10 * _SECOND  # a query that comes back says it again
_RECENT: Final = 60 * _SECOND  # who asks for events from before that does not wait for new ones
_READ_EVERY: Final = _SECOND
_MANY: Final = 1000  # processes; more are all
_ALL: Final = UUID(int=0)

_FORGET: Final = "DELETE FROM watched WHERE until < %s"
_NOTE: Final = """
INSERT INTO watched (process_id, until) SELECT unnest(%s::uuid[]), %s
ON CONFLICT (process_id) DO UPDATE SET until = greatest(watched.until, excluded.until)
"""
_READ: Final = "SELECT process_id FROM watched WHERE until >= %s"


class Looks:
    """Of a query node: what is selected now. Any thread may say it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[UUID, int] = {}

    def news(self, process_ids: Collection[UUID] | None, end: int | None) -> list[UUID]:
        """Whom to write down for a selection of these processes (None: of all) up to `end`; mostly nobody."""
        now = time.time_ns()
        if end is not None and end < now - _RECENT:
            return []
        wanted = [_ALL] if process_ids is None or len(process_ids) > _MANY else process_ids
        with self._lock:
            if len(self._said) > _MANY:
                self._said = {key: said for key, said in self._said.items() if said > now - _AGAIN}
            found = [key for key in wanted if self._said.get(key, 0) < now - _AGAIN]
            self._said.update(dict.fromkeys(found, now))
        return found


def write(connection: Connection, process_ids: Collection[UUID]) -> None:
    """They are looked at from now on, for half a minute."""
    now = time.time_ns()
    connection.execute(_FORGET, (now,))
    connection.execute(_NOTE, (sorted(process_ids), now + _LOOKS_FOR))


class Watched:
    """Of an ingest node, and used by one thread: who is looked at, as of a second ago."""

    def __init__(self) -> None:
        self._known: frozenset[UUID] = frozenset()
        self._read_at = 0

    def among(self, connection: Connection, process_ids: Collection[UUID]) -> set[UUID]:
        """Those of the processes that are."""
        now = time.time_ns()
        if now - self._read_at >= _READ_EVERY:
            self._read_at = now
            self._known = frozenset(row[0] for row in connection.execute(_READ, (now,)))
        known = self._known
        return set(process_ids) if _ALL in known else set(known.intersection(process_ids))
