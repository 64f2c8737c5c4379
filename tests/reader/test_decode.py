"""Whatever a process records, the C reader, the plain-Python decoder and the truth agree."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings

from tests.model import rows
from tests.model.decoder import decode_block
from tests.model.encoder import Block, Process
from tests.model.records import LOG, METRIC, SPAN
from tests.reader.decoding import read_async, read_logs, read_metrics, read_open_async, read_spans
from tests.reader.scenarios import Program, programs

thorough = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def timeless(spans: list[rows.Span]) -> list[rows.Span]:
    return [replace(span, begin_ticks=0, end_ticks=0) for span in spans]


def bare(log: rows.Log) -> rows.Log:
    return replace(log, ticks=0, format="", args=(), properties=dict(log.properties))


def as_bytes(log: rows.Log) -> rows.Log:
    return replace(log, args=tuple(a.encode() if isinstance(a, str) else wide(a) for a in log.args))


def wide(arg: rows.Arg) -> rows.Arg:
    return rows.U64(arg) if isinstance(arg, int) and arg >= 1 << 63 else arg


def compare(block: Block) -> None:
    decoded = decode_block(block.data)
    assert sum(gap.lost for gap in decoded.gaps) == block.dropped
    if block.cls == SPAN:
        assert decoded.spans == block.spans
        assert decoded.open_spans == block.open_spans
        assert decoded.async_events == block.async_events
        assert decoded.open_async == read_open_async(block.data) == block.open_async
        assert read_spans(block.data) == timeless(block.spans)
        assert read_spans(block.data, open_end=True) == timeless(block.spans + block.open_spans)
        assert read_async(block.data) == [replace(event, ticks=0) for event in block.async_events]
    elif block.cls == LOG:
        assert decoded.logs == [as_bytes(log) for log in block.logs]
        assert [log for log, _ in read_logs(block.data)] == [bare(log) for log in block.logs]
    else:
        assert block.cls == METRIC
        assert decoded.metrics == block.metrics
        assert read_metrics(block.data) == [replace(metric, ticks=0) for metric in block.metrics]


@thorough
@given(programs())
def test_every_block_decodes_to_what_was_recorded(program: Program) -> None:
    for block in program.blocks:
        compare(block)


@thorough
@given(programs(losses=False))
def test_ids_number_the_begins_and_are_the_same_in_every_block(program: Program) -> None:
    seen: dict[tuple[int, int], str] = {}
    for block in program.blocks:
        for span in [*block.spans, *block.open_spans]:
            assert seen.setdefault((span.thread, span.id), span.name) == span.name
            assert span.parent >= 0
    for thread in program.process.threads:
        ended = sorted(s.id for b in program.blocks for s in b.spans if s.thread == thread.number)
        assert len(ended) == len(set(ended))
        if not thread.stack:
            assert ended == list(range(1, thread.begun + 1))


@thorough
@given(programs(losses=True))
def test_ids_stay_unique_and_ascending_in_time_when_spans_were_lost(program: Program) -> None:
    for thread in program.process.threads:
        spans = [s for b in program.blocks for s in b.spans if s.thread == thread.number]
        assert len({s.id for s in spans}) == len(spans)
        by_begin = sorted(spans, key=lambda s: (s.begin_ticks, -s.end_ticks, s.depth))
        for one, other in pairwise(by_begin):
            assert one.id < other.id or one.begin_ticks == other.begin_ticks


@thorough
@given(programs())
def test_a_span_that_crosses_blocks_keeps_the_begin_that_the_first_one_gave_it(program: Program) -> None:
    begins: dict[tuple[int, int], tuple[int, int]] = {}
    for block in program.blocks:
        for span in [*block.spans, *block.open_spans]:
            known = begins.setdefault((span.thread, span.id), (span.begin_ticks, span.begin))
            assert known == (span.begin_ticks, span.begin)


@thorough
@given(programs())
def test_every_block_lists_the_async_spans_that_began_before_it_and_have_not_ended(program: Program) -> None:
    begun: dict[int, tuple[int, int, str]] = {}
    for block in program.blocks:
        if block.cls == SPAN:
            assert {s.id: (s.thread, s.begin, s.name) for s in read_open_async(block.data)} == begun
            begun |= {e.id: (e.thread, e.time, e.name) for e in block.async_events if e.begin}
            for event in block.async_events:
                if not event.begin:
                    del begun[event.id]


@thorough
@given(programs())
def test_range_and_thread_select_what_overlaps(program: Program) -> None:
    for block in program.blocks:
        if block.cls == SPAN and block.spans:
            begin, end = sorted((block.spans[0].end, block.spans[-1].begin))
            wanted = [s for s in block.spans + block.open_spans if s.begin <= end and s.end >= begin]
            assert read_spans(block.data, begin=begin, end=end, open_end=True) == timeless(wanted)
            thread = block.spans[-1].thread
            chosen = [s for s in wanted if s.thread == thread]
            assert read_spans(block.data, begin=begin, end=end, open_end=True, thread=thread) == timeless(chosen)
            assert read_spans(block.data, thread=99) == []
        if block.async_events:
            first, last = block.async_events[0], block.async_events[-1]
            begin, end = sorted((first.time, last.time))
            inside = [replace(e, ticks=0) for e in block.async_events if begin <= e.time <= end]
            assert read_async(block.data, begin=begin, end=end) == inside
            alone = [e for e in inside if e.thread == last.thread]
            assert read_async(block.data, begin=begin, end=end, thread=last.thread) == alone
        if block.metrics:
            time, thread = block.metrics[-1].time, block.metrics[-1].thread
            late = [replace(m, ticks=0) for m in block.metrics if m.time >= time]
            assert read_metrics(block.data, begin=time) == late
            assert read_metrics(block.data, begin=time, thread=thread) == [m for m in late if m.thread == thread]
        if block.logs:
            time, thread = block.logs[0].time, block.logs[0].thread
            early = [bare(log) for log in block.logs if log.time <= time]
            assert [log for log, _ in read_logs(block.data, end=time)] == early
            alone_logs = [log for log in early if log.thread == thread]
            assert [log for log, _ in read_logs(block.data, end=time, thread=thread)] == alone_logs


def test_a_thousand_open_spans_cross_a_block() -> None:
    process = Process()
    thread = process.thread("deep")
    for depth in range(1024):
        thread.begin(f"level {depth}", depth)
    thread.span("leaf", 2000, 2001) if len(thread.stack) < 1024 else thread.end(2000)
    for block in process.blocks():
        compare(block)
    while thread.stack:
        thread.end(3000 + len(thread.stack))
    for block in process.blocks():
        compare(block)


@pytest.mark.parametrize("clock", ["no ticks", "no time"])
def test_a_clock_that_stands_still_counts_with_its_nominal_frequency(clock: str) -> None:
    process = Process(frequency=2_000_000_000)
    thread = process.thread("main")
    thread.span("a", 10, 30)
    if clock == "no time":
        process.drift_ns = -(1 << 40)
    (block,) = process.blocks(until=0 if clock == "no ticks" else None)
    compare(block)
    assert block.spans[0].end - block.spans[0].begin == 10


def test_names_that_are_not_utf8_are_repaired_everywhere() -> None:
    process = Process()
    process.thread("main").span(b"bad \xff\xc3".decode(errors="surrogateescape"), 1, 2, target="ok \u00e9")
    (block,) = process.blocks()
    (span,) = read_spans(block.data)
    assert (span.name, span.target) == ("bad \ufffd\ufffd", "ok \u00e9")
