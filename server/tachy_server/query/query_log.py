"""Writes what has become of queries where the view `query_log` finds it: a second later, many rows at a time.

Nothing waits for it; what PostgreSQL does not take, or more than it takes, is not in the log.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from typing import Final, NamedTuple

from tachy_server.base.errors import StoreError
from tachy_server.lake.database import Database

log = logging.getLogger(__name__)

_WAITING: Final = 10_000  # rows; the oldest go first
_FLUSH_SECONDS: Final = 1.0
_DELETE_SECONDS: Final = 3600.0
_DAY: Final = 86_400 * 10**9
MAX_TEXT: Final = 10_000
"""Characters of a statement, and of an error."""

_COPY: Final = """
COPY query_log (begin_time, end_time, who, sql, rows, bytes, blocks, memory, worker, outcome, error) FROM STDIN
"""
_DELETE: Final = "DELETE FROM query_log WHERE begin_time < %s"


class Entry(NamedTuple):
    """A row; times are UTC nanoseconds."""

    begin_time: int
    end_time: int
    who: str
    sql: str
    rows: int
    bytes: int
    blocks: int
    memory: int
    worker: int
    outcome: str
    error: str


class QueryLog:
    """A thread that writes; `days` is how long rows stay."""

    def __init__(self, database: Database, days: float) -> None:
        self._database, self._days = database, days
        self._entries: deque[Entry] = deque(maxlen=_WAITING)
        self._over = threading.Event()
        self._delete_at = 0.0
        self._thread = threading.Thread(target=self._run, name="tachy-query-log", daemon=True)
        self._thread.start()

    def add(self, entry: Entry) -> None:
        """Soon it is there."""
        text = (entry.sql[:MAX_TEXT].replace("\0", ""), entry.error[:MAX_TEXT].replace("\0", ""))
        self._entries.append(entry._replace(sql=text[0], error=text[1]))

    def close(self) -> None:
        """Writes what is left."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_FLUSH_SECONDS):
            self._write()
        self._write()

    def _write(self) -> None:
        rows: list[Entry] = []
        with contextlib.suppress(IndexError):
            while len(rows) < _WAITING:
                rows.append(self._entries.popleft())
        now = time.monotonic()
        if not rows and now < self._delete_at:
            return
        try:
            with self._database.connection() as connection:
                if rows:
                    with connection.transaction(), connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                        for row in rows:
                            copy.write_row(row)
                if now >= self._delete_at:
                    connection.execute(_DELETE, (time.time_ns() - int(self._days * _DAY),))
                    self._delete_at = now + _DELETE_SECONDS
        except StoreError as error:
            log.warning("%d queries are not in the log: %s", len(rows), error)
