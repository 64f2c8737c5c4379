"""What the query side knows of storage: where blocks are, and their bytes."""

from __future__ import annotations

import collections
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tachy_server.base.errors import FormatError, NotFound
from tachy_server.formats.reader import Limits
from tachy_server.lake import block_days, block_errors
from tachy_server.lake.block_errors import REASON
from tachy_server.lake.database import Connection, Database
from tachy_server.lake.store import Store

_READ_BYTES = 8 << 20  # of one coalesced read, unless a block is larger
_WINDOW_BYTES = 32 << 20  # of blocks that are looked at together
_WINDOW_ROWS = 1024
_READERS = 8

_COLUMNS = f"""block_id, process_id, class, sequence, segment_key, "offset", size, header_size, codec, raw_size,
    stored_size, begin_time, end_time, begin_ticks, end_ticks, events, dropped, insert_time, threads, {REASON}"""

_STREAM_THREADS = "SELECT process_id, thread FROM streams WHERE stream_id = ANY(%s) AND class = %s"


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A row of `blocks`, as far as a query needs it. Times are UTC nanoseconds; `threads` are thread numbers.

    `error` says why the block could not be read the last time.
    """

    block_id: UUID
    process_id: UUID
    cls: int
    sequence: int
    segment_key: str
    offset: int
    size: int
    header_size: int
    codec: int
    raw_size: int
    stored_size: int
    begin_time: int
    end_time: int
    begin_ticks: int
    end_ticks: int
    events: int
    dropped: int
    insert_time: int
    threads: tuple[int, ...]
    error: str | None = None


class Lake:
    """Segments and their metadata. Every method may be called on any thread."""

    def __init__(self, database: Database, store: Store, limits: Limits | None = None) -> None:
        self.database = database
        self.store = store
        self.limits = limits or Limits()
        self.unreadable = 0
        self.readable_again = 0
        self._lock = threading.Lock()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="read")

    def close(self) -> None:
        """Ends the readers' threads."""
        self._readers.shutdown(cancel_futures=True)

    def connection(self) -> AbstractContextManager[Connection]:
        """A pooled autocommit connection. Raises StoreError when there is none."""
        return self.database.connection()

    def select_blocks(
        self,
        cls: int,
        *,
        begin: int | None = None,
        end: int | None = None,
        process_ids: Collection[UUID] | None = None,
        stream_ids: Collection[UUID] | None = None,
        block_ids: Collection[UUID] | None = None,
        limit: int | None = None,
    ) -> list[BlockRow]:
        """Blocks of a class that overlap [begin, end], ordered by process and sequence.

        None means no condition; an empty collection selects nothing. Raises StoreError.
        """
        if any(ids is not None and not ids for ids in (process_ids, stream_ids, block_ids)):
            return []
        conditions = ["class = %s AND insert_day = ANY(%s)"]
        arguments: list[Any] = []
        with self.connection() as connection:
            threads: dict[UUID, set[int]] | None = None
            if stream_ids is not None:
                threads = collections.defaultdict(set)
                for process, thread in connection.execute(_STREAM_THREADS, (list(stream_ids), cls)):
                    threads[process].add(thread)
                wanted = threads.keys() if process_ids is None else threads.keys() & set(process_ids)
                if not wanted:
                    return []
                process_ids = list(wanted)
                conditions.append("threads && %s::bigint[]")
                arguments.append(sorted({thread for process in wanted for thread in threads[process]}))
            if process_ids is not None:
                conditions.append("process_id = ANY(%s)")
                arguments.append(list(process_ids))
            days = block_days.select(connection, process_ids=process_ids, begin=begin, end=end)
            if not days:
                return []
            if block_ids is not None:
                conditions.append("block_id = ANY(%s)")
                arguments.append(list(block_ids))
            if begin is not None:
                conditions.append("end_time >= %s")
                arguments.append(begin)
            if end is not None:
                conditions.append("begin_time <= %s")
                arguments.append(end)
            tail = "" if limit is None or threads is not None else f" LIMIT {int(limit)}"
            query = (
                f"SELECT {_COLUMNS} FROM blocks WHERE {' AND '.join(conditions)} ORDER BY process_id, sequence{tail}"
            )
            with connection.cursor(binary=True) as cursor:
                fetched = cursor.execute(query.encode(), [cls, days, *arguments]).fetchall()
        rows = [_block_row(*row) for row in fetched]
        if threads is not None:
            rows = [row for row in rows if not threads[row.process_id].isdisjoint(row.threads)][:limit]
        return rows

    def block_before(self, cls: int, process_id: UUID, time: int) -> BlockRow | None:
        """The newest block of a process and class that ends before `time`; it knows what was open then."""
        with self.connection() as connection:
            days = block_days.select(connection, process_ids=[process_id], end=time)
            query = (
                f"SELECT {_COLUMNS} FROM blocks WHERE class = %s AND process_id = %s AND insert_day = ANY(%s) "
                "AND end_time < %s ORDER BY sequence DESC LIMIT 1"
            )
            with connection.cursor(binary=True) as cursor:
                row = cursor.execute(query.encode(), [cls, process_id, days, time]).fetchone() if days else None
        return None if row is None else _block_row(*row)

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
            self.unreadable += reason is not None and row.error is None
            self.readable_again += reason is None


Stored = memoryview | FormatError
"""A block's bytes, or why there are none."""

_Reads = list[tuple[int, Stored]]


def _block_row(*values: Any) -> BlockRow:
    fields = [*values[:-2], tuple(values[-2]), values[-1]]
    return BlockRow(*fields)


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
