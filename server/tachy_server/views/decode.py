"""Blocks to record batches of a view: native code decodes, what is constant is added as dictionaries of one value.

Nothing here loops over events. The cost of a block is its decompression and decoding, both without the GIL.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.errors import FormatError
from tachy_server.formats import reader
from tachy_server.views.declarations import TIME, View
from tachy_server.views.sources import NOBODY, ProcessInfo

if TYPE_CHECKING:
    from tachy_server.lake.blocks import BlockRow
    from tachy_server.lake.lake import Stored


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a block is wanted: times (inclusive, None: all), streams (None: all), spans still open at its end."""

    begin: int | None = None
    end: int | None = None
    stream_ids: frozenset[UUID] | None = None
    open_end: bool = False


@dataclass(frozen=True, slots=True)
class Decoded:
    """A block's threads and a slice of its rows, as reader.h gives them."""

    threads: tuple[reader.BlockThread, ...]
    raw: pa.RecordBatch


_THREAD_BYTES: Final = 700
"""Of a BlockThread with its numbers."""
_SHARE: Final = 4
"""No block takes more than this part of the cache: while it is read, its slices are held beside what the cache has."""


class BlockCache:
    """The most recently used blocks, decoded, up to `capacity` bytes. Blocks never change, so nothing is stale."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._entries: OrderedDict[tuple[str, UUID, int], tuple[Decoded, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, UUID, int]) -> tuple[Decoded, ...] | None:
        """The block's slices, if it is here."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def keep(self, key: tuple[str, UUID, int], slices: Iterator[Decoded]) -> Iterator[Decoded]:
        """The slices of a whole block, which is kept once they all have been taken, unless it is too large."""
        taken: list[Decoded] = []
        for decoded in slices:
            taken.append(decoded)
            if _size(taken) > self._capacity // _SHARE:
                break
            yield decoded
        else:
            self._put(key, tuple(taken))
            return
        del taken
        yield decoded
        yield from slices

    def _put(self, key: tuple[str, UUID, int], slices: tuple[Decoded, ...]) -> None:
        with self._lock:
            self._size += _size(slices) - _size(self._entries.pop(key, ()))
            self._entries[key] = slices
            while self._size > self._capacity:
                self._size -= _size(self._entries.popitem(last=False)[1])

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size


def _size(slices: Sequence[Decoded]) -> int:
    """Bytes of memory; the threads are the same in all of them."""
    threads = len(slices[0].threads) if slices else 0
    size: int = sum(decoded.raw.nbytes for decoded in slices)
    return size + threads * _THREAD_BYTES


def decode_block(
    view: View,
    row: BlockRow,
    data: Stored,
    wanted: Wanted,
    columns: Sequence[str],
    process: ProcessInfo | None,
    limits: reader.Limits,
    cache: BlockCache | None = None,
) -> Iterator[pa.RecordBatch]:
    """The wanted rows of a block, with these columns of the view (none at all: batches that only have a length).

    `data` is the block as stored. Batches are of bounded size (reader.h). Raises FormatError, before it returns, when
    the block cannot be read.
    """
    decoded = _decode(view, row, data, wanted, limits, cache)
    return (_project(view, row, one, columns, process or NOBODY) for one in decoded)


def _project(
    view: View, row: BlockRow, decoded: Decoded, columns: Sequence[str], process: ProcessInfo
) -> pa.RecordBatch:
    if not columns:
        return lengthy(len(decoded.raw))
    source = _Source(view, row, decoded, process)
    arrays = [source.column(name) for name in columns]
    schema = pa.schema([pa.field(name, view.column(name).type) for name in columns])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def open_block(row: Any, data: Stored, limits: reader.Limits) -> tuple[reader.BlockHead, memoryview, reader.Readable]:
    """A block's head, the bytes of its head, and its body. Raises FormatError, also when it is another block's."""
    if isinstance(data, FormatError):
        raise data
    head = reader.check_block(data)
    if (head.process_id, head.cls, head.sequence, head.sequences) != (
        row.process_id,
        row.cls,
        row.sequence,
        row.sequences,
    ):
        raise FormatError("another block lies where this one was stored")
    limits.check(head)
    stored = data[head.header_size : head.header_size + head.stored_size]
    return head, data[: head.header_size], reader.decompress(head.codec, stored, head.raw_size)


def lengthy(count: int) -> pa.RecordBatch:
    """A batch without columns."""
    return pa.RecordBatch.from_struct_array(pa.StructArray.from_buffers(pa.struct([]), count, [None]))


def constant(text: str, count: int) -> pa.DictionaryArray:
    """`count` times the same text, in 4 bytes each that all share."""
    return pa.DictionaryArray.from_arrays(_zeros(count), pa.array([text], pa.utf8()))


def _decode(
    view: View, row: BlockRow, data: Stored, wanted: Wanted, limits: reader.Limits, cache: BlockCache | None
) -> Iterator[Decoded]:
    key = (view.name, row.block_id, row.sequences)
    if cache is not None and not wanted.open_end:
        cached = cache.get(key)
        if cached is not None:
            return (Decoded(one.threads, _cut(view, row, one, wanted)) for one in cached)
    head, front, body = open_block(row, data, limits)
    numbers = _numbers(row, head.threads, wanted)
    # Threads are numbered from 1, so 0 is none of them. The native filter takes one; more are left to the predicate.
    thread = None if numbers is None or len(numbers) > 1 else (numbers or [0])[0]
    begin = wanted.begin if wanted.begin is not None and wanted.begin > row.begin_time else None
    end = wanted.end if wanted.end is not None and wanted.end < row.end_time else None
    if wanted.open_end:
        begin, end = wanted.begin, wanted.end
    slices = reader.slices(view.rows, front, body, begin=begin, end=end, thread=thread, open_end=wanted.open_end)
    decoded = (Decoded(head.threads, raw) for raw in slices)
    if cache is not None and thread is None and begin is None and end is None and not wanted.open_end:
        return cache.keep(key, decoded)
    return decoded


def _numbers(row: BlockRow, threads: Sequence[reader.BlockThread], wanted: Wanted) -> list[int] | None:
    """Numbers of the threads whose streams are wanted; None for all."""
    if wanted.stream_ids is None:
        return None
    numbers = [
        thread.number
        for thread in threads
        if reader.stream_id(row.process_id, row.cls, thread.number) in wanted.stream_ids
    ]
    return None if len(numbers) == len(threads) else numbers


def _cut(view: View, row: BlockRow, decoded: Decoded, wanted: Wanted) -> pa.RecordBatch:
    """What of a whole block is wanted."""
    raw, masks = decoded.raw, []
    if wanted.begin is not None and wanted.begin > row.begin_time:
        masks.append(pc.greater_equal(raw.column(view.time[-1]), pa.scalar(wanted.begin, TIME)))
    if wanted.end is not None and wanted.end < row.end_time:
        masks.append(pc.less_equal(raw.column(view.time[0]), pa.scalar(wanted.end, TIME)))
    numbers = _numbers(row, decoded.threads, wanted)
    if numbers is not None:
        indices = [index for index, thread in enumerate(decoded.threads) if thread.number in numbers]
        masks.append(pc.is_in(raw.column("thread"), pa.array(indices, pa.int32())))
    for mask in masks[1:]:
        masks[0] = pc.and_(masks[0], mask)
    return raw.filter(masks[0]) if masks else raw


class _Source:
    """Columns of one view for the rows of one block."""

    def __init__(self, view: View, row: BlockRow, decoded: Decoded, process: ProcessInfo) -> None:
        self.row, self.process, self.threads = row, process, decoded.threads
        self.raw, self.view = decoded.raw, view

    def column(self, name: str) -> pa.Array:
        make = _CONSTANTS.get(name)
        if make is not None:
            return constant(make(self), len(self.raw))
        if name == "stream_id":
            ids = [str(reader.stream_id(self.row.process_id, self.row.cls, thread.number)) for thread in self.threads]
            return self._of_thread(ids)
        if name == "thread_name":
            return self._of_thread([thread.name for thread in self.threads])
        if name == "insert_time":
            return pa.repeat(pa.scalar(self.row.insert_time, TIME), len(self.raw))
        array, wanted = self.raw.column(name), self.view.column(name).type
        return array if array.type == wanted else array.cast(wanted)

    def _of_thread(self, values: list[str]) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(self.raw.column("thread"), pa.array(values, pa.utf8()))


_CONSTANTS: Final[dict[str, Callable[[_Source], str]]] = {
    "process_id": lambda source: str(source.row.process_id),
    "block_id": lambda source: str(source.row.block_id),
    "exe": lambda source: source.process.exe,
    "username": lambda source: source.process.username,
    "computer": lambda source: source.process.computer,
    "process_properties": lambda source: source.process.properties,
}
PROCESS_COLUMNS: Final = frozenset({"exe", "username", "computer", "process_properties"})


def _zeros(count: int) -> pa.Array:
    return pa.Array.from_buffers(pa.int32(), count, [None, _zero_bytes(count * 4)])


_zero_lock = threading.Lock()
_zero_buffer: pa.Buffer | None = None


def _zero_bytes(size: int) -> pa.Buffer:
    """At least `size` zero bytes; one buffer that all columns share, as large as the largest so far."""
    global _zero_buffer
    with _zero_lock:
        if _zero_buffer is None or _zero_buffer.size < size:
            _zero_buffer = pa.py_buffer(bytes(max(size, 1 << 20)))
        return _zero_buffer
