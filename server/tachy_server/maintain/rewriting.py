"""Rewriting: the segments of some minutes, later of an hour, and small ones of a day's logs, become few with large
blocks, in one transaction.

A reader sees either the old rows or the new ones. Old objects stay until no query that selected them can run any more;
what is killed in between leaves new objects that no row names, or old ones that are removed later.
"""

from __future__ import annotations

import contextlib
import datetime
import threading
import time
from collections import Counter as Counted
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final
from uuid import UUID

import pyarrow as pa

from tachy_server.base.errors import FormatError, NotFound, StoreError
from tachy_server.formats.block_index import select
from tachy_server.formats.reader import LOG
from tachy_server.formats.segments import Record, processes_of
from tachy_server.lake import block_counts, described, segments
from tachy_server.lake.blocks import Blocks
from tachy_server.lake.database import Connection
from tachy_server.lake.lake import Lake
from tachy_server.maintain.merged import Made, Part, merge

_SECOND: Final = 10**9
_HOUR: Final = 3600 * _SECOND
_DAY: Final = 24 * _HOUR
LATE: Final = 30 * _SECOND
"""A group is committed so long after the time that its row says, at most."""
_UNIT_BYTES: Final = 48 << 20  # of small segments, which are read whole
_SMALL: Final = 2 << 20  # of an hour's segment that is merged again: a day of larger ones is several objects anyway
_REMOVED_AT_ONCE: Final = 1000

_OF_LEVEL: Final = "level < %(number)s AND size <= %(most)s AND classes & ~%(classes)s = 0 AND keep IS NULL"
_DUE: Final = f"""
SELECT DISTINCT insert_day, insert_time / %(length)s FROM segments
WHERE {_OF_LEVEL} AND insert_time < %(before)s
GROUP BY 1, 2, covered HAVING count(*) > 1 ORDER BY 2
"""
_CLAIM: Final = f"""
SELECT key, size, insert_time, block_index, covered FROM segments
WHERE {_OF_LEVEL} AND insert_day = %(day)s AND insert_time >= %(begin)s AND insert_time < %(begin)s + %(length)s
    AND key <> ALL(%(unreadable)s)
ORDER BY covered, insert_time, key FOR UPDATE SKIP LOCKED
"""
_MIXED: Final = """
SELECT key, size, insert_time, block_index, covered FROM segments
WHERE insert_day = %s AND classes & %s <> 0 AND classes & ~%s <> 0 AND keep IS NULL AND key <> ALL(%s)
ORDER BY insert_time, key LIMIT 1 FOR UPDATE SKIP LOCKED
"""
# What was replaced first is removed first: who rebuilds finds nothing whose replacement has been replaced and removed.
_OVER: Final = """
SELECT key FROM removals WHERE after = (SELECT min(after) FROM removals WHERE after < %s)
ORDER BY key LIMIT %s FOR UPDATE SKIP LOCKED
"""
_REMOVED: Final = "DELETE FROM removals WHERE key = ANY(%s)"
_NUMBER: Final = "SELECT nextval('segment_numbers')"


@dataclass(slots=True)
class Counts:
    """Since the start."""

    rewritten_segments: int = 0
    rewritten_blocks: int = 0
    written_segments: int = 0
    written_bytes: int = 0
    removed_segments: int = 0


@dataclass(frozen=True, slots=True)
class _Claimed:
    key: str
    size: int
    insert_time: int
    index: bytes
    covered: list[int]


@dataclass(frozen=True, slots=True)
class _Level:
    """What is merged of so many nanoseconds: what has been merged less often, in segments of so many bytes at most and
    of no other classes, as bits.
    """

    number: int
    length: int
    most: int = 1 << 62
    classes: int = 7


class _Unreadable(Exception):  # noqa: N818 - it is left as it is
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Rewriter:
    """What comes within `seconds` becomes one, then what comes within an hour, then a day's logs; objects that were
    replaced are removed `grace` seconds later. Several may work on one database.
    """

    def __init__(
        self,
        lake: Lake,
        seconds: float,
        grace: float,
        *,
        stopped: Callable[[], bool] = lambda: False,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.counts = Counts()
        self._lake, self._length, self._grace = lake, int(seconds * _SECOND), int(grace * _SECOND)
        self._stopped, self._clock = stopped, clock
        self._unreadable: set[str] = set()
        self._lock = threading.Lock()

    def stats(self) -> dict[str, int]:
        """What was done since the start."""
        with self._lock:
            return asdict(self.counts)

    @property
    def unreadable(self) -> list[str]:
        """Keys of segments that are left as they are."""
        return sorted(self._unreadable)

    def run(self, between: Callable[[], None] = lambda: None) -> int:
        """Rewrites and removes what is due; returns how many segments were replaced. `between`: what is to be done of
        what has been merged once, before it is merged again. Raises StoreError.
        """
        replaced = self._level(_Level(1, self._length))
        between()
        replaced += self._level(_Level(2, self._length and max(_HOUR, self._length)))
        replaced += self._level(_Level(3, self._length and _DAY, _SMALL, segments.bit_of(LOG)))
        with self._lake.connection() as connection:
            self._remove(connection)
        return replaced

    def _level(self, level: _Level) -> int:
        if not level.length:
            return 0
        values = {**asdict(level), "before": (self._clock() - LATE) // level.length * level.length}
        replaced = 0
        with self._lake.connection() as connection:
            for day, slot in connection.execute(_DUE, values).fetchall():
                claim = partial(self._claim, connection, day, level, slot * level.length)
                replaced += self._units(connection, day, level.number, 2, claim)
        return replaced

    def split(self, connection: Connection, day: datetime.date, classes: int) -> int:
        """Segments of a day that have blocks of these classes and of others become one for each class. Returns how many
        were replaced. Raises StoreError.
        """

        def claim() -> list[_Claimed]:
            rows = connection.execute(_MIXED, (day, classes, classes, self.unreadable))
            return [_Claimed(*row) for row in rows]

        return self._units(connection, day, 2, 1, claim)

    def _units(
        self, connection: Connection, day: datetime.date, level: int, least: int, claim: Callable[[], list[_Claimed]]
    ) -> int:
        """As many transactions as it takes, each of at least so many segments."""
        replaced = 0
        while not self._stopped():
            try:
                done = self._unit(connection, day, level, least, claim)
            except _Unreadable as error:  # without it; queries say what is wrong with it
                self._unreadable.add(error.key)
            else:
                replaced += done
                if done < least:
                    break
        return replaced

    def _unit(
        self, connection: Connection, day: datetime.date, level: int, least: int, claim: Callable[[], list[_Claimed]]
    ) -> int:
        written: list[str] = []
        outcome_known = True
        try:
            with connection.transaction():
                claimed = claim()
                if len(claimed) < least:
                    return 0
                streams = 0
                found = select([one.index for one in claimed])
                keys, earliest, latest = [one.key for one in claimed], claimed[0].insert_time, claimed[-1].insert_time
                if level > 1:  # what was merged has the time of the last of its segments
                    earliest -= max(_HOUR, self._length) + self._length
                ((number,),) = connection.execute(_NUMBER)
                record = Record(latest, number, level, replaces=keys)

                def describe(process_ids: Collection[UUID]) -> tuple[list[str], list[str]]:
                    return described.read(connection, process_ids, earliest, latest)

                everybody = {process for one in claimed for process in processes_of(one.index)}
                for made in merge(self._parts(claimed, found), everybody, describe, record, by_class=level > 1):
                    written.append(self._write(connection, made, latest, level, claimed[0].covered))
                    streams += made.streams
                segments.forget(connection, day, keys)
                segments.remove_later(connection, keys, self._clock() + self._grace)
                before = sum(found.column("streams").to_pylist())
                if streams != before:
                    block_counts.add(connection, Counted({day: streams - before}))
                outcome_known = False
        except BaseException:
            if outcome_known:
                with contextlib.suppress(StoreError):
                    self._lake.store.remove_all(written)
            raise
        with self._lock:
            self.counts.rewritten_segments += len(claimed)
            self.counts.rewritten_blocks += found.num_rows
        return len(claimed)

    def _claim(self, connection: Connection, day: datetime.date, level: _Level, begin: int) -> list[_Claimed]:
        """Those of a slot that nobody else rewrites and that the same views cover; small ones, which are read whole, up
        to a bound.
        """
        slot = {"day": day, "begin": begin, "unreadable": self.unreadable}
        rows = connection.execute(_CLAIM, {**asdict(level), **slot})
        claimed: list[_Claimed] = []
        size = 0
        for row in rows:
            one = _Claimed(*row)
            size += one.size
            if level.number == 1 and len(claimed) > 1 and size > _UNIT_BYTES:
                break
            if claimed and one.covered != claimed[0].covered:
                if len(claimed) > 1:
                    break
                claimed, size = [], one.size
            claimed.append(one)
        return claimed

    def _parts(self, claimed: Sequence[_Claimed], found: pa.RecordBatch) -> Iterator[Part]:
        """All blocks with their bytes. Raises _Unreadable."""
        blocks = Blocks(found, [(one.key, one.insert_time) for one in claimed], {})
        known = [found.column(name).to_pylist() for name in ("header_size", "raw_size", "streams")]
        if sum(one.size for one in claimed) <= 2 * _UNIT_BYTES:
            whole = {one.key: self._read(one) for one in claimed}
            for row, *of_row in zip(blocks, *known, strict=True):
                yield Part(row, whole[row.segment_key][row.offset : row.offset + row.size], *of_row)
            return
        for (row, data), *of_row in zip(self._lake.read_blocks(blocks), *known, strict=True):
            if isinstance(data, FormatError):
                raise _Unreadable(row.segment_key)
            yield Part(row, data, *of_row)

    def _read(self, one: _Claimed) -> memoryview:
        try:
            return self._lake.store.read(one.key, 0, one.size)
        except NotFound:
            raise _Unreadable(one.key) from None

    def _write(self, connection: Connection, made: Made, insert_time: int, level: int, covered: Sequence[int]) -> str:
        key = segments.segment_key(insert_time)
        self._lake.store.put_new(key, made.parts)
        segments.insert(
            connection, key, made.size, insert_time, made.times, made.process_ids, made.index, level, covered
        )
        with self._lock:
            self.counts.written_segments += 1
            self.counts.written_bytes += made.size
        return key

    def _remove(self, connection: Connection) -> None:
        while True:
            with connection.transaction():
                keys = [row[0] for row in connection.execute(_OVER, (self._clock(), _REMOVED_AT_ONCE))]
                if not keys:
                    return
                self._lake.store.remove_all(keys)
                connection.execute(_REMOVED, (keys,))
            with self._lock:
                self.counts.removed_segments += len(keys)
