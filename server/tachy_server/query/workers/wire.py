"""What the front and its workers say to each other, over sockets that nobody else can reach.

*Control*, a SOCK_SEQPACKET pair per worker, a JSON object per message: the front says {"start": id}, with a query's
connection, and {"cancel": id, "error": …}; the worker says {"ready": its pid}, and {"over": id} of what was cancelled.
*A query's connection*, a SOCK_STREAM pair: the front sends its request, the worker frames. HEAD comes when the query is
planned; one that waits begins with the front's GO; then come CHUNKs and END, or ERROR at any time.

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

Part = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Request:
    """What a worker is to do. `then`: "end" when it is planned, "wait" for GO, or "run" at once."""

    kind: str
    arguments: dict[str, Any]
    then: str


def send(connection: socket.socket, kind: int, parts: Sequence[Part] = (), rows: int = 0) -> None:
    """One frame. Raises OSError when the other end is gone."""
    size = sum(len(part) for part in parts)
    pending: list[Part] = [_FRAME.pack(kind, rows, size), *parts]
    while pending:
        sent = connection.sendmsg(pending[:_PARTS])
        while pending and sent >= len(pending[0]):
            sent -= len(pending.pop(0))
        if sent:
            pending[0] = memoryview(pending[0])[sent:]


def receive(connection: socket.socket) -> tuple[int, int, bytes]:
    """A frame's kind, rows and bytes. Raises EOFError, or OSError, when the other end is gone."""
    kind, rows, size = _FRAME.unpack(_exactly(connection, _FRAME.size))
    return kind, rows, _exactly(connection, size) if size else b""


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = connection.recv(size, socket.MSG_WAITALL)
    while len(data) < size:  # a signal came, or the end
        more = connection.recv(size - len(data), socket.MSG_WAITALL)
        if not more:
            raise EOFError
        data += more
    return data


def send_request(connection: socket.socket, request: Request) -> None:
    """From the front."""
    send(connection, REQUEST, [pickle.dumps(request)])


def receive_request(connection: socket.socket) -> Request:
    """In the worker."""
    _, _, data = receive(connection)
    request: Request = pickle.loads(data)
    return request


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
