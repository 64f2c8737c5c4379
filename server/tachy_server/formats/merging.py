"""Many small blocks of a process into few large ones (native/include/tachy/reader.h, "Merging")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import zstandard

from tachy_server.base.errors import FormatError
from tachy_server.formats._reader import ffi, lib
from tachy_server.formats.native import Readable
from tachy_server.formats.reader import BlockHead, Limits, read_head
from tachy_server.formats.stored_blocks import StoredBlocks

LEVEL: Final = 1
"""Of zstd: of planes the higher ones make hardly less (the third 4.32 bytes an event where this makes 4.29)."""

THREADS_MAX: Final = 4096
"""Most threads of a merged block: its head is never compressed, and has 112 bytes for each."""


@dataclass(frozen=True, slots=True)
class MergedBlock:
    """A block that stands for `parts` of the given ones: `data` as it is stored, padding included."""

    data: bytes
    head: BlockHead
    parts: int


class DamagedBlockError(FormatError):
    """Bytes of blocks are not what their hashes say, or cannot be decompressed. `indexes` says which of the given ones,
    in their order; the message is of the first.
    """

    def __init__(self, indexes: Sequence[int], message: str) -> None:
        super().__init__(message)
        self.indexes = indexes


def merge_blocks(
    blocks: Sequence[Readable], limits: Limits | None = None, *, threads: int = THREADS_MAX, level: int = LEVEL
) -> list[MergedBlock]:
    """Merges whole stored blocks, which come by process and class and in the order of their sequence; merged ones may
    be among them. Each is in exactly one of the results, which are in the same order.

    Another begins with another process or class, and where one block cannot stand for the next ones too:
    docs/format.md, "Merged blocks". `limits` and `threads` bound a merged block (one that is larger already stays
    alone), zstd's `level` is that of its body. All bodies are in memory at once. Raises DamagedBlockError.
    """
    given = StoredBlocks.of(blocks, Limits())
    if given.failed:
        raise DamagedBlockError(sorted(given.failed), str(given.failed[min(given.failed)]))
    bound = limits or Limits()
    most = ffi.new("tachy_merge_limits *", {"rows": bound.rows, "raw_bytes": bound.raw_bytes, "threads": threads})
    compressor = zstandard.ZstdCompressor(level=level)
    merged: list[MergedBlock] = []
    at = 0
    while at < len(blocks):
        merged.append(_merge(given.native, at, most, compressor))
        at += merged[-1].parts
    return merged


def _merge(blocks: Any, first: int, limits: Any, compressor: zstandard.ZstdCompressor) -> MergedBlock:
    out, used, error = ffi.new("tachy_merged **"), ffi.new("uint64_t *"), ffi.new("tachy_read_error *")
    status = lib.tachy_merge(blocks, first, limits, out, used, error)
    if status == lib.TACHY_ERROR_MEMORY:
        raise MemoryError("not enough memory to merge blocks")
    if status:
        raise DamagedBlockError([first], ffi.string(error.message).decode(errors="replace"))
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
    ends = ffi.new("uint64_t[]", lib.TACHY_BODY_PARTS_MAX)
    count = lib.tachy_body_parts(ffi.from_buffer(body), len(body), ends, lib.TACHY_BODY_PARTS_MAX)
    parts: list[bytes] = []
    at = 0
    for end in ffi.unpack(ends, count - 1):
        parts += frame.compress(memoryview(body)[at:end]), frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        at = end
    return b"".join((*parts, frame.compress(memoryview(body)[at:]), frame.flush()))
