"""What is there at one moment: one transaction of PostgreSQL, whose SELECTs all see the same blocks and processes.

It begins with the first of them, and is meant to be short: what a query reads is selected while it is planned.
"""

from __future__ import annotations

import contextlib
import datetime
import threading
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Any, Final
from uuid import UUID

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.errors import StoreError
from tachy_server.formats.block_index import select
from tachy_server.lake import block_days, block_errors, segments, watched
from tachy_server.lake.arrow_reads import ArrowResult
from tachy_server.lake.blocks import BlockRow, Blocks
from tachy_server.lake.database import Connection, Database, one_line
from tachy_server.lake.indexes import Indexes
from tachy_server.lake.visible import Visible
from tachy_server.lake.watched import Looks

_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_LOOK_BACK: Final = (60 * 10**9, 3600 * 10**9, None)
"""How far before a time the block before it is looked for; few have to go further than the first."""


class Snapshot:
    """Use it in a `with`. Any thread may ask; rows of processes that are not visible are not there.

    It ends with the last of its users: those who entered it, and those who joined them.
    """

    def __init__(self, database: Database, visible: Visible, looks: Looks, indexes: Indexes) -> None:
        self.visible = visible
        self._looks, self._indexes = looks, indexes
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
        chosen: segments.Chosen | None = None,
        limit: int | None = None,
    ) -> Blocks:
        """Blocks of a class (0: of all) that overlap [begin, end], ordered by process, class and sequence.

        None means no condition; an empty collection selects nothing. Raises StoreError.
        """
        wanted = self._those_of(process_ids, stream_ids, cls)
        nothing = any(ids is not None and not ids for ids in (wanted, block_ids))
        if not nothing and (chosen is None or chosen.keys is None):  # files that are being made nobody looks at
            self._looked_at.update(self._looks.news(wanted, end))
        found = [] if nothing else self._find(begin, end, wanted, cls, chosen)
        rows = select(
            [index for _, _, index in found], cls, begin=begin, end=end, process_ids=wanted, stream_ids=stream_ids,
            block_ids=block_ids, limit=limit,
        )  # fmt: skip
        return self._blocks(rows, found, cls)

    def select_streams(
        self,
        *,
        begin: int | None = None,
        end: int | None = None,
        process_ids: Collection[UUID] | None = None,
        stream_ids: Collection[UUID] | None = None,
        block_ids: Collection[UUID] | None = None,
    ) -> tuple[pa.RecordBatch, list[int]]:
        """The blocks of all classes, a row for each of their streams that overlaps [begin, end], with the columns of
        formats.block_index.select; and the times at which their segments were inserted. Raises StoreError.
        """
        wanted = self._those_of(process_ids, stream_ids)
        found = self._find(begin, end, wanted) if wanted is None or wanted else []
        rows = select(
            [index for _, _, index in found], threads=True, begin=begin, end=end, process_ids=wanted,
            stream_ids=stream_ids, block_ids=block_ids,
        )  # fmt: skip
        return rows, [inserted for _, inserted, _ in found]

    def block_before(self, cls: int, process_id: UUID, time: int) -> BlockRow | None:
        """The newest block of a process and class that ends before `time`."""
        return next(iter(self.blocks_before(cls, process_id, time)), None)

    def blocks_before(self, cls: int, process_id: UUID, time: int) -> Blocks:
        """The newest of a process and class that ends before `time`, or none; it knows what was open then."""
        found: list[tuple[str, int, bytes]] = []
        rows = select([], cls)
        for back in _LOOK_BACK if self._those_of([process_id]) else ():
            begin = None if back is None else time - back
            found = self._find(begin, time, [process_id], cls)
            rows = select([index for _, _, index in found], cls, begin=begin, end=time, process_ids=[process_id])
            rows = rows.filter(pc.less(rows.column("end_time"), time))
            if rows.num_rows:
                break
        return self._blocks(rows, found, cls)[-1:]

    def days(
        self, *, process_ids: Collection[UUID] | None = None, begin: int | None = None, end: int | None = None
    ) -> list[datetime.date]:
        """The days on which blocks of these processes that overlap [begin, end] can have been inserted."""
        try:
            return block_days.select(self._opened(), process_ids=process_ids, begin=begin, end=end)
        except psycopg.OperationalError as error:
            raise StoreError(f"PostgreSQL did not do its part: {one_line(error)}") from None

    def processes(self) -> Collection[UUID] | None:
        """Those that are visible; None: all. Raises StoreError."""
        return self._those_of(None)

    def _find(
        self,
        begin: int | None,
        end: int | None,
        process_ids: Collection[UUID] | None,
        cls: int = 0,
        chosen: segments.Chosen | None = None,
    ) -> list[tuple[str, int, bytes]]:
        days = self.days(process_ids=process_ids, begin=begin, end=end)
        return segments.find(
            self._select_binary,
            days,
            cls=cls,
            begin=begin,
            end=end,
            process_ids=process_ids,
            chosen=chosen,
            kept=self._indexes,
        )

    def _blocks(self, rows: pa.RecordBatch, found: Sequence[tuple[str, int, bytes]], cls: int) -> Blocks:
        errors = dict(self.select(block_errors.OF_CLASS, (cls,))) if rows.num_rows else {}
        return Blocks(rows, [(key, inserted) for key, inserted, _ in found], errors)

    def _those_of(
        self, process_ids: Collection[UUID] | None, stream_ids: Collection[UUID] | None = None, cls: int = 0
    ) -> Collection[UUID] | None:
        """Of these processes those that have these streams of the class (0: of any) and are visible; None: all."""
        conditions, arguments = self._visible(), list[Any]()
        if stream_ids is not None:
            own = f" AND class = {cls}" if cls else ""
            conditions.append(f"process_id IN (SELECT s.process_id FROM streams AS s WHERE s.stream_id = ANY(%s){own})")
            arguments.append(list(stream_ids))
        if not conditions:
            return process_ids
        if process_ids is not None:
            conditions.append("process_id = ANY(%s)")
            arguments.append(list(process_ids))
        query = f"SELECT process_id FROM processes WHERE {' AND '.join(conditions)}"
        return [row[0] for row in self.select(query, arguments)]

    def _visible(self) -> list[str]:
        return [condition.replace("%", "%%") for condition in self.visible.conditions("process_id")]

    def _select_binary(self, query: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self.select(query, arguments, binary=True)

    def _opened(self) -> Connection:
        with self._lock:
            if self._connection is None:
                connection = self._stack.enter_context(self._database.connection())
                connection.execute(_BEGIN)
                self._connection = connection
            return self._connection
