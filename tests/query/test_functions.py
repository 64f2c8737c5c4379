"""The functions of SQL: properties, JSON, numbers, histograms, and those that are tables."""

from __future__ import annotations

import collections
import json
import random
import statistics
from typing import Any

import pytest
from tachy_server.base.errors import LimitError, QueryError
from tachy_server.formats import reader
from tachy_server.query import payloads
from tachy_server.views.declarations import VIEWS

from tests.model.encoder import Process
from tests.query.conftest import MakeWorld, World, play

J = """'{"a": 1, "b": [1, 2.5, "x"], "c": {"d": "e"}, "B": "t"}'"""


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"property_get({J}, 'a')", "1"),
        (f"property_get({J}, 'b')", '[1,2.5,"x"]'),
        (f"property_get({J}, 'C')", '{"d":"e"}'),
        (f"property_get({J}, 'zzz')", None),
        ("property_get('no json', 'a')", None),
        ("property_get(NULL, 'a')", None),
        (f"properties_length({J})", 4),
        ("properties_length('{}')", 0),
        ('properties_to_dict(\'{"a":"b"}\')', '{"a":"b"}'),
        ('properties_to_jsonb(\'{"a":"b"}\')', '{"a":"b"}'),
        ('properties_to_array(\'{"a":"b"}\')', [{"key": "a", "value": "b"}]),
        (f"jsonb_format_json(jsonb_parse({J}))", '{"a":1,"b":[1,2.5,"x"],"c":{"d":"e"},"B":"t"}'),
        ("jsonb_parse('{')", None),
        (f"jsonb_get({J}, 'c')", '{"d":"e"}'),
        (f"jsonb_as_string(jsonb_get(jsonb_get({J}, 'c'), 'd'))", "e"),
        (f"jsonb_as_string(jsonb_get({J}, 'a'))", None),
        (f"jsonb_as_f64(jsonb_get({J}, 'a'))", 1.0),
        (f"jsonb_as_i64(jsonb_get({J}, 'a'))", 1),
        ("jsonb_as_i64('1.5')", None),
        ("jsonb_as_f64('\"1\"')", None),
        (f"jsonb_object_keys({J})", ["a", "b", "c", "B"]),
        (f"jsonb_array_length(jsonb_get({J}, 'b'))", 3),
        (f"jsonb_array_length({J})", None),
        (f"jsonb_path_query_first({J}, '$.b[2]')", '"x"'),
        (f"jsonb_path_query_first({J}, '$.z')", None),
        (f"jsonb_path_query({J}, '$.b[*]')", '[1,2.5,"x"]'),
        (f"jsonb_path_query({J}, '$..d')", '["e"]'),
        (f"jsonb_entries(jsonb_get({J}, 'c'))", [{"key": "d", "value": '"e"'}]),
        (f"jsonb_entries(jsonb_get({J}, 'b'))[2]", {"key": "1", "value": "2.5"}),
        ("jsonb_entries('{}')", []),
        ("jsonb_entries('1')", None),
        ("jsonb_entries('{')", None),
        (f"jsonb_elements(jsonb_get({J}, 'b'))", ["1", "2.5", '"x"']),
        (f"jsonb_elements({J})", None),
        (f"jsonb_path_elements({J}, '$.b[*]')", ["1", "2.5", '"x"']),
        (f"jsonb_path_elements({J}, '$.z')", []),
        ("jsonb_path_elements('{}', NULL)", None),
        ("bin_center(12.4, 5)", 10.0),
        ("bin_center(12.5, 5)", 15.0),
        ("lerp(10, 20, 0.25)", 12.5),
        ("unlerp(10, 20, 12.5)", 0.25),
    ],
)
def test_functions_of_values(world: World, sql: str, expected: Any) -> None:
    assert world.value(f"SELECT {sql}") == expected


def test_a_function_of_two_columns_pairs_them_row_by_row(world: World) -> None:
    rows = world.rows(
        "SELECT properties, level, property_get(properties, CASE level WHEN 2 THEN 'n' ELSE 'x' END) AS n "
        "FROM log_entries"
    )
    for row in rows:
        assert row["n"] == (json.loads(row["properties"])["n"] if row["level"] == 2 else None)


def test_histograms_count_add_up_and_estimate(world: World) -> None:
    values = [metric.value for _, metric in world.of("metrics") if metric.name == "fps"]
    row = world.rows(
        "WITH h AS (SELECT process_id, make_histogram(60, 70, 10, value) AS h FROM measures WHERE name = 'fps' "
        "GROUP BY process_id), s AS (SELECT sum_histograms(h) AS h FROM h) "
        "SELECT count_from_histogram(h) AS n, sum_from_histogram(h) AS total, variance_from_histogram(h) AS var, "
        "quantile_from_histogram(h, 0.5) AS median, h FROM s"
    )[0]
    assert row["n"] == len(values)
    assert row["total"] == pytest.approx(sum(values))
    assert row["var"] == pytest.approx(statistics.variance(values))
    assert row["median"] == pytest.approx(statistics.median(values), abs=1)
    assert row["h"]["bins"] == [6] * 10
    assert (row["h"]["min"], row["h"]["max"]) == (60.0, 69.0)


def test_histograms_that_are_cut_differently_do_not_add_up(world: World) -> None:
    with pytest.raises(QueryError, match="cut alike"):
        world.query(
            "SELECT sum_histograms(h) FROM (SELECT make_histogram(0, 1, 10, value) AS h FROM measures UNION ALL "
            "SELECT make_histogram(0, 2, 10, value) FROM measures)"
        )


def test_a_histogram_is_expanded_into_rows(world: World) -> None:
    rows = world.rows(
        "SELECT bin_center, count FROM expand_histogram("
        "(SELECT make_histogram(60, 70, 5, value) FROM measures WHERE name = 'fps')) ORDER BY bin_center"
    )
    assert rows == [{"bin_center": 61.0 + 2 * place, "count": 12} for place in range(5)]


def test_json_is_expanded_into_rows(world: World) -> None:
    assert world.rows("SELECT * FROM jsonb_each('[7, {}]')") == [
        {"key": "0", "value": "7"},
        {"key": "1", "value": "{}"},
    ]
    assert world.rows("SELECT * FROM jsonb_array_elements(jsonb_parse('[[ 1 ]]'))") == [{"value": "[1]"}]
    assert world.rows('SELECT * FROM jsonb_each(\'{"a": 1, "b": "x"}\')') == [
        {"key": "a", "value": "1"},
        {"key": "b", "value": '"x"'},
    ]
    assert world.rows("SELECT jsonb_as_i64(value) AS v FROM jsonb_array_elements('[3, 4]')") == [{"v": 3}, {"v": 4}]
    process = world.processes[0]
    rows = world.rows(
        f"SELECT key, jsonb_as_string(value) AS v FROM jsonb_each((SELECT properties FROM processes "
        f"WHERE process_id = '{process.process_id}')) ORDER BY key"
    )
    assert rows == [{"key": "Map", "v": "e1m1"}, {"key": "build", "v": "40"}]


def test_json_is_expanded_row_by_row(world: World) -> None:
    rows = world.rows(
        "SELECT process_id, entry['key'] AS key, jsonb_as_string(entry['value']) AS value "
        "FROM (SELECT process_id, unnest(jsonb_entries(properties)) AS entry FROM processes) ORDER BY value, key"
    )
    assert sorted(tuple(row.values()) for row in rows) == sorted(
        (str(process_id), key, value)
        for process_id, description in world.lake.processes.items()
        for key, value in description["properties"].items()
    )


def test_view_instance_is_one_stream_or_one_process(world: World) -> None:
    process = world.processes[1]
    stream = reader.stream_id(process.process_id, 3, 1)
    rows = world.rows(f"SELECT * FROM view_instance('thread_spans', '{stream}')")
    expected = [span for owner, span in world.of("spans") if owner is process and span.thread == 1]
    assert len(rows) == len(expected) + 1  # Session is open
    assert {row["stream_id"] for row in rows} == {str(stream)}
    for view, kind in (("log_entries", "logs"), ("measures", "metrics"), ("async_events", "async_events")):
        count = world.value(f"SELECT count(*) FROM view_instance('{view}', '{process.process_id}')")
        assert count == sum(owner is process for owner, _ in world.of(kind))
        assert world.value(f"SELECT count(*) FROM view_instance('{view}', 'global')") == len(world.of(kind))
    assert world.value("SELECT count(*) FROM view_instance('processes', 'global')") == len(world.processes)


def test_process_spans_pairs_asynchronous_begins_and_ends(world: World) -> None:
    process = world.processes[0]
    events = [event for owner, event in world.of("async_events") if owner is process]
    begins = {event.id: event for event in events if event.begin}
    ends = {event.id: event for event in events if not event.begin}
    rows = world.rows(f"SELECT * FROM process_spans('{process.process_id}', 'async') ORDER BY \"begin\"")
    assert [row["id"] for row in rows] == list(begins)
    for row in rows:
        begin = begins[row["id"]]
        assert (row["begin"], row["name"], row["thread_name"], row["stream_id"]) == (begin.time, "load", "async", "")
        assert row["is_open"] == (row["id"] not in ends)
        if not row["is_open"]:
            assert row["end"] == ends[row["id"]].time
            assert row["duration"] == row["end"] - row["begin"]
    threads = world.value(f"SELECT count(*) FROM process_spans('{process.process_id}', 'thread')")
    assert threads == world.value(f"SELECT count(*) FROM thread_spans WHERE process_id = '{process.process_id}'")
    both = world.value(f"SELECT count(*) FROM process_spans('{process.process_id}', 'both')")
    assert both == threads + len(begins)


def test_an_asynchronous_span_that_crosses_the_range_is_not_lost(world: World) -> None:
    process = world.processes[0]
    events = [event for owner, event in world.of("async_events") if owner is process]
    first_end = next(event for event in events if not event.begin)
    begin = next(event for event in events if event.begin and event.id == first_end.id)
    inside = (begin.time + first_end.time) // 2
    rows = world.rows(f"SELECT id FROM process_spans('{process.process_id}', 'async')", begin=inside, end=inside)
    assert first_end.id in [row["id"] for row in rows]


def test_parse_block_shows_every_event_as_json(world: World) -> None:
    for process, block in world.blocks:
        block_id = reader.block_id(process.process_id, block.cls, block.sequence)
        rows = world.rows(f"SELECT * FROM parse_block('{block_id}')")
        assert [row["object_index"] for row in rows] == list(range(len(rows)))
        counts = collections.Counter(row["type_name"] for row in rows)
        expected = {
            "log": len(block.logs),
            "metric": len(block.metrics),
            "span": len(block.spans),
            "async": len(block.async_events),
        }
        assert counts == collections.Counter({name: count for name, count in expected.items() if count})
        for row in rows:
            assert isinstance(json.loads(row["value"]), dict)


def test_get_payload_gives_blocks_as_they_are_stored(make_world: MakeWorld) -> None:
    world = make_world(lazy_block_limit=18)
    play(world)
    stored = [(row, reader.stream_id(row.process_id, row.cls, 1)) for row in world.lake.rows]
    stored += stored[:3]
    values = ", ".join(f"('{row.process_id}', '{stream}', '{row.block_id}')" for row, stream in stored)
    rows = world.rows(f"SELECT b, get_payload(p, s, b) AS data FROM (VALUES {values}) AS t(p, s, b)")
    assert [(row["b"], row["data"]) for row in rows] == [
        (str(row.block_id), world.lake.data[row.block_id]) for row, _ in stored
    ]
    (first, stream), (last, _) = stored[0], stored[17]
    for ids in (
        f"'{first.process_id}', '{stream}', NULL",
        f"'{first.process_id}', 'nobody', '{first.block_id}'",
        f"'{first.process_id}', '{stream}', '{last.block_id}'",
        f"'{last.process_id}', '{stream}', '{first.block_id}'",
    ):
        assert world.value(f"SELECT get_payload({ids})") is None
    world.send(world.processes[0])
    play(world, processes=1, blocks=1)
    stored = [(row, reader.stream_id(row.process_id, row.cls, 1)) for row in world.lake.rows]
    values = ", ".join(f"('{row.process_id}', '{stream}', '{row.block_id}')" for row, stream in stored)
    with pytest.raises(LimitError, match="get_payload: this query needs more than 18 blocks"):
        world.rows(f"SELECT get_payload(p, s, b) FROM (VALUES {values}) AS t(p, s, b)")


def test_get_payload_of_more_than_fits_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = world.lake.rows[0]
    stream = reader.stream_id(row.process_id, row.cls, 1)
    monkeypatch.setattr(payloads, "MOST_BYTES", 3 * row.size)
    sql = f"SELECT get_payload('{row.process_id}', '{stream}', '{row.block_id}') FROM (SELECT * FROM log_entries LIMIT"
    assert len(world.rows(f"{sql} 3)")) == 3
    with pytest.raises(LimitError, match="add a LIMIT"):
        world.rows(f"{sql} 4)")


def test_list_view_sets_names_the_views(world: World) -> None:
    rows = world.rows("SELECT view_set_name, schema FROM list_view_sets()")
    assert [row["view_set_name"] for row in rows] == list(VIEWS)
    assert "duration int64" in next(row["schema"] for row in rows if row["view_set_name"] == "thread_spans")


def test_process_spans_of_a_range_begin_where_they_began_and_end_where_they_ended(world: World) -> None:
    """Only blocks from the one before the range on are read."""
    rng = random.Random(5)
    process = Process()
    threads = [process.thread(name) for name in ("main", "worker")]
    opened: list[int] = []
    spans: dict[int, tuple[int, int | None, int]] = {}
    at, blocks = 0, 0
    for _ in range(400):
        at += rng.choice((1, 40, 3_000))
        thread = rng.choice(threads)
        if opened and rng.random() < 0.45:
            number = opened.pop(rng.randrange(len(opened)))
            thread.async_end(at, number)
            spans[number] = (*spans[number][:1], process.start_time + at, *spans[number][2:])
        else:
            parent = rng.choice([0, *opened])
            opened.append(thread.async_begin(at, "load", parent=parent))
            spans[opened[-1]] = (process.start_time + at, None, parent)
        if rng.random() < 0.1:
            world.lake.add(process.batch())
            blocks += 1
    world.lake.add(process.batch())
    latest = process.start_time + at
    sql = f"SELECT * FROM process_spans('{process.process_id}', 'async')"
    for _ in range(60):
        begin, end = sorted(process.start_time + rng.randint(-50, at + 50) for _ in range(2))
        world.lake.reads.clear()
        rows = world.rows(sql, begin=begin, end=end)
        assert sorted((r["id"], r["begin"], r["end"], r["is_open"], r["parent"]) for r in rows) == sorted(
            (number, first, latest if last is None else last, last is None, parent)
            for number, (first, last, parent) in spans.items()
            if first <= end and (latest if last is None else last) >= begin
        )
    world.lake.reads.clear()
    assert world.rows(sql, begin=latest, end=latest)
    assert len(world.lake.reads) <= 2 < blocks
