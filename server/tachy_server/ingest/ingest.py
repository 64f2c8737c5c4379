"""Group commit: what was acknowledged is durable and visible.

Requests hand their bodies to `Ingest.take`. One thread takes whatever waits, checks it, reads the rows of its
processes in one transaction, writes one segment (durable before anything refers to it), inserts its row, commits, and
only then answers everybody in the group. A batch in which nothing is new is answered so. Bodies are never decoded.
What comes meanwhile is the next group: two at once would cost more, and wait for each other's rows.

When something fails after a segment was written and before the commit, the segment is removed again if that is
possible; if the commit's outcome is unknown (the connection broke in it), it is left: an unreferenced object is
harmless, since the client's retry has the same blocks.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import enum
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

import psycopg

from tachy_server.base.bodies import BusyError, MemoryBudget
from tachy_server.base.errors import ConflictError, FormatError, StoreError, TachyError
from tachy_server.base.settings import Settings
from tachy_server.formats.reader import BlockHead, Limits, check_batch, stream_id
from tachy_server.ingest import group_rows, group_segment, identity
from tachy_server.ingest.group_rows import Known, ProcessRow, StreamRow
from tachy_server.ingest.identity import Sent
from tachy_server.lake import database, watched
from tachy_server.lake.database import Connection, Database
from tachy_server.lake.described import is_due
from tachy_server.lake.segments import segment_key
from tachy_server.lake.store import Store

log = logging.getLogger(__name__)

_GROUP_BYTES = 32 << 20
_STREAM_CACHE = 200_000
_ATTEMPTS = 3
_LOCK_SECONDS = 2.0  # that a group waits for rows which another server's holds
_LATEST_UTC = 7_258_118_400 * 10**9  # 2200


class Status(enum.Enum):
    """What became of a batch."""

    STORED = "stored"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a batch that is durable."""

    batch_id: uuid.UUID
    status: Status
    control: str = ""
    """What the process's recorder is told, as the header has it."""


@dataclass(slots=True)
class Counts:
    """Since the start; bytes are those of stored batches."""

    stored: int = 0
    known: int = 0
    refused: int = 0
    conflicts: int = 0
    failed: int = 0
    bytes: int = 0
    blocks: int = 0
    groups: int = 0
    segments: int = 0


@dataclass(slots=True)
class _Item:
    """One request's body, and where its answer goes."""

    body: bytes
    stamp: Mapping[str, str]
    arrived: float
    loop: asyncio.AbstractEventLoop
    answer: Callable[[Receipt | TachyError], None] | None
    """Until it has been called."""


_Answer = tuple[_Item, Receipt | TachyError]


@dataclass(slots=True)
class _Batch:
    """A checked batch and everybody who sent it."""

    sent: Sent
    items: list[_Item]

    @property
    def id(self) -> uuid.UUID:
        """The batch's."""
        return self.sent.head.batch_id


class Ingest:
    """The queue and its thread. Made and used by one event loop; close() may block."""

    def __init__(self, settings: Settings, base: Database, store: Store) -> None:
        self.bodies = MemoryBudget(settings.ingest_queue_bytes)
        self.counts = Counts()
        self._database = base
        self._store = store
        self._limits = Limits.of(settings)
        self._wait = settings.commit_wait / 1000 or store.group_seconds
        self._items: collections.deque[_Item] = collections.deque()
        self._bytes = 0
        self._condition = threading.Condition()
        self._closing = False
        self._lock = threading.Lock()
        self._streams: dict[tuple[uuid.UUID, int, int], tuple[str, int]] = {}
        self._watched = watched.Watched()
        self._thread = threading.Thread(target=self._work, name="ingest", daemon=True)
        self._thread.start()

    async def submit(self, body: bytes, stamp: Mapping[str, str] = MappingProxyType({})) -> Receipt:
        """Returns when the batch is durable and visible. Raises what `take` answers with."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

        def answer(result: Receipt | TachyError) -> None:
            if future.done():  # the client has gone
                return
            if isinstance(result, Receipt):
                future.set_result(result)
            else:
                future.set_exception(result)

        self.take(body, stamp, answer)
        return await future

    def take(self, body: bytes, stamp: Mapping[str, str], answer: Callable[[Receipt | TachyError], None]) -> None:
        """Calls `answer` once, from the event loop, when the batch is durable and visible, or with what stands against
        it: FormatError (it is wrong), ConflictError (another content has the identity of one of its blocks), StoreError
        (object store or PostgreSQL are away), BusyError (closing).

        `stamp`: properties that its process gets from the sender's key.
        """
        item = _Item(body, stamp, time.monotonic(), asyncio.get_running_loop(), answer)
        with self._condition:
            if not self._closing:
                self._items.append(item)
                self._bytes += len(body)
                if len(self._items) == 1 or self._bytes >= _GROUP_BYTES:  # who waits for neighbours sleeps on
                    self._condition.notify()
                return
        _settle([(item, BusyError("the server is stopping: send this batch again later"))])

    def check(self) -> None:
        """Raises StoreError when batches are not being worked on."""
        if not self._thread.is_alive():
            raise StoreError("the ingest thread has stopped")
        if self.bodies.full:
            raise StoreError("the ingest queue is full")
        with self._condition:
            if self._items and time.monotonic() - self._items[0].arrived > 30:
                raise StoreError("the ingest queue has not moved for 30 s")

    def stats(self) -> dict[str, int]:
        """Counters since the start, and what is in memory now."""
        with self._lock:
            result = asdict(self.counts)
        return {**result, "queued_bytes": self.bodies.used}

    def close(self) -> None:
        """No batch is taken any more; those that wait are made durable first. Blocks until then."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join()

    # The thread ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        connection: Connection | None = None
        while group := self._next_group():
            try:
                batches = self._check(group)
                if batches and (connection is None or connection.closed):
                    connection = database.connect(self._database.dsn)
                    connection.execute(f"SET lock_timeout = {_LOCK_SECONDS * 1000:.0f}".encode())
                if batches and connection is not None:
                    self._commit(connection, batches)
            except Exception as error:
                # Whatever it is, nobody in the group has been told that his batch is stored.
                if connection is not None and not isinstance(error, StoreError):
                    connection.close()
                self._fail(group, error)
        if connection is not None:
            connection.close()

    def _next_group(self) -> list[_Item]:
        """Whatever waits, once its eldest has waited long enough for neighbours; empty when it is over."""
        with self._condition:
            while True:
                if self._items:
                    remaining = self._items[0].arrived + self._wait - time.monotonic()
                    if remaining <= 0 or self._bytes >= _GROUP_BYTES or self._closing:
                        break
                    self._condition.wait(remaining)
                elif self._closing:
                    return []
                else:
                    self._condition.wait()
            group: list[_Item] = []
            size = 0
            while self._items and (not group or size + len(self._items[0].body) <= _GROUP_BYTES):
                item = self._items.popleft()
                size += len(item.body)
                group.append(item)
            self._bytes -= size
            return group

    def _check(self, group: Sequence[_Item]) -> list[_Batch]:
        """One entry per batch id; items whose bytes are wrong get their answer here."""
        batches: dict[uuid.UUID, _Batch] = {}
        now = time.time_ns()
        for item in group:
            try:
                head = check_batch(item.body)
                for _, _, block in head.blocks:
                    self._limits.check(block)
                    _check_times(block)
                known = batches.get(head.batch_id)
                if known is not None and known.items[0].body == item.body:
                    known.items.append(item)
                elif known is not None:
                    self._again(item)
                else:
                    said = ProcessRow.from_batch(head, now, item.stamp)
                    batches[head.batch_id] = _Batch(Sent(head, item.body, said), [item])
            except FormatError as error:
                self._refuse([item], error)
        return list(batches.values())

    def _again(self, item: _Item) -> None:
        """Another batch of the same id stands before this one: it is looked at when that has been stored."""
        with self._condition:
            self._items.append(item)
            self._bytes += len(item.body)

    def _commit(self, connection: Connection, batches: list[_Batch]) -> None:
        """Makes the batches durable and answers them. When the data of one are refused, the others do without it."""
        try:
            self._try_commit(connection, batches)
        except identity.Refused as refused:
            for batch in batches:
                if (answer := refused.answers.get(batch.id)) is not None:
                    self._refuse(batch.items, answer)
            rest = [batch for batch in batches if batch.id not in refused.answers]
            if rest:
                self._commit(connection, rest)
        except psycopg.errors.LockNotAvailable:
            self._commit_without_held(connection, batches)
        except psycopg.DataError as error:
            if len(batches) == 1:
                reason = database.one_line(error)
                self._refuse(batches[0].items, FormatError(f"the batch cannot be stored: {reason}"))
                return
            for batch in batches:
                self._commit(connection, [batch])

    def _commit_without_held(self, connection: Connection, batches: list[_Batch]) -> None:
        """The others do not wait for whoever shares a process with a server that stands still, or with its store."""
        free = group_rows.not_held(connection, {batch.sent.head.process_id for batch in batches})
        for batch in batches:
            if (process_id := batch.sent.head.process_id) not in free:
                reason = f"another server has held process {process_id} for {_LOCK_SECONDS:g} s: send this batch again"
                self._refuse(batch.items, StoreError(reason))
        rest = [batch for batch in batches if batch.sent.head.process_id in free]
        if rest:
            self._commit(connection, rest)

    def _try_commit(self, connection: Connection, batches: list[_Batch]) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                self._transact(connection, batches, hold=attempt > 0)
            except (group_rows.Overtaken, psycopg.errors.DeadlockDetected):
                # Another server's group has the same processes.
                if attempt + 1 == _ATTEMPTS:
                    raise
            else:
                return

    def _transact(self, connection: Connection, batches: list[_Batch], *, hold: bool) -> None:
        now = time.time_ns()
        self._database.ensure_day(connection, database.day_of(now))
        streams: list[StreamRow] = []
        refused: identity.Answers = {}
        key: str | None = None
        inserted = 0
        outcome_known = True
        try:
            with connection.transaction():
                sent = [batch.sent for batch in batches]
                rows = group_rows.merged(one.process for one in sent)
                known = group_rows.read_processes(connection, rows, now, hold=hold)
                stored = identity.check(connection, self._store, sent, known, refused)
                fresh = identity.with_news(connection, sent, known, stored)
                _check_stamps(sent, known, refused)
                if refused:
                    raise identity.Refused(refused)
                if fresh:
                    streams = self._stale_streams(fresh, now)
                    key, said = segment_key(now), group_rows.merged(one.process for one in fresh)
                    store = self._store
                    inserted = group_segment.store(connection, store, key, fresh, said, known, stored, streams, now)
                outcome_known = False
        except BaseException:
            if outcome_known and key is not None:
                with contextlib.suppress(StoreError):
                    self._store.remove(key)
            raise
        self._remember_streams(streams, now)
        headers = {one: of.control.header(time.time_ns()) for one, of in known.items() if of.control is not None}
        for process_id in self._watched.among(connection, known.keys()):
            headers[process_id] = "; ".join(filter(None, [headers.get(process_id), watched.FLUSH]))
        self._answer(batches, {one.head.batch_id for one in fresh}, headers, inserted, key is not None)

    # Streams are known after their first block, and told again every few minutes and day, not with every block ------

    def _stale_streams(self, batches: Sequence[Sent], now: int) -> list[StreamRow]:
        stale: dict[tuple[uuid.UUID, int, int], StreamRow] = {}
        for batch in batches:
            for _, _, head in batch.head.blocks:
                for thread in head.threads:
                    key, name = (head.process_id, head.cls, thread.number), thread.name
                    told = self._streams.get(key)
                    if told is None or told[0] != name or is_due(told[1], now):
                        stale[key] = StreamRow(stream_id(*key), *key, name, thread.os_id)
        return list(stale.values())

    def _remember_streams(self, rows: list[StreamRow], now: int) -> None:
        if len(self._streams) + len(rows) > _STREAM_CACHE:
            self._streams.clear()
        for row in rows:
            self._streams[row.process_id, row.cls, row.thread] = (row.thread_name, now)

    # Answers ------------------------------------------------------------------------------------------------------

    def _answer(
        self,
        batches: list[_Batch],
        fresh: set[uuid.UUID],
        controls: dict[uuid.UUID, str],
        inserted: int,
        written: bool,
    ) -> None:
        stored = known = size = 0
        answers: list[_Answer] = []
        for batch in batches:
            status = Status.STORED if batch.id in fresh else Status.KNOWN
            for item in batch.items:
                control = controls.get(batch.sent.head.process_id, "")
                answers.append((item, Receipt(batch.id, status, control)))
                if status is Status.STORED:
                    stored += 1
                    size += len(item.body)
                else:
                    known += 1
                status = Status.KNOWN  # the same batch twice in one group
        _settle(answers)
        with self._lock:
            self.counts.stored += stored
            self.counts.known += known
            self.counts.bytes += size
            self.counts.blocks += inserted
            self.counts.segments += written
            self.counts.groups += 1

    def _refuse(self, items: Sequence[_Item], error: TachyError) -> None:
        with self._lock:
            self.counts.conflicts += isinstance(error, ConflictError)
            self.counts.refused += len(items)
        _settle([(item, error) for item in items])

    def _fail(self, group: Sequence[_Item], error: Exception) -> None:
        """Items that have their answer already ignore this one."""
        with self._lock:
            self.counts.failed += 1
        if isinstance(error, psycopg.Error):
            failure: TachyError = StoreError(f"PostgreSQL did not do its part: {database.one_line(error)}")
        elif isinstance(error, TachyError):
            failure = error
        else:
            failure = StoreError(f"the batch could not be stored: {type(error).__name__}: {database.one_line(error)}")
        _settle([(item, failure) for item in group])


def _settle(answers: Sequence[_Answer]) -> None:
    """All at once: the loop is woken once for a group."""
    if answers:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            answers[0][0].loop.call_soon_threadsafe(_set_results, answers)


def _set_results(answers: Sequence[_Answer]) -> None:
    for item, result in answers:
        answer, item.answer = item.answer, None
        if answer is None:
            continue
        try:
            answer(result)
        except Exception:  # or nobody behind this one would have an answer
            log.exception("a batch could not be answered")


def _check_stamps(batches: Sequence[Sent], known: Mapping[uuid.UUID, Known], refused: identity.Answers) -> None:
    """A process that came with one key's stamp takes nothing from a key with another: that would be somebody else's
    data under its name.
    """
    for batch in batches:
        first, now = known[batch.head.process_id].stamp, batch.process.stamp
        if first and now and first != now:
            refused[batch.head.batch_id] = ConflictError(
                f"process {batch.head.process_id} came with the stamp of another key: this batch is not kept"
            )


def _check_times(block: BlockHead) -> None:
    """Clocks that were never set say 1970, wrong ones any year; but with a time at the end of what 64 bits hold,
    `time + interval '1 day'` fails for everybody who asks for it.
    """
    if block.begin_utc < 0 or max(block.end_utc, block.utc0, block.utc1) > _LATEST_UTC:
        raise FormatError("the times of a block are those of no clock: before 1970, or after 2200")
