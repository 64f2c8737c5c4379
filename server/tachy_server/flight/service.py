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

import grpc

from tachy_server.base.errors import Cancelled, LimitError, NotFound, StoreError, TachyError, TookTooLong
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

# arrow::StatusCode
_ARROW_IO_ERROR: Final = 5
_ARROW_STATUS: Final = {
    grpc.StatusCode.NOT_FOUND: 2,
    grpc.StatusCode.INVALID_ARGUMENT: 4,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 6,
}


class Call:
    """One call: its headers, and whether its client is still there."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self.headers = _headers(context)
        self._context = context

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
    """Listens from the moment it is made; `port` is the one it got (0 takes any free one)."""

    def __init__(self, methods: Methods, host: str, port: int) -> None:
        self._threads = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="tachy-flight")
        self._server = grpc.server(self._threads, options=_OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        handlers = {
            "GetFlightInfo": grpc.unary_unary_rpc_method_handler(_answer(methods.get_flight_info)),
            "GetSchema": grpc.unary_unary_rpc_method_handler(_answer(methods.get_schema)),
            "DoGet": grpc.unary_stream_rpc_method_handler(_answers(methods.do_get)),
            "DoAction": grpc.unary_stream_rpc_method_handler(_answers(methods.do_action)),
            "ListActions": grpc.unary_stream_rpc_method_handler(_answers(methods.list_actions)),
            "ListFlights": grpc.unary_stream_rpc_method_handler(_answers(methods.list_flights)),
            "DoPut": grpc.stream_stream_rpc_method_handler(_answers(methods.do_put)),
            "DoExchange": grpc.stream_stream_rpc_method_handler(_answers(methods.do_exchange)),
            "Handshake": grpc.stream_stream_rpc_method_handler(_answers(methods.handshake)),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        try:
            self.port = self._server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError as error:
            raise StoreError(str(error)) from None
        self._server.start()

    def stop(self, seconds: float) -> None:
        """Take no more calls; those that have not ended within `seconds` are cut off."""
        stopped: threading.Event = self._server.stop(seconds)
        stopped.wait()
        self._threads.shutdown(wait=False)


def _answer(method: Callable[[Call, bytes], bytes]) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            _welcome(context)
            return method(Call(context), request)
        except Exception as error:
            status, sentence = status_of(error, context)
        return bytes(_abort(context, status, sentence))

    return answer


def _answers(method: Callable[[Call, Any], Iterator[bytes]]) -> Callable[[Any, grpc.ServicerContext], Iterator[bytes]]:
    def answers(request: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            _welcome(context)
            yield from method(Call(context), request)
            return
        except Exception as error:
            status, sentence = status_of(error, context)
        _abort(context, status, sentence)

    return answers


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


def _welcome(context: grpc.ServicerContext) -> None:
    """Nobody is asked who he is; drivers that send a password insist on a token."""
    given = _headers(context).get("authorization", "")
    if str(given).startswith("Basic "):
        context.send_initial_metadata((("authorization", "Bearer none"),))


def _headers(context: grpc.ServicerContext) -> dict[str, str | bytes]:
    return dict(context.invocation_metadata())


def status_of(error: Exception, context: grpc.ServicerContext) -> tuple[grpc.StatusCode, str]:
    """The status and the one sentence that a client gets; errors that are not ours are logged and not shown.

    pyarrow's reader answers CANCELLED with a SIGINT to its own program, so clients on gRPC for C++ get UNKNOWN.
    """
    for kind, status in _STATUS:
        if isinstance(error, kind):
            if kind is Cancelled and "grpc-c++" in str(_headers(context).get("user-agent")):
                status = grpc.StatusCode.UNKNOWN
            return status, _one_line(str(error))
    log.error("a FlightSQL call failed", exc_info=error)
    return grpc.StatusCode.INTERNAL, "The server failed to answer; its log says why."
