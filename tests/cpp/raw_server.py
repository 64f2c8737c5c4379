"""A server that answers with the bytes that a test gives it, in the pieces in which it gives them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import BinaryIO, NamedTuple

from tachy_server.formats import reader

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Said(NamedTuple):
    """To one request. early: before its body is read, which is thrown away; closes: the connection, afterwards."""

    pieces: Sequence[bytes] = (OK,)
    closes: bool = False
    early: bool = False


def read_head(stream: BinaryIO) -> bytes:
    """Of a request; empty: there is no more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        head += line
    return head


class RawServer:
    """A context manager; `url` is where it listens. What comes after the given answers is answered with 200."""

    def __init__(self, answers: Sequence[Said], host: str = "127.0.0.1") -> None:
        self.connections = 0
        self.heads: list[str] = []
        self.spans: dict[bytes, int] = {}  # by batch
        self._answers = list(answers)
        self._lock = threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> RawServer:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while head := read_head(stream):
                with self._lock:
                    self.heads.append(head.decode())
                    said = self._answers.pop(0) if self._answers else Said()
                size = int(head.lower().partition(b"content-length:")[2].split()[0])
                if not said.early:
                    batch = reader.check_batch(stream.read(size))
                    self.spans[batch.batch_id] = sum(block.events for _, _, block in batch.blocks if block.cls == 3)
                for piece in said.pieces:
                    connection.sendall(piece)
                if said.early:
                    stream.read()
                if said.closes or said.early:
                    return
