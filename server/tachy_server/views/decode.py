"""Blocks to record batches of a view: native code decodes many of them at once, what they have in common is added.

Nothing here loops over events, nor over blocks. Reading, decompressing and decoding run without the GIL.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.recent import Recent
from tachy_server.formats.block_index import texts_of_ids
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
        self._most = capacity // _SHARE
        self._columns: Recent[tuple[_Key, str], pa.ChunkedArray] = Recent(capacity)
        self._lock = threading.Lock()

    def get(self, key: _Key, names: Sequence[str]) -> pa.Table | None:
        """These columns of a block, if all of them are here."""
        with self._lock:
            found = [self._columns.get((key, name)) for name in names]
        whole = bool(found) and all(column is not None for column in found)
        return pa.Table.from_arrays(found, list(names)) if whole else None

    def keep(
        self, key: _Key, batches: Iterator[pa.RecordBatch], failed: Callable[[], bool]
    ) -> Iterator[pa.RecordBatch]:
        """The batches of a whole block, whose columns are kept once they all have been taken, unless they are too
        large, or the block has `failed` by then.
        """
        taken: list[pa.RecordBatch] = []
        size = 0
        for batch in batches:
            yield batch
            size += sum(map(memory_of, batch.columns))
            if size > self._most:
                del taken[:]
                yield from batches
                return
            taken.append(batch)
        for at, name in enumerate(taken[0].schema.names if taken and not failed() else ()):
            column = pa.chunked_array([batch.column(at) for batch in taken])
            with self._lock:
                self._columns.put((key, name), column, memory_of(column))

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._columns.size


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
    have a length), in batches of 65,536 rows but for the last one; with a cache, large blocks have batches of
    their own.

    A block that cannot be read is left out, and noted in the lake. Raises StoreError.
    """
    apart = len(blocks) == 1 or (cache is not None and pc.min(blocks.columns.column("events")).as_py() >= LARGE)
    made = _Made(view, blocks, columns, processes, apart=apart)
    if not apart:
        return map(made.batch, _together(lake, view, blocks, wanted, made.native))
    return itertools.starmap(made.batch, _apart(cache, lake, view, blocks, wanted, made.native))


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


def _together(
    lake: BlockSource, view: View, blocks: Blocks, wanted: Wanted, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of blocks, in batches that go on from one to the next."""
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
        before += len(some)


def _later(batch: pa.RecordBatch, before: int) -> pa.RecordBatch:
    """With the blocks' numbers among all, where so many were read before these."""
    at = batch.schema.get_field_index("block")
    if before == 0 or at < 0:
        return batch
    return batch.set_column(at, "block", pc.add(batch.column(at), pa.scalar(before, pa.int32())))


def _apart(
    cache: ColumnCache | None, lake: BlockSource, view: View, blocks: Blocks, wanted: Wanted, columns: Sequence[str]
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The rows of each block by itself, with its place: out of the cache, or into it where all of a block is wanted."""
    parts = [_Part(view, row, wanted) for row in blocks]
    looked = ((at, None if cache is None else part.cached(cache, columns)) for at, part in enumerate(parts))
    for missing, run in itertools.groupby(looked, lambda one: one[1] is None):
        if missing:
            places = [at for at, _ in run]
            those = slice(places[0], places[-1] + 1)
            yield from _read(cache, lake, blocks[those], parts[those], columns, places[0])
            continue
        for at, kept in run:  # one at a time: what the cache lets go meanwhile is not held here
            assert kept is not None
            for batch in kept.to_batches(max_chunksize=ROWS):
                yield parts[at].cut(batch).select(list(columns)), at


def _read(
    cache: ColumnCache | None,
    lake: BlockSource,
    blocks: Blocks,
    parts: Sequence[_Part],
    columns: Sequence[str],
    first: int,
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The same for blocks that are not in the cache, the first of which has this place."""
    at = 0
    for some, stored in opened(lake, blocks):
        for number in range(len(some)):
            part, wanted = parts[at], parts[at].wanted
            rows = stored.rows(
                part.view.rows, columns, begin=wanted.begin, end=wanted.end, stream_ids=wanted.stream_ids,
                open_ends=b"\1" if part.with_open else None, only=number,
            )  # fmt: skip
            if cache is not None and part.whole and columns:
                rows = cache.keep(part.key, rows, functools.partial(stored.failed.__contains__, number))
            for batch in rows:
                yield batch, first + at
            at += 1


class _Part:
    """What is wanted of a block: `begin` and `end` are None where the block has nothing beyond them."""

    def __init__(self, view: View, row: BlockRow, wanted: Wanted) -> None:
        self.view, self.wanted = view, wanted
        self.key = (view.rows, row.block_id, row.sequences)
        self.begin = wanted.begin if wanted.begin is not None and (view.late or wanted.begin > row.begin_time) else None
        self.end = wanted.end if wanted.end is not None and (view.late or wanted.end < row.end_time) else None
        self.with_open = row.block_id in wanted.open_ends
        self.cut_off = not (self.begin is None and self.end is None and wanted.stream_ids is None)

    @property
    def whole(self) -> bool:
        """All of its rows are wanted, and none that others would not want."""
        return not self.cut_off and not self.with_open

    def cached(self, cache: ColumnCache, columns: Sequence[str]) -> pa.Table | None:
        """These columns, and those by which it is cut, if all of them are there."""
        if self.with_open:
            return None
        bounds = [*self.view.time, "stream_id"] if self.cut_off else []
        return cache.get(self.key, list(dict.fromkeys([*columns, *bounds])))

    def cut(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows that are wanted."""
        masks = []
        if self.begin is not None:
            masks.append(pc.greater_equal(batch.column(self.view.time[-1]), pa.scalar(self.begin, TIME)))
        if self.end is not None:
            masks.append(pc.less_equal(batch.column(self.view.time[0]), pa.scalar(self.end, TIME)))
        if self.wanted.stream_ids is not None:
            masks.append(pc.is_in(batch.column("stream_id"), pa.array(map(str, self.wanted.stream_ids), pa.utf8())))
        return batch.filter(functools.reduce(pc.and_, masks)) if masks else batch


def lengthy(count: int) -> pa.RecordBatch:
    """A batch without columns."""
    return pa.RecordBatch.from_struct_array(pa.StructArray.from_buffers(pa.struct([]), count, [None]))


def constant(text: str | pa.Array, count: int) -> pa.DictionaryArray:
    """`count` times the same text, or the only one of the array, in 4 bytes each that all share."""
    texts = pa.array([text], pa.utf8()) if isinstance(text, str) else text
    return pa.DictionaryArray.from_arrays(_zeros(count), texts, safe=False)


_OF_PROCESS: Final = {
    "exe": "exe",
    "username": "username",
    "computer": "computer",
    "process_properties": "properties",
}
"""Of a ProcessInfo."""
PROCESS_COLUMNS: Final = frozenset(_OF_PROCESS)


def _said(name: str, processes: Mapping[UUID, ProcessInfo], ids: pa.Array) -> pa.Array:
    """What the processes say of themselves."""
    known = (processes.get(UUID(bytes=one), NOBODY) for one in ids.to_pylist())
    return pa.array([getattr(one, _OF_PROCESS[name]) for one in known], pa.utf8())


_BLOCK: Final = "block"  # its number, which native code gives each row where something else depends on it


class _Made:
    """The columns of a view for rows of these blocks; `native` are those that native code has to give. `apart`: no
    batch has rows of two blocks.
    """

    def __init__(
        self,
        view: View,
        blocks: Blocks,
        columns: Sequence[str],
        processes: Mapping[UUID, ProcessInfo],
        *,
        apart: bool,
    ) -> None:
        self._types = {name: view.column(name).type for name in columns}
        self._schema = pa.schema([pa.field(name, kind) for name, kind in self._types.items()])
        self._texts: dict[str, pa.DictionaryArray] = {}
        """Of each block."""
        of_process = [name for name in columns if name in PROCESS_COLUMNS or name == "process_id"]
        if of_process:
            ids = blocks.columns.column("process_id").dictionary_encode()
            for name in of_process:
                said = texts_of_ids if name == "process_id" else functools.partial(_said, name, processes)
                encoded = said(ids.dictionary).dictionary_encode()
                self._texts[name] = pa.DictionaryArray.from_arrays(
                    encoded.indices.take(ids.indices), encoded.dictionary
                )
        if apart and "block_id" in columns:
            self._texts["block_id"] = pa.array([str(row.block_id) for row in blocks]).dictionary_encode()
        self._inserted = pa.array([], TIME)
        if "insert_time" in columns:
            inserted = pa.array([time for _, time in blocks.segments], TIME)
            self._inserted = inserted.take(blocks.columns.column("segment"))
        self.native = [name for name in columns if name not in self._texts and name != "insert_time"]
        if not apart and any(map(self._differs, columns)):
            self.native.append(_BLOCK)

    def batch(self, raw: pa.RecordBatch, place: int | None = None) -> pa.RecordBatch:
        """With the columns of the view; `place`: of the block that has all of these rows."""
        if not self._types:
            return lengthy(raw.num_rows)
        arrays = [self._column(name, kind, raw, place) for name, kind in self._types.items()]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _differs(self, name: str) -> bool:
        """Whether it does from block to block."""
        return name == "insert_time" or (name in self._texts and len(self._texts[name].dictionary) > 1)

    def _column(self, name: str, kind: pa.DataType, raw: pa.RecordBatch, place: int | None) -> pa.Array:
        if name == "insert_time":
            inserted = self._inserted
            return inserted.take(raw.column(_BLOCK)) if place is None else pa.repeat(inserted[place], raw.num_rows)
        if name in self._texts:
            texts = self._texts[name]
            if not self._differs(name):
                return constant(texts.dictionary, raw.num_rows)
            if place is not None:
                return constant(texts.dictionary.slice(texts.indices[place].as_py(), 1), raw.num_rows)
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
