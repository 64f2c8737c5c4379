"""What a group of batches writes to PostgreSQL, statement by statement, all of it in one transaction.

Rows are taken in one order by everybody (batches, processes, streams, each sorted by id), so that two groups that share
some of them wait for each other and never in a circle.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tachy_server.formats.reader import BatchHead, BlockHead, block_id
from tachy_server.lake import block_counts, block_days
from tachy_server.lake.control import Issued
from tachy_server.lake.control_table import OF_PROCESS
from tachy_server.lake.database import Connection, day_of

_CLAIM_BATCHES = """
INSERT INTO batches (batch_id, process_id, description_hash, insert_time)
SELECT u.batch_id, u.process_id, u.description_hash, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[]) AS u(batch_id, process_id, description_hash)
ON CONFLICT (batch_id) DO NOTHING
RETURNING batch_id
"""

# Somebody else's PostgreSQL may have it off, for all or for our user; other values are as durable as `on`, or more.
_BE_DURABLE = """
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'
"""

_INSERT_SEGMENTS = """
INSERT INTO segments (class, key, size, insert_time)
SELECT u.class, u.key, u.size, %s FROM unnest(%s::smallint[], %s::text[], %s::bigint[]) AS u(class, key, size)
RETURNING key, segment_id
"""

# What a process says of itself is taken from the batch with its latest block: an old batch that was spooled may come
# after a new one. A state other than `running` is final, and what comes with it is its last word, though a class that
# was sent at once may have had newer blocks. insert_time and last_update_time enclose those of the blocks,
# whatever the order in which groups with a `now` on either side of midnight commit. A process keeps the stamp that it
# came with, and what it says of itself counts only from keys with the same, or none: nobody's stamp gets onto another's
# process. The controls come along: this statement sees every one that was set before the batch came.
_UPSERT_PROCESSES = (
    """
INSERT INTO processes AS p (process_id, parent_process_id, exe, username, realname, computer, distro, cpu_brand,
    tsc_frequency, start_time, start_ticks, clock, sdk, state, properties, stamp, insert_time, last_update_time,
    last_block_end_ticks, last_block_end_time)
SELECT u.process_id, u.parent_process_id, u.exe, u.username, u.realname, u.computer, u.distro, u.cpu_brand,
    u.tsc_frequency, u.start_time, u.start_ticks, u.clock, u.sdk, u.state,
    u.properties::jsonb || u.stamp::jsonb, u.stamp::jsonb, %s, %s, u.end_ticks, u.end_time
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::bigint[], %s::bigint[]) AS u(process_id, parent_process_id, exe, username, realname, computer, distro,
    cpu_brand, tsc_frequency, start_time, start_ticks, clock, sdk, state, properties, stamp, end_ticks, end_time)
ON CONFLICT (process_id) DO UPDATE SET
    state = CASE WHEN p.state = 'running' THEN excluded.state ELSE p.state END,
    properties = CASE WHEN excluded.stamp IN (p.stamp, '{}')
            AND CASE WHEN (excluded.state = 'running') = (p.state = 'running')
                THEN coalesce(excluded.last_block_end_time >= p.last_block_end_time, true) ELSE p.state = 'running' END
        THEN excluded.properties || p.stamp ELSE p.properties END,
    insert_time = least(p.insert_time, excluded.insert_time),
    last_update_time = greatest(p.last_update_time, excluded.last_update_time),
    last_block_end_ticks = greatest(p.last_block_end_ticks, excluded.last_block_end_ticks),
    last_block_end_time = greatest(p.last_block_end_time, excluded.last_block_end_time)
RETURNING process_id, insert_time, stamp, """
    + OF_PROCESS
)

_UPSERT_STREAMS = """
INSERT INTO streams AS s (stream_id, process_id, class, thread, thread_name, os_id, insert_time, last_update_time)
SELECT u.stream_id, u.process_id, u.class, u.thread, u.thread_name, u.os_id, %s, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::smallint[], %s::bigint[], %s::text[], %s::bigint[])
    AS u(stream_id, process_id, class, thread, thread_name, os_id)
ON CONFLICT (stream_id) DO UPDATE SET
    thread_name = excluded.thread_name,
    os_id = excluded.os_id,
    last_update_time = greatest(s.last_update_time, excluded.last_update_time)
"""

# Asked with the processes' rows locked, which upsert_processes has done: nobody else inserts blocks of them meanwhile.
_KNOWN_BLOCKS = """
SELECT block_id, hash, segment_key, "offset", size,
    EXISTS (SELECT FROM block_errors AS e WHERE e.block_id = blocks.block_id) FROM blocks
WHERE insert_day >= %s AND process_id = ANY(%s) AND block_id = ANY(%s)
"""

_FORGET_BLOCKS = """
DELETE FROM blocks WHERE insert_day >= %s AND process_id = ANY(%s) AND block_id = ANY(%s)
RETURNING insert_day, cardinality(threads)
"""
_FORGET_ERRORS = "DELETE FROM block_errors WHERE block_id = ANY(%s)"

_FIRST_DAY = "SELECT min(insert_time) FROM processes WHERE process_id = ANY(%s)"
_BATCH_HASHES = "SELECT batch_id, description_hash FROM batches WHERE batch_id = ANY(%s)"

_COPY_BLOCKS = """
COPY blocks (insert_day, block_id, process_id, class, sequence, batch_id, segment_id, segment_key, "offset", size,
    header_size, codec, raw_size, stored_size, begin_ticks, end_ticks, begin_time, end_time, events, dropped,
    insert_time, hash, threads, thread_events, thread_first, thread_begin_ticks, thread_end_ticks, thread_begin_time,
    thread_end_time) FROM STDIN
"""


SAID_START_TIME: Final = "tachy.said_start_time"
_EARLIEST_START: Final = 946_684_800 * 10**9  # 2000: clocks that were never set begin in 1970 or 1980
_CLOCKS_APART: Final = 86_400 * 10**9


@dataclass(slots=True)
class ProcessRow:
    """A row of `processes`, from a batch's description; the fields are in the statement's order."""

    process_id: uuid.UUID
    parent_process_id: uuid.UUID | None
    exe: str
    username: str
    realname: str
    computer: str
    distro: str
    cpu_brand: str
    tsc_frequency: int
    start_time: int
    start_ticks: int
    clock: str
    sdk: str
    state: str
    properties: str
    stamp: str
    end_ticks: int | None
    end_time: int | None

    @staticmethod
    def from_batch(batch: BatchHead, now: int, stamp: Mapping[str, str] = MappingProxyType({})) -> ProcessRow:
        """check_batch has looked at the keys and types of the description. A start that cannot be is `now`, the
        server's time, and what was said is a property. `stamp`: properties that it gets from the sender's key.
        """
        said = batch.description
        parent = said["parent_process_id"]
        start, properties = said["start_time"], said["properties"]
        if not _EARLIEST_START <= start <= now + _CLOCKS_APART:
            start, properties = now, {**properties, SAID_START_TIME: str(start)}
        return ProcessRow(
            process_id=batch.process_id,
            parent_process_id=None if parent is None else uuid.UUID(parent),
            exe=said["exe"],
            username=said["username"],
            realname=said["realname"],
            computer=said["computer"],
            distro=said["distro"],
            cpu_brand=said["cpu_brand"],
            tsc_frequency=said["tsc_frequency"],
            start_time=start,
            start_ticks=said["start_ticks"],
            clock=said["clock"],
            sdk=said["sdk"],
            state=said["state"],
            properties=json.dumps(properties, ensure_ascii=False),
            stamp=json.dumps(dict(stamp), ensure_ascii=False),
            end_ticks=max((head.end_ticks for _, _, head in batch.blocks), default=None),
            end_time=max((head.end_utc for _, _, head in batch.blocks), default=None),
        )

    def merge(self, other: ProcessRow) -> ProcessRow:
        """One row for two batches of the same process, of which `other` came later."""
        state = self.state if self.state != "running" else other.state
        first, last = (self, other) if _key(self) <= _key(other) else (other, self)
        last.state = state
        last.end_ticks = max((ticks for ticks in (first.end_ticks, last.end_ticks) if ticks is not None), default=None)
        last.end_time = max((time for time in (first.end_time, last.end_time) if time is not None), default=None)
        return last


def _key(row: ProcessRow) -> tuple[bool, int]:
    # The end is the last word. A batch without blocks only describes; in a group it counts as the latest.
    return row.state != "running", row.end_time if row.end_time is not None else 1 << 63


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A row of `streams`: one thread and class of a process; the fields are in the statement's order."""

    stream_id: uuid.UUID
    process_id: uuid.UUID
    cls: int
    thread: int
    thread_name: str
    os_id: int


@dataclass(frozen=True, slots=True)
class BlockAddress:
    """Where a block of a batch went."""

    block_id: uuid.UUID
    batch_id: uuid.UUID
    segment_key: str
    offset: int
    size: int
    head: BlockHead


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block that is stored: its header's hash (0: not known), where it lies, whether a query could not read it."""

    block_id: uuid.UUID
    hash: int
    segment_key: str
    offset: int
    size: int
    unreadable: bool


def be_durable(connection: Connection) -> None:
    """The transaction's commit returns when it is on disk, whatever the default is."""
    connection.execute(_BE_DURABLE)


def claim_batches(connection: Connection, batches: Iterable[BatchHead], now: int) -> set[uuid.UUID]:
    """Takes the batches' ids for this transaction; those that are not in the answer have been stored before.

    Waits for another transaction that holds one of them.
    """
    ordered = sorted(batches, key=lambda batch: batch.batch_id)
    ids = [batch.batch_id for batch in ordered]
    processes, hashes = zip(*((batch.process_id, signed(batch.description_hash)) for batch in ordered), strict=True)
    rows = connection.execute(_CLAIM_BATCHES, (now, ids, list(processes), list(hashes))).fetchall()
    return {row[0] for row in rows}


def signed(unsigned: int) -> int:
    """64 bits as PostgreSQL's bigint has them."""
    return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned


def description_hashes(connection: Connection, batch_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Those that the batches were stored with, as `signed` gives them; 0: not known."""
    return dict(connection.execute(_BATCH_HASHES, (list(batch_ids),)).fetchall())


def first_day(connection: Connection, process_ids: Collection[uuid.UUID]) -> datetime.date:
    """The first day on which blocks of any of the processes, which are known, can have been inserted."""
    row = connection.execute(_FIRST_DAY, (list(process_ids),)).fetchone()
    return day_of(row[0]) if row is not None and row[0] is not None else datetime.date.max


def stored_blocks(
    connection: Connection, heads: Iterable[BlockHead], since: datetime.date
) -> dict[uuid.UUID, StoredBlock]:
    """Those of the blocks that are stored, by block id. `since`: the first day on which they can have been."""
    ids = {block_id(head.process_id, head.cls, head.sequence): head.process_id for head in heads}
    if not ids:
        return {}
    rows = connection.execute(_KNOWN_BLOCKS, (since, list(set(ids.values())), list(ids)))
    return {row[0]: StoredBlock(*row) for row in rows}


def forget_blocks(
    connection: Connection, blocks: Collection[uuid.UUID], processes: Collection[uuid.UUID], since: datetime.date
) -> None:
    """These blocks of these processes, inserted since that day, are not stored; with the processes' rows locked."""
    if blocks:
        gone: Counter[object] = Counter()
        for day, streams in connection.execute(_FORGET_BLOCKS, (since, list(processes), list(blocks))):
            gone[day] -= streams
        block_counts.add(connection, gone)
        connection.execute(_FORGET_ERRORS, (list(blocks),))


def insert_segments(connection: Connection, segments: Sequence[tuple[int, str, int]], now: int) -> dict[str, int]:
    """(class, key, size) of each; returns key → segment_id."""
    if not segments:
        return {}
    classes, keys, sizes = map(list, zip(*segments, strict=True))
    return dict(connection.execute(_INSERT_SEGMENTS, (now, classes, keys, sizes)).fetchall())


def upsert_processes(
    connection: Connection, rows: Iterable[ProcessRow], now: int
) -> tuple[datetime.date, dict[uuid.UUID, Issued], dict[uuid.UUID, Mapping[str, str]]]:
    """One row per process. Returns the first day on which blocks of any of them can have been inserted, the controls
    of those that have one, and the stamp of each.
    """
    ordered = sorted(rows, key=lambda row: row.process_id)
    columns = [[getattr(row, name) for row in ordered] for name in ProcessRow.__slots__]
    values = connection.execute(_UPSERT_PROCESSES.encode(), [now, now, *columns]).fetchall()
    controls = {row[0]: Issued.from_row(row[3]) for row in values if row[3] is not None}
    return day_of(min((row[1] for row in values), default=now)), controls, {row[0]: row[2] for row in values}


def upsert_streams(connection: Connection, rows: Iterable[StreamRow], now: int) -> None:
    """One row per stream."""
    ordered = sorted(rows, key=lambda row: row.stream_id)
    if ordered:
        columns = [[getattr(row, name) for row in ordered] for name in StreamRow.__slots__]
        connection.execute(_UPSERT_STREAMS, [now, now, *columns])


def insert_blocks(
    connection: Connection,
    addresses: Sequence[BlockAddress],
    segment_ids: dict[str, int],
    known: Collection[uuid.UUID],
    now: int,
) -> int:
    """Rows of the blocks that are not known yet; returns how many."""
    unique = {address.block_id: address for address in addresses if address.block_id not in known}
    if not unique:
        return 0
    day = day_of(now)
    heads = [address.head for address in unique.values()]
    begin, end = min(head.begin_utc for head in heads), max(head.end_utc for head in heads)
    block_days.widen(connection, day, begin, end)
    block_counts.add(connection, Counter({day: sum(len(head.threads) for head in heads)}))
    with connection.cursor() as cursor, cursor.copy(_COPY_BLOCKS) as copy:
        copy.write(
            "".join([_copy_line(address, segment_ids[address.segment_key], day, now) for address in unique.values()])
        )
    return len(unique)


def _copy_line(address: BlockAddress, segment_id: int, day: datetime.date, now: int) -> str:
    head = address.head
    threads = head.threads
    arrays = (
        _array([thread.number for thread in threads]),
        _array([thread.events for thread in threads]),
        _array([thread.first for thread in threads]),
        _array([thread.begin_ticks for thread in threads]),
        _array([thread.end_ticks for thread in threads]),
        _array([thread.begin_utc for thread in threads]),
        _array([thread.end_utc for thread in threads]),
    )
    return (
        f"{day}\t{address.block_id}\t{head.process_id}\t{head.cls}\t{head.sequence}\t{address.batch_id}\t{segment_id}\t"
        f"{address.segment_key}\t{address.offset}\t{address.size}\t{head.header_size}\t{head.codec}\t{head.raw_size}\t"
        f"{head.stored_size}\t{head.begin_ticks}\t{head.end_ticks}\t{head.begin_utc}\t"
        f"{head.end_utc}\t{head.events}\t{head.dropped}\t{now}\t{signed(head.header_hash)}\t" + "\t".join(arrays) + "\n"
    )


def _array(values: list[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def block_addresses(batch: BatchHead, placed: Iterable[tuple[int, int, BlockHead]], key: str) -> list[BlockAddress]:
    """Rows to be, for blocks that SegmentWriter.add has placed in the segment `key`."""
    return [
        BlockAddress(block_id(head.process_id, head.cls, head.sequence), batch.batch_id, key, offset, size, head)
        for offset, size, head in placed
    ]
