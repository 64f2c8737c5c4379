"""What the front and its workers say to each other, over sockets that nobody else can reach.

*Control*, a SOCK_SEQPACKET pair per worker, a JSON object per message: the front says {"connection": id}, with one, and
{"cancel": id, "error": …} of the query that a connection has; the worker says {"ready": its pid}, and {"over": id} of
what was cancelled.
*A connection*, a SOCK_STREAM pair, has one query after the other, until one is cancelled or left: the front sends its
request, the worker frames. HEAD comes when the query is planned; one that waits begins with the front's GO, unless HEAD
has a 1 for its rows: then CHUNKs and END come at once. ERROR comes at any time.

Requests are pickles: the worker believes the front. The front believes nobody who reads other people's blocks, and
unpickles nothing.
"""

from __future__ import annotations

import json
import pickle
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tachy_server.base import errors
from tachy_server.base.errors import TachyError

HEAD, CHUNK, END, ERROR, GO, REQUEST = range(6)
CONTROL_BYTES: Final = 64 << 10
_FRAME: Final = struct.Struct("<BII")  # kind, rows, size
_PARTS: Final = 512  # of one sendmsg; the system takes 1,024
SMALL: Final = 16 << 10
"""Bytes of frames that are sent and read together."""

Part = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Request:
    """What a worker is to do. `then`: "end" when it is planned, "wait" for GO, or "run" at once."""

    kind: str
    arguments: dict[str, Any]
    then: str


def frame(kind: int, parts: Sequence[Part] = (), rows: int = 0) -> list[Part]:
    """The pieces of a frame."""
    return [_FRAME.pack(kind, rows, sum(len(part) for part in parts)), *parts]


def send(
    connection: socket.socket, kind: int, parts: Sequence[Part] = (), rows: int = 0, before: Sequence[Part] = ()
) -> None:
    """One frame, behind the pieces of others that have waited for it. Raises OSError when the other end is gone."""
    pending: list[Part] = [*before, *frame(kind, parts, rows)]
    while pending:
        sent = connection.sendmsg(pending[:_PARTS])
        while pending and sent >= len(pending[0]):
            sent -= len(pending.pop(0))
        if sent:
            pending[0] = memoryview(pending[0])[sent:]


class Frames:
    """The frames that come over a connection: small ones several at a time, large ones without a copy."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._held = b""
        self._ahead = SMALL

    def receive(self) -> tuple[int, int, bytes]:
        """Kind, rows and bytes of the next. Raises EOFError, or OSError, when the other end is gone."""
        kind, rows, size = _FRAME.unpack(self._take(_FRAME.size))
        data = self._take(size) if size else b""
        self._ahead = 0 if size > SMALL else SMALL
        return kind, rows, data

    def _take(self, size: int) -> bytes:
        while len(self._held) < size:
            missing = size - len(self._held)
            if missing > self._ahead:
                more = self._connection.recv(missing, socket.MSG_WAITALL)
            else:
                more = self._connection.recv(self._ahead)
            if not more:
                raise EOFError
            self._held = self._held + more if self._held else more
        taken, self._held = self._held[:size], self._held[size:]
        return taken


def send_request(connection: socket.socket, request: Request) -> None:
    """From the front."""
    send(connection, REQUEST, [pickle.dumps((request.kind, request.arguments, request.then))])


def request_of(data: bytes) -> Request:
    """In the worker."""
    return Request(*pickle.loads(data))


def error_text(error: Exception) -> str:
    """An error as it travels; of one that is not ours, nothing does."""
    if not isinstance(error, TachyError):
        return json.dumps(["", ""])
    return json.dumps([type(error).__name__, str(error)])


def error_of(text: str | bytes) -> Exception:
    """The other way."""
    name, sentence = json.loads(text)
    kind = getattr(errors, name, None) if name else None
    if not (isinstance(kind, type) and issubclass(kind, TachyError)):
        return RuntimeError("a worker failed; what it logged says why")
    return kind(sentence)
