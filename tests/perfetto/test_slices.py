"""Thread slices: whatever the forest, the cuts and the losses, a trace balances and says what the model says."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tachy_server.base.errors import FormatError
from tachy_server.formats.perfetto import PerfettoTrace, process_uuid, thread_uuid
from tachy_server.traces.export import head_packets

from tests.model import rows
from tests.model.encoder import Process, Thread
from tests.model.records import SPAN, Block
from tests.perfetto.encoding import encode, traced
from tests.perfetto.readback import read


def grow(process: Process, seed: int, *, steps: int, lossy: float, cuts: float) -> list[Block]:
    """Random spans on some threads, cut into blocks at random places; a few stay open at the end."""
    rng = random.Random(seed)
    threads = [process.thread(f"thread {i}") for i in range(rng.randint(1, 3))]
    made: list[Block] = []
    at = 1_000
    for _ in range(steps):
        at += rng.choice((1, 1, 7, 300, 5_000))
        thread = rng.choice(threads)
        if thread.stack and rng.random() < 0.5:
            thread.end(at, lost=rng.random() < lossy)
        elif len(thread.stack) < 12:
            n = rng.randint(0, 9)
            thread.begin(f"span {n}", at, target=f"target {n % 3}" if n else "", file="a.c" if n % 2 else "", line=n)
        if rng.random() < cuts:
            made += process.blocks()
    return made + process.blocks()


def closed_spans(blocks: list[Block], thread: Thread) -> list[rows.Span]:
    return [span for block in blocks for span in block.spans if span.thread == thread.number]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 30), st.sampled_from((0.0, 0.02, 0.3)))
def test_every_span_is_one_slice_at_its_times_and_under_its_parent(seed: int, cuts: float) -> None:
    process = Process()
    blocks = grow(process, seed, steps=200, lossy=0.0, cuts=cuts)
    found, counts = encode(process, blocks)
    total = 0
    for thread in process.threads:
        slices = found.slices[thread_uuid(process.process_id, thread.number)]
        spans = sorted(closed_spans(blocks, thread), key=lambda span: span.id)
        ended = [slice_ for slice_ in slices if "is_open" not in slice_.annotations]
        assert not any("end_lost" in slice_.annotations for slice_ in slices)
        assert [(s.begin, s.end, s.name, s.category) for s in ended] == [
            (s.begin, s.end, s.name, s.target) for s in spans
        ]
        assert [s.depth for s in ended] == [s.depth for s in spans]
        for slice_, span in zip(ended, spans, strict=True):
            assert slice_.source == ((span.file, span.name, span.line) if span.file else None)
        last = [block for block in blocks if any(s.thread == thread.number for s in block.spans + block.open_spans)]
        still = [s.name for s in last[-1].open_spans if s.thread == thread.number] if last else []
        assert [s.name for s in slices if "is_open" in s.annotations] == still
        total += len(slices)
    assert counts.slices == total == len(found.thread_slices)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 30), st.sampled_from((0.05, 0.5)))
def test_losses_never_unbalance_and_no_recorded_span_is_missing(seed: int, lossy: float) -> None:
    process = Process()
    blocks = grow(process, seed, steps=200, lossy=lossy, cuts=0.05)
    found, counts = encode(process, blocks)
    for thread in process.threads:
        slices = found.slices[thread_uuid(process.process_id, thread.number)]
        ended = Counter((s.begin, s.end, s.name) for s in slices if not s.annotations)
        assert ended == Counter((s.begin, s.end, s.name) for s in closed_spans(blocks, thread))
    marks = [mark for marks in found.instants.values() for mark in marks]
    assert {mark.category for mark in marks} <= {"lost"}
    assert sum(int(mark.name.split()[0]) for mark in marks) == sum(block.dropped for block in blocks)
    assert counts.losses == len(marks)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 30), st.data())
def test_missing_blocks_never_unbalance_and_no_recorded_span_is_missing(seed: int, data: st.DataObject) -> None:
    process = Process()
    blocks = [b for b in grow(process, seed, steps=200, lossy=0.02, cuts=0.2) if b.cls == SPAN]
    kept = [block for block in blocks if data.draw(st.booleans())]
    found, _ = encode(process, kept)
    for thread in process.threads:
        slices = found.slices[thread_uuid(process.process_id, thread.number)]
        ended = Counter((s.begin, s.end, s.name) for s in slices if not s.annotations)
        assert ended == Counter((s.begin, s.end, s.name) for s in closed_spans(kept, thread))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 30), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_a_range_holds_exactly_the_spans_that_overlap_it_whole(seed: int, a: float, b: float, selected: bool) -> None:
    process = Process()
    blocks = grow(process, seed, steps=200, lossy=0.0, cuts=0.1)
    first, last = process.start_time, process.utc(process.latest)
    begin, end = sorted((first + int(a * (last - first)), first + int(b * (last - first))))
    if selected:  # as a lake selects them: by the bounds of the spans in them
        blocks = [x for x in blocks if any(s.begin <= end and s.end >= begin for s in x.spans)]
    found, _ = encode(process, blocks, begin=begin, end=end)
    for thread in process.threads:
        slices = found.slices[thread_uuid(process.process_id, thread.number)]
        ended = [(s.begin, s.end, s.name) for s in slices if not s.annotations]
        wanted = [s for s in closed_spans(blocks, thread) if s.begin <= end and s.end >= begin]
        assert ended == [(s.begin, s.end, s.name) for s in sorted(wanted, key=lambda s: s.id)]
        assert all(s.begin <= end and s.end >= begin for s in slices)


def test_a_span_begins_once_in_the_block_where_its_begin_is_known() -> None:
    process = Process()
    main = process.thread("main")
    main.begin("Level", 1_000)
    main.span("Frame", 2_000, 3_000)
    blocks = process.blocks()
    main.span("Frame", 4_000, 5_000)
    blocks += process.blocks()
    main.end(9_000)
    blocks += process.blocks()
    trace = PerfettoTrace()
    head = head_packets([traced(process)], [trace.process(process.process_id)], process.start_time)
    begins = []
    data = b""
    for block in blocks:
        data += b"".join(trace.parts(block.head, block.raw))
        begins.append(trace.counts.slices)
    trace.finish(process.utc(process.latest))
    found = read(head + data + trace.take())
    assert begins == [2, 3, 3]
    assert [(s.name, s.depth) for s in found.thread_slices] == [("Level", 0), ("Frame", 1), ("Frame", 1)]


def test_what_is_open_at_the_end_is_closed_and_marked() -> None:
    process = Process()
    main = process.thread("main")
    main.begin("Level", 1_000)
    main.begin("Load", 1_500)
    main.span("Read", 2_000, 3_000)
    until = process.utc(process.latest) + 77
    found, _ = encode(process, process.blocks(), until=until)
    level, load, read_ = found.thread_slices
    assert (level.end, load.end) == (until, until)
    assert level.annotations == load.annotations == {"is_open": True}
    assert read_.annotations == {}


def test_times_never_decrease_even_when_the_clock_steps_back() -> None:
    process = Process()
    main = process.thread("main")
    blocks: list[Block] = []
    for i in range(20):
        main.span("Frame", 10_000 * i, 10_000 * i + 9_000)
        process.drift_ns -= 4_000
        blocks += process.blocks(until=10_000 * i + 9_500)
    found, _ = encode(process, blocks)  # read() asserts the order
    assert len(found.thread_slices) == 20


def test_threads_are_named_and_their_ids_differ() -> None:
    process = Process()
    same = [process.thread("worker", os_id=77), process.thread("worker", os_id=77), process.thread("", os_id=1 << 40)]
    for thread in same:
        thread.span("Job", 1_000, 2_000)
    found, _ = encode(process, process.blocks())
    threads = [found.tracks[thread_uuid(process.process_id, thread.number)].thread for thread in same]
    assert [t.thread_name for t in threads] == ["worker", "worker", "thread 3"]
    assert threads[0].tid == 77
    assert len({t.tid for t in threads}) == 3
    assert {t.pid for t in threads} == {found.tracks[process_uuid(process.process_id)].process.pid}


def test_two_processes_never_share_tracks_sequences_or_pids() -> None:
    trace = PerfettoTrace()
    processes = [Process("a"), Process("b")]
    pids = [trace.process(process.process_id, 4242) for process in processes]
    assert pids[0] == 4242
    assert pids[1] not in (0, 4242)
    data = head_packets([traced(process) for process in processes], pids, 1_750_000_000_000_000_000)
    for process in processes:
        process.thread("main").span("Frame", 1_000, 2_000)
        for block in process.blocks():
            data += b"".join(trace.parts(block.head, block.raw))
        trace.finish(process.utc(process.latest))
        data += trace.take()
    found = read(data)
    assert [len(found.slices[thread_uuid(p.process_id, 1)]) for p in processes] == [1, 1]


@settings(max_examples=12)
@given(st.integers(0, 1 << 30), st.sampled_from((0.0, 0.001, 0.01)), st.booleans())
def test_the_first_512_nested_slices_are_exact_and_deeper_ones_are_counted(seed: int, cuts: float, ended: bool) -> None:
    rng = random.Random(seed)
    process = Process()
    main = process.thread("main")
    blocks: list[Block] = []
    at = 1_000
    for depth in [rng.choice((3, 511, 512, 513, 600, 1023, 1024)) for _ in range(3)]:
        for _ in range(2 * depth):
            at += rng.choice((1, 40))
            if len(main.stack) < depth:
                main.begin(f"level {len(main.stack)}", at)
            elif rng.random() < 0.8:
                main.end(at)
            if rng.random() < cuts:
                blocks += process.blocks()
        while ended and main.stack:
            at += 1
            main.end(at)
    blocks += process.blocks()
    found, counts = encode(process, blocks)
    spans = [span for block in blocks for span in block.spans]
    shown = Counter((s.begin, s.end, s.name, s.depth) for s in found.thread_slices if not s.annotations)
    assert shown == Counter((s.begin, s.end, s.name, s.depth) for s in spans if s.depth < 512)
    still = blocks[-1].open_spans
    assert Counter(s.name for s in found.thread_slices if s.annotations) == Counter(s.name for s in still[:512])
    marks = [mark for marks in found.instants.values() for mark in marks]
    assert {mark.category for mark in marks} <= {"too_deep"}
    hidden = sum(span.depth >= 512 for span in spans) + len(still[512:])
    assert sum(int(mark.name.split()[0]) for mark in marks) == counts.too_deep == hidden
    assert counts.slices == len(found.thread_slices)


def test_long_names_are_cut_at_a_character() -> None:
    process = Process()
    process.thread("main").span("é" * 3000, 1_000, 2_000)
    found, _ = encode(process, process.blocks())
    assert found.thread_slices[0].name == "é" * 512


@pytest.mark.parametrize("kind", ["head", "body"])
def test_a_malformed_block_is_refused_and_leaves_the_trace_usable(kind: str) -> None:
    process = Process()
    main = process.thread("main")
    main.span("Frame", 1_000, 2_000)
    [block] = process.blocks()
    trace = PerfettoTrace()
    head = head_packets([traced(process)], [trace.process(process.process_id)], process.start_time)
    with pytest.raises(FormatError):
        next(
            trace.parts(block.head[:100] if kind == "head" else block.head, block.raw[: 20 if kind == "body" else None])
        )
    head += b"".join(trace.parts(block.head, block.raw))
    trace.finish(process.utc(process.latest))
    assert len(read(head + trace.take()).thread_slices) == 1
