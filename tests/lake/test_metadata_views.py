"""The metadata views: what PostgreSQL is asked for, it answers as DataFusion would have."""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import Iterator

os.environ.setdefault("TOKIO_WORKER_THREADS", "16")

import psycopg
import pyarrow as pa
import pytest
from datafusion import SessionConfig, SessionContext
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tachy_server.base.errors import StoreError
from tachy_server.base.settings import Settings
from tachy_server.lake.arrow_reads import ArrowReads
from tachy_server.lake.database import Database, create_database
from tachy_server.lake.lake import Lake
from tachy_server.lake.snapshot import Snapshot
from tachy_server.lake.store import LocalStore
from tachy_server.query.engine import QueryEngine

from tests.lake.conftest import dsn_of
from tests.lake.test_block_days import FIRST, START
from tests.serving import Server

VIEWS = ("processes", "streams", "blocks", "block_errors")
TEXTS = ["", "game", "Game", "a'b", 'a"b', "a\\b", "100%", "%s", "$1", "ü\u2028", "p.exe", "{silent}"]
_PROCESS = """
INSERT INTO processes VALUES (%s, %s, %s, %s, 'r', 'pc', 'd', 'c', %s, %s, 0, 'tsc', 'tachy', %s, %s, %s, %s, %s, %s)
"""
_STREAM = "INSERT INTO streams VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
_BLOCK = """
INSERT INTO blocks VALUES (%s, %s, %s, %s, %s, %s, 1, 'key', 0, 8, 8, 0, 8, %s, 0, 1, %s, %s, %s, %s, %s, %s, %s, %s,
    %s, %s, %s, %s)
"""


def fill(connection: psycopg.Connection[tuple[object, ...]], chance: random.Random) -> None:
    """Forty processes with up to three streams and five blocks each, and a few errors."""
    ids = [uuid.UUID(int=chance.getrandbits(128), version=4) for _ in range(40)]
    for number, process in enumerate(ids):
        at = START + number * 10**9
        end = None if number % 5 == 0 else at + 10
        parent = chance.choice([None, *ids])
        state = chance.choice(["running", "exited"])
        values = (chance.choice(TEXTS), chance.choice(TEXTS), chance.choice([1, 1 << 62]), at, state)
        times = (at + 1, at + chance.choice([0, 10**18]), end, end)
        connection.execute(_PROCESS, (process, parent, *values, json.dumps({"n": number}), *times))
        threads = chance.randrange(1, 4)
        for thread in range(1, threads + 1):
            stream = (uuid.uuid4(), process, 3, thread, chance.choice(TEXTS), thread, at, at + 5)
            connection.execute(_STREAM, stream)
        for sequence in range(chance.randrange(6)):
            begin = at + sequence * 100
            block, cls = uuid.uuid4(), 3
            events = [chance.randrange(5) for _ in range(threads)]
            begins = [begin + chance.randrange(50) for _ in range(threads)]
            ends = [begin + 50 + chance.randrange(50) for _ in range(threads)]
            row = (FIRST, block, process, cls, sequence, uuid.uuid4(), 1000 + sequence, begin, begin + 100)
            arrays = (list(range(1, threads + 1)), events, [0] * threads, [0] * threads, [1] * threads, begins, ends)
            connection.execute(_BLOCK, (*row, sum(events), sequence, begin, *arrays))
            if chance.random() < 0.1:
                error = (block, process, cls, chance.choice(TEXTS), begin)
                connection.execute("INSERT INTO block_errors VALUES (%s, %s, %s, %s, %s)", error)
    connection.execute("INSERT INTO block_days VALUES (%s, 0, %s)", (FIRST, 1 << 62))
    connection.execute(
        "INSERT INTO block_counts SELECT insert_day, 0, sum(cardinality(threads)) FROM blocks GROUP BY insert_day"
    )


@pytest.fixture(scope="module")
def lake(ingest_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    name = f"test_{uuid.uuid4().hex}"
    dsn = make_conninfo(dsn_of(ingest_server.data), dbname=name)
    create_database(dsn)
    base = Database(dsn, 4)
    with base.connection() as connection:
        base.ensure_day(connection, FIRST)
        fill(connection, random.Random(3))
    opened = Lake(base, LocalStore(tmp_path_factory.mktemp("store")))
    yield opened
    opened.close()
    base.close()
    with psycopg.connect(dsn_of(ingest_server.data), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


class Both:
    """The engine, and DataFusion over all rows of the views in memory."""

    def __init__(self, lake: Lake) -> None:
        self.engine = QueryEngine(lake, Settings())
        config = SessionConfig().set("datafusion.sql_parser.map_string_types_to_utf8view", "false")
        self.context = SessionContext(config.set("datafusion.execution.time_zone", "+00:00"))
        self.rows: dict[str, pa.Table] = {}
        for view in VIEWS:
            query = self.engine.plan(f"SELECT * FROM {view}", preserve_dictionary=True)
            self.rows[view] = pa.Table.from_batches(list(query.batches()), query.schema)
            self.context.register_record_batches(view, [self.rows[view].to_batches()])

    def ask(self, statement: str) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        query = self.engine.plan(statement)
        ours = pa.Table.from_batches(list(query.batches()), query.schema)
        theirs = self.context.sql(statement).to_arrow_table()
        return plain(ours), plain(theirs)


def plain(table: pa.Table) -> list[dict[str, object]]:
    """Times as numbers, which Python's datetime has no nanoseconds for."""
    columns = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in table.columns]
    rows: list[dict[str, object]] = pa.table(columns, names=table.column_names).to_pylist()
    return rows


@pytest.fixture(scope="module")
def both(lake: Lake) -> Both:
    return Both(lake)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that PostgreSQL is asked."""
    statements: list[str] = []
    read = Snapshot.read

    def noting(snapshot: Snapshot, query: str) -> object:
        statements.append(" ".join(query.split()))
        return read(snapshot, query)

    monkeypatch.setattr(Snapshot, "read", noting)
    return statements


def test_the_rows_are_those_of_the_tables(both: Both, lake: Lake) -> None:
    with lake.snapshot() as snapshot:
        for view, expected in (
            ("processes", "SELECT count(*) FROM processes"),
            ("streams", "SELECT count(*) FROM streams"),
            ("blocks", "SELECT sum(cardinality(threads)) FROM blocks"),
            ("block_errors", "SELECT count(*) FROM block_errors"),
        ):
            ((count,),) = snapshot.select(expected)
            assert both.rows[view].num_rows == count > 0, view
            assert both.ask(f"SELECT count(*) AS n FROM {view}")[0] == [{"n": count}]
        stored = snapshot.select("SELECT block_id::text, stored_size, dropped FROM blocks")
    rows = plain(both.rows["blocks"])
    for block, size, dropped in stored:
        mine = [row for row in rows if row["block_id"] == block]
        assert sum(row["payload_size"] for row in mine) == size  # type: ignore[misc]
        assert sum(row["dropped"] for row in mine) == dropped  # type: ignore[misc]


def test_any_question_is_answered_as_over_all_rows_in_memory(both: Both) -> None:
    """Filters, orders and limits, over every column, NULL and odd texts included."""
    chance = random.Random(5)
    for number in range(250):
        view = VIEWS[number % len(VIEWS)]
        table = both.rows[view]
        comparable = [f.name for f in table.schema if not pa.types.is_list(f.type) and not pa.types.is_binary(f.type)]

        def literal(name: str, table: pa.Table = table) -> str:
            known = [row[name] for row in plain(table.select([name])) if row[name] is not None]
            value, kind = chance.choice(known), table.schema.field(name).type
            if chance.random() < 0.05 and pa.types.is_dictionary(kind):
                return f"'{uuid.uuid4()}'"
            if pa.types.is_timestamp(kind):
                return f"arrow_cast({value}, 'Timestamp(Nanosecond, Some(\"UTC\"))')"
            return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)

        def leaf(columns: list[str] = comparable) -> str:
            name = chance.choice(columns)
            match chance.randrange(6):
                case 0:
                    return f'"{name}" IS {chance.choice(["", "NOT "])}NULL'
                case 1:
                    values = ", ".join(literal(name) for _ in range(chance.choice([2, 5])))
                    return f'"{name}" {chance.choice(["", "NOT "])}IN ({values})'
            return f'"{name}" {chance.choice(["=", "<>", "<", ">=", "=", "="])} {literal(name)}'

        def tree(depth: int, leaf: object = leaf) -> str:
            if depth == 0 or chance.random() < 0.3:
                return leaf()  # type: ignore[operator, no-any-return]
            joined = f"({tree(depth - 1)} {chance.choice(['AND', 'OR'])} {tree(depth - 1)})"
            return joined if chance.random() < 0.8 else f"NOT {joined}"

        where = f"WHERE {tree(2)}" if chance.random() < 0.8 else ""
        shown = ", ".join(f'"{name}"' for name in chance.sample(comparable, 3))
        key = {"processes": "process_id", "streams": "stream_id", "blocks": "stream_id", "block_errors": "block_id"}
        order = [f'"{chance.choice(comparable)}" {chance.choice(["", "DESC", "NULLS FIRST", "DESC NULLS LAST"])}']
        unique = [f'"{key[view]}"', *(["begin_time"] if view == "blocks" else [])]
        tail = f"ORDER BY {', '.join(order + unique)} LIMIT {chance.randrange(1, 20)}" if chance.random() < 0.5 else ""
        statement = f"SELECT {shown} FROM {view} {where} {tail}"
        ours, theirs = both.ask(statement)
        if not tail:
            ours, theirs = sorted(ours, key=repr), sorted(theirs, key=repr)
        assert ours == theirs, statement
        ours, theirs = both.ask(f"SELECT count(*) AS n FROM {view} {where}")
        assert ours == theirs, statement
        assert len(both.ask(f"SELECT {shown} FROM {view} {where} LIMIT 4")[0]) == min(4, ours[0]["n"]), statement  # type: ignore[call-overload]


def test_only_what_is_needed_is_asked_for(both: Both, sent: list[str]) -> None:
    for statement, asked in {
        "SELECT exe FROM processes LIMIT 3": "SELECT p.exe FROM processes AS p WHERE true LIMIT 3",
        "SELECT exe FROM processes WHERE username = 'a''b' ORDER BY insert_time DESC, start_time DESC LIMIT 3": (
            "p.username FROM processes AS p WHERE p.username = 'a''b' "
            "ORDER BY p.insert_time DESC NULLS FIRST, p.start_time DESC NULLS FIRST LIMIT 3"
        ),
        "SELECT count(*) FROM processes": "SELECT count(*) FROM processes AS p WHERE true",
        "SELECT count(*) FROM blocks": "FROM block_counts",
        "SELECT exe FROM processes WHERE exe LIKE 'a%' LIMIT 3": "SELECT p.exe FROM processes AS p WHERE true",
        "SELECT begin_time FROM blocks LIMIT 1": "LIMIT 1",
    }.items():
        sent.clear()
        both.ask(statement)
        (found,) = sent
        assert found.replace("  ", " ").endswith(asked), statement
    sent.clear()
    both.ask('SELECT begin_time, "processes.exe" FROM blocks')
    assert "JOIN processes" in sent[0]
    assert "JOIN streams" not in sent[0]


def test_a_result_can_be_read_again_whether_it_is_held_or_streams(lake: Lake) -> None:
    reads = ArrowReads(lake.database.dsn, 2)
    for count in (0, 10, 200_000):
        result = reads.read(f"SELECT n, repeat('x', 200) FROM generate_series(1, {count}) AS n")
        for _ in range(2):
            assert sum(batch.num_rows for batch in result) == count
    left = reads.read("SELECT n, repeat('x', 200) FROM generate_series(1, 200000) AS n")
    next(iter(left))
    del left  # gives back its connection, which was busy
    for _ in range(5):
        assert [batch.num_rows for batch in reads.read("SELECT 1")] == [1]
    with pytest.raises(StoreError, match="does not exist"):
        reads.read("SELECT nothing")
    with pytest.raises(StoreError, match="read-only"):
        reads.read("DELETE FROM processes RETURNING process_id")
    reads.close()


def test_options_of_the_connection_string_hold(lake: Lake) -> None:
    reads = ArrowReads(make_conninfo(lake.database.dsn, options="-c search_path=nowhere -c work_mem=5MB"), 2)
    asked = "SELECT current_setting('search_path'), current_setting('work_mem'), current_setting('jit')"
    (batch,) = reads.read(asked)
    assert [column[0].as_py() for column in batch.columns] == ["nowhere", "5MB", "off"]
    reads.close()


def test_a_connection_that_broke_while_it_was_idle_is_replaced(lake: Lake) -> None:
    reads = ArrowReads(lake.database.dsn, 2)
    assert len(list(reads.read("SELECT 1"))) == 1
    with lake.connection() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = 'tachy reads' AND datname = current_database()"
        )
    assert len(list(reads.read("SELECT 1"))) == 1
    reads.close()
