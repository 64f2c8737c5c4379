"""What queries pay for blocks, in CPU of this process: small ones and large ones, out of memory instead of a store.

    python -m bench.decoding          # bench.server has the cases

A query runs on the server's own engine over a lake in memory, so that what it costs is planning, checking,
decompressing, decoding and aggregating, and nothing of PostgreSQL, the store and the wire.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

os.environ.setdefault("TOKIO_WORKER_THREADS", "16")

import pyarrow as pa
import pyarrow.compute as pc
from tachy_server.base.settings import Settings
from tachy_server.formats.reader import METRIC, SPAN, read_head
from tachy_server.lake.block_reads import BlocksRead, windows
from tachy_server.lake.blocks import Blocks
from tachy_server.query.engine import QueryEngine
from tachy_server.traces.export import Trace, TracedProcess, compress
from tachy_server.views.declarations import MEASURES
from tachy_server.views.decode import Wanted, decode

from bench.budgets import Cases
from bench.moving import Moving
from bench.shape import SHAPE
from tests.model.encoder import Process
from tests.query.fake_lake import FakeLake, FakeMetadata

SMALL = 3_000  # blocks of
EVENTS = 20
SPANS = 20_000  # of a block, of which there are
LARGE = 500
FLEET = 1_000
ROUNDS = 5


def cpu_seconds(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Of the cheapest of some runs."""
    taken = []
    for _ in range(rounds):
        begin = time.process_time()
        action()
        taken.append(time.process_time() - begin)
    return min(taken)


def second(process: Process, number: int, events: int) -> None:
    """A second of metrics, 12 of them in turn."""
    main = process.threads[0] if process.threads else process.thread("main")
    for event in range(events):
        at = 1_000 + number * 10**9 + event * (10**9 // events)
        main.metric(at, f"value {event % 12}", event + number * 0.5, unit="milliseconds", target="game")


@dataclass
class MemoryLake(FakeLake):
    """Segments in memory, of which all blocks are read at once."""

    stored: list[pa.Buffer] = field(default_factory=list)

    def keep(self, parts: list[Any]) -> None:
        self.stored.append(pa.py_buffer(b"".join(parts)))

    def read(self, blocks: Blocks) -> Iterator[BlocksRead]:
        bases = pa.array([buffer.address for buffer in self.stored], pa.int64())
        for window in windows(blocks):
            rows = window.columns
            addresses = pc.add(bases.take(rows.column("segment")), rows.column("offset"))
            yield BlocksRead(window, addresses, self.stored)


def lake_of(process: Process, blocks: list[bytes]) -> Any:
    """All of them in one segment."""
    lake = MemoryLake()
    lake.add(process.batch(blocks))
    return lake


def per_block() -> dict[str, float]:
    """A block of 20 events above its events, which are those of few blocks."""
    small, large = Process(), Process()
    many = []
    for number in range(SMALL):
        second(small, number, EVENTS)
        many += [block.data for block in small.blocks(codec="zstd")]
        second(large, number, EVENTS)
    few = [block.data for block in large.blocks(codec="zstd")]
    columns = ("time", "name", "value", "process_id")

    def read(lake: Any) -> Callable[[], object]:
        blocks = lake.select_blocks(METRIC)
        return lambda: list(decode(lake, MEASURES, blocks, Wanted(), columns, {}))

    above = cpu_seconds(read(lake_of(small, many))) - cpu_seconds(read(lake_of(large, few)))
    return {"us_per_block": above / SMALL * 1e6}


def chart() -> dict[str, float]:
    """One of the 12 metrics of one process over 3,000 s, in blocks of a second and in one."""
    process, other = Process(), Process()
    blocks = []
    for number in range(SMALL):
        second(process, number, 35)
        blocks += [block.data for block in process.blocks(codec="zstd")]
        second(other, number, 35)
    whole = [block.data for block in other.blocks(codec="zstd")]
    found = {}
    for name, of, data in (("ms", process, blocks), ("rewritten_ms", other, whole)):
        sql = f"SELECT time, value FROM measures WHERE process_id = '{of.process_id}' AND name = 'value 3'"
        found[name] = cpu_seconds(asked(lake_of(of, data), sql, cache=0)) * 1e3
    return found


def asked(lake: Any, sql: str, cache: int = Settings().query_cache) -> Callable[[], object]:
    """What asks a query of an engine, always the same one."""
    engine = QueryEngine(lake, Settings(query_cache=cache), FakeMetadata(lake))
    return lambda: list(engine.plan(sql).batches())


def fleet() -> dict[str, float]:
    """A minute of one of the metrics of a thousand processes, as they sent it: six blocks of each."""
    (block,) = [block for block in SHAPE.made(SHAPE, 1) if read_head(block).cls == METRIC]
    lake: Any = MemoryLake()
    games = [Process() for _ in range(FLEET)]
    moving = Moving([block], games, int(SHAPE.every * 1e9))
    minute = [moving.at(number).blocks for number in range(int(60 // SHAPE.every))]
    for one, *blocks in zip(games, *minute, strict=True):
        lake.add(one.batch(blocks))
    sql = "SELECT date_bin(INTERVAL '1 second', time), avg(value) FROM measures WHERE name = 'frame' GROUP BY 1"
    stats = "SELECT time_bin, sum(sum) / sum(count) FROM measure_stats WHERE name = 'frame' GROUP BY 1"
    return {
        "cpu_s": cpu_seconds(asked(lake, sql, cache=0), 3),
        "of_stats_cpu_s": cpu_seconds(asked(lake, stats, cache=0), 3),
    }


def spans() -> tuple[Process, Any]:
    """Ten million of one process, in blocks of 20,000, one after the other."""
    process, chance, at = Process(exe="bench"), Random(3), 1_000
    main = process.thread("main")
    for number in range(SPANS // 4):
        main.begin("Frame", at, target="game", file="loop.cpp", line=1)
        for part in range(3):
            begin = at + chance.randint(900, 9_000)
            at = begin + chance.randint(3_000, 60_000)
            main.span(f"part {(number + part) % 40}", begin, at, target="game", file="part.cpp", line=part)
        at += chance.randint(900, 90_000)
        main.end(at)
    (block,) = process.blocks(codec="zstd")
    moving = Moving([block.data], [process], at * 10**9 // process.frequency)
    return process, lake_of(process, [moving.at(number).blocks[0] for number in range(LARGE)])


def sums(process: Process, lake: Any) -> dict[str, float]:
    """How many there are and how long they took: the first query, and the next ones."""
    ask = asked(lake, f"SELECT count(*), sum(duration) FROM thread_spans WHERE process_id = '{process.process_id}'")
    return {"first_cpu_s": cpu_seconds(ask, 1), "again_cpu_s": cpu_seconds(ask)}


def traced(process: Process, lake: Any) -> Trace:
    """Of all its spans."""
    who = TracedProcess(process.process_id, "bench", "", "", "", "", "", "running", process.start_time, None, {})
    return Trace(lake, [who], None, None, [SPAN], "both", lambda cls, _: lake.select_blocks(cls))


def trace(process: Process, lake: Any) -> dict[str, float]:
    """Ten million slices; and what comes before the first of blocks of 22 spans."""
    size = 0

    def write() -> None:
        nonlocal size
        size = sum(len(chunk) for chunk in traced(process, lake))

    seconds = cpu_seconds(write, 1)
    chunks = traced(process, lake)
    next(chunks)  # the clock and the process
    part = next(chunks)
    small, at = Process(), 1_000
    main, blocks = small.thread("main"), []
    for _ in range(SMALL):
        for _ in range(22):
            main.span(f"part {at % 7}", at, at + 5)
            at += 10
        blocks += [block.data for block in small.blocks(codec="zstd")]
    little = lake_of(small, blocks)

    def begin() -> None:
        chunks = traced(small, little)
        next(chunks)
        next(chunks)

    count = SPANS * LARGE
    return {
        "least_slices_per_cpu_s": count / seconds,
        "bytes_per_slice": size / count,
        "bytes_per_slice_compressed": size / count * len(compress(part)) / len(part),
        "first_byte_cpu_s": cpu_seconds(begin),
    }


def cases() -> Cases:
    """All of them."""
    process, lake = spans()
    return {
        "small_blocks": per_block(),
        "chart": chart(),
        "fleet_minute": fleet(),
        "span_sums": sums(process, lake),
        "trace_of_blocks": trace(process, lake),
    }


if __name__ == "__main__":
    for case, figures in cases().items():
        print(f"{case:16}", ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
