"""Segments: the immutable objects that hold many batches' blocks of one class (docs/format.md, "Segments").

Every fragment repeats its batch's description, so that a segment tells everything that PostgreSQL knows about it.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from tachy_server.base.errors import FormatError
from tachy_server.formats.reader import LOG, METRIC, SPAN, BatchHead, BlockHead, hash64, read_head

VERSION = 1
CLASS_NAMES = {LOG: "log", METRIC: "metric", SPAN: "span"}

_SEGMENT = struct.Struct("<IHBBQQQ")  # magic, version, class, 0, fragments, total size, 0
_FRAGMENT = struct.Struct("<II16s16sIIQQ")  # magic, description size, batch, process, blocks, 0, size, header hash
_SEGMENT_MAGIC = 0x47455354
_FRAGMENT_MAGIC = 0x47415246
_BATCH_HEADER_SIZE = 64
_DESCRIPTION_SIZE = struct.Struct("<I")
_DESCRIPTION_SIZE_AT = 40

Bytes = bytes | memoryview


def pad8(size: int) -> int:
    """The next multiple of 8."""
    return (size + 7) & ~7


@dataclass(frozen=True, slots=True)
class Fragment:
    """One batch's share of a segment: its blocks as (offset in the segment, size with padding, head)."""

    batch_id: uuid.UUID
    process_id: uuid.UUID
    description: bytes
    blocks: list[tuple[int, int, BlockHead]]


class SegmentWriter:
    """Collects batches' blocks of one class, without copying them."""

    def __init__(self, cls: int) -> None:
        self.cls = cls
        self.size = _SEGMENT.size
        self._fragments = 0
        self._parts: list[Bytes] = []

    def add(self, body: bytes, batch: BatchHead) -> list[tuple[int, int, BlockHead]]:
        """Adds the batch's blocks of this class. Returns (offset in the segment, size with padding, head) of each."""
        view = memoryview(body)
        (length,) = _DESCRIPTION_SIZE.unpack_from(body, _DESCRIPTION_SIZE_AT)
        description = body[_BATCH_HEADER_SIZE : _BATCH_HEADER_SIZE + length]
        own = [(offset, size, head) for offset, size, head in batch.blocks if head.cls == self.cls]
        at = self.size + _FRAGMENT.size + pad8(length)
        placed: list[tuple[int, int, BlockHead]] = []
        parts: list[Bytes] = []
        for offset, size, head in own:
            placed.append((at, size, head))
            parts.append(view[offset : offset + size])
            at += size
        fields = (
            _FRAGMENT_MAGIC,
            length,
            batch.batch_id.bytes,
            batch.process_id.bytes,
            len(own),
            0,
            at - self.size,
        )
        digest = hash64(_FRAGMENT.pack(*fields, 0) + description)
        self._parts.append(_FRAGMENT.pack(*fields, digest) + description + bytes(pad8(length) - length))
        self._parts.extend(parts)
        self._fragments += 1
        self.size = at
        return placed

    def parts(self) -> list[Bytes]:
        """The segment's bytes, to be written one after the other."""
        return [_SEGMENT.pack(_SEGMENT_MAGIC, VERSION, self.cls, 0, self._fragments, self.size, 0), *self._parts]


def read_segment(data: Bytes) -> Iterator[Fragment]:
    """Walks a whole segment. Raises FormatError where it is not one; blocks' heads are checked, bodies are not."""
    view = memoryview(data)
    if len(view) < _SEGMENT.size:
        raise FormatError("a segment has at least 32 bytes")
    magic, version, cls, _, fragments, total, _ = _SEGMENT.unpack_from(view)
    if magic != _SEGMENT_MAGIC:
        raise FormatError("this is not a segment")
    if version != VERSION:
        raise FormatError(f"segment version {version} is not read, only {VERSION}")
    if total != len(view):
        raise FormatError(f"the segment says {total} bytes and has {len(view)}")
    at = _SEGMENT.size
    for _ in range(fragments):
        fragment, at = _read_fragment(view, at, cls)
        yield fragment
    if at != total:
        raise FormatError("the segment has bytes after its last fragment")


def _read_fragment(view: memoryview, at: int, cls: int) -> tuple[Fragment, int]:
    if at + _FRAGMENT.size > len(view):
        raise FormatError("the segment ends in a fragment")
    magic, length, batch, process, count, zero, size, digest = _FRAGMENT.unpack_from(view, at)
    end = at + size
    first = at + _FRAGMENT.size + pad8(length)
    if magic != _FRAGMENT_MAGIC or first > end or end > len(view):
        raise FormatError("a fragment of the segment is damaged")
    description = bytes(view[at + _FRAGMENT.size : at + _FRAGMENT.size + length])
    if digest != hash64(_FRAGMENT.pack(magic, length, batch, process, count, zero, size, 0) + description):
        raise FormatError("a fragment of the segment is damaged: its hash differs")
    blocks: list[tuple[int, int, BlockHead]] = []
    offset = first
    for _ in range(count):
        head = read_head(view[offset:end])
        occupied = pad8(head.header_size + head.stored_size)
        if head.cls != cls or head.process_id.bytes != process or offset + occupied > end:
            raise FormatError("a fragment of the segment is damaged: a block does not belong in it")
        blocks.append((offset, occupied, head))
        offset += occupied
    if offset != end:
        raise FormatError("a fragment of the segment is damaged: it has bytes after its last block")
    return Fragment(uuid.UUID(bytes=batch), uuid.UUID(bytes=process), description, blocks), end
