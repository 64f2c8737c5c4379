"""What DataFusion does with a dataset that is not pyarrow's: undocumented, so pinned here."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest
from datafusion import SessionContext
from tachy_server.base.errors import Cancelled, QueryError
from tachy_server.views.tables import PARTITIONS, ROWS, Part, Scan, Session, Table, batch_table

from tests.query.fake_lake import FakeLake, FakeMetadata

SCHEMA = pa.schema([("n", pa.int64()), ("name", pa.dictionary(pa.int32(), pa.utf8())), ("other", pa.utf8())])


def _batch(start: int, count: int) -> pa.RecordBatch:
    numbers = pa.array(range(start, start + count), pa.int64())
    names = pa.array([f"n{value % 3}" for value in range(start, start + count)]).dictionary_encode()
    return pa.RecordBatch.from_arrays([numbers, names, pa.array(["x"] * count)], schema=SCHEMA)


@pytest.fixture
def session() -> Session:
    lake = FakeLake()
    return Session(lake, FakeMetadata(lake), None, 0, {})


def test_a_scan_says_which_columns_and_rows_it_wants(session: Session) -> None:
    scans: list[Scan] = []

    def make(scan: Scan) -> Iterator[pa.RecordBatch]:
        scans.append(scan)
        yield _batch(0, 10)

    context = SessionContext()
    context.register_table("t", batch_table(session, "t", SCHEMA, make))
    rows = context.sql("SELECT other FROM t WHERE n >= 4 AND name = 'n1'").to_arrow_table()
    assert rows.num_rows == 2
    assert [scan.columns for scan in scans] == [("other",)]
    assert set(scans[0].needed) == {"n", "name", "other"}
    scans.clear()
    assert context.sql("SELECT count(*) FROM t").to_arrow_table().column(0).to_pylist() == [10]
    assert [(scan.columns, scan.needed, scan.filter) for scan in scans] == [((), (), None)]


def test_partitions_share_the_parts_of_a_scan(session: Session) -> None:
    taken: list[int] = []
    barrier = threading.Barrier(2, timeout=20)

    def rows(scan: Scan) -> Iterator[Part]:
        def part(number: int) -> Iterator[pa.RecordBatch]:
            if number < 2:
                barrier.wait()  # two partitions run at the same time
            taken.append(number)
            yield _batch(number * 100, 100).select(list(scan.needed))

        for number in range(20):
            yield lambda number=number: part(number)

    context = SessionContext()
    context.register_table("t", Table(session, "t", SCHEMA, rows))
    assert context.sql("SELECT sum(n) FROM t").to_arrow_table().column(0).to_pylist() == [sum(range(2000))]
    assert sorted(taken) == list(range(20))
    assert PARTITIONS >= 2


def test_two_scans_of_a_table_are_two_scans(session: Session) -> None:
    calls = []

    def make(scan: Scan) -> Iterator[pa.RecordBatch]:
        calls.append(scan.columns)
        yield _batch(0, 10)

    context = SessionContext()
    context.register_table("t", batch_table(session, "t", SCHEMA, make))
    sql = "SELECT count(*) FROM t a JOIN t b ON a.n = b.n WHERE a.n < 5 AND b.name = 'n0'"
    assert context.sql(sql).to_arrow_table().column(0).to_pylist() == [2]
    assert len(calls) == 2


def test_large_batches_are_cut(session: Session) -> None:
    context = SessionContext()
    context.register_table("t", batch_table(session, "t", SCHEMA, lambda _: iter([_batch(0, ROWS * 2 + 5)])))
    sizes = [len(batch) for batch in context.sql("SELECT n FROM t").collect()]
    assert sum(sizes) == ROWS * 2 + 5
    assert max(sizes) <= ROWS


def test_a_failure_in_a_scan_is_kept_as_it_was(session: Session) -> None:
    def make(scan: Scan) -> Iterator[pa.RecordBatch]:
        raise QueryError("this went wrong")

    context = SessionContext()
    context.register_table("t", batch_table(session, "t", SCHEMA, make))
    with pytest.raises(Exception, match="this went wrong"):
        context.sql("SELECT n FROM t").collect()
    assert str(session.failure) == "this went wrong"


def test_a_cancelled_session_makes_no_more_rows(session: Session) -> None:
    session.stop.reason = Cancelled("it was cancelled")
    context = SessionContext()
    context.register_table("t", batch_table(session, "t", SCHEMA, lambda _: iter([_batch(0, 10)])))
    with pytest.raises(Exception, match="cancelled"):
        context.sql("SELECT n FROM t").collect()
