"""Every event that was recorded is a row, once, with the values that the model says."""

from __future__ import annotations

import collections

import pytest
from tachy_server.formats import reader

from tests.query.conftest import MakeWorld, World, message, play


@pytest.mark.parametrize(
    ("view", "kind"),
    [("log_entries", "logs"), ("measures", "metrics"), ("async_events", "async_events")],
)
def test_every_event_is_counted_once(world: World, view: str, kind: str) -> None:
    assert world.value(f"SELECT count(*) FROM {view}") == len(world.of(kind)) > 0


def test_every_span_is_a_row_with_the_values_that_were_recorded(world: World) -> None:
    rows = world.rows("SELECT * FROM thread_spans WHERE NOT is_open")
    expected = {
        (str(reader.stream_id(process.process_id, 3, span.thread)), span.id): span
        for process, span in world.of("spans")
    }
    assert len(rows) == len(expected) == len(world.of("spans"))
    for row in rows:
        span = expected[row["stream_id"], row["id"]]
        assert (row["parent"], row["depth"], row["begin"], row["end"]) == (
            span.parent,
            span.depth,
            span.begin,
            span.end,
        )
        assert row["duration"] == span.end - span.begin
        assert (row["name"], row["target"], row["filename"], row["line"]) == (
            span.name,
            span.target,
            span.file,
            span.line,
        )
        assert row["thread_name"] == ("main" if span.thread == 1 else "worker")
        assert row["properties"] == "{}"


def test_only_the_newest_block_shows_open_spans(world: World) -> None:
    rows = world.rows("SELECT process_id, name, parent, begin, is_open FROM thread_spans WHERE is_open")
    assert sorted(row["process_id"] for row in rows) == sorted(str(p.process_id) for p in world.processes)
    assert {row["name"] for row in rows} == {"Session"}
    assert {row["parent"] for row in rows} == {0}


def test_an_open_span_is_in_a_range_long_after_it_began(world: World) -> None:
    process = world.processes[0]
    latest = max(event.time for owner, event in world.of("logs") if owner is process)
    sql = f"SELECT name, is_open FROM thread_spans WHERE process_id = '{process.process_id}' AND name = 'Session'"
    assert world.rows(sql, begin=latest, end=latest) == [{"name": "Session", "is_open": True}]
    early = process.start_time + 1_001
    assert world.rows(sql, begin=early, end=early) == [{"name": "Session", "is_open": True}]
    assert world.rows(sql, end=process.start_time) == []


def test_a_span_that_has_ended_is_not_open_any_more(make_world: MakeWorld) -> None:
    world = make_world()
    play(world, processes=1, blocks=1)
    process = world.processes[0]
    assert world.value("SELECT count(*) FROM thread_spans WHERE is_open") == 1
    process.threads[0].end(process.latest - process.start_ticks + 500)
    world.send(process)
    rows = world.rows("SELECT id, is_open, begin FROM thread_spans WHERE name = 'Session'")
    assert rows == [{"id": 1, "is_open": False, "begin": process.start_time + 1_000}]


def test_logs_have_their_text_level_and_properties(world: World) -> None:
    rows = world.rows("SELECT * FROM log_entries")
    expected = collections.Counter(
        (str(process.process_id), log.time, log.level, message(log), log.target) for process, log in world.of("logs")
    )
    got = collections.Counter((row["process_id"], row["time"], row["level"], row["msg"], row["target"]) for row in rows)
    assert got == expected
    exes = {str(process.process_id): process.description["exe"] for process in world.processes}
    for row in rows:
        assert row["exe"] == exes[row["process_id"]]
        assert (row["username"], row["computer"]) == ("player", "pc")


def test_properties_are_found_by_name(world: World) -> None:
    rows = world.rows(
        "SELECT property_get(process_properties, 'build') AS build, property_get(properties, 'N') AS n, count(*) AS c "
        "FROM log_entries GROUP BY 1, 2"
    )
    assert {row["build"] for row in rows} == {"40", "41"}
    assert {row["n"] for row in rows} == {str(n) for n in range(10)}
    assert sum(row["c"] for row in rows) == len(world.of("logs"))


def test_measures_have_name_unit_and_value(world: World) -> None:
    rows = world.rows("SELECT name, unit, sum(value) AS total, count(*) AS n FROM measures GROUP BY name, unit")
    expected: dict[tuple[str, str], list[float]] = collections.defaultdict(list)
    for _, metric in world.of("metrics"):
        expected[metric.name, metric.unit].append(float(metric.value))
    assert {(row["name"], row["unit"]): (row["total"], row["n"]) for row in rows} == {
        key: (pytest.approx(sum(values)), len(values)) for key, values in expected.items()
    }


def test_parents_are_joined_to_their_children(world: World) -> None:
    rows = world.rows(
        "SELECT p.name AS parent, c.name AS child, count(*) AS n FROM thread_spans c JOIN thread_spans p "
        "ON c.stream_id = p.stream_id AND c.parent = p.id GROUP BY 1, 2"
    )
    spans = {(process.process_id, s.thread, s.id): s.name for process, s in world.of("spans")}
    for process in world.processes:
        spans[process.process_id, 1, 1] = "Session"
    expected = collections.Counter(
        (spans[process.process_id, s.thread, s.parent], s.name) for process, s in world.of("spans") if s.parent > 0
    )
    assert {(row["parent"], row["child"]): row["n"] for row in rows} == expected


def test_views_are_joined_by_process(world: World) -> None:
    rows = world.rows(
        "SELECT p.exe, count(*) AS n FROM measures m JOIN processes p ON m.process_id = p.process_id "
        "WHERE m.name = 'fps' GROUP BY p.exe ORDER BY p.exe"
    )
    assert rows == [{"exe": "game0", "n": 30}, {"exe": "game1", "n": 30}]


def test_columns_come_in_the_order_and_number_asked_for(world: World) -> None:
    table = world.query('SELECT line, name, "begin" FROM thread_spans')
    assert table.column_names == ["line", "name", "begin"]
    assert world.query("SELECT 1 AS one FROM thread_spans").num_rows == world.value("SELECT count(*) FROM thread_spans")


def test_new_events_are_visible_at_once(world: World) -> None:
    before = world.value("SELECT count(*) FROM measures")
    process = world.processes[0]
    process.threads[0].metric(process.latest - process.start_ticks + 5, "late", 1)
    world.send(process)
    assert world.value("SELECT count(*) FROM measures") == before + 1
    assert world.value("SELECT count(*) FROM measures WHERE name = 'late'") == 1


@pytest.mark.parametrize("cache", [0, 64 << 20])
def test_the_cache_changes_no_answer(make_world: MakeWorld, cache: int) -> None:
    world = make_world(query_cache=cache)
    play(world)
    process = world.processes[1]
    middle = process.start_time + (process.latest - process.start_ticks) // 2
    questions = [
        ("SELECT count(*), sum(duration) FROM thread_spans", {}),
        ("SELECT count(*), sum(duration) FROM thread_spans", {"begin": middle}),
        ("SELECT count(*), sum(duration) FROM thread_spans", {"end": middle}),
        (f"SELECT count(*) FROM thread_spans WHERE process_id = '{process.process_id}'", {"begin": middle}),
        ("SELECT count(*), sum(level) FROM log_entries", {"begin": middle, "end": middle + 1_000}),
        ("SELECT count(*) FROM async_events", {"end": middle}),
        (
            f"SELECT count(*) FROM view_instance('thread_spans', '{reader.stream_id(process.process_id, 3, 2)}')",
            {"end": middle},
        ),
    ]
    cold = [world.rows(sql, **options) for sql, options in questions]
    warm = [world.rows(sql, **options) for sql, options in questions]
    assert cold == warm
    fresh = make_world(query_cache=0)
    vars(fresh.lake).update(vars(world.lake))
    assert cold == [fresh.rows(sql, **options) for sql, options in questions]
