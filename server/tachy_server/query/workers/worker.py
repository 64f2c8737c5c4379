"""A worker: plans and runs what the front asks until the front is gone or kills it.

Nothing here keeps time, counts memory or waits for a query that does not yield: that is the front's, which ends the
whole process. A query that is cancelled ends by itself where it reads blocks or sends rows.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from tachy_server.base.errors import Cancelled, TachyError
from tachy_server.query.workers import wire
from tachy_server.views.tables import Stop

log = logging.getLogger(__name__)

PLANNERS: Final = 4
"""Threads that plan. DataFusion keeps 3 MB for each that has."""
RUNNERS: Final = 512
"""Threads that run what is planned: as many as the front has calls at a time."""
_NICE: Final = 10
_PR_SET_PDEATHSIG: Final = 1

Chunks = Generator[tuple[int, Sequence[wire.Part]], None, None]
"""Rows, and the bytes of a frame."""


@dataclass(slots=True)
class Answer:
    """A query that is planned: what its HEAD says, how its frames are made, and what it counts meanwhile."""

    head: Sequence[wire.Part]
    chunks: Callable[[], Chunks]
    counts: Callable[[], dict[str, int]] = field(default=dict)


Handler = Callable[..., Answer]
"""Plans: called with a Stop and the request's arguments."""


def die_with(parent: int) -> None:
    """The kernel kills this process when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)


def in_background(start_threads: Callable[[], None]) -> None:
    """Threads that are started here have less of the processor than those that speak with clients, where both want it:
    a query that computes on all cores does not keep the others' from being planned, nor batches from being stored.
    """

    def start() -> None:
        os.nice(_NICE)  # of this thread, and of those that it makes
        start_threads()

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()


@dataclass(slots=True)
class _Job:
    """A query that the front has started."""

    number: int
    connection: socket.socket
    stop: Stop = field(default_factory=Stop)
    answer: Answer | None = None


class Worker:
    """Serves one control socket."""

    def __init__(self, control: socket.socket, handlers: Mapping[str, Handler]) -> None:
        self._control, self._handlers = control, handlers
        self._planners = ThreadPoolExecutor(PLANNERS, thread_name_prefix="tachy-plan")
        self._runners = ThreadPoolExecutor(RUNNERS, thread_name_prefix="tachy-query")
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._jobs: dict[int, _Job] = {}

    def serve(self) -> NoReturn:
        """Until the front closes the socket."""
        self._selector.register(self._control, selectors.EVENT_READ)
        self._tell({"ready": os.getpid()})
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._hear()
                else:
                    self._selector.unregister(key.fileobj)
                    self._runners.submit(self._step, key.data, self._go)

    def _hear(self) -> None:
        data, descriptors, _, _ = socket.recv_fds(self._control, wire.CONTROL_BYTES, 1)
        if not data:
            os._exit(0)
        message = json.loads(data)
        if "start" in message:
            job = _Job(message["start"], socket.socket(fileno=descriptors[0]))
            with self._lock:
                self._jobs[job.number] = job
            self._planners.submit(self._step, job, self._plan)
        else:
            self._cancel(message["cancel"], message["error"])

    def _cancel(self, number: int, text: str) -> None:
        with self._lock:
            job = self._jobs.get(number)
            if job is not None:
                error = wire.error_of(text)
                job.stop.reason = error if isinstance(error, TachyError) else Cancelled(str(error))
        if job is None:
            self._tell({"over": number})

    def _tell(self, message: dict[str, Any]) -> None:
        with suppress(OSError):  # the front is gone: whoever listens to it hears that
            self._control.send(json.dumps(message).encode())

    def _step(self, job: _Job, step: Callable[[_Job], bool]) -> None:
        """Part of a query: True when there is more to come."""
        try:
            if step(job):
                return
        except (OSError, EOFError):
            pass  # the front does not want it any more
        except Exception as error:
            failure = job.stop.reason or error
            if not isinstance(failure, TachyError):
                log.error("a query failed", exc_info=error)
            text = wire.error_text(failure).encode()
            # While an error lives, so do its frames, and what they were running.
            error.__traceback__ = error.__context__ = error.__cause__ = None
            with suppress(OSError):
                wire.send(job.connection, wire.ERROR, [text])
        job.connection.close()
        job.answer = None
        with self._lock:
            del self._jobs[job.number]
        if job.stop.reason is not None:
            self._tell({"over": job.number})

    def _plan(self, job: _Job) -> bool:
        request = wire.receive_request(job.connection)
        job.stop.check()
        job.answer = self._handlers[request.kind](job.stop, **request.arguments)
        wire.send(job.connection, wire.HEAD, job.answer.head)
        if request.then == "wait":
            self._selector.register(job.connection, selectors.EVENT_READ, job)
        elif request.then == "run":
            self._runners.submit(self._step, job, self._run)
        return request.then != "end"

    def _go(self, job: _Job) -> bool:
        wire.Frames(job.connection).receive()
        return self._run(job)

    def _run(self, job: _Job) -> bool:
        assert job.answer is not None
        before: list[wire.Part] = []  # what comes before the first rows goes with them
        with closing(job.answer.chunks()) as chunks:
            for rows, parts in chunks:
                job.stop.check()
                if not rows and not before and sum(map(len, parts)) <= wire.SMALL:
                    before = wire.frame(wire.CHUNK, parts)
                    continue
                wire.send(job.connection, wire.CHUNK, parts, rows, before)
                before = []
        wire.send(job.connection, wire.END, [json.dumps(job.answer.counts()).encode()], before=before)
        return False


def fork_for_ever(control: socket.socket, work: Callable[[socket.socket], NoReturn]) -> NoReturn:
    """Fork a worker for every control socket that comes over this one; end with it.

    What this process has imported, its workers share. It has no threads, so a fork of it is whole.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for workers
    gc.freeze()
    gc.enable()
    if len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("a library has started a thread, which forks would not have")
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, wire.CONTROL_BYTES, 1)
        if not data:
            sys.exit(0)
        parent = os.getpid()
        if os.fork() == 0:
            die_with(parent)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            work(socket.socket(fileno=descriptors[0]))
        os.close(descriptors[0])
