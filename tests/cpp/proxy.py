"""A TCP proxy that breaks connections: between the sender and a server whose answers it may swallow."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a connection. after: bytes of the request that still pass; answer: whether the answer does."""

    after: int | None = None
    answer: bool = True


class Proxy:
    """Listens at `url` and passes every connection on to `port`, with the fault that `faults(number)` gives it."""

    def __init__(self, port: int, faults: Callable[[int], Fault]) -> None:
        self.connections = 0
        self._port = port
        self._faults = faults
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Proxy:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        self._listener.settimeout(0.05)
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                fault = self._faults(self.connections)
                self.connections += 1
                self._start(self._serve, client, fault)

    def _serve(self, client: socket.socket, fault: Fault) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as server, contextlib.suppress(OSError):
            left = fault.after
            while not self._stopping.is_set():
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is server and not fault.answer:
                        _reset(client)
                        return
                    if ready is client and left is not None:
                        data = data[:left]
                        left -= len(data)
                    (client if ready is server else server).sendall(data)
                    if left == 0:
                        _reset(client)
                        return


def _reset(connection: socket.socket) -> None:
    """Ends a connection with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
