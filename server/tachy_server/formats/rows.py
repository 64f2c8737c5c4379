"""Rows of many blocks as record batches: one native reader for all of them ("Decoding to Arrow" in reader.h).

Times are UTC nanoseconds. Native calls release the GIL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

from tachy_server.base.errors import FormatError
from tachy_server.formats._reader import ffi, lib
from tachy_server.formats.native import check_status, record_batch

ROWS: Final = 65_536
"""Of a batch, at most: larger ones fall out of the processor's caches."""
_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
_KINDS: Final = {
    "logs": lib.TACHY_READ_LOGS,
    "metrics": lib.TACHY_READ_METRICS,
    "spans": lib.TACHY_READ_SPANS,
    "async": lib.TACHY_READ_ASYNC,
    "open_async": lib.TACHY_READ_OPEN_ASYNC,
    "images": lib.TACHY_READ_IMAGES,
    "span_times": lib.TACHY_READ_SPAN_TIMES,
}

Failed = Callable[[int, FormatError], None]
"""Hears which block cannot be read, and why."""


def raise_it(number: int, error: FormatError) -> None:
    """For one block that has to be readable."""
    raise error


def read_rows(
    kind: str, blocks: Any, columns: Sequence[str] | None = None, *, begin: int | None = None, end: int | None = None,
    stream_ids: Collection[UUID] | None = None, open_ends: bytes | None = None, rows: int = ROWS,
    failed: Failed = raise_it,
) -> Iterator[pa.RecordBatch]:  # fmt: skip
    """The rows of a `kind` (a key of _KINDS) in `blocks`, which point to what the caller keeps, with these columns of
    reader.h; only those that overlap [begin, end], of these streams.

    Batches of `rows` rows, but for the last one and where texts are long; one at least. 0: all in one. `open_ends` has
    a byte for each block: 1 to add the spans that are open at its end. A block that cannot be read is passed over.
    """
    names = None if columns is None else [ffi.new("char[]", name.encode()) for name in columns]
    streams = None if stream_ids is None else b"".join(sorted(one.bytes for one in stream_ids))
    pointers = ffi.NULL if names is None else ffi.new("char *[]", names)
    options = ffi.new(
        "tachy_read_options *",
        {
            "kind": _KINDS[kind],
            "begin_utc": _INT64_MIN if begin is None else max(begin, _INT64_MIN),
            "end_utc": _INT64_MAX if end is None else min(end, _INT64_MAX),
            "stream_count": 0 if streams is None else len(streams) // 16,
            "stream_ids": ffi.NULL if streams is None else ffi.from_buffer("uint8_t[]", streams or b"\0"),
            "open_end": ffi.NULL if open_ends is None else ffi.from_buffer("uint8_t[]", open_ends),
            "column_count": 0 if names is None else len(names),
            "columns": pointers,
            "rows": rows,
        },
    )
    out, error = ffi.new("tachy_reader **"), ffi.new("tachy_read_error *")
    check_status(lib.tachy_reader_open(blocks, options, out, error), error)
    opened = ffi.gc(out[0], lib.tachy_reader_free)
    more, block = ffi.new("int *", 1), ffi.new("uint64_t *")
    while more[0]:
        schema, array = ffi.new("struct ArrowSchema *"), ffi.new("struct ArrowArray *")
        status = lib.tachy_reader_next(opened, schema, array, block, more, error)
        if status == lib.TACHY_ERROR_FORMAT:
            failed(int(block[0]), FormatError(ffi.string(error.message).decode(errors="replace")))
            continue
        check_status(status, error)
        yield record_batch(schema, array)
    del names, streams, open_ends, blocks
