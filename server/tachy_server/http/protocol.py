"""One HTTP connection: uvicorn's protocol, with the bounds that it has not.

- A request's head has a size, a number of headers and a time. The parser keeps what it has of a header to itself, so
  bytes are counted before they go into it.
- A connection without a request has a time, also before its first; when there are too many, the one that has waited
  longest makes room.
- A connection that is to be closed while its client still sends is closed for writing only, and read on for a while:
  closed at once, the system would answer what comes with a reset, and the client would lose the answer (RFC 9112, 9.6).

Small batches do not become tasks of the event loop (batches.py), and nothing here has a timer of its own: a look at all
connections, a few times a second, finds what is due.

To check: pytest tests/wire/test_connections.py.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
from collections.abc import Callable, Collection
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from tachy_server.base.settings import Settings
from tachy_server.http.batches import STOPPED, Answer, Batches

MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 100
MAX_PIPELINED = 16
LINGER_SECONDS = 30.0
LINGER_PAUSE = 5.0
GRACE_SECONDS = 10  # that open requests have when the server stops
_HELD_BYTES = 4096  # a head is smaller
_KEEP_ALIVE_SECONDS = 75  # longer than clients' pools keep a connection: they close it, not we under a request


_TICK = 0.2  # seconds between two looks at the connections
_COMING_SECONDS = 1.0  # that a small batch's body may take, before it is the app's

_TURNS = itertools.count()


class _RefusedError(Exception):
    """Ends the parser's work; send_400_response says why."""


class HttpProtocol(HttpToolsProtocol):
    """`make_config` fills in what is a setting."""

    head_timeout: float
    max_connections: int
    batches: Batches | None
    ticker: _Ticker

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        self._socket = transport
        self.url = b""
        self._receiving = False  # from a request's first byte to its last
        self._hurried = False  # its head is not whole, and has no time yet
        self._head_bytes = 0  # of headers and trailers that the parser has handed over
        self._held_bytes = 0  # at most so many are in the parser
        self._refusal = (400, "this is not a request of HTTP/1.1")
        self._until = 0.0
        self._then: Callable[[], None] | None = None  # what happens at that time
        self._coming: RequestResponseCycle | None = None  # a batch whose body is to come
        self._taken: RequestResponseCycle | None = None  # one that waits for ingest
        self._turn = next(_TURNS)  # of the last answer, among all connections' answers
        self._may_linger = True
        self._stopping = False  # what begins now is a task, which the server waits for
        self._lingering = False
        self._deaf = self._heard = False  # nothing that comes is read any more; something has come nevertheless
        self._linger_end = 0.0
        self._out = _Transport(transport, self)
        super().connection_made(cast(asyncio.Transport, self._out))
        self.ticker.watch(self.loop, self.connections)
        self._wait(self.head_timeout, transport.close)
        if len(self.connections) > self.max_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_waiting()
        if self._coming is not None and self.batches is not None:
            self.batches.drop(_scope(self._coming))
            self._coming = None
        if self._taken is not None:
            self._taken.disconnected = True
            self._taken.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or of several."""
        if self._deaf:
            self._heard = True
            return
        between = not self._receiving
        self._held_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._held_bytes > MAX_HEAD_BYTES:
            self._refuse_head()
            self.send_400_response("")
        elif self._hurried:  # most heads come whole: they need no timer
            self._hurried = False
            self._wait(self.head_timeout, self._late)
        elif between and not self._receiving and self._answered:
            self._wait(self.head_timeout, self._socket.close)

    def shutdown(self) -> None:
        """The server stops: who has his answer is not waited for."""
        self._may_linger = False
        self._stopping = True
        if self._lingering:
            self._socket.close()
        super().shutdown()
        self._let_go()
        if self._taken is not None and not self._taken.response_complete:
            task = self.loop.create_task(self._until_answered(self._taken))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    def finish(self) -> None:
        """Closes the connection, at once or when the client has had time to read its answer."""
        if self._lingering or not self._receiving or not self._may_linger or self._socket.is_closing():
            self._socket.close()
            return
        self._lingering = self._deaf = self._heard = True
        self._linger_end = self.loop.time() + LINGER_SECONDS
        if self._socket.can_write_eof():  # TLS has no half of a connection: the answer's own end has to do
            self._socket.write_eof()
        self.flow.resume_reading()
        self._linger_on()

    @property
    def lingering(self) -> bool:
        """Closed for everybody but the client's last bytes."""
        return self._lingering

    # What the parser finds ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._receiving = True
        self._head_bytes = 0
        self._hurried = self._answered
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request line."""
        super().on_url(url)
        if len(self.url) > MAX_HEAD_BYTES:
            self._refuse_head()
            raise _RefusedError

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) >= MAX_HEADERS:
            self._refuse_head()
            raise _RefusedError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole; how long the body may take is the app's affair."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _RefusedError
        self._stop_waiting()
        self._hurried = False
        self._held_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._held_bytes = 0
        if self._coming is None:
            super().on_body(body)
        else:  # there is room for it
            self._coming.body += body

    def on_message_complete(self) -> None:
        """A request's last byte, perhaps long after its answer."""
        self._receiving = False
        self._held_bytes = 0
        super().on_message_complete()
        if self.cycle.response_complete:
            self._wait(self.timeout_keep_alive, self._socket.close)
        elif self._coming is not None:
            cycle, self._coming = self._coming, None
            self._take(cycle)

    def on_response_complete(self) -> None:
        """An answer's last byte, perhaps long before its request's."""
        self.server_state.total_requests += 1
        self._turn = next(_TURNS)
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.cycle.response_complete:
            self._wait(LINGER_SECONDS if self._receiving else self.timeout_keep_alive, self._socket.close)

    # Batches ------------------------------------------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """A request's turn; perhaps its body is to come."""
        is_apps = self.batches is None or self._stopping or self.flow.write_paused or cycle.waiting_for_100_continue
        if is_apps or self.batches is None or not self.batches.admits(_scope(cycle)):
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._coming, self._coming_until = cycle, self.loop.time() + _COMING_SECONDS
        else:
            self._take(cycle)

    def _let_go(self) -> None:
        """What is coming becomes a request as others are."""
        if self._coming is not None and self.batches is not None:
            cycle, self._coming = self._coming, None
            self.batches.drop(_scope(cycle))
            if cycle.body:
                cycle.message_event.set()
            super()._start_asgi_task(cycle, self.app)

    def _take(self, cycle: RequestResponseCycle) -> None:
        assert self.batches is not None
        self._taken = cycle
        body, cycle.body = bytes(cycle.body), bytearray()
        self.batches.take(_scope(cycle), body, functools.partial(self._send, cycle))

    def _send(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        if cycle.disconnected or cycle.response_complete:
            return
        status, content, headers = answer
        cycle.response_started = cycle.response_complete = True
        cycle.keep_alive = cycle.keep_alive and "connection" not in headers
        text = json.dumps(content).encode()
        lines = [STATUS_LINE[status], *(b"%s: %s\r\n" % header for header in self.server_state.default_headers)]
        lines += [f"{name}: {value}\r\n".encode() for name, value in headers.items() if name != "connection"]
        lines += [b"" if cycle.keep_alive else b"connection: close\r\n"]
        lines += [b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(text), text]
        self._out.flush()  # of an answer before this one
        self._socket.write(b"".join(lines))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    async def _until_answered(self, cycle: RequestResponseCycle) -> None:
        """Ends with the answer, so that the server waits for that when it stops, but not for ever."""
        try:
            while not cycle.response_complete and not cycle.disconnected:
                cycle.message_event.clear()
                await cycle.message_event.wait()
        except asyncio.CancelledError:
            self._send(cycle, STOPPED)

    # Refusals -----------------------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """Answers what is no request, or the refusal that has been made of it, and closes the connection."""
        cycle = self.cycle
        if cycle is not None:
            unanswered = cycle.scope is self.scope and self._receiving and not cycle.response_started
            if unanswered and not self.pipeline:
                cycle.disconnected = True
                cycle.message_event.set()
            elif cycle.scope is self.scope and self._receiving:
                self._socket.abort()  # in the middle of the answer, or after it
                return
            elif not cycle.response_complete:  # of an earlier request, which is answered; after that it is over
                cycle.keep_alive = False
                self._deaf = self._receiving = True
                return
        self._receiving = True  # nobody will find the end of this request
        status, sentence = self._refusal
        body = json.dumps({"error": sentence}).encode()
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()

    def _refuse_head(self) -> None:
        if len(self.url) > MAX_HEAD_BYTES // 2:
            self._refusal = (414, f"a request's line and headers may have {MAX_HEAD_BYTES} bytes: send a shorter URL")
        else:
            most = f"{MAX_HEAD_BYTES} bytes, and there may be {MAX_HEADERS} headers"
            self._refusal = (431, f"a request's line and headers may have {most}: send less")

    def _late(self) -> None:
        self._refusal = (408, f"the request's head has not come within {self.head_timeout:g} s")
        self.send_400_response("")

    # Time and numbers ---------------------------------------------------------------------------------------------

    @property
    def _answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _linger_on(self) -> None:
        left = self._linger_end - self.loop.time()
        if self._heard and left > 0:
            self._heard = False
            self._wait(min(LINGER_PAUSE, left), self._linger_on)
        else:
            self._socket.close()

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._until, self._then = self.loop.time() + seconds, then

    def _stop_waiting(self) -> None:
        self._then = None

    def tick(self, now: float) -> None:
        """Does what is due."""
        if self._coming is not None and now >= self._coming_until:
            self._let_go()
        if self._then is not None and now >= self._until:
            then, self._then = self._then, None
            then()

    def _make_room(self) -> None:
        """Closes the connection that has waited longest for a request; refuses this one when all others have one."""
        others = [other for other in self.connections if isinstance(other, HttpProtocol) and other is not self]
        waiting = [other for other in others if other._answered]
        if waiting:
            min(waiting, key=lambda other: other._turn).transport.close()
        else:
            self._refusal = (503, f"all of the {self.max_connections} connections are in use: try again later")
            self.send_400_response("")


def _scope(cycle: RequestResponseCycle) -> Scope:
    return cast(Scope, cycle.scope)


class _Ticker:
    """Looks at a server's connections while there are any: timers of their own would be a tenth of a small request."""

    def __init__(self) -> None:
        self._runs = False

    def watch(self, loop: asyncio.AbstractEventLoop, connections: Collection[object]) -> None:
        """From when there is the first of these."""
        if not self._runs:
            self._runs = True
            loop.call_later(_TICK, self._tick, loop, connections)

    def _tick(self, loop: asyncio.AbstractEventLoop, connections: Collection[object]) -> None:
        now, self._runs = loop.time(), False
        if connections:
            self.watch(loop, connections)
        for one in tuple(connections):
            if isinstance(one, HttpProtocol):
                one.tick(now)


class _Transport:
    """What uvicorn has for the connection: everything is the socket's, but closing it is the protocol's, and an
    answer's head goes out with its body, where that comes in the same turn of the event loop.
    """

    def __init__(self, socket: asyncio.Transport, protocol: HttpProtocol) -> None:
        self._protocol = protocol
        self._socket = socket
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def write(self, data: bytes) -> None:
        if self._held:
            data, self._held = self._held + data, b""
        elif len(data) <= _HELD_BYTES:
            self._held = data
            self._protocol.loop.call_soon(self.flush)
            return
        self._socket.write(data)

    def flush(self) -> None:
        if self._held:
            data, self._held = self._held, b""
            self._socket.write(data)

    def is_closing(self) -> bool:
        return self._protocol.lingering or self._socket.is_closing()

    def close(self) -> None:
        self.flush()
        self._protocol.finish()


def make_config(settings: Settings, app: ASGIApp, taking: Batches | None = None) -> uvicorn.Config:
    """How uvicorn runs the app; `taking`: what takes small batches without it."""

    class Protocol(HttpProtocol):
        head_timeout = settings.head_timeout
        max_connections = settings.http_connections
        batches = taking
        ticker = _Ticker()

    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
