"""A handshake of TLS has a time, counts as a connection, and loses nothing of the request that comes with its end."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tachy_server.access.refusals import Refusals
from tachy_server.access.tls import Certificate
from tachy_server.base.settings import Settings
from tachy_server.http.handshakes import Server
from tachy_server.http.protocol import make_config

from tests.cpp.test_transports import certificate
from tests.waiting import until
from tests.wire.test_connections import App, answer, connect


class Served(Server):
    """In a thread of its own, with the app of the tests of connections."""

    def __init__(self, context: ssl.SSLContext, **settings: float) -> None:
        self.refused = Refusals()
        chosen = Settings(**settings)  # type: ignore[arg-type]
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        super().__init__(make_config(chosen, App()), listener, chosen, self.refused, context)

    def wait_for_connections(self, number: int) -> None:
        """Of those that have shaken hands."""
        until(lambda: len(self.server_state.connections) == number)

    def wait_for_refusals(self, counts: dict[str, int]) -> None:
        until(lambda: self.refused.stats() == counts, self.refused.stats)


@contextmanager
def serving(context: ssl.SSLContext, **settings: float) -> Iterator[Served]:
    server = Served(context, **settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield server
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def context(files: tuple[Path, Path]) -> ssl.SSLContext:
    """The server's."""
    return Certificate(str(files[0]), str(files[1])).context


def shake_hands(port: int, file: Path) -> ssl.SSLSocket:
    return ssl.create_default_context(cafile=str(file)).wrap_socket(connect(port), server_hostname="127.0.0.1")


def test_requests_arrive_over_tls_however_soon_they_come(context: ssl.SSLContext, files: tuple[Path, Path]) -> None:
    """The last message of a handshake and a request may come in one piece."""
    trust = ssl.create_default_context(cafile=str(files[0]))
    with serving(context) as served:
        for number in range(20):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = trust.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            with connect(served.port) as client:
                while True:
                    try:
                        tls.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        client.sendall(outgoing.read())
                        incoming.write(client.recv(1 << 16))
                tls.write(f"GET /{number} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
                client.sendall(outgoing.read())
                data = b""
                while not data.endswith(f"/{number}".encode()):
                    try:
                        data += tls.read()
                    except ssl.SSLWantReadError:
                        incoming.write(client.recv(1 << 16))
        served.wait_for_connections(0)
        assert served.refused.stats() == {}


def test_a_handshake_that_does_not_come_on_ends_and_is_counted(
    context: ssl.SSLContext, files: tuple[Path, Path]
) -> None:
    with serving(context, head_timeout=0.3) as served:
        for begun in (b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00"):
            with connect(served.port) as client:
                client.sendall(begun)
                assert answer(client) == (0, b"")
        assert served.refused.stats() == {"tls_late": 3}
        with connect(served.port) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            with suppress(ConnectionResetError, IndexError):  # an alert
                answer(client)
        served.wait_for_refusals({"tls_late": 3, "tls": 1})
        with connect(served.port):
            pass  # who leaves is not refused
        with shake_hands(served.port, files[0]) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert answer(client) == (403, b"/")
        assert served.refused.stats() == {"tls_late": 3, "tls": 1}


def test_handshakes_are_connections_of_which_there_may_be_so_many(
    context: ssl.SSLContext, files: tuple[Path, Path]
) -> None:
    with serving(context, http_connections=3) as served, shake_hands(served.port, files[0]) as busy:
        busy.sendall(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        served.wait_for_connections(1)
        stalled = [connect(served.port) for _ in range(8)]
        for connection in stalled[:6]:
            with suppress(ConnectionResetError):
                assert answer(connection) == (0, b"")
        with shake_hands(served.port, files[0]) as client:
            client.sendall(b"GET /go HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert answer(client)[1] == b"/go"
        data = b""
        while not data.endswith(b"/wait"):
            data += busy.recv(4096)
        for connection in stalled:
            connection.close()
