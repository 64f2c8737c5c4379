"""What the model keeps of a process: records as a ring would have them, clocks, finished blocks."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import xxhash
import zstandard

from tests.model import columns as c
from tests.model import rows
from tests.model.values import Owner

LOG, METRIC, SPAN = 1, 2, 3
CODECS = {"none": 0, "zstd": 1, "lz4": 2, "gzip": 3}
BLOCK_HEADER = struct.Struct("<IHBBII16sQQqQqQQQqqQQQQQQQqQ24s")
THREAD_HEADER = struct.Struct("<IIQQQQQQQQQQqqII")
BATCH_HEADER = struct.Struct("<IHH16s16sIIQQ")


def xxh64(data: bytes) -> int:
    return xxhash.xxh64_intdigest(data)


def compress(codec: str, raw: bytes) -> bytes:
    if codec == "none":
        return raw
    if codec == "zstd":
        return zstandard.ZstdCompressor(level=1).compress(raw)
    if codec == "lz4":
        return bytes(pa.compress(raw, codec="lz4", asbytes=True))
    return gzip.compress(raw, compresslevel=1, mtime=0)


@dataclass
class Block:
    """A block and what it must decode to (rows in block order)."""

    cls: int
    sequence: int
    data: bytes
    header_size: int
    raw: bytes
    spans: list[rows.Span] = field(default_factory=list)
    open_spans: list[rows.Span] = field(default_factory=list)
    async_events: list[rows.Async] = field(default_factory=list)
    open_async: list[rows.OpenAsync] = field(default_factory=list)  # at its start
    logs: list[rows.Log] = field(default_factory=list)
    metrics: list[rows.Metric] = field(default_factory=list)
    dropped: int = 0

    @property
    def head(self) -> bytes:
        return self.data[: self.header_size]

    @property
    def events(self) -> int:
        return len(self.spans) + len(self.async_events) + len(self.logs) + len(self.metrics)


@dataclass(frozen=True, slots=True)
class Clock:
    """A block's points, (ticks, UTC) each, and the conversion that docs/format.md gives."""

    earlier: tuple[tuple[int, int], ...]  # starts of blocks before `before`, the newest first
    before: tuple[int, int]
    start: tuple[int, int]
    end: tuple[int, int]
    frequency: int

    def rate_between(self, a: tuple[int, int], b: tuple[int, int]) -> float:
        if b[0] <= a[0] or b[1] <= a[1]:
            return 1e9 / self.frequency
        return float(b[1] - a[1]) / float(b[0] - a[0])

    def _line(self, ticks: int) -> tuple[tuple[int, int], float]:
        """The point from which on these ticks are dated, and by which rate."""
        points = [self.end, self.start]
        if self.before[0] < self.start[0]:
            points += [self.before, *self.earlier]
        place = next((i for i, point in enumerate(points) if i and point[0] <= ticks), len(points) - 1)
        return points[place], self.rate_between(points[place], points[place - 1])

    def rate(self, ticks: int) -> float:
        return self._line(ticks)[1]

    def utc(self, ticks: int) -> int:
        point, rate = self._line(ticks)
        return point[1] + int(float(ticks - point[0]) * rate)

    def needed(self, ticks: int) -> tuple[tuple[int, int], ...]:
        """The earlier points that it takes to date this."""
        if ticks >= self.before[0]:
            return ()
        place = next((i for i, point in enumerate(self.earlier) if point[0] <= ticks), len(self.earlier) - 1)
        return self.earlier[: place + 1]


@dataclass
class OpenSpan:
    """An entry of a shadow stack; utc is what the first block that saw it made of its begin."""

    site: c.Site
    begin: int
    parent: OpenSpan | None
    number: int  # of the begin in the thread
    id: int = 0  # as blocks number it: the same, as long as nothing was lost
    utc: int | None = None
    values: Owner = field(default_factory=list)


@dataclass
class SpanRecord:
    span: OpenSpan
    depth: int
    end: int


@dataclass
class GapRecord:
    count: int
    depth: int = 0


@dataclass
class AsyncRecord:
    begin: bool
    ticks: int
    site: c.Site
    id: int
    parent: int
    depth: int


@dataclass
class LogRecord:
    ticks: int
    site: c.Site
    properties: Mapping[str, str] | None
    args: tuple[rows.Arg, ...]


@dataclass
class MetricRecord:
    ticks: int
    site: c.Site
    properties: Mapping[str, str] | None
    value: int | float
