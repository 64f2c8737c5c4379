"""What a query reads is chosen by its own predicates and the client's range, and neither ever loses or adds a row."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tachy_server.base.errors import QueryError
from tachy_server.formats import reader

from tests.model.encoder import Process
from tests.query.conftest import MakeWorld, World, ids, message, play


def _time(nanoseconds: int) -> str:
    return f"to_timestamp_nanos({nanoseconds})"


def _spans(world: World) -> list[tuple[Process, Any]]:
    """Spans as SQL shows them: those that ended, and those open in the newest block."""
    rows = world.of("spans")
    for process in world.processes:
        newest = [block for owner, block in world.blocks if owner is process and block.cls == 3][-1]
        rows += [(process, span) for span in newest.open_spans]
    return rows


def test_a_clients_range_takes_spans_that_overlap_it_and_events_inside_it(world: World) -> None:
    chance = random.Random(5)
    start, end = world.processes[0].start_time, max(event.time for _, event in world.of("logs"))
    spans = _spans(world)
    for _ in range(20):
        low, high = sorted(chance.randrange(start, end + 100) for _ in range(2))
        expected = sum(span.begin <= high and span.end >= low for _, span in spans)
        assert world.value("SELECT count(*) FROM thread_spans", begin=low, end=high) == expected
        for view, kind in (("log_entries", "logs"), ("measures", "metrics"), ("async_events", "async_events")):
            inside = sum(low <= event.time <= high for _, event in world.of(kind))
            assert world.value(f"SELECT count(*) FROM {view}", begin=low, end=high) == inside


def test_sql_predicates_on_time_keep_exactly_what_they_say(world: World) -> None:
    chance = random.Random(6)
    start, end = world.processes[0].start_time, max(event.time for _, event in world.of("logs"))
    spans = [span for _, span in _spans(world)]
    operators = {
        ">=": lambda a, b: a >= b,
        ">": lambda a, b: a > b,
        "<=": lambda a, b: a <= b,
        "<": lambda a, b: a < b,
        "=": lambda a, b: a == b,
    }
    for _ in range(30):
        first, second = chance.choice(list(operators)), chance.choice(list(operators))
        low, high = (
            chance.choice(spans).begin if chance.random() < 0.5 else chance.randrange(start, end) for _ in "ab"
        )
        how = chance.choice(["AND", "OR"])
        join = all if how == "AND" else any
        expected = sum(join([operators[first](s.begin, low), operators[second](s.end, high)]) for s in spans)
        sql = f'SELECT count(*) FROM thread_spans WHERE "begin" {first} {_time(low)} {how} "end" {second} {_time(high)}'
        assert world.value(sql) == expected, sql
        client = {"begin": start + 3_000, "end": end - 3_000}
        expected = sum(
            join([operators[first](s.begin, low), operators[second](s.end, high)])
            and s.begin <= client["end"]
            and s.end >= client["begin"]
            for s in spans
        )
        assert world.value(sql, **client) == expected, sql


@pytest.mark.parametrize("kind", ["=", "in", "in many", "or", "between", "literal"])
def test_only_the_blocks_that_can_hold_rows_are_read(world: World, kind: str) -> None:
    process = world.processes[0]
    logs = [log for owner, log in world.of("logs") if owner is process]
    low, high = logs[0].time, logs[5].time
    text = str(process.process_id)
    where = {
        "=": f"process_id = '{text}' AND time <= {_time(high)}",
        "in": f"process_id IN ('{text}') AND time <= {_time(high)}",
        "in many": f"process_id IN ('{text}','a','b','c','d','e') AND time <= {_time(high)}",
        "or": f"(process_id = '{text}' OR process_id = 'x') AND (time = {_time(low)} OR time = {_time(high)})",
        "between": f"process_id = '{text}' AND time BETWEEN {_time(low)} AND {_time(high)}",
        "literal": f"process_id = '{text}' AND time < '2025-06-15T15:06:40.000005Z' "
        "AND time > now() - interval '99 years'",
    }[kind]
    world.lake.reads.clear()
    count = world.value(f"SELECT count(*) FROM log_entries WHERE {where}")
    expected = {
        "or": sum(log.time in (low, high) for log in logs),
        "literal": sum(log.time < 1_750_000_000_000_005_000 for log in logs),
    }.get(kind, sum(log.time <= high for log in logs))
    assert count == expected
    assert len(world.lake.reads) == 1, where


def test_a_disjunction_that_bounds_one_side_only_reads_everything(world: World) -> None:
    text = str(world.processes[0].process_id)
    world.value(f"SELECT count(*) FROM log_entries WHERE process_id = '{text}' OR level = 2")
    assert len(world.lake.reads) == 6


def test_two_scans_of_one_view_are_bounded_apart(world: World) -> None:
    one, two = ids(world.processes)
    count = world.value(
        "SELECT count(*) FROM log_entries a JOIN log_entries b ON a.msg = b.msg "
        f"WHERE a.process_id = '{one}' AND b.process_id = '{two}'"
    )
    first = [message(log) for process, log in world.of("logs") if str(process.process_id) == one]
    second = [message(log) for process, log in world.of("logs") if str(process.process_id) == two]
    assert count == sum(first.count(message) for message in second)
    assert len(world.lake.reads) == 6


def test_streams_and_blocks_bound_a_scan(world: World) -> None:
    process = world.processes[0]
    stream = reader.stream_id(process.process_id, 3, 2)
    expected = sum(owner is process and span.thread == 2 for owner, span in world.of("spans"))
    assert world.value(f"SELECT count(*) FROM thread_spans WHERE stream_id = '{stream}'") == expected
    assert len(set(world.lake.reads)) == 3
    world.lake.reads.clear()
    block = next(block for owner, block in world.blocks if owner is process and block.cls == 1)
    block_id = reader.block_id(process.process_id, 1, 0)
    assert world.value(f"SELECT count(*) FROM log_entries WHERE block_id = '{block_id}'") == len(block.logs)
    assert world.lake.reads == [block_id]


@pytest.mark.parametrize("text", ["no id", "", "{12345678-1234-5678-1234-567812345678}"])
def test_an_id_that_is_none_selects_nothing(world: World, text: str) -> None:
    assert world.value(f"SELECT count(*) FROM thread_spans WHERE process_id = '{text}'") == 0
    assert world.lake.reads == []


def test_open_and_ended_spans_can_be_asked_for_alone(world: World) -> None:
    ended = len(world.of("spans"))
    assert world.value("SELECT count(*) FROM thread_spans WHERE is_open = false") == ended
    world.lake.reads.clear()
    assert world.value("SELECT count(*) FROM thread_spans WHERE is_open") == len(world.processes)
    assert len(world.lake.reads) == len(world.processes)


def test_a_lazy_view_refuses_more_blocks_than_the_limit_and_says_what_to_do(make_world: MakeWorld) -> None:
    world = make_world(lazy_block_limit=4)
    play(world)
    with pytest.raises(QueryError) as raised:
        world.value("SELECT count(*) FROM thread_spans")
    message = str(raised.value)
    assert "\n" not in message
    assert "4 blocks" in message
    assert "process_id" in message
    assert "lazy_block_limit" in message
    assert world.lake.reads == []
    process = str(world.processes[0].process_id)
    assert world.value(f"SELECT count(*) FROM thread_spans WHERE process_id = '{process}'") > 0
    assert world.value("SELECT count(*) FROM log_entries") == len(world.of("logs"))
