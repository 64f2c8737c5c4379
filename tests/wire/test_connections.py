"""What a connection costs at most, whatever its client sends, and that an answer arrives at one that still sends."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from tachy_server.base.settings import Settings
from tachy_server.http import protocol
from tachy_server.http.protocol import MAX_HEADERS, make_config
from uvicorn.server import ServerState

from tests.waiting import until


class App:
    """Answers at once, reading no body; /read reads it first; /wait waits until somebody asks for /go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = scope["path"].encode()
        if scope["path"] == "/read":
            size = 0
            more = True
            while more:
                message = await receive()
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
            text = str(size).encode()
        elif scope["path"] == "/wait":
            await self.go.wait()
        elif scope["path"] == "/go":
            self.go.set()
        headers = [(b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": text})


class Served(NamedTuple):
    """A server with that app and the real connections."""

    port: int
    state: ServerState

    def wait_for_connections(self, number: int) -> None:
        """Returns once there are so many."""
        until(lambda: len(self.state.connections) == number, lambda: len(self.state.connections))


@contextmanager
def serving(**settings: float) -> Iterator[Served]:
    config = make_config(Settings(**settings), App())  # type: ignore[arg-type]
    config.port = 0
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield Served(server.servers[0].sockets[0].getsockname()[1], server.server_state)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as served:
        yield served.port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of what the server says, up to the end of the connection."""
    data = b""
    while part := connection.recv(1 << 16):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    return (int(head.split(b" ")[1]), body) if head else (0, b"")


# --- the answer arrives at a client that still sends


BIG = 70_000_000


@pytest.mark.parametrize("headers", [{}, {"connection": "close"}])
def test_an_early_answer_arrives_at_a_client_that_sends_everything_first(port: int, headers: dict[str, str]) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    client.request("POST", "/early", body=bytes(BIG), headers=headers)
    got = client.getresponse()
    assert (got.status, got.read()) == (403, b"/early")
    client.close()


def test_an_early_answer_arrives_at_urllib(port: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/early", data=bytes(BIG)), timeout=60)
    assert (caught.value.code, caught.value.read()) == (403, b"/early")


def test_an_early_answer_arrives_at_http_1_0(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"POST /early HTTP/1.0\r\ncontent-length: %d\r\n\r\n" % BIG + bytes(BIG))
        assert answer(client) == (403, b"/early")


def test_after_an_early_answer_the_connection_serves_the_next_request(port: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    client.request("POST", "/early", body=bytes(10_000_000))
    assert client.getresponse().read() == b"/early"
    connection = client.sock
    client.request("POST", "/read", body=bytes(12_345))
    assert client.getresponse().read() == b"12345"
    assert client.sock is connection
    client.close()


def test_who_does_not_stop_sending_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.5)
    for headers in (b"", b"connection: close\r\n"):
        with serving() as served, connect(served.port) as client:
            client.sendall(b"POST /early HTTP/1.1\r\nhost: x\r\n" + headers + b"content-length: 99999999999\r\n\r\n")
            assert b" 403 " in client.recv(4096)
            with suppress(ConnectionError):
                while served.state.connections:
                    client.sendall(bytes(1 << 16))
            served.wait_for_connections(0)


def test_who_stops_sending_is_left_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LINGER_PAUSE", 0.2)
    with serving() as served, connect(served.port) as client:
        client.sendall(b"POST /early HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000\r\n\r\nabc")
        assert answer(client) == (403, b"/early")
        served.wait_for_connections(0)


def test_a_stop_does_not_wait_for_clients_that_have_their_answer() -> None:
    with serving() as served:
        clients = [connect(served.port) for _ in range(2)]
        for client, headers in zip(clients, (b"", b"connection: close\r\n"), strict=True):
            client.sendall(b"POST /early HTTP/1.1\r\nhost: x\r\n" + headers + b"content-length: 1000\r\n\r\nabc")
            assert b" 403 " in client.recv(4096)
        begin = time.monotonic()
    assert time.monotonic() - begin < protocol.LINGER_PAUSE
    for client in clients:
        client.close()


# --- a head has bounds


def many(size: int) -> Iterator[bytes]:
    """Headers of that many bytes."""
    for number in range(size >> 10):
        yield b"h%d: " % number + b"v" * 1000 + b"\r\n"


def one(size: int) -> Iterator[bytes]:
    """One header of that many bytes."""
    yield b"h: "
    for _ in range(size >> 10):
        yield b"v" * 1024


def name(size: int) -> Iterator[bytes]:
    """One header without an end to its name."""
    for _ in range(size >> 10):
        yield b"n" * 1024


def tiny(size: int) -> Iterator[bytes]:
    """As many headers as go into that many bytes."""
    for _ in range(size >> 2):
        yield b"a:\r\n"


@pytest.mark.parametrize("headers", [many, one, name, tiny])
def test_headers_beyond_the_bounds_are_answered_431(port: int, headers: Callable[[int], Iterator[bytes]]) -> None:
    with connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n" + b"".join(headers(20_000_000)))
        status, body = answer(client)
    assert status == 431
    assert str(protocol.MAX_HEAD_BYTES) in json.loads(body)["error"]


def test_a_request_line_beyond_the_bounds_is_answered_414(port: int) -> None:
    for target in (b"/" + b"x" * 20_000_000, b"/?" + b"x" * 70_000):
        with connect(port) as client:
            client.sendall(b"GET " + target + b" HTTP/1.1\r\nhost: x\r\n\r\n")
            assert answer(client)[0] == 414


def test_headers_within_the_bounds_are_taken(port: int) -> None:
    lines = b"".join(b"h%d: " % number + b"v" * 600 + b"\r\n" for number in range(MAX_HEADERS - 2))
    with connect(port) as client:
        client.sendall(b"GET /all HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + lines + b"\r\n")
        assert answer(client) == (403, b"/all")


def test_trailers_have_the_same_bounds(port: int) -> None:
    for trailers in (many, one, name, tiny):
        with connect(port) as client:
            client.sendall(b"POST /read HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")
            client.sendall(b"".join(trailers(2_000_000)))
            assert answer(client)[0] == 431


def test_nothing_but_line_ends_is_no_request(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"\r\n" * 100_000)
        assert answer(client)[0] == 431


def test_a_request_that_is_none_gets_a_sentence(port: int) -> None:
    for nothing in (
        b"\x16\x03\x01\x02\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\na\0: b\r\n\r\n",
    ):
        with connect(port) as client:
            client.sendall(nothing)
            status, body = answer(client)
            assert status == 400
            assert json.loads(body)["error"]


def test_what_follows_a_request_and_is_none_does_not_cost_its_answer(port: int) -> None:
    with connect(port) as client, connect(port) as other:
        client.sendall(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n" + b"GET / HTTP/1.1\r\n" + b"".join(tiny(10_000)))
        other.sendall(b"GET /go HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert answer(other) == (403, b"/go")
        assert answer(client) == (403, b"/wait")


def test_requests_that_come_ahead_of_their_answers_are_bounded(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"GET /early HTTP/1.1\r\nhost: x\r\n\r\n" * 5_000)
        _, rest = answer(client)
        assert rest.count(b"/early") == protocol.MAX_PIPELINED + 1


def test_requests_that_come_together_are_answered_in_their_order(port: int) -> None:
    with connect(port) as client:
        paths = [f"/{number}" for number in range(protocol.MAX_PIPELINED)]
        client.sendall("".join(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n" for path in paths).encode())
        data = b""
        while data.count(b"HTTP/1.1 403") < len(paths) or not data.endswith(paths[-1].encode()):
            data += client.recv(4096)
        assert [
            part[-len(path) :].decode() for part, path in zip(data.split(b"HTTP/1.1 ")[1:], paths, strict=True)
        ] == paths


# --- waiting has bounds


def test_a_head_that_does_not_come_on_is_answered_408() -> None:
    with serving(head_timeout=0.3) as served:
        with connect(served.port) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n")
            assert answer(client)[0] == 408
        with connect(served.port) as client:  # nor one that comes a byte at a time
            client.sendall(b"GET / HTTP/1.1\r\nx: ")
            client.settimeout(0.01)
            data = b""
            while b" 408 " not in data:
                client.sendall(b"x")
                try:
                    data += client.recv(4096)
                except TimeoutError:
                    continue


def test_a_connection_without_a_request_ends() -> None:
    with serving(head_timeout=0.3) as served:
        for nothing in (b"", b"\r\n"):
            with connect(served.port) as client:
                client.sendall(nothing)
                assert answer(client) == (0, b"")


def test_a_request_that_is_being_answered_is_not_hurried() -> None:
    """Neither by the time that its head had, nor by bytes of the next one."""
    with serving(head_timeout=0.2) as served, connect(served.port) as slow, connect(served.port) as other:
        slow.sendall(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n\r\n")
        assert answer(other) == (0, b"")  # its time is over
        with connect(served.port) as third:
            assert answer(third) == (0, b"")
        with connect(served.port) as last:
            last.sendall(b"GET /go HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert answer(last) == (403, b"/go")
        assert slow.recv(4096).endswith(b"/wait")


def test_of_too_many_connections_the_one_that_has_waited_longest_ends() -> None:
    with serving(http_connections=3) as served:
        busy, *idle = [connect(served.port) for _ in range(3)]
        served.wait_for_connections(3)
        busy.sendall(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        idle[0].sendall(b"GET /used HTTP/1.1\r\nhost: x\r\n\r\n")
        assert idle[0].recv(4096).endswith(b"/used")
        with connect(served.port) as new:
            assert answer(idle[1]) == (0, b"")
            new.sendall(b"GET /go HTTP/1.1\r\nhost: x\r\n\r\n")
            assert new.recv(4096).endswith(b"/go")
            assert busy.recv(4096).endswith(b"/wait")
        for connection in (busy, *idle):
            connection.close()


def test_when_all_connections_are_in_use_one_more_is_answered_503() -> None:
    with serving(http_connections=2) as served:
        busy = [connect(served.port) for _ in range(2)]
        for connection in busy:
            connection.sendall(b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n")
            assert b" 100 " in connection.recv(4096)
        with connect(served.port) as new:
            assert answer(new)[0] == 503
        for connection in busy:
            connection.sendall(b"abc")
            assert connection.recv(4096).endswith(b"3")
            connection.close()
