"""Segments: the immutable objects that hold many batches' blocks (docs/format.md, "Segments").

A segment's end says where its blocks are, and in its record all that PostgreSQL knows of their processes, so that this
can be made again.
"""

from __future__ import annotations

import json
import struct
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import zstandard

from tachy_server.base.errors import FormatError
from tachy_server.formats.block_index import IndexWriter
from tachy_server.formats.reader import LOG, METRIC, SPAN, BatchHead, BlockHead, hash64, read_head, zstd

VERSION: Final = 1
CLASS_NAMES: Final = {LOG: "log", METRIC: "metric", SPAN: "span"}
HEADER: Final = struct.Struct("<IHHQQQqQQQ")
"""Magic, version, level, total size, offset and size of the index, insert time, size of the record, hash, number."""

_MAGIC: Final = 0x47455354
_INDEX_HEAD: Final = 9
_ID_SIZE: Final = 16
_RECORD_BYTES: Final = 1 << 30  # of JSON: what a record may need of memory
_RECORD_LEVEL: Final = 3  # of zstd

_per_thread: Final = threading.local()

Bytes = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Record:
    """What a segment says beside its blocks. Processes and streams are rows of PostgreSQL as JSON texts."""

    insert_time: int
    number: int
    """Of two segments with blocks of one process, or that replace the same, the later one has the greater number."""
    level: int = 0
    processes: Sequence[str] = ()
    streams: Sequence[str] = ()
    replaces: Sequence[str] = ()
    """Keys of the segments whose blocks are here and in the others of this number, too."""
    pieces: int | None = None
    """In the last one of this number: how many there are."""

    def packed(self) -> bytes:
        """As the segment has it: JSON, compressed."""
        rest = json.dumps({"replaces": list(self.replaces), "pieces": self.pieces})
        text = f'{{"processes":[{",".join(self.processes)}],"streams":[{",".join(self.streams)}],{rest[1:]}'
        if not hasattr(_per_thread, "compressor"):  # to make one takes 35 µs, to compress a record 12
            _per_thread.compressor = zstandard.ZstdCompressor(level=_RECORD_LEVEL)
        return bytes(_per_thread.compressor.compress(text.encode()))


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment says of itself; `index` finds its blocks. Times are UTC nanoseconds."""

    size: int
    insert_time: int
    number: int
    level: int
    index: bytes
    record: bytes = field(repr=False)
    """JSON, UTF-8: docs/format.md says what is in it."""

    @property
    def said(self) -> dict[str, Any]:
        """The record, parsed."""
        said: dict[str, Any] = json.loads(self.record)
        return said


@dataclass(frozen=True, slots=True)
class Fragment:
    """Blocks of one process as (offset in the segment, size with padding, head)."""

    process_id: uuid.UUID
    blocks: list[tuple[int, int, BlockHead]]


class SegmentWriter:
    """Collects blocks, without copying them."""

    def __init__(self) -> None:
        self._index = IndexWriter()
        self._parts: list[Bytes] = []
        self._size = HEADER.size

    def add(self, body: bytes, batch: BatchHead, without: Collection[int] = ()) -> None:
        """The blocks of a batch as it came, without those of these places."""
        view = memoryview(body)
        blocks = [
            (view[offset : offset + size], head.header_size)
            for place, (offset, size, head) in enumerate(batch.blocks)
            if place not in without
        ]
        self.add_blocks(batch.process_id, blocks)

    def add_blocks(self, process_id: uuid.UUID, blocks: Iterable[tuple[Bytes, int]]) -> None:
        """Blocks of a process: whole ones with the sizes of their heads."""
        self._index.process(process_id)
        for block, header_size in blocks:
            view = memoryview(block)
            self._index.block(view[:header_size], self._size)
            padding = -len(view) % 8
            self._parts += [view, bytes(padding)] if padding else [view]
            self._size += len(view) + padding

    @property
    def size(self) -> int:
        """Bytes so far, without the end."""
        return self._size

    def finish(self, record: Record) -> tuple[bytes, list[Bytes]]:
        """The index, and the segment's bytes, to be written one after the other."""
        index, packed = self._index.bytes(), record.packed()
        total = self._size + len(index) + len(packed)
        fields = (_MAGIC, VERSION, record.level, total, self._size, len(index), record.insert_time, len(packed))
        digest = hash64(HEADER.pack(*fields, 0, record.number) + index + packed)
        return index, [HEADER.pack(*fields, digest, record.number), *self._parts, index, packed]


def index_place(header: Bytes, size: int) -> tuple[int, int]:
    """Where the end of a segment of `size` bytes begins, from its first HEADER.size bytes, and how long it is: its
    index and its record. Raises FormatError where this is no segment.
    """
    if len(header) < HEADER.size:
        raise FormatError(f"a segment has at least {HEADER.size} bytes")
    magic, version, _, total, offset, length, _, record, _, _ = HEADER.unpack_from(header)
    if magic != _MAGIC:
        raise FormatError("this is not a segment")
    if version != VERSION:
        raise FormatError(f"segment version {version} is not read, only {VERSION}")
    if total != size or offset + length + record != total or offset < HEADER.size:
        raise FormatError(f"the segment says {total} bytes and has {size}")
    return offset, length + record


def read_end(header: Bytes, end: Bytes) -> Segment:
    """What a segment says of itself, from its header and its end, of which index_place tells where it is.

    Raises FormatError.
    """
    *fields, digest, number = HEADER.unpack_from(header)
    _, _, level, total, _, length, insert_time, packed = fields
    if len(end) != length + packed or digest != hash64(HEADER.pack(*fields, 0, number) + bytes(end)):
        raise FormatError("the segment's index is damaged: its hash differs")
    return Segment(total, insert_time, number, level, bytes(end[:length]), _unpacked(bytes(end[length:])))


def _unpacked(packed: bytes) -> bytes:
    """The text of a record."""
    try:
        declared = zstandard.frame_content_size(packed)
        if not 0 <= declared <= _RECORD_BYTES:
            raise FormatError(f"the segment's record is {declared} bytes of JSON: there may be {_RECORD_BYTES}")
        return bytes(zstd().decompress(packed))
    except zstandard.ZstdError as error:
        raise FormatError(f"the segment's record is not valid zstd: {error}") from None


def read_whole(data: Bytes) -> Segment:
    """What a segment of which all is there says of itself. Raises FormatError."""
    view = memoryview(data)
    at, length = index_place(view[: HEADER.size], len(view))
    return read_end(view[: HEADER.size], view[at : at + length])


def read_segment(data: Bytes) -> Iterator[Fragment]:
    """Walks a whole segment. Raises FormatError where it is not one; blocks' heads are checked, bodies are not."""
    view, segment = memoryview(data), read_whole(data)
    at, walked = index_place(view[: HEADER.size], len(view))[0], HEADER.size
    for process_id, count in _entries(segment.index):
        blocks: list[tuple[int, int, BlockHead]] = []
        for _ in range(count):
            head = read_head(view[walked:at])
            size = head.header_size + head.stored_size
            size += -size % 8
            if head.process_id != process_id:
                raise FormatError("the segment is damaged: a block is of another process than its index says")
            blocks.append((walked, size, head))
            walked += size
        yield Fragment(process_id, blocks)
    if walked != at:
        raise FormatError("the segment has bytes that belong to no block")


def processes_of(index: bytes) -> set[uuid.UUID]:
    """Those that a segment with this index tells of."""
    return {process_id for process_id, _ in _entries(index)}


def _entries(index: bytes) -> Iterator[tuple[uuid.UUID, int]]:
    """Process and number of blocks."""
    place = _INDEX_HEAD
    while place < len(index):
        process_id = uuid.UUID(bytes=index[place : place + _ID_SIZE])
        count, place = _number(index, place + _ID_SIZE)
        size, place = _number(index, place)
        place += size
        yield process_id, count


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A LEB128 and where the next one begins."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
