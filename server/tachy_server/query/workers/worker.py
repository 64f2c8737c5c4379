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
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from tachy_server.base.errors import Cancelled, TachyError
from tachy_server.query.workers import wire
from tachy_server.views.tables import Stop

log = logging.getLogger(__name__)

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
    at_once: bool = False
    """It is so small that it goes along with its HEAD, whether it is to wait or not."""


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
class _Connection:
    """Has one query after the other. One that is cancelled is its last."""

    number: int
    socket: socket.socket
    stop: Stop = field(default_factory=Stop)
    busy: bool = False


class Worker:
    """Serves one control socket, and a thread each of the connections that come over it."""

    def __init__(self, control: socket.socket, handlers: Mapping[str, Handler]) -> None:
        self._control, self._handlers = control, handlers
        self._connections: dict[int, _Connection] = {}

    def serve(self) -> NoReturn:
        """Until the front closes the socket."""
        self._tell({"ready": os.getpid()})
        while True:
            data, descriptors, _, _ = socket.recv_fds(self._control, wire.CONTROL_BYTES, 1)
            if not data:
                os._exit(0)
            message = json.loads(data)
            if "connection" in message:
                connection = _Connection(message["connection"], socket.socket(fileno=descriptors[0]))
                self._connections[connection.number] = connection
                threading.Thread(target=self._answer_all, args=(connection,), name="tachy-query", daemon=True).start()
            else:
                self._cancel(message["cancel"], message["error"])

    def _cancel(self, number: int, text: str) -> None:
        """Its query ends by itself, or has ended, or is still to be read: who is not busy sees that there is a reason
        before he is again.
        """
        connection = self._connections.get(number)
        if connection is not None:
            error = wire.error_of(text)
            connection.stop.reason = error if isinstance(error, TachyError) else Cancelled(str(error))
        if connection is None or not connection.busy:
            self._tell({"over": number})

    def _tell(self, message: dict[str, Any]) -> None:
        with suppress(OSError):  # the front is gone: whoever listens to it hears that
            self._control.send(json.dumps(message).encode())

    def _answer_all(self, connection: _Connection) -> None:
        with connection.socket, suppress(OSError, EOFError):  # the front wants no more of it
            incoming = wire.Frames(connection.socket)
            while connection.stop.reason is None:
                self._answer(connection, incoming, incoming.receive()[2])
        del self._connections[connection.number]
        if connection.stop.reason is not None:
            self._tell({"over": connection.number})

    def _answer(self, connection: _Connection, incoming: wire.Frames, data: bytes) -> None:
        stop, connection.busy = connection.stop, True
        try:
            stop.check()
            request = wire.request_of(data)
            answer = self._handlers[request.kind](stop, **request.arguments)
            if answer.at_once and request.then != "end":
                _run(connection, answer, wire.frame(wire.HEAD, answer.head, rows=1))
                return
            wire.send(connection.socket, wire.HEAD, answer.head)
            if request.then == "wait":
                incoming.receive()
            if request.then != "end":
                _run(connection, answer, [])
        except (OSError, EOFError):
            raise
        except Exception as error:
            failure = stop.reason or error
            if not isinstance(failure, TachyError):
                log.error("a query failed", exc_info=error)
            text = wire.error_text(failure).encode()
            # While an error lives, so do its frames, and what they were running.
            error.__traceback__ = error.__context__ = error.__cause__ = None
            wire.send(connection.socket, wire.ERROR, [text])
        finally:
            connection.busy = False


def _run(connection: _Connection, answer: Answer, held: list[wire.Part]) -> None:
    # Small frames wait for others, the last ones for the end: the front is woken once for a small answer, and a query
    # whose worker has to end begins again unless something of its answer is on the way.
    size = 0
    with closing(answer.chunks()) as chunks:
        for rows, parts in chunks:
            connection.stop.check()
            size += sum(map(len, parts))
            if size <= wire.SMALL:
                held += wire.frame(wire.CHUNK, parts, rows)
            else:
                wire.send(connection.socket, wire.CHUNK, parts, rows, held)
                held, size = [], 0
    wire.send(connection.socket, wire.END, [json.dumps(answer.counts()).encode()], before=held)


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
