"""Many blocks decoded at once, whatever their sizes, are the rows of the model, in full batches."""

from __future__ import annotations

import random
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tachy_server.formats.reader import METRIC, SPAN, block_id, read_head, stream_id
from tachy_server.formats.rows import ROWS
from tachy_server.views import decode as decoding
from tachy_server.views.declarations import MEASURES, THREAD_SPANS, View
from tachy_server.views.decode import LARGE, ColumnCache, Wanted, decode
from tachy_server.views.sources import ProcessInfo

from tests.model.encoder import Process
from tests.model.records import Block
from tests.query.fake_lake import FakeLake

CODECS = ("none", "zstd", "gzip", "lz4")


def record(lake: FakeLake, seed: int, processes: int, blocks: int) -> list[tuple[Process, Block]]:
    """Blocks of metrics and of nested spans, by process and sequence."""
    chance = random.Random(seed)
    made = []
    for number in range(processes):
        process = Process(exe=f"game{number % 2}")
        threads = [process.thread("main"), process.thread("worker")]
        at = 1_000
        for _ in range(blocks):
            for _ in range(chance.choice((0, 1, 3, 40))):
                thread = chance.choice(threads)
                at += chance.randrange(1, 500)
                if chance.random() < 0.5:
                    thread.metric(at, f"m{chance.randrange(5)}", chance.random(), properties={"p": str(at % 2)})
                elif thread.stack and chance.random() < 0.5:
                    thread.end(at)
                elif len(thread.stack) < 20:
                    thread.begin(f"s{chance.randrange(5)}", at, target="t", line=at % 3)
            fresh = process.blocks(codec=chance.choice(CODECS))
            lake.add(process.batch(fresh))
            made += [(process, block) for block in fresh]
    return sorted(made, key=lambda pair: (pair[0].process_id.bytes, pair[1].sequence))


def damage(lake: FakeLake, blocks: list[tuple[Process, Block]], which: set[int]) -> set[UUID]:
    """Flips a byte in the middle of the bodies of some."""
    ids = set()
    for number in which:
        process, block = blocks[number % len(blocks)]
        own = block_id(process.process_id, block.cls, block.sequence)
        data, head = bytearray(lake.data[own]), read_head(lake.data[own])
        if own not in ids and head.stored_size:
            data[head.header_size + head.stored_size // 2] ^= 0x55
            lake.data[own] = bytes(data)
            ids.add(own)
    return ids


def measures_of(process: Process, block: Block) -> list[dict[str, Any]]:
    return [
        {"time": m.time, "name": m.name, "value": m.value, "stream_id": (process.process_id, METRIC, m.thread)}
        for m in block.metrics
    ]


def spans_of(process: Process, block: Block) -> list[dict[str, Any]]:
    return [
        {"begin": s.begin, "end": s.end, "name": s.name, "id": s.id, "parent": s.parent, "depth": s.depth,
         "stream_id": (process.process_id, SPAN, s.thread)}
        for s in block.spans
    ]  # fmt: skip


VIEWS = ((MEASURES, METRIC, measures_of, "time", "time"), (THREAD_SPANS, SPAN, spans_of, "begin", "end"))


def rows_of(batches: list[pa.RecordBatch]) -> list[dict[str, Any]]:
    rows = []
    for batch in batches:
        batch.validate(full=True)
        columns = [one.cast(pa.int64()) if pa.types.is_timestamp(one.type) else one for one in batch.columns]
        rows += pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()
    return rows


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    processes=st.integers(1, 3),
    bounds=st.none() | st.tuples(st.integers(0, 9_000), st.integers(0, 9_000)).map(sorted),
    damaged=st.sets(st.integers(0, 40), max_size=4),
    one_stream=st.booleans(),
    columns=st.sets(st.sampled_from(("name", "process_id", "block_id", "exe", "insert_time", "stream_id"))),
    at_once=st.sampled_from((1, 3, 1000)),
    cached=st.booleans(),
)
@example(3, 2, [500, 4_000], {2, 7}, True, {"exe"}, 1000, False)
@example(3, 2, [500, 4_000], {2, 7}, False, {"exe", "block_id", "insert_time"}, 1000, True)
def test_rows_are_those_of_the_blocks_that_can_be_read(
    seed: int, processes: int, bounds: list[int] | None, damaged: set[int], one_stream: bool, columns: set[str],
    at_once: int, cached: bool,
) -> None:  # fmt: skip
    """Also where each block is taken to be large and comes out of the cache, into which a query without bounds has put
    some.
    """
    with patch.object(decoding, "LARGE", 0):
        check_rows(
            seed, processes, bounds, damaged, one_stream, columns, at_once, ColumnCache(1 << 20) if cached else None
        )


def check_rows(
    seed: int, processes: int, bounds: list[int] | None, damaged: set[int], one_stream: bool, columns: set[str],
    at_once: int, cache: ColumnCache | None,
) -> None:  # fmt: skip
    lake = FakeLake(at_once=at_once)
    everything = record(lake, seed, processes, blocks=6)
    bad = damage(lake, everything, damaged)
    start = everything[0][0].start_time
    begin, end = (None, None) if bounds is None else (start + bounds[0], start + bounds[1])
    for view, cls, model, first, last in VIEWS:
        mine = [(process, block) for process, block in everything if block.cls == cls]
        if not mine:
            continue
        wanted_stream = (mine[0][0].process_id, cls, 1)
        expected = [
            {**row, "stream_id": str(stream_id(*row["stream_id"])), "process_id": str(process.process_id),
             "exe": process.description["exe"],
             "block_id": str(block_id(process.process_id, cls, block.sequence))}
            for process, block in mine
            if block_id(process.process_id, cls, block.sequence) not in bad
            for row in model(process, block)
            if (begin is None or row[last] >= begin) and (end is None or row[first] <= end)
            and (not one_stream or row["stream_id"] == wanted_stream)
        ]  # fmt: skip
        known = {p.process_id: ProcessInfo(p.description["exe"], "", "", "{}") for p, _ in mine}
        asked = [*expected[0], "insert_time"] if expected else ["name"]
        asked = [name for name in asked if name in columns or name in (first, last, "value", "id", "parent")]
        asked = [name for name in asked if any(column.name == name for column in view.columns)]
        streams = frozenset([stream_id(*wanted_stream)]) if one_stream else None
        blocks = lake.select_blocks(cls)
        if cache is not None:
            kept = list(dict.fromkeys([*asked, first, last, "stream_id"]))
            list(decode(lake, view, blocks[::2], Wanted(), kept, known, cache))
        batches = list(decode(lake, view, blocks, Wanted(begin, end, streams), asked, known, cache))
        got = rows_of(batches)
        inserted = [row.pop("insert_time") for row in got if "insert_time" in row]
        assert all(time > start for time in inserted)
        assert got == [{name: row[name] for name in asked if name != "insert_time"} for row in expected]
        count = decode(lake, view, lake.select_blocks(cls), Wanted(begin, end, streams), (), known)
        assert sum(batch.num_rows for batch in count) == len(expected)
    assert set(lake.errors) == bad


def many(lake: FakeLake, view: View, sizes: list[int]) -> None:
    """Blocks of so many rows of one process."""
    process = Process()
    main, at = process.thread("main"), 1_000
    for size in sizes:
        for _ in range(size):
            at += 10
            if view is MEASURES:
                main.metric(at, f"m{at % 7}", at)
            else:
                main.span(f"s{at % 70}", at, at + 5)
        lake.add(process.batch(process.blocks(codec="zstd")))


def test_batches_are_full_whatever_the_sizes_of_blocks() -> None:
    for view, cls in ((MEASURES, METRIC), (THREAD_SPANS, SPAN)):
        lake = FakeLake(at_once=1 << 20)
        sizes = [1, 20, 7_000, 300, 60_000, 1, 5, 70_000] + [20] * 500
        many(lake, view, sizes)
        batches = list(decode(lake, view, lake.select_blocks(cls), Wanted(), ["name"], {}))
        assert [batch.num_rows for batch in batches] == [ROWS] * (sum(sizes) // ROWS) + [sum(sizes) % ROWS]


def test_a_large_block_comes_out_of_the_cache_as_it_came_out_of_the_store() -> None:
    lake, cache = FakeLake(), ColumnCache(64 << 20)
    many(lake, THREAD_SPANS, [LARGE + 5])
    blocks = lake.select_blocks(SPAN)
    start = blocks[0].begin_time
    columns = ["name", "begin", "duration", "stream_id", "thread_name"]
    ask = (Wanted(), Wanted(begin=start + 1_000, end=start + 5_003), Wanted(end=start - 1))
    before = [rows_of(list(decode(lake, THREAD_SPANS, blocks, wanted, columns, {}))) for wanted in ask]
    reads = len(lake.reads)
    whole = rows_of(list(decode(lake, THREAD_SPANS, blocks, Wanted(), [*columns, "end"], {}, cache)))
    assert len(lake.reads) == reads + 1
    after = [rows_of(list(decode(lake, THREAD_SPANS, blocks, wanted, columns, {}, cache))) for wanted in ask]
    assert len(lake.reads) == reads + 1
    assert after == before
    assert len(whole) == len(after[0]) == LARGE + 5


def test_a_large_block_that_cannot_be_read_is_tried_again() -> None:
    lake, cache = FakeLake(), ColumnCache(64 << 20)
    many(lake, MEASURES, [LARGE + 5])
    (own,) = lake.data
    sound, head = lake.data[own], read_head(lake.data[own])
    lake.data[own] = sound[: head.header_size] + bytes(len(sound) - head.header_size)

    def count() -> int:
        blocks = lake.select_blocks(METRIC)
        return sum(batch.num_rows for batch in decode(lake, MEASURES, blocks, Wanted(), ["value"], {}, cache))

    assert count() == count() == cache.size == 0
    assert set(lake.errors) == {own}
    lake.data[own] = sound
    assert count() == LARGE + 5
    assert lake.errors == {}
    assert cache.size > 0
