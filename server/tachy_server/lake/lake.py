"""What the query side knows of storage: where blocks are, and their bytes."""

from __future__ import annotations

import collections
import copy
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyarrow as pa

from tachy_server.base.errors import FormatError, NotFound
from tachy_server.formats.reader import Limits
from tachy_server.lake import block_errors, block_reads, materialized
from tachy_server.lake.block_reads import BlocksRead, Reads, Stored
from tachy_server.lake.blocks import BlockRow, Blocks
from tachy_server.lake.database import Connection, Database
from tachy_server.lake.indexes import Indexes
from tachy_server.lake.snapshot import Snapshot
from tachy_server.lake.store import Store
from tachy_server.lake.visible import EVERYTHING, Visible
from tachy_server.lake.watched import Looks

_READERS = 8


@dataclass(slots=True)
class Counts:
    """Blocks that were found unreadable since the start, and those that could be read after all."""

    unreadable: int = 0
    readable_again: int = 0


class Lake:
    """Segments and their metadata. Every method may be called on any thread."""

    def __init__(self, database: Database, store: Store, limits: Limits | None = None) -> None:
        self.database = database
        self.store = store
        self.limits = limits or Limits()
        self.visible = EVERYTHING
        self.counts = Counts()
        self._looks = Looks()
        self._indexes = Indexes()
        self._lock = threading.Lock()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="read")

    def close(self) -> None:
        """Ends the readers' threads."""
        self._readers.shutdown(cancel_futures=True)

    def connection(self) -> AbstractContextManager[Connection]:
        """A pooled autocommit connection. Raises StoreError when there is none."""
        return self.database.connection()

    def seen_by(self, visible: Visible) -> Lake:
        """The same lake, without the processes that are not visible."""
        seen = copy.copy(self)
        seen.visible = visible
        return seen

    def snapshot(self) -> Snapshot:
        """What is there at one moment, to be used in a `with`."""
        return Snapshot(self.database, self.visible, self._looks, self._indexes)

    def select_blocks(self, cls: int, **selection: Any) -> Blocks:
        """Snapshot.select_blocks of this moment."""
        with self.snapshot() as snapshot:
            return snapshot.select_blocks(cls, **selection)

    def block_before(self, cls: int, process_id: UUID, time: int) -> BlockRow | None:
        """Snapshot.block_before of this moment."""
        with self.snapshot() as snapshot:
            return snapshot.block_before(cls, process_id, time)

    def file(self, key: str, size: int) -> memoryview:
        """A whole object of that size. Raises StoreError."""
        return self.store.read(key, 0, size)

    def read_block(self, row: BlockRow) -> memoryview:
        """The whole block as stored; its hash is for whoever decodes it. Raises StoreError, FormatError when the store
        has lost it.
        """
        try:
            return self.store.read(row.segment_key, row.offset, row.size)
        except NotFound as error:  # nobody asked for a segment: the store has lost what the metadata speak of
            raise FormatError(str(error)) from None

    def read_blocks(self, blocks: Blocks) -> Iterator[tuple[BlockRow, Stored]]:
        """Every block with its bytes, in their order; as `read`."""
        for read in self.read(blocks):
            yield from read.each()

    def read(self, blocks: Blocks) -> Iterator[BlocksRead]:
        """All of the blocks, some thousand at a time. Neighbours in a segment come with one read; a few reads are in
        flight, and at most two windows of 32 MiB in memory. Raises StoreError.
        """
        ahead: collections.deque[tuple[Blocks, Reads, list[Future[pa.Buffer | None]]]] = collections.deque()

        def finished() -> BlocksRead:
            window, made, futures = ahead.popleft()
            return block_reads.found(window, made, [future.result() for future in futures], self._one)

        try:
            for window in block_reads.windows(blocks):
                made = block_reads.reads(window, self.store.coalesce_gap)
                ahead.append((window, made, [self._readers.submit(self._give, *each) for each in made.each]))
                if len(ahead) > 1:
                    yield finished()
            while ahead:
                yield finished()
        finally:
            for _, _, futures in ahead:
                for future in futures:
                    future.cancel()

    def _give(self, key: str, offset: int, size: int) -> pa.Buffer | None:
        try:
            return pa.py_buffer(self.store.read(key, offset, size))
        except NotFound:
            return None

    def _one(self, row: BlockRow) -> Stored:
        try:
            return self.read_block(row)
        except FormatError as error:
            return error

    def note_error(self, row: BlockRow, reason: str | None) -> None:
        """The block cannot be read because of this; None: it can, after all. Raises StoreError."""
        with self.connection() as connection:
            block_errors.write(connection, row, reason)
        with self._lock:
            self.counts.unreadable += reason is not None and row.error is None
            self.counts.readable_again += reason is None

    def note_lost(self, key: str, reason: str) -> None:
        """The file of a view cannot be read because of this. Raises StoreError."""
        with self.connection() as connection:
            materialized.note_lost(connection, key, reason)
