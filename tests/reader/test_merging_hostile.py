"""Blocks from outside that are merged: whatever the bytes are, they are refused, left alone, or merged as they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.base.errors import FormatError
from tachy_server.formats.merging import DamagedBlockError, merge_blocks
from tachy_server.formats.reader import read_head

from tests.model import columns as c
from tests.model.encoder import Block, Process
from tests.model.records import METRIC, SPAN
from tests.reader.decoding import read_async, read_logs, read_metrics, read_spans, split
from tests.reader.scenarios import play
from tests.reader.test_hostile import a_block, rebuild, replaced, seal
from tests.reader.test_merging import classes, cut, examples, merge


def test_a_block_whose_bytes_are_not_what_its_hashes_say_is_named() -> None:
    blocks = cut(Process())
    padding = len(blocks[1]) - read_head(blocks[1]).header_size - read_head(blocks[1]).stored_size
    for at in range(0, len(blocks[1]) - padding, 3):
        damaged = bytearray(blocks[1])
        damaged[at] ^= 0x40
        with pytest.raises(DamagedBlockError) as caught:
            merge_blocks([blocks[0], bytes(damaged), blocks[2]])
        assert caught.value.indexes == [1]


def test_all_damaged_blocks_of_many_processes_are_named_at_once() -> None:
    blocks = [bytearray(block) for _ in range(4) for block in cut(Process())]
    for index in (1, 5, len(blocks) - 1):
        blocks[index][read_head(blocks[index]).header_size] ^= 1
    with pytest.raises(DamagedBlockError) as caught:
        merge_blocks(blocks)
    assert caught.value.indexes == [1, 5, len(blocks) - 1]


@pytest.mark.parametrize(
    ("column", "values"),
    [(c.ROW_SITE, [1, 0]), (c.ROW_SITE, [9, 9]), (c.SPAN_DEPTH, [c.zigzag(5000)] * 2), (c.OPEN_END_SITE, [9]),
     (c.SITE_KIND, [8, 8])],
)  # fmt: skip
def test_a_block_that_cannot_be_read_stays_what_it_is(column: int, values: list[int]) -> None:
    process = Process()
    thread = process.thread("main")
    made = list[Block]()
    for index in range(3):
        thread.span("a", index * 1000 + 1, index * 1000 + 2)
        thread.span("b", index * 1000 + 3, index * 1000 + 4)
        made += process.blocks(codec="none", until=index * 1000 + 900)
    bad = rebuild(made[1], replaced(column, values))
    merged = merge_blocks([made[0].data, bad, made[2].data])
    assert [block.parts for block in merged] == [1, 1, 1]
    assert split(merged[1].data)[1] == split(bad)[1]


def test_a_span_that_is_another_one_at_the_end_than_at_the_start_is_not_merged() -> None:
    process = Process()
    thread = process.thread("main")
    made = list[Block]()
    for index in range(3):
        if not thread.stack:
            thread.begin("outer", 1)
        thread.span("inside", index * 1000 + 3, index * 1000 + 4)
        made += process.blocks(codec="none", until=index * 1000 + 900)
    assert [merged.parts for merged in merge([block.data for block in made])] == [3]
    first = made[0].data
    second = rebuild(made[1], replaced(c.OPEN_END_ID, [9]))
    third = rebuild(made[2], replaced(c.OPEN_START_ID, [9]))
    assert [merged.parts for merged in merge_blocks([first, second, third])] == [1, 1, 1]


def rows_of(block: bytes, cls: int) -> list[Any]:
    """What the C reader makes of it, without the values of async begins, which merging completes."""
    if cls == SPAN:
        return [*read_spans(block), *(replace(event, properties={}) for event in read_async(block))]
    return list(read_metrics(block) if cls == METRIC else read_logs(block))


def by_thread(rows: Sequence[Any]) -> list[str]:
    """As text, in which NaN is NaN; of each thread and kind in their order."""
    first = [row[0] if isinstance(row, tuple) else row for row in rows]
    keys = [(row.thread, type(row).__name__) for row in first]
    return [str(row) for _, row in sorted(zip(keys, rows, strict=True), key=lambda pair: pair[0])]


def changed(block: bytes, random: Random) -> bytes:
    """The block with a byte changed, most often one of its columns', and its hashes right again."""
    head, body = bytearray(split(block)[0]), bytearray(split(block)[1])
    columns = 8 + 24 * int.from_bytes(body[:4], "little")
    if random.random() < 0.8 and len(body) > columns:
        body[random.randrange(columns, len(body))] = random.choice([0, 1, random.randrange(256)])
    else:
        head[random.randrange(32, len(head))] ^= 1 << random.randrange(8)
    return seal(bytes(head), bytes(body))


@examples(25)
@given(st.integers(0, 1 << 32), st.booleans())
def test_a_changed_byte_is_merged_as_it_reads_or_not_at_all(seed: int, losses: bool) -> None:
    random = Random(seed)
    for blocks in classes(play(seed, 60, losses=losses, codec="none")):
        given_blocks = blocks[:3]
        cls = read_head(blocks[0]).cls
        for _ in range(8):
            at = random.randrange(len(given_blocks))
            parts = [*given_blocks[:at], changed(given_blocks[at], random), *given_blocks[at + 1 :]]
            try:
                merged = merge_blocks(parts)
            except FormatError:
                continue
            for block in merged:
                if block.parts > 1:
                    wanted = [row for part in parts[: block.parts] for row in rows_of(part, cls)]
                    assert by_thread(rows_of(block.data, cls)) == by_thread(wanted)
                del parts[: block.parts]


@pytest.mark.parametrize(("encoding", "count"), [(1, 0), (1, 1), (1, 300), (2, 0), (2, 1), (2, 1 << 40), (1, 1 << 40)])
def test_columns_that_nobody_knows_may_say_anything_of_their_planes(encoding: int, count: int) -> None:
    small = a_block(METRIC)

    def strange(columns: list[tuple[int, int, int, bytes]]) -> None:
        columns += [(999, encoding, count, b"\xff" * 5_000 + b"\0" * 5_000), (998, encoding, count, b"")]

    data = rebuild(small, strange)
    try:
        (merged,) = merge_blocks([data])
    except FormatError:
        return
    assert rows_of(merged.data, METRIC) == rows_of(data, METRIC)
