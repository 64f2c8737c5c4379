"""Errors reach gRPC clients with the status that they have and one sentence; what is too large is refused at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import pyarrow as pa
import pytest
from google.protobuf.message import Message
from pyarrow import flight
from tachy_server.base.errors import Cancelled, LimitError, NotFound, QueryError, StoreError, TookTooLong
from tachy_server.flight import messages
from tachy_server.flight.messages import Action, FlightData, FlightDescriptor, Ticket, decode, encode
from tachy_server.flight.service import SERVICE
from tachy_server.query.statement_size import MAX_STATEMENT_BYTES

from tests.wire.fake_engine import FakeEngine

_KINDS: list[tuple[Exception, str]] = [
    (QueryError("A sentence."), "INVALID_ARGUMENT"),
    (LimitError("A sentence."), "RESOURCE_EXHAUSTED"),
    (NotFound("A sentence."), "NOT_FOUND"),
    (StoreError("A sentence."), "UNAVAILABLE"),
    (Cancelled("A sentence."), "CANCELLED"),
    (TookTooLong("A sentence."), "DEADLINE_EXCEEDED"),
]


class Caller:
    """Calls FlightService with plain gRPC."""

    def __init__(self, uri: str) -> None:
        options = [("grpc.max_send_message_length", -1), ("grpc.max_metadata_size", 1 << 30)]
        self._channel = grpc.insecure_channel(uri.removeprefix("grpc://"), options)

    def close(self) -> None:
        self._channel.close()

    def unary(self, name: str, request: bytes, **headers: str) -> bytes:
        call = self._channel.unary_unary(f"/{SERVICE}/{name}")
        answer: bytes = call(request, metadata=list(headers.items()), timeout=60)
        return answer

    def stream(self, name: str, request: bytes) -> list[bytes]:
        return list(self._channel.unary_stream(f"/{SERVICE}/{name}")(request, timeout=60))

    def put(self, request: bytes) -> list[bytes]:
        return list(self._channel.stream_stream(f"/{SERVICE}/DoPut")(iter([request]), timeout=60))


@pytest.fixture
def caller(uri: str) -> Iterator[Caller]:
    made = Caller(uri)
    yield made
    made.close()


def _descriptor(command: Message) -> bytes:
    return encode(FlightDescriptor(type=2, cmd=messages.pack(command)))


def _door(caller: Caller, door: str, sql: str) -> object:
    statement = messages.CommandStatementQuery(query=sql)
    prepared = messages.CommandPreparedStatementQuery(prepared_statement_handle=sql.encode())
    match door:
        case "GetFlightInfo":
            return caller.unary(door, _descriptor(statement))
        case "GetFlightInfo, prepared":
            return caller.unary("GetFlightInfo", _descriptor(prepared))
        case "GetSchema":
            return caller.unary(door, _descriptor(statement))
        case "DoGet, a command":
            return caller.stream("DoGet", encode(Ticket(ticket=messages.pack(statement))))
        case "DoGet, SQL itself":
            return caller.stream("DoGet", encode(Ticket(ticket=sql.encode())))
        case "DoAction":
            body = messages.pack(messages.ActionCreatePreparedStatementRequest(query=sql))
            return caller.stream("DoAction", encode(Action(type="CreatePreparedStatement", body=body)))
        case "DoPut":
            descriptor = decode(FlightDescriptor, _descriptor(prepared))
            return caller.put(encode(FlightData(flight_descriptor=descriptor, data_header=b"x")))
    raise AssertionError(door)


_DOORS = [
    "GetFlightInfo",
    "GetFlightInfo, prepared",
    "GetSchema",
    "DoGet, a command",
    "DoGet, SQL itself",
    "DoAction",
]


@pytest.mark.parametrize("door", _DOORS)
@pytest.mark.parametrize(("error", "status"), _KINDS, ids=[status for _, status in _KINDS])
def test_an_error_has_its_status_and_is_the_sentence_alone(
    caller: Caller, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, door: str, error: Exception, status: str
) -> None:
    def plan(*_arguments: Any, **_named: Any) -> None:
        raise error

    monkeypatch.setattr(engine, "plan", plan)
    with pytest.raises(grpc.RpcError) as caught:
        _door(caller, door, "SELECT 1")
    assert (caught.value.code().name, caught.value.details()) == (status, "A sentence.")


_SIZES = [(door, size) for door in _DOORS for size in (MAX_STATEMENT_BYTES + 1, 20_000_000)]


@pytest.mark.parametrize(("door", "size"), [*_SIZES, ("DoPut", 20_000_000)])
def test_a_statement_that_is_too_large_is_refused_before_it_is_planned(
    caller: Caller, engine: FakeEngine, door: str, size: int
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _door(caller, door, "SELECT '" + "x" * (size - 9) + "'")
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert engine.queries == []


def test_headers_are_bounded(caller: Caller, engine: FakeEngine) -> None:
    request = _descriptor(messages.CommandStatementQuery(query="select 1 as a"))
    assert caller.unary("GetFlightInfo", request, other="x" * 4_000)
    with pytest.raises(grpc.RpcError) as caught:
        caller.unary("GetFlightInfo", request, other="x" * 1_000_000)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(engine.queries) == 1


def test_an_error_of_any_length_fits_into_what_clients_take(
    caller: Caller, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(*_arguments: Any, **_named: Any) -> None:
        raise QueryError("ø€\n" * 100_000)

    monkeypatch.setattr(engine, "plan", plan)
    with pytest.raises(grpc.RpcError) as caught:
        _door(caller, "GetFlightInfo", "SELECT 1")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details().startswith("ø€ ø€ ")
    assert caught.value.details().endswith("…")


def test_arrows_own_client_gets_the_sentence_without_words_around_it(uri: str) -> None:
    with flight.connect(uri) as client:
        with pytest.raises(pa.ArrowInvalid) as caught:
            client.get_schema(flight.FlightDescriptor.for_path("a"))
        assert str(caught.value) == "This server has no paths; send SQL as a CommandStatementQuery."
        unknown = b"/* tachy:" + b"0" * 32 + b" */ select 1"
        handle = messages.pack(messages.CommandPreparedStatementQuery(prepared_statement_handle=unknown))
        with pytest.raises(KeyError, match=r"^This statement handle is unknown or has expired; send the"):
            client.get_flight_info(flight.FlightDescriptor.for_command(handle))


def test_a_call_that_has_no_rows_yet_stops_at_its_deadline(caller: Caller, engine: FakeEngine) -> None:
    call = caller._channel.unary_stream(f"/{SERVICE}/DoGet")(encode(Ticket(ticket=b"select * from stuck")), timeout=0.3)
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert engine.queries[0].finished.wait(20)


def test_a_call_that_has_no_rows_yet_can_be_cancelled(caller: Caller, engine: FakeEngine) -> None:
    call = caller._channel.unary_stream(f"/{SERVICE}/DoGet")(encode(Ticket(ticket=b"select * from stuck")), timeout=60)
    while not engine.queries:
        time.sleep(0.01)
    call.cancel()
    assert engine.queries[0].finished.wait(20)
