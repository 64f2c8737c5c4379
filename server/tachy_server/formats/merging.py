"""Many small blocks of a process into few large ones (native/include/tachy/reader.h, "Merging")."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import zstandard

from tachy_server.base.errors import FormatError
from tachy_server.formats._reader import ffi, lib
from tachy_server.formats.reader import WINDOW_MAX, BlockHead, Limits, Readable, decompress, read_head

LEVEL: Final = 3
THREADS_MAX: Final = 4096
"""Most threads of a merged block: its head is never compressed, and has 112 bytes for each."""

PLANE_MIN: Final = 512
"""Bytes of planes that are worth a zstd block of their own: its tables take some."""

_ZSTD: Final = 1
_UINT, _F64 = 1, 2
_BYTES: Final = 8  # of a number
_HEAD: Final = struct.Struct("<7xBI116xQQ")  # codec, header size; raw size, stored size
_SIZE: Final = struct.Struct("<Q")
_COLUMNS: Final = struct.Struct("<II")
_COLUMN: Final = struct.Struct("<HHIQQ")  # id, encoding, 0, count, size


@dataclass(frozen=True, slots=True)
class MergedBlock:
    """A block that stands for `parts` of the given ones: `data` as it is stored, padding included."""

    data: bytes
    head: BlockHead
    parts: int


class DamagedBlockError(FormatError):
    """A block's bytes are not what its hashes say, or cannot be decompressed. `index` says which of the given ones."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True, slots=True)
class _Given:
    """A block that was checked, and where its parts are."""

    view: memoryview
    codec: int
    header_size: int
    raw_size: int
    stored_size: int

    @property
    def stored(self) -> memoryview:
        return self.view[self.header_size : self.header_size + self.stored_size]


def merge_blocks(
    blocks: Sequence[Readable], limits: Limits | None = None, *, threads: int = THREADS_MAX, level: int = LEVEL
) -> list[MergedBlock]:
    """Merges whole stored blocks of one process and class, which come in the order of their sequence; merged ones may
    be among them. Each is in exactly one of the results, which are in the same order.

    Where one block cannot stand for the next ones too, another begins: docs/format.md, "Merged blocks". `limits` and
    `threads` bound a merged block (one that is larger already stays alone), zstd's `level` is that of its body. All
    bodies are in memory at once. Raises DamagedBlockError.
    """
    given = [_check(index, block) for index, block in enumerate(blocks)]
    heads = [ffi.from_buffer(block.view) for block in given]
    bodies = [ffi.from_buffer(body) for body in _bodies(given)]
    parts = ffi.new("tachy_merge_part[]", len(given))
    for part, block, head, body in zip(parts, given, heads, bodies, strict=True):
        part.head, part.head_size, part.body, part.body_size = head, block.header_size, body, block.raw_size
    bound = limits or Limits()
    most = ffi.new("tachy_merge_limits *", {"rows": bound.rows, "raw_bytes": bound.raw_bytes, "threads": threads})
    compressor = zstandard.ZstdCompressor(level=level)
    merged: list[MergedBlock] = []
    at = 0
    while at < len(given):
        merged.append(_merge(at, parts + at, len(given) - at, most, compressor))
        at += merged[-1].parts
    return merged


def _merge(index: int, parts: Any, count: int, limits: Any, compressor: zstandard.ZstdCompressor) -> MergedBlock:
    out, used, error = ffi.new("tachy_merged **"), ffi.new("uint64_t *"), ffi.new("tachy_read_error *")
    status = lib.tachy_merge(parts, count, limits, out, used, error)
    if status == lib.TACHY_ERROR_MEMORY:
        raise MemoryError("not enough memory to merge blocks")
    if status:
        raise DamagedBlockError(index, ffi.string(error.message).decode(errors="replace"))
    merged = ffi.gc(out[0], lib.tachy_merged_free)
    size = ffi.new("uint64_t *")
    body = lib.tachy_merged_body(merged, size)
    stored = _compress(ffi.buffer(body, size[0])[:], compressor)
    head = lib.tachy_merged_head(merged, size)
    lib.tachy_block_seal(head, lib.TACHY_CODEC_ZSTD, ffi.from_buffer(stored), len(stored))
    padding = bytes(-(size[0] + len(stored)) % 8)
    data = b"".join((ffi.buffer(head, size[0]), stored, padding))
    return MergedBlock(data, read_head(data), int(used[0]))


def _compress(body: bytes, compressor: zstandard.ZstdCompressor) -> bytes:
    """One frame in which planes do not share a zstd block, and so no codes: their bytes are distributed differently."""
    frame = compressor.compressobj(size=len(body))
    parts: list[bytes] = []
    at = 0
    for end in _plane_ends(body):
        if end - at >= PLANE_MIN:
            parts += frame.compress(memoryview(body)[at:end]), frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
            at = end
    return b"".join((*parts, frame.compress(memoryview(body)[at:]), frame.flush()))


def _plane_ends(body: bytes) -> Iterator[int]:
    """Where the planes of a body's columns end: docs/format.md, "Body". A block that stays alone may have columns that
    nobody has looked into, and whose counts say anything.
    """
    at = _COLUMNS.size + _COLUMNS.unpack_from(body)[0] * _COLUMN.size
    yield at
    for _, encoding, _, count, size in _COLUMN.iter_unpack(body[_COLUMNS.size : at]):
        end = at + size
        if encoding == _F64 and count:
            yield from range(at + count, min(end, at + _BYTES * count), count)
        for _ in range(_BYTES if encoding == _UINT else 0):
            if count == 0 or at >= end:
                break
            yield at + count
            high = body.count(255, at, at + count)
            at += count + high
            yield at
            count = high
        yield end
        at = end + -end % 8


def _check(index: int, block: Readable) -> _Given:
    view = memoryview(block)
    error = ffi.new("tachy_read_error *")
    if lib.tachy_block_check(ffi.from_buffer(view), len(view), 1, ffi.NULL, error):
        raise DamagedBlockError(index, ffi.string(error.message).decode(errors="replace"))
    return _Given(view, *_HEAD.unpack_from(view))


def _bodies(given: Sequence[_Given]) -> list[Any]:
    """The bodies, decompressed: those in zstd by one call."""
    bodies: list[Any] = [b""] * len(given)
    many = [index for index, block in enumerate(given) if block.codec == _ZSTD and block.raw_size]
    for index, body in zip(many, _decompress_many([given[index] for index in many]), strict=False):
        bodies[index] = body
    for index, block in enumerate(given):
        if len(bodies[index]) == block.raw_size:
            continue
        try:
            bodies[index] = decompress(block.codec, block.stored, block.raw_size)
        except FormatError as error:
            raise DamagedBlockError(index, str(error)) from error
    return bodies


def _decompress_many(blocks: Sequence[_Given]) -> Sequence[Any]:
    """Nothing where one of them is damaged: then each by itself says whether it is."""
    if not blocks:
        return []
    sizes = b"".join(_SIZE.pack(block.raw_size) for block in blocks)
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX)
    try:
        made = decompressor.multi_decompress_to_buffer([block.stored for block in blocks], decompressed_sizes=sizes)
        return [made[index] for index in range(len(made))]
    except zstandard.ZstdError:
        return []
