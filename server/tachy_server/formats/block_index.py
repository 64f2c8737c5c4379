"""Block indexes: where the blocks of segments are and what their heads say, packed (docs/format.md, "Segments").

Native code packs them, and finds in those of many segments at once what a query wants (native/include/tachy/reader.h).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import pyarrow as pa

from tachy_server.formats._reader import ffi, lib
from tachy_server.formats.native import Readable, check_status, record_batch, view_of

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1


class IndexWriter:
    """Packs the heads of one segment's blocks."""

    def __init__(self) -> None:
        made = lib.tachy_index_new()
        if made == ffi.NULL:
            raise MemoryError
        self._index = ffi.gc(made, lib.tachy_index_free)
        self._error = ffi.new("tachy_read_error *")

    def process(self, process_id: UUID) -> None:
        """Whose the blocks are that come next; it may come more than once."""
        check_status(lib.tachy_index_process(self._index, process_id.bytes, self._error), self._error)

    def block(self, head: Readable, offset: int) -> None:
        """A block, by its checked head, and where it lies in the segment."""
        with view_of(head) as view:
            check_status(lib.tachy_index_block(self._index, view, len(view), offset, self._error), self._error)

    def bytes(self) -> bytes:
        """The index."""
        size = ffi.new("uint64_t *")
        found = lib.tachy_index_bytes(self._index, size)
        if found == ffi.NULL:
            raise MemoryError
        return bytes(ffi.buffer(found, size[0]))


def select(
    indexes: Sequence[Readable],
    cls: int = 0,
    *,
    threads: bool = False,
    begin: int | None = None,
    end: int | None = None,
    process_ids: Collection[UUID] | None = None,
    stream_ids: Collection[UUID] | None = None,
    block_ids: Collection[UUID] | None = None,
    limit: int | None = None,
) -> pa.RecordBatch:
    """The blocks in segments' indexes that satisfy the conditions (None: no condition), ordered by process, class (0:
    all) and sequence; the columns are those of reader.h. `threads`: a row for each thread of a block.

    Of one identity only the block in the last index is there. Raises FormatError where an index is damaged.
    """
    views = [view_of(index) for index in indexes]
    filter_ = ffi.new("tachy_index_filter *")
    filter_.cls, filter_.threads, filter_.limit = cls, threads, limit or 0
    filter_.begin_utc = _INT64_MIN if begin is None else max(begin, _INT64_MIN)
    filter_.end_utc = _INT64_MAX if end is None else min(end, _INT64_MAX)
    kept = []
    for name, ids in (("process", process_ids), ("stream", stream_ids), ("block", block_ids)):
        if ids is not None:
            kept.append(ffi.from_buffer(b"".join(sorted(one.bytes for one in ids)) or b"\0"))
            setattr(filter_, f"{name}_ids", ffi.cast("uint8_t *", kept[-1]))
            setattr(filter_, f"{name}_count", len(ids))
    schema, array = ffi.new("struct ArrowSchema *"), ffi.new("struct ArrowArray *")
    error = ffi.new("tachy_read_error *")
    pointers = ffi.new("void *[]", [ffi.cast("void *", view) for view in views])
    sizes = ffi.new("uint64_t[]", [len(view) for view in views])
    check_status(lib.tachy_index_select(len(views), pointers, sizes, filter_, schema, array, error), error)
    return record_batch(schema, array)


def texts_of_ids(ids: pa.FixedSizeBinaryArray) -> pa.StringArray:
    """The ids of such rows as text, at a third of what UUIDs take."""
    digits = [one.hex() for one in ids.to_pylist()]
    return pa.array([f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}" for d in digits], pa.utf8())
