"""`utilization` against sums over the rows of thread_spans."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tachy_server.base.errors import LimitError, QueryError
from tachy_server.base.settings import Settings
from tachy_server.query import utilization
from tachy_server.query.engine import QueryEngine

from tests.model.encoder import Process
from tests.query.conftest import MakeWorld, World, ids
from tests.query.fake_lake import FakeLake, FakeMetadata
from tests.query.test_call_trees import STEPS, play

Key = tuple[int, str, str]  # bin, stream, thread


def got(world: World, process: str, width: int, where: str = "", **ranges: Any) -> dict[Key, int]:
    rows = world.rows(f"SELECT * FROM utilization('{process}', INTERVAL '{width} nanoseconds') {where}", **ranges)
    found = {(row["time_bin"], row["stream_id"], row["thread_name"]): row for row in rows}
    assert len(found) == len(rows)
    for row in rows:
        assert row["utilization"] == row["busy"] / width
    return {key: row["busy"] for key, row in found.items()}


def expected(world: World, process: str, width: int) -> dict[Key, int]:
    """The plain model: what of each bin the outermost spans cover."""
    sums: dict[Key, int] = defaultdict(int)
    for row in world.rows(f"SELECT * FROM thread_spans WHERE process_id = '{process}' AND depth = 0"):
        for start in range(row["begin"] // width * width, row["end"], width):
            busy = min(row["end"], start + width) - max(row["begin"], start)
            if busy > 0:
                sums[start, row["stream_id"], row["thread_name"]] += busy
    return dict(sums)


@settings(max_examples=12)
@given(
    st.lists(st.tuples(STEPS, STEPS), min_size=1, max_size=5),
    st.sampled_from([17, 40, 1000, 10**9, 2 * 86_400 * 10**9]),
    st.integers(0, 9000),
    st.integers(0, 9000),
    st.sampled_from([16, 64, 1 << 20]),
)
def test_any_program_in_any_bins(
    parts: list[tuple[list[int], list[int]]], width: int, a: int, b: int, most_rows: int
) -> None:
    lake = FakeLake()
    world = World(lake, QueryEngine(lake, Settings(), FakeMetadata(lake)))
    process = Process(exe="game")
    threads = [process.thread("main"), process.thread("task"), process.thread("task")]
    latest = at = 1000
    for first, second in parts:
        for thread, steps in zip(threads, (first, second, first[::-1]), strict=True):
            last = play(thread, steps, at)
            if len(steps) % 2:  # else what it has begun stays open over the cut
                while thread.stack:
                    thread.end(last := last + 3)
            latest = max(latest, last)
        at = latest + 2000
        world.send(process)
    (known,) = ids([process])
    wanted = expected(world, known, width)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(utilization, "_MOST_ROWS", most_rows)
        assert got(world, known, width) == wanted
        origin = world.value(f"SELECT min(begin) FROM thread_spans WHERE process_id = '{known}'") or 0
        begin, end = origin + min(a, b), origin + max(a, b)
        inside = {key: busy for key, busy in wanted.items() if key[0] + width > begin and key[0] <= end}
        assert got(world, known, width, begin=begin, end=end) == inside
        times = [f"arrow_cast({time}, 'Timestamp(Nanosecond, Some(\"UTC\"))')" for time in (begin, end)]
        within = {key: busy for key, busy in wanted.items() if begin <= key[0] < end}
        assert got(world, known, width, f"WHERE time_bin >= {times[0]} AND time_bin < {times[1]}") == within


def test_a_range_reads_the_blocks_that_reach_into_its_bins(make_world: MakeWorld) -> None:
    world, process = make_world(), Process()
    main = process.thread("main")
    for number in range(20):
        main.span("Frame", 1000 * number + 100, 1000 * number + 1000)
        world.send(process)
    (known,) = ids([process])
    bins = sorted(got(world, known, 1000))
    world.lake.reads.clear()
    time = f"arrow_cast({bins[5][0]}, 'Timestamp(Nanosecond, Some(\"UTC\"))')"
    assert list(got(world, known, 1000, f"WHERE time_bin = {time}")) == [bins[5]]
    assert 0 < len(world.lake.reads) <= 4


def test_rows_leave_before_all_blocks_are_read(make_world: MakeWorld) -> None:
    world, process = make_world(), Process()
    main = process.thread("main")
    for block in range(12):
        for number in range(20_000):  # four blocks are read at a time
            at = 100 * (20_000 * block + number)
            main.span("Frame", at + 10, at + 60)
        world.send(process)
    (known,) = ids([process])
    query = world.engine.plan(f"SELECT * FROM utilization('{known}', INTERVAL '100 nanoseconds')")
    batches = query.batches()
    world.lake.reads.clear()
    next(batches)
    assert len(world.lake.reads) < 12
    batches.close()


def test_arguments_are_checked(world: World) -> None:
    known = ids(world.processes)[0]
    for arguments in ("'x', INTERVAL '1 second'", f"'{known}'", f"'{known}', 5", f"'{known}', NULL"):
        with pytest.raises(QueryError, match="utilization"):
            world.query(f"SELECT * FROM utilization({arguments})")
    for interval in ("1 month", "0 seconds", "-1 second", "100000 days"):
        with pytest.raises(QueryError, match="from a nanosecond to days"):
            world.query(f"SELECT * FROM utilization('{known}', INTERVAL '{interval}')")


def test_too_many_blocks_are_refused(make_world: MakeWorld) -> None:
    world, process = make_world(lazy_block_limit=2), Process()
    for number in range(3):
        process.thread("main").span("Frame", 1000 * number + 100, 1000 * number + 200)
        world.send(process)
    with pytest.raises(LimitError, match="utilization: this query needs more than 2 blocks"):
        got(world, *ids([process]), 1000)
