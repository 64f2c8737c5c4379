"""`span_times` against a plain stack: what it says adds up, wherever blocks are cut."""

from __future__ import annotations

from collections import defaultdict
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.model.encoder import Process, Thread
from tests.query.conftest import MakeWorld, World

Sums = dict[str, tuple[int, ...]]  # name → calls, total, self
SUMS = 'SELECT name, sum(calls), sum(total), sum("self") FROM span_times'


def sums(world: World, where: str = "true", **options: int) -> Sums:
    rows = world.rows(f"{SUMS} WHERE {where} GROUP BY name", **options)
    return {name: tuple(values) for name, *values in (row.values() for row in rows)}


def expected(world: World, begin: int | None = None, end: int | None = None) -> Sums:
    """Every span that began in the range, less those that name it as their parent."""
    spans = {(row["stream_id"], row["id"]): row for row in world.rows("SELECT * FROM thread_spans WHERE NOT is_open")}
    inside: dict[tuple[str, int], int] = defaultdict(int)
    for (stream, _), row in spans.items():
        inside[stream, row["parent"]] += row["duration"]
    found: dict[str, list[int]] = {}
    for key, row in spans.items():
        if (begin is None or row["begin"] >= begin) and (end is None or row["begin"] <= end):
            own = found.setdefault(row["name"], [0, 0, 0])
            took = row["duration"]
            own[:] = [own[0] + 1, own[1] + took, own[2] + took - inside[key]]
    return {name: tuple(values) for name, values in found.items()}


def nest(chance: Random, thread: Thread, at: int, depth: int, world: World) -> int:
    """A span, whatever it encloses, and cuts anywhere; returns when it ended."""
    thread.begin(chance.choice("abc"), at, target="t", file="f.cpp", line=1)
    for _ in range(chance.randrange(4) if depth < 5 else 0):
        at = nest(chance, thread, at + chance.choice([0, 1, 1000]), depth + 1, world)
        if chance.random() < 0.2:
            world.send(thread.process)
    at += chance.choice([0, 1, 500])
    thread.end(at)
    if chance.random() < 0.1:
        world.send(thread.process)
    return at


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.integers(0, 9000), st.integers(0, 9000))
def test_sums_are_those_of_a_plain_stack(make_world: MakeWorld, seed: int, a: int, b: int) -> None:
    chance, world = Random(seed), make_world()
    for _ in range(2):
        process, at = Process("game"), 1000
        threads = [process.thread("main"), process.thread("task")]
        for _ in range(chance.randrange(1, 5)):
            at = nest(chance, chance.choice(threads), at + 7, 0, world)
        world.send(process)
    assert sums(world) == expected(world)
    origin = world.value("SELECT min(begin) FROM thread_spans")
    begin, end = origin + min(a, b), origin + max(a, b)
    assert sums(world, begin=begin, end=end) == expected(world, begin, end)
    times = [f"arrow_cast({time}, 'Timestamp(Nanosecond, Some(\"UTC\"))')" for time in (begin, end)]
    assert sums(world, f"time BETWEEN {times[0]} AND {times[1]}") == expected(world, begin, end)


@pytest.fixture
def crossing(make_world: MakeWorld) -> World:
    """Session encloses a frame in each of three blocks, and ends in the last; Loop goes on."""
    world, process = make_world(), Process("game")
    main, other = process.thread("main"), process.thread("other")
    main.begin("Session", 1000)
    other.begin("Loop", 1000)
    for number in range(3):
        main.span("Frame", 2000 + 1000 * number, 2600 + 1000 * number)
        if number == 2:
            main.end(5000)
        other.span("Step", 2000 + 1000 * number, 2100 + 1000 * number)
        world.send(process)
    return world


def test_each_block_has_rows_of_what_it_takes_from_spans_that_go_on(crossing: World) -> None:
    ns = crossing.value("SELECT max(duration) FROM thread_spans WHERE name = 'Frame'") // 600
    rows = crossing.rows("SELECT * FROM span_times WHERE thread_name = 'main' ORDER BY calls, name")
    assert [(row["name"], row["calls"], row["total"], row["self"]) for row in rows] == [
        ("Session", 0, 0, -600 * ns),
        ("Session", 0, 0, -600 * ns),
        *[("Frame", 1, 600 * ns, 600 * ns)] * 3,
        ("Session", 1, 4000 * ns, 3400 * ns),
    ]
    assert len({row["block_id"] for row in rows if row["name"] == "Session"}) == 3


def test_a_range_has_what_later_blocks_take_from_spans_that_began_in_it(crossing: World) -> None:
    begin = crossing.value("SELECT begin FROM thread_spans WHERE name = 'Session'")
    found = sums(crossing, "name = 'Session'", begin=begin, end=begin)
    assert found == expected(crossing, begin, begin)
    assert found["Session"][0] == 1


def test_a_span_that_has_not_ended_is_below_zero(crossing: World) -> None:
    (loop,) = [values for name, values in sums(crossing).items() if name == "Loop"]
    calls, total, own = loop
    assert (calls, total) == (0, 0)
    assert own == -sums(crossing)["Step"][1]


def test_what_a_lost_span_enclosed_is_taken_from_the_one_around_it(make_world: MakeWorld) -> None:
    world, process = make_world(), Process("game")
    main = process.thread("main")
    main.begin("Frame", 1000)
    main.begin("Update", 1100)
    main.span("Actor", 1200, 1300)
    main.end(1900, lost=True)
    main.end(3000)
    world.send(process)
    found = sums(world)
    assert found["Frame"][2] == found["Frame"][1] - found["Actor"][1]
    assert set(found) == {"Frame", "Actor"}
