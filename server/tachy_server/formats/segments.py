"""Segments: the immutable objects that hold many batches' blocks (docs/format.md, "Segments").

Every batch's description is there once, so that segments tell everything that PostgreSQL knows of their processes.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tachy_server.base.errors import FormatError
from tachy_server.formats.block_index import IndexWriter
from tachy_server.formats.reader import LOG, METRIC, SPAN, BatchHead, BlockHead, hash64, read_head

VERSION: Final = 1
CLASS_NAMES: Final = {LOG: "log", METRIC: "metric", SPAN: "span"}
HEADER: Final = struct.Struct("<IHHQQQqQQQ")
"""Magic, version, 0, total size, offset and size of the index, insert time, size of the replaced keys, hash, 0."""

_MAGIC: Final = 0x47455354
_ENTRY: Final = struct.Struct("<16s16sQ")  # of a batch in the index: batch, process, description hash
_INDEX_HEAD: Final = 9
_HASH: Final = struct.Struct("<Q")
_NO_BATCH: Final = uuid.UUID(int=0)
_BATCH_HEADER_SIZE: Final = 64
_DESCRIPTION_SIZE: Final = struct.Struct("<I")
_DESCRIPTION_SIZE_AT: Final = 40

Bytes = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment says of itself; `index` finds its blocks. Times are UTC nanoseconds."""

    size: int
    insert_time: int
    index: bytes
    replaces: tuple[str, ...]
    """Keys of the segments whose blocks are here, too."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """One batch's part of a segment: its blocks as (offset in the segment, size with padding, head)."""

    batch_id: uuid.UUID
    process_id: uuid.UUID
    description: bytes
    stamp: bytes
    blocks: list[tuple[int, int, BlockHead]]


def pad8(size: int) -> int:
    """The next multiple of 8."""
    return (size + 7) & ~7


class SegmentWriter:
    """Collects batches' blocks, without copying them."""

    def __init__(self, insert_time: int, replaces: Sequence[str] = ()) -> None:
        """Both as in Segment."""
        self._insert_time, self._replaces = insert_time, "\n".join(replaces).encode()
        self._index = IndexWriter()
        self._parts: list[Bytes] = []
        self._size = HEADER.size

    def add(self, body: bytes, batch: BatchHead, stamp: bytes = b"", without: Collection[int] = ()) -> None:
        """A batch as it came, and the stamp of its key, if that has one (JSON text); not its blocks of these places."""
        view = memoryview(body)
        (length,) = _DESCRIPTION_SIZE.unpack_from(body, _DESCRIPTION_SIZE_AT)
        description = view[_BATCH_HEADER_SIZE : _BATCH_HEADER_SIZE + length]
        self._describe(batch.batch_id, batch.process_id, description, batch.description_hash, stamp)
        for place, (offset, size, head) in enumerate(batch.blocks):
            if place not in without:
                self._add_block(view[offset : offset + size], head.header_size)

    def add_process(
        self, process_id: uuid.UUID, description: bytes, stamp: bytes, blocks: Iterable[tuple[Bytes, int]]
    ) -> None:
        """Blocks of a process that are of no batch any more: whole ones with the sizes of their heads."""
        self._describe(_NO_BATCH, process_id, description, hash64(description), stamp)
        for block, header_size in blocks:
            self._add_block(memoryview(block), header_size)

    @property
    def size(self) -> int:
        """Bytes so far, without the index."""
        return self._size

    def _describe(
        self, batch_id: uuid.UUID, process_id: uuid.UUID, description: Bytes, digest: int, stamp: bytes
    ) -> None:
        self._index.batch(batch_id, process_id, digest, self._size, len(description), len(stamp))
        self._put(description)
        if stamp:
            self._put(_HASH.pack(hash64(stamp)) + stamp)

    def _add_block(self, block: memoryview, header_size: int) -> None:
        self._index.block(block[:header_size], self._size)
        self._put(block)

    def _put(self, data: Bytes) -> None:
        self._parts.append(data)
        padding = -len(data) % 8
        if padding:
            self._parts.append(bytes(padding))
        self._size += len(data) + padding

    def finish(self) -> tuple[bytes, list[Bytes]]:
        """The index, and the segment's bytes, to be written one after the other."""
        index = self._index.bytes()
        total = self._size + len(index) + len(self._replaces)
        fields = (_MAGIC, VERSION, 0, total, self._size, len(index), self._insert_time, len(self._replaces))
        digest = hash64(HEADER.pack(*fields, 0, 0) + index + self._replaces)
        return index, [HEADER.pack(*fields, digest, 0), *self._parts, index, self._replaces]


def index_place(header: Bytes, size: int) -> tuple[int, int]:
    """Where the end of a segment of `size` bytes begins, from its first HEADER.size bytes, and how long it is: its
    index and what follows. Raises FormatError where this is no segment.
    """
    if len(header) < HEADER.size:
        raise FormatError(f"a segment has at least {HEADER.size} bytes")
    magic, version, _, total, offset, length, _, replaced, _, _ = HEADER.unpack_from(header)
    if magic != _MAGIC:
        raise FormatError("this is not a segment")
    if version != VERSION:
        raise FormatError(f"segment version {version} is not read, only {VERSION}")
    if total != size or offset + length + replaced != total or offset < HEADER.size:
        raise FormatError(f"the segment says {total} bytes and has {size}")
    return offset, length + replaced


def read_end(header: Bytes, end: Bytes) -> Segment:
    """What a segment says of itself, from its header and its end, of which index_place tells where it is.

    Raises FormatError.
    """
    magic, version, zero, total, offset, length, insert_time, replaced, digest, _ = HEADER.unpack_from(header)
    fields = (magic, version, zero, total, offset, length, insert_time, replaced)
    if len(end) != length + replaced or digest != hash64(HEADER.pack(*fields, 0, 0) + bytes(end)):
        raise FormatError("the segment's index is damaged: its hash differs")
    keys = bytes(end[length:]).decode()
    return Segment(total, insert_time, bytes(end[:length]), tuple(keys.split("\n")) if keys else ())


def read_segment(data: Bytes) -> Iterator[Fragment]:
    """Walks a whole segment. Raises FormatError where it is not one; blocks' heads are checked, bodies are not."""
    view = memoryview(data)
    at, length = index_place(view[: HEADER.size], len(view))
    segment = read_end(view[: HEADER.size], view[at : at + length])
    place, walked = _INDEX_HEAD, HEADER.size
    while place < len(segment.index):
        fragment, place, walked = _read_fragment(view, segment.index, place, walked)
        yield fragment
    if walked != at:
        raise FormatError("the segment has bytes that belong to no batch")


def processes_of(index: bytes) -> set[uuid.UUID]:
    """Those that a segment with this index has a description of."""
    found: set[uuid.UUID] = set()
    place = _INDEX_HEAD
    while place < len(index):
        _, process, _, numbers, place = _entry(index, place)
        found.add(uuid.UUID(bytes=process))
        place += numbers[-1]
    return found


def _entry(index: bytes, place: int) -> tuple[bytes, bytes, int, list[int], int]:
    """A batch in the index: its id, its process, the description's hash; offset and size of the description, size of
    the stamp, number of blocks, and their bytes in the index; and where these begin.
    """
    batch, process, digest = _ENTRY.unpack_from(index, place)
    place += _ENTRY.size
    numbers = []
    for _ in range(5):
        value, place = _number(index, place)
        numbers.append(value)
    return batch, process, digest, numbers, place


def _read_fragment(view: memoryview, index: bytes, place: int, walked: int) -> tuple[Fragment, int, int]:
    """A batch, where the next one begins in the index, and where it does in the segment."""
    batch, process, digest, numbers, place = _entry(index, place)
    offset, length, stamped, count, entries = numbers
    description = bytes(view[offset : offset + length])
    at = offset + pad8(length)
    if offset != walked or digest != hash64(description):
        raise FormatError("a batch of the segment is damaged: its description's hash differs")
    stamp = b""
    if stamped:
        stamp = bytes(view[at + _HASH.size : at + _HASH.size + stamped])
        if _HASH.unpack_from(view, at)[0] != hash64(stamp):
            raise FormatError("a batch of the segment is damaged: its stamp's hash differs")
        at += pad8(_HASH.size + stamped)
    blocks: list[tuple[int, int, BlockHead]] = []
    for _ in range(count):
        head = read_head(view[at:])
        occupied = pad8(head.header_size + head.stored_size)
        if head.process_id.bytes != process:
            raise FormatError("a batch of the segment is damaged: a block does not belong in it")
        blocks.append((at, occupied, head))
        at += occupied
    return Fragment(uuid.UUID(bytes=batch), uuid.UUID(bytes=process), description, stamp, blocks), place + entries, at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A LEB128 and where the next one begins."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
