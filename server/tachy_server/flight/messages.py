"""The messages of Arrow Flight itself, beneath FlightSQL's. Source: format/Flight.proto of Apache Arrow 23.

Nested messages are bytes. `tests/wire/test_flightsql.py` holds all of it against Google's protobuf.
"""
# ruff: noqa: D101 - the messages are documented in Flight.proto; proto() makes dataclasses.field(…)

from __future__ import annotations

from dataclasses import dataclass

from tachy_server.flight.protobuf import Message, proto

CMD = 2  # FlightDescriptor.type of a command; 1 is a path


@dataclass(frozen=True)
class FlightDescriptor(Message):
    type: int = proto(1, "int")
    cmd: bytes = proto(2, "bytes")
    path: tuple[str, ...] = proto(3, "text", repeated=True)


@dataclass(frozen=True)
class Ticket(Message):
    ticket: bytes = proto(1, "bytes")


@dataclass(frozen=True)
class FlightEndpoint(Message):
    ticket: bytes = proto(1, "bytes")


@dataclass(frozen=True)
class FlightInfo(Message):
    schema: bytes = proto(1, "bytes")
    flight_descriptor: bytes = proto(2, "bytes")
    endpoint: tuple[bytes, ...] = proto(3, "bytes", repeated=True)
    total_records: int = proto(4, "int")
    total_bytes: int = proto(5, "int")


@dataclass(frozen=True)
class SchemaResult(Message):
    schema: bytes = proto(1, "bytes")


@dataclass(frozen=True)
class Action(Message):
    type: str = proto(1, "text")
    body: bytes = proto(2, "bytes")


@dataclass(frozen=True)
class ActionType(Message):
    type: str = proto(1, "text")
    description: str = proto(2, "text")


@dataclass(frozen=True)
class Result(Message):
    body: bytes = proto(1, "bytes")


@dataclass(frozen=True)
class HandshakeResponse(Message):
    protocol_version: int = proto(1, "int")
    payload: bytes = proto(2, "bytes")


@dataclass(frozen=True)
class FlightData(Message):
    flight_descriptor: bytes = proto(1, "bytes")
    data_header: bytes = proto(2, "bytes")
    app_metadata: bytes = proto(3, "bytes")
    data_body: bytes = proto(1000, "bytes")


@dataclass(frozen=True)
class PutResult(Message):
    app_metadata: bytes = proto(1, "bytes")
