"""Joins of events with metadata: the same rows whichever way they are written, built from the few, decoded for them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from datafusion import SessionConfig, SessionContext
from tachy_server.query import in_lists, joins

from tests.query.conftest import MakeWorld, World, ids, play

JOINS = [
    "SELECT s.id, p.exe FROM thread_spans s JOIN processes p ON s.process_id = p.process_id {where}",
    "SELECT s.id, p.exe FROM processes p JOIN thread_spans s ON s.process_id = p.process_id {where}",
    "SELECT s.id, p.exe FROM processes p, thread_spans s {where} {and} s.process_id = p.process_id",
    "SELECT s.id, p.exe FROM thread_spans s LEFT JOIN processes p USING (process_id) {where}",
    "SELECT s.id, p.exe FROM processes p LEFT JOIN thread_spans s USING (process_id) {where}",
    "SELECT s.id, p.exe FROM thread_spans s RIGHT JOIN processes p USING (process_id) {where}",
    "SELECT s.id, p.exe FROM processes p RIGHT JOIN thread_spans s USING (process_id) {where}",
    "SELECT s.id, p.exe FROM processes p FULL JOIN thread_spans s USING (process_id) {where}",
    "SELECT s.id, p.exe FROM thread_spans s FULL JOIN (SELECT * FROM processes p {where}) p USING (process_id)",
    "SELECT s.id, p.exe FROM thread_spans s LEFT JOIN (SELECT * FROM processes p {where}) p USING (process_id)",
    "SELECT s.id FROM thread_spans s WHERE s.process_id IN (SELECT process_id FROM processes p {where})",
    "SELECT s.id FROM thread_spans s WHERE s.process_id NOT IN (SELECT process_id FROM processes p {where})",
    "SELECT s.id FROM thread_spans s WHERE EXISTS "
    "(SELECT 1 FROM processes p {where} {and} s.process_id = p.process_id)",
    "SELECT s.id FROM thread_spans s WHERE NOT EXISTS "
    "(SELECT 1 FROM processes p {where} {and} s.process_id = p.process_id)",
    "SELECT p.exe, x.n FROM (SELECT process_id, count(*) AS n FROM thread_spans GROUP BY process_id) x "
    "JOIN processes p USING (process_id) {where}",
    "SELECT p.exe, count(*) FROM measures m JOIN processes p ON m.process_id = p.process_id {where} GROUP BY p.exe",
    "SELECT p.exe, l.level FROM processes p JOIN log_entries l USING (process_id) "
    "JOIN measures m USING (process_id) {where}",
    "SELECT a.process_id, b.name FROM thread_spans a "
    "JOIN thread_spans b ON a.id = b.id AND a.process_id = b.process_id "
    "JOIN processes p ON p.process_id = a.process_id {where}",
    "SELECT l.msg FROM log_entries l WHERE l.process_id = (SELECT max(process_id) FROM processes p {where})",
    "SELECT p.exe, (SELECT count(*) FROM log_entries) AS n FROM processes p "
    "JOIN thread_spans s USING (process_id) {where}",
    "SELECT s.id FROM thread_spans s "
    "JOIN (SELECT DISTINCT process_id AS x FROM processes p {where}) y ON y.x = s.process_id",
    "SELECT s.id FROM thread_spans s JOIN processes p ON s.process_id = p.process_id AND p.exe > s.name {where}",
    "SELECT s.id, q.exe FROM thread_spans s JOIN processes p USING (process_id) "
    "JOIN processes q USING (process_id) {where}",
    "SELECT row_number() OVER (ORDER BY s.process_id, s.id, s.stream_id) AS n, p.exe "
    "FROM thread_spans s JOIN processes p ON s.process_id = p.process_id {where}",
    "SELECT x.id FROM (SELECT *, row_number() OVER (ORDER BY process_id, id, stream_id) AS n FROM thread_spans) x "
    "JOIN processes p USING (process_id) {where} {and} x.n < 40",
    "SELECT x.id FROM (SELECT * FROM thread_spans ORDER BY process_id, id, stream_id LIMIT 50) x "
    "JOIN processes p USING (process_id) {where}",
]
WHERE = ["", "WHERE p.exe = 'game1'", "WHERE p.exe LIKE '%2' OR p.exe = 'game0'", "WHERE p.exe = 'nobody'"]
VIEWS = ("thread_spans", "log_entries", "measures", "processes")


@pytest.fixture(scope="module")
def world() -> World:
    """Four games, and what is under their engine in memory; in a module of its own, since nothing changes it."""
    from tachy_server.base.settings import Settings
    from tachy_server.query.engine import QueryEngine

    from tests.query.fake_lake import FakeLake, FakeMetadata

    lake = FakeLake()
    made = World(lake, QueryEngine(lake, Settings(), FakeMetadata(lake)))
    play(made, processes=4, blocks=2)
    return made


@pytest.fixture(scope="module")
def memory(world: World) -> SessionContext:
    """All rows of the views, in memory."""
    context = SessionContext(SessionConfig().set("datafusion.sql_parser.map_string_types_to_utf8view", "false"))
    for view in VIEWS:
        table = world.query(f"SELECT * FROM {view}", preserve_dictionary=True)
        context.register_record_batches(view, [table.to_batches()])
    return context


def _sorted(table: pa.Table) -> list[Any]:
    return sorted(map(repr, zip(*[column.to_pylist() for column in table.columns], strict=True)))


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("sql", JOINS)
def test_a_join_has_the_rows_that_it_has_in_memory(world: World, memory: SessionContext, sql: str, where: str) -> None:
    statement = sql.format_map({"where": where, "and": "AND" if where else "WHERE"})
    assert _sorted(world.query(statement)) == _sorted(memory.sql(statement).to_arrow_table())


def _plan(world: World, sql: str) -> str:
    rows = world.rows(f"EXPLAIN {sql}")
    return str(next(row["plan"] for row in rows if row["plan_type"] == "physical_plan"))


BUILT = [
    "SELECT count(*) FROM thread_spans s JOIN processes p ON s.process_id = p.process_id {where}",
    "SELECT count(*) FROM processes p JOIN thread_spans s ON s.process_id = p.process_id {where}",
    "SELECT p.exe, sum(value) FROM measures m JOIN processes p ON m.process_id = p.process_id {where} GROUP BY p.exe",
    "SELECT p.exe, sum(value) FROM processes p JOIN measures m ON m.process_id = p.process_id {where} GROUP BY p.exe",
    "SELECT s.id, p.exe FROM thread_spans s LEFT JOIN processes p USING (process_id) {where}",
]
LISTED = [
    "SELECT count(*) FROM thread_spans WHERE process_id IN (SELECT process_id FROM processes p {where})",
    "SELECT count(*) FROM thread_spans WHERE duration > 0 AND process_id in ( /* ) */ select p.process_id "
    "FROM processes p {where} -- (\n) AND name <> ')'",
    "SELECT count(*) FROM log_entries WHERE exe IN (SELECT exe FROM processes p {where})",
]
NOT_LISTED = [
    "SELECT count(*) FROM log_entries WHERE target IN (SELECT name FROM measures)",
    "SELECT count(*) FROM thread_spans WHERE process_id NOT IN (SELECT process_id FROM processes p {where})",
    "SELECT count(*) FROM thread_spans WHERE name = 'x' OR process_id IN (SELECT process_id FROM processes p {where})",
    "SELECT count(*) FROM thread_spans WHERE process_id IN (SELECT process_id || '' FROM processes p {where})",
    "SELECT count(*) FROM thread_spans WHERE process_id IN (SELECT upper(process_id) AS process_id FROM processes p)",
    "SELECT count(*) FROM thread_spans WHERE process_id IN (SELECT process_id FROM processes p ORDER BY exe LIMIT 1)",
    "SELECT count(*) FROM thread_spans s WHERE process_id IN "
    "(SELECT process_id FROM processes p WHERE p.process_id = s.process_id AND exe > s.name)",
    "SELECT count(*) FROM thread_spans WHERE process_id IN (SELECT process_id FROM processes p {where}) "
    "AND process_id IN (SELECT process_id FROM measures)",
    "SELECT count(*) FROM thread_spans WHERE (name = 'x' AND process_id IN (SELECT process_id FROM processes p)) "
    "OR process_id IN ((SELECT process_id FROM processes))",
    "WITH processes AS (SELECT '0' AS process_id) "
    "SELECT count(*) FROM thread_spans WHERE process_id IN (SELECT process_id FROM processes)",
    "SELECT count(*) FROM thread_spans WHERE process_id IN (SELECT process_id FROM processes p {where} UNION "
    "SELECT process_id FROM measures)",
    "SELECT count(*) FROM thread_spans s WHERE EXISTS (SELECT 1 FROM processes p WHERE p.process_id = s.process_id)",
]


def test_a_table_function_is_not_what_a_join_is_built_from(world: World) -> None:
    process = f"process_spans('{ids(world.processes)[1]}', 'thread')"
    for tables in (f"{process} s JOIN processes p", f"processes p JOIN {process} s"):
        sql = f"SELECT count(*) FROM {tables} ON s.process_id = p.process_id"
        assert world.value(sql) == world.value(f"SELECT count(*) FROM {process}") > 0
        lines = _plan(world, sql).splitlines()
        sources = [line.split(":")[0].strip() for line in lines if "DatasetExec" in line or "DataSourceExec" in line]
        assert sources == ["DataSourceExec", "DatasetExec"]


@pytest.mark.parametrize("where", ["", "WHERE p.exe = 'game1'"])
@pytest.mark.parametrize("sql", BUILT)
def test_a_join_is_built_from_the_metadata(world: World, sql: str, where: str) -> None:
    """The first input of a hash join is what is held; the events pass by, and are not even dealt out anew."""
    lines = _plan(world, sql.format(where=where)).splitlines()
    at = next(number for number, line in enumerate(lines) if "HashJoinExec" in line)
    assert "mode=CollectLeft" in lines[at]
    sources = [line.strip().split(":")[0] for line in lines[at:] if "DatasetExec" in line or "DataSourceExec" in line]
    assert sources == ["DataSourceExec", "DatasetExec"]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("sql", [*LISTED, *NOT_LISTED])
def test_a_subquery_that_gives_few_texts_is_a_list_of_them(
    world: World, memory: SessionContext, sql: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is joined for it."""
    listed: list[str | None] = []

    def noting(*given: Any) -> str | None:
        listed.append(with_values(*given))
        return listed[-1]

    with_values = in_lists.with_values
    monkeypatch.setattr(in_lists, "with_values", noting)
    statement = sql.format(where=where)
    assert _sorted(world.query(statement)) == _sorted(memory.sql(statement).to_arrow_table())
    assert any(listed) == (sql in LISTED and "nobody" not in statement)
    assert not any(listed) or "Join" not in _plan(world, statement)


def test_texts_of_a_subquery_are_quoted_and_few(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pa.record_batch({"msg": pa.array(["it's", None, "') (", "it's"]).dictionary_encode()})
    table = joins.MemoryTable([rows], frozenset({"msg"}), narrowed=True, exact=True)
    monkeypatch.setattr(in_lists, "_asked", lambda plan: ("t", "msg"))
    sql = "SELECT 1 FROM u WHERE x IN (SELECT msg FROM t) AND y"
    doubled = 2 * chr(39)
    expected = sql.replace("SELECT msg FROM t", f"'it{doubled}s', '{doubled}) ('")
    assert in_lists.with_values(sql, None, {"t": table}) == expected
    monkeypatch.setattr(in_lists, "MOST", 1)
    assert in_lists.with_values(sql, None, {"t": table}) is None


@pytest.mark.parametrize(
    "sql", [*BUILT, LISTED[0], *(sql for sql in JOINS if "x.n" in sql and "row_number" not in sql)]
)
def test_only_blocks_that_can_be_joined_with_are_read(world: World, sql: str) -> None:
    world.lake.reads.clear()
    world.query(sql.format_map({"where": "WHERE p.exe = 'game1'", "and": "AND"}))
    owners = {row.process_id for row in world.lake.rows if row.block_id in world.lake.reads}
    assert [str(owner) for owner in owners] == [ids(world.processes)[1]]


EVENTS = [
    "SELECT s.id FROM thread_spans s WHERE process_id IN (SELECT process_id FROM measures WHERE name = 'fps' {and})",
    "SELECT s.id FROM thread_spans s WHERE process_id IN "
    "(SELECT process_id FROM log_entries WHERE msg LIKE 'frame 1%' {and})",
    "SELECT s.id, m.value FROM thread_spans s JOIN measures m ON m.stream_id = s.stream_id WHERE true {and}",
    "SELECT s.id, m.value FROM measures m JOIN thread_spans s ON m.process_id = s.process_id WHERE m.value > 65 {and}",
    "SELECT s.id, m.value FROM measures m RIGHT JOIN thread_spans s ON m.process_id = s.process_id "
    "AND m.value > 65 {and}",
    "SELECT count(*) FROM measures m JOIN log_entries l ON m.time = l.time "
    "JOIN processes p ON p.process_id = l.process_id WHERE true {and}",
    "SELECT m.value, n.value FROM measures m JOIN measures n ON m.time = n.time JOIN thread_spans s "
    "ON s.process_id = m.process_id WHERE m.name = 'fps' AND n.name = 'queue' {and}",
]


@pytest.mark.parametrize("most", [1_000_000, 130, 0])
@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("sql", EVENTS)
def test_events_that_are_few_are_joined_as_metadata_are(
    world: World, memory: SessionContext, sql: str, narrow: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joins, "MOST_EVENTS", most)
    alias = "m." if " m " in sql else ""
    statement = sql.format_map({"and": f"AND {alias}process_id = '{ids(world.processes)[1]}'" if narrow else ""})
    assert _sorted(world.query(statement)) == _sorted(memory.sql(statement).to_arrow_table())


def test_a_join_is_built_from_the_events_that_are_few(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    spans, metrics = (sum(row.events for row in world.lake.rows if row.cls == cls) for cls in (3, 2))
    assert metrics < spans
    monkeypatch.setattr(joins, "MOST_EVENTS", metrics)
    for sql in (
        "SELECT count(*) FROM thread_spans s JOIN measures m ON m.process_id = s.process_id",
        "SELECT count(*) FROM measures m JOIN thread_spans s ON m.process_id = s.process_id",
    ):
        lines = _plan(world, sql).splitlines()
        sources = [line.split(":")[0].strip() for line in lines if "DatasetExec" in line or "DataSourceExec" in line]
        assert sources == ["DataSourceExec", "DatasetExec"], sql
    sql = "SELECT count(*) FROM thread_spans WHERE process_id IN (SELECT process_id FROM measures WHERE name = 'fps')"
    assert "Join" not in _plan(world, sql)


@pytest.mark.parametrize("inner", ["measures WHERE name = 'fps'", "log_entries WHERE msg LIKE 'frame%' AND level < 9"])
def test_of_what_is_only_asked_for_one_of_equal_rows_is_held(
    world: World, inner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    read = joins._read_one

    def noting(*given: Any, **options: Any) -> Any:
        table = read(*given, **options)
        held.append(sum(batch.num_rows for batch in table.batches))
        return table

    monkeypatch.setattr(joins, "_read_one", noting)
    monkeypatch.setattr(joins, "MOST_EVENTS", sum(row.events for row in world.lake.rows if row.cls == 3) - 1)
    sql = f"SELECT count(*) FROM thread_spans WHERE process_id IN (SELECT process_id FROM {inner})"
    assert world.value(sql) == world.value("SELECT count(*) FROM thread_spans")
    assert held == [len(world.processes)]


def test_what_is_too_large_is_joined_as_it_comes(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    play(world)
    sql = "SELECT count(*) FROM thread_spans s JOIN processes p ON s.process_id = p.process_id WHERE p.exe = 'game1'"
    small = world.value(sql)
    monkeypatch.setattr(joins, "MOST_BYTES", 1)
    assert world.value(sql) == small > 0
    assert "DataSourceExec" not in _plan(world, sql)
