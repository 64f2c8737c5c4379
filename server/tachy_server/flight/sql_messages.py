"""The FlightSQL messages that this server reads and writes, and how they are packed into Any.

The names are FlightSQL's own. Text fields that it declares `optional` are None when absent; the others have protobuf's
default. Source: format/FlightSql.proto and format/Flight.proto of Apache Arrow 23.
`tests/wire/test_flightsql.py` holds all of it against Google's protobuf.
"""
# ruff: noqa: D101 - the messages are documented in FlightSql.proto; proto() makes dataclasses.field(…)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tachy_server.base.errors import QueryError
from tachy_server.flight.protobuf import BYTES, M, Message, decode, encode, proto, read_fields, write_bytes

TYPE_PREFIX = "type.googleapis.com/arrow.flight.protocol.sql."

# --- commands: what a FlightDescriptor or a Ticket holds


@dataclass(frozen=True)
class CommandStatementQuery(Message):
    query: str = proto(1, "text")
    transaction_id: bytes | None = proto(2, "bytes", optional=True)


@dataclass(frozen=True)
class TicketStatementQuery(Message):
    statement_handle: bytes = proto(1, "bytes")


@dataclass(frozen=True)
class CommandPreparedStatementQuery(Message):
    prepared_statement_handle: bytes = proto(1, "bytes")


@dataclass(frozen=True)
class CommandStatementUpdate(Message):
    query: str = proto(1, "text")
    transaction_id: bytes | None = proto(2, "bytes", optional=True)


@dataclass(frozen=True)
class CommandPreparedStatementUpdate(Message):
    prepared_statement_handle: bytes = proto(1, "bytes")


@dataclass(frozen=True)
class CommandStatementIngest(Message):
    table_definition_options: bytes = proto(1, "bytes")
    table: str = proto(2, "text")
    schema: str | None = proto(3, "text", optional=True)
    catalog: str | None = proto(4, "text", optional=True)
    temporary: bool = proto(5, "bool")
    transaction_id: bytes | None = proto(6, "bytes", optional=True)


@dataclass(frozen=True)
class CommandGetCatalogs(Message):
    pass


@dataclass(frozen=True)
class CommandGetDbSchemas(Message):
    catalog: str | None = proto(1, "text", optional=True)
    db_schema_filter_pattern: str | None = proto(2, "text", optional=True)


@dataclass(frozen=True)
class CommandGetTables(Message):
    catalog: str | None = proto(1, "text", optional=True)
    db_schema_filter_pattern: str | None = proto(2, "text", optional=True)
    table_name_filter_pattern: str | None = proto(3, "text", optional=True)
    table_types: tuple[str, ...] = proto(4, "text", repeated=True)
    include_schema: bool = proto(5, "bool")


@dataclass(frozen=True)
class CommandGetTableTypes(Message):
    pass


@dataclass(frozen=True)
class CommandGetSqlInfo(Message):
    info: tuple[int, ...] = proto(1, "uint", repeated=True)


@dataclass(frozen=True)
class CommandGetXdbcTypeInfo(Message):
    data_type: int | None = proto(1, "int", optional=True)


@dataclass(frozen=True)
class CommandGetPrimaryKeys(Message):
    catalog: str | None = proto(1, "text", optional=True)
    db_schema: str | None = proto(2, "text", optional=True)
    table: str = proto(3, "text")


@dataclass(frozen=True)
class CommandGetExportedKeys(Message):
    catalog: str | None = proto(1, "text", optional=True)
    db_schema: str | None = proto(2, "text", optional=True)
    table: str = proto(3, "text")


@dataclass(frozen=True)
class CommandGetImportedKeys(Message):
    catalog: str | None = proto(1, "text", optional=True)
    db_schema: str | None = proto(2, "text", optional=True)
    table: str = proto(3, "text")


@dataclass(frozen=True)
class CommandGetCrossReference(Message):
    pk_catalog: str | None = proto(1, "text", optional=True)
    pk_db_schema: str | None = proto(2, "text", optional=True)
    pk_table: str = proto(3, "text")
    fk_catalog: str | None = proto(4, "text", optional=True)
    fk_db_schema: str | None = proto(5, "text", optional=True)
    fk_table: str = proto(6, "text")


# --- actions and what they answer


@dataclass(frozen=True)
class ActionCreatePreparedStatementRequest(Message):
    query: str = proto(1, "text")
    transaction_id: bytes | None = proto(2, "bytes", optional=True)


@dataclass(frozen=True)
class ActionCreatePreparedStatementResult(Message):
    prepared_statement_handle: bytes = proto(1, "bytes")
    dataset_schema: bytes = proto(2, "bytes")
    parameter_schema: bytes = proto(3, "bytes")


@dataclass(frozen=True)
class ActionClosePreparedStatementRequest(Message):
    prepared_statement_handle: bytes = proto(1, "bytes")


@dataclass(frozen=True)
class ActionCancelQueryRequest(Message):
    info: bytes = proto(1, "bytes")


@dataclass(frozen=True)
class ActionCancelQueryResult(Message):
    result: int = proto(1, "int")


@dataclass(frozen=True)
class DoPutUpdateResult(Message):
    record_count: int = proto(1, "int")


@dataclass(frozen=True)
class DoPutPreparedStatementResult(Message):
    prepared_statement_handle: bytes = proto(1, "bytes")


# --- Flight's own actions, whose bodies are never wrapped in Any


@dataclass(frozen=True)
class CancelFlightInfoRequest(Message):
    info: bytes = proto(1, "bytes")


@dataclass(frozen=True)
class CancelFlightInfoResult(Message):
    status: int = proto(1, "int")


@dataclass(frozen=True)
class CloseSessionResult(Message):
    status: int = proto(1, "int")


@dataclass(frozen=True)
class SessionOptionValue(Message):
    string_value: str | None = proto(1, "text", optional=True)


@dataclass(frozen=True)
class MapEntry(Message):
    """One entry of a map from text to messages."""

    key: str = proto(1, "text")
    value: bytes = proto(2, "bytes")


@dataclass(frozen=True)
class GetSessionOptionsResult(Message):
    session_options: tuple[bytes, ...] = proto(1, "bytes", repeated=True)


@dataclass(frozen=True)
class SetSessionOptionsRequest(Message):
    session_options: tuple[bytes, ...] = proto(1, "bytes", repeated=True)


@dataclass(frozen=True)
class SetSessionOptionsError(Message):
    """SetSessionOptionsResult.Error."""

    value: int = proto(1, "int")


@dataclass(frozen=True)
class SetSessionOptionsResult(Message):
    errors: tuple[bytes, ...] = proto(1, "bytes", repeated=True)


OPTION_INVALID_NAME = 1
OPTION_INVALID_VALUE = 2


def _map(values: Mapping[str, Message]) -> tuple[bytes, ...]:
    return tuple(encode(MapEntry(key, encode(value))) for key, value in values.items())


def session_options(options: Mapping[str, str]) -> GetSessionOptionsResult:
    """The answer to GetSessionOptions for options whose values are text."""
    return GetSessionOptionsResult(_map({key: SessionOptionValue(value) for key, value in options.items()}))


def read_session_options(data: bytes) -> dict[str, str | None]:
    """What SetSessionOptions asks for: text, None to reset an option, "(not text)" for a value of another type."""
    options: dict[str, str | None] = {}
    for raw in decode(SetSessionOptionsRequest, data).session_options:
        entry = decode(MapEntry, raw)
        text = decode(SessionOptionValue, entry.value).string_value
        options[entry.key] = "(not text)" if text is None and entry.value else text
    return options


def refused_options(errors: Mapping[str, int]) -> SetSessionOptionsResult:
    """The answer to SetSessionOptions: what is wrong, by option."""
    return SetSessionOptionsResult(_map({key: SetSessionOptionsError(value) for key, value in errors.items()}))


CANCEL_STATUS_CANCELLED = 1
CANCEL_STATUS_NOT_CANCELLABLE = 3
CLOSE_STATUS_CLOSED = 1

COMMANDS: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (
        CommandStatementQuery,
        TicketStatementQuery,
        CommandPreparedStatementQuery,
        CommandStatementUpdate,
        CommandPreparedStatementUpdate,
        CommandStatementIngest,
        CommandGetCatalogs,
        CommandGetDbSchemas,
        CommandGetTables,
        CommandGetTableTypes,
        CommandGetSqlInfo,
        CommandGetXdbcTypeInfo,
        CommandGetPrimaryKeys,
        CommandGetExportedKeys,
        CommandGetImportedKeys,
        CommandGetCrossReference,
    )
}


# --- Any


def pack(message: Message) -> bytes:
    """The message inside a google.protobuf.Any."""
    url = (TYPE_PREFIX + type(message).__name__).encode()
    body = encode(message)
    return write_bytes(1, url) + (write_bytes(2, body) if body else b"")


def unpack_any(data: bytes) -> tuple[str, bytes] | None:
    """(message name, body) of a FlightSQL message in an Any; None when the bytes are anything else."""
    url, body = b"", b""
    try:
        for number, wire, raw in read_fields(memoryview(data)):
            if number == 1 and wire == BYTES:
                url = bytes(raw)
            elif number == 2 and wire == BYTES:
                body = bytes(raw)
    except QueryError:
        return None
    if not url.startswith(TYPE_PREFIX.encode()):
        return None
    return url[len(TYPE_PREFIX) :].decode("utf-8", "replace"), body


def unpack(kind: type[M], data: bytes) -> M:
    """A message of one kind from its Any, or from its bare bytes, as different clients send action bodies."""
    found = unpack_any(data)
    if found is None:
        return decode(kind, data)
    name, body = found
    if name != kind.__name__:
        raise QueryError(f"This call takes a {kind.__name__}, and got a {name}.")
    return decode(kind, body)


def unpack_command(data: bytes) -> Message | None:
    """The command in a descriptor or ticket; None when the bytes are not a packed FlightSQL message."""
    found = unpack_any(data)
    if found is None:
        return None
    name, body = found
    kind = COMMANDS.get(name)
    if kind is None:
        raise QueryError(f"The FlightSQL command {name} is not supported here; send SQL as a CommandStatementQuery.")
    return decode(kind, body)
