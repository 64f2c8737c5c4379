"""The processes that run queries, as the front sees them: the one that forks, and a worker with its memory."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tachy_server.query.workers import wire

if TYPE_CHECKING:
    from tachy_server.query.workers.run import Run

_SLOW_SECONDS: Final = 0.25  # a query that has run so long may run longer: others go elsewhere if they can
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_SEND_SECONDS: Final = 5.0
_KEPT: Final = 8
"""Connections that a worker has for queries to come; DataFusion keeps 3 MB for each of its threads that had one."""
_ENVIRONMENT: Final = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Libraries start no threads then: what is forked must be whole."""


class ForkServer:
    """A process that forks workers; started by `launch`, when the first is needed, and again when it is gone."""

    def __init__(self, program: str) -> None:
        """`program` is a module's name."""
        self._command = [sys.executable, "-m", program]
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._told = False

    def launch(self) -> None:
        """Starts it; it imports what workers need until the first is asked for. Raises OSError."""
        self.close()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_SEND_SECONDS)
        self._told = False
        with theirs:
            self._process = subprocess.Popen(
                [*self._command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | _ENVIRONMENT,
            )

    def fork(self, control: socket.socket, start_with: bytes) -> None:
        """A worker that serves the other end of this socket, in a moment, and knows `start_with`. Raises OSError."""
        try:
            self._send(control, start_with)
        except OSError:  # it is gone, and all its workers are with it
            self.launch()
            self._send(control, start_with)

    def close(self) -> None:
        """It ends, and its workers with it."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.kill()
            self._process.wait()

    def _send(self, control: socket.socket, start_with: bytes) -> None:
        if self._control is None:
            raise OSError
        if not self._told:
            self._control.send(start_with)
            self._told = True
        socket.send_fds(self._control, [b"fork"], [control.fileno()], socket.MSG_NOSIGNAL)


@dataclass(frozen=True, slots=True)
class Connection:
    """To a worker, for one query at a time."""

    number: int
    socket: socket.socket
    incoming: wire.Frames


class Worker:
    """A worker as the front sees it."""

    def __init__(self, control: socket.socket, *, alone: bool) -> None:
        self.control, self.alone = control, alone
        self.pid = 0
        self.killed = False
        self.runs: set[Run] = set()
        self.cached = 0
        """Bytes of decoded blocks that it keeps, as far as is known."""
        self.used = math.inf
        """When its last query ended, until somebody has looked at what that left."""
        self.left = 0.0
        """When one of its queries has last left it."""
        self._free: list[Connection] = []
        self._numbers = itertools.count(1)
        self._statm = -1
        self._rest = 0
        self._seen = (0, 0.0)

    def ready(self, pid: int) -> None:
        """It said so."""
        self.pid = pid
        with suppress(OSError):  # it has just ended
            self._statm = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._rest = self._private()

    @property
    def memory(self) -> int:
        """Bytes of its own, above those that it was forked with."""
        return max(0, self._private() - self._rest)

    def seconds_until(self, limit: int, memory: int, now: float) -> float:
        """When it reaches a limit, if it grows on as it has since the last time that somebody asked."""
        before, then = self._seen
        self._seen = memory, now
        grown = memory - before
        return (limit - memory) * (now - then) / grown if grown > 0 else math.inf

    def _private(self) -> int:
        try:
            _, resident, shared, *_ = os.pread(self._statm, 256, 0).split()
        except (OSError, ValueError):  # it has just ended
            return self._rest
        return (int(resident) - int(shared)) * _PAGE

    def burden(self, now: float) -> tuple[bool, int]:
        """The less, the better for one more query."""
        return any(now - run.begun > _SLOW_SECONDS for run in self.runs), len(self.runs)

    def connect(self) -> Connection:
        """For a query. Raises OSError, as `tell` does."""
        if self._free:
            return self._free.pop()
        ours, theirs = socket.socketpair()
        connection = Connection(next(self._numbers), ours, wire.Frames(ours))
        with theirs:
            try:
                self.tell({"connection": connection.number}, theirs.fileno())
            except OSError:
                ours.close()
                raise
        return connection

    def keep(self, connection: Connection) -> None:
        """For another query: the one that had it has ended."""
        if self.killed or len(self._free) >= _KEPT:
            connection.socket.close()
        else:
            self._free.append(connection)

    def tell(self, message: dict[str, Any], *descriptors: int) -> None:
        """Raises OSError, also when it has not read what it was told before."""
        data = json.dumps(message).encode()
        socket.send_fds(self.control, [data], descriptors, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def kill(self) -> None:
        """At once."""
        self.killed = True
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """It has ended, or ends now."""
        self.killed = True
        self.control.close()
        for connection in self._free:
            connection.socket.close()
        if self._statm >= 0:
            os.close(self._statm)
            self._statm = -1
