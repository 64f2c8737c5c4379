"""Async spans: whatever overlaps whatever, lanes never mis-nest, and every span is one slice at its times."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tachy_server.traces.export import write_trace

from tests.model.encoder import Process
from tests.model.records import Block
from tests.perfetto.encoding import encode
from tests.perfetto.fake_lake import FakeLake
from tests.perfetto.readback import Readback, Slice, read


def wander(process: Process, seed: int, *, ended: float) -> list[Block]:
    """Async spans on some threads, children of whatever is open, ended anywhere, cut into blocks at random places."""
    rng = random.Random(seed)
    threads = [process.thread(f"thread {i}") for i in range(3)]
    opened: list[int] = []
    made: list[Block] = []
    at = 1_000
    for _ in range(150):
        at += rng.choice((0, 1, 50, 900))
        thread = rng.choice(threads)
        if opened and rng.random() < 0.5:
            number = opened.pop(rng.randrange(len(opened)))
            if rng.random() < ended:
                thread.async_end(at, number)
        else:
            parent = rng.choice(opened) if opened and rng.random() < 0.6 else 0
            target = rng.choice(("net", "disk", ""))
            opened.append(thread.async_begin(at, f"job {rng.randint(0, 5)}", parent=parent, target=target))
        if rng.random() < 0.05:
            made += process.blocks()
    if ended == 1:
        for number in opened:
            at += 10
            rng.choice(threads).async_end(at, number)
    return made + process.blocks()


def lanes(found: Readback) -> list[Slice]:
    return [slice_ for uuid in found.of_kind("") for slice_ in found.slices.get(uuid, [])]


def check_nesting(found: Readback) -> None:
    """A slice lies within the one that encloses it; slices of one depth follow each other."""
    for uuid in found.of_kind(""):
        last: dict[int, int] = {}
        for slice_ in found.slices.get(uuid, []):
            assert slice_.begin >= last.get(slice_.depth, 0)
            last[slice_.depth] = slice_.end
            for child in slice_.children:
                assert slice_.begin <= child.begin <= child.end <= slice_.end


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 30))
def test_lanes_never_mis_nest_and_hold_every_span(seed: int) -> None:
    process = Process()
    blocks = wander(process, seed, ended=1)
    found, counts = encode(process, blocks)
    events = [event for block in blocks for event in block.async_events]
    ends = {event.id: event.time for event in events if not event.begin}
    begins = [event for event in events if event.begin]
    check_nesting(found)
    assert Counter((s.begin, s.end, s.name, s.category) for s in lanes(found)) == Counter(
        (event.time, ends[event.id], event.name, event.target) for event in begins
    )
    assert not any(s.annotations for s in lanes(found))
    by_id = {event.id: (event.time, ends[event.id]) for event in begins}
    linked = Counter((s.begin, s.end, c.begin, c.end) for s in lanes(found) for c in s.children + s.flows)
    assert linked == Counter((*by_id[event.parent], *by_id[event.id]) for event in begins if event.parent)
    assert counts.async_slices == len(begins)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 30), st.data())
def test_missing_halves_are_marked_and_never_mis_nest(seed: int, data: st.DataObject) -> None:
    process = Process()
    blocks = [block for block in wander(process, seed, ended=0.6) if data.draw(st.booleans())]
    found, _ = encode(process, blocks)
    events = [event for block in blocks for event in block.async_events]
    begun = {event.id for event in events if event.begin} | {span.id for block in blocks for span in block.open_async}
    ended = {event.id: event for event in events if not event.begin}
    check_nesting(found)
    slices = lanes(found)
    assert len(slices) == len(begun | ended.keys())
    assert sum("is_open" in s.annotations for s in slices) == len(begun - ended.keys())
    lost = [s for s in slices if "begin_lost" in s.annotations]
    assert Counter(s.end for s in lost) == Counter(ended[i].time for i in ended.keys() - begun)


def test_a_child_nests_under_its_parent_and_its_overlapping_sibling_gets_a_lane_of_the_same_name() -> None:
    process = Process()
    main, worker = process.thread("main"), process.thread("worker")
    load = main.async_begin(1_000, "load", target="assets")
    first = main.async_begin(1_100, "read", parent=load, target="disk")
    second = worker.async_begin(1_200, "unpack", parent=load, target="zip")
    main.async_end(1_300, first)
    worker.async_end(1_400, second)
    third = main.async_begin(1_500, "upload", parent=load)
    main.async_end(1_600, third)
    main.async_end(1_700, load)
    found, _ = encode(process, process.blocks())
    by_name = {slice_.name: slice_ for slice_ in lanes(found)}
    assert [child.name for child in by_name["load"].children] == ["read", "upload"]
    assert by_name["unpack"].depth == 0
    assert [to.name for to in by_name["load"].flows] == ["unpack"]
    assert {found.tracks[slice_.track].name for slice_ in by_name.values()} == {"assets"}


def test_async_spans_nested_deeper_than_512_go_on_on_another_lane() -> None:
    process = Process()
    main = process.thread("main")
    opened = [main.async_begin(1_000, "level 0")]
    for i in range(1, 1_200):
        opened.append(main.async_begin(1_000 + i, f"level {i}", parent=opened[-1]))
    for i, number in enumerate(reversed(opened)):
        main.async_end(10_000 + i, number)
    found, counts = encode(process, process.blocks())
    check_nesting(found)
    slices = sorted(lanes(found), key=lambda s: s.begin)
    base = process.start_time
    assert [(s.name, s.begin - base, s.end - base) for s in slices] == [
        (f"level {i}", 1_000 + i, 10_000 + 1_199 - i) for i in range(1_200)
    ]
    assert max(s.depth for s in slices) == 511
    assert [(s.name, s.flows[0].name) for s in slices if s.flows] == [
        ("level 511", "level 512"),
        ("level 1023", "level 1024"),
    ]
    assert counts.async_slices == 1_200


def test_lanes_are_used_again() -> None:
    process = Process()
    main = process.thread("main")
    for i in range(50):
        a = main.async_begin(1_000 * i, "a")
        b = main.async_begin(1_000 * i + 10, "b")
        main.async_end(1_000 * i + 500, a)
        main.async_end(1_000 * i + 900, b)
    found, _ = encode(process, process.blocks())
    assert len([uuid for uuid in found.of_kind("") if found.slices.get(uuid)]) == 2


def test_an_end_in_a_thread_that_is_listed_first_meets_its_begin() -> None:
    process = Process()
    first, second = process.thread("first"), process.thread("second")
    number = second.async_begin(1_000, "job")
    first.async_end(2_000, number)
    found, _ = encode(process, process.blocks())
    [job] = lanes(found)
    assert (job.end - job.begin, job.annotations) == (1_000, {})


def test_a_range_holds_the_async_spans_that_overlap_it() -> None:
    process = Process()
    main = process.thread("main")
    for i in range(10):
        number = main.async_begin(1_000 * i, f"job {i}")
        main.async_end(1_000 * i + 900, number)
    base = process.start_time
    found, _ = encode(process, process.blocks(), begin=base + 2_900, end=base + 5_000)
    assert [slice_.name for slice_ in lanes(found)] == ["job 2", "job 3", "job 4", "job 5"]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    ended=st.sampled_from([0.3, 0.8, 1]),
    bounds=st.tuples(st.integers(0, 60_000), st.integers(0, 60_000)).map(sorted),
)
@example(seed=466, ended=1, bounds=[0, 36_091])  # a span ends exactly at the range's end: it is not open
@example(seed=466, ended=0.8, bounds=[0, 36_091])
def test_every_range_has_the_async_spans_that_overlap_it_and_they_begin_where_they_began(
    seed: int, ended: float, bounds: list[int]
) -> None:
    process = Process()
    blocks = wander(process, seed, ended=ended)
    lake = FakeLake()
    lake.store(process, blocks)
    events = [event for block in blocks for event in block.async_events]
    ends = {event.id: event.time for event in events if not event.begin}
    latest = max(row["end_time"] for row in lake.rows)
    begin, end = (process.start_time + offset for offset in bounds)
    found = read(b"".join(write_trace(lake, [process.process_id], begin=begin, end=end)))
    check_nesting(found)
    selected = [row for row in lake.rows if row["begin_time"] <= end]  # an end in a later block is not known
    known = {event.id for block in blocks[: len(selected)] for event in block.async_events if not event.begin}
    expected = Counter(
        (event.time, ends[event.id] if event.id in known else min(latest, end), event.name, event.id not in known)
        for event in events
        if event.begin and event.time <= min(end, latest) and ends.get(event.id, latest) >= begin
    )
    assert Counter((s.begin, s.end, s.name, "is_open" in s.annotations) for s in lanes(found)) == expected
    assert not any("begin_lost" in s.annotations for s in lanes(found))


def test_a_span_over_a_quiet_range_is_there_with_its_parent() -> None:
    process = Process()
    main, worker = process.thread("main"), process.thread("worker")
    load = main.async_begin(1_000, "load", target="assets")
    lake = FakeLake()
    lake.store(process, process.blocks())
    read_ = worker.async_begin(2_000, "read", parent=load, target="assets")
    lake.store(process, process.blocks())
    main.span("later", 900_000, 900_100)
    lake.store(process, process.blocks())
    worker.async_end(950_000, read_)
    main.async_end(960_000, load)
    lake.store(process, process.blocks())
    base = process.start_time
    for begin, end in ((400_000, 500_000), (900_050, 900_060)):
        found = read(b"".join(write_trace(lake, [process.process_id], begin=base + begin, end=base + end)))
        [outer] = [s for s in lanes(found) if s.name == "load"]
        [inner] = outer.children
        assert (outer.begin - base, inner.begin - base, inner.name) == (1_000, 2_000, "read")
        assert outer.end == inner.end == base + end
        assert outer.annotations == inner.annotations == {"is_open": True}
    found = read(b"".join(write_trace(lake, [process.process_id], begin=base + 955_000, end=base + 970_000)))
    assert [(s.name, s.begin - base, s.end - base, s.annotations) for s in lanes(found)] == [
        ("load", 1_000, 960_000, {})
    ]
