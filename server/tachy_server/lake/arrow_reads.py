"""SELECTs of PostgreSQL that come as Arrow, by ADBC: COPY in binary, and no Python object per value.

Its connections only read. What fits into one batch is held; more streams from a connection that is busy until then.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any, Final

import pyarrow as pa
from psycopg.conninfo import make_conninfo

from tachy_server.base.errors import StoreError

_IDLE: Final = 4
_WAIT_SECONDS: Final = 10.0
_SETTINGS: Final = ("SET default_transaction_read_only = on", "SET jit = off")
"""Compiling a statement takes PostgreSQL longer than most of ours run."""


class ArrowReads:
    """Connections to one database, at most so many at a time; idle ones are kept."""

    def __init__(self, dsn: str, connections: int) -> None:
        self._dsn = make_conninfo(dsn, connect_timeout=10, application_name="tachy reads")
        self._free = threading.BoundedSemaphore(connections)
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._closed = False

    def read(self, query: str, snapshot: str | None = None) -> ArrowResult:
        """Runs it, in the snapshot that another transaction has exported and holds. Raises StoreError."""
        return ArrowResult(self, query, self.stream(query, snapshot))

    def stream(self, query: str, snapshot: str | None = None) -> Generator[pa.RecordBatch, None, None]:
        """The batches of a result, at least one. Raises StoreError."""
        if not self._free.acquire(timeout=_WAIT_SECONDS):
            raise StoreError("no connection to PostgreSQL: all that read are busy")
        connection = None
        try:
            connection, cursor = self._run(query, snapshot)
            yield from _batches(cursor)
            if snapshot is not None:
                _execute(connection, "COMMIT")
            self._keep(connection)
            connection = None
        except _errors() as error:
            raise StoreError(f"PostgreSQL did not do its part: {_one_line(error)}") from None
        finally:
            _close(connection)  # where the result was not read to its end, it ends with the connection
            self._free.release()

    def close(self) -> None:
        """Ends the idle connections, and those that run when they are done."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for connection in idle:
            _close(connection)

    def _run(self, query: str, snapshot: str | None) -> tuple[Any, Any]:
        """An idle connection may have broken meanwhile, so a new one is tried after it."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            with suppress(*_errors()):
                return connection, _begin(connection, query, snapshot)
            _close(connection)
        connection = _connect(self._dsn)
        try:
            return connection, _begin(connection, query, snapshot)
        except BaseException:
            _close(connection)
            raise

    def _keep(self, connection: Any) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        _close(connection)


class ArrowResult:
    """A result that may be read several times. One that streams is asked for anew then, as it is by then."""

    def __init__(self, reads: ArrowReads, query: str, stream: Generator[pa.RecordBatch, None, None]) -> None:
        self._reads, self._query = reads, query
        self._lock = threading.Lock()
        self._first = [next(stream)]
        second = next(stream, None)
        self._stream = None if second is None else stream
        if second is not None:
            self._first.append(second)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        with self._lock:
            first, stream = self._first, self._stream
            if stream is not None:
                self._first, self._stream = [], None
        if not first:
            yield from self._reads.stream(self._query)
            return
        yield from first
        if stream is not None:
            yield from stream


def _connect(dsn: str) -> Any:
    import adbc_driver_postgresql.dbapi as adbc

    connection = adbc.connect(dsn, autocommit=True)
    try:
        for setting in _SETTINGS:
            _execute(connection, setting)
    except BaseException:
        _close(connection)
        raise
    return connection


def _errors() -> tuple[type[Exception], ...]:
    import adbc_driver_manager

    return (adbc_driver_manager.Error, OSError, pa.ArrowException)


def _begin(connection: Any, query: str, snapshot: str | None) -> Any:
    if snapshot is not None:
        _execute(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        _execute(connection, f"SET TRANSACTION SNAPSHOT '{snapshot}'")
    cursor = connection.cursor()
    try:
        cursor.execute(query)
    except BaseException:
        cursor.close()
        raise
    return cursor


def _execute(connection: Any, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.executescript(statement)


def _batches(cursor: Any) -> Iterator[pa.RecordBatch]:
    with cursor:
        reader = cursor.fetch_record_batch()
        count = 0
        for batch in reader:
            count += 1
            yield batch
        if not count:
            yield pa.RecordBatch.from_pylist([], reader.schema)


def _close(connection: Any) -> None:
    if connection is not None:
        with suppress(*_errors()):
            connection.close()


def _one_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
