"""A block dates what is older than itself as the blocks before did, by the wall clock as it was set last."""

from __future__ import annotations

import pytest
from tachy_server.formats import reader

from tests.model.decoder import decode_block
from tests.model.encoder import Process
from tests.model.records import Block
from tests.reader.decoding import dicts, split
from tests.reader.test_hostile import rebuild, refuse

HOUR = 3600 * 10**9
STEP = 1_000_000


def spans(block: Block) -> dict[str, tuple[int, int]]:
    """Name -> begin and end, as the reader and the plain decoder have them."""
    plain = {span.name: (span.begin, span.end) for span in decode_block(block.data).spans}
    read = {row["name"]: (row["begin"], row["end"]) for row in dicts(reader.read_spans(*split(block.data)))}
    assert read == plain == {span.name: (span.begin, span.end) for span in block.spans}
    return read


def drifting(blocks: int) -> tuple[Process, list[Block]]:
    """A clock that is another one in every block. In each block a mark on one thread; on another a span begins in each,
    and none ends."""
    process = Process(frequency=3_000_000_000)
    marks, quiet = process.thread("marks"), process.thread("quiet")
    made = []
    for index in range(blocks):
        at = index * STEP
        quiet.begin(f"outer {index}", at + STEP // 2)
        marks.span(f"mark {index}", at + STEP // 2, at + STEP // 2 + 3)
        process.drift_ns += (index * 7919) % 2003
        made += process.blocks(codec="none", until=at + STEP)
    return process, made


@pytest.mark.parametrize("blocks", [1, 2, 3, 20, 64])
def test_what_began_in_earlier_blocks_is_dated_as_they_date_it(blocks: int) -> None:
    process, made = drifting(blocks)
    marks = {name: times[0] for block in made for name, times in spans(block).items()}
    for index in reversed(range(blocks)):
        process.threads[1].end(blocks * STEP + 1000 - index)
    outer = spans(process.blocks(until=(blocks + 1) * STEP)[0])
    assert [outer[f"outer {i}"][0] for i in range(blocks)] == [marks[f"mark {i}"] for i in range(blocks)]


def test_more_than_a_block_can_say_is_dated_by_the_oldest_line_that_it_has() -> None:
    process, _ = drifting(100)
    for index in reversed(range(100)):
        process.threads[1].end(100 * STEP + 1000 - index)
    times = spans(process.blocks(until=101 * STEP)[0])
    begins = [times[f"outer {i}"][0] for i in range(100)]
    assert begins == sorted(begins)


@pytest.mark.parametrize("ns", [HOUR, -HOUR])
def test_durations_are_what_they_were_when_the_wall_clock_is_set(ns: int) -> None:
    process = Process()
    main = process.thread("main")
    main.begin("known", 1_000)
    main.span("first", 1_500, 1_600)
    main.begin("unknown", 1_700)
    load = main.async_begin(1_800, "load")
    (before,) = process.blocks(until=2_000)
    process.set_clock(ns)
    main.end(2_500)
    main.end(3_000)
    main.async_end(3_100, load)
    (after,) = process.blocks(until=4_000)
    assert {name: end - begin for name, (begin, end) in spans(after).items()} == {"known": 2_000, "unknown": 800}
    heads = [reader.check_block(block.data) for block in (before, after)]
    assert heads[1].utc0 - heads[0].utc1 == ns
    (opened,) = dicts(reader.read_open_async(*split(after.data)))
    (ended,) = dicts(reader.read_async(*split(after.data)))
    assert ended["time"] - opened["begin"] == 1_300


@pytest.mark.parametrize(("count", "other"), [(65, 65), (2, 3)])
def test_a_clock_that_says_too_much_or_half_is_refused(count: int, other: int) -> None:
    columns = [(15, 1, count, bytes([1] * count)), (16, 1, other, bytes([1] * other))]
    assert "clock" in refuse(rebuild(drifting(2)[1][1], lambda had: had.extend(columns)))
