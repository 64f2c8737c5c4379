"""What must come out of blocks that were merged: the rows of the parts, one after the other, as the plain decoder reads
them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tachy_server.formats.merging import MergedBlock

from tests.model import rows
from tests.model.decoder import Decoded, Gap, decode_block
from tests.model.records import METRIC, SPAN
from tests.reader.decoding import read_async, read_logs, read_metrics, read_open_async, read_spans

Row = TypeVar("Row", rows.Span, rows.Async, rows.Log, rows.Metric, Gap)


def by_thread(found: Iterable[Row]) -> list[Row]:
    """As a block has them: threads in the order of their numbers, each with its rows in their order."""
    return sorted(found, key=lambda row: row.thread)


@dataclass
class Rows:
    """Of the parts of a merged block."""

    spans: list[rows.Span]
    open_spans: list[rows.Span]
    async_events: list[rows.Async]
    open_async: list[rows.OpenAsync]
    logs: list[rows.Log]
    metrics: list[rows.Metric]
    gaps: list[Gap]

    @classmethod
    def of(cls, parts: Sequence[Decoded]) -> Rows:
        ends = max(part.header.end_ticks for part in parts), max(part.header.end_utc for part in parts)
        return cls(
            spans=by_thread(span for part in parts for span in part.spans),
            open_spans=[rows.closed(span, *ends) for span in parts[-1].open_spans],
            async_events=by_thread(async_events(parts)),
            open_async=open_async(parts),
            logs=by_thread(log for part in parts for log in part.logs),
            metrics=by_thread(metric for part in parts for metric in part.metrics),
            gaps=by_thread(gap for part in parts for gap in part.gaps),
        )


def given(parts: Sequence[Decoded]) -> tuple[dict[int, Any], dict[int, Any]]:
    """What async spans have at their ends; and those that have not ended, in the last block that knows them."""
    ended = {event.id: event.properties for part in parts for event in part.async_events if not event.begin}
    still: dict[int, Any] = {}
    for part in parts:
        known = {event.id: event.properties for event in part.async_events if event.begin}
        known |= {span.id: span.properties for span in part.open_async}
        still |= {number: properties for number, properties in known.items() if number not in ended}
    return ended, still


def async_events(parts: Sequence[Decoded]) -> list[rows.Async]:
    ended, still = given(parts)
    events = [event for part in parts for event in part.async_events]
    return [replace(e, properties=(ended | still)[e.id]) if e.begin else e for e in events]


def open_async(parts: Sequence[Decoded]) -> list[rows.OpenAsync]:
    _, still = given(parts)
    return [replace(span, properties=still.get(span.id, {})) for span in parts[0].open_async]


def same(merged: MergedBlock, parts: Sequence[bytes]) -> Rows:
    """Requires that both decoders read from the merged block what the plain one reads from the parts; returns that."""
    decoded, plain = [decode_block(part) for part in parts], decode_block(merged.data)
    wanted = Rows.of(decoded)
    first, last, header = decoded[0].header, decoded[-1].header, plain.header
    assert merged.parts == len(parts)
    assert header.sequence == merged.head.sequence == first.sequence
    assert merged.head.last_sequence == last.sequence + max(last.sequences, 1) - 1
    assert (header.ticks0, header.utc0, header.before_ticks) == (first.ticks0, first.utc0, first.before_ticks)
    assert (header.ticks1, header.utc1) == (last.ticks1, last.utc1)
    assert header.events == sum(part.header.events for part in decoded)
    assert header.dropped == sum(part.header.dropped for part in decoded)
    for name in ("spans", "open_spans", "async_events", "open_async", "logs", "metrics", "gaps"):
        assert getattr(plain, name) == getattr(wanted, name), name
    natively(merged.data, parts, wanted, header.cls)
    return wanted


def natively(block: bytes, parts: Sequence[bytes], wanted: Rows, cls: int) -> None:
    """The C reader reads it, whole, and of a part of the time and of one thread."""
    for options in ({}, *ranges(wanted)):
        if cls == SPAN:
            spans = [replace(span, begin_ticks=0, end_ticks=0) for span in wanted.spans + wanted.open_spans]
            chosen = [span for span in spans if overlaps(options, span.thread, span.begin, span.end)]
            assert read_spans(block, open_end=True, **options) == chosen
            assert read_spans(block, **options) == [span for span in chosen if not span.is_open]
            events = [replace(event, ticks=0) for event in wanted.async_events]
            assert read_async(block, **options) == [e for e in events if overlaps(options, e.thread, e.time, e.time)]
        elif cls == METRIC:
            metrics = [replace(metric, ticks=0) for metric in wanted.metrics]
            assert read_metrics(block, **options) == [m for m in metrics if overlaps(options, m.thread, m.time, m.time)]
        else:
            logs = sorted((log for part in parts for log in read_logs(part)), key=lambda log: log[0].thread)
            assert read_logs(block, **options) == [
                (log, text) for log, text in logs if overlaps(options, log.thread, log.time, log.time)
            ]
    if cls == SPAN:
        assert read_open_async(block) == wanted.open_async


def overlaps(options: dict[str, int], thread: int, begin: int, end: int) -> bool:
    return (
        options.get("thread", thread) == thread
        and begin <= options.get("end", begin)
        and end >= options.get("begin", end)
    )


def ranges(wanted: Rows) -> list[dict[str, int]]:
    """A part of the time, in which half of the rows are, of all threads and of one."""
    times = sorted(
        [row.end for row in wanted.spans] + [row.time for row in (*wanted.async_events, *wanted.logs, *wanted.metrics)]
    )
    if not times:
        return []
    begin, end = times[len(times) // 4], times[len(times) * 3 // 4]
    return [{"begin": begin, "end": end}, {"begin": begin, "thread": 1}, {"end": begin}, {"thread": 2}]
