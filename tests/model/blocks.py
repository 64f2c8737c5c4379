"""A process's pending records of one class -> a block, and the rows that it must decode to. From docs/format.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.model import columns as c
from tests.model import rows, values
from tests.model.records import (
    BLOCK_HEADER,
    CODECS,
    LOG,
    METRIC,
    SPAN,
    THREAD_HEADER,
    Block,
    Clock,
    GapRecord,
    LogRecord,
    MetricRecord,
    OpenSpan,
    SpanRecord,
    compress,
    xxh64,
)

if TYPE_CHECKING:
    from tests.model.encoder import Process, Thread

EARLIER_MAX = 64
Times = tuple[int, int, int, int]  # begin ticks, end ticks, begin UTC, end UTC


class ThreadPart:
    """What one thread contributes: its table entry, and on the way its rows in the body."""

    def __init__(self, thread: Thread, body: c.Body, clock: Clock, block: Block) -> None:
        self.thread, self.body, self.clock, self.block = thread, body, clock, block
        self.rows = self.async_rows = self.gap_rows = self.dropped = 0
        self.base = clock.start[0]
        self.open_at_start = self.open_at_end = 0
        self.times: list[Times] = []
        self.values = values.Part([], [])

    @property
    def events(self) -> int:
        return self.rows - self.gap_rows + self.async_rows

    def bounds(self) -> Times:
        if not self.times:
            return self.base, self.base, self.clock.utc(self.base), self.clock.utc(self.base)
        return join(self.times)

    def gap(self, record: GapRecord) -> None:
        self.body.put(c.ROW_SITE, 0)
        self.body.put(c.GAP_COUNT, record.count)
        self.rows, self.gap_rows, self.dropped = self.rows + 1, self.gap_rows + 1, self.dropped + record.count

    def instant(self, ticks: int) -> int:
        """Notes an event without a duration; returns its UTC."""
        utc = self.clock.utc(ticks)
        self.times.append((ticks, ticks, utc, utc))
        return utc


def join(times: Iterable[Times]) -> Times:
    begins, ends, begin_utcs, end_utcs = zip(*times, strict=True)
    return min(begins), max(ends), min(begin_utcs), max(end_utcs)


def add_rows(
    part: ThreadPart, records: list[LogRecord | GapRecord] | list[MetricRecord | GapRecord], last_values: dict[int, int]
) -> None:
    body, thread = part.body, part.thread
    last = part.base = next((r.ticks for r in records if not isinstance(r, GapRecord)), part.base)
    for record in records:
        if isinstance(record, GapRecord):
            part.gap(record)
            body.put(c.ROW_TIME, 0)
            body.put(c.ROW_SET, 0)
            continue
        part.rows += 1
        ticks = max(record.ticks, last)
        body.put(c.ROW_SITE, body.site(record.site) + 1)
        body.put(c.ROW_TIME, ticks - last)
        body.put(c.ROW_SET, body.properties(record.properties))
        last, utc, site, properties = ticks, part.instant(ticks), record.site, dict(record.properties or {})
        if isinstance(record, LogRecord):
            put_args(body, record.args)
            part.block.logs.append(
                rows.Log(
                    thread.number, ticks, utc, site.target, site.level, site.name, record.args, properties, site.file,
                    site.line,
                )
            )  # fmt: skip
        else:
            if site.kind == 3:
                body.doubles.setdefault(c.VALUE_F64, []).append(float(record.value))
            else:
                body.put(c.VALUE_INT, c.zigzag(int(record.value) - last_values.get(site.id, 0)))
                last_values[site.id] = int(record.value)
            value, unit = float(record.value), site.unit
            if site.kind in (4, 5):
                value, unit = value * part.clock.rate(ticks) / 1e9, "seconds"
            part.block.metrics.append(
                rows.Metric(thread.number, ticks, utc, site.target, site.name, unit, value, properties, site.kind)
            )


def put_args(body: c.Body, args: tuple[rows.Arg, ...]) -> None:
    types = 0
    for index, arg in enumerate(args):
        if isinstance(arg, rows.Pointer):
            code = 5
            body.put(c.LOG_INT, arg.value)
        elif isinstance(arg, rows.U64) or (isinstance(arg, int) and arg >= 1 << 63):
            code = 2
            body.put(c.LOG_INT, arg.value if isinstance(arg, rows.U64) else arg)
        elif isinstance(arg, int):
            code = 1
            body.put(c.LOG_INT, c.zigzag(arg))
        elif isinstance(arg, float):
            code = 3
            body.doubles.setdefault(c.LOG_F64, []).append(arg)
        else:
            code = 4
            data = arg.encode() if isinstance(arg, str) else arg
            body.put(c.LOG_TEXT_SIZE, len(data))
            body.texts.setdefault(c.LOG_TEXT_BYTES, bytearray()).extend(data)
        types |= code << 4 * index
    body.put(c.LOG_TYPES, types)


def add_spans(part: ThreadPart) -> None:
    """The main rows of class span: the walk of "Span rows"."""
    thread, body, clock = part.thread, part.body, part.clock
    records, start = thread.spans, thread.known_open
    for k, entry in enumerate(start):
        put_open(part, c.OPEN_START_SITE, k, entry)
    fresh = [
        tick
        for r in records
        if isinstance(r, SpanRecord)
        for tick in ([r.end] if any(r.span is entry for entry in start) else [r.span.begin, r.end])
    ]
    last = part.base = min(fresh, default=part.base)
    opened, ended, depth_before = len(start), thread.first[SPAN], len(start)
    size: dict[int, int] = {}
    child: dict[int, int] = {}
    lost_any = False
    for record in records:
        depth = record.depth
        body.put(c.SPAN_DEPTH, c.zigzag(depth - depth_before))
        depth_before = depth
        if isinstance(record, GapRecord):
            part.gap(record)
            body.put(c.SPAN_LEAD, 0)
            body.put(c.SPAN_TAIL, 0)
            ended, opened, lost_any = ended + record.count, min(opened, depth), True
            deeper = sorted(d for d in size if d > depth)
            size[depth] = size.get(depth, 0) + record.count + sum(size[d] for d in deeper)
            for d in deeper:
                if d in child:
                    child.setdefault(depth, child.pop(d))
                del size[d]
            continue
        span, end = record.span, record.end
        if span.values:
            part.values.rows.append((part.rows, span.values))
        part.rows += 1
        ended += 1
        body.put(c.ROW_SITE, body.site(span.site) + 1)
        begin_utc = span.utc if span.utc is not None else clock.utc(span.begin)
        if depth < opened:
            lead, tail = 0, end - last
        else:
            lead, tail = (
                (child[depth + 1] - span.begin, end - last)
                if depth + 1 in child
                else (span.begin - last, end - span.begin)
            )
            span.id = ended + depth - size.get(depth + 1, 0)
        body.put(c.SPAN_LEAD, lead)
        body.put(c.SPAN_TAIL, tail)
        opened = min(opened, depth)
        size[depth] = size.get(depth, 0) + 1 + size.pop(depth + 1, 0)
        child.setdefault(depth, span.begin)
        child.pop(depth + 1, None)
        last = end
        part.times.append((span.begin, end, begin_utc, clock.utc(end)))
    remaining = start if not records else thread.stack[: records[-1].depth]
    for k, entry in enumerate(remaining):
        if not any(entry is old for old in start):
            entry.id = ended + k + 1 - sum(count for d, count in size.items() if d > k)
    note_spans(part, records, remaining)
    for k, entry in enumerate(remaining):
        if entry.utc is None:
            entry.utc = clock.utc(entry.begin)
        put_open(part, c.OPEN_END_SITE, k, entry)
        part.values.open.append(list(entry.values))
    if not lost_any and not thread.lost_spans:
        assert all(r.span.id == r.span.number for r in records if isinstance(r, SpanRecord))
        assert all(entry.id == entry.number for entry in remaining)
    thread.lost_spans |= lost_any
    part.open_at_start, part.open_at_end = len(start), len(remaining)
    thread.known_open = list(remaining)


def put_open(part: ThreadPart, column: int, depth: int, entry: OpenSpan) -> None:
    assert part.thread.stack[depth : depth + 1] == [entry] or column == c.OPEN_START_SITE
    utc = entry.utc
    assert utc is not None
    for offset, value in enumerate((part.body.site(entry.site), entry.begin, utc, entry.id)):
        part.body.put(column + offset, value)


def note_spans(part: ThreadPart, records: list[SpanRecord | GapRecord], remaining: list[OpenSpan]) -> None:
    """The rows that must come out: parents by identity, not by the walk."""
    recorded = {id(r.span) for r in records if isinstance(r, SpanRecord)} | {id(entry) for entry in remaining}

    def parent(span: OpenSpan) -> int:
        if span.parent is None:
            return 0
        return span.parent.id if id(span.parent) in recorded else -1

    for record in records:
        if isinstance(record, SpanRecord):
            span, site = record.span, record.span.site
            begin = span.utc if span.utc is not None else part.clock.utc(span.begin)
            part.block.spans.append(
                rows.Span(
                    part.thread.number, span.id, parent(span), record.depth, span.begin, record.end, begin,
                    part.clock.utc(record.end), site.name, site.target, site.file, site.line, False,
                    values.named(span.values),
                )
            )  # fmt: skip
    for depth, span in enumerate(remaining):
        begin = span.utc if span.utc is not None else part.clock.utc(span.begin)
        part.block.open_spans.append(
            rows.Span(
                part.thread.number, span.id, parent(span), depth, span.begin, 0, begin, 0, span.site.name,
                span.site.target, span.site.file, span.site.line, True, values.named(span.values),
            )
        )  # fmt: skip


def add_asyncs(part: ThreadPart, last_id: int) -> int:
    body, last = part.body, part.base
    for record in part.thread.asyncs:
        part.async_rows += 1
        site = record.site
        body.put(c.ASYNC_KIND, 0 if record.begin else 1)
        body.put(c.ASYNC_TIME, c.zigzag(record.ticks - last))
        body.put(c.ASYNC_SITE, body.site(site))
        body.put(c.ASYNC_ID, c.zigzag(record.id - last_id))
        body.put(c.ASYNC_PARENT, 1 + c.zigzag(record.id - record.parent) if record.parent else 0)
        body.put(c.ASYNC_DEPTH, record.depth)
        last, last_id = record.ticks, record.id
        part.block.async_events.append(
            rows.Async(
                part.thread.number, record.ticks, part.instant(record.ticks), record.begin, record.id, record.parent,
                record.depth, site.name, site.target, site.file, site.line,
                values.named(part.thread.process.async_values.get(record.id, [])),
            )
        )  # fmt: skip
    return last_id


def add_open_asyncs(process: Process, body: c.Body, clock: Clock, block: Block) -> None:
    last_id, last_utc = 0, clock.start[1]
    for number in sorted(process.open_async):
        site, entry = process.open_async[number]
        body.put(c.OPEN_ASYNC_ID, c.zigzag(number - last_id))
        body.put(c.OPEN_ASYNC_PARENT, 1 + c.zigzag(number - entry.parent) if entry.parent else 0)
        body.put(c.OPEN_ASYNC_SITE, body.site(site))
        body.put(c.OPEN_ASYNC_UTC, c.zigzag(entry.begin - last_utc))
        body.put(c.OPEN_ASYNC_DEPTH, entry.depth)
        body.put(c.OPEN_ASYNC_THREAD, entry.thread)
        block.open_async.append(entry)
        if number not in ended(process):
            shown = values.named(process.async_values.get(number, []))
            block.open_async[-1] = replace(entry, properties=shown)
        last_id, last_utc = number, entry.begin


def ended(process: Process) -> set[int]:
    """The async spans that end in the block being made."""
    return {record.id for thread in process.threads for record in thread.asyncs if not record.begin}


def add_values(process: Process, body: c.Body, parts: list[ThreadPart]) -> None:
    """Of the block's rows and open spans; an async span that ends here has them at its end alone."""
    here, of = ended(process), process.async_values
    events = [record for part in parts for record in part.thread.asyncs]
    asyncs = [of.get(r.id, []) if r.begin == (r.id not in here) else [] for r in events]
    opened = [[] if number in here else of.get(number, []) for number in sorted(process.open_async)]
    values.put_columns(body, [(part.rows, part.values) for part in parts], asyncs, opened)
    for number in here:
        of.pop(number, None)


def follow_asyncs(process: Process, clock: Clock) -> None:
    """What is open at the block's end."""
    records = [(thread.number, record) for thread in process.threads for record in thread.asyncs]
    for number, r in records:
        if r.begin:
            entry = rows.OpenAsync(
                number, clock.utc(r.ticks), r.id, r.parent, r.depth, r.site.name, r.site.target, r.site.file,
                r.site.line,
            )  # fmt: skip
            process.open_async[r.id] = r.site, entry
    for _, r in records:
        if not r.begin:
            process.open_async.pop(r.id, None)


def make_block(process: Process, cls: int, codec: str, end_ticks: int) -> Block | None:
    """The block of everything recorded since the last one, or None when there is nothing."""
    start, *past = process.starts[cls]
    end = max(end_ticks, start[0]), max(process.utc(end_ticks), start[1])
    clock = Clock(tuple(past[1:]), (past or [start])[0], start, end, process.frequency)
    body, block = c.Body(), Block(cls, process.sequence[cls], b"", 0, b"")
    parts: list[ThreadPart] = []
    last_values: dict[int, int] = {}
    last_id = 0
    for thread in process.threads:
        part = ThreadPart(thread, body, clock, block)
        if cls == LOG:
            add_rows(part, thread.logs, last_values)
        elif cls == METRIC:
            add_rows(part, thread.metrics, last_values)
        else:
            add_spans(part)
            last_id = add_asyncs(part, last_id)
        if part.rows or part.async_rows or part.open_at_end:
            parts.append(part)
    if not any(part.rows or part.async_rows for part in parts):
        return None
    if cls == SPAN:
        add_open_asyncs(process, body, clock, block)
        add_values(process, body, parts)
        follow_asyncs(process, clock)
    finish(process, cls, codec, clock, body, block, parts)
    return block


def add_earlier(body: c.Body, clock: Clock, begin_ticks: int) -> None:
    """The points that date events from before the start of the block before."""
    after = clock.before
    for point in clock.needed(begin_ticks):
        body.put(c.CLOCK_TICKS, after[0] - point[0])
        body.put(c.CLOCK_UTC, after[1] - point[1])
        after = point


def finish(
    process: Process, cls: int, codec: str, clock: Clock, body: c.Body, block: Block, parts: list[ThreadPart]
) -> None:
    """Encodes, and forgets what has been encoded."""
    table, names = b"", b""
    names_at = BLOCK_HEADER.size + THREAD_HEADER.size * len(parts)
    for part in parts:
        thread, name = part.thread, part.thread.name.encode()
        table += THREAD_HEADER.pack(
            thread.number, len(name), names_at + len(names), thread.os_id, part.rows, part.async_rows, part.events,
            part.dropped, thread.first[cls], part.base, *part.bounds(), part.open_at_start, part.open_at_end,
        )  # fmt: skip
        names += name
    times = [t for part in parts for t in part.times]
    bounds = join(times) if times else (clock.start[0], clock.start[0], clock.start[1], clock.start[1])
    add_earlier(body, clock, bounds[0])
    block.dropped = sum(part.dropped for part in parts)
    block.raw = body.encode()
    stored = compress(codec, block.raw)
    block.header_size = names_at + len(c.pad8(names))
    fields = [
        0x4B4C4254, 1, cls, CODECS[codec], block.header_size, len(parts), process.process_id.bytes, block.sequence,
        *clock.start, *clock.end, clock.frequency, *bounds, block.events, block.dropped,
        len(block.raw), len(stored), xxh64(stored),
    ]  # fmt: skip
    rest = table + c.pad8(names)
    hashed = xxh64(BLOCK_HEADER.pack(*fields, 0, *clock.before, 0, b"") + rest)
    block.data = BLOCK_HEADER.pack(*fields, hashed, *clock.before, 0, b"") + rest + c.pad8(stored)
    process.sequence[cls] += 1
    if clock.end[0] > clock.start[0]:
        process.starts[cls] = [clock.end, *process.starts[cls]][: 2 + EARLIER_MAX]
    else:
        process.starts[cls][0] = clock.end
    block.open_spans[:] = [rows.closed(span, bounds[1], bounds[3]) for span in block.open_spans]
    for part in parts:
        thread = part.thread
        thread.first[cls] += part.rows - part.gap_rows + part.dropped
        if cls == LOG:
            thread.logs = []
        elif cls == METRIC:
            thread.metrics = []
        else:
            thread.spans, thread.asyncs = [], []
