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
from tachy_server.formats.reader import block_id, stream_id
from tachy_server.lake.arrow_reads import ArrowReads
from tachy_server.lake.database import Database, create_database
from tachy_server.lake.described import STREAM_TOLD_NS, is_due
from tachy_server.lake.lake import Lake
from tachy_server.lake.snapshot import Snapshot
from tachy_server.lake.store import LocalStore
from tachy_server.query.engine import QueryEngine

from tests.lake.conftest import dsn_of
from tests.lake.heads import Head, Thread, add_segment
from tests.lake.test_block_days import FIRST, START
from tests.serving import Server

VIEWS = ("processes", "streams", "blocks", "block_errors")
TEXTS = ["", "game", "Game", "a'b", 'a"b', "a\\b", "100%", "%s", "$1", "ü\u2028", "p.exe", "{silent}"]
_PROCESS = """
INSERT INTO processes VALUES
    (%s, %s, %s, %s, 'r', 'pc', 'd', 'c', %s, %s, 0, 'tsc', 'tachy', %s, %s, '{}', %s, %s, %s, %s)
"""
_STREAM = "INSERT INTO streams VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"


def fill(connection: psycopg.Connection[tuple[object, ...]], chance: random.Random) -> list[Head]:
    """Forty processes with up to three streams and five blocks each, and a few errors. The blocks."""
    heads: list[Head] = []
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
            stream = (stream_id(process, 3, thread), process, 3, thread, chance.choice(TEXTS), thread, at, at + 5)
            connection.execute(_STREAM, stream)
        for sequence in range(chance.randrange(6)):
            begin = at + sequence * 100
            own = []
            for thread in range(1, threads + 1):
                first, last = begin + chance.randrange(50), begin + 50 + chance.randrange(50)
                own.append(Thread(thread, chance.randrange(5), first, last))
            heads.append(Head(process, sequence, own, stored_size=1000 + sequence, dropped=sequence))
            if chance.random() < 0.1:
                error = (block_id(process, 3, sequence), process, 3, chance.choice(TEXTS), begin)
                connection.execute("INSERT INTO block_errors VALUES (%s, %s, %s, %s, %s)", error)
    chance.shuffle(heads)
    for start in range(0, len(heads), 7):
        add_segment(connection, heads[start : start + 7], START + start)
    return heads


@pytest.fixture(scope="module")
def heads() -> list[Head]:
    """The blocks that the lake has, once it is there."""
    return []


@pytest.fixture(scope="module")
def lake(ingest_server: Server, tmp_path_factory: pytest.TempPathFactory, heads: list[Head]) -> Iterator[Lake]:
    name = f"test_{uuid.uuid4().hex}"
    dsn = make_conninfo(dsn_of(ingest_server.data), dbname=name)
    create_database(dsn)
    base = Database(dsn, 4)
    with base.connection() as connection:
        base.ensure_day(connection, FIRST)
        heads.extend(fill(connection, random.Random(3)))
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


def test_the_rows_are_those_of_the_tables(both: Both, lake: Lake, heads: list[Head]) -> None:
    with lake.snapshot() as snapshot:
        for view, expected in (
            ("processes", "SELECT count(*) FROM processes"),
            ("streams", "SELECT count(*) FROM streams"),
            ("blocks", f"SELECT {sum(len(head.threads) for head in heads)}"),
            ("block_errors", "SELECT count(*) FROM block_errors"),
        ):
            ((count,),) = snapshot.select(expected)
            assert both.rows[view].num_rows == count > 0, view
            assert both.ask(f"SELECT count(*) AS n FROM {view}")[0] == [{"n": count}]
    rows = plain(both.rows["blocks"])
    for head in heads:
        mine = [row for row in rows if row["block_id"] == str(block_id(head.process_id, 3, head.sequence))]
        assert sum(row["payload_size"] for row in mine) == head.stored_size  # type: ignore[misc]
        assert sum(row["dropped"] for row in mine) == head.dropped  # type: ignore[misc]
        assert sorted((row["begin_time"], row["end_time"], row["nb_objects"]) for row in mine) == sorted(
            (thread.begin, thread.end, thread.events) for thread in head.threads
        )


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
        "SELECT exe FROM processes WHERE exe LIKE 'a%' LIMIT 3": "SELECT p.exe FROM processes AS p WHERE true",
    }.items():
        sent.clear()
        both.ask(statement)
        (found,) = sent
        assert found.replace("  ", " ").endswith(asked), statement
    sent.clear()
    both.ask("SELECT begin_time, count(*) FROM blocks GROUP BY begin_time")
    assert sent == []
    both.ask('SELECT begin_time, "processes.exe" FROM blocks')
    assert len(sent) == 1
    assert "FROM processes" in sent[0]


def test_a_stream_is_in_range_until_it_should_have_been_told_of_again(both: Both) -> None:
    told = sorted(row["last_update_time"] for row in plain(both.rows["streams"].select(["last_update_time"])))  # type: ignore[type-var]
    for begin in (told[0], told[len(told) // 2], told[-1]):
        for later in (0, STREAM_TOLD_NS, STREAM_TOLD_NS + 1):
            query = both.engine.plan("SELECT stream_id FROM streams", begin=begin + later)
            found = sum(batch.num_rows for batch in query.batches())
            assert found == sum(time + STREAM_TOLD_NS >= begin + later for time in told)


def test_a_stream_is_told_of_every_five_minutes_and_every_day() -> None:
    midnight = 20_000 * 86_400 * 10**9
    assert not is_due(midnight, midnight + STREAM_TOLD_NS)
    assert is_due(midnight, midnight + STREAM_TOLD_NS + 1)
    assert is_due(midnight - 1, midnight)


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
