"""The slow, obvious decoder: docs/format.md read aloud, sharing nothing with the C one.

block = decode_block(data)            # bytes of one block, any codec
block.spans, block.open_spans, block.async_events, block.logs, block.metrics, block.gaps
for block in decode_batch(data): …
"""

from __future__ import annotations

import gzip
import struct
import uuid
from collections.abc import Container
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pyarrow as pa
import zstandard

from tests.model import columns as c
from tests.model import rows, values
from tests.model.block_clock import BlockClock
from tests.model.records import BATCH_HEADER, BLOCK_HEADER, LOG, METRIC, SPAN, THREAD_HEADER, xxh64


class Header(NamedTuple):
    magic: int
    version: int
    cls: int
    codec: int
    header_size: int
    thread_count: int
    process_id: bytes
    sequence: int
    ticks0: int
    utc0: int
    ticks1: int
    utc1: int
    frequency: int
    begin_ticks: int
    end_ticks: int
    begin_utc: int
    end_utc: int
    events: int
    dropped: int
    raw_size: int
    stored_size: int
    body_hash: int
    header_hash: int
    before_ticks: int
    before_utc: int
    sequences: int
    zeros: bytes


class ThreadEntry(NamedTuple):
    number: int
    name_size: int
    name_offset: int
    os_id: int
    rows: int
    async_rows: int
    events: int
    dropped: int
    first: int
    base_ticks: int
    begin_ticks: int
    end_ticks: int
    begin_utc: int
    end_utc: int
    open_at_start: int
    open_at_end: int


class Gap(NamedTuple):
    thread: int
    lost: int
    depth: int


@dataclass
class Decoded:
    """A block's head and rows."""

    header: Header
    threads: list[ThreadEntry]
    names: list[str]
    spans: list[rows.Span] = field(default_factory=list)
    open_spans: list[rows.Span] = field(default_factory=list)
    async_events: list[rows.Async] = field(default_factory=list)
    open_async: list[rows.OpenAsync] = field(default_factory=list)
    logs: list[rows.Log] = field(default_factory=list)
    metrics: list[rows.Metric] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)


def decode_uint(data: bytes, count: int) -> list[int]:
    plane, rest = data[:count], data[count:]
    assert len(plane) == count
    large = plane.count(255)
    if not large:
        assert not rest
        return list(plane)
    above = decode_uint(rest[large:], large)
    high = iter([(low | value << 8) & c.MASK for low, value in zip(rest, above, strict=False)])
    return [next(high) if value == 255 else value for value in plane]


def decode_f64(data: bytes, count: int) -> list[float]:
    return [struct.unpack("<d", data[index::count])[0] for index in range(count)]


class Reader:
    """A body's columns, each read from its front."""

    def __init__(self, raw: bytes, wanted: Container[int] | None = None) -> None:
        """wanted: only these columns."""
        count, zero = struct.unpack_from("<II", raw)
        assert zero == 0
        self.uints: dict[int, list[int]] = {}
        self.doubles: dict[int, list[float]] = {}
        self.texts: dict[int, bytes] = {}
        at = 8 + 24 * count
        for index in range(count):
            column, encoding, _, values, size = struct.unpack_from("<HHIQQ", raw, 8 + 24 * index)
            data = raw[at : at + size]
            assert len(data) == size
            at += size + -size % 8
            if wanted is not None and column not in wanted:
                continue
            if encoding == 1:
                self.uints[column] = decode_uint(data, values)
            elif encoding == 2:
                self.doubles[column] = decode_f64(data, values)
            else:
                self.texts[column] = data
        assert at == len(raw)
        self.at: dict[int, int] = {}

    def next(self, column: int) -> int:
        at = self.at.get(column, 0)
        self.at[column] = at + 1
        return self.uints[column][at]

    def signed(self, column: int) -> int:
        return c.unzigzag(self.next(column))

    def double(self, column: int) -> float:
        at = self.at.get(column, 0)
        self.at[column] = at + 1
        return self.doubles[column][at]

    def text(self, column: int, size: int) -> bytes:
        at = self.at.get(column, 0)
        self.at[column] = at + size
        return self.texts.get(column, b"")[at : at + size]

    def used_up(self) -> bool:
        values: dict[int, list[int] | list[float] | bytes] = {**self.uints, **self.doubles, **self.texts}
        tables = [*range(c.STRING_SIZE, c.GAP_COUNT), *range(c.CLOCK_TICKS, c.CLOCK_INNER_UTC + 1)]
        return all(column in tables or self.at.get(column, 0) == len(data) for column, data in values.items())


def decompress(codec: int, stored: bytes) -> bytes:
    if codec == 0:
        return stored
    if codec == 1:
        return zstandard.ZstdDecompressor().decompressobj().decompress(stored)
    if codec == 2:
        return bytes(pa.CompressedInputStream(pa.py_buffer(stored), "lz4").read())
    return gzip.decompress(stored)


class BlockDecoder:
    """One block on its way to rows."""

    def __init__(self, data: bytes) -> None:
        header = Header(*BLOCK_HEADER.unpack_from(data))
        assert (header.magic, header.version) == (0x4B4C4254, 1)
        head, stored = data[: header.header_size], data[header.header_size :][: header.stored_size]
        assert xxh64(head[:152] + bytes(8) + head[160:]) == header.header_hash
        assert xxh64(stored) == header.body_hash
        entries = [
            ThreadEntry(*THREAD_HEADER.unpack_from(head, BLOCK_HEADER.size + THREAD_HEADER.size * i))
            for i in range(header.thread_count)
        ]
        names = [head[t.name_offset : t.name_offset + t.name_size].decode() for t in entries]
        raw = decompress(header.codec, stored)
        assert len(raw) == header.raw_size
        self.header, self.body, self.out = header, Reader(raw), Decoded(header, entries, names)
        self.strings = self.read_strings()
        self.sites = self.read_sites()
        self.sets = self.read_sets()
        self.clock = BlockClock.read(header, self.body.uints)
        self.owners: list[tuple[list[Any], int] | None] = []  # main rows: where in `out` they are; gaps: nowhere

    def read_strings(self) -> list[str]:
        sizes = self.body.uints.get(c.STRING_SIZE, [])
        return [self.body.text(c.STRING_BYTES, size).decode() for size in sizes]

    def read_sites(self) -> list[c.Site]:
        u = self.body.uints
        columns = [u.get(column, []) for column in range(c.SITE_ID, c.SITE_KIND + 1)]
        return [
            c.Site(
                number, kind, self.strings[name], self.strings[target], self.strings[file], line, self.strings[unit],
                level,
            )
            for number, name, target, file, unit, line, level, kind in zip(*columns, strict=True)
        ]  # fmt: skip

    def read_sets(self) -> list[dict[str, str]]:
        u = self.body.uints
        pairs = iter(zip(u.get(c.SET_KEY, []), u.get(c.SET_VALUE, []), strict=True))
        return [
            {self.strings[key]: self.strings[value] for key, value in (next(pairs) for _ in range(size))}
            for size in u.get(c.SET_SIZE, [])
        ]

    def decode(self) -> Decoded:
        last_values: dict[int, int] = {}
        for entry in self.out.threads:
            if self.header.cls == SPAN:
                self.spans(entry)
            else:
                self.main_rows(entry, last_values)
        last_id = 0
        for entry in self.out.threads:
            last_id = self.asyncs(entry, last_id)
        self.open_asyncs()
        self.values()
        assert self.body.used_up()
        return self.out

    def values(self) -> None:
        out = self.out
        owners = list(self.owners)
        more: list[list[Any]] = [out.open_spans, out.async_events, out.open_async]
        for made in more:
            owners += [(made, index) for index in range(len(made))]
        for number, properties in values.decode(self.body, self.sites).items():
            owner = owners[number]
            assert owner
            made, index = owner
            made[index] = replace(made[index], properties=properties)
        ends = {event.id: event for event in out.async_events if not event.begin}
        for index, event in enumerate(out.async_events):
            if event.begin and event.id in ends:
                out.async_events[index] = replace(event, properties=ends[event.id].properties)

    def main_rows(self, entry: ThreadEntry, last_values: dict[int, int]) -> None:
        body, ticks = self.body, entry.base_ticks
        for _ in range(entry.rows):
            number, delta, properties = body.next(c.ROW_SITE), body.next(c.ROW_TIME), body.next(c.ROW_SET)
            if number == 0:
                self.out.gaps.append(Gap(entry.number, body.next(c.GAP_COUNT), 0))
                continue
            ticks = (ticks + delta) & c.MASK
            site, chosen = self.sites[number - 1], self.sets[properties - 1] if properties else {}
            if self.header.cls == LOG:
                self.out.logs.append(
                    rows.Log(
                        entry.number, ticks, self.clock.utc(ticks), site.target, site.level, site.name, self.args(),
                        chosen,
                        site.file, site.line,
                    )
                )  # fmt: skip
                continue
            assert self.header.cls == METRIC
            unit = site.unit
            scale = body.next(c.VALUE_SCALE) if site.kind == 3 and c.VALUE_SCALE in body.uints else 0
            if site.kind == 3 and scale == 0:
                value = body.double(c.VALUE_F64)
            elif scale == 1:
                (value,) = struct.unpack("<f", body.next(c.VALUE_F32).to_bytes(4, "little"))
            else:
                last_values[number] = c.wrap(last_values.get(number, 0) + body.signed(c.VALUE_INT))
                value = float(last_values[number])
                if scale > 2:
                    assert scale <= 8
                    value /= 10.0 ** (scale - 2)
            if site.kind in (4, 5):
                value, unit = value * self.clock.line(ticks)[1] / 1e9, "seconds"
            self.out.metrics.append(
                rows.Metric(
                    entry.number, ticks, self.clock.utc(ticks), site.target, site.name, unit, value, chosen, site.kind
                )
            )

    def args(self) -> tuple[rows.Arg, ...]:
        body, types, out = self.body, self.body.next(c.LOG_TYPES), list[rows.Arg]()
        while types:
            kind = types & 15
            types >>= 4
            if kind == 1:
                out.append(body.signed(c.LOG_INT))
            elif kind == 2:
                out.append(rows.U64(body.next(c.LOG_INT)))
            elif kind == 3:
                out.append(body.double(c.LOG_F64))
            elif kind == 4:
                out.append(body.text(c.LOG_TEXT_BYTES, body.next(c.LOG_TEXT_SIZE)))
            else:
                assert kind == 5
                out.append(rows.Pointer(body.next(c.LOG_INT)))
        return tuple(out)

    def opened(self, column: int, count: int) -> list[tuple[c.Site, int, int, int]]:
        """(site, ticks, UTC, id) of each, outermost first."""
        body = self.body
        return [
            (self.sites[body.next(column)], body.next(column + 1), body.next(column + 2), body.next(column + 3))
            for _ in range(count)
        ]

    def spans(self, entry: ThreadEntry) -> None:
        body = self.body
        start = self.opened(c.OPEN_START_SITE, entry.open_at_start)
        last, opened, ended, depth = entry.base_ticks, entry.open_at_start, entry.first, entry.open_at_start
        size: dict[int, int] = {}
        child: dict[int, int] = {}
        orphans: dict[int, list[int]] = {}  # rows (places in `made`) that wait for a parent, by their depth
        made: list[rows.Span] = []
        parents: dict[int, int] = {}
        for _ in range(entry.rows):
            number = body.next(c.ROW_SITE)
            depth += body.signed(c.SPAN_DEPTH)
            lead, tail = body.next(c.SPAN_LEAD), body.next(c.SPAN_TAIL)
            if number == 0:
                count = body.next(c.GAP_COUNT)
                self.out.gaps.append(Gap(entry.number, count, depth))
                self.owners.append(None)
                ended += count
                opened = min(opened, depth)
                deeper = [d for d in sorted({*size, *child, *orphans}) if d > depth]
                size[depth] = size.get(depth, 0) + count + sum(size.get(d, 0) for d in deeper)
                if depth not in child:
                    for first in [child[d] for d in deeper if d in child][:1]:
                        child[depth] = first
                for d in deeper:
                    size.pop(d, None)
                    child.pop(d, None)
                    for row in orphans.pop(d, []):
                        parents[row] = -1
                continue
            ended += 1
            inside = size.pop(depth + 1, 0)
            begin_utc = None
            if depth < opened:
                _, begin, begin_utc, identity = start[depth]
                end = last + tail
            else:
                identity = ended + depth - inside
                if depth + 1 in child:
                    begin, end = child[depth + 1] - lead, last + tail
                else:
                    begin = last + lead
                    end = begin + tail
            begin, end = begin & c.MASK, end & c.MASK
            opened = min(opened, depth)
            size[depth] = size.get(depth, 0) + 1 + inside
            child.setdefault(depth, begin)
            child.pop(depth + 1, None)
            last = end
            for row in orphans.pop(depth + 1, []):
                parents[row] = identity
            orphans.setdefault(depth, []).append(len(made))
            site = self.sites[number - 1]
            self.owners.append((self.out.spans, len(self.out.spans) + len(made)))
            made.append(
                rows.Span(
                    entry.number, identity, 0, depth, begin, end,
                    self.clock.utc(begin) if begin_utc is None else begin_utc,
                    self.clock.utc(end), site.name, site.target, site.file, site.line, False,
                )
            )  # fmt: skip
        stack = self.opened(c.OPEN_END_SITE, entry.open_at_end)
        assert entry.open_at_end == depth
        for row, span in enumerate(made):
            parent = parents[row] if row in parents else stack[span.depth - 1][3] if span.depth else 0
            self.out.spans.append(rows.with_parent(span, parent))
        for level, (site, begin, utc, identity) in enumerate(stack):
            span = rows.Span(
                entry.number, identity, stack[level - 1][3] if level else 0, level, begin, 0, utc, 0, site.name,
                site.target, site.file, site.line, True,
            )  # fmt: skip
            self.out.open_spans.append(rows.closed(span, self.header.end_ticks, self.header.end_utc))

    def asyncs(self, entry: ThreadEntry, last_id: int) -> int:
        body, ticks = self.body, entry.base_ticks
        for _ in range(entry.async_rows):
            kind = body.next(c.ASYNC_KIND)
            ticks += body.signed(c.ASYNC_TIME)
            site = self.sites[body.next(c.ASYNC_SITE)]
            last_id = (last_id + body.signed(c.ASYNC_ID)) & c.MASK
            relation = body.next(c.ASYNC_PARENT)
            parent = (last_id - c.unzigzag(relation - 1)) & c.MASK if relation else 0
            self.out.async_events.append(
                rows.Async(
                    entry.number, ticks, self.clock.utc(ticks), kind == 0, last_id, parent, body.next(c.ASYNC_DEPTH),
                    site.name, site.target, site.file, site.line,
                )
            )  # fmt: skip
        return last_id

    def open_asyncs(self) -> None:
        body, identity, utc = self.body, 0, self.header.utc0
        for _ in body.uints.get(c.OPEN_ASYNC_ID, []):
            identity = (identity + body.signed(c.OPEN_ASYNC_ID)) & c.MASK
            relation = body.next(c.OPEN_ASYNC_PARENT)
            parent = (identity - c.unzigzag(relation - 1)) & c.MASK if relation else 0
            site = self.sites[body.next(c.OPEN_ASYNC_SITE)]
            utc = c.wrap(utc + body.signed(c.OPEN_ASYNC_UTC))
            depth, thread = body.next(c.OPEN_ASYNC_DEPTH), body.next(c.OPEN_ASYNC_THREAD)
            self.out.open_async.append(
                rows.OpenAsync(thread, utc, identity, parent, depth, site.name, site.target, site.file, site.line)
            )


def decode_block(data: bytes) -> Decoded:
    return BlockDecoder(data).decode()


def replaced(block: bytes, **fields: Any) -> bytes:
    """The block with other fields in its header, and the hash that goes with them."""
    header = Header(*BLOCK_HEADER.unpack_from(block))._replace(**fields, header_hash=0)
    head = BLOCK_HEADER.pack(*header) + block[BLOCK_HEADER.size : header.header_size]
    hashed = BLOCK_HEADER.pack(*header._replace(header_hash=xxh64(head)))
    return hashed + block[BLOCK_HEADER.size :]


def split_batch(data: bytes) -> tuple[uuid.UUID, uuid.UUID, bytes, list[bytes]]:
    """Batch id, process id, description, blocks."""
    magic, version, _, batch_id, process_id, size, count, total, hashed = BATCH_HEADER.unpack_from(data)
    assert (magic, version, total) == (0x54414254, 1, len(data))
    description = data[64 : 64 + size]
    assert xxh64(data[:56] + bytes(8) + description) == hashed
    at, blocks = 64 + size + -size % 8, []
    for _ in range(count):
        header = Header(*BLOCK_HEADER.unpack_from(data, at))
        length = header.header_size + header.stored_size
        length += -length % 8
        blocks.append(data[at : at + length])
        at += length
    assert at == len(data)
    return uuid.UUID(bytes=batch_id), uuid.UUID(bytes=process_id), description, blocks


def decode_batch(data: bytes) -> list[Decoded]:
    return [decode_block(block) for block in split_batch(data)[3]]
