"""A query as the front knows it: who asked what, which worker has it, why it has to end, and its answer on the way."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tachy_server.base.errors import Cancelled, Forbidden, LimitError, StoreError, TachyError, TookTooLong
from tachy_server.query.query_log import Entry
from tachy_server.query.workers import wire

if TYPE_CHECKING:
    from tachy_server.query.workers.pool import Workers
    from tachy_server.query.workers.process import Connection, Worker

DEATHS: Final = 3
"""So often a query is begun again whose worker ended by itself."""

_OUTCOMES: Final = (
    (Forbidden, "denied"),
    (Cancelled, "cancelled"),
    (TookTooLong, "late"),
    (LimitError, "limit"),
    (StoreError, "unavailable"),
)

WhenOver = Callable[[Callable[[], None]], None]
"""Registers what is to be done when a client has left."""


class Run:
    """Made by `Workers`, planned once it is made. `cancel` may be called at any time, from any thread."""

    def __init__(self, pool: Workers, number: int, request: wire.Request, who: str) -> None:
        self.number, self.who = number, who
        self.since = time.time_ns()
        self.rows = self.bytes = self.memory = self._process = 0
        self.counts: dict[str, int] = {}
        self.reason: TachyError | None = None
        self.worker: Worker | None = None
        self.connection: Connection | None = None
        self.connected = 0
        """The number of its last connection."""
        self.alone = False
        """It may be what ended its worker: it runs in one of its own."""
        self.deadline = self.kill_at = math.inf
        self._pool, self._request = pool, request
        self._head: list[bytes] = []
        self._late: TachyError | None = None
        self.begun = 0.0
        self.found = 0
        """Bytes that its worker had when it began."""
        self.handle: bytes | None = None
        """What a client knows it by."""
        self._waits = self._sent = self._ended = self._over = False
        self._at_once = 0
        self._deaths = 0

    @property
    def kind(self) -> str:
        """What its worker is asked for."""
        return self._request.kind

    @property
    def sql(self) -> str:
        """The statement, or what else it is."""
        return str(self._request.arguments.get("sql") or self._request.kind)

    @property
    def schema_bytes(self) -> bytes:
        """The schema of the rows, as a message of Arrow IPC."""
        return self._head[0]

    @property
    def parameter_schema_bytes(self) -> bytes:
        """The schema of the placeholders $1, $2, …."""
        return self._head[1]

    @property
    def schema(self) -> pa.Schema:
        """Of the rows."""
        return pa.ipc.read_schema(pa.py_buffer(self.schema_bytes))

    def as_json(self) -> dict[str, Any]:
        """For /api/queries. Memory is its worker's, whatever else that runs."""
        worker = self.worker
        return {
            "id": self.number,
            "who": self.who,
            "sql": self.sql,
            "since": datetime.fromtimestamp(self.since / 1e9, UTC).isoformat().replace("+00:00", "Z"),
            "rows": self.rows,
            "bytes": self.bytes,
            "memory": worker.memory if worker is not None else 0,
            "worker": worker.pid if worker is not None else None,
        }

    @property
    def began(self) -> bool:
        """It is more than a plan."""
        return self._ended or self._sent or (self.worker is not None and not self._waits)

    def entry(self, error: BaseException | None) -> Entry:
        """For the log, when it is over."""
        failure = self.reason or error
        outcome = "done" if failure is None and self._ended else "cancelled"
        if isinstance(failure, Exception):
            outcome = next((name for kind, name in _OUTCOMES if isinstance(failure, kind)), "failed")
        text = str(failure) if isinstance(failure, TachyError) else ""
        counts = (self.rows, self.bytes, self.counts.get("blocks", 0), self.memory, self._process)
        return Entry(self.since, time.time_ns(), self.who, self.sql, *counts, outcome, text)

    # --- its life ---------------------------------------------------------------------------------------------------

    def plan(self, when_over: WhenOver) -> None:
        """Hand it to a worker and wait for its plan, unless the client leaves before."""
        planned = threading.Event()
        when_over(lambda: None if planned.is_set() else self.cancel(Cancelled("The client went away.")))
        try:
            # Nobody holds a worker for a command: one that ends meanwhile would take it along.
            self._begin(replace(self._request, then="end") if self._waits_as_command else self._request)
        except BaseException as error:
            self._end(error)
            raise
        planned.set()
        if self._request.then == "end":
            self.close()

    def chunks(self) -> Generator[bytes, None, None]:
        """The answer, in frames of a few megabytes at most. Raises QueryError, NotFound and StoreError."""
        error: BaseException | None = None
        request = replace(self._request, then="run")
        try:
            if self._waits_as_command:
                self._begin(request)
            while not self._ended:
                try:
                    yield from self._frames()
                except (EOFError, OSError):
                    self._lost()
                    if self._is_command:
                        text = "The process that ran this statement had to end; it may have been done, or not: look."
                        raise StoreError(text) from None
                    self._begin(request)
        except BaseException as failure:
            error = failure
            raise
        finally:
            self._end(error)

    def cancel(self, reason: TachyError) -> None:
        """End it, for this reason; the worker is killed if it does not end by itself. Not more than once."""
        if not self._over:
            self._pool.cancel(self, reason)

    def close(self) -> None:
        """It is not wanted any more."""
        self._end(None)

    def __repr__(self) -> str:
        return f"Run({self.number}, {self.sql!r})"

    @property
    def _is_command(self) -> bool:
        """It is begun once: it may have been done when its worker ends."""
        return self._request.kind == "command"

    @property
    def _waits_as_command(self) -> bool:
        return self._is_command and self._request.then == "wait"

    # --- in its thread ----------------------------------------------------------------------------------------------

    def _begin(self, request: wire.Request) -> None:
        settings = self._pool.settings
        self._waits = False
        while True:
            self._limit("planning the statement", "plan_seconds", settings.plan_seconds)
            try:
                self._pool.start(self)
                assert self.worker is not None
                assert self.connection is not None
                self._process = self.worker.pid
                wire.send_request(self.connection.socket, request)
                kind, self._at_once, data = self.connection.incoming.receive()
            except (EOFError, OSError):
                self._lost()
                continue
            if kind == wire.ERROR:
                self._ended = True
                raise wire.error_of(data)
            self._head = list(_split(data))
            break
        if request.then == "run":
            self._limit("the query", "query_seconds", settings.query_seconds)
        else:
            self._waits = True
            self.deadline = math.inf
            self._pool.leave(self, ended=request.then == "end")

    def _frames(self) -> Generator[bytes, None, None]:
        assert self.connection is not None
        connection = self.connection
        if self._waits:
            self._waits = False
            self._limit("the query", "query_seconds", self._pool.settings.query_seconds)
            self._pool.enter(self)
            if not self._at_once:
                wire.send(connection.socket, wire.GO)
        while True:
            kind, rows, data = connection.incoming.receive()
            if kind == wire.CHUNK:
                self._sent = True
                self.rows += rows
                self.bytes += len(data)
                yield data
            elif kind == wire.END:
                self.counts = json.loads(data)
                self._ended = True
                return
            else:
                self._ended = True
                raise self.reason or wire.error_of(data)

    def _limit(self, what: str, setting: str, seconds: float) -> None:
        self._late = TookTooLong(f"{what} took longer than the server's setting {setting} allows")
        self.deadline = time.monotonic() + (seconds or math.inf)

    def _lost(self) -> None:
        """The worker is gone. Raises unless the query can begin again."""
        worker = self.worker
        self._close_connection()
        self._pool.leave(self)
        self.worker = None
        if self.reason is not None:
            raise self.reason
        if self._sent:
            raise StoreError("The process that answered this query had to end; ask again.")
        if worker is not None and not worker.killed:
            self.alone = True
            self._deaths += 1
            if self._deaths > DEATHS:
                raise StoreError(f"The processes that ran this query have ended, {DEATHS} times; the log may say why.")

    def _end(self, error: BaseException | None) -> None:
        """Once; whatever became of it."""
        if self._over:
            return
        self._over = True
        if self.connection is not None and not self._ended and self.worker is not None and not self._waits:
            self._pool.cancel(self, Cancelled("The query was abandoned."))
        else:
            self._pool.leave(self, ended=self._ended)
        self._close_connection()
        self._pool.ended(self, error)

    def _close_connection(self) -> None:
        if self.connection is not None:
            self.connection.socket.close()
            self.connection = None

    # --- in the pool's thread ---------------------------------------------------------------------------------------

    def overdue(self) -> None:
        """Its time is up."""
        if self._late is not None:
            self.cancel(self._late)


def _split(data: bytes) -> Generator[bytes, None, None]:
    """The parts of a HEAD, each behind its length in 4 bytes."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


def join(*parts: bytes) -> list[bytes]:
    """A HEAD of these parts."""
    return [piece for part in parts for piece in (len(part).to_bytes(4, "little"), part)]
