"""However often a plan runs its scans, they give the same rows: those that plain DataFusion finds in memory."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pyarrow as pa
import pytest
from datafusion import SessionConfig, SessionContext
from tachy_server.query import functions
from tachy_server.views.tables import PARTITIONS, Part, Scan, Session, Table

from tests.query.conftest import MakeWorld, World, ids, play
from tests.query.fake_lake import FakeLake, FakeMetadata

VIEWS = ("log_entries", "measures", "thread_spans", "async_events", "processes")
PATHS = """
WITH RECURSIVE paths AS (
    SELECT stream_id, id, name || '' AS path, 0 AS level FROM thread_spans WHERE parent = 0
    UNION ALL
    SELECT s.stream_id, s.id, p.path || '/' || s.name, p.level + 1
    FROM thread_spans AS s JOIN paths AS p ON s.parent = p.id AND s.stream_id = p.stream_id
)
"""
QUERIES = {
    "recursive": PATHS + "SELECT path, level, count(*) FROM paths GROUP BY path, level",
    "recursive to the roots": """
        WITH RECURSIVE up AS (
            SELECT stream_id, id, parent, id AS leaf FROM thread_spans WHERE name = 'Draw'
            UNION ALL
            SELECT s.stream_id, s.id, s.parent, up.leaf
            FROM up JOIN thread_spans AS s ON s.id = up.parent AND s.stream_id = up.stream_id
        ) SELECT stream_id, leaf, count(*), min(id) FROM up GROUP BY stream_id, leaf""",
    "recursive without duplicates": """
        WITH RECURSIVE near AS (
            SELECT level, 1 AS step FROM log_entries WHERE level = 2
            UNION
            SELECT l.level, n.step + 1 FROM log_entries AS l CROSS JOIN near AS n WHERE n.step < 4
        ) SELECT level, step, count(*) FROM near GROUP BY level, step""",
    "recursive with a nested loop": """
        WITH RECURSIVE later AS (
            SELECT name, value, 1 AS step FROM measures WHERE value < 3
            UNION ALL
            SELECT m.name, m.value, l.step + 1 FROM measures AS m JOIN later AS l
            ON m.value > l.value AND m.value < l.value + 1.5 AND l.step < 3 AND m.name = 'queue'
        ) SELECT name, step, count(*), sum(value) FROM later GROUP BY name, step""",
    "recursive with an aggregate in each step": """
        WITH RECURSIVE sums AS (
            SELECT 1 AS step, CAST(0 AS BIGINT) AS n
            UNION ALL
            SELECT s.step + 1, a.n FROM sums AS s
            CROSS JOIN (SELECT count(*) AS n FROM log_entries) AS a WHERE s.step < 5
        ) SELECT step, n FROM sums""",
    "recursive with a limit in each step": """
        WITH RECURSIVE some AS (
            SELECT 1 AS step, CAST(0 AS BIGINT) AS n
            UNION ALL
            SELECT s.step + 1, a.n FROM some AS s
            CROSS JOIN (SELECT count(*) AS n FROM (SELECT level FROM log_entries LIMIT 70)) AS a WHERE s.step < 8
        ) SELECT step, n FROM some""",
    "recursive over a join of views": """
        WITH RECURSIVE r AS (
            SELECT process_id, 1 AS step FROM processes
            UNION ALL
            SELECT l.process_id, r.step + 1 FROM r JOIN log_entries AS l ON l.process_id = r.process_id
            JOIN measures AS m ON m.time = l.time AND m.process_id = l.process_id AND m.value > 68 WHERE r.step < 3
        ) SELECT process_id, step, count(*) FROM r GROUP BY process_id, step""",
    "joined with itself": "SELECT a.level, count(*) FROM log_entries a JOIN log_entries b USING (time) GROUP BY 1",
    "joined with itself by an inequality": """
        SELECT a.name, count(*) FROM measures a JOIN measures b ON a.value < b.value AND a.time > b.time GROUP BY 1""",
    "joined three times": """
        SELECT c.name, count(*) FROM thread_spans a
        JOIN thread_spans b ON b.parent = a.id AND b.stream_id = a.stream_id
        JOIN thread_spans c ON c.parent = b.id AND c.stream_id = b.stream_id GROUP BY c.name""",
    "a correlated scalar": """
        SELECT process_id, count(*) FROM log_entries AS l
        WHERE level >= (SELECT avg(level) FROM log_entries AS m WHERE m.process_id = l.process_id) GROUP BY 1""",
    "a correlated EXISTS": """
        SELECT name, count(*) FROM thread_spans AS s WHERE EXISTS (
            SELECT 1 FROM thread_spans AS c WHERE c.parent = s.id AND c.stream_id = s.stream_id) GROUP BY name""",
    "NOT IN": """
        SELECT count(*) FROM thread_spans WHERE id NOT IN (SELECT parent FROM thread_spans WHERE name = 'Physics')""",
    "lateral": """
        SELECT p.exe, l.n FROM processes AS p,
        LATERAL (SELECT count(*) AS n FROM log_entries AS e WHERE e.process_id = p.process_id) AS l""",
    "a CTE read twice": """
        WITH t AS (SELECT name, value FROM measures WHERE value > 3)
        SELECT a.name, count(*) FROM t AS a JOIN t AS b ON a.name = b.name GROUP BY a.name""",
    "a union with itself": "SELECT count(*) FROM (SELECT name FROM measures UNION ALL SELECT name FROM measures)",
    "intersect and except": """
        SELECT level FROM log_entries INTERSECT SELECT level FROM log_entries WHERE level < 4
        EXCEPT SELECT level FROM log_entries WHERE level = 3""",
    "a subquery beside a scan of many ids": """
        SELECT count(DISTINCT process_id) AS few, (SELECT count(DISTINCT process_id) FROM log_entries) AS every
        FROM log_entries WHERE process_id IN ({ids})""",
    "a scan of many ids inside a subquery": """
        SELECT count(DISTINCT process_id) AS every, (SELECT count(DISTINCT process_id) FROM log_entries
            WHERE process_id IN ({ids})) AS few FROM log_entries""",
    "a join with a scan of many ids": """
        SELECT count(*), count(DISTINCT a.process_id) FROM log_entries AS a
        LEFT JOIN (SELECT * FROM log_entries WHERE process_id IN ({ids})) AS b
        ON a.time = b.time AND a.process_id = b.process_id""",
    "metadata by many ids and all of it": """
        SELECT count(*) AS few, (SELECT count(*) FROM processes) AS every FROM processes WHERE process_id IN ({ids})""",
}


@pytest.fixture
def games(make_world: MakeWorld) -> World:
    """Seven processes, so that some of them are more than a list that DataFusion makes into ORs."""
    world = make_world()
    play(world, processes=7, blocks=4)
    return world


@pytest.fixture
def memory(games: World) -> SessionContext:
    """The same rows in plain DataFusion."""
    context = SessionContext(SessionConfig().with_target_partitions(PARTITIONS))
    functions.register(context)
    for view in VIEWS:
        rows = games.query(f"SELECT * FROM {view}", preserve_dictionary=True)
        assert rows.num_rows > 0
        context.register_record_batches(view, [rows.to_batches()])
    return context


def _sorted(table: pa.Table) -> list[str]:
    return sorted(str(list(row.values())) for row in table.to_pylist())


def test_scans_that_run_more_than_once_give_what_datafusion_gives_in_memory(
    games: World, memory: SessionContext
) -> None:
    few = ", ".join(f"'{text}'" for text in ids(games.processes[:5]))
    wrong = {}
    for name, sql in QUERIES.items():
        statement = sql.replace("{ids}", few)
        given, expected = games.query(statement), memory.sql(statement).to_arrow_table()
        assert expected.num_rows > 0, name
        if _sorted(given) != _sorted(expected):
            wrong[name] = (given.to_pylist()[:5], expected.to_pylist()[:5])
    assert not wrong


@pytest.mark.parametrize("view", ["log_entries", "processes"])
def test_what_a_query_says_of_one_scan_does_not_bound_a_table_functions(games: World, view: str) -> None:
    few = ", ".join(f"'{text}'" for text in ids(games.processes[:5]))
    count = "SELECT count(DISTINCT process_id) AS n FROM"
    table = games.query(
        f"{count} {view} WHERE process_id IN ({few}) UNION ALL {count} view_instance('{view}', 'global')"
    )
    assert sorted(table["n"].to_pylist()) == [5, 7]


def test_every_span_has_its_call_path(games: World) -> None:
    assert games.value(PATHS + "SELECT count(*) FROM paths") == games.value("SELECT count(*) FROM thread_spans")


def _table(parts: int) -> Table:
    schema = pa.schema([("n", pa.int64())])
    lake = FakeLake()

    def rows(scan: Scan) -> Iterator[Part]:
        def part(number: int) -> Iterator[pa.RecordBatch]:
            yield pa.record_batch({"n": pa.array([number * 2, number * 2 + 1], pa.int64())})

        for number in range(parts):
            yield lambda number=number: part(number)

    return Table(Session(lake, FakeMetadata(lake), None, 0, {}), "t", schema, rows)


@pytest.mark.parametrize("parts", [0, 1, PARTITIONS - 1, PARTITIONS, PARTITIONS * 5 + 1])
def test_a_partition_has_the_same_rows_whenever_and_however_often_it_is_opened(parts: int) -> None:
    """In any order, several at a time, and also where an earlier reader has left half of them."""
    table = _table(parts)
    table.scanner()
    fragments = table.get_fragments()
    chance = random.Random(parts)
    left = [fragments[chance.randrange(PARTITIONS)].scanner(table.schema).to_batches() for _ in range(PARTITIONS)]
    for batches in left:
        next(batches, None)
    read: dict[int, list[int]] = {}
    for at in chance.sample([*range(PARTITIONS)] * 3, PARTITIONS * 3):
        rows = [n for batch in fragments[at].scanner(table.schema).to_batches() for n in batch["n"].to_pylist()]
        assert read.setdefault(at, rows) == rows
    assert sorted(n for rows in read.values() for n in rows) == list(range(parts * 2))


def test_datafusion_may_execute_a_partition_of_a_plan_again() -> None:
    context = SessionContext(SessionConfig().with_target_partitions(PARTITIONS))
    context.register_table("t", _table(PARTITIONS * 3))
    plan = context.sql("SELECT n FROM t").execution_plan()
    assert plan.partition_count == PARTITIONS
    for _ in range(3):
        rows = [
            n
            for partition in range(PARTITIONS)
            for batch in context.execute(plan, partition)
            for n in batch.to_pyarrow()["n"].to_pylist()
        ]
        assert sorted(rows) == list(range(PARTITIONS * 6))
