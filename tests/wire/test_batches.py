"""Batches that come whole are taken by the connection, all others by the app: who sends sees no difference."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn
from tachy_server.access.door import Door
from tachy_server.base.bodies import MemoryBudget
from tachy_server.base.errors import ConflictError, StoreError, TachyError
from tachy_server.base.settings import Settings
from tachy_server.http import protocol
from tachy_server.http.app import make_app
from tachy_server.http.batches import BATCH_PATH
from tachy_server.http.protocol import make_config
from tachy_server.ingest.ingest import Receipt, Status
from tachy_server.services import Services

from tests.waiting import until

Answered = Callable[[Receipt | TachyError], None]
SIZES = pytest.mark.parametrize("size", [1, 5_000, 100_000, 300_000])  # the last one is the app's


class Ingest:
    """Answers at once, or when it is told to; a body says with what."""

    def __init__(self) -> None:
        self.bodies = MemoryBudget(1 << 20)
        self.sizes: list[int] = []
        self.waits = False
        self.waiting: list[tuple[asyncio.AbstractEventLoop, Answered, Receipt | TachyError]] = []

    def take(self, body: bytes, stamp: Mapping[str, str], answer: Answered) -> None:
        self.sizes.append(len(body))
        results: dict[bytes, Receipt | TachyError] = {
            b"c": ConflictError("there is another"), b"s": StoreError("it is away"),
        }  # fmt: skip
        result = results.get(body[:1], Receipt(uuid.UUID(int=len(body)), Status.STORED, "flush=1s"))
        if self.waits:
            self.waiting.append((asyncio.get_running_loop(), answer, result))
        else:
            asyncio.get_running_loop().call_soon(answer, result)

    async def submit(self, body: bytes, stamp: Mapping[str, str]) -> Receipt:
        future: asyncio.Future[Receipt | TachyError] = asyncio.get_running_loop().create_future()
        self.take(body, stamp, future.set_result)
        result = await future
        if isinstance(result, TachyError):
            raise result
        return result

    def go(self) -> None:
        """All that wait have their answers."""
        self.waits = False
        while self.waiting:
            loop, answer, result = self.waiting.pop(0)
            loop.call_soon_threadsafe(answer, result)


@dataclass
class Served:
    port: int
    ingest: Ingest
    server: uvicorn.Server
    tasks: list[int] = field(default_factory=list)
    """How many requests were the app's, one number for each time that it was asked."""

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@contextmanager
def serving(*, grace: int = 60, held: float = 60.0, **settings: Any) -> Iterator[Served]:
    """`grace`: seconds that requests have when it stops; `held`: that a small batch's body may take."""
    ingest, chosen = Ingest(), Settings(**settings)
    services = SimpleNamespace(settings=chosen, door=Door(list), ingest=ingest, problems=dict)
    app = make_app(cast(Services, services), [])
    tasks: list[int] = []

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        tasks.append(1)
        await app(scope, receive, send)

    config = make_config(chosen, counting, app.batches)
    config.port = 0
    config.timeout_graceful_shutdown = grace
    server = uvicorn.Server(config)
    monkeypatch = pytest.MonkeyPatch()
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        monkeypatch.setattr(protocol, "_COMING_SECONDS", held)
        yield Served(server.servers[0].sockets[0].getsockname()[1], ingest, server, tasks)
    finally:
        monkeypatch.undo()
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
        assert ingest.bodies.used == 0 or ingest.waiting, "all room has been given back"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as made:
        yield made


def head(size: int, more: str = "") -> bytes:
    kind = "content-type: application/octet-stream"
    return f"POST {BATCH_PATH} HTTP/1.1\r\nhost: localhost\r\n{kind}\r\ncontent-length: {size}\r\n{more}\r\n".encode()


def answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer; no more than that may have come."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = client.recv(1)
        assert part, data
        data += part
    first, *lines = data.decode().strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    body = b""
    while len(body) < int(headers["content-length"]):
        body += client.recv(int(headers["content-length"]) - len(body))
    return int(first.split()[1]), headers, body


@SIZES
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_a_batch_is_answered_however_it_is_cut(served: Served, size: int, parts: int) -> None:
    before = len(served.tasks)
    with served.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(3):
            data = head(size) + b"x" * size
            step = len(data) // parts + 1
            for at in range(0, len(data), step):
                client.sendall(data[at : at + step])
                time.sleep(0.01 * (parts > 1))
            status, headers, body = answer(client)
            assert (status, headers["tachy-control"], headers["content-type"]) == (200, "flush=1s", "application/json")
            assert body == b'{"batch_id": "%s", "status": "stored"}' % str(uuid.UUID(int=size)).encode()
            assert "date" in headers
            assert served.ingest.sizes[-1] == size
    assert len(served.tasks) - before == (3 if size == 300_000 else 0)


@SIZES
@pytest.mark.parametrize(("first", "status", "retry"), [(b"c", 409, None), (b"s", 503, "2")])
def test_refusals_of_ingest(served: Served, size: int, first: bytes, status: int, retry: str | None) -> None:
    with served.connect() as client:
        client.sendall(head(size) + first * size)
        got, headers, body = answer(client)
        assert (got, headers.get("retry-after")) == (status, retry)
        assert body in (b'{"error": "there is another"}', b'{"error": "it is away"}')
        client.sendall(head(3) + b"abc")
        assert answer(client)[0] == 200, "the connection goes on"


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (head(5).replace(b"host: localhost", b"host: evil"), 403),
        (head(5).replace(b"POST", b"PUT"), 405),
        (head(5).replace(b"octet-stream", b"json"), 415),
        (head(5).replace(b"content-length: 5", b"content-length: 999999999999"), 413),
        (head(5, "authorization: a\r\nauthorization: b\r\n"), 400),
        (head(5).replace(b"content-length: 5", b"transfer-encoding: chunked"), 411),
    ],
)
def test_a_head_that_is_refused_is_answered_before_its_body(served: Served, request_head: bytes, status: int) -> None:
    with served.connect() as client:
        client.sendall(request_head)
        assert answer(client)[0] == status


def test_a_client_that_wants_to_be_asked_first_is_asked(served: Served) -> None:
    with served.connect() as client:
        client.sendall(head(5, "expect: 100-continue\r\n"))
        assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abcde")
        assert answer(client)[0] == 200


def test_a_connection_that_is_to_be_closed_is(served: Served) -> None:
    with served.connect() as client:
        client.sendall(head(5, "connection: close\r\n") + b"abcde")
        status, headers, _ = answer(client)
        assert (status, headers["connection"]) == (200, "close")
        assert client.recv(1) == b""


def test_requests_that_come_together_are_answered_in_their_order(served: Served) -> None:
    health = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    sizes = [3, 300_000, 4, 5, 100_000]
    with served.connect() as client:
        client.sendall(b"".join(head(size) + bytes(size) + health for size in sizes))
        for size in sizes:
            assert str(uuid.UUID(int=size)).encode() in answer(client)[2]
            assert answer(client)[2] == b'{"status":"ok"}'


def test_what_comes_slowly_becomes_the_apps() -> None:
    """Which bounds how long a body may take."""
    with serving(held=0.1) as served, served.connect() as client:
        client.sendall(head(600) + bytes(300))
        until(lambda: len(served.tasks) == 1)
        client.sendall(bytes(300))
        assert answer(client)[0] == 200
    with serving(held=0.1, body_timeout=0.5, body_rate=1_000) as served, served.connect() as client:
        client.sendall(head(6_000) + bytes(3_000))
        status, headers, body = answer(client)
        assert (status, headers["connection"]) == (408, "close")
        assert b"has not come on for 0.5 s" in body


def test_where_there_is_no_room_the_app_waits_for_some() -> None:
    with serving(ingest_queue_wait=0.3) as served, served.connect() as client:
        assert served.ingest.bodies.take(1 << 20)
        client.sendall(head(5) + b"abcde")
        assert answer(client)[0] == 503
        served.ingest.bodies.give(1 << 20)
    with serving(ingest_queue_wait=60) as served, served.connect() as client:
        assert served.ingest.bodies.take(1 << 20)
        client.sendall(head(5) + b"abcde")
        until(lambda: served.ingest.bodies.full)
        served.server.servers[0].get_loop().call_soon_threadsafe(served.ingest.bodies.give, 1 << 20)
        assert answer(client)[0] == 200


def test_who_leaves_with_others_behind_him_costs_nobody_an_answer(served: Served) -> None:
    """The connection is gone when ingest answers the first of its requests, in a group with somebody else's."""
    served.ingest.waits = True
    try:
        with served.connect() as other:
            with served.connect() as gone:
                broken = head(5).replace(b"content-length: 5", b"transfer-encoding: chunked") + b"nothing\r\n"
                gone.sendall(head(4) + bytes(4) + broken)
                until(lambda: len(served.ingest.waiting) == 1)
            other.sendall(head(3) + bytes(3))
            until(lambda: len(served.ingest.waiting) == 2)
            until(lambda: len(served.server.server_state.connections) == 1)
            served.ingest.go()
            assert answer(other)[0] == 200
    finally:
        served.ingest.go()
    until(lambda: served.ingest.bodies.used == 0)


def test_who_does_not_read_his_answers_has_the_app_wait_for_him(served: Served) -> None:
    """What waits to be written is bounded."""
    before, state = len(served.tasks), served.server.server_state
    until(lambda: not state.connections)
    with served.connect() as client:
        until(lambda: len(state.connections) == 1)
        (connection,) = state.connections
        connection.flow.pause_writing()
        client.sendall(head(3) + b"abc")
        until(lambda: len(served.tasks) == before + 1)
        served.server.servers[0].get_loop().call_soon_threadsafe(connection.flow.resume_writing)
        assert answer(client)[0] == 200


def test_who_leaves_gives_his_room_back(served: Served) -> None:
    served.ingest.waits = True
    try:
        with served.connect() as half, served.connect() as whole:
            half.sendall(head(5_000) + bytes(100))
            whole.sendall(head(5_000) + bytes(5_000))
            until(lambda: served.ingest.bodies.used == 10_000)
        until(lambda: served.ingest.bodies.used == 5_000, lambda: served.ingest.bodies.used)
    finally:
        served.ingest.go()
    until(lambda: served.ingest.bodies.used == 0)


@pytest.mark.parametrize("in_time", [True, False])
@pytest.mark.parametrize("size", [5, 300_000])
def test_a_server_that_stops_waits_a_while_for_what_it_has(in_time: bool, size: int) -> None:
    with serving(grace=60 if in_time else 1) as served, served.connect() as client:
        served.ingest.waits = True
        client.sendall(head(size) + bytes(size))
        until(lambda: len(served.ingest.waiting) == 1)
        served.server.should_exit = True
        if in_time:
            time.sleep(0.4)
            served.ingest.go()
        status, headers, body = answer(client)
        assert (status, headers["connection"]) == (200 if in_time else 503, "close")
        assert in_time or body == b'{"error": "The server is stopping."}'


def test_a_server_that_stops_takes_what_has_half_come() -> None:
    with serving() as served, served.connect() as client:
        client.sendall(head(5) + b"ab")
        until(lambda: served.ingest.bodies.used == 5)
        served.server.should_exit = True
        until(lambda: len(served.tasks) == 1)
        client.sendall(b"cde")
        status, headers, _ = answer(client)
        assert (status, headers["connection"]) == (200, "close")
