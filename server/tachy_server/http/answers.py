"""A query's batches as the bytes that HTTP answers with: JSON text, or an Arrow stream.

Workers make them; the front passes them on.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator

import pyarrow as pa

from tachy_server.base.errors import error_text
from tachy_server.base.message_sizes import pieces
from tachy_server.http.json_rows import dumps, row_texts, schema_json


def arrow(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Generator[tuple[int, list[bytes]], None, None]:
    """An Arrow IPC stream, in parts with their rows."""
    out = io.BytesIO()

    def taken() -> list[bytes]:
        data = out.getvalue()
        out.seek(0)
        out.truncate()
        return [data]

    with pa.ipc.new_stream(out, schema) as writer:
        for batch in batches:
            for piece in pieces(batch):
                writer.write_batch(piece)
                yield piece.num_rows, taken()
    yield 0, taken()


def json(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Generator[tuple[int, list[bytes]], None, None]:
    """{"schema": […], "rows": [[…], …], "row_count": n}, and "error" where a query fails on its way."""
    first = next(batches, None)  # errors before the first row still get a status of their own
    yield 0, [f'{{"schema":{dumps(schema_json(schema))},"rows":['.encode()]
    count, error = 0, ""
    try:
        while first is not None:
            for rows, text in row_texts(first):
                yield rows, [((",\n" if count else "\n") + text).encode()]
                count += rows
            first = next(batches, None)
    except Exception as failure:
        error = f',"error":{dumps(error_text(failure))}'
    yield 0, [f'\n],"row_count":{count}{error}}}\n'.encode()]
