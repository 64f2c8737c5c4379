"""`call_tree` and `span_self_time` against sums over the rows of thread_spans."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tachy_server.base.errors import QueryError
from tachy_server.base.settings import Settings
from tachy_server.query import call_trees
from tachy_server.query.engine import QueryEngine
from tachy_server.views.declarations import VIEWS
from tachy_server.views.tables import Session

from tests.model.encoder import Process, Thread
from tests.query.conftest import MakeWorld, World, ids
from tests.query.fake_lake import FakeLake, FakeMetadata

BEGIN, END = -(1 << 62), 1 << 62
Sums = dict[tuple[str, ...], list[int]]  # path → calls, total, self, longest


def tree(world: World, process: str, window: str = "NULL, NULL", columns: str = "*") -> list[dict[str, Any]]:
    return world.rows(f"SELECT {columns} FROM call_tree('{process}', {window})")


def paths(rows: list[dict[str, Any]]) -> Sums:
    found = {(row["thread_name"], *row["path"].split(";")): row for row in rows}
    assert len(found) == len(rows)
    return {path: [row["calls"], row["total"], row["self"], row["longest"]] for path, row in found.items()}


def expected(world: World, process: str, begin: int = BEGIN, end: int = END) -> Sums:
    """The plain model: every span that overlaps the window, cut to it, under the names of those that enclose it."""
    rows = world.rows(f"SELECT * FROM thread_spans WHERE process_id = '{process}'")
    spans = {(row["stream_id"], row["id"]): row for row in rows}
    sums: Sums = defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        if row["begin"] > end or row["end"] < begin:
            continue
        path = [row["name"]]
        above = row
        while above["parent"]:
            above = spans[above["stream_id"], above["parent"]]
            path.insert(0, above["name"])
        took = min(row["end"], end) - max(row["begin"], begin)
        own = sums[row["thread_name"], *path]
        own[:] = [own[0] + 1, own[1] + took, own[2] + took, max(own[3], took)]
        if len(path) > 1:
            sums[row["thread_name"], *path[:-1]][2] -= took
    return dict(sums)


def play(thread: Thread, steps: list[int], at: int) -> int:
    """Each step begins a span (0 to 2), or ends one (3), or lets time pass."""
    open_spans = 0
    for step in steps:
        at += 7 + step
        if step < 3 and open_spans < 6:
            thread.begin("abc"[step], at, target="t", file="f.cpp", line=1 + step)
            open_spans += 1
        elif step == 3 and open_spans:
            thread.end(at)
            open_spans -= 1
        elif step == 4:
            at += 1000
    return at


STEPS = st.lists(st.integers(0, 4), max_size=30)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(STEPS, STEPS), min_size=1, max_size=4), st.integers(0, 9000), st.integers(0, 9000))
def test_any_program_in_any_window(parts: list[tuple[list[int], list[int]]], a: int, b: int) -> None:
    lake = FakeLake()
    world = World(lake, QueryEngine(lake, Settings(), FakeMetadata(lake)))
    process = Process(exe="game")
    threads = [process.thread("main"), process.thread("task"), process.thread("task")]
    latest = at = 1000
    for first, second in parts:
        for thread, steps in zip(threads, (first, second, first[::-1]), strict=True):
            thread.begin("Frame", at, target="t", file="f.cpp", line=9)
            last = play(thread, steps, at)
            while thread.stack[1:]:
                thread.end(last := last + 3)
            if len(steps) % 2:  # else Frame stays open over the cut, and the next encloses a Frame
                thread.end(last := last + 5)
            latest = max(latest, last)
        at = latest + 6000
        world.send(process)
    (known,) = ids([process])
    assert paths(tree(world, known)) == expected(world, known)
    origin = world.value(f"SELECT min(begin) FROM thread_spans WHERE process_id = '{known}'") or 0
    begin, end = origin + min(a, b), origin + max(a, b)
    window = f"arrow_cast({begin}, 'Timestamp(Nanosecond, None)'), arrow_cast({end}, 'Timestamp(Nanosecond, None)')"
    assert paths(tree(world, known, window)) == expected(world, known, begin, end)


def test_nodes_name_their_callers(world: World) -> None:
    process = ids(world.processes)[0]
    rows = {row["id"]: row for row in tree(world, process)}
    for row in rows.values():
        above = rows.get(row["parent"])
        assert (row["depth"], row["path"]) == (
            (0, row["name"]) if above is None else (above["depth"] + 1, f"{above['path']};{row['name']}")
        )
        assert above is None or above["id"] < row["id"]


def test_one_thread_by_its_name(world: World) -> None:
    process = ids(world.processes)[0]
    rows = tree(world, process, "NULL, NULL, 'worker'")
    assert [(row["thread_name"], row["path"], row["calls"]) for row in rows] == [("worker", "Job", 30)]


def test_self_time_counts_recursion_once(make_world: MakeWorld) -> None:
    world, process = make_world(), Process()
    main = process.thread("main")
    main.begin("f", 1000)
    main.begin("g", 1100)
    main.begin("f", 1200)
    main.end(1500)
    main.end(1600)
    main.end(2000)
    world.send(process)
    got = world.rows(f"SELECT * FROM span_self_time('{process.process_id}', NULL, NULL) ORDER BY name")
    frequency = world.value("SELECT max(duration) FROM thread_spans") / 1000  # ns for each of the model's
    assert [(row["name"], row["calls"]) for row in got] == [("f", 2), ("g", 1)]
    assert [round(row[key] / frequency) for row in got for key in ("total", "self", "longest")] == [
        1000, 800, 1000,
        500, 200, 500,
    ]  # fmt: skip


def test_what_a_lost_span_enclosed_stands_under_the_next_that_is_known(make_world: MakeWorld) -> None:
    world, process = make_world(), Process()
    main = process.thread("main")
    main.begin("Frame", 1000)
    for lost in (False, True):
        at = 3000 if lost else 1000
        main.begin("Update", at + 100)
        main.span("Actor", at + 200, at + 300)
        main.end(at + 900, lost=lost)
    main.end(9000)
    world.send(process)
    rows = tree(world, str(process.process_id), columns="path, calls")
    assert {row["path"]: row["calls"] for row in rows} == {
        "Frame": 1,
        "Frame;Update": 1,
        "Frame;Update;Actor": 1,
        "Frame;Actor": 1,
    }


def test_a_damaged_block_costs_only_itself(make_world: MakeWorld) -> None:
    world, process = make_world(), Process()
    main = process.thread("main")
    for number in range(3):
        main.span("Frame", 1000 * number + 1000, 1000 * number + 1900)
        world.send(process)
    block = sorted(world.lake.rows, key=lambda row: row.sequence)[1].block_id
    data = bytearray(world.lake.data[block])
    data[-9] ^= 1
    world.lake.data[block] = bytes(data)
    rows = tree(world, str(process.process_id), columns="path, calls")
    assert rows == [{"path": "Frame", "calls": 2}]
    assert list(world.lake.errors) == [block]


def test_arguments_are_checked(world: World) -> None:
    for arguments in ("'x', NULL, NULL", "NULL", f"'{ids(world.processes)[0]}', 'no time', NULL"):
        with pytest.raises(QueryError, match="call_tree"):
            world.query(f"SELECT * FROM call_tree({arguments})")


def test_what_comes_after_the_query_has_begun_is_not_in_it(make_world: MakeWorld) -> None:
    world, process = make_world(), Process()

    def frame(at: int) -> None:
        main.begin("Frame", at)
        main.end(at + 5)
        world.send(process)

    main = process.thread("main")
    frame(1000)
    session = Session(world.lake, FakeMetadata(world.lake), None, 100, VIEWS)
    window = call_trees.Window(process.process_id, None, None, None)
    tables = [call_trees.tree(session, window), call_trees.self_time(session, window)]
    begun = []
    for table in tables:
        table.scanner()
        begun.append(table.get_fragments())
    frame(2000)
    for fragments in begun:
        batches = [batch for fragment in fragments for batch in fragment.scanner(None).to_batches()]
        assert [batch.column("calls").to_pylist() for batch in batches] == [[1]]
