"""Arrow Flight over gRPC: the calls of FlightService, the statuses of their errors, and who has left.

pyarrow's own Flight server gives every error of a statement the status UNKNOWN, a text that ends in ". Detail: Failed",
and room for messages of any size; gRPC itself can do all three right.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn, Protocol
from urllib.parse import unquote

import grpc

from tachy_server.access.door import Door, key_in
from tachy_server.access.tls import Certificate
from tachy_server.base.errors import Cancelled, Denied, LimitError, NotFound, StoreError, TachyError, TookTooLong
from tachy_server.base.settings import Address
from tachy_server.base.who import Asked, Scope, Who, asked
from tachy_server.query.statement_size import MAX_STATEMENT_BYTES

log = logging.getLogger(__name__)

SERVICE: Final = "arrow.flight.protocol.FlightService"
MAX_CALLS: Final = 512
"""Calls at a time, a thread each; more are answered with RESOURCE_EXHAUSTED at once."""
MAX_MESSAGE: Final = MAX_STATEMENT_BYTES + (64 << 10)
"""What is larger, gRPC refuses before it is read."""
MAX_HEADERS: Final = 16 << 10
MAX_SENTENCE: Final = 1_500
"""Bytes: percent-encoded and, for Arrow, in base64, it has to fit the 8 KiB of trailers that clients take."""

_OPTIONS: Final = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_metadata_size", MAX_HEADERS),
    ("grpc.absolute_max_metadata_size", MAX_HEADERS),  # between the two, gRPC refuses by chance
    ("grpc.so_reuseport", 0),
]
_STATUS: Final[tuple[tuple[type[Exception], grpc.StatusCode], ...]] = (
    (LimitError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Cancelled, grpc.StatusCode.CANCELLED),
    (TookTooLong, grpc.StatusCode.DEADLINE_EXCEEDED),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (StoreError, grpc.StatusCode.UNAVAILABLE),
    (TachyError, grpc.StatusCode.INVALID_ARGUMENT),
)
_DENIED: Final = {"scope": grpc.StatusCode.PERMISSION_DENIED, "rate": grpc.StatusCode.RESOURCE_EXHAUSTED}

# arrow::StatusCode
_ARROW_IO_ERROR: Final = 5
_ARROW_STATUS: Final = {
    grpc.StatusCode.NOT_FOUND: 2,
    grpc.StatusCode.INVALID_ARGUMENT: 4,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 6,
}


class Call:
    """One call: who makes it, its headers, and whether its client is still there."""

    def __init__(self, context: grpc.ServicerContext, door: Door) -> None:
        """Raises Denied."""
        self.headers = _headers(context)
        self._context = context
        given = str(self.headers.get("authorization", ""))
        self._address, self._door = _address(context.peer()), door
        self.who: Who = door.enter(given, self._address)
        self.check("query")
        if given[:6].lower() == "basic ":  # drivers that send a password insist on a token: the key is one
            token = key_in(given) if door.needs_keys else "none"
            context.send_initial_metadata((("authorization", f"Bearer {token}"),))

    @property
    def asked(self) -> Asked:
        """How a query in it came."""
        return asked(self.who, self._address, self.headers)

    def check(self, scope: Scope) -> None:
        """Raises Denied for somebody whose key is for other things."""
        self._door.check(self.who, scope, self._address)

    @property
    def gone(self) -> bool:
        """The client has left, or its deadline has passed."""
        return not self._context.is_active()

    def when_over(self, work: Callable[[], None]) -> None:
        """Do something short when the call ends, from a thread of gRPC's; at once when it is over."""
        if not self._context.add_callback(work):
            work()


class Methods(Protocol):
    """What FlightService's methods do, on the bytes of their messages. Each may raise TachyErrors."""

    def get_flight_info(self, call: Call, request: bytes) -> bytes: ...  # noqa: D102 - Flight.proto documents them
    def get_schema(self, call: Call, request: bytes) -> bytes: ...  # noqa: D102
    def do_get(self, call: Call, request: bytes) -> Iterator[bytes]: ...  # noqa: D102
    def do_put(self, call: Call, requests: Iterator[bytes]) -> Iterator[bytes]: ...  # noqa: D102
    def do_exchange(self, call: Call, requests: Iterator[bytes]) -> Iterator[bytes]: ...  # noqa: D102
    def do_action(self, call: Call, request: bytes) -> Iterator[bytes]: ...  # noqa: D102
    def list_actions(self, call: Call, request: bytes) -> Iterator[bytes]: ...  # noqa: D102
    def list_flights(self, call: Call, request: bytes) -> Iterator[bytes]: ...  # noqa: D102
    def handshake(self, call: Call, requests: Iterator[bytes]) -> Iterator[bytes]: ...  # noqa: D102


class Server:
    """Listens from the moment it is made; `port` is the one it got (0 takes any free one), `calls` what is there."""

    def __init__(
        self,
        methods: Methods,
        address: Address,
        door: Door,
        certificate: Certificate | None,
        handshake_seconds: float,
    ) -> None:
        self._threads = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="tachy-flight")
        options = [*_OPTIONS, ("grpc.server_handshake_timeout_ms", int(handshake_seconds * 1000))]
        self._server = grpc.server(self._threads, options=options, maximum_concurrent_rpcs=MAX_CALLS)
        one, many = _answer(door), _answers(door)
        handlers = {
            "GetFlightInfo": grpc.unary_unary_rpc_method_handler(one(methods.get_flight_info)),
            "GetSchema": grpc.unary_unary_rpc_method_handler(one(methods.get_schema)),
            "DoGet": grpc.unary_stream_rpc_method_handler(many(methods.do_get)),
            "DoAction": grpc.unary_stream_rpc_method_handler(many(methods.do_action)),
            "ListActions": grpc.unary_stream_rpc_method_handler(many(methods.list_actions)),
            "ListFlights": grpc.unary_stream_rpc_method_handler(many(methods.list_flights)),
            "DoPut": grpc.stream_stream_rpc_method_handler(many(methods.do_put)),
            "DoExchange": grpc.stream_stream_rpc_method_handler(many(methods.do_exchange)),
            "Handshake": grpc.stream_stream_rpc_method_handler(many(methods.handshake)),
        }
        self.calls = tuple(handlers)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        try:
            if certificate is None:
                self.port = self._server.add_insecure_port(str(address))
            else:
                self.port = self._server.add_secure_port(str(address), certificate.for_grpc())
        except RuntimeError as error:
            raise StoreError(str(error)) from None
        self._server.start()

    def stop(self, seconds: float) -> None:
        """Take no more calls; those that have not ended within `seconds` are cut off."""
        stopped: threading.Event = self._server.stop(seconds)
        stopped.wait()
        self._threads.shutdown(wait=False)


_One = Callable[[Call, bytes], bytes]
_Many = Callable[[Call, Any], Iterator[bytes]]


def _answer(door: Door) -> Callable[[_One], Callable[[bytes, grpc.ServicerContext], bytes]]:
    """Makes a handler of a method with one answer: behind the door."""

    def made(method: _One) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                return method(Call(context, door), request)
            except Exception as error:
                status, sentence = status_of(error, context)
            return bytes(_abort(context, status, sentence))

        return answer

    return made


def _answers(door: Door) -> Callable[[_Many], Callable[[Any, grpc.ServicerContext], Iterator[bytes]]]:
    """The same, with several answers."""

    def made(method: _Many) -> Callable[[Any, grpc.ServicerContext], Iterator[bytes]]:
        def answers(request: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
            try:
                yield from method(Call(context, door), request)
                return
            except Exception as error:
                status, sentence = status_of(error, context)
            _abort(context, status, sentence)

        return answers

    return made


def _abort(context: grpc.ServicerContext, status: grpc.StatusCode, sentence: str) -> NoReturn:
    """Raises. Arrow's own clients put words of theirs around the sentence unless its trailers say what to raise."""
    code = _ARROW_STATUS.get(status, _ARROW_IO_ERROR)
    context.set_trailing_metadata(
        (("x-arrow-status", str(code)), ("x-arrow-status-message-bin", sentence.encode())),
    )
    context.abort(status, sentence)
    raise AssertionError("abort raises")


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    data = text.encode()
    return text if len(data) <= MAX_SENTENCE else data[:MAX_SENTENCE].decode(errors="ignore") + "…"


def _address(peer: str) -> str:
    """The IP address in gRPC's words for a client: ipv4:127.0.0.1:1234, ipv6:%5B::1%5D:1234."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")


def _headers(context: grpc.ServicerContext) -> dict[str, str | bytes]:
    return dict(context.invocation_metadata())


def status_of(error: Exception, context: grpc.ServicerContext) -> tuple[grpc.StatusCode, str]:
    """The status and the one sentence that a client gets; errors that are not ours are logged and not shown.

    pyarrow's reader answers CANCELLED with a SIGINT to its own program, so clients on gRPC for C++ get UNKNOWN.
    """
    if isinstance(error, Denied):
        return _DENIED.get(error.reason, grpc.StatusCode.UNAUTHENTICATED), _one_line(str(error))
    for kind, status in _STATUS:
        if isinstance(error, kind):
            if kind is Cancelled and "grpc-c++" in str(_headers(context).get("user-agent")):
                status = grpc.StatusCode.UNKNOWN
            return status, _one_line(str(error))
    log.error("a FlightSQL call failed", exc_info=error)
    return grpc.StatusCode.INTERNAL, "The server failed to answer; its log says why."
