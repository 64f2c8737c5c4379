"""The messages of Arrow Flight and FlightSQL that this server reads and writes, made by protobuf at the import.

Source: format/Flight.proto and format/FlightSql.proto of Apache Arrow 23, whose names these are; fields are numbered as
they stand here. `messages.Ticket(ticket=b"…")` is one. To check: pytest tests/wire/test_flightsql.py.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from tachy_server.base.errors import QueryError

M = TypeVar("M", bound=Message)

# A field is text unless it says otherwise; ? may be absent, + repeats; those of capital letters are messages.
_FLIGHT: Final = """
FlightDescriptor type:int cmd:bytes path+
Ticket ticket:bytes
FlightEndpoint ticket:Ticket
FlightInfo schema:bytes flight_descriptor:FlightDescriptor endpoint+:FlightEndpoint total_records:long total_bytes:long
SchemaResult schema:bytes
Action type body:bytes
ActionType type description
Result body:bytes
HandshakeResponse protocol_version:uint64 payload:bytes
FlightData flight_descriptor:FlightDescriptor data_header:bytes app_metadata:bytes data_body=1000:bytes
PutResult app_metadata:bytes
CancelFlightInfoRequest info:FlightInfo
CancelFlightInfoResult status:int
CloseSessionResult status:int
SessionOptionValue string_value?
SessionOption key value:SessionOptionValue
GetSessionOptionsResult session_options+:SessionOption
SetSessionOptionsRequest session_options+:SessionOption
SetSessionOptionsError value:int
SetSessionOptionsEntry key value:SetSessionOptionsError
SetSessionOptionsResult errors+:SetSessionOptionsEntry
"""
_SQL: Final = """
CommandStatementQuery query transaction_id?:bytes
TicketStatementQuery statement_handle:bytes
CommandPreparedStatementQuery prepared_statement_handle:bytes
CommandStatementUpdate query transaction_id?:bytes
CommandPreparedStatementUpdate prepared_statement_handle:bytes
CommandStatementIngest table_definition_options:bytes table schema? catalog? temporary:bool transaction_id?:bytes
CommandGetCatalogs
CommandGetDbSchemas catalog? db_schema_filter_pattern?
CommandGetTables catalog? db_schema_filter_pattern? table_name_filter_pattern? table_types+ include_schema:bool
CommandGetTableTypes
CommandGetSqlInfo info+:uint32
CommandGetXdbcTypeInfo data_type?:int
CommandGetPrimaryKeys catalog? db_schema? table
CommandGetExportedKeys catalog? db_schema? table
CommandGetImportedKeys catalog? db_schema? table
CommandGetCrossReference pk_catalog? pk_db_schema? pk_table fk_catalog? fk_db_schema? fk_table
ActionCreatePreparedStatementRequest query transaction_id?:bytes
ActionCreatePreparedStatementResult prepared_statement_handle:bytes dataset_schema:bytes parameter_schema:bytes
ActionClosePreparedStatementRequest prepared_statement_handle:bytes
ActionCancelQueryRequest info:bytes
ActionCancelQueryResult result:int
DoPutUpdateResult record_count:long
DoPutPreparedStatementResult prepared_statement_handle:bytes
"""

CMD: Final = 2
"""FlightDescriptor.type of a command; 1 is a path."""
OPTION_INVALID_NAME: Final = 1
OPTION_INVALID_VALUE: Final = 2
CANCEL_STATUS_CANCELLED: Final = 1
CANCEL_STATUS_NOT_CANCELLABLE: Final = 3
CLOSE_STATUS_CLOSED: Final = 1

_PACKAGE: Final = "arrow.flight.protocol"
_SQL_TYPES: Final = f"type.googleapis.com/{_PACKAGE}.sql."
_FIELD: Final = re.compile(r"(?P<name>\w+?)(?P<label>[?+]?)(=(?P<number>\d+))?(:(?P<type>\w+))?")
_Field: Final = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "bool": _Field.TYPE_BOOL,
    "int": _Field.TYPE_INT32,  # enums, too
    "long": _Field.TYPE_INT64,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
}


def _made(package: str, table: str) -> dict[str, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for line in table.strip().splitlines():
        name, *fields = line.split()
        message = file.message_type.add(name=name)
        for number, text in enumerate(fields, 1):
            _add_field(message, number, text, package)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        entry.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{entry.name}"))
        for entry in file.message_type
    }


def _add_field(message: descriptor_pb2.DescriptorProto, number: int, text: str, package: str) -> None:
    match = _FIELD.fullmatch(text)
    assert match is not None, text
    field = message.field.add(name=match["name"], number=int(match["number"] or number))
    field.label = _Field.LABEL_REPEATED if match["label"] == "+" else _Field.LABEL_OPTIONAL
    kind = match["type"] or "string"
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{package}.{kind}"
    if match["label"] == "?":
        field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{match['name']}")


MESSAGES: Final = {**_made(_PACKAGE, _FLIGHT), **_made(f"{_PACKAGE}.sql", _SQL)}


def __getattr__(name: str) -> Any:
    """Every message is an attribute of this module."""
    if name not in MESSAGES:
        raise AttributeError(name)
    return MESSAGES[name]


def encode(message: Message) -> bytes:
    """A message's bytes."""
    return bytes(message.SerializeToString())


def decode(kind: type[M], data: bytes) -> M:
    """A message from its bytes. QueryError when they are not protobuf."""
    try:
        message: M = kind.FromString(data)
    except DecodeError:
        raise QueryError(f"This is not a {kind.DESCRIPTOR.name} message; is it FlightSQL?") from None
    return message


def given(message: Message, field: str) -> Any:
    """A field that may be absent: None then."""
    return getattr(message, field) if message.HasField(field) else None


def pack(message: Message) -> bytes:
    """A FlightSQL message inside a google.protobuf.Any."""
    wrapped = any_pb2.Any()
    wrapped.Pack(message)
    return bytes(wrapped.SerializeToString())


def unpack(kind: type[M], data: bytes) -> M:
    """A message of one kind from its Any, or from its bare bytes, as different clients send action bodies."""
    found = _unpacked(data)
    if found is None:
        return decode(kind, data)
    name, body = found
    if name != kind.DESCRIPTOR.name:
        raise QueryError(f"This call takes a {kind.DESCRIPTOR.name}, and got a {name}.")
    return decode(kind, body)


def unpack_command(data: bytes) -> Message | None:
    """The command in a descriptor or ticket; None when the bytes are not a packed FlightSQL message."""
    found = _unpacked(data)
    if found is None:
        return None
    name, body = found
    if name not in MESSAGES or not name.startswith(("Command", "Ticket")):
        raise QueryError(f"The FlightSQL command {name} is not supported here; send SQL as a CommandStatementQuery.")
    return decode(MESSAGES[name], body)


def _unpacked(data: bytes) -> tuple[str, bytes] | None:
    try:
        wrapped = any_pb2.Any.FromString(data)
    except DecodeError:
        return None
    if not wrapped.type_url.startswith(_SQL_TYPES):
        return None
    return wrapped.type_url.removeprefix(_SQL_TYPES), wrapped.value
