"""What is there at one moment: one transaction of PostgreSQL, whose SELECTs all see the same blocks and processes.

It begins with the first of them, and is meant to be short: what a query reads is selected while it is planned.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final
from uuid import UUID

import psycopg

from tachy_server.base.errors import StoreError
from tachy_server.lake import block_days, watched
from tachy_server.lake.arrow_reads import ArrowResult
from tachy_server.lake.block_errors import REASON
from tachy_server.lake.database import Connection, Database, one_line
from tachy_server.lake.visible import Visible
from tachy_server.lake.watched import Looks

_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_COLUMNS: Final = f"""block_id, process_id, class, sequence, segment_key, "offset", size, header_size, codec, raw_size,
    stored_size, begin_time, end_time, begin_ticks, end_ticks, events, dropped, insert_time, threads, {REASON}"""

_STREAM_THREADS: Final = "SELECT process_id, thread FROM streams WHERE stream_id = ANY(%s) AND class = %s"


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


class Snapshot:
    """Use it in a `with`. Any thread may ask; rows of processes that are not visible are not there.

    It ends with the last of its users: those who entered it, and those who joined them.
    """

    def __init__(self, database: Database, visible: Visible, looks: Looks) -> None:
        self.visible = visible
        self._looks = looks
        self._looked_at: set[UUID] = set()
        self._database = database
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._connection: Connection | None = None
        self._exported: str | None = None
        self._users = 0

    def __enter__(self) -> Snapshot:
        with self._lock:
            self._users += 1
        return self

    def join(self) -> bool:
        """Enters it where somebody still uses it; False: it is over."""
        with self._lock:
            if self._users == 0:
                return False
            self._users += 1
            return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._users -= 1
            if self._users > 0:
                return
        with self._lock, self._stack:
            if self._connection is not None:
                with contextlib.suppress(psycopg.Error):  # a connection that broke has ended its transaction, too
                    self._connection.execute("ROLLBACK")
                    if self._looked_at:
                        watched.write(self._connection, self._looked_at)
            self._connection = None

    def select(self, query: str, arguments: Sequence[Any] = (), *, binary: bool = False) -> list[tuple[Any, ...]]:
        """Rows of any SELECT, which looks after `visible` itself. Raises StoreError."""
        try:
            with self._opened().cursor(binary=binary) as cursor:
                return cursor.execute(query.encode(), arguments or None).fetchall()
        except psycopg.OperationalError as error:
            raise StoreError(f"PostgreSQL did not do its part: {one_line(error)}") from None

    def read(self, query: str) -> ArrowResult:
        """The same as Arrow; all that the query needs is written into it. Raises StoreError."""
        if self._exported is None:
            self._exported = str(self.select("SELECT pg_export_snapshot()")[0][0])
        return self._database.reads.read(query, self._exported)

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
        conditions = ["class = %s AND insert_day = ANY(%s)", *self._visible()]
        arguments: list[Any] = []
        threads: dict[UUID, set[int]] | None = None
        if stream_ids is not None:
            threads = collections.defaultdict(set)
            for process, thread in self.select(_STREAM_THREADS, (list(stream_ids), cls)):
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
        self._looked_at.update(self._looks.news(process_ids, end))
        days = self.days(process_ids=process_ids, begin=begin, end=end)
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
        query = f"SELECT {_COLUMNS} FROM blocks WHERE {' AND '.join(conditions)} ORDER BY process_id, sequence{tail}"
        rows = [_block_row(*row) for row in self.select(query, [cls, days, *arguments], binary=True)]
        if threads is not None:
            rows = [row for row in rows if not threads[row.process_id].isdisjoint(row.threads)][:limit]
        return rows

    def block_before(self, cls: int, process_id: UUID, time: int) -> BlockRow | None:
        """The newest block of a process and class that ends before `time`; it knows what was open then."""
        days = self.days(process_ids=[process_id], end=time)
        if not days:
            return None
        conditions = ["class = %s AND process_id = %s AND insert_day = ANY(%s) AND end_time < %s", *self._visible()]
        query = f"SELECT {_COLUMNS} FROM blocks WHERE {' AND '.join(conditions)} ORDER BY sequence DESC LIMIT 1"
        rows = self.select(query, [cls, process_id, days, time], binary=True)
        return _block_row(*rows[0]) if rows else None

    def days(
        self, *, process_ids: Collection[UUID] | None = None, begin: int | None = None, end: int | None = None
    ) -> list[datetime.date]:
        """The days on which blocks of these processes that overlap [begin, end] can have been inserted."""
        try:
            return block_days.select(self._opened(), process_ids=process_ids, begin=begin, end=end)
        except psycopg.OperationalError as error:
            raise StoreError(f"PostgreSQL did not do its part: {one_line(error)}") from None

    def _visible(self) -> list[str]:
        return [condition.replace("%", "%%") for condition in self.visible.conditions("process_id")]

    def _opened(self) -> Connection:
        with self._lock:
            if self._connection is None:
                connection = self._stack.enter_context(self._database.connection())
                connection.execute(_BEGIN)
                self._connection = connection
            return self._connection


def _block_row(*values: Any) -> BlockRow:
    fields = [*values[:-2], tuple(values[-2]), values[-1]]
    return BlockRow(*fields)
