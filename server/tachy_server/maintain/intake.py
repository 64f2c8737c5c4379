"""Objects into PostgreSQL: what a segment tells of itself, and which segments are the lake's, as the objects say it.

A kill leaves objects that were written and never committed; replaced ones await their grace. No event may be there
twice or not at all, so objects are looked at from the greatest number to the least (formats.segments.Record), and each
is taken that has a block of which nothing is there yet, or that has no blocks and only describes:

- What was merged comes before what it replaces, which then has nothing new. Of two rewritings of the same segments the
  earlier one was not committed, since the later one found their rows; it has nothing new either.
- A rewriting of which pieces are missing, while all that it replaces is there, was not committed and is passed over.
  Where something that it replaces is gone, it was: nothing is removed before.
- What is sent again after a group was not committed has greater numbers than the group's object, whose blocks it has.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.errors import FormatError, NotFound
from tachy_server.formats.block_index import select
from tachy_server.formats.segments import HEADER, Segment, index_place, processes_of, read_end
from tachy_server.lake import segments
from tachy_server.lake.database import Connection, Database, day_of
from tachy_server.lake.store import Store

_READERS: Final = 8
_AHEAD: Final = 64
DAY: Final = 86_400 * 10**9

_STAGE: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS found (key text PRIMARY KEY, size bigint, insert_time bigint, number bigint,
    level smallint, block_index bytea, record jsonb);
CREATE INDEX IF NOT EXISTS found_number ON found (number);
TRUNCATE found
"""
_COPY: Final = "COPY found FROM STDIN"
_DAYS: Final = f"SELECT DISTINCT insert_time / {DAY} * {DAY} FROM found"
_NUMBERS_FROM: Final = """
SELECT setval('segment_numbers', greatest(
    (SELECT last_value FROM segment_numbers), (SELECT max(number) FROM found), 1))
"""
# The last piece of a rewriting says how many there are.
_ORDER: Final = """
SELECT key, level = 0
    OR coalesce((SELECT count(*) = max((p.record ->> 'pieces')::int) FROM found AS p
                 WHERE p.number = f.number AND p.level > 0), false)
    OR EXISTS (SELECT FROM jsonb_array_elements_text(f.record -> 'replaces') AS r (key)
               WHERE NOT EXISTS (SELECT FROM found AS o WHERE o.key = r.key)
                   AND NOT EXISTS (SELECT FROM segments AS s
                                   WHERE s.insert_day = split_part(r.key, '/', 2)::date AND s.key = r.key))
FROM found AS f ORDER BY number DESC, insert_time DESC, key DESC
"""
_ONE: Final = "SELECT size, insert_time, level, block_index, record::text FROM found WHERE key = %s"

_LOCK: Final = "SELECT FROM processes WHERE process_id = ANY(%s) ORDER BY process_id FOR UPDATE"
BLOCKS: Final = """
(SELECT encode(u.process_id, 'hex')::uuid AS process_id, u.class, int8range(u.first, u.first + u.count) AS numbers,
     u.streams
 FROM unnest(%s::bytea[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[])
     AS u (process_id, class, first, count, streams))
"""
_JUDGE: Final = f"""
SELECT bool_and(b.there), coalesce(sum(b.streams) FILTER (WHERE NOT b.there), 0)::bigint
FROM (SELECT u.streams, coalesce(u.numbers <@ CASE u.class WHEN 1 THEN p.log_blocks WHEN 2 THEN p.metric_blocks
          ELSE p.span_blocks END, false) AS there
      FROM {BLOCKS} AS u LEFT JOIN processes AS p USING (process_id)) AS b
"""
_SAID: Final = (
    "parent_process_id", "exe", "username", "realname", "computer", "distro", "cpu_brand", "tsc_frequency",
    "start_time", "start_ticks", "clock", "sdk", "state", "properties", "stamp", "last_block_end_ticks",
    "last_block_end_time", "last_span_block_end_time",
)  # fmt: skip
_LATER_SAYS: Final = ", ".join(
    f"{name} = CASE WHEN excluded.version > p.version THEN excluded.{name} ELSE p.{name} END" for name in _SAID
)
_TAKE_PROCESSES: Final = f"""
INSERT INTO processes AS p (process_id, {", ".join(_SAID)}, insert_time, last_update_time, version)
SELECT process_id, {", ".join(_SAID)}, insert_time, last_update_time, version
FROM jsonb_populate_recordset(NULL::processes, %s::jsonb -> 'processes') ORDER BY process_id
ON CONFLICT (process_id) DO UPDATE SET {_LATER_SAYS},
    insert_time = least(p.insert_time, excluded.insert_time),
    last_update_time = greatest(p.last_update_time, excluded.last_update_time),
    version = greatest(p.version, excluded.version)
"""
_TAKE_STREAMS: Final = """
INSERT INTO streams AS s SELECT * FROM jsonb_populate_recordset(NULL::streams, %s::jsonb -> 'streams')
ORDER BY stream_id
ON CONFLICT (stream_id) DO UPDATE SET
    thread_name = CASE WHEN excluded.last_update_time > s.last_update_time THEN excluded.thread_name
        ELSE s.thread_name END,
    os_id = CASE WHEN excluded.last_update_time > s.last_update_time THEN excluded.os_id ELSE s.os_id END,
    insert_time = least(s.insert_time, excluded.insert_time),
    last_update_time = greatest(s.last_update_time, excluded.last_update_time)
"""
_OF_CLASSES: Final = f"""
(SELECT process_id, coalesce(range_agg(numbers) FILTER (WHERE class = 1), '{{}}') AS log,
     coalesce(range_agg(numbers) FILTER (WHERE class = 2), '{{}}') AS metric,
     coalesce(range_agg(numbers) FILTER (WHERE class = 3), '{{}}') AS span
 FROM {BLOCKS} AS b GROUP BY process_id)
"""
_TAKE_NUMBERS: Final = f"""
UPDATE processes AS p SET log_blocks = p.log_blocks + u.log, metric_blocks = p.metric_blocks + u.metric,
    span_blocks = p.span_blocks + u.span
FROM {_OF_CLASSES} AS u WHERE p.process_id = u.process_id
"""
_FREE_NUMBERS: Final = f"""
UPDATE processes AS p SET log_blocks = p.log_blocks - u.log, metric_blocks = p.metric_blocks - u.metric,
    span_blocks = p.span_blocks - u.span
FROM {_OF_CLASSES} AS u WHERE p.process_id = u.process_id
"""
_FORGET_ERRORS: Final = "DELETE FROM block_errors WHERE block_id = ANY(%s)"
# What was merged twice is removed after what was merged once, as ever.
_REMOVE_LATER: Final = """
INSERT INTO removals SELECT key, %s + level FROM found WHERE key = ANY(%s) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Found:
    """An object: what it says of itself, or why that cannot be read."""

    key: str
    size: int
    segment: Segment | FormatError | NotFound


@dataclass(frozen=True, slots=True)
class Taken:
    """Keys of objects: whose events are there now, what they replace, what has nothing that is not there."""

    segments: list[str]
    replaced: list[str]
    unneeded: list[str]


def readable(found: Iterable[Found], others: list[Found]) -> Iterator[Found]:
    """Those that say something of themselves; the others are kept."""
    for one in found:
        if isinstance(one.segment, Segment):
            yield one
        else:
            others.append(one)


def take_described(connection: Connection, record: str) -> None:
    """Processes and streams of a record, as far as nothing later is known of them."""
    connection.execute(_TAKE_PROCESSES.encode(), (record,))
    connection.execute(_TAKE_STREAMS, (record,))


def forget(connection: Connection, rows: pa.RecordBatch) -> None:
    """These blocks are lost: they are stored again when they are sent again."""
    connection.execute(_LOCK, (sorted(UUID(bytes=one) for one in pc.unique(rows.column("process_id")).to_pylist()),))
    connection.execute(_FREE_NUMBERS.encode(), block_columns(rows))
    connection.execute(_FORGET_ERRORS, ([UUID(bytes=one) for one in rows.column("block_id").to_pylist()],))


def block_columns(rows: pa.RecordBatch) -> list[list[Any]]:
    """Of formats.block_index.select, the arguments of BLOCKS."""
    return [rows.column(name).to_pylist() for name in ("process_id", "class", "sequence", "sequences", "streams")]


def read_ends(store: Store, objects: Iterable[tuple[str, int]]) -> Iterator[Found]:
    """In their order; a few reads are in flight. Raises StoreError."""
    with ThreadPoolExecutor(_READERS, thread_name_prefix="ends") as readers:
        ahead: deque[Future[Found]] = deque()
        try:
            for key, size in objects:
                ahead.append(readers.submit(_read, store, key, size))
                if len(ahead) > _AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def _read(store: Store, key: str, size: int) -> Found:
    try:
        header = store.read(key, 0, min(size, HEADER.size))
        at, length = index_place(header, size)
        return Found(key, size, read_end(header, store.read(key, at, length)))
    except (FormatError, NotFound) as error:
        return Found(key, size, error)


class Intake:
    """Takes objects that no row names, over one connection, which nobody else uses meanwhile."""

    def __init__(self, base: Database, connection: Connection) -> None:
        self._base, self._connection = base, connection

    def stage(self, objects: Iterable[Found]) -> None:
        """What was read of the objects that may be taken."""
        self._connection.execute(_STAGE)
        with self._connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for one in objects:
                if isinstance(one.segment, Segment):
                    of = one.segment
                    record = of.record.decode()
                    copy.write_row((one.key, one.size, of.insert_time, of.number, of.level, of.index, record))
        self._connection.execute("ANALYZE found")
        for (day,) in self._connection.execute(_DAYS).fetchall():
            self._base.ensure_day(self._connection, day_of(day))

    def take(self) -> Taken:
        """Those that hold what is not there yet, each in a transaction."""
        self._connection.execute(_NUMBERS_FROM)
        order = self._connection.execute(_ORDER).fetchall()
        taken = Taken([], [], [])
        replaced: set[str] = set()
        for key, complete in order:
            with self._connection.transaction():
                is_replaced = key in replaced
                is_taken = self._take(key, complete, is_replaced, replaced)
            (taken.segments if is_taken else taken.replaced if is_replaced else taken.unneeded).append(key)
        return taken

    def remove_later(self, keys: Sequence[str], after: int) -> None:
        """Staged objects that nobody needs from then on."""
        self._connection.execute(_REMOVE_LATER, (after, list(keys)))

    def _take(self, key: str, complete: bool, is_replaced: bool, replaced: set[str]) -> bool:
        row: tuple[Any, ...] | None = self._connection.execute(_ONE, (key,)).fetchone()
        assert row is not None
        size, insert_time, level, index, record = row
        process_ids = sorted(processes_of(index))
        self._connection.execute(_LOCK, (process_ids,))
        rows = select([index])
        blocks = block_columns(rows)
        there, streams = self._connection.execute(_JUDGE.encode(), blocks).fetchone() or (None, 0)
        if there is None:  # it only describes: said once more, it changes nothing
            there = is_replaced
        wanted = complete and not there
        if wanted or is_replaced:
            replaced.update(json.loads(record)["replaces"])
        if not wanted:
            return False
        take_described(self._connection, record)
        self._connection.execute(_TAKE_NUMBERS.encode(), blocks)
        times = times_of(rows)
        segments.add(self._connection, key, size, insert_time, times, process_ids, index, streams, level)
        return True


def times_of(rows: pa.RecordBatch) -> tuple[int, int] | None:
    """The earliest and the latest of these blocks; None where there are none."""
    begin, end = pc.min(rows.column("begin_time")).as_py(), pc.max(rows.column("end_time")).as_py()
    return None if begin is None else (begin, end)
