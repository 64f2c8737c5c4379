"""How bodies are divided for compression, and what a zstd frame has of that."""

from __future__ import annotations

import zstandard
from tachy_server.formats._reader import ffi, lib


def parts(body: bytes, room: int = lib.TACHY_BODY_PARTS_MAX) -> list[int]:
    """Where they end."""
    ends = ffi.new("uint64_t[]", room)
    count = lib.tachy_body_parts(ffi.from_buffer(body), len(body), ends, room)
    assert 0 < count <= room
    return list(ffi.unpack(ends, count))


def zstd_blocks(frame: bytes) -> int:
    """How many blocks, each with its own codes, a frame has."""
    at, count = zstandard.frame_header_size(frame), 0
    while True:
        head = int.from_bytes(frame[at : at + 3], "little")
        at += 3 + (1 if head >> 1 & 3 == 1 else head >> 3)  # one byte that is repeated, or what lies there
        count += 1
        if head & 1:
            assert at == len(frame)
            return count
