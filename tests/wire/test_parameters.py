"""Parameters of any type that a client's language has are bound as what they mean."""

from __future__ import annotations

import datetime
import uuid

import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi
from pyarrow import flight
from tachy_server.base.settings import Settings
from tachy_server.flight import messages
from tachy_server.query.engine import QueryEngine

from tests.query.conftest import World, play
from tests.query.fake_lake import FakeLake, FakeMetadata

LAKE = FakeLake()


@pytest.fixture(scope="module")
def engine() -> QueryEngine:
    """The real one."""
    made = QueryEngine(LAKE, Settings(), FakeMetadata(LAKE))
    play(World(LAKE, made), processes=2, blocks=1)
    return made


def _bind(client: flight.FlightClient, sql: str, row: pa.Table) -> pa.Table:
    """The answer to a prepared statement, as clients do it that speak Flight themselves."""
    body = messages.pack(messages.ActionCreatePreparedStatementRequest(query=sql))
    (result,) = client.do_action(flight.Action("CreatePreparedStatement", body))
    prepared = messages.unpack(messages.ActionCreatePreparedStatementResult, result.body.to_pybytes())
    command = messages.CommandPreparedStatementQuery(prepared_statement_handle=prepared.prepared_statement_handle)
    descriptor = flight.FlightDescriptor.for_command(messages.pack(command))
    writer, reader = client.do_put(descriptor, row.schema)
    with writer:
        writer.write_table(row)
        writer.done_writing()
        reader.read()
    return client.do_get(client.get_flight_info(descriptor).endpoints[0].ticket).read_all()


def _dense(value: object, kind: pa.DataType) -> pa.Array:
    """A union as flightsql-dbapi makes one: a child per type, and the value in one of them."""
    children = [pa.array([], pa.utf8()), pa.array([value], kind), pa.array([], pa.float64())]
    return pa.UnionArray.from_dense(pa.array([1], pa.int8()), pa.array([0], pa.int32()), children)


def _sparse(value: object, kind: pa.DataType) -> pa.Array:
    return pa.UnionArray.from_sparse(pa.array([1], pa.int8()), [pa.nulls(1, pa.utf8()), pa.array([value], kind)])


@pytest.mark.parametrize("union", [_dense, _sparse])
@pytest.mark.parametrize(
    ("value", "kind", "type_name"),
    [
        (5, pa.int64(), "Int64"),
        ("five", pa.utf8(), "Utf8"),
        (2.5, pa.float64(), "Float64"),
        (True, pa.bool_(), "Boolean"),
        ("x", pa.dictionary(pa.int32(), pa.utf8()), "Utf8"),
        (None, pa.int64(), None),
    ],
)
def test_a_union_is_taken_by_its_child(
    uri: str, union: object, value: object, kind: pa.DataType, type_name: str | None
) -> None:
    assert callable(union)
    with flight.connect(uri) as client:
        row = pa.table({"p": union(value, kind), "q": union(value, kind)})
        answer = _bind(client, "SELECT ? AS x, arrow_typeof(?) AS t", row).to_pylist()
    assert answer[0]["x"] == value
    assert type_name in (None, answer[0]["t"])


@pytest.mark.parametrize("form", ["extension", "text", "large", "view", "dictionary", "union"])
def test_an_id_is_found_however_it_is_bound(uri: str, form: str) -> None:
    process = next(iter(LAKE.processes))
    text = str(process)
    column = {
        "extension": pa.array([process.bytes], pa.uuid()),
        "text": pa.array([text]),
        "large": pa.array([text], pa.large_utf8()),
        "view": pa.array([text], pa.string_view()),
        "dictionary": pa.array([text]).dictionary_encode(),
        "union": _dense(text, pa.utf8()),
    }[form]
    with flight.connect(uri) as client:
        sql = "SELECT count(DISTINCT process_id) AS n FROM log_entries WHERE process_id = ?"
        assert _bind(client, sql, pa.table({"p": column})).to_pylist() == [{"n": 1}]


def test_adbc_binds_ids_times_limits_and_casts(uri: str) -> None:
    process = next(iter(LAKE.processes))
    begin = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    with dbapi.connect(uri, autocommit=True) as connection, connection.cursor() as cursor:
        for given in (process, str(process)):
            cursor.execute("SELECT msg FROM log_entries WHERE process_id = ? AND time > ? LIMIT ?", (given, begin, 3))
            assert cursor.fetch_arrow_table().num_rows == 3
        cursor.execute("SELECT cast(? AS int) AS n, property_get(properties, ?) AS p FROM log_entries", ("7", "n"))
        assert {row["n"] for row in cursor.fetch_arrow_table().to_pylist()} == {7}
        cursor.execute("SELECT ? AS x", (uuid.UUID(int=5),))
        assert cursor.fetchone() == (str(uuid.UUID(int=5)),)
