"""The native call tree: blocks of spans in, where the time went out (native/include/tachy/reader.h, "Call trees")."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

from tachy_server.base.errors import FormatError, LimitError
from tachy_server.formats._reader import ffi, lib

Buffer = bytes | bytearray | memoryview

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

    def add(self, head: Buffer, body: Buffer) -> None:
        """A block: its head as it lies in the block, its body decompressed. Blocks come latest first.

        Raises FormatError where the block is damaged.
        """
        with ffi.from_buffer(head) as h, ffi.from_buffer(body) as b:
            self._check(lib.tachy_calls_add(self._calls, h, len(h), b, len(b), self._error), FormatError)

    def batch(self) -> pa.RecordBatch:
        """The tree, with the columns of SCHEMA, callers before what they call. Raises LimitError: it is too large."""
        schema, array = ffi.new("struct ArrowSchema *"), ffi.new("struct ArrowArray *")
        self._check(lib.tachy_calls_batch(self._calls, schema, array, self._error), LimitError)
        return pa.RecordBatch._import_from_c(int(ffi.cast("uintptr_t", array)), int(ffi.cast("uintptr_t", schema)))

    def _check(self, status: Any, kind: type[Exception]) -> None:
        if status == lib.TACHY_ERROR_MEMORY:
            raise MemoryError("not enough memory for the call tree")
        if status == lib.TACHY_ERROR_FORMAT:
            raise kind(ffi.string(self._error.message).decode())
        assert status == lib.TACHY_OK
