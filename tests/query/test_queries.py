"""A query only reads, can be stopped, keeps to its limits, and fails with one clear line."""

from __future__ import annotations

import gc
import threading
import time
import uuid
import weakref
from dataclasses import replace

import pyarrow as pa
import pytest
from tachy_server.base.errors import QueryError
from tachy_server.base.settings import Settings
from tachy_server.query import plans
from tachy_server.query.engine import QueryEngine
from tachy_server.views.declarations import VIEWS
from tachy_server.views.tables import Session

from tests.model.encoder import Process
from tests.query.conftest import MakeWorld, World, message, play
from tests.query.fake_lake import FakeMetadata

WRITES = [
    "CREATE TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1",
    "CREATE EXTERNAL TABLE x (a int) STORED AS CSV LOCATION '/etc/passwd'",
    "DROP TABLE log_entries",
    "INSERT INTO log_entries SELECT * FROM log_entries",
    "DELETE FROM log_entries",
    "UPDATE log_entries SET msg = ''",
    "COPY log_entries TO '/tmp/x.csv'",
    "EXPLAIN ANALYZE COPY log_entries TO '/tmp/x.csv'",
    "SET datafusion.execution.batch_size = 1",
    "PREPARE p AS SELECT 1",
    "TRUNCATE TABLE log_entries",
]


def _fails(world: World, sql: str, **options: object) -> str:
    with pytest.raises(QueryError) as raised:
        world.query(sql, **options)
    message = str(raised.value)
    assert "\n" not in message
    for noise in ("Traceback", "DataFusion error", "Error during planning", "External error", "Python", ".py"):
        assert noise not in message, message
    return message


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_but_reading_is_allowed(world: World, sql: str) -> None:
    assert "only read" in _fails(world, sql)


@pytest.mark.parametrize("condition", ["name IN (NULL)", "depth BETWEEN NULL AND 3", "(name IN (NULL)) IS NULL"])
def test_a_condition_that_is_null_for_every_row_is_named(world: World, condition: str) -> None:
    assert _fails(world, f"SELECT * FROM thread_spans WHERE {condition}").startswith("a condition is NULL")


def test_a_null_among_other_values_is_none_of_them(world: World) -> None:
    names = world.rows("SELECT DISTINCT name FROM thread_spans ORDER BY name")
    first = names[0]["name"]
    assert world.rows(f"SELECT DISTINCT name FROM thread_spans WHERE name IN ('{first}', NULL)") == names[:1]


@pytest.mark.parametrize("name", ["/etc/passwd", "file:///etc/passwd"])
def test_files_are_no_tables(world: World, name: str) -> None:
    assert "no table" in _fails(world, f"SELECT * FROM '{name}'")


def test_errors_say_what_is_there(world: World) -> None:
    assert "did you mean log_entries?" in _fails(world, "SELECT * FROM log_entry")
    assert "log_entries.msg" in _fails(world, "SELECT mesg FROM log_entries")
    assert _fails(world, "SELEC 1").startswith("Expected: an SQL statement")
    assert "single SQL statement" in _fails(world, "SELECT 1; SELECT 2")
    assert "Invalid function 'nope'" in _fails(world, "SELECT nope(1)")
    assert "view_instance(view, id)" in _fails(world, "SELECT * FROM view_instance('thread_spans')")
    assert "there is no view x" in _fails(world, "SELECT * FROM view_instance('x', 'global')")
    assert "not an id" in _fails(world, "SELECT * FROM view_instance('thread_spans', 'x')")
    assert "Divide by zero" in _fails(world, "SELECT level / 0 FROM log_entries")
    assert "must begin with $" in _fails(world, "SELECT jsonb_path_query(properties, 'x') FROM log_entries")


def test_the_schema_is_known_before_anything_is_read(world: World) -> None:
    query = world.engine.plan("SELECT name, count(*) AS n, avg(duration) AS mean FROM thread_spans GROUP BY name")
    assert query.schema.names == ["name", "n", "mean"]
    assert query.schema.types == [pa.utf8(), pa.int64(), pa.float64()]
    assert world.lake.reads == []
    for view in VIEWS.values():
        schema = world.engine.plan(f"SELECT * FROM {view.name}", preserve_dictionary=True).schema
        assert schema.names == view.schema.names
        assert schema.types == view.schema.types


def test_dictionaries_leave_as_values_unless_they_are_asked_for(world: World) -> None:
    sql = "SELECT name, process_id, properties FROM thread_spans ORDER BY stream_id, id LIMIT 5"
    assert set(world.query(sql).schema.types) == {pa.utf8()}
    kept = world.query(sql, preserve_dictionary=True)
    assert set(kept.schema.types) == {pa.dictionary(pa.int32(), pa.utf8())}
    assert kept.column("name").to_pylist() == world.query(sql).column("name").to_pylist()


def test_a_limit_cuts_any_result(world: World) -> None:
    assert world.query("SELECT * FROM thread_spans", limit=7).num_rows == 7
    assert world.query("SELECT * FROM thread_spans LIMIT 3", limit=7).num_rows == 3
    assert world.query("EXPLAIN SELECT * FROM thread_spans", limit=1).num_rows == 1
    assert world.query("SHOW TABLES", limit=2).num_rows == 2
    assert world.query("SELECT * FROM thread_spans", limit=0).num_rows == 0


def test_parameters_are_bound_by_number(world: World) -> None:
    sql = "SELECT count(*) FROM log_entries WHERE level = $1 AND msg LIKE $2"
    expected = sum(log.level == 4 and message(log).startswith("frame 1") for _, log in world.of("logs"))
    assert world.value(sql, parameters=[pa.scalar(4), pa.scalar("frame 1%")]) == expected
    prepared = world.engine.plan("SELECT name FROM thread_spans WHERE name = $1 AND duration > $2 AND id <> $3")
    assert prepared.schema.names == ["name"]
    assert prepared.parameter_schema.names == ["$1", "$2", "$3"]
    assert prepared.parameter_schema.types == [pa.utf8(), pa.int64(), pa.int64()]
    assert world.engine.plan("SELECT 1").parameter_schema.names == []
    assert "$1" in _fails(world, "SELECT name FROM thread_spans WHERE name = $1")


def test_parameters_reach_table_functions(world: World) -> None:
    process = world.processes[0]
    sql = "SELECT count(*) FROM view_instance('log_entries', $1) WHERE level = $2"
    prepared = world.engine.plan(sql)
    assert prepared.parameter_schema == pa.schema([("$1", pa.utf8()), ("$2", pa.int32())])
    with pytest.raises(QueryError, match=r"parameter \$1 has no value"):
        list(prepared.batches())
    expected = sum(owner is process and log.level == 4 for owner, log in world.of("logs"))
    assert world.value(sql, parameters=[pa.scalar(str(process.process_id)), pa.scalar(4)]) == expected


def test_nan_is_the_greatest_number(make_world: MakeWorld) -> None:
    world = make_world()
    process = Process()
    thread = process.thread("main")
    for at, value in enumerate([1.0, float("nan"), float("inf"), -1.0]):
        thread.metric(at, "m", value)
    world.send(process)
    for condition, count in (("value > 0", 3), ("value >= 1", 3), ("value < 5", 2), ("value <> 1", 3)):
        assert world.value(f"SELECT count(*) FROM measures WHERE {condition}") == count, condition
        plain = condition.replace("value", "(value + 0)")
        assert world.value(f"SELECT count(*) FROM measures WHERE {plain}") == count, plain


def test_the_catalog_lists_the_views(world: World) -> None:
    shown = {row["table_name"] for row in world.rows("SHOW TABLES") if row["table_schema"] == "public"}
    assert shown == set(VIEWS)
    for view in VIEWS.values():
        assert [row["column_name"] for row in world.rows(f"DESCRIBE {view.name}")] == view.schema.names
    columns = world.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_catalog = 'tachy' AND table_schema = 'public' "
        "AND table_name = 'thread_spans' ORDER BY ordinal_position"
    )
    assert [row["column_name"] for row in columns] == VIEWS["thread_spans"].schema.names
    assert world.value("SELECT count(*) FROM tachy.public.log_entries") == len(world.of("logs"))


def test_an_engine_has_the_views_that_it_was_given(world: World) -> None:
    """Beside another one in the same process, with views of its own."""
    other = replace(VIEWS["log_entries"], name="lines")
    engine = QueryEngine(world.lake, Settings(), FakeMetadata(world.lake), {other.name: other})
    lines = World(world.lake, engine, world.processes, world.blocks)
    assert lines.value("SELECT count(*) FROM lines") == len(world.of("logs"))
    assert lines.value("SELECT count(*) FROM view_instance('lines', 'global')") == len(world.of("logs"))
    assert [row["view_set_name"] for row in lines.rows("SELECT * FROM list_view_sets()")] == ["lines"]
    assert _fails(lines, "SELECT * FROM line") == "there is no table line; did you mean lines?"
    assert "no table lines" in _fails(world, "SELECT * FROM lines")


CONSTANTS = [
    "SELECT 1",
    "SELECT 1 AS a, 'it''s' AS \"b c\", true, NULL, 1.5, -3, 1e300, ''",
    "SELECT 99999999999999999999, 18446744073709551615, X'0aff', INTERVAL '1 month 2 days'",
]
OTHERS = [
    "SELECT 1 + 1",
    "SELECT now() IS NULL",
    "SELECT 1 WHERE false",
    "SELECT 1 LIMIT 0",
    "SELECT 1 UNION SELECT 1",
]


@pytest.mark.parametrize("sql", [*CONSTANTS, *OTHERS])
def test_constants_need_not_be_run(world: World, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    query = world.engine.plan(sql)
    assert query.is_answered == (sql in CONSTANTS)
    table = pa.Table.from_batches(list(query.batches()), query.schema)
    monkeypatch.setattr(plans, "constants", lambda plan: None)
    assert not world.engine.plan(sql).is_answered
    assert world.query(sql).equals(table, check_metadata=True)
    monkeypatch.undo()
    cancelled = world.engine.plan(sql)
    cancelled.cancel()
    with pytest.raises(QueryError, match="cancelled"):
        list(cancelled.batches())
    assert world.engine.plan(sql, limit=0).is_answered is False


def test_explain_shows_a_plan(world: World) -> None:
    rows = world.rows("EXPLAIN SELECT name FROM thread_spans WHERE duration > 5")
    assert any("thread_spans" in row["plan"] for row in rows)
    assert world.lake.reads == []


def test_a_cancelled_query_raises_soon(make_world: MakeWorld) -> None:
    world = make_world(query_cache=0)
    play(world, processes=4, blocks=30)
    world.lake.delay = 0.05
    query = world.engine.plan("SELECT count(*) FROM log_entries")
    timer = threading.Timer(0.2, query.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(QueryError, match="cancelled"):
        list(query.batches())
    assert time.monotonic() - began < 1.5
    timer.join()
    reads = len(world.lake.reads)
    time.sleep(0.3)
    assert len(world.lake.reads) <= reads + 2
    query.cancel()


def test_a_query_that_was_cancelled_before_it_ran_reads_nothing(world: World) -> None:
    query = world.engine.plan("SELECT count(*) FROM log_entries")
    query.cancel()
    with pytest.raises(QueryError, match="cancelled"):
        list(query.batches())
    assert world.lake.reads == []


def test_memory_is_limited_and_a_sort_spills(make_world: MakeWorld) -> None:
    world = make_world(query_memory=96 << 20)
    table = world.query("SELECT v FROM range(0, 3000000) t(v) ORDER BY v DESC")
    assert table.num_rows == 3_000_000
    tiny = make_world(query_memory=1 << 20)
    message = _fails(tiny, "SELECT v FROM range(0, 3000000) t(v) ORDER BY v DESC")
    assert "query_memory" in message


def test_a_query_leaves_nothing_behind(world: World) -> None:
    def sessions() -> int:
        while gc.collect():  # what other tests left may go in several steps
            pass
        return sum(isinstance(known, Session) for known in gc.get_objects())

    before = sessions()
    context = world.engine.plan("SELECT 1")._context
    gone = weakref.ref(context)
    query = world.engine.plan("SELECT count(*) FROM view_instance('log_entries', 'global')")
    list(query.batches())
    assert sessions() > before
    del context, query
    assert sessions() == before
    assert gone() is None


def test_many_queries_at_once_get_their_own_answers(world: World) -> None:
    results: dict[int, int] = {}

    def ask(number: int) -> None:
        process = world.processes[number % 2]
        results[number] = world.value(
            "SELECT count(*) FROM log_entries WHERE process_id = $1", parameters=[pa.scalar(str(process.process_id))]
        )

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 16
    assert set(results.values()) == {30}


def test_an_empty_lake_answers(make_world: MakeWorld) -> None:
    world = make_world()
    for view in VIEWS:
        assert world.value(f"SELECT count(*) FROM {view}") == 0
        assert world.query(f"SELECT * FROM {view}").num_rows == 0
    nobody = uuid.uuid4()
    assert world.query(f"SELECT * FROM view_instance('thread_spans', '{nobody}')").num_rows == 0
    assert world.query(f"SELECT * FROM process_spans('{nobody}', 'both')").num_rows == 0
    assert world.query(f"SELECT * FROM parse_block('{nobody}')").num_rows == 0


def test_expressions_are_taken_apart_once_however_long_their_lists(world: World) -> None:
    for count in (10, 20_000):
        numbers = ", ".join(map(str, range(count)))
        sql = f"SELECT count(*) FROM log_entries WHERE level IN ({numbers}) AND level > $1"
        assert world.engine.plan(sql).parameter_schema.names == ["$1"]
