"""A process that exists on paper: give it events, take its blocks and batches, and what they must decode to.

Times are ticks since the process's start; a tick is a nanosecond unless `frequency` says otherwise.

    from tests.model.encoder import Process

    process = Process(exe="game", properties={"build": "42"})
    main = process.thread("main")
    main.begin("Frame", 1_000, target="loop", file="loop.cpp", line=10)
    main.begin("Physics", 1_100)
    main.value("bodies", 12)                               # of the innermost open span
    main.end(1_900)
    main.log(1_950, "hit %s with %d points", "orc", 12, level=4, properties={"map": "e1m1"})
    main.message(1_960, "plain text")                      # as a logger's adapter sends it
    main.metric(1_970, "ammo", 12, unit="rounds")          # a float for a float metric
    main.metric(1_971, "wait", 250, ticks=True)
    main.frame(1_975, "Game", 16_000)
    load = main.async_begin(1_980, "load")
    first = process.batch()                                # bytes; "Frame" and "load" are still open
    main.end(5_000)                                        # ends "Frame"
    process.thread("worker").async_end(5_100, load)
    second = process.batch(codec="lz4", state="exited")

`process.blocks()` is the step before: a list of Block with `.data` (the bytes) and the rows they must decode to
(`.spans`, `.open_spans`, `.async_events`, `.open_async`, `.logs`, `.metrics`). `process.batch(blocks)` wraps them.
Events that the ring lost: `end(at, lost=True)`, `lose_logs(n)`, `lose_metrics(n)`. The clock's drift:
`process.drift_ns += 50`. The wall clock is set: `process.set_clock(3600 * 10**9)`.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.model import columns as c
from tests.model import rows, values
from tests.model.blocks import make_block
from tests.model.records import (
    BATCH_HEADER,
    LOG,
    METRIC,
    SPAN,
    AsyncRecord,
    Block,
    GapRecord,
    LogRecord,
    MetricRecord,
    OpenSpan,
    SpanRecord,
    xxh64,
)


class Thread:
    """One thread: its shadow stack, and what it has recorded since the last block of each class."""

    def __init__(self, process: Process, number: int, name: str, os_id: int) -> None:
        self.process, self.number, self.name, self.os_id = process, number, name, os_id
        self.stack: list[OpenSpan] = []
        self.begun = 0
        self.known_open: list[OpenSpan] = []  # the stack as the last block's end had it
        self.lost_spans = False
        self.spans: list[SpanRecord | GapRecord] = []
        self.asyncs: list[AsyncRecord] = []
        self.logs: list[LogRecord | GapRecord] = []
        self.metrics: list[MetricRecord | GapRecord] = []
        self.first = {LOG: 0, METRIC: 0, SPAN: 0}

    def begin(self, name: str, at: int, *, target: str = "", file: str = "", line: int = 0, level: int = 0) -> None:
        self.begun += 1
        site = self.process.site(0, name, target, file, line, "", level)
        parent = self.stack[-1] if self.stack else None
        self.stack.append(OpenSpan(site, self.process.ticks(at), parent, self.begun))

    def value(self, key: str, value: values.Value, *, target: str = "", depth: int = -1) -> None:
        """A value on the span that is open at the depth, by default the innermost. int: i64; the rest as it is."""
        values.give(self.stack[depth].values, self.process.site(7, key, target, "", 0, "", 0), value)

    def end(self, at: int, *, lost: bool = False) -> None:
        """The innermost open span ends; `lost`: the ring had no room for it."""
        span, depth, ticks = self.stack.pop(), len(self.stack), self.process.ticks(at)
        if not lost:
            self.spans.append(SpanRecord(span, depth, ticks))
            return
        last = self.spans[-1] if self.spans else None
        if isinstance(last, GapRecord):
            last.count, last.depth = last.count + 1, min(last.depth, depth)
        else:
            self.spans.append(GapRecord(1, depth))

    def span(self, name: str, begin: int, end: int, *, target: str = "", file: str = "", line: int = 0) -> None:
        """A span without children."""
        self.begin(name, begin, target=target, file=file, line=line)
        self.end(end)

    def async_begin(
        self, at: int, name: str, *, parent: int = 0, span_id: int | None = None, target: str = "", file: str = "",
        line: int = 0,
    ) -> int:  # fmt: skip
        """Returns the span's id, which any thread of the process may end, or name as a parent."""
        site = self.process.site(6, name, target, file, line, "", 0)
        number = self.process.next_async() if span_id is None else span_id
        depth = self.process.asyncs[parent].depth + 1 if parent in self.process.asyncs else 0
        record = AsyncRecord(True, self.process.ticks(at), site, number, parent, depth)
        self.process.asyncs[number] = record
        self.asyncs.append(record)
        return number

    def async_value(self, span_id: int, key: str, value: values.Value) -> None:
        owner = self.process.async_values.setdefault(span_id, [])
        values.give(owner, self.process.site(7, key, "", "", 0, "", 0), value)

    def async_end(self, at: int, span_id: int) -> None:
        begin = self.process.asyncs[span_id]
        self.asyncs.append(AsyncRecord(False, self.process.ticks(at), begin.site, span_id, begin.parent, begin.depth))

    def log(
        self, at: int, text: str, *args: rows.Arg, level: int = 4, target: str = "", file: str = "", line: int = 0,
        properties: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """int: i64 (u64 where that is too small), float, str or bytes: text, rows.U64 and rows.Pointer as they say."""
        site = self.process.site(1, text, target, file, line, "", level)
        self.logs.append(LogRecord(self.process.ticks(at), site, properties, args))

    def message(
        self, at: int, text: str, *, level: int = 4, target: str = "", file: str = "", line: int = 0,
        properties: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.log(at, "", text, level=level, target=target, file=file, line=line, properties=properties)

    def metric(
        self, at: int, name: str, value: float, *, unit: str = "", target: str = "", file: str = "", line: int = 0,
        properties: Mapping[str, str] | None = None, ticks: bool = False, level: int = 0,
    ) -> None:  # fmt: skip
        kind = 4 if ticks else 3 if isinstance(value, float) else 2
        site = self.process.site(kind, name, target, file, line, "ticks" if ticks else unit, level)
        self.metrics.append(MetricRecord(self.process.ticks(at), site, properties, value))

    def frame(self, at: int, name: str, ticks: int, *, target: str = "") -> None:
        """A frame mark: the frame that took `ticks` ends now."""
        site = self.process.site(5, name, target, "", 0, "ticks", 0)
        self.metrics.append(MetricRecord(self.process.ticks(at), site, None, ticks))

    def lose_logs(self, count: int) -> None:
        self.logs.append(GapRecord(count))

    def lose_metrics(self, count: int) -> None:
        self.metrics.append(GapRecord(count))


class Process:
    """One run of an instrumented program."""

    def __init__(
        self, exe: str = "model", *, process_id: uuid.UUID | None = None, parent: uuid.UUID | None = None,
        properties: Mapping[str, str] | None = None, frequency: int = 1_000_000_000,
        start_time: int = 1_750_000_000_000_000_000, start_ticks: int = 1_000_000_000, **description: object,
    ) -> None:  # fmt: skip
        self.process_id = process_id or uuid.uuid4()
        self.frequency = frequency
        self.start_time, self.start_ticks = start_time, start_ticks
        self.drift_ns = 0
        self.threads: list[Thread] = []
        self.sites: dict[tuple[Any, ...], c.Site] = {}
        self.asyncs: dict[int, AsyncRecord] = {}
        self.async_values: dict[int, values.Owner] = {}
        self.open_async: dict[int, tuple[c.Site, rows.OpenAsync]] = {}  # as the last block's end had them
        self.sequence = {LOG: 0, METRIC: 0, SPAN: 0}
        self.starts = {cls: [(self.start_ticks, start_time)] for cls in (LOG, METRIC, SPAN)}  # of blocks, newest first
        self.latest = self.start_ticks
        self.description: dict[str, Any] = {
            "process_id": str(self.process_id), "parent_process_id": str(parent) if parent else None, "exe": exe,
            "username": "player", "realname": "Player One", "computer": "pc", "distro": "model", "cpu_brand": "paper",
            "tsc_frequency": frequency, "start_time": start_time, "start_ticks": self.start_ticks, "clock": "tsc",
            "sdk": "model 1", "state": "running", "properties": dict(properties or {}),
        } | description  # fmt: skip

    def thread(self, name: str, os_id: int | None = None) -> Thread:
        number = len(self.threads) + 1
        self.threads.append(Thread(self, number, name, 1000 + number if os_id is None else os_id))
        return self.threads[-1]

    def site(self, kind: int, name: str, target: str, file: str, line: int, unit: str, level: int) -> c.Site:
        key = (kind, name, target, file, line, unit, level)
        if key not in self.sites:
            self.sites[key] = c.Site(len(self.sites) + 1, kind, name, target, file, line, unit, level)
        return self.sites[key]

    def next_async(self) -> int:
        return max(self.asyncs, default=0) + 1

    def ticks(self, at: int) -> int:
        """Ticks of the process's clock."""
        ticks = self.start_ticks + at
        self.latest = max(self.latest, ticks)
        return ticks

    def utc(self, ticks: int) -> int:
        """What the operating system's clock says at that moment."""
        return self.start_time + (ticks - self.start_ticks) * 1_000_000_000 // self.frequency + self.drift_ns

    def set_clock(self, ns: int) -> None:
        """The wall clock is set forward, after the last block. What began before it is dated by the new time."""
        self.drift_ns += ns
        for starts in self.starts.values():
            starts[:] = [(ticks, utc + ns) for ticks, utc in starts]
        for entry in (entry for thread in self.threads for entry in thread.stack):
            entry.utc = None if entry.utc is None else entry.utc + ns
        for number, (site, begun) in self.open_async.items():
            self.open_async[number] = site, replace(begun, begin=begun.begin + ns)

    def blocks(self, *, codec: str = "zstd", until: int | None = None) -> list[Block]:
        """What was recorded since the last call, a block per class that has something, its interval ending at `until`
        (ticks since the start; the latest event otherwise)."""
        end = self.latest + 1 if until is None else self.ticks(until)
        made = [make_block(self, cls, codec, end) for cls in (LOG, METRIC, SPAN)]
        return [block for block in made if block is not None]

    def batch(
        self, blocks: Sequence[Block | bytes] | None = None, *, codec: str = "zstd", until: int | None = None,
        state: str = "running", batch_id: uuid.UUID | None = None, description: bytes | None = None,
    ) -> bytes:  # fmt: skip
        """A batch of the given blocks, or of everything recorded since the last one."""
        chosen = self.blocks(codec=codec, until=until) if blocks is None else blocks
        data = b"".join(block.data if isinstance(block, Block) else block for block in chosen)
        text = json.dumps(self.description | {"state": state}).encode() if description is None else description
        total = BATCH_HEADER.size + len(c.pad8(text)) + len(data)
        fields = [0x54414254, 1, 0, (batch_id or new_batch_id()).bytes, self.process_id.bytes, len(text), len(chosen)]
        hashed = xxh64(BATCH_HEADER.pack(*fields, total, 0) + text)
        return BATCH_HEADER.pack(*fields, total, hashed) + c.pad8(text) + data


def new_batch_id() -> uuid.UUID:
    """A UUID of version 7: when it was made, and random bits."""
    random = uuid.uuid4().int
    return uuid.UUID(int=time.time_ns() // 1_000_000 << 80 | 7 << 76 | random & ((1 << 76) - 1))
