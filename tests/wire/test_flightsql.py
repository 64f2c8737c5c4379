"""The FlightSQL codec agrees with Google's protobuf, both ways, and refuses what is not protobuf."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.base.errors import QueryError
from tachy_server.flight import messages as flight_messages
from tachy_server.flight import sql_messages as flightsql
from tachy_server.flight.protobuf import Message, decode, encode

MESSAGES: list[type[Message]] = sorted(
    (
        item
        for item in (*vars(flightsql).values(), *vars(flight_messages).values())
        if isinstance(item, type) and issubclass(item, Message) and item is not Message
    ),
    key=lambda item: item.__name__,
)
PACKAGE = "arrow.flight.protocol.sql"
_PROTO = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "text": _PROTO.TYPE_STRING,
    "bytes": _PROTO.TYPE_BYTES,
    "bool": _PROTO.TYPE_BOOL,
    "uint": _PROTO.TYPE_UINT32,
    "int": _PROTO.TYPE_INT64,
}


def _google_classes() -> dict[str, Any]:
    """The same messages, as protobuf's own classes."""
    file = descriptor_pb2.FileDescriptorProto(name="wire_test.proto", package=PACKAGE, syntax="proto3")
    for kind in MESSAGES:
        message = file.message_type.add(name=kind.__name__)
        for item in dataclasses.fields(kind):  # type: ignore[arg-type]
            meta = item.metadata
            field = message.field.add(name=item.name, number=meta["number"], type=_TYPES[meta["kind"]])
            field.label = _PROTO.LABEL_REPEATED if meta["repeated"] else _PROTO.LABEL_OPTIONAL
            if meta["optional"]:
                field.proto3_optional = True
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{item.name}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        kind.__name__: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{kind.__name__}"))
        for kind in MESSAGES
    }


GOOGLE = _google_classes()
_text = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": _text,
    "bytes": st.binary(),
    "bool": st.booleans(),
    "uint": st.integers(0, 2**32 - 1),
    "int": st.integers(-(2**63), 2**63 - 1),
}


@st.composite
def messages(draw: st.DrawFn) -> Message:
    kind = draw(st.sampled_from(MESSAGES))
    values = {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        value = _VALUES[item.metadata["kind"]]
        if item.metadata["repeated"]:
            value = st.lists(value, max_size=4).map(tuple)
        elif item.metadata["optional"]:
            value = st.none() | value
        values[item.name] = draw(value)
    return kind(**values)


def _google(message: Message) -> Any:
    values = {name: value for name, value in vars(message).items() if value is not None}
    return GOOGLE[type(message).__name__](**values)


@given(messages())
def test_a_message_is_read_by_protobuf_as_it_was_written(message: Message) -> None:
    theirs = GOOGLE[type(message).__name__].FromString(encode(message))
    assert theirs == _google(message)


@given(messages())
def test_a_message_of_protobuf_is_read_as_it_was_written(message: Message) -> None:
    assert decode(type(message), _google(message).SerializeToString()) == message


@given(messages())
def test_a_message_in_an_any_is_read_by_protobuf(message: Message) -> None:
    wrapped = any_pb2.Any.FromString(flightsql.pack(message))
    assert wrapped.type_url == f"type.googleapis.com/{PACKAGE}.{type(message).__name__}"
    assert wrapped.value == encode(message)


@given(messages())
def test_an_any_of_protobuf_and_bare_bytes_are_both_read(message: Message) -> None:
    wrapped = any_pb2.Any()
    wrapped.Pack(_google(message))
    assert flightsql.unpack(type(message), wrapped.SerializeToString()) == message
    if not encode(message).startswith(b"\x0a"):
        assert flightsql.unpack(type(message), encode(message)) == message


@given(messages(), st.binary(max_size=40))
def test_bytes_that_are_not_protobuf_are_refused_and_never_crash(message: Message, tail: bytes) -> None:
    with suppress(QueryError):
        decode(type(message), encode(message) + tail)


@given(messages(), st.integers(16, 500), st.binary(max_size=20))
def test_unknown_fields_are_skipped(message: Message, number: int, value: bytes) -> None:
    from tachy_server.flight.protobuf import write_bytes

    assert decode(type(message), write_bytes(number, value) + encode(message)) == message


@given(st.text())
def test_sql_text_is_not_taken_for_a_packed_message(sql: str) -> None:
    assert flightsql.unpack_command(sql.encode("utf-8", "surrogatepass")) is None


def test_an_unknown_command_is_named() -> None:
    other = any_pb2.Any(type_url=f"type.googleapis.com/{PACKAGE}.CommandStatementSubstraitPlan")
    with pytest.raises(QueryError, match="CommandStatementSubstraitPlan is not supported"):
        flightsql.unpack_command(other.SerializeToString())


def test_a_message_of_another_kind_is_refused() -> None:
    with pytest.raises(QueryError, match="takes a ActionCancelQueryRequest, and got a CommandGetCatalogs"):
        flightsql.unpack(flightsql.ActionCancelQueryRequest, flightsql.pack(flightsql.CommandGetCatalogs()))


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_field_numbers_are_those_of_arrow(kind: type[Message]) -> None:
    """The numbers of FlightSql.proto and Flight.proto, written down a second time."""
    numbers = {item.name: item.metadata["number"] for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    assert numbers.pop("data_body", 1000) == 1000
    assert numbers == {name: at for at, name in enumerate(_ARROW_FIELDS[kind.__name__].split(), 1)}


_ARROW_FIELDS = {
    "ActionCancelQueryRequest": "info",
    "ActionCancelQueryResult": "result",
    "ActionClosePreparedStatementRequest": "prepared_statement_handle",
    "ActionCreatePreparedStatementRequest": "query transaction_id",
    "ActionCreatePreparedStatementResult": "prepared_statement_handle dataset_schema parameter_schema",
    "CancelFlightInfoRequest": "info",
    "CancelFlightInfoResult": "status",
    "CloseSessionResult": "status",
    "CommandGetCatalogs": "",
    "CommandGetCrossReference": "pk_catalog pk_db_schema pk_table fk_catalog fk_db_schema fk_table",
    "CommandGetDbSchemas": "catalog db_schema_filter_pattern",
    "CommandGetExportedKeys": "catalog db_schema table",
    "CommandGetImportedKeys": "catalog db_schema table",
    "CommandGetPrimaryKeys": "catalog db_schema table",
    "CommandGetSqlInfo": "info",
    "CommandGetTableTypes": "",
    "CommandGetTables": "catalog db_schema_filter_pattern table_name_filter_pattern table_types include_schema",
    "CommandGetXdbcTypeInfo": "data_type",
    "CommandPreparedStatementQuery": "prepared_statement_handle",
    "CommandPreparedStatementUpdate": "prepared_statement_handle",
    "CommandStatementIngest": "table_definition_options table schema catalog temporary transaction_id",
    "CommandStatementQuery": "query transaction_id",
    "CommandStatementUpdate": "query transaction_id",
    "DoPutPreparedStatementResult": "prepared_statement_handle",
    "DoPutUpdateResult": "record_count",
    "GetSessionOptionsResult": "session_options",
    "SessionOptionValue": "string_value",
    "MapEntry": "key value",
    "SetSessionOptionsError": "value",
    "SetSessionOptionsRequest": "session_options",
    "SetSessionOptionsResult": "errors",
    "Action": "type body",
    "ActionType": "type description",
    "FlightData": "flight_descriptor data_header app_metadata",
    "FlightDescriptor": "type cmd path",
    "FlightEndpoint": "ticket",
    "FlightInfo": "schema flight_descriptor endpoint total_records total_bytes",
    "HandshakeResponse": "protocol_version payload",
    "PutResult": "app_metadata",
    "Result": "body",
    "SchemaResult": "schema",
    "Ticket": "ticket",
    "TicketStatementQuery": "statement_handle",
}
