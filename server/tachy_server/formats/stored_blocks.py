"""Many whole blocks as they come from the store: checked by one native call, decompressed by another, then read."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from tachy_server.base.errors import FormatError
from tachy_server.formats._reader import ffi, lib
from tachy_server.formats.native import Readable, check_status, view_of
from tachy_server.formats.reader import Limits, decompress, zstd
from tachy_server.formats.rows import read_rows

_CODEC: Final = ffi.offsetof("tachy_block_header", "codec")
_STORED_SIZE: Final = ffi.offsetof("tachy_block_header", "stored_size")


class StoredBlocks:
    """Blocks whose bytes are there. `failed`: by number, those that cannot be read, and why."""

    def __init__(
        self, addresses: pa.Array, sizes: pa.Array, hashes: pa.Array | None, limits: Limits, owners: object
    ) -> None:
        """Checks and decompresses all of them. Where each lies in memory that `owners` owns (0: nowhere, it is passed
        over), how many bytes are there, and the header hash that it must have (none: whatever it has): arrays of int64.
        """
        count = len(addresses)
        self.failed: dict[int, FormatError] = {}
        self._head_sizes, self._body_sizes = ffi.new("uint64_t[]", count), ffi.new("uint64_t[]", count)
        self._heads, self._bodies = _pointer("void **", addresses), ffi.new("void *[]", count)
        self._owners: list[object] = [owners, addresses]
        fields = (count, self._heads, self._head_sizes, self._bodies, self._body_sizes)
        self._blocks = ffi.new("tachy_blocks *", fields)
        frames = bytearray(pc.sum(sizes).as_py() or 0)
        segments, raw_sizes, numbers, others = (ffi.new("uint64_t[]", count * width) for width in (2, 1, 1, 1))
        bounds = ffi.new("tachy_block_limits *", (limits.rows, limits.raw_bytes, limits.expansion))
        with ffi.from_buffer("uint8_t[]", frames) as room:
            packed = ffi.new("tachy_packed *", (room, segments, raw_sizes, numbers, 0, others, 0))
            sizes_at = _pointer("uint64_t *", sizes)
            hashes_at = ffi.NULL if hashes is None else _pointer("uint64_t *", hashes)
            for _ in self.walk(
                lambda blocks, at, error: lib.tachy_blocks_check(blocks, sizes_at, hashes_at, bounds, packed, at, error)
            ):
                pass
        self._unpack(packed, frames)
        for index in range(packed.other_count):
            self._decompress(others[index])

    @classmethod
    def of(cls, blocks: Sequence[Readable], limits: Limits) -> StoredBlocks:
        """The same of whole blocks, each in memory of its own."""
        views = [view_of(block) for block in blocks]
        addresses = [int(ffi.cast("uintptr_t", view)) for view in views]
        return cls(pa.array(addresses, pa.int64()), pa.array(map(len, views), pa.int64()), None, limits, views)

    @property
    def native(self) -> Any:
        """All of them as tachy_blocks, while this lives."""
        return self._blocks

    def walk(self, step: Callable[[Any, Any, Any], int]) -> Iterator[None]:
        """Calls a native function with (tachy_blocks, number, error) until it has been through all of them. It stops at
        one that it cannot read, which is noted, and wherever else it likes.
        """
        at, error = ffi.new("uint64_t *"), ffi.new("tachy_read_error *")
        while at[0] < self._blocks.count:
            try:
                check_status(step(self._blocks, at, error), error)
            except FormatError as failure:
                self.failed[at[0]] = failure.with_traceback(None)  # which has this frame, and so these blocks
                at[0] += 1
            yield

    def _unpack(self, packed: Any, frames: bytearray) -> None:
        """All in zstd by one call; where one of them is damaged, each by itself says whether it is."""
        count, sizes = packed.count, bytes(ffi.buffer(packed.raw_sizes, packed.count * 8))
        if not count:
            return
        given = zstandard.BufferWithSegments(frames, bytes(ffi.buffer(packed.segments, count * 16)))
        try:
            made = zstd().multi_decompress_to_buffer(given, decompressed_sizes=sizes)
        except (zstandard.ZstdError, ValueError):
            for index in range(count):
                self._decompress(packed.numbers[index])
            return
        self._owners.append(made)
        ends = pc.cumulative_sum(pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(sizes)]))
        first = 0
        while first < count:  # it uses several buffers, and does not say which is where
            start = _place(made[first]) - (ends[first - 1].as_py() if first else 0)
            behind = range(first, count)
            end = first + bisect.bisect_left(
                behind, True, key=lambda at: _place(made[at]) != start + (ends[at - 1].as_py() if at else 0)
            )
            lib.tachy_blocks_unpacked(self._blocks, packed, first, end, ffi.from_buffer(made[first]))
            first = end

    def _decompress(self, number: int) -> None:
        head = memoryview(ffi.buffer(ffi.cast("char *", self._heads[number]), self._head_sizes[number]))
        size = int.from_bytes(head[_STORED_SIZE : _STORED_SIZE + 8], "little")
        stored = memoryview(ffi.buffer(ffi.cast("char *", self._heads[number]) + len(head), size))
        try:
            body = ffi.from_buffer(decompress(head[_CODEC], stored, self._body_sizes[number]))
        except FormatError as error:
            self.failed[number] = error.with_traceback(None)
            return
        self._owners.append(body)
        self._bodies[number] = body

    def rows(
        self, kind: str, columns: Sequence[str] | None, *, begin: int | None = None, end: int | None = None,
        stream_ids: Collection[UUID] | None = None, open_ends: bytes | None = None, only: int | None = None,
    ) -> Iterator[pa.RecordBatch]:  # fmt: skip
        """As rows.read_rows, of all blocks or the one of this number; a block that fails is noted among `failed`."""
        blocks, first = self._blocks, 0
        if only is not None:
            places = (self._heads + only, self._head_sizes + only, self._bodies + only, self._body_sizes + only)
            blocks, first = ffi.new("tachy_blocks *", (1, *places)), only
        yield from read_rows(  # and not returned: this has to live as long
            kind, blocks, columns, begin=begin, end=end, stream_ids=stream_ids, open_ends=open_ends,
            failed=lambda number, error: self.failed.__setitem__(first + number, error),
        )  # fmt: skip


def _pointer(kind: str, array: pa.Array) -> Any:
    """To the values of an array of int64."""
    return ffi.cast(kind, array.buffers()[1].address + array.offset * 8)


def _place(segment: Any) -> int:
    return int(ffi.cast("uintptr_t", ffi.from_buffer(segment)))
