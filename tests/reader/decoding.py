"""The C reader's answer as the model's rows, so that the two can be compared with ==."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from tachy_server.formats import reader
from tachy_server.formats.stored_blocks import StoredBlocks

from tests.model import rows


def split(block: bytes) -> tuple[bytes, Any]:
    """Head, and body as it was before compression."""
    head = reader.check_block(block)
    stored = memoryview(block)[head.header_size :][: head.stored_size]
    return block[: head.header_size], reader.decompress(head.codec, stored, head.raw_size)


def stored(blocks: Sequence[bytes], limits: reader.Limits | None = None) -> StoredBlocks:
    """The blocks as if they had just been read."""
    return StoredBlocks.of(blocks, limits or reader.Limits())


def dicts(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows as dictionaries, times as integers."""
    batch.validate(full=True)
    columns = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        is_time = pa.types.is_timestamp(field.type)
        columns[field.name] = column.cast(pa.int64()).to_pylist() if is_time else column.to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def numbers(block: bytes) -> list[int]:
    """Thread numbers by index."""
    return [thread.number for thread in reader.read_head(block).threads]


def read_spans(block: bytes, **options: Any) -> list[rows.Span]:
    """Ticks are not in the answer: 0."""
    thread = numbers(block)
    out = []
    for row in dicts(reader.read_spans(*split(block), **options)):
        assert row["duration"] == row["end"] - row["begin"]
        out.append(
            rows.Span(
                thread[row["thread"]], row["id"], row["parent"], row["depth"], 0, 0, row["begin"], row["end"],
                row["name"], row["target"], row["filename"], row["line"], row["is_open"],
                json.loads(row["properties"]),
            )
        )  # fmt: skip
    return out


def read_async(block: bytes, **options: Any) -> list[rows.Async]:
    thread = numbers(block)
    return [
        rows.Async(
            thread[row["thread"]], 0, row["time"], row["event_type"] == "begin", row["span_id"], row["parent_span_id"],
            row["depth"], row["name"], row["target"], row["filename"], row["line"], json.loads(row["properties"]),
        )
        for row in dicts(reader.read_async(*split(block), **options))
    ]  # fmt: skip


def read_open_async(block: bytes) -> list[rows.OpenAsync]:
    return [
        rows.OpenAsync(
            row["thread_number"], row["begin"], row["span_id"], row["parent_span_id"], row["depth"], row["name"],
            row["target"], row["filename"], row["line"], json.loads(row["properties"]),
        )
        for row in dicts(reader.read_open_async(*split(block)))
    ]  # fmt: skip


def read_metrics(block: bytes, **options: Any) -> list[rows.Metric]:
    thread = numbers(block)
    return [
        rows.Metric(
            thread[row["thread"]], 0, row["time"], row["target"], row["name"], row["unit"], row["value"],
            json.loads(row["properties"]), row["kind"],
        )
        for row in dicts(reader.read_metrics(*split(block), **options))
    ]  # fmt: skip


def read_logs(block: bytes, **options: Any) -> list[tuple[rows.Log, str]]:
    """Each with its message; format and arguments are not in the answer: empty."""
    thread = numbers(block)
    return [
        (
            rows.Log(
                thread[row["thread"]], 0, row["time"], row["target"], row["level"], "", (),
                json.loads(row["properties"]), row["filename"], row["line"],
            ),
            row["msg"],
        )
        for row in dicts(reader.read_logs(*split(block), **options))
    ]  # fmt: skip
