"""Merging a process's blocks, as maintenance does: what it costs, and what it saves.

    python -m bench.merging           # at other levels of zstd too; bench.server has the cases

The shape is a program that does little, which is what most of a fleet are: 579 events in 10 seconds (12 logs, 354
metrics, 213 spans), a block of each class every 10 seconds, ten minutes of them. And blocks of a busy one, in which
what is done once per block does not count.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

from tachy_server.formats._reader import ffi, lib
from tachy_server.formats.merging import LEVEL, merge_blocks
from tachy_server.formats.reader import Limits
from tachy_server.formats.stored_blocks import StoredBlocks

from bench.budgets import BenchError, Cases
from tests.model.encoder import Process, Thread
from tests.model.records import LOG, METRIC, SPAN, Block

SECOND = 3_000_000_000  # ticks
BLOCKS = 60
ROUNDS = 15
BUSY_SPANS = 20_000  # of a block
NAMES = {LOG: "logs", METRIC: "metrics", SPAN: "spans"}


def tick(random: Random, main: Thread, worker: Thread, at: int, number: int) -> None:
    """A tenth of a second or so: 3 or 4 spans, 6 metrics."""

    def spread(ms: float) -> int:
        return int(SECOND * ms / 1000 * random.lognormvariate(0, 0.4))

    main.begin("Tick", at, target="game.loop", file="src/loop.cpp", line=120)
    at += spread(0.2)
    for name, line in (("Simulate", 200), ("Replicate", 310)):
        main.begin(name, at, target="game.world", file="src/world.cpp", line=line)
        at += spread(3)
        main.end(at)
    main.metric(at, "entities", 1200 + random.randint(-9, 9), target="game.world", file="src/world.cpp", line=40)
    main.metric(at + 900, "players", 16, target="game.world", file="src/world.cpp", line=41)
    for index, key in enumerate(("sent", "received")):
        main.metric(at + 1800 + index, f"net.{key}", random.randint(400, 90_000), unit="bytes", target="game.net",
                    file="src/net.cpp", line=70 + index, properties={"server": "eu-1"})  # fmt: skip
    main.metric(at + 2600, "frame", random.lognormvariate(2, 0.3), unit="ms", target="game.loop", file="src/loop.cpp",
                line=130)  # fmt: skip
    at += spread(0.4)
    main.end(at)
    worker.metric(at + 5000, "queue", random.randint(0, 12), target="game.jobs", file="src/jobs.cpp", line=12)
    if number % 5 < 3:
        begin = at + spread(1)
        worker.span("Save", begin, begin + spread(8), target="game.jobs", file="src/jobs.cpp", line=33)


def ten_seconds(process: Process, random: Random, number: int) -> list[Block]:
    """What the shape records in these, a block of each class."""
    main, worker = process.threads
    start = number * 10 * SECOND
    times = sorted(random.randrange(10 * SECOND - SECOND // 5) for _ in range(59))
    for index, at in enumerate(times):
        at = start + max(at, index * SECOND // 6)
        tick(random, main, worker, at, index)
        if index % 5 == 2:
            main.log(process.latest - process.start_ticks + 50, "player %s joined in %d ms",
                     f"p{random.randint(1, 900)}", random.randint(20, 700), target="game.net", file="src/net.cpp",
                     line=91)  # fmt: skip
    return process.blocks(until=start + 10 * SECOND - 1)


def program(seed: int, start_time: int = Process().start_time) -> tuple[Process, Random]:
    """One of the shape, and its chance."""
    process = Process("game", frequency=SECOND, start_time=start_time)
    process.thread("main")
    process.thread("worker")
    return process, Random(seed)


def little() -> dict[int, list[bytes]]:
    """The shape's blocks by class."""
    process, random = program(7)
    made: dict[int, list[bytes]] = {LOG: [], METRIC: [], SPAN: []}
    for number in range(BLOCKS):
        for block in ten_seconds(process, random, number):
            made[block.cls].append(block.data)
        process.drift_ns += random.randint(0, 3000)
    return made


def busy(blocks: int = 5) -> list[bytes]:
    """Blocks of many spans."""
    random = Random(3)
    process = Process("game", frequency=SECOND)
    main = process.thread("main")
    made, at = [], 0
    for _ in range(blocks):
        for number in range(BUSY_SPANS // 4):
            main.begin("Frame", at, target="game", file="src/loop.cpp", line=1)
            for part in range(3):
                at += random.randint(900, 9000)
                begin = at
                at += random.randint(3000, 60_000)
                main.span(f"part {(number + part) % 40}", begin, at, target="game", file="src/part.cpp", line=part)
            at += random.randint(900, 90_000)
            main.end(at)
        made += [block.data for block in process.blocks(until=at + 1)]
    return made


def seconds(blocks: Sequence[bytes], level: int) -> float:
    """Of the processor, the least of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        merge_blocks(blocks, level=level)
        taken.append(time.process_time() - begin)
    return min(taken)


def core_seconds(blocks: Sequence[bytes]) -> float:
    """The same of the native merging alone: from bodies to a body, none of them compressed."""
    stored = StoredBlocks.of(blocks, Limits())
    limits = ffi.new("tachy_merge_limits *", {"rows": 1 << 24, "raw_bytes": 1 << 28, "threads": 1 << 12})
    out, used, error = ffi.new("tachy_merged **"), ffi.new("uint64_t *"), ffi.new("tachy_read_error *")
    taken = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        lib.tachy_merge(stored.native, 0, limits, out, used, error)
        taken.append(time.process_time() - begin)
        lib.tachy_merged_free(out[0])
        if used[0] != len(blocks):
            raise BenchError(f"{used[0]} of {len(blocks)} blocks became one")
    return min(taken)


def cases() -> Cases:
    """What merging costs and saves, of both."""
    found, spans = list(little().values()), busy()
    merged = [block for blocks in found for block in merge_blocks(blocks)]
    events = sum(block.head.events for block in merged)
    rows = BUSY_SPANS * len(spans)
    return {
        "merge": {
            "cpu_s_per_million": sum(seconds(blocks, LEVEL) for blocks in found) / events * 1e6,
            "bytes_per_event": sum(len(block.data) for block in merged) / events,
            "bytes_per_event_before": sum(len(block) for blocks in found for block in blocks) / events,
            "events": events,
        }
        | {
            f"bytes_per_event_{NAMES[head.cls]}": len(block.data) / head.events
            for block in merged
            for head in [block.head]
        },
        "merge_busy": {
            "least_spans_per_cpu_s": rows / core_seconds(spans),
            "least_spans_per_cpu_s_compressed": rows / seconds(spans, LEVEL),
        },
    }


def at_level(level: int) -> dict[str, float]:
    """The small program's blocks."""
    found = list(little().values())
    merged = [block for blocks in found for block in merge_blocks(blocks, level=level)]
    events = sum(block.head.events for block in merged)
    return {
        "cpu_s_per_million": sum(seconds(blocks, level) for blocks in found) / events * 1e6,
        "bytes_per_event": sum(len(block.data) for block in merged) / events,
    }


def main() -> None:
    """Prints."""
    for case, figures in (cases() | {f"zstd {level}": at_level(level) for level in (1, 3, 6, 9)}).items():
        print(case, {name: float(f"{figure:.4g}") for name, figure in figures.items()})


if __name__ == "__main__":
    main()
