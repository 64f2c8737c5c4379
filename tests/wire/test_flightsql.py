"""The messages of Flight and FlightSQL are Arrow's, and what is none is refused."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa
import pyarrow.flight as flight
import pytest
from google.protobuf import any_pb2
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.base.errors import QueryError
from tachy_server.flight import messages
from tachy_server.flight.messages import MESSAGES, decode, encode

PACKAGE = "arrow.flight.protocol.sql"
COMMANDS = sorted(name for name in MESSAGES if name.startswith("Command"))


def test_messages_of_flight_are_those_of_arrow() -> None:
    """As its own library writes and reads them."""
    command = flight.FlightDescriptor.for_command(b"select 1")
    assert decode(messages.FlightDescriptor, command.serialize()) == messages.FlightDescriptor(type=2, cmd=b"select 1")
    path = decode(messages.FlightDescriptor, flight.FlightDescriptor.for_path("a", "b").serialize())
    assert (path.type, list(path.path)) == (1, ["a", "b"])
    assert encode(messages.Ticket(ticket=b"here")) == flight.Ticket(b"here").serialize()
    schema = pa.schema([("n", pa.int64())])
    info = flight.FlightInfo(schema, command, [flight.FlightEndpoint(b"here", ["grpc://a"])], 5, 7)
    read = decode(messages.FlightInfo, info.serialize())
    assert (read.endpoint[0].ticket.ticket, read.total_records, read.total_bytes) == (b"here", 5, 7)
    assert read.flight_descriptor.cmd == b"select 1"
    assert flight.FlightInfo.deserialize(encode(read)).schema == schema
    assert flight.Action("name", b"body").serialize() == encode(messages.Action(type="name", body=b"body"))
    assert flight.Result(b"body").serialize() == encode(messages.Result(body=b"body"))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_comes_in_an_any_and_others_are_refused(name: str) -> None:
    kind = MESSAGES[name]
    wrapped = any_pb2.Any.FromString(messages.pack(kind()))
    assert wrapped.type_url == f"type.googleapis.com/{PACKAGE}.{name}"
    assert messages.unpack_command(wrapped.SerializeToString()) == kind()
    wrapped.value = b"\xff"
    with pytest.raises(QueryError, match=f"not a {name} message"):
        messages.unpack_command(wrapped.SerializeToString())


def test_what_may_be_absent_is_told_from_what_is_empty() -> None:
    command = decode(messages.CommandGetTables, encode(messages.CommandGetTables(catalog="", table_types=["VIEW"])))
    assert (messages.given(command, "catalog"), messages.given(command, "db_schema_filter_pattern")) == ("", None)
    assert list(command.table_types) == ["VIEW"]


@given(st.binary(max_size=60), st.sampled_from(sorted(MESSAGES)))
def test_bytes_are_a_message_or_refused(data: bytes, name: str) -> None:
    with suppress(QueryError):
        assert isinstance(decode(MESSAGES[name], data), MESSAGES[name])
    with suppress(QueryError):
        messages.unpack_command(data)


@given(st.text())
def test_sql_text_is_not_taken_for_a_packed_message(sql: str) -> None:
    assert messages.unpack_command(sql.encode("utf-8", "surrogatepass")) is None


def test_action_bodies_come_bare_or_in_an_any() -> None:
    request = messages.ActionCreatePreparedStatementRequest(query="select 1")
    for data in (encode(request), messages.pack(request)):
        assert messages.unpack(messages.ActionCreatePreparedStatementRequest, data) == request


def test_an_unknown_command_is_named() -> None:
    other = any_pb2.Any(type_url=f"type.googleapis.com/{PACKAGE}.CommandStatementSubstraitPlan")
    with pytest.raises(QueryError, match="CommandStatementSubstraitPlan is not supported"):
        messages.unpack_command(other.SerializeToString())


def test_a_message_of_another_kind_is_refused() -> None:
    with pytest.raises(QueryError, match="takes a ActionCancelQueryRequest, and got a CommandGetCatalogs"):
        messages.unpack(messages.ActionCancelQueryRequest, messages.pack(messages.CommandGetCatalogs()))


# Field numbers of format/FlightSql.proto, which no library at hand writes down: those that do not simply count from 1
# in the order of the table would be wrong here.
_FIELDS = {
    "ActionCreatePreparedStatementRequest": "query transaction_id",
    "ActionCreatePreparedStatementResult": "prepared_statement_handle dataset_schema parameter_schema",
    "CommandGetCrossReference": "pk_catalog pk_db_schema pk_table fk_catalog fk_db_schema fk_table",
    "CommandGetDbSchemas": "catalog db_schema_filter_pattern",
    "CommandGetTables": "catalog db_schema_filter_pattern table_name_filter_pattern table_types include_schema",
    "CommandGetXdbcTypeInfo": "data_type",
    "CommandStatementIngest": "table_definition_options table schema catalog temporary transaction_id",
    "CommandStatementQuery": "query transaction_id",
}


@pytest.mark.parametrize("name", _FIELDS)
def test_field_numbers_are_those_of_arrow(name: str) -> None:
    numbers = {field.name: field.number for field in MESSAGES[name].DESCRIPTOR.fields}
    assert numbers == {field: at for at, field in enumerate(_FIELDS[name].split(), 1)}
    assert MESSAGES["FlightData"].DESCRIPTOR.fields_by_name["data_body"].number == 1000
