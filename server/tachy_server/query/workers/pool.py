"""The workers, from the front: which of them takes a query, and the one thread that watches and kills them.

A worker that grows beyond `query_memory`, or has a query that does not end within a second of being told to, is killed;
so much CPU and memory a query can waste, and no more. A fork takes its place in some 10 ms, as it does where a worker
without work keeps memory that nobody needs. What else it ran begins again in another worker if nothing of it has been
sent. Where it is not known which query it was, each of them runs again in a worker of its own.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import pickle
import selectors
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from tachy_server.base.errors import LimitError, StoreError, TachyError
from tachy_server.base.settings import Settings
from tachy_server.base.who import BY_ITSELF, Asked
from tachy_server.lake import materialized
from tachy_server.lake.database import Database
from tachy_server.query.commands import Command
from tachy_server.query.query_log import QueryLog
from tachy_server.query.workers import wire
from tachy_server.query.workers.process import ForkServer, Worker
from tachy_server.query.workers.run import Run, WhenOver
from tachy_server.views.declarations import VIEWS, View

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 1.0
TICK_SECONDS: Final = 0.02
"""Between two looks at memory and time, while a query runs."""
_SHORT_SECONDS: Final = 0.002
"""Between two looks where a worker nears its limit: a constant of 1.5 GB is written at 4 GB/s."""
_IDLE_TICKS: Final = 50  # so many looks in vain, and the thread sleeps until a query comes
_READY_SECONDS: Final = 30.0
_IDLE_SECONDS: Final = 0.3
_LEFT_BYTES: Final = 48 << 20
"""Of memory that allocators keep for threads that had queries; a worker with more, and without work, is replaced."""
_RETRY_SECONDS: Final = 1.0  # after a process that has ended before it was ready


class Workers:
    """Plans and runs queries in worker processes. Any thread may use it."""

    def __init__(self, settings: Settings, database: Database, folder: Path, forks: ForkServer) -> None:
        """Starts the processes; `wait` until they are ready."""
        self.settings, self._database = settings, database
        self._forks, self._start_with = forks, pickle.dumps((settings, database.dsn, folder))
        self._log = QueryLog(database, settings.query_log_days)
        self._numbers = itertools.count(1)
        self._changed = threading.Condition(threading.RLock())
        self._workers: list[Worker] = []
        self._runs: set[Run] = set()
        self._fill_at = 0.0
        self._closing = False
        self._asleep = False
        self._tick = TICK_SECONDS
        self._selector = selectors.DefaultSelector()
        self._bell, self._rung = socket.socketpair()
        self._rung.setblocking(False)
        self._bell.setblocking(False)
        self._selector.register(self._rung, selectors.EVENT_READ)
        self._killed = self._ended = self._replaced = 0
        self._blocks = {"unreadable": 0, "readable_again": 0}
        self._fill()
        self._thread = threading.Thread(target=self._watch, name="tachy-workers", daemon=True)
        self._thread.start()

    def wait(self, seconds: float = _READY_SECONDS) -> None:
        """Until all are ready. Raises StoreError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._ready() >= self.settings.workers, seconds):
                raise StoreError("the processes that run queries did not start; the log says why")

    # --- queries ----------------------------------------------------------------------------------------------------

    def tables(self) -> list[View]:
        """What SQL can read, but for what users have made."""
        return list(VIEWS.values())

    def made_by_users(self) -> list[str]:
        """Names of their materialized views. Raises StoreError."""
        with self._database.connection() as connection:
            return [view.name for view in materialized.stored(connection) if view.name not in VIEWS]

    def plan(
        self,
        sql: str,
        *,
        command: Command | None = None,
        asked: Asked = BY_ITSELF,
        form: str = "flight",
        then: str = "end",
        when_over: WhenOver = lambda work: None,
        parameters: Sequence[pa.Scalar] | None = None,
        **arguments: Any,
    ) -> Run:
        """A query that a worker has planned, or the command that commands.py has found in the text; see
        QueryEngine.plan for the other arguments.
        """
        # A scalar would travel as a value of Python's: of nanoseconds as one of pandas, which workers do without.
        columns = None if parameters is None else [pa.array([value]) for value in parameters]
        arguments |= {"sql": sql, "form": form, "asked": asked, "parameters": columns}
        if command is not None:
            return self._ask("command", arguments | {"command": command}, then, asked.name, when_over)
        return self._ask("query", arguments, then, asked.name, when_over)

    def chart(self, chart: Any, sql: str, *, asked: Asked, when_over: WhenOver, **arguments: Any) -> Run:
        """A query whose rows become a figure; `chart` is http/figures.py's."""
        return self._ask(
            "chart", arguments | {"chart": chart, "sql": sql, "asked": asked}, "run", asked.name, when_over
        )

    def trace(self, *, asked: Asked = BY_ITSELF, when_over: WhenOver = lambda work: None, **arguments: Any) -> Run:
        """A Perfetto trace; see write_trace for the arguments."""
        return self._ask("trace", arguments | {"asked": asked}, "run", asked.name, when_over)

    def materialize(self) -> str:
        """Of what is due for the files of materialized views the next thing, in words; empty: nothing was due.

        Raises QueryError and StoreError.
        """
        return b"".join(self._ask("materialize", {}, "run", "", lambda work: None).chunks()).decode()

    def _ask(self, kind: str, arguments: dict[str, Any], then: str, who: str, when_over: WhenOver) -> Run:
        run = Run(self, next(self._numbers), wire.Request(kind, arguments, then), who)
        run.plan(when_over)
        return run

    def running(self) -> list[Run]:
        """Those that are planned or run now."""
        with self._changed:
            return sorted(self._runs, key=lambda run: run.number)

    def cancel(self, run: Run, reason: TachyError) -> None:
        """End a query, for this reason."""
        with self._changed:
            if run.reason is not None:
                return
            run.reason = reason
            self._changed.notify_all()
            worker = run.worker
            if worker is None or run not in worker.runs:
                return
            run.kill_at = time.monotonic() + GRACE_SECONDS
            try:
                worker.tell({"cancel": run.connected, "error": wire.error_text(reason)})
            except OSError:
                self._kill(worker)

    def cancel_all(self, reason: TachyError) -> None:
        """End what runs."""
        for run in self.running():
            self.cancel(run, reason)

    def stats(self) -> dict[str, dict[str, int]]:
        """For /api/stats: the processes, what became of others, and the blocks that queries could not read."""
        with self._changed:
            processes = {
                "ready": self._ready(),
                "killed": self._killed,
                "ended": self._ended,
                "replaced": self._replaced,
            }
            return {"workers": processes, "blocks": dict(self._blocks)}

    def close(self) -> None:
        """Ends the queries and the processes."""
        with self._changed:
            self._closing = True
        self.cancel_all(StoreError("The server is stopping."))
        with self._changed:
            for worker in self._workers:
                worker.kill()
            self._changed.notify_all()
        self._ring()
        self._thread.join()
        self._forks.close()
        self._log.close()
        for end in (self._bell, self._rung):
            end.close()
        self._selector.close()

    # --- for Run ----------------------------------------------------------------------------------------------------

    def start(self, run: Run) -> None:
        """Give the query a worker, and a connection to it. Raises StoreError when there is none, OSError when it is
        gone.
        """
        with self._changed:
            worker = self._take(run)
            run.worker = worker
            self._enter(run, worker)
            try:
                run.connection = worker.connect()
            except BlockingIOError:  # it does not even listen
                self._kill(worker)
                raise
            run.connected = run.connection.number
        run.found = worker.memory

    def enter(self, run: Run) -> None:
        """The query that has waited begins."""
        with self._changed:
            if run.reason is not None:
                raise run.reason
            worker = run.worker
            if worker is None:
                return
            self._enter(run, worker)
        run.found = worker.memory

    def leave(self, run: Run, *, ended: bool = False) -> None:
        """The query does not run in its worker any more; another may have its connection when it has `ended` there."""
        with self._changed:
            self._runs.discard(run)
            worker = run.worker
            if worker is None:
                return
            worker.runs.discard(run)
            worker.used = worker.left = time.monotonic()
            if worker.alone:
                worker.kill()
            if not ended:
                return
            worker.cached = run.counts.get("cached", worker.cached)
            for name in self._blocks:
                self._blocks[name] += run.counts.get(name, 0)
            if run.connection is not None and run.reason is None:
                worker.keep(run.connection)
                run.connection = None

    def ended(self, run: Run, error: BaseException | None) -> None:
        """It will not run again."""
        if (run.began and (run.bytes or run.kind != "materialize")) or error is not None:
            self._log.add(run.entry(error))

    def _enter(self, run: Run, worker: Worker) -> None:
        run.begun = time.monotonic()
        worker.runs.add(run)
        self._runs.add(run)
        if self._asleep:
            self._ring()

    def _take(self, run: Run) -> Worker:
        if run.alone:
            self._changed.wait_for(lambda: run.reason or not any(worker.alone for worker in self._workers))
            forked = self._fork(alone=True)
            self._changed.wait_for(lambda: forked.pid or forked.killed or run.reason, _READY_SECONDS)
            worker = forked if forked.pid and not forked.killed else None
            if worker is None or run.reason is not None or self._closing:
                forked.kill()  # nobody else would end it, and who comes next waits until it has
        else:
            self._changed.wait_for(lambda: self._closing or run.reason or self._best(), _READY_SECONDS)
            worker = self._best()
        if self._closing:
            raise StoreError("The server is stopping.")
        if run.reason is not None:
            raise run.reason
        if worker is None:
            raise StoreError("No process that runs queries is ready; the log may say why.")
        return worker

    def _ready(self) -> int:
        return sum(worker.pid > 0 and not worker.killed for worker in self._workers)

    def _best(self) -> Worker | None:
        now = time.monotonic()
        free = [worker for worker in self._workers if worker.pid and not worker.killed and not worker.alone]
        return min(free, key=lambda worker: worker.burden(now), default=None)

    # --- processes --------------------------------------------------------------------------------------------------

    def _is_whole(self) -> bool:
        return sum(not worker.alone and not worker.killed for worker in self._workers) >= self.settings.workers

    def _fill(self) -> None:
        with self._changed:
            while not self._is_whole():
                self._fork(alone=False)

    def _fork(self, *, alone: bool) -> Worker:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._forks.fork(theirs, self._start_with)
        worker = Worker(ours, alone=alone)
        self._workers.append(worker)
        self._selector.register(ours, selectors.EVENT_READ, worker)
        return worker

    def _kill(self, worker: Worker) -> None:
        if not worker.killed:
            self._killed += 1
            worker.kill()

    # --- the thread that watches -------------------------------------------------------------------------------------

    def _ring(self) -> None:
        with suppress(OSError):
            self._bell.send(b"!")

    def _watch(self) -> None:
        idle = 0
        while True:
            for key, _ in self._selector.select(None if self._asleep else self._tick):
                if key.data is None:
                    with suppress(OSError):
                        self._rung.recv(4096)
                else:
                    self._hear(key.data)
            # Whoever has the lock makes no system call if he can help it: he would wait for the interpreter afterwards,
            # and all others for him.
            memory = {worker: worker.memory for worker in list(self._workers) if worker.runs}
            with self._changed:
                if self._closing and not self._workers:
                    return
                self._look(memory)
                if not self._closing and time.monotonic() >= self._fill_at:
                    try:
                        self._fill()
                    except OSError as error:
                        log.error("no process for queries can be started: %s", error)
                        self._fill_at = time.monotonic() + _RETRY_SECONDS
                idle = 0 if self._runs else idle + 1
                self._asleep = idle > _IDLE_TICKS and self._is_whole()

    def _hear(self, worker: Worker) -> None:
        try:
            data = worker.control.recv(wire.CONTROL_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        with self._changed:
            if not data:
                self._bury(worker)
                return
            message = json.loads(data)
            if "ready" in message:
                worker.ready(message["ready"])
                if self._closing or worker.killed:
                    worker.kill()
                self._changed.notify_all()
            for run in [run for run in worker.runs if run.connected == message.get("over")]:
                self.leave(run)

    def _bury(self, worker: Worker) -> None:
        self._selector.unregister(worker.control)
        self._workers.remove(worker)
        if not worker.pid:
            self._fill_at = time.monotonic() + _RETRY_SECONDS
        if not worker.killed and not worker.alone:
            self._ended += 1
            log.warning("a process that ran %d queries ended by itself", len(worker.runs))
        for run in list(worker.runs):
            self.leave(run)
        worker.close()
        self._changed.notify_all()

    def _look(self, found: Mapping[Worker, int]) -> None:
        """At time, and at the memory that was found."""
        now = time.monotonic()
        limit, left = self.settings.query_memory, math.inf
        for worker in self._workers:
            if worker.killed:
                continue
            if not worker.runs:
                self._replace(worker, now)
                continue
            if worker not in found:  # it has just got a query
                continue
            memory = found[worker]
            left = min(left, worker.seconds_until(limit, memory, now))
            for run in list(worker.runs):
                run.memory = max(run.memory, memory)
                if now > run.kill_at:
                    self._kill(worker)
                elif now > run.deadline:
                    run.overdue()
            if memory > limit and not worker.killed:
                self._too_large(worker)
        self._tick = min(TICK_SECONDS, max(_SHORT_SECONDS, left / 2))

    def _replace(self, worker: Worker, now: float) -> None:
        if now - worker.used > _IDLE_SECONDS:
            worker.used = math.inf
            if worker.memory - worker.cached > _LEFT_BYTES:
                self._replaced += 1
                worker.kill()

    def _too_large(self, worker: Worker) -> None:
        runs = [run for run in worker.runs if run.reason is None]
        if runs and is_to_blame(runs[0], worker, self.settings.query_memory):
            text = "the query needs more memory than the setting query_memory allows"
            runs[0].reason = LimitError(text)
        for run in runs:
            run.alone = True
        self._kill(worker)


def is_to_blame(run: Run, worker: Worker, limit: int) -> bool:
    """Whether the memory is this query's, and not what others, cancelled ones too, have taken or left there. One that
    may not be blamed runs again in a process of its own.
    """
    return len(worker.runs) == 1 and (worker.alone or (worker.left < run.begun and run.found < limit // 4))
