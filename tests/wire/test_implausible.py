"""Ingest refuses what contradicts itself, or would cost a query more than the settings say, without decoding it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tachy_server.base.errors import FormatError
from tachy_server.formats import reader
from tachy_server.formats.reader import Limits
from tachy_server.views.decode import opened

from tests.lake.conftest import game
from tests.model.encoder import Process
from tests.model.records import BLOCK_HEADER, THREAD_HEADER, Block, xxh64
from tests.query.fake_lake import FakeLake
from tests.reader.test_slices import many_rows
from tests.serving import Server

BEGIN_UTC, END_UTC = 104 - 8, 104
NEVER, ALWAYS = -(1 << 63), (1 << 63) - 1


def patched(block: Block, changes: dict[int, int]) -> Block:
    """The block with 64-bit numbers at these offsets, and its hash right again."""
    data = bytearray(block.data)
    for offset, value in changes.items():
        data[offset : offset + 8] = (value & (1 << 64) - 1).to_bytes(8, "little")
    size = len(block.head)
    data[152:160] = bytes(8)
    data[152:160] = xxh64(bytes(data[:size])).to_bytes(8, "little")
    block.data = bytes(data)
    return block


def first(process: Process) -> Block:
    return process.blocks(codec="none")[0]


THREAD = BLOCK_HEADER.size
T_ROWS, T_BEGIN_UTC, T_END_UTC = THREAD + 24, THREAD + 88, THREAD + 96


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({BEGIN_UTC: NEVER, END_UTC: ALWAYS}, "not those of its threads"),
        ({BEGIN_UTC: 0}, "not those of its threads"),
        ({END_UTC: ALWAYS}, "not those of its threads"),
        ({BEGIN_UTC: NEVER, END_UTC: ALWAYS, T_BEGIN_UTC: NEVER, T_END_UTC: ALWAYS}, "contradict the clock"),
        ({END_UTC: ALWAYS, T_END_UTC: ALWAYS}, "contradict the clock"),
        ({BEGIN_UTC: 0, T_BEGIN_UTC: 0}, "contradict the clock"),
    ],
)
def test_a_block_of_all_of_time_is_refused(changes: dict[int, int], sentence: str) -> None:
    process = game()
    block = patched(first(process), changes)
    with pytest.raises(FormatError, match=sentence):
        reader.check_batch(process.batch([block]))


def test_rows_that_a_body_cannot_hold_are_refused() -> None:
    process = game()
    block = first(process)
    head = reader.check_block(block.data)
    assert 4 * sum(thread.rows for thread in head.threads) <= head.raw_size
    rows = head.raw_size // 4
    with pytest.raises(FormatError, match="cannot have so many rows"):
        reader.check_batch(process.batch([patched(block, {T_ROWS: rows})]))


def test_a_span_that_has_been_open_for_long_is_no_contradiction() -> None:
    process = Process()
    thread = process.thread("main")
    thread.begin("outer", 1_000)
    process.blocks()
    thread.span("inner", 10**15, 10**15 + 5)
    thread.end(10**15 + 10)
    assert reader.check_batch(process.batch()).blocks


def test_what_is_larger_than_the_settings_is_refused_and_names_them(tmp_path: Path) -> None:
    options = ["--role", "ingest", "--block-rows", "1000", "--block-raw-bytes", "1MiB"]
    with Server(tmp_path / "data", *options) as server:
        assert server.post(game(100).batch()).status_code == 200
        many = Process()
        thread = many.thread("main")
        for at in range(1_001):
            thread.span("s", at, at + 1)
        answer = server.post(many.batch())
        assert answer.status_code == 400
        assert "block_rows" in answer.text
        large = Process()
        large.thread("main").message(1, "x" * (1 << 20))
        answer = server.post(large.batch())
        assert answer.status_code == 400
        assert "block_raw_bytes" in answer.text


def test_a_block_that_is_nearly_nothing_stored_and_large_when_read_is_refused() -> None:
    """64 million rows in some KB."""
    block = many_rows("metrics", 1 << 10)
    head = reader.check_block(block.data)
    sizes = {"raw_size": 65 << 20, "stored_size": 65 << 10}
    fields = {name: sizes.get(name, getattr(head, name)) for name in head.__slots__}
    with pytest.raises(FormatError, match="block_expansion"):
        Limits().check(reader.BlockHead(**fields))
    Limits(expansion=1040).check(reader.BlockHead(**fields))


def test_what_was_stored_under_other_settings_costs_a_query_nothing() -> None:
    lake = FakeLake(limits=Limits(rows=3))
    process = game(4)
    lake.add(process.batch())
    for _ in opened(lake, lake.select_blocks(reader.LOG)):
        pass
    (reason,) = lake.errors.values()
    assert "block_rows" in reason


def test_thread_headers_are_where_the_format_says() -> None:
    """Or the numbers above would change something else."""
    head = reader.check_block(first(game()).data)
    block = first(game())
    values = THREAD_HEADER.unpack_from(block.data, THREAD)
    assert len(head.threads) == 2
    assert values[0] == 1
    assert int.from_bytes(block.data[T_ROWS : T_ROWS + 8], "little") == reader.check_block(block.data).threads[0].rows
    assert int.from_bytes(block.data[END_UTC : END_UTC + 8], "little") == reader.check_block(block.data).end_utc
