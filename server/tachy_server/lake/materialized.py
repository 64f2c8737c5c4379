"""Rows of `materialized_views`, and of which segments the files of these views have the events."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import psycopg

from tachy_server.lake import catalog, segments
from tachy_server.lake.database import Connection
from tachy_server.lake.segments import Select

_ROWS: Final = "SELECT name, table_id, class, definition, created, created_by FROM materialized_views ORDER BY name"
_IS_THERE: Final = "SELECT FROM materialized_views WHERE table_id = %s"
_INSERT: Final = """
INSERT INTO materialized_views (name, table_id, class, definition, created, created_by) VALUES (%s, %s, %s, %s, %s, %s)
"""
_REWORD: Final = "UPDATE materialized_views SET definition = %s, created = %s, created_by = %s WHERE name = %s"
_DELETE: Final = "DELETE FROM materialized_views WHERE name = %s RETURNING table_id"
# Whoever adds or removes a view waits until no files are made, and who adds one until nobody else does.
_STAY: Final = "LOCK TABLE materialized_views IN SHARE MODE"
_ALONE: Final = "LOCK TABLE materialized_views IN SHARE ROW EXCLUSIVE MODE"
_FIRST: Final = """
SELECT insert_day, insert_time, covered FROM segments
WHERE NOT covered @> %s::bigint[] AND insert_time >= %s AND insert_time < %s AND key <> ALL(%s)
ORDER BY insert_time LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_CLAIM: Final = """
SELECT key, size FROM segments
WHERE insert_day = %s AND insert_time >= %s AND insert_time < %s AND covered = %s::bigint[] AND key <> ALL(%s)
ORDER BY insert_time, key FOR UPDATE SKIP LOCKED
"""
_COVER: Final = "UPDATE segments SET covered = %s::bigint[] WHERE insert_day = %s AND key = ANY(%s)"
_UNCOVER: Final = """
UPDATE segments SET covered = array_remove(covered, %(table)s) WHERE insert_day = %(day)s AND %(table)s = ANY(covered)
"""
_COVERS: Final = "SELECT EXISTS (SELECT FROM segments WHERE insert_day = %s AND %s = ANY(covered))"
_COVERED_DAYS: Final = "SELECT DISTINCT insert_day FROM segments WHERE %s = ANY(covered)"
# Asked when no row that was dropped can have been changed any more.
_MAY_BE_MADE: Final = """
SELECT NOT EXISTS (SELECT FROM expired AS e WHERE e.class = v.class AND e.last_day >= %s)
FROM materialized_views AS v WHERE v.table_id = %s
"""
_OF_VIEW: Final = """
SELECT f.table_id FROM ducklake.ducklake_data_file AS f JOIN materialized_views AS v USING (table_id)
WHERE f.path = %s AND f.end_snapshot IS NULL
"""
_LOST: Final = "SELECT path FROM lost_files ORDER BY path"
_NOTE_LOST: Final = """
INSERT INTO lost_files SELECT path, %s FROM ducklake.ducklake_data_file WHERE path = %s ON CONFLICT DO NOTHING
"""
_FOUND: Final = "DELETE FROM lost_files WHERE path = %s"
_HAVE: Final = "SELECT FROM materialized_views WHERE name = %s FOR UPDATE SKIP LOCKED"
# Segments without events have no times.
_UNCOVERED: Final = """
SELECT lower(times), upper(times) FROM (
    SELECT unnest(range_agg(int8range(begin_time, end_time, '[]'))) AS times FROM segments
    WHERE insert_day = ANY(%s) AND classes & %s <> 0 AND NOT covered @> ARRAY[%s]::bigint[] AND begin_time <= end_time
) AS t
"""
_PROGRESS: Final = """
SELECT count(*), count(*) FILTER (WHERE covered @> ARRAY[%s]::bigint[]),
    min(insert_time) FILTER (WHERE NOT covered @> ARRAY[%s]::bigint[])
FROM segments
"""


@dataclass(frozen=True, slots=True)
class MaterializedView:
    """A materialized view that has a table in the catalog; `definition` is its statement, as it was written."""

    name: str
    table_id: int
    cls: int
    definition: str
    created: int
    created_by: str


@dataclass(frozen=True, slots=True)
class Unit:
    """Segments of a day that the same views cover, and whose events nobody else puts into files meanwhile."""

    day: datetime.date
    first_time: int
    covered: frozenset[int]
    keys: frozenset[str]
    size: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How many segments there are, how many of them are covered, and when the first came that is not."""

    segments: int
    covered: int
    since: int | None


def rows(select: Select) -> list[MaterializedView]:
    """All of them."""
    return [MaterializedView(*row) for row in select(_ROWS, [])]


def is_there(select: Select, table_id: int) -> bool:
    """Whether there is a view that has this table."""
    return bool(select(_IS_THERE, [table_id]))


def stored(connection: Connection) -> list[MaterializedView]:
    """All of them, in the connection's transaction."""
    return rows(lambda query, arguments: connection.execute(query.encode(), arguments).fetchall())


def stay(connection: Connection) -> None:
    """Until the transaction ends no view comes or goes."""
    connection.execute(_STAY)


def alone(connection: Connection) -> None:
    """Until the transaction ends nobody else adds or removes a view, nor makes files."""
    connection.execute(_ALONE)


def insert(connection: Connection, row: MaterializedView) -> None:
    """A new one."""
    connection.execute(_INSERT, (row.name, row.table_id, row.cls, row.definition, row.created, row.created_by))


def reword(connection: Connection, name: str, definition: str, now: int, who: str) -> None:
    """A statement that means the same."""
    connection.execute(_REWORD, (definition, now, who, name))


def delete(connection: Connection, name: str) -> int | None:
    """Its table's id; None where there was none."""
    row = connection.execute(_DELETE, (name,)).fetchone()
    return None if row is None else int(row[0])


def claim(
    connection: Connection,
    table_ids: Collection[int],
    since: int,
    before: int,
    length: int,
    but: Collection[str],
    size: int,
) -> Unit | None:
    """The first segments that came at [since, before) within one slot of `length` ns, and that not all of these tables
    cover: some bytes of them at most, but one at least. They are locked until the transaction ends.
    """
    ids, others = sorted(table_ids), sorted(but)
    found = connection.execute(_FIRST, (ids, since, before, others)).fetchone()
    if found is None:
        return None
    day, time, covered = found
    begin = max(since, time // length * length)
    keys: list[str] = []
    total = 0
    for key, of_one in connection.execute(
        _CLAIM, (day, begin, min(time // length * length + length, before), covered, others)
    ):
        if keys and total + of_one > size:
            break
        keys.append(key)
        total += of_one
    return Unit(day, time, frozenset(covered), frozenset(keys), total)


def cover(connection: Connection, unit: Unit, table_ids: Collection[int]) -> None:
    """The files of these tables have the events of these segments, too."""
    connection.execute(_COVER, (sorted(unit.covered | set(table_ids)), unit.day, sorted(unit.keys)))


def take_back(connection: Connection, table_id: int, day: datetime.date) -> bool:
    """The files of a view that have events of segments of that day go, and cover these no more: they are made again.
    False: some of the segments were dropped when their life was over, so all stays as it is.
    """
    with connection.transaction():
        alone(connection)
        # Who merges covered segments meanwhile has locked them, and what he makes of them is covered as they were.
        while connection.execute(_COVERS, (day, table_id)).fetchone() == (True,):
            connection.execute(_UNCOVER, {"table": table_id, "day": day})
        if connection.execute(_MAY_BE_MADE, (day, table_id)).fetchone() != (True,):
            raise psycopg.Rollback
        keys = [key for key in catalog.rows(connection, table_id) if day_of_file(key) == day]
        if keys:
            catalog.commit(connection, table_id, [], keys)
        return True
    return False


def file_key(table_id: int, place: str) -> str:
    """Of a new file with events of segments of a day, or of an hour of it: `place` is DAY/day or DAY/HH."""
    return f"views/{table_id}/{place}-{uuid.uuid4().hex}.parquet"


def place_of(key: str) -> str:
    """The place that a file's key names."""
    return key.split("/", 2)[2].rpartition("-")[0]


def day_of_file(key: str) -> datetime.date:
    """On which the segments came whose events it has."""
    return datetime.date.fromisoformat(place_of(key).partition("/")[0])


def days(connection: Connection, table_id: int) -> list[datetime.date]:
    """Those on which segments came that a view covers, or of which it has files."""
    covered = {day for (day,) in connection.execute(_COVERED_DAYS, (table_id,))}
    return sorted(covered | {day_of_file(key) for key in catalog.rows(connection, table_id)})


def make_again(connection: Connection, key: str, now: int) -> bool:
    """The files of a view's day, one of which is lost; see take_back. False, too, for a file that no view has now."""
    with connection.transaction():
        row = connection.execute(_OF_VIEW, (key,)).fetchone()
        if row is None or not take_back(connection, row[0], day_of_file(key)):
            return False
        let_go(connection, key, now)
    return True


def let_go(connection: Connection, key: str, now: int) -> None:
    """No snapshot has a file any more that is lost; what is left of its object is removed."""
    with connection.transaction():
        catalog.forget(connection, [key])
        segments.remove_later(connection, [key], now)


def lost(connection: Connection) -> list[str]:
    """Keys of files that somebody could not read."""
    return [key for (key,) in connection.execute(_LOST)]


def note_lost(connection: Connection, key: str, reason: str | None) -> None:
    """A file of the catalog cannot be read because of this; None: it can, after all."""
    if reason is None:
        connection.execute(_FOUND, (key,))
    else:
        connection.execute(_NOTE_LOST, (reason.replace("\0", ""), key))


def have(connection: Connection, name: str) -> bool:
    """Whether nobody else merges files of this view; until the transaction ends nobody else does."""
    return connection.execute(_HAVE, (name,)).fetchone() is not None


def uncovered(select: Select, days: Collection[datetime.date], table_id: int, cls: int) -> list[tuple[int, int]]:
    """Where the events of a class lie that came on these days and that the files of a view do not cover: [begin, end),
    none of which meet.
    """
    return [(begin, end) for begin, end in select(_UNCOVERED, [list(days), segments.bit_of(cls), table_id])]


def progress(select: Select, table_id: int | None) -> Progress:
    """Of one view; None: of one that has no files."""
    ((segments, covered, since),) = select(_PROGRESS, [table_id or 0, table_id or 0])
    return Progress(segments, covered, since)
