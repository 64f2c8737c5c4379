"""Blocks are read in batches of bounded size, and what the recorder makes is read whatever it becomes as text; columns
of large blocks are cached, up to a limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from tachy_server.formats import reader
from tachy_server.formats.rows import ROWS
from tachy_server.views.decode import ColumnCache

from tests.model import columns as c
from tests.model.encoder import Process
from tests.model.records import BLOCK_HEADER, Block
from tests.reader.decoding import split, stored
from tests.reader.test_hostile import a_block, rebuild, replaced, seal

TEXT = 16 << 20


def slices(block: Block, kind: str, **options: Any) -> list[pa.RecordBatch]:
    return list(stored([block.data]).rows(kind, None, **options))


def text_of(batch: pa.RecordBatch, column: str) -> int:
    array = batch.column(column)
    values = array.dictionary if pa.types.is_dictionary(array.type) else array
    return sum(buffer.size for buffer in values.buffers() if buffer is not None)


def only_block(process: Process) -> Block:
    (block,) = process.blocks(codec="zstd")
    return block


def test_a_long_literal_in_many_rows_is_read() -> None:
    """5,000 × 2,000 characters: 10 MB of text of 20 KB."""
    process = Process()
    thread = process.thread("main")
    for at in range(5_000):
        thread.log(at, "shader compile failed; " * 90, level=3)
    block = only_block(process)
    (batch,) = slices(block, "logs")
    assert batch.num_rows == 5_000
    assert set(batch.column("msg").to_pylist()) == {"shader compile failed; " * 90}


def test_messages_of_any_length_come_in_batches_of_bounded_text() -> None:
    process = Process()
    thread = process.thread("main")
    for at in range(2_000):
        thread.log(at, "x" * 100_000 + "%d", at)
    batches = slices(only_block(process), "logs")
    assert sum(batch.num_rows for batch in batches) == 2_000
    assert len(batches) > 10
    assert all(text_of(batch, "msg") < TEXT + (1 << 20) for batch in batches)
    last = batches[-1].column("msg").slice(batches[-1].num_rows - 1).to_pylist()
    assert last == ["x" * 100_000 + "1999"]


@pytest.mark.parametrize("kind", ["logs", "metrics"])
def test_a_long_value_in_many_property_sets_is_read(kind: str) -> None:
    """The value is stored once; as JSON it is in each of the sets."""
    process = Process()
    thread = process.thread("main")
    shared = "/a/long/path" * 1_000
    for at in range(3_000):
        properties = {"frame": str(at), "map": shared}
        if kind == "logs":
            thread.log(at, "hit", properties=properties)
        else:
            thread.metric(at, "hits", at, properties=properties)
    batches = slices(only_block(process), kind)
    assert sum(batch.num_rows for batch in batches) == 3_000
    assert len(batches) > 1
    assert all(text_of(batch, "properties") < TEXT + (1 << 20) for batch in batches)
    texts = [text for batch in batches for text in batch.column("properties").to_pylist()]
    assert texts[0] == f'{{"frame":"0","map":"{shared}"}}'
    assert len(set(texts)) == 3_000


@pytest.mark.parametrize("kind", ["logs", "metrics", "spans", "async"])
def test_long_names_that_many_sites_share_are_read(kind: str) -> None:
    process = Process()
    thread = process.thread("t" * 5_000)
    long = "n" * 20_000
    for line in range(1_000):
        at = 10 * line
        if kind == "logs":
            thread.log(at, "short", target=long, file=long, line=line)
        elif kind == "metrics":
            thread.metric(at, f"m{line}", line, target=long)
        elif kind == "spans":
            thread.span("short", at, at + 5, target=long, file=long, line=line)
        else:
            thread.async_end(at + 5, thread.async_begin(at, "short", target=long, file=long, line=line))
    batches = slices(only_block(process), kind)
    assert sum(batch.num_rows for batch in batches) == (2_000 if kind == "async" else 1_000)
    assert batches[0].column("target").dictionary.to_pylist() == [long]


def many_rows(kind: str, rows: int) -> Block:
    """A block of so many rows, all alike, made of a small one by repeating its columns."""
    cls = {"logs": 1, "metrics": 2, "spans": 3}[kind]
    small = a_block(cls)
    per_row = {20, 21, 22, 23, 25, 26, 40, 41, 42}

    def grow(columns: list[tuple[int, int, int, bytes]]) -> None:
        for at, (column, encoding, count, content) in enumerate(columns):
            if column in per_row and count:
                rest = bytes(rows - 1) if column == c.SPAN_DEPTH else content * (rows - 1)
                columns[at] = (column, encoding, rows, content + rest)

    data = rebuild(small, grow)
    head = bytearray(data[: len(small.head)])
    for offset in (BLOCK_HEADER.size + 24, BLOCK_HEADER.size + 40, 112):  # the thread's rows and events, the block's
        head[offset : offset + 8] = rows.to_bytes(8, "little")
    small.data = seal(bytes(head), data[len(small.head) :][: reader.read_head(data).raw_size])
    return small


@pytest.mark.parametrize("kind", ["logs", "metrics", "spans"])
def test_many_rows_come_in_batches_of_bounded_rows_and_are_those_of_the_block(kind: str) -> None:
    rows = 3 * (1 << 18) + 5 if kind != "logs" else 3 * (1 << 17) + 5
    block = many_rows(kind, rows)
    batches = slices(block, kind)
    assert [batch.num_rows for batch in batches] == [ROWS] * (rows // ROWS) + [5]
    read = {"logs": reader.read_logs, "metrics": reader.read_metrics, "spans": reader.read_spans}[kind]
    whole = pa.Table.from_batches([read(*split(block.data))])
    assert pa.Table.from_batches(batches).unify_dictionaries().equals(whole.unify_dictionaries())


def test_no_row_of_a_block_that_is_wrong_at_its_end_comes_out() -> None:
    block = many_rows("logs", 3 * (1 << 17))
    types = [1] * (3 * (1 << 17) - 1) + [7]
    block.raw = bytes(split(block.data)[1])
    damaged = stored([rebuild(block, replaced(c.LOG_TYPES, types))])
    assert sum(batch.num_rows for batch in damaged.rows("logs", None)) == 0
    assert "arguments" in str(damaged.failed[0])


def batches_of(count: int, rows: int) -> Iterator[pa.RecordBatch]:
    for _ in range(count):
        texts = pa.array(["a text"] * rows).dictionary_encode()
        yield pa.record_batch({"n": pa.array(range(rows), pa.int64()), "text": texts})


def test_the_cache_keeps_columns_of_several_batches_and_its_limit() -> None:
    cache = ColumnCache(200_000)
    keys = [("logs", reader.block_id(Process().process_id, 1, number), 1) for number in range(20)]
    for key in keys:
        assert len(list(cache.keep(key, batches_of(2, 1_000), lambda: False))) == 2
        assert cache.size <= 200_000
    kept = cache.get(keys[-1], ["text", "n"])
    assert kept is not None
    assert kept.column_names == ["text", "n"]
    assert [batch.num_rows for batch in kept.to_batches()] == [1_000, 1_000]
    assert cache.get(keys[-1], ["n", "other"]) is None
    assert cache.get(keys[0], ["n"]) is None
    assert len(list(cache.keep(keys[0], batches_of(50, 1_000), lambda: False))) == 50
    assert cache.get(keys[0], ["n"]) is None
    stopped = cache.keep(keys[1], batches_of(2, 1_000), lambda: False)
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    assert cache.get(keys[1], ["n"]) is None


def test_the_cache_counts_what_columns_take() -> None:
    """Memory that Arrow itself says is allocated, and of native batches what the process has."""
    cache = ColumnCache(1 << 30)
    before = pa.total_allocated_bytes()
    for number in range(20):
        key = ("logs", reader.block_id(Process().process_id, 1, number), 1)
        list(cache.keep(key, batches_of(4, 10_000), lambda: False))
    taken = pa.total_allocated_bytes() - before
    assert 0.9 * taken <= cache.size <= 1.2 * taken
