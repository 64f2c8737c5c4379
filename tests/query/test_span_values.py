"""Values on spans are in `properties`, of spans of threads and of asynchronous ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.model import rows
from tests.model.encoder import Process
from tests.query.conftest import MakeWorld, World

SPANS = "SELECT name, is_open, properties FROM thread_spans ORDER BY id"


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """Two blocks: "Session" is open over both, "load" too, "read" ends in the second."""
    world, process = make_world(), Process("game")
    main = process.thread("main")
    main.begin("Session", 1_000)
    main.value("user", 'q"é')
    main.begin("Bake", 2_000)
    main.value("tile", 12)
    main.value("share", 0.1)
    main.value("seed", rows.U64(2**64 - 1))
    main.value("flow", rows.Flow(7))
    main.value("flow", rows.Flow(8))
    main.value("tile", 13)
    main.end(3_000)
    main.span("plain", 4_000, 5_000)
    load, read = main.async_begin(6_000, "load"), main.async_begin(6_500, "read")
    main.async_value(load, "bytes", 1)
    main.async_value(read, "path", "a.png")
    world.processes.append(process)
    world.send(process)
    main.value("level", 3)
    main.async_value(load, "bytes", 2)
    main.async_value(read, "ok", True)
    main.async_end(7_000, read)
    main.span("plain", 8_000, 9_000)
    world.send(process)
    return world


def shown(world: World, sql: str, **options: Any) -> list[tuple[Any, ...]]:
    return [
        (*(value for key, value in row.items() if key != "properties"), json.loads(row["properties"]))
        for row in world.rows(sql, **options)
    ]


def test_spans_have_their_values_and_open_ones_what_they_were_given_so_far(world: World) -> None:
    assert shown(world, SPANS) == [
        ("Session", True, {"user": 'q"é', "level": 3}),
        ("Bake", False, {"tile": 13, "share": 0.1, "seed": 2**64 - 1, "flow": [7, 8]}),
        ("plain", False, {}),
        ("plain", False, {}),
    ]


def test_property_get_finds_numbers_and_texts(world: World) -> None:
    sql = "SELECT property_get(properties, '{}') FROM thread_spans WHERE name = '{}'"
    assert world.value(sql.format("tile", "Bake")) == "13"
    assert world.value(sql.format("USER", "Session")) == 'q"é'
    assert world.value(sql.format("none", "Bake")) is None
    assert world.value("SELECT sum(jsonb_as_f64(jsonb_get(properties, 'share'))) FROM thread_spans") == 0.1


def test_async_events_have_the_values_of_their_spans(world: World) -> None:
    sql = "SELECT name, event_type, properties FROM async_events ORDER BY time"
    assert shown(world, sql) == [
        ("load", "begin", {"bytes": 1}),
        ("read", "begin", {"path": "a.png"}),
        ("read", "end", {"path": "a.png", "ok": True}),
    ]


def test_a_begin_has_the_values_of_its_end_in_the_same_block(make_world: MakeWorld) -> None:
    world, process = make_world(), Process("game")
    main = process.thread("main")
    load = main.async_begin(1_000, "load")
    main.async_value(load, "bytes", 1)
    main.async_end(2_000, load)
    world.send(process)
    only = "SELECT event_type, properties FROM async_events WHERE time <= '{}'"
    begin = "2025-06-15T15:06:40.000001000Z"
    assert shown(world, only.format(begin)) == [("begin", {"bytes": 1})]
    sql = "SELECT event_type, properties FROM async_events ORDER BY time"
    assert shown(world, sql) == [("begin", {"bytes": 1}), ("end", {"bytes": 1})]


def test_process_spans_have_the_newest_values(world: World) -> None:
    process_id = world.processes[0].process_id
    sql = f"SELECT name, is_open, properties FROM process_spans('{process_id}', 'async') ORDER BY \"begin\""
    assert shown(world, sql) == [("load", True, {"bytes": 2}), ("read", False, {"path": "a.png", "ok": True})]


def test_parse_block_shows_them(world: World) -> None:
    block_id = world.value("SELECT block_id FROM async_events WHERE event_type = 'end'")
    values = [json.loads(row["value"]) for row in world.rows(f"SELECT value FROM parse_block('{block_id}')")]
    assert [value["properties"] for value in values] == [{}, {"path": "a.png", "ok": True}]
