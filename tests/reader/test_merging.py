"""A merged block says what its parts say: every row, gap, open span and value, whatever a process recorded."""

from __future__ import annotations

import math
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tachy_server.formats.calls import CallTree
from tachy_server.formats.merging import MergedBlock, merge_blocks
from tachy_server.formats.reader import Limits, read_head, read_images, read_logs, read_metrics

from tests.model import rows
from tests.model.decoder import decode_block, split_batch
from tests.model.encoder import Block, Process, Thread
from tests.model.records import LOG, METRIC, SPAN, MetricRecord
from tests.native.test_random_programs import ROOMY, run
from tests.native.test_recorder import PLAIN
from tests.perfetto.encoding import encode
from tests.reader.decoding import dicts, split, stored
from tests.reader.merged import same
from tests.reader.scenarios import Program, play, programs
from tests.reader.test_clock import HOUR


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))


def of_class(blocks: Sequence[Block], cls: int) -> list[bytes]:
    return [block.data for block in blocks if block.cls == cls]


def classes(program: Program) -> Iterator[list[bytes]]:
    """The blocks of each class that has some."""
    for cls in (LOG, METRIC, SPAN):
        if blocks := of_class(program.blocks, cls):
            yield blocks


def merge(blocks: Sequence[bytes], limits: Limits | None = None) -> list[MergedBlock]:
    """Merges, and compares each block that comes out with those that went in."""
    merged = merge_blocks(blocks, limits)
    assert sum(block.parts for block in merged) == len(blocks)
    rest = list(blocks)
    for block in merged:
        same(block, rest[: block.parts])
        del rest[: block.parts]
    return merged


@examples(80)
@given(programs())
def test_merged_blocks_say_what_their_parts_say(program: Program) -> None:
    for blocks in classes(program):
        merge(blocks)


@examples(40)
@given(programs(losses=False))
def test_what_lost_nothing_becomes_one_block(program: Program) -> None:
    for blocks in classes(program):
        heads = [decode_block(block).header for block in blocks]
        if all(head.ticks1 > head.ticks0 for head in heads):
            assert len(merge(blocks)) == 1


@examples(40)
@given(programs(), st.randoms())
def test_in_whatever_steps_blocks_are_merged_the_rows_are_the_same(program: Program, random: Random) -> None:
    for blocks in classes(program):
        steps, rest = list[bytes](), list(blocks)
        while rest:
            size = random.randint(1, 3)
            steps += [merged.data for merged in merge_blocks(rest[:size])]
            del rest[:size]
        at = 0
        for merged in merge_blocks(steps):
            sequences = merged.head.sequences
            same(replace(merged, parts=sequences), blocks[at : at + sequences])
            at += sequences
        assert at == len(blocks)


@pytest.mark.parametrize("limits", [Limits(rows=12), Limits(raw_bytes=4000)], ids=["rows", "bytes"])
def test_a_merged_block_stays_within_its_limits(limits: Limits) -> None:
    for blocks in classes(play(5, 400, losses=False)):
        merged = merge_blocks(blocks, limits)
        assert len(blocks) > len(merged) > 1
        for block in merged:
            rows_of = sum(thread.rows + thread.async_rows for thread in block.head.threads)
            if rows_of > limits.rows or block.head.raw_size > limits.raw_bytes:
                assert block.parts == 1


def test_a_merged_block_lists_only_so_many_threads() -> None:
    process, blocks = Process(), list[bytes]()
    for index in range(10):
        process.thread(str(index)).metric(index * 1000 + 5, "m", index)
        blocks += [block.data for block in process.blocks(until=index * 1000 + 999)]
    assert [merged.parts for merged in merge_blocks(blocks, threads=4)] == [4, 4, 2]
    assert [merged.parts for merged in merge(blocks)] == [10]


def cut(process: Process, count: int = 3) -> list[bytes]:
    """So many blocks of spans, 1,000 ticks each; one span crosses each border, with a span inside on either side."""
    return [step(process, index) for index in range(count)]


def step(process: Process, index: int) -> bytes:
    main = process.threads[0] if process.threads else process.thread("main")
    at = 1 + index * 1000
    if main.stack:
        main.span("inside", at + 1, at + 2)
        main.end(at + 3)
    main.begin("across", at + 30)
    main.span("inside", at + 40, at + 50)
    (block,) = process.blocks(until=at + 999)
    return block.data


def test_a_span_that_crosses_borders_comes_out_once() -> None:
    process = Process()
    (merged,) = merge(cut(process, 5))
    spans = decode_block(merged.data).spans
    assert [span.name for span in spans] == ["inside", *["inside", "across", "inside"] * 4]
    assert [span.end - span.begin for span in spans if span.name == "across"] == [973] * 4
    assert merged.head.threads[0].open_at_start == 0
    assert merged.head.threads[0].open_at_end == 1


def lose_the_end(process: Process) -> None:
    process.threads[0].end(3002, lost=True)


def skip(process: Process) -> None:
    """As a flight recorder does."""
    process.threads[0].first[SPAN] += 3
    process.threads[0].begun += 3
    process.threads[0].lost_spans = True


def rename(process: Process) -> None:
    process.threads[0].name = "another"


def forget(process: Process) -> None:
    """The thread has ended: what was open there will never end."""
    gone = process.threads[0]
    gone.stack, gone.known_open = [], []
    process.threads = [Thread(process, 2, "next", 7)]


def open_async_without_begin(process: Process) -> None:
    site = process.site(6, "load", "", "", 0, "", 0)
    process.open_async[9] = site, rows.OpenAsync(1, process.start_time, 9, 0, 0, "load", "", "", 0)


def restart(process: Process) -> None:
    """The counter begins again."""
    for starts in process.starts.values():
        del starts[1:]


@pytest.mark.parametrize(
    "change",
    [
        lose_the_end,
        skip,
        rename,
        forget,
        open_async_without_begin,
        restart,
        lambda process: process.set_clock(HOUR),
        lambda process: process.set_clock(-HOUR),
        lambda process: process.sequence.update({SPAN: 7}),
    ],
    ids=["lost", "skipped", "renamed", "ended", "async", "restarted", "set forward", "set back", "sequence"],
)
def test_where_it_would_say_something_else_another_block_begins(change: Callable[[Process], None]) -> None:
    process = Process()
    blocks = cut(process)
    change(process)
    blocks += [step(process, index) for index in (3, 4, 5)]
    assert [merged.parts for merged in merge(blocks)] == [3, 3]


def test_blocks_of_others_are_merged_with_none() -> None:
    one, other = Process(), Process()
    assert [merged.parts for merged in merge_blocks([*cut(one, 2), *cut(other, 2)])] == [2, 2]
    one.threads[0].metric(5000, "m", 1)
    one.threads[0].span("more", 5001, 5002)
    metrics, spans = one.blocks()
    assert [merged.parts for merged in merge_blocks([metrics.data, spans.data])] == [1, 1]


def test_what_points_that_were_left_out_date_otherwise_is_not_merged() -> None:
    """A recorder leaves out starts of earlier blocks that lie within 1 ns of a line through others."""
    process = Process()
    thread = process.thread("main")
    blocks = list[bytes]()
    for index in range(6):
        if index == 5:
            thread.metrics.append(
                MetricRecord(process.start_ticks + 1500, process.site(2, "late", "", "", 0, "", 0), None, 1)
            )
            starts = process.starts[METRIC]
            starts[4] = starts[4][0], starts[4][1] + 500
        thread.metric(index * 1000 + 5, "m", index)
        blocks += [block.data for block in process.blocks(until=index * 1000 + 1000)]
    assert [merged.parts for merged in merge(blocks)] == [5, 1]


def test_hours_of_a_drifting_clock_are_dated_to_the_nanosecond() -> None:
    process, blocks = Process(frequency=3_000_000_000), list[bytes]()
    thread = process.thread("main")
    for index in range(600):
        process.drift_ns += (index * 7919) % 2003
        thread.frame(index * 1000 + 500, "Game", 400)
        thread.metric(index * 1000 + 700, "m", float(index))
        blocks += [block.data for block in process.blocks(until=index * 1000 + 999)]
    (merged,) = merge(blocks)
    assert merged.head.sequences == 600


def test_numbers_of_every_size_are_read_and_written() -> None:
    edges = [edge << shift for shift in range(0, 64, 8) for edge in (1, 127, 128, 254, 255, 256)]
    numbers = sorted({(edge + step) % (1 << 64) for edge in edges for step in (-1, 0, 1)})
    process = Process()
    thread = process.thread("main")
    blocks = list[bytes]()
    for half in (numbers[::2], numbers[1::2]):
        for number in half:
            at = len(blocks) * 1000 + 5
            (double,) = struct.unpack("<d", struct.pack("<Q", number))
            args = [rows.U64(number)] if math.isnan(double) else [rows.U64(number), double]
            thread.log(at, "%u" if len(args) == 1 else "%u %.17g", *args)
        blocks += [block.data for block in process.blocks(until=len(blocks) * 1000 + 900)]
    (merged,) = merge(blocks)
    args = [log.args for log in decode_block(merged.data).logs]
    assert args == [log.args for data in blocks for log in decode_block(data).logs]
    read = [row["msg"].split()[0] for row in dicts(read_logs(*split(merged.data)))]
    assert read == [str(number.value) for number, *_ in args]
    assert sorted(map(int, read)) == numbers


FLOATS = st.one_of(
    st.floats(width=64, allow_nan=False),
    st.floats(width=32),
    st.integers(-(1 << 60), 1 << 60).map(float),
    st.decimals(-10_000, 10_000, places=3, allow_nan=False).map(float),
    st.builds(lambda number, digits: number / 10**digits, st.integers(-(1 << 45), 1 << 45), st.integers(0, 9)),
    st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1e-320, 1.7976931348623157e308, 0.1 + 0.2]),
)


@examples(100)
@given(st.lists(st.tuples(st.integers(0, 3), FLOATS), min_size=1, max_size=60), st.integers(3, 5))
def test_floats_of_every_kind_are_the_same_to_the_bit(values: list[tuple[int, float]], blocks: int) -> None:
    """Merged at once, and in steps."""
    process, made, bits = Process(), list[bytes](), list[bytes]()
    main = process.thread("main")
    for number in range(blocks):
        for at, (site, value) in enumerate(values):
            main.metric(number * 1_000 + at + 1, f"site {site}", value)
            main.metric(number * 1_000 + at + 1, f"count {site}", at * site)
            bits.append(struct.pack("<d", value))
        made += [block.data for block in process.blocks(until=number * 1_000 + 999)]
    (merged,) = merge_blocks(made)
    (step,) = merge_blocks(made[:2])
    (again,) = merge_blocks([step.data, *made[2:]])
    for block in (merged, again):
        for data in (read_metrics(*split(block.data)), decode_block(block.data).metrics):
            found = [row["value"] if isinstance(row, dict) else row.value for row in as_rows(data)]
            assert [struct.pack("<d", value) for value in found[::2]] == bits
            assert found[1::2] == [float(at * site) for _ in range(blocks) for at, (site, _) in enumerate(values)]


def as_rows(data: Any) -> list[Any]:
    return data if isinstance(data, list) else dicts(data)


def test_hundredths_and_single_floats_take_the_bytes_of_what_they_count() -> None:
    """Noise takes all of a double's; a site that had a few values of its own kind may have others."""
    chance = Random(1)
    sizes = {}
    for name, value in {
        "noise": chance.random,
        "single": lambda: struct.unpack("<f", struct.pack("<f", chance.random()))[0],
        "hundredths": lambda: round(chance.gauss(16, 2), 2),
        "mixed": lambda: chance.choice([0.0, 1.5, chance.random()]),
    }.items():
        process = Process()
        main = process.thread("main")
        made = []
        for at in range(1, 20_001):
            main.metric(2 * at, "m", value())
            if at % 10_000 == 0:
                made += [block.data for block in process.blocks(until=2 * at + 1)]
        (merged,) = merge(made)
        sizes[name] = len(merged.data) / 20_000
    assert sizes["noise"] > 6.5
    assert sizes["single"] < 3.5
    assert sizes["hundredths"] < 1.5
    assert sizes["mixed"] < 4


def test_images_are_merged_as_logs_are() -> None:
    process = Process()
    thread = process.thread("images")
    blocks = list[bytes]()
    for number in range(3):
        thread.log(number * 1000 + 5, "%s", f"{number} 0 1 3 image/png x\\nAAAA", target="tachy.image")
        thread.message(number * 1000 + 6, "hello")
        blocks += [block.data for block in process.blocks(until=number * 1000 + 900)]
    (merged,) = merge(blocks)
    wanted = [row["msg"] for block in blocks for row in dicts(read_images(*split(block)))]
    assert [row["msg"] for row in dicts(read_images(*split(merged.data)))] == wanted
    assert len(wanted) == 3


@examples(40)
@given(programs(losses=False), st.integers(0, 100), st.integers(0, 100))
def test_call_trees_of_merged_blocks_are_those_of_the_parts(program: Program, a: int, b: int) -> None:
    blocks = of_class(program.blocks, SPAN)
    if not blocks:
        return
    merged = [block.data for block in merge_blocks(blocks)]
    times = sorted(span.end for block in program.blocks for span in block.spans) or [0]
    begin, end = sorted((times[a * (len(times) - 1) // 100], times[b * (len(times) - 1) // 100]))
    for bounds in ((None, None), (begin, end)):
        assert tree(merged, *bounds) == tree(blocks, *bounds)


def tree(blocks: Sequence[bytes], begin: int | None, end: int | None) -> dict[tuple[str, str], list[int]]:
    calls = CallTree(begin, end)
    calls.add(stored(blocks[::-1]))
    return {
        (row["thread_name"], row["path"]): [row["calls"], row["total"], row["self"], row["longest"]]
        for row in calls.batch().to_pylist()
    }


@examples(40)
@given(programs())
def test_span_times_of_merged_blocks_add_up_to_those_of_the_parts(program: Program) -> None:
    blocks = of_class(program.blocks, SPAN)
    assert span_times([block.data for block in merge(blocks)]) == span_times(blocks)


def span_times(blocks: Sequence[bytes]) -> dict[tuple[str, int], tuple[int, ...]]:
    """By the spans' names and begins; what was owed and has been taken is not there."""
    columns = ("name", "time", "calls", "total", "self")
    sums: Counter[tuple[str, int, str]] = Counter()
    for batch in stored(blocks).rows("span_times", columns):
        for row in dicts(batch):
            for key in columns[2:]:
                sums[row["name"], row["time"], key] += row[key]
    found = {key[:2]: tuple(sums[*key[:2], column] for column in columns[2:]) for key in sums}
    return {key: values for key, values in found.items() if any(values)}


@examples(20)
@given(programs(losses=False))
def test_traces_of_merged_blocks_are_those_of_the_parts(program: Program) -> None:
    for cls in (LOG, METRIC, SPAN):
        blocks = [block for block in program.blocks if block.cls == cls]
        if not blocks:
            continue
        merged = [as_block(block.data) for block in merge_blocks([block.data for block in blocks])]
        assert shown(program.process, merged) == shown(program.process, blocks)


def as_block(data: bytes) -> Block:
    head, body = split(data)
    return Block(read_head(data).cls, read_head(data).sequence, data, len(head), bytes(body))


def shown(process: Process, blocks: list[Block]) -> list[Any]:
    trace, counts = encode(process, blocks, any_flows=True)
    slices = [
        (
            trace.tracks[track].name,
            found.begin,
            found.end,
            found.name,
            found.category,
            found.depth,
            str(found.annotations),
        )
        for track, all_found in (*trace.slices.items(), *trace.instants.items())
        for found in all_found
    ]
    counters = [(trace.tracks[track].name, *value) for track, values in trace.counters.items() for value in values]
    return [sorted(slices), sorted(counters), counts]


@pytest.mark.parametrize("seed", [2, 5, 6])
def test_what_a_recorder_wrote_in_many_batches_is_merged_again(seed: int, tmp_path: Path) -> None:
    """Cut every few milliseconds while threads come, go, nest and hand async spans to each other."""
    run(tmp_path, PLAIN, seed, 1500, ROOMY)
    data, at = (tmp_path / "batches").read_bytes(), 0
    found: dict[tuple[bytes, int], list[bytes]] = defaultdict(list)
    while at < len(data):
        size = int.from_bytes(data[at + 48 : at + 56], "little")
        for block in split_batch(data[at : at + size])[3]:
            header = decode_block(block).header
            found[header.process_id, header.cls].append(block)
        at += size
    assert min(len(blocks) for blocks in found.values()) > 1
    merged = [merge(sorted(blocks, key=lambda block: decode_block(block).header.sequence)) for blocks in found.values()]
    assert [len(blocks) for blocks in merged] == [1] * len(merged)
