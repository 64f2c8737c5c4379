"""Queries of blocks look into the days that can have something for them, on every run of a statement."""

from __future__ import annotations

import datetime
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tachy_server.base import prices
from tachy_server.lake import block_days
from tachy_server.lake.arrow_reads import ArrowResult
from tachy_server.lake.database import Connection, Database, connect, create_database
from tachy_server.lake.lake import Lake
from tachy_server.lake.snapshot import Snapshot
from tachy_server.lake.store import LocalStore
from tachy_server.views.bounds import ALL, Bounds
from tachy_server.views.declarations import BLOCKS
from tachy_server.views.metadata_rows import PostgresMetadata
from tachy_server.views.sources import Ask

from tests.lake.conftest import dsn_of
from tests.lake.heads import Head, Thread, add_segment
from tests.serving import Server

DAY = 86_400 * 10**9
FIRST = datetime.date(2026, 9, 1)
START = int(datetime.datetime(2026, 9, 1, tzinfo=datetime.UTC).timestamp()) * 10**9
DAYS = 40
LONG, SHORT = uuid.UUID(int=1), uuid.UUID(int=2)  # a process of all days, one of a minute of the last
SPAN = 3
_PROCESS = """
INSERT INTO processes VALUES
    (%s, NULL, 'game', '', '', '', '', '', 1, %s, 0, '', '', 'running', '{}', '{}', %s, %s, 0, %s, %s, '{}', '{}', %s)
"""


def add_process(connection: Connection, process: uuid.UUID, begin: int, end: int, blocks: int) -> None:
    """A process with blocks of spans from 0 on."""
    numbers = f"{{[0,{blocks})}}"
    connection.execute(_PROCESS, (process, begin, begin, end, end, end, numbers))


def add_block(connection: Connection, process: uuid.UUID, sequence: int, day: int, begin: int) -> None:
    """As ingest does, on the `day`th day; the events are of `begin`."""
    add_segment(connection, [Head(process, sequence, [Thread(1, 1, begin, begin + 10**9)])], START + day * DAY)


@contextmanager
def forty_days(ingest_server: Server, store: Path) -> Iterator[Lake]:
    """Forty days of one process, the last of another, in a database of their own; one connection serves everybody."""
    name = f"test_{uuid.uuid4().hex}"
    dsn = make_conninfo(dsn_of(ingest_server.data), dbname=name)
    create_database(dsn)
    base = Database(dsn, 1)
    with connect(dsn) as connection:
        add_process(connection, LONG, START, START + DAYS * DAY, DAYS)
        last = START + (DAYS - 1) * DAY
        add_process(connection, SHORT, last, last + 60 * 10**9, 1)
        for day in range(DAYS):
            base.ensure_day(connection, FIRST + datetime.timedelta(days=day))
            add_block(connection, LONG, day, day, START + day * DAY + 5 * 10**9)
        add_block(connection, SHORT, 0, DAYS - 1, last)
        connection.execute("ANALYZE")
    opened = Lake(base, LocalStore(store))
    yield opened
    opened.close()
    base.close()
    with psycopg.connect(dsn_of(ingest_server.data), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def lake(ingest_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """For tests that add nothing."""
    with forty_days(ingest_server, tmp_path_factory.mktemp("store")) as opened:
        yield opened


@pytest.fixture
def own_lake(ingest_server: Server, tmp_path: Path) -> Iterator[Lake]:
    """For a test that adds to it."""
    with forty_days(ingest_server, tmp_path) as opened:
        yield opened


def test_no_statement_that_comes_back_is_planned_for_all_values_at_once(lake: Lake) -> None:
    metadata = PostgresMetadata(60, prices.read(""))
    for process in [LONG] * 10 + [SHORT] * 10:
        rows = lake.select_blocks(SPAN, process_ids=[process])
        assert len(rows) == (DAYS if process == LONG else 1)
        lake.block_before(SPAN, process, START + DAYS * DAY)
        with lake.snapshot() as snapshot:
            metadata.newest_span_blocks(snapshot, Bounds(process_ids=frozenset([process])))
            metadata.rows(snapshot, BLOCKS, Ask(("begin_time",), Bounds(process_ids=frozenset([process]))))
    with lake.connection() as connection:
        prepared = connection.execute(
            "SELECT name, statement, generic_plans, custom_plans FROM pg_prepared_statements "
            "WHERE statement ~ 'segments|span_blocks'"
        ).fetchall()
    assert len(prepared) >= 3, "statements that come back are prepared: without that the test proves nothing"
    for _name, statement, generic, custom in prepared:
        assert (generic, custom > 4) == (0, True), statement


@pytest.mark.parametrize("what", ["process", "range", "before", "view", "view of a range"])
def test_every_query_of_blocks_is_bounded_by_days_also_on_its_tenth_run(
    lake: Lake, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL itself says which partitions it looks into, for the statements as they are sent."""
    metadata = PostgresMetadata(60, prices.read(""))
    last = START + (DAYS - 1) * DAY
    ids = frozenset([SHORT])

    def ask(read: Callable[[Snapshot], object]) -> object:
        with lake.snapshot() as snapshot:
            return read(snapshot)

    def view(wanted: Ask) -> object:
        return ask(lambda moment: list(metadata.rows(moment, BLOCKS, wanted)()))

    run = {
        "process": lambda: lake.select_blocks(SPAN, process_ids=[SHORT]),
        "range": lambda: lake.select_blocks(SPAN, begin=last, end=last + DAY // 2),
        "before": lambda: lake.block_before(SPAN, SHORT, last + DAY),
        "view": lambda: view(Ask(("begin_time",), Bounds(process_ids=ids))),
        "view of a range": lambda: view(Ask((), ALL, begin=last, end=last + DAY // 2)),
    }[what]
    for _ in range(9):
        run()
    explained: list[str] = []
    execute = psycopg.Cursor.execute

    def explaining(cursor: psycopg.Cursor[object], query: bytes | str, *given: object, **options: object) -> object:
        text = query.decode() if isinstance(query, bytes) else query
        if "FROM segments" in text and text.lstrip().startswith("SELECT"):
            with psycopg.ClientCursor(cursor.connection) as other:
                plan = execute(other, "EXPLAIN " + text, *given[:1]).fetchall()  # type: ignore[arg-type]
            explained.extend(str(line) for (line,) in plan)
        return execute(cursor, query, *given, **options)  # type: ignore[arg-type]

    def explaining_read(snapshot: Snapshot, query: str) -> ArrowResult:
        explained.extend(str(line) for (line,) in snapshot.select("EXPLAIN " + query))
        return read(snapshot, query)

    read = Snapshot.read
    monkeypatch.setattr(Snapshot, "read", explaining_read)
    monkeypatch.setattr(psycopg.Cursor, "execute", explaining)
    assert run()
    touched = {word for line in explained for word in line.split() if word.startswith("segments_2")}
    assert touched == {f"segments_{FIRST + datetime.timedelta(days=DAYS - 1):%Y%m%d}"}


def test_a_range_finds_what_a_wrong_clock_or_a_late_batch_put_into_another_day(own_lake: Lake) -> None:
    odd = uuid.uuid4()
    chance = random.Random(1)
    begins = [START + chance.randrange(-400 * DAY, 400 * DAY) for _ in range(20)]
    with own_lake.connection() as connection:
        add_process(connection, odd, START, START + DAYS * DAY, len(begins))
        for number, begin in enumerate(begins):
            add_block(connection, odd, number, chance.randrange(DAYS), begin)
    for begin in begins:
        found = own_lake.select_blocks(SPAN, begin=begin, end=begin + 10**9)
        assert begin in {row.begin_time for row in found if row.process_id == odd}
        assert own_lake.select_blocks(SPAN, begin=begin + 10**9 + 1, end=begin + 10**9 + 1, process_ids=[odd]) == []
        before = [other for other in begins if other + 10**9 < begin]
        previous = own_lake.block_before(SPAN, odd, begin)
        assert (previous is not None) == bool(before)


def test_a_day_is_written_once_an_hour_not_with_every_group(own_lake: Lake) -> None:
    day = FIRST + datetime.timedelta(days=DAYS - 1)
    begin = START + (DAYS - 1) * DAY
    with own_lake.connection() as connection:
        block_days.widen(connection, day, begin, begin + 10**9)
        version = "SELECT xmin, ctid, xmax FROM block_days WHERE insert_day = %s"
        before = connection.execute(version, (day,)).fetchone()
        for second in range(0, 3500, 100):
            block_days.widen(connection, day, begin + second * 10**9, begin + (second + 1) * 10**9)
        assert connection.execute(version, (day,)).fetchone() == before
        block_days.widen(connection, day, begin, begin + 3 * 3600 * 10**9 + 1)
        assert connection.execute(version, (day,)).fetchone() != before
        for edge in (-(1 << 63), (1 << 63) - 1):
            block_days.widen(connection, day, edge, edge)
