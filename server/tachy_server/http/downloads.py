"""Results as files: CSV and Parquet, streamed. Times are RFC 3339 in UTC in CSV, as in JSON."""

from __future__ import annotations

import csv as csv_writer
import io
from collections.abc import Generator, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tachy_server.http.json_rows import dumps, values

Chunk = tuple[int, list[bytes]]
"""Rows, and the bytes of a part."""


def csv(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Generator[Chunk, None, None]:
    """RFC 4180 with a header line; NULL is empty, lists and structs are JSON."""
    out = io.StringIO(newline="")
    writer = csv_writer.writer(out)
    writer.writerow(schema.names)
    for batch in batches:
        for row in zip(*map(values, batch.columns), strict=True):
            writer.writerow(map(_cell, row))
        yield batch.num_rows, [_taken(out).encode()]
    yield 0, [_taken(out).encode()]


def parquet(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Generator[Chunk, None, None]:
    """One file; a row group for each batch that the engine makes."""
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch], schema))
            yield batch.num_rows, [sink.taken()]
    yield 0, [sink.taken()]


class _Sink(io.RawIOBase):
    """A file that is taken away while it is written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """It is for nothing else."""
        return True

    def write(self, data: Any) -> int:
        """Keeps the bytes until they are taken."""
        self._pieces.append(bytes(data))
        self._size += len(self._pieces[-1])
        return len(self._pieces[-1])

    def tell(self) -> int:
        """What has been written, taken or not."""
        return self._size

    def taken(self) -> bytes:
        """What was written since the last time."""
        data, self._pieces = b"".join(self._pieces), []
        return data


def _taken(out: io.StringIO) -> str:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return dumps(value) if isinstance(value, list | dict) else value
