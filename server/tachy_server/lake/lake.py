"""What the query side knows of storage: where blocks are, and their bytes."""

from __future__ import annotations

import collections
import copy
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyarrow as pa

from tachy_server.base.errors import FormatError, NotFound
from tachy_server.formats.reader import Limits
from tachy_server.lake import block_errors, block_reads, materialized
from tachy_server.lake.block_reads import BlocksRead, Read
from tachy_server.lake.blocks import BlockRow, Blocks
from tachy_server.lake.database import Connection, Database
from tachy_server.lake.snapshot import Snapshot
from tachy_server.lake.store import Store
from tachy_server.lake.visible import EVERYTHING, Visible
from tachy_server.lake.watched import Looks

_READ_BYTES = 8 << 20  # of one coalesced read, unless a block is larger
_WINDOW_BYTES = 32 << 20  # of blocks that are looked at together
_WINDOW_ROWS = 1024
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
        return Snapshot(self.database, self.visible, self._looks)

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

    def read_blocks(self, rows: Iterable[BlockRow]) -> Iterator[tuple[BlockRow, Stored]]:
        """Every row with its bytes, in the order given. Neighbours in a segment come with one read; a few reads are in
        flight, and at most two windows of 32 MiB in memory. Raises StoreError.
        """
        ahead: collections.deque[tuple[Sequence[BlockRow], list[Future[_Reads]]]] = collections.deque()
        try:
            for window in _windows(rows):
                ahead.append((window, self._start(window)))
                if len(ahead) > 1:
                    yield from _finish(*ahead.popleft())
            while ahead:
                yield from _finish(*ahead.popleft())
        finally:
            for _, futures in ahead:
                for future in futures:
                    future.cancel()

    def read(self, blocks: Blocks) -> Iterator[BlocksRead]:
        """All of the blocks, some thousand at a time. Neighbours in a segment come with one read; a few reads are in
        flight, and at most two windows of 32 MiB in memory. Raises StoreError.
        """
        ahead: collections.deque[tuple[Blocks, list[Read], list[Future[_Given]]]] = collections.deque()
        try:
            for window in block_reads.windows(blocks):
                made = block_reads.reads(window, self.store.coalesce_gap)
                ahead.append((window, made, [self._readers.submit(self._give, window, read) for read in made]))
                if len(ahead) > 1:
                    yield _found(*ahead.popleft())
            while ahead:
                yield _found(*ahead.popleft())
        finally:
            for _, _, futures in ahead:
                for future in futures:
                    future.cancel()

    def _give(self, window: Blocks, read: Read) -> _Given:
        try:
            return [(read.offset, pa.py_buffer(self.store.read(read.key, read.offset, read.size)))]
        except NotFound:
            rows = [window[place] for place in read.places.to_pylist()]
            given = [(row.offset, self._one(row)) for row in rows]
            return [data if isinstance(data, FormatError) else (at, pa.py_buffer(data)) for at, data in given]

    def _start(self, window: Sequence[BlockRow]) -> list[Future[_Reads]]:
        gap = self.store.coalesce_gap
        order = sorted(range(len(window)), key=lambda index: (window[index].segment_key, window[index].offset))
        futures: list[Future[_Reads]] = []
        group: list[int] = []
        for index in order:
            row = window[index]
            if group:
                first, last = window[group[0]], window[group[-1]]
                near = row.segment_key == first.segment_key and row.offset - (last.offset + last.size) <= gap
                if not near or row.offset + row.size - first.offset > _READ_BYTES:
                    futures.append(self._readers.submit(self._read, window, group))
                    group = []
            group.append(index)
        futures.append(self._readers.submit(self._read, window, group))
        return futures

    def _read(self, window: Sequence[BlockRow], group: list[int]) -> _Reads:
        first = window[group[0]]
        end = max(window[index].offset + window[index].size for index in group)
        try:
            data = self.store.read(first.segment_key, first.offset, end - first.offset)
        except NotFound:
            return [(index, self._one(window[index])) for index in group]
        return [
            (
                index,
                data[window[index].offset - first.offset : window[index].offset - first.offset + window[index].size],
            )
            for index in group
        ]

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


Stored = memoryview | FormatError
"""A block's bytes, or why there are none."""

_Reads = list[tuple[int, Stored]]
_Given = list[tuple[int, pa.Buffer] | FormatError]


def _found(window: Blocks, made: list[Read], futures: list[Future[_Given]]) -> BlocksRead:
    return block_reads.found(window, made, [future.result() for future in futures])


def _windows(rows: Iterable[BlockRow]) -> Iterator[list[BlockRow]]:
    window: list[BlockRow] = []
    size = 0
    for row in rows:
        if window and (size + row.size > _WINDOW_BYTES or len(window) == _WINDOW_ROWS):
            yield window
            window, size = [], 0
        window.append(row)
        size += row.size
    if window:
        yield window


def _finish(window: Sequence[BlockRow], futures: list[Future[_Reads]]) -> Iterator[tuple[BlockRow, Stored]]:
    blocks: dict[int, Stored] = {}
    for future in futures:
        blocks.update(future.result())
    for index, row in enumerate(window):
        yield row, blocks.pop(index)
