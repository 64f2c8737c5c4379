"""Rows of `segments` made of bare heads, whose blocks nobody has: for tests of metadata alone."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from tachy_server.formats.block_index import IndexWriter
from tachy_server.lake import segments
from tachy_server.lake.database import Connection

from tests.model.records import BLOCK_HEADER, THREAD_HEADER

MAGIC = 0x4B4C4254


@dataclass(frozen=True)
class Thread:
    """A thread of a block: its number, events, and their times."""

    number: int
    events: int
    begin: int
    end: int


@dataclass(frozen=True)
class Head:
    """A block as a test wants it; times are UTC nanoseconds."""

    process_id: uuid.UUID
    sequence: int
    threads: Sequence[Thread]
    cls: int = 3
    stored_size: int = 800
    dropped: int = 0

    @property
    def times(self) -> tuple[int, int]:
        return min(thread.begin for thread in self.threads), max(thread.end for thread in self.threads)

    def pack(self) -> bytes:
        """The bytes that an index is made of."""
        begin, end = self.times
        events = sum(thread.events for thread in self.threads)
        size = BLOCK_HEADER.size + len(self.threads) * THREAD_HEADER.size
        packed = BLOCK_HEADER.pack(
            MAGIC, 1, self.cls, 1, size, len(self.threads), self.process_id.bytes, self.sequence, 0, begin, 1, end,
            10**9, 0, 1, begin, end, events, self.dropped, 4000, self.stored_size, 0, 0, 0, begin, 0, bytes(24),
        )  # fmt: skip
        for thread in self.threads:
            packed += THREAD_HEADER.pack(
                thread.number, 0, size, 0, thread.events, 0, thread.events, 0, 0, 0, 0, 1, thread.begin, thread.end, 0,
                0,
            )  # fmt: skip
        return packed


def index_of(heads: Sequence[Head]) -> bytes:
    """As a segment of these blocks has it."""
    writer = IndexWriter()
    for place, head in enumerate(heads):
        writer.process(head.process_id)
        writer.block(head.pack(), 64 + place * 4096)
    return writer.bytes()


def add_segment(connection: Connection, heads: Sequence[Head], insert_time: int) -> None:
    """As ingest does, on a day whose partition is there."""
    times = min(head.times[0] for head in heads), max(head.times[1] for head in heads)
    with connection.transaction():
        key, processes = segments.segment_key(insert_time), {head.process_id for head in heads}
        streams = sum(len(head.threads) for head in heads)
        segments.add(connection, key, 4096 * len(heads), insert_time, times, processes, index_of(heads), streams)
