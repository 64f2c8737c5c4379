"""A FlightSQL client that others wrote: Arrow's ADBC driver, in Go, through its DB-API."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Literal

import adbc_driver_flightsql
import adbc_driver_manager
import polars
import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from tests.wire.fake_engine import FakeEngine

HEADER = adbc_driver_flightsql.ConnectionOptions.RPC_CALL_HEADER_PREFIX.value


@pytest.fixture
def connection(uri: str) -> Iterator[dbapi.Connection]:
    with dbapi.connect(uri, autocommit=True) as connection:
        yield connection


def _fetch(connection: dbapi.Connection, sql: str, parameters: object = None) -> pa.Table:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


def test_rows_come_with_their_types(connection: dbapi.Connection) -> None:
    table = _fetch(connection, "select time, target, level, msg from log_entries where level = 1 order by time limit 2")
    assert table.schema.field("time").type == pa.timestamp("ns", tz="UTC")
    assert table["msg"].to_pylist() == ['message 0 "quoted"\n', 'message 6 "quoted"\n']


def test_rows_can_be_fetched_one_by_one(connection: dbapi.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select n, n + 1 as m from numbers where n < 3 order by n")
        assert [column[0] for column in cursor.description or []] == ["n", "m"]
        assert cursor.fetchone() == (0, 1)
        assert cursor.fetchall() == [(1, 2), (2, 3)]


def test_parameters_of_many_types_are_bound(connection: dbapi.Connection) -> None:
    sql = "select count(*) as n from log_entries where target = ? and level between $2 and $3"
    with pytest.raises(adbc_driver_manager.Error):
        _fetch(connection, sql, ("net",))
    assert _fetch(connection, "select count(*) as n from log_entries where target = ?", ("net",)).to_pylist() == [
        {"n": 500}
    ]
    assert _fetch(connection, "select ? as a, ? as b, ? as c", (1, "two", 3.5)).to_pydict() == {
        "a": [1],
        "b": ["two"],
        "c": [3.5],
    }


def test_a_prepared_statement_is_executed_again_with_other_parameters(connection: dbapi.Connection) -> None:
    with connection.cursor() as cursor:
        schema = cursor.adbc_prepare("select count(*) as n from numbers where n < ?")
        assert schema is not None
        assert schema.names == ["$1"]
        for bound in (3, 5):
            cursor.execute("select count(*) as n from numbers where n < ?", (bound,))
            assert cursor.fetchone() == (bound,)


def test_a_large_result_arrives_whole(connection: dbapi.Connection) -> None:
    table = _fetch(connection, "select n, cast(n as varchar) || repeat('x', 50) as text from numbers")
    assert table.num_rows == 10**6
    assert sum(table["n"].to_pylist()) == sum(range(10**6))


def test_dictionaries_can_be_kept(uri: str, connection: dbapi.Connection) -> None:
    assert _fetch(connection, "select target from log_entries").schema.field(0).type == pa.string()
    options = {HEADER + "preserve_dictionary": "true"}
    with dbapi.connect(uri, options, autocommit=True) as keeping:
        kept = _fetch(keeping, "select target, msg from log_entries order by time")
    assert kept.schema.field("target").type == pa.dictionary(pa.int32(), pa.string())
    assert kept["target"].to_pylist()[:3] == ["net", "game", "net"]


def test_headers_bound_time_and_rows(uri: str) -> None:
    options = {
        HEADER + "query_range_begin": "2027-01-15T08:00:10Z",
        HEADER + "query_range_end": "2027-01-15T08:00:19Z",
    }
    with dbapi.connect(uri, options, autocommit=True) as bounded:
        assert _fetch(bounded, "select * from log_entries").num_rows == 10
    with dbapi.connect(uri, options | {HEADER + "limit": "3"}, autocommit=True) as bounded:
        assert _fetch(bounded, "select * from log_entries").num_rows == 3


def test_polars_and_pandas_read_through_it(connection: dbapi.Connection) -> None:
    sql = "select time, target, msg from log_entries where level = 1 order by time"
    table = _fetch(connection, sql)
    assert polars.read_database(sql, connection).to_arrow()["msg"].to_pylist() == table["msg"].to_pylist()
    with connection.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.fetch_df()["msg"].tolist() == table["msg"].to_pylist()


def test_objects_are_listed_to_the_last_column(connection: dbapi.Connection) -> None:
    [catalog] = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    assert catalog["catalog_name"] == "tachy"
    schemas = {schema["db_schema_name"]: schema["db_schema_tables"] for schema in catalog["catalog_db_schemas"]}
    assert set(schemas) == {"information_schema", "public"}
    tables = {table["table_name"]: table for table in schemas["public"]}
    columns = [column["column_name"] for column in tables["log_entries"]["table_columns"]]
    assert columns == ["process_id", "time", "target", "level", "msg"]
    assert tables["log_entries"]["table_type"] == "TABLE"


@pytest.mark.parametrize("depth", ["catalogs", "db_schemas", "tables", "columns"])
def test_objects_are_listed_to_any_depth_and_filtered(
    connection: dbapi.Connection, depth: Literal["catalogs", "db_schemas", "tables", "columns"]
) -> None:
    found = connection.adbc_get_objects(depth=depth, table_name_filter="log%", db_schema_filter="public").read_all()
    assert "tachy" in found["catalog_name"].to_pylist()


def test_schemas_types_and_info_of_the_server(connection: dbapi.Connection) -> None:
    assert connection.adbc_get_table_schema("log_entries") == _fetch(connection, "select * from log_entries").schema
    with pytest.raises(adbc_driver_manager.Error):
        connection.adbc_get_table_schema("no_such_table")
    assert connection.adbc_get_table_types() == ["TABLE", "VIEW"]
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "tachy"
    assert info["vendor_arrow_version"] == pa.__version__
    assert (connection.adbc_current_catalog, connection.adbc_current_db_schema) == ("tachy", "public")


def test_the_current_catalog_and_schema_can_be_set_to_those_that_there_are(connection: dbapi.Connection) -> None:
    connection.adbc_current_catalog = "tachy"
    connection.adbc_current_db_schema = "public"
    with pytest.raises(adbc_driver_manager.Error):
        connection.adbc_current_catalog = "other"
    assert connection.adbc_current_catalog == "tachy"


def test_errors_have_their_status(connection: dbapi.Connection) -> None:
    with pytest.raises(adbc_driver_manager.ProgrammingError) as caught:
        _fetch(connection, "select nothing from nowhere")
    assert caught.value.status_code is adbc_driver_manager.AdbcStatusCode.INVALID_ARGUMENT
    assert "Detail: Failed" not in str(caught.value)


def test_a_schema_can_be_had_without_running(connection: dbapi.Connection, engine: FakeEngine) -> None:
    with connection.cursor() as cursor:
        assert cursor.adbc_execute_schema("select 1 as a").names == ["a"]
    assert not any(query.finished.is_set() for query in engine.queries)


def test_partitions_are_read_by_another_connection(uri: str, connection: dbapi.Connection) -> None:
    with connection.cursor() as cursor:
        partitions, schema = cursor.adbc_execute_partitions("select n from numbers where n < 4")
    with dbapi.connect(uri, autocommit=True) as other, other.cursor() as cursor:
        assert schema is not None
        cursor.adbc_read_partition(partitions[0])
        assert cursor.fetch_arrow_table()["n"].to_pylist() == [0, 1, 2, 3]


@pytest.mark.parametrize("sql", ["create table t (a int)", "drop table log_entries", "insert into streams values (1)"])
def test_writing_is_refused(connection: dbapi.Connection, sql: str) -> None:
    with pytest.raises(adbc_driver_manager.Error) as caught:
        _fetch(connection, sql)
    assert "Traceback" not in str(caught.value)


def test_ingestion_is_refused_with_the_way_to_do_it(connection: dbapi.Connection) -> None:
    with connection.cursor() as cursor, pytest.raises(adbc_driver_manager.Error, match="POST /ingest/v1/batch"):
        cursor.adbc_ingest("log_entries", pa.table({"a": range(1_000)}), mode="append")


def test_an_error_on_the_way_is_the_clients_error(connection: dbapi.Connection) -> None:
    with pytest.raises(adbc_driver_manager.Error, match="A block could not be read"):
        _fetch(connection, "select * from broken")


def test_a_cancelled_statement_stops_its_query(
    connection: dbapi.Connection, engine: FakeEngine, services: SimpleNamespace
) -> None:
    with connection.cursor() as cursor:

        def cancel() -> None:
            while not services.engine.running():
                time.sleep(0.01)
            time.sleep(0.1)
            cursor.adbc_cancel()

        cancelling = threading.Thread(target=cancel)
        cancelling.start()
        with pytest.raises(adbc_driver_manager.Error):
            cursor.execute("select * from stuck").fetch_arrow_table()
        cancelling.join()
    assert engine.queries[-1].finished.wait(5)
