"""DuckDB reads of the catalog what was committed: all of it, at every snapshot that has not expired, and no more."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datafusion import SessionConfig, SessionContext
from psycopg.conninfo import make_conninfo
from tachy_server.base.errors import QueryError, StoreError
from tachy_server.formats import parquet
from tachy_server.lake import catalog
from tachy_server.lake.database import Connection, Database
from tachy_server.lake.s3_store import S3Store
from tachy_server.lake.store import LocalStore, Store

from tests.lake.duck import attached, read
from tests.lake.test_store import CREDENTIALS
from tests.lake.test_store import bucket as bucket
from tests.lake.test_store import s3 as s3

TIME = pa.timestamp("ns", "UTC")
TEXT = pa.dictionary(pa.int32(), pa.utf8())
START = 1_767_225_600_123_456_789
HISTOGRAM = pa.struct([("start", pa.float64()), ("last", TIME), ("bins", pa.list_(pa.int64()))])
SCHEMA = pa.schema(
    [
        ("time", TIME),
        ("name", TEXT),
        ("value", pa.float64()),
        ("count", pa.int64()),
        ("level", pa.int32()),
        ("thread", pa.uint32()),
        ("whole", pa.bool_()),
        ("data", pa.binary()),
        ("tags", pa.list_(pa.utf8())),
        ("histogram", HISTOGRAM),
    ]
)
MINUTE = 60 * 10**9


class Written:
    """A database, a store, and a table `stats` in them."""

    def __init__(self, dsn: str, store: Store) -> None:
        self.base = Database(dsn, 8)
        self.store = store
        with self.base.connection() as connection:
            catalog.locate(connection, self.store.name)
            self.table = catalog.create_table(connection, "stats", SCHEMA)

    def write(self, table: pa.Table) -> parquet.DataFile:
        file, data = parquet.write(f"views/stats/{uuid.uuid4()}.parquet", table, ["time"])
        self.store.put_new(file.key, [data])
        return file

    def commit(self, table: pa.Table, removed: tuple[str, ...] = ()) -> tuple[int, str]:
        """The snapshot, and the file's key."""
        file = self.write(table)
        with self.base.connection() as connection:
            return catalog.commit(connection, self.table, [file], removed), file.key

    def files(self) -> list[tuple[Any, ...]]:
        with self.base.connection() as connection:
            return catalog.files(lambda query, values: connection.execute(query, values).fetchall(), self.table, "time")


@pytest.fixture
def written(dsn: str, tmp_path: Path) -> Iterator[Written]:
    made = Written(dsn, LocalStore(tmp_path / "store"))
    yield made
    made.base.close()


def table(minute: int, rows: int = 3) -> pa.Table:
    """Rows of a minute."""
    times = [START + minute * MINUTE + index for index in range(rows)]
    return pa.table(
        [
            pa.array(times, TIME),
            pa.array([f"metric {minute}", None, "é'\""][:rows]).dictionary_encode().cast(TEXT),
            pa.array([minute + index / 7 for index in range(rows)]),
            pa.array([minute * 2**40] * rows),
            pa.array([minute - 2**31] * rows, pa.int32()),
            pa.array([2**32 - 1 - minute] * rows, pa.uint32()),
            pa.array([minute % 2 == 0] * rows),
            pa.array([b"\0\xff", None, b""][:rows], pa.binary()),
            pa.array([["a", "b"], [], None][:rows], pa.list_(pa.utf8())),
            pa.array([{"start": 0.5, "last": START + 1, "bins": [1, 2, minute]}, None, None][:rows], HISTOGRAM),
        ],
        schema=SCHEMA,
    )


def test_duckdb_reads_every_type_as_it_was_written(written: Written, dsn: str) -> None:
    written.commit(table(0))
    written.commit(table(1))
    with attached(dsn) as lake:
        assert read(lake, "FROM stats", SCHEMA).equals(pa.concat_tables([table(0), table(1)]).unify_dictionaries())
        assert lake.execute("SELECT epoch_ns(histogram.last) FROM stats WHERE histogram IS NOT NULL").fetchall() == [
            (START + 1,),
            (START + 1,),
        ]


def test_duckdb_reads_what_lies_in_a_bucket(dsn: str, s3: str, bucket: str) -> None:
    written = Written(dsn, S3Store(bucket, "lake"))
    try:
        written.commit(table(0))
    finally:
        written.base.close()
    key, password = CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    where = f"ENDPOINT '{s3.removeprefix('http://')}', URL_STYLE 'path', USE_SSL false"
    with attached(dsn, secret=f"TYPE s3, KEY_ID '{key}', SECRET '{password}', {where}") as lake:
        assert read(lake, "FROM stats", SCHEMA).equals(table(0))


def test_a_server_reads_its_own_types(written: Written) -> None:
    _, key = written.commit(table(0))
    context = SessionContext(SessionConfig().set("datafusion.execution.parquet.schema_force_view_types", "false"))
    assert context.read_parquet(written.store.name + key).schema() == SCHEMA
    assert pq.read_table(written.store.name + key).cast(SCHEMA).equals(table(0))


def test_only_who_may_read_the_catalog_needs_to(written: Written, dsn: str) -> None:
    written.commit(table(0))
    name = f"reader_{uuid.uuid4().hex}"
    with written.base.connection() as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        connection.execute(f"GRANT USAGE ON SCHEMA ducklake TO {name}".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA ducklake TO {name}".encode())
        try:
            with attached(make_conninfo(dsn, user=name)) as lake:
                assert count(lake, "stats") == 3
        finally:
            connection.execute(f"DROP OWNED BY {name}".encode())
            connection.execute(f"DROP ROLE {name}".encode())


@pytest.mark.parametrize(
    ("condition", "rows", "files"),
    [
        (f"time >= make_timestamp_ns({START + 6 * MINUTE})", 12, 4),
        (f"time = make_timestamp_ns({START + 3 * MINUTE + 2})", 1, 1),
        ("name = 'metric 4'", 1, 5),
        ("value > 8.2", 4, 2),
        ("count = 3 * 1099511627776", 3, 1),
        ("level < -2147483647", 3, 1),
        ("thread >= 4294967294", 6, 2),
        ("value = 'nan'", 1, 1),
    ],
)
def test_duckdb_reads_no_file_without_need(written: Written, dsn: str, condition: str, rows: int, files: int) -> None:
    """The ninth file has a NaN, which is above all numbers."""
    for minute in range(10):
        made = table(minute)
        if minute == 8:
            made = made.set_column(2, "value", pa.array([8.0, 8.1, float("nan")]))
        written.commit(made)
    with attached(dsn) as lake:
        assert lake.execute(f"SELECT count(*) FROM stats WHERE {condition}").fetchall() == [(rows,)]
        ((_, plan),) = lake.execute(f"EXPLAIN ANALYZE SELECT value FROM stats WHERE {condition}").fetchall()
        assert f"Total Files Read: {files}" in plan


def test_long_texts_and_those_with_zeros_bound_nothing(written: Written, dsn: str) -> None:
    rows = table(0).set_column(1, "name", pa.array(["z" * 5000, "b\0c", "a" * 64]).dictionary_encode().cast(TEXT))
    file = written.write(rows)
    assert file.columns["name"] == ("a" * 64, None, 0)
    with written.base.connection() as connection:
        catalog.commit(connection, written.table, [file], [])
    with attached(dsn) as lake:
        assert count(lake, f"stats WHERE name = '{'z' * 5000}'") == 1
        assert count(lake, "stats WHERE length(name) = 3") == 1


def count(lake: Any, what: str) -> int:
    ((rows,),) = lake.execute(f"SELECT count(*) FROM {what}").fetchall()
    return int(rows)


def test_replaced_files_are_there_for_older_snapshots(written: Written, dsn: str) -> None:
    first, one = written.commit(table(0))
    second, other = written.commit(table(1))
    both = pa.concat_tables([table(0), table(1)]).unify_dictionaries()
    merged, key = written.commit(both.slice(0, 5), (one, other))
    assert [file[0] for file in written.files()] == [key]
    with attached(dsn) as lake:
        assert read(lake, f"FROM stats AT (VERSION => {first})", SCHEMA).equals(table(0))
        assert read(lake, f"FROM stats AT (VERSION => {second})", SCHEMA).equals(both)
        assert count(lake, f"stats AT (VERSION => {merged})") == count(lake, "stats") == 5
    with pytest.raises(StoreError, match=r"2 files .* 0 are there"):
        written.commit(table(2), (one, other))
    assert [file[0] for file in written.files()] == [key]


def test_a_reader_keeps_its_snapshot(written: Written, dsn: str) -> None:
    _, one = written.commit(table(0))
    with attached(dsn) as lake:
        lake.execute("BEGIN")
        assert count(lake, "stats") == 3
        written.commit(table(1))
        written.commit(table(2, 1), (one,))
        assert count(lake, "stats") == 3
        lake.execute("COMMIT")
        assert count(lake, "stats") == 4


def test_files_say_the_bounds_of_their_times(written: Written) -> None:
    keys = [written.commit(table(minute))[1] for minute in (5, 1)]
    assert [(key, rows, begin, end) for key, _, rows, begin, end in written.files()] == [
        (key, 3, START + minute * MINUTE, START + minute * MINUTE + 2) for key, minute in zip(keys, (5, 1), strict=True)
    ]
    assert all(size == written.store.size(key) for key, size, *_ in written.files())
    _, before_1970 = written.commit(table(0).set_column(0, "time", pa.array([-1, -(2**62), 7], TIME)))
    assert written.files()[-1][0::3] == (before_1970, -(2**62))
    assert written.files()[-1][4] == 7


def test_commits_at_the_same_time_are_snapshots_one_after_the_other(written: Written, dsn: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        numbers = [number for number, _ in pool.map(written.commit, map(table, range(24)))]
    assert sorted(numbers) == list(range(min(numbers), min(numbers) + 24))
    with attached(dsn) as lake:
        assert count(lake, "stats") == 72
        assert {count(lake, f"stats AT (VERSION => {number})") for number in numbers} == set(range(3, 75, 3))
        assert lake.execute("SELECT count(DISTINCT rowid) FROM stats").fetchall() == [(72,)]
        times = lake.execute("SELECT epoch_us(snapshot_time) FROM lake.snapshots() ORDER BY snapshot_id").fetchall()
        assert times == sorted(times)


def test_what_is_rolled_back_was_never_there(written: Written, dsn: str) -> None:
    written.commit(table(0))
    tables = "SELECT * FROM ducklake.ducklake_{} ORDER BY 1, 2, 3"
    names = ("snapshot", "snapshot_changes", "data_file", "file_column_stats", "table", "column", "table_stats")

    def everything(connection: Connection) -> list[list[tuple[Any, ...]]]:
        return [connection.execute(tables.format(name).encode()).fetchall() for name in names]

    with written.base.connection() as connection:
        before = everything(connection)
        with connection.transaction(force_rollback=True):
            other = catalog.create_table(connection, "other", SCHEMA)
            catalog.commit(connection, other, [written.write(table(1))], [])
            catalog.commit(connection, written.table, [], [written.files()[0][0]])
            catalog.drop_table(connection, written.table)
        assert everything(connection) == before
    with attached(dsn) as lake:
        assert lake.execute("SHOW TABLES").fetchall() == [("stats",)]
        assert count(lake, "stats") == 3


def test_a_dropped_table_is_there_for_older_snapshots_and_its_name_is_free(written: Written, dsn: str) -> None:
    number, _ = written.commit(table(0))
    with written.base.connection() as connection:
        with pytest.raises(psycopg.errors.UniqueViolation):
            catalog.create_table(connection, "STATS", SCHEMA)
        catalog.drop_table(connection, written.table)
        again = catalog.create_table(connection, "stats", pa.schema([("total", pa.int64())]))
        assert again != written.table
        assert written.files() == []
    with attached(dsn) as lake:
        assert lake.execute("DESCRIBE stats").fetchall()[0][:2] == ("total", "BIGINT")
        assert count(lake, "stats") == 0
        assert read(lake, f"FROM stats AT (VERSION => {number})", SCHEMA).equals(table(0))


def test_names_that_need_quotes(written: Written, dsn: str) -> None:
    schema = pa.schema([('a "b"', pa.int64()), ("select", pa.int64())])
    with written.base.connection() as connection:
        made = catalog.create_table(connection, 'odd "name"', schema)
        file, data = parquet.write("views/odd/1.parquet", pa.table([[1], [2]], schema=schema))
        written.store.put_new(file.key, [data])
        catalog.commit(connection, made, [file], [])
    with attached(dsn) as lake:
        assert lake.execute('SELECT "a ""b""" + "select" FROM "odd ""name"""').fetchall() == [(3,)]


def test_snapshots_expire_and_then_the_files_that_only_they_saw(written: Written, dsn: str) -> None:
    _, one = written.commit(table(0))
    time.sleep(0.001)
    before = time.time_ns()
    kept, other = written.commit(table(1), (one,))
    written.commit(table(2), (other,))
    with written.base.connection() as connection:
        assert catalog.expire(connection, before - 3600 * 10**9) == []
        # Whoever asks for that time still gets what was there.
        assert catalog.expire(connection, before) == []
        with attached(dsn) as lake:
            assert count(lake, "stats") == 3
            assert count(lake, f"stats AT (VERSION => {kept - 1})") == 3
            versions = lake.execute("SELECT min(snapshot_id) FROM lake.snapshots()").fetchall()
            assert versions == [(kept - 1,)]
        assert catalog.expire(connection, time.time_ns()) == sorted([one, other])
        assert catalog.expire(connection, time.time_ns()) == []
        bounds = connection.execute("SELECT count(DISTINCT data_file_id) FROM ducklake.ducklake_file_column_stats")
        assert bounds.fetchone() == (1,)
    with attached(dsn) as lake:
        assert read(lake, "FROM stats", SCHEMA).equals(table(2))


def test_a_dropped_table_expires(written: Written, dsn: str) -> None:
    _, key = written.commit(table(0))
    with written.base.connection() as connection:
        catalog.drop_table(connection, written.table)
        assert catalog.expire(connection, time.time_ns()) == [key]
        for name in ("table", "column", "table_stats", "schema_versions", "data_file", "file_column_stats"):
            rows = connection.execute(f"SELECT count(*) FROM ducklake.ducklake_{name}".encode()).fetchone()
            assert rows == (0,), name
        catalog.create_table(connection, "stats", SCHEMA)
    with attached(dsn) as lake:
        assert count(lake, "stats") == 0


def test_a_type_without_a_place_is_refused(written: Written) -> None:
    with written.base.connection() as connection, pytest.raises(QueryError, match=r"spent .* duration"):
        catalog.create_table(connection, "durations", pa.schema([("spent", pa.duration("ns"))]))


def test_duckdb_itself_would_make_the_same_catalog(written: Written, dsn: str, tmp_path: Path) -> None:
    """Table for table and column for column, of the version that is pinned."""
    columns = """
    SELECT table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema = %s AND table_name NOT LIKE 'ducklake\\_inlined\\_data\\_%%\\_%%' ORDER BY 1, ordinal_position
    """
    with attached(dsn, str(tmp_path / "other"), schema="theirs", read_only=False) as lake:
        lake.execute("CREATE TABLE stats AS SELECT 1 AS one")
    with written.base.connection() as connection:
        ours, theirs = (connection.execute(columns, (schema,)).fetchall() for schema in ("ducklake", "theirs"))
        assert ours == theirs
        versions = [
            connection.execute(
                f"SELECT value FROM {schema}.ducklake_metadata WHERE key = 'version'".encode()
            ).fetchall()
            for schema in ("ducklake", "theirs")
        ]
        assert versions[0] == versions[1]
