"""Blocks to record batches of a view: native code decodes many of them at once, what they have in common is added.

Nothing here loops over events, nor over blocks. Reading, decompressing and decoding run without the GIL.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.errors import FormatError
from tachy_server.formats.rows import ROWS
from tachy_server.formats.stored_blocks import StoredBlocks
from tachy_server.lake import block_errors
from tachy_server.views.declarations import TIME, View
from tachy_server.views.sources import NOBODY, BlockSource, ProcessInfo

if TYPE_CHECKING:
    from tachy_server.formats.reader import Limits
    from tachy_server.lake.block_reads import BlocksRead
    from tachy_server.lake.blocks import BlockRow, Blocks


class OpensBlocks(Protocol):
    """What blocks are read from; `lake.Lake` is one."""

    limits: Limits

    def read(self, blocks: Blocks) -> Iterator[BlocksRead]:
        """Their bytes, as stored, many at a time; or why there are none."""

    def note_error(self, row: BlockRow, reason: str | None) -> None:
        """The block cannot be read because of this; None: it can, after all."""


LARGE: Final = 8192
"""Events of a block that is decoded by itself and may be cached; smaller ones are decoded many at a time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of blocks is wanted: times (inclusive, None: all), streams (None: all), of which blocks the spans that are
    open at the end.
    """

    begin: int | None = None
    end: int | None = None
    stream_ids: frozenset[UUID] | None = None
    open_ends: frozenset[UUID] = frozenset()


_SHARE: Final = 4
"""No block takes more than this part of the cache: while it is read, its columns are held beside what the cache has."""

_Key = tuple[str, UUID, int]


class ColumnCache:
    """The most recently used columns of large blocks, decoded, up to `capacity` bytes. Blocks never change, so nothing
    is stale.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._columns: OrderedDict[tuple[_Key, str], pa.ChunkedArray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key, names: Sequence[str]) -> pa.Table | None:
        """These columns of a block, if all of them are here."""
        with self._lock:
            if not names or any((key, name) not in self._columns for name in names):
                return None
            for name in names:
                self._columns.move_to_end((key, name))
            return pa.Table.from_arrays([self._columns[key, name] for name in names], list(names))

    def keep(
        self, key: _Key, batches: Iterator[pa.RecordBatch], failed: Mapping[int, FormatError]
    ) -> Iterator[pa.RecordBatch]:
        """The batches of a whole block, whose columns are kept once they all have been taken, unless they are too
        large, or the block has `failed` by then.
        """
        taken: list[pa.RecordBatch] = []
        size = 0
        for batch in batches:
            yield batch
            size += sum(map(memory_of, batch.columns))
            if size > self._capacity // _SHARE:
                del taken[:]
                yield from batches
                return
            taken.append(batch)
        for at, name in enumerate(taken[0].schema.names if taken and not failed else ()):
            self._put((key, name), pa.chunked_array([batch.column(at) for batch in taken]))

    def _put(self, key: tuple[_Key, str], column: pa.ChunkedArray) -> None:
        with self._lock:
            if key in self._columns:
                self._size -= memory_of(self._columns.pop(key))
            self._columns[key] = column
            self._size += memory_of(column)
            while self._size > self._capacity:
                self._size -= memory_of(self._columns.popitem(last=False)[1])

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size


_COLUMN_BYTES: Final = 500
"""Of an array with its buffers and its place in the cache, beside what they hold."""


def memory_of(column: pa.Array | pa.ChunkedArray) -> int:
    """Bytes that it takes, dictionaries included."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return sum(chunk.get_total_buffer_size() + _COLUMN_BYTES for chunk in chunks)


def decode(
    lake: BlockSource,
    view: View,
    blocks: Blocks,
    wanted: Wanted,
    columns: Sequence[str],
    processes: Mapping[UUID, ProcessInfo],
    cache: ColumnCache | None = None,
) -> Iterator[pa.RecordBatch]:
    """The wanted rows of the blocks, in their order, with these columns of the view (none at all: batches that only
    have a length), in batches of 65,536 rows but for the last one.

    A block that cannot be read is left out, and noted in the lake. Raises StoreError.
    """
    made = _Made(view, blocks, columns, processes)
    if cache is None or len(blocks) > 1 or blocks[0].block_id in wanted.open_ends:
        raw = _read(lake, view, blocks, wanted, made.native, {})
    else:
        raw = _through(cache, lake, view, blocks, wanted, made.native)
    return map(made.batch, raw)


def opened(lake: OpensBlocks, blocks: Blocks) -> Iterator[tuple[Blocks, StoredBlocks]]:
    """The blocks, as many at a time as are in memory together, checked and decompressed. What has failed when the next
    ones are asked for is noted in the lake.
    """
    for read in lake.read(blocks):
        given = read.blocks.columns
        stored = StoredBlocks(read.addresses, given.column("size"), given.column("hash"), lake.limits, read.buffers)
        stored.failed.update(read.lost)
        yield read.blocks, stored
        block_errors.note(lake, read.blocks, stored.failed)


def _read(
    lake: BlockSource,
    view: View,
    blocks: Blocks,
    wanted: Wanted,
    columns: Sequence[str],
    failed: dict[int, FormatError],
) -> Iterator[pa.RecordBatch]:
    """The rows of blocks; those that fail are added to `failed` by their places, before this ends."""
    before = 0
    for some, stored in opened(lake, blocks):
        ends = None
        if wanted.open_ends:
            ids = pa.array([one.bytes for one in wanted.open_ends], pa.binary(16))
            ends = pc.is_in(some.columns.column("block_id"), ids).cast(pa.uint8()).buffers()[1].to_pybytes()
        for batch in stored.rows(
            view.rows, columns, begin=wanted.begin, end=wanted.end, stream_ids=wanted.stream_ids, open_ends=ends
        ):
            yield _later(batch, before)
        failed.update({before + place: error for place, error in stored.failed.items()})
        before += len(some)


def _later(batch: pa.RecordBatch, before: int) -> pa.RecordBatch:
    """With the blocks' numbers among all, where so many were read before these."""
    at = batch.schema.get_field_index("block")
    if before == 0 or at < 0:
        return batch
    return batch.set_column(at, "block", pc.add(batch.column(at), pa.scalar(before, pa.int32())))


def _through(
    cache: ColumnCache, lake: BlockSource, view: View, blocks: Blocks, wanted: Wanted, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """One block: out of the cache, or into it where all of it is wanted."""
    row = blocks[0]
    key = (view.rows, row.block_id, row.sequences)
    begin = wanted.begin if wanted.begin is not None and (view.late or wanted.begin > row.begin_time) else None
    end = wanted.end if wanted.end is not None and (view.late or wanted.end < row.end_time) else None
    whole = begin is None and end is None and wanted.stream_ids is None
    bounds = [] if whole else [*view.time, "stream_id"]
    found = cache.get(key, list(dict.fromkeys([*columns, *bounds])))
    if found is None:
        failed: dict[int, FormatError] = {}
        raw = _read(lake, view, blocks, wanted, columns, failed)
        yield from cache.keep(key, raw, failed) if whole and columns else raw
        return
    for batch in found.to_batches(max_chunksize=ROWS):
        masks = []
        if begin is not None:
            masks.append(pc.greater_equal(batch.column(view.time[-1]), pa.scalar(begin, TIME)))
        if end is not None:
            masks.append(pc.less_equal(batch.column(view.time[0]), pa.scalar(end, TIME)))
        if wanted.stream_ids is not None:
            masks.append(pc.is_in(batch.column("stream_id"), pa.array(map(str, wanted.stream_ids), pa.utf8())))
        for mask in masks[1:]:
            masks[0] = pc.and_(masks[0], mask)
        yield (batch.filter(masks[0]) if masks else batch).select(list(columns))


def lengthy(count: int) -> pa.RecordBatch:
    """A batch without columns."""
    return pa.RecordBatch.from_struct_array(pa.StructArray.from_buffers(pa.struct([]), count, [None]))


def constant(text: str, count: int) -> pa.DictionaryArray:
    """`count` times the same text, in 4 bytes each that all share."""
    return pa.DictionaryArray.from_arrays(_zeros(count), pa.array([text], pa.utf8()))


_OF_PROCESS: Final[dict[str, Callable[[UUID, ProcessInfo], str]]] = {
    "process_id": lambda process_id, _: str(process_id),
    "exe": lambda _, process: process.exe,
    "username": lambda _, process: process.username,
    "computer": lambda _, process: process.computer,
    "process_properties": lambda _, process: process.properties,
}
PROCESS_COLUMNS: Final = frozenset(_OF_PROCESS) - {"process_id"}
_BLOCK: Final = "block"  # its number, which native code gives each row where something else depends on it


class _Made:
    """The columns of a view for rows of these blocks; `native` are those that native code has to give."""

    def __init__(
        self, view: View, blocks: Blocks, columns: Sequence[str], processes: Mapping[UUID, ProcessInfo]
    ) -> None:
        self._types = {name: view.column(name).type for name in columns}
        self._schema = pa.schema([pa.field(name, kind) for name, kind in self._types.items()])
        self._texts: dict[str, pa.DictionaryArray] = {}
        """Of each block."""
        of_process = [name for name in columns if name in _OF_PROCESS]
        if of_process:
            ids = blocks.columns.column("process_id").dictionary_encode()
            known = [UUID(bytes=one) for one in ids.dictionary.to_pylist()]
            for name in of_process:
                texts = [_OF_PROCESS[name](one, processes.get(one, NOBODY)) for one in known]
                encoded = pa.array(texts, pa.utf8()).dictionary_encode()
                self._texts[name] = pa.DictionaryArray.from_arrays(
                    encoded.indices.take(ids.indices), encoded.dictionary
                )
        if len(blocks) == 1 and "block_id" in columns:
            self._texts["block_id"] = pa.array([str(blocks[0].block_id)]).dictionary_encode()
        self._inserted = pa.array([], TIME)
        if "insert_time" in columns:
            inserted = pa.array([time for _, time in blocks.segments], TIME)
            self._inserted = inserted.take(blocks.columns.column("segment"))
        self._one_block = len(blocks) == 1
        self.native = [name for name in columns if name not in self._texts and name != "insert_time"]
        if not self._one_block and any(map(self._differs, columns)):
            self.native.append(_BLOCK)

    def batch(self, raw: pa.RecordBatch) -> pa.RecordBatch:
        """With the columns of the view."""
        if not self._types:
            return lengthy(raw.num_rows)
        arrays = [self._column(name, kind, raw) for name, kind in self._types.items()]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _differs(self, name: str) -> bool:
        """Whether it does from block to block."""
        return name == "insert_time" or (name in self._texts and len(self._texts[name].dictionary) > 1)

    def _column(self, name: str, kind: pa.DataType, raw: pa.RecordBatch) -> pa.Array:
        if name == "insert_time":
            inserted = self._inserted
            return pa.repeat(inserted[0], raw.num_rows) if self._one_block else inserted.take(raw.column(_BLOCK))
        if name in self._texts:
            texts = self._texts[name]
            if not self._differs(name):
                return constant(texts.dictionary[0].as_py(), raw.num_rows)
            return pa.DictionaryArray.from_arrays(texts.indices.take(raw.column(_BLOCK)), texts.dictionary)
        array = raw.column(name)
        return array if array.type == kind else array.cast(kind)


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
