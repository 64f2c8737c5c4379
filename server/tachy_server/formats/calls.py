"""The native call tree: blocks of spans in, where the time went out (native/include/tachy/reader.h, "Call trees")."""

from __future__ import annotations

from functools import partial
from typing import Final

import pyarrow as pa

from tachy_server.base.errors import FormatError, LimitError
from tachy_server.formats._reader import ffi, lib
from tachy_server.formats.native import check_status, record_batch
from tachy_server.formats.stored_blocks import StoredBlocks

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
_NAMES: Final = pa.dictionary(pa.int32(), pa.utf8())
SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.int64()),
        pa.field("parent", pa.int64()),
        pa.field("depth", pa.uint32()),
        pa.field("thread_name", _NAMES),
        pa.field("name", _NAMES),
        pa.field("path", pa.utf8()),
        pa.field("calls", pa.int64()),
        pa.field("total", pa.int64()),
        pa.field("self", pa.int64()),
        pa.field("longest", pa.int64()),
        pa.field("outermost", pa.int64()),
    ]
)
"""Columns of `CallTree.batch`, as reader.h explains them; times are nanoseconds."""


class CallTree:
    """Spans of one process, added up by the names on the way to them. Times are UTC nanoseconds."""

    def __init__(self, begin: int | None, end: int | None, thread: str | None = None) -> None:
        """Only what lies in [begin, end] counts (None: no bound), and only threads of this name."""
        name = None if thread is None else thread.encode()
        calls = lib.tachy_calls_new(
            _INT64_MIN if begin is None else begin,
            _INT64_MAX if end is None else end,
            ffi.NULL if name is None else ffi.from_buffer(name),
            len(name or b""),
        )
        if calls == ffi.NULL:
            raise MemoryError
        self._calls = ffi.gc(calls, lib.tachy_calls_free)
        self._error = ffi.new("tachy_read_error *")

    def add(self, stored: StoredBlocks) -> None:
        """Blocks, the latest first."""
        for _ in stored.walk(partial(lib.tachy_calls_add, self._calls)):
            pass

    def batch(self) -> pa.RecordBatch:
        """The tree, with the columns of SCHEMA, callers before what they call. Raises LimitError: it is too large."""
        schema, array = ffi.new("struct ArrowSchema *"), ffi.new("struct ArrowArray *")
        try:
            check_status(lib.tachy_calls_batch(self._calls, schema, array, self._error), self._error)
        except FormatError as error:
            raise LimitError(str(error)) from None
        return record_batch(schema, array)
