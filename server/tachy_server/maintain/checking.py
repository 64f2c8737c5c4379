"""Compares objects with the rows that name them, and rows with one another; says what is wrong, and mends it.

It runs beside servers that store, merge and remove: what looks wrong is looked at once more before it is said, and
objects that are younger than a grace may be of a transaction that has not ended.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import psycopg

from tachy_server.base.errors import FormatError, NotFound
from tachy_server.formats.block_index import select
from tachy_server.formats.segments import Segment, processes_of
from tachy_server.lake import segments
from tachy_server.lake.blocks import Blocks
from tachy_server.lake.database import Connection
from tachy_server.lake.lake import Lake
from tachy_server.maintain import consistency, view_files
from tachy_server.maintain.intake import Found, Intake, forget, read_ends, readable, times_of
from tachy_server.maintain.rebuilding import PREFIX
from tachy_server.maintain.rescue import fault_of, rescue

_ROWS: Final = """
SELECT key, size, insert_time, level, block_index, begin_time, end_time, processes, classes, keep FROM segments
ORDER BY key COLLATE "C"
"""
_AT_A_TIME: Final = 64
_STATTERS: Final = 8
_REMOVALS: Final = "SELECT key FROM removals"
_TWICE: Final = """
SELECT r.key FROM removals AS r WHERE EXISTS (SELECT FROM segments AS s WHERE s.key = r.key)
    OR EXISTS (SELECT FROM ducklake.ducklake_data_file AS f WHERE f.path = r.key) ORDER BY 1
"""
_NAMED: Final = """
SELECT EXISTS (SELECT FROM segments WHERE insert_day = %s AND key = %s) OR EXISTS (SELECT FROM removals WHERE key = %s)
"""
_COVERED: Final = "SELECT covered FROM segments WHERE insert_day = %s AND key = %s FOR UPDATE"
_KEEP: Final = "DELETE FROM removals WHERE key = %s"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: its kind, the key, process, stream or day, and the reason; what was done about it, or None."""

    kind: str
    what: str
    reason: str
    mended: str | None = None


@dataclass(slots=True)
class Seen:
    """How much was compared, and how many objects no row names that may be of a transaction which has not ended."""

    objects: int = 0
    segments: int = 0
    blocks: int = 0
    young: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    key: str
    size: int
    insert_time: int
    level: int
    index: bytes
    begin: int
    end: int
    processes: list[int]
    classes: int
    keep: int | None


class Checker:
    """One look at a lake. `grace`: nanoseconds for which an object may be without a row; `removal`: those that what was
    replaced stays.
    """

    def __init__(
        self,
        lake: Lake,
        grace: int,
        removal: int,
        *,
        mend: bool = False,
        blocks: bool = False,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.seen = Seen()
        self._lake, self._store, self._grace, self._removal = lake, lake.store, grace, removal
        self._mend, self._blocks, self._clock = mend, blocks, clock

    def run(self) -> Iterator[Fault]:
        """The faults as they are found, and mended if that is wanted. Raises StoreError."""
        with self._lake.connection() as connection:
            yield from self._named_twice(connection)
            orphans: list[tuple[str, int]] = []
            yield from self._compare(connection, orphans)
            for fault in consistency.find(connection, self._store, mend=self._mend):
                yield Fault(*fault)
            yield from self._orphans(connection, orphans)
            files = view_files.find(
                connection, self._store, self._old, self._clock(), mend=self._mend, whole=self._blocks
            )
            for fault in files:
                yield Fault(*fault)

    def _named_twice(self, connection: Connection) -> Iterator[Fault]:
        """Such an object would be removed though its events are wanted."""
        for (key,) in connection.execute(_TWICE).fetchall():
            if self._mend:
                connection.execute(_KEEP, (key,))
            yield Fault("removal", key, "it is to be removed and has a row", self._done("it stays"))

    def _done(self, what: str) -> str | None:
        return what if self._mend else None

    # Objects and rows -------------------------------------------------------------------------------------------------

    def _compare(self, connection: Connection, orphans: list[tuple[str, int]]) -> Iterator[Fault]:
        removals = {key for (key,) in connection.execute(_REMOVALS)}
        rows: deque[_Row] = deque()

        def pairs() -> Iterator[tuple[str, int]]:
            for row, size in self._joined(removals, orphans, holes):
                rows.append(row)
                yield row.key, size

        holes: list[_Row] = []
        for found in read_ends(self._store, pairs()):
            row = rows.popleft()
            self.seen.segments += 1
            if isinstance(found.segment, NotFound):
                holes.append(row)
            else:
                yield from self._one(connection, row, found)
        for row in holes:
            yield from self._hole(connection, row)

    def _joined(
        self, removals: set[str], orphans: list[tuple[str, int]], holes: list[_Row]
    ) -> Iterator[tuple[_Row, int]]:
        """Rows with the sizes of their objects: both come ordered by key."""
        rows = self._rows()
        row = next(rows, None)
        for key, size in self._store.objects(PREFIX):
            self.seen.objects += 1
            while row is not None and row.key.encode() < key.encode():
                holes.append(row)
                row = next(rows, None)
            if row is not None and row.key == key:
                yield row, size
                row = next(rows, None)
            elif key not in removals:
                orphans.append((key, size))
        if row is not None:
            holes += [row, *rows]

    def _rows(self) -> Iterator[_Row]:
        """A page of them at a time, in memory, over a connection of their own."""
        own = psycopg.connect(self._lake.database.dsn, application_name="tachy check")
        with own, own.cursor("rows", binary=True) as cursor:
            cursor.itersize = _AT_A_TIME
            for row in cursor.execute(_ROWS):
                yield _Row(*row)

    def _one(self, connection: Connection, row: _Row, found: Found) -> Iterator[Fault]:
        if isinstance(found.segment, FormatError):
            if self._still_there(connection, row.key):
                yield self._rescued(row.key, "damaged", str(found.segment))
            return
        differences = list(_differences(row, found))
        if differences and self._still_there(connection, row.key):
            if self._mend:
                with connection.transaction():
                    _replace_row(connection, found)
            yield Fault("row", row.key, f"its row has another {', '.join(differences)} than the object",
                        self._done("the row is made again"))  # fmt: skip
        if self._blocks:
            reasons = list(self._bad_blocks(row, found))
            for reason in reasons[1:]:
                yield Fault("block", row.key, reason, self._done("see below"))
            if reasons and self._still_there(connection, row.key):
                yield self._rescued(row.key, "block", reasons[0])

    def _bad_blocks(self, row: _Row, found: Found) -> Iterator[str]:
        assert isinstance(found.segment, Segment)
        chosen = select([found.segment.index])
        hashes = chosen.column("hash").to_pylist()
        blocks = Blocks(chosen, [(row.key, row.insert_time)], {})
        for (block, data), digest in zip(self._lake.read_blocks(blocks), hashes, strict=True):
            self.seen.blocks += 1
            reason = fault_of(data, digest)
            if reason is not None:
                yield f"block {block.sequence} of class {block.cls} of process {block.process_id}: {reason}"

    def _rescued(self, key: str, kind: str, reason: str) -> Fault:
        if not self._mend:
            return Fault(kind, key, reason)
        try:
            kept, lost = rescue(self._lake, key, self._clock() + self._removal)
        except FormatError as error:  # of the row's index
            with self._lake.connection() as connection, connection.transaction():
                if _drop(connection, key):
                    segments.remove_later(connection, [key], self._clock() + self._removal)
            return Fault(kind, key, f"{reason}; in its row, {error}", "the row is dropped, the object removed later")
        return Fault(kind, key, reason, f"{kept} blocks are in a new object, {lost} are lost and may be sent again")

    def _hole(self, connection: Connection, row: _Row) -> Iterator[Fault]:
        """Who merges forgets rows before objects."""
        try:
            self._store.size(row.key)
        except NotFound:
            if not self._still_there(connection, row.key):
                return
            try:
                chosen = select([row.index])
                reason = f"the object is gone, with {chosen.num_rows} blocks"
            except FormatError as error:
                chosen, reason = select([]), f"the object is gone, and of its row {error}"
            if self._mend:
                with connection.transaction():
                    if not _drop(connection, row.key):
                        return
                    forget(connection, chosen)
            done = self._done("the row is dropped; what is sent again is stored again")
            yield Fault("hole", row.key, reason, done)

    def _still_there(self, connection: Connection, key: str) -> bool:
        found = connection.execute(segments.IS_THERE, (segments.day_of_key(key), key)).fetchone()
        return found == (True,)

    # Objects without a row --------------------------------------------------------------------------------------------

    def _orphans(self, connection: Connection, listed: list[tuple[str, int]]) -> Iterator[Fault]:
        old = [one for one in self._old(listed) if not self._is_named(connection, one[0])]
        if not self._mend:
            for key, _ in old:
                yield Fault("orphan", key, "no row names the object")
            return
        unreadable: list[Found] = []
        intake = Intake(self._lake.database, connection)
        with self._lake.database.old_days(connection):
            intake.stage(readable(read_ends(self._store, old), unreadable))
            taken = intake.take()
        for key in taken.segments:
            yield Fault("orphan", key, "no row names the object", "it holds what is nowhere else: it has a row now")
        for key in (*taken.replaced, *taken.unneeded):
            self._store.remove(key)
            yield Fault("orphan", key, "no row names the object", "all that it holds is in others: it is removed")
        for one in unreadable:
            self._store.remove(one.key)
            yield Fault("orphan", one.key, f"no row names the object, and {one.segment}", "it is removed")

    def _old(self, listed: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
        """Those whose grace is over; what is removed meanwhile was no orphan."""
        before = self._clock() - self._grace

        def written(one: tuple[str, int]) -> int | None:
            try:
                return self._store.written(one[0])
            except NotFound:
                return None

        with ThreadPoolExecutor(_STATTERS) as statters:
            listed = list(listed)
            for one, when in zip(listed, statters.map(written, listed), strict=True):
                if when is not None and when <= before:
                    yield one
                self.seen.young += when is not None and when > before

    def _is_named(self, connection: Connection, key: str) -> bool:
        return connection.execute(_NAMED, (segments.day_of_key(key), key, key)).fetchone() == (True,)


def _differences(row: _Row, found: Found) -> Iterator[str]:
    segment = found.segment
    assert isinstance(segment, Segment)
    chosen = select([segment.index])
    real = {
        "size": (row.size, found.size),
        "insert time": (row.insert_time, segment.insert_time),
        "level": (row.level, segment.level),
        "index": (row.index, segment.index),
        "range of times": ((row.begin, row.end), times_of(chosen) or segments.NEVER),
        "list of processes": (row.processes, segments.shortened(processes_of(segment.index))),
        "list of classes": (row.classes, segments.classes_of(segment.index)),
        "life": (row.keep, segments.kept_days(row.key)),
    }
    yield from (name for name, (said, is_so) in real.items() if said != is_so)


def _drop(connection: Connection, key: str) -> bool:
    """The row of a segment; False: who merges or checks has just done it, and what would follow is not to be done."""
    return segments.forget(connection, segments.day_of_key(key), [key]) == 1


def _replace_row(connection: Connection, found: Found) -> None:
    """It says what the object says; which files have its events, only the row knows."""
    segment = found.segment
    assert isinstance(segment, Segment)
    day = segments.day_of_key(found.key)
    covered = connection.execute(_COVERED, (day, found.key)).fetchone()
    if covered is None or not _drop(connection, found.key):
        return
    times = times_of(select([segment.index]))
    segments.insert(
        connection, found.key, found.size, segment.insert_time, times, processes_of(segment.index), segment.index,
        segment.level, covered[0],
    )  # fmt: skip
