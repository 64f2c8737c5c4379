"""Rows of `materialized_views`, and of which segments the files of these views have the events."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from tachy_server.lake.database import Connection
from tachy_server.lake.segments import Select

_ROWS: Final = "SELECT name, table_id, definition, created FROM materialized_views ORDER BY name"
_IS_THERE: Final = "SELECT FROM materialized_views WHERE table_id = %s"
_INSERT: Final = "INSERT INTO materialized_views (name, table_id, definition, created) VALUES (%s, %s, %s, %s)"
_DELETE: Final = "DELETE FROM materialized_views WHERE name = %s RETURNING table_id"
# Whoever adds or removes a view waits until no files are made, and who adds one until nobody else does.
_STAY: Final = "LOCK TABLE materialized_views IN SHARE MODE"
_ALONE: Final = "LOCK TABLE materialized_views IN SHARE ROW EXCLUSIVE MODE"
_FIRST: Final = """
SELECT insert_day, insert_time, covered FROM segments
WHERE NOT covered @> %s::bigint[] AND insert_time < %s AND key <> ALL(%s)
ORDER BY insert_time LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_CLAIM: Final = """
SELECT key, size FROM segments
WHERE insert_day = %s AND insert_time >= %s AND insert_time < %s AND covered = %s::bigint[] AND key <> ALL(%s)
ORDER BY insert_time, key FOR UPDATE SKIP LOCKED
"""
_COVER: Final = "UPDATE segments SET covered = %s::bigint[] WHERE insert_day = %s AND key = ANY(%s)"
_HAVE: Final = "SELECT FROM materialized_views WHERE name = %s FOR UPDATE SKIP LOCKED"
_PROGRESS: Final = """
SELECT count(*), count(*) FILTER (WHERE covered @> ARRAY[%s]::bigint[]),
    min(insert_time) FILTER (WHERE NOT covered @> ARRAY[%s]::bigint[])
FROM segments
"""


@dataclass(frozen=True, slots=True)
class MaterializedView:
    """A materialized view that has a table in the catalog; `definition` is its statement."""

    name: str
    table_id: int
    definition: str
    created: int


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
    connection.execute(_INSERT, (row.name, row.table_id, row.definition, row.created))


def delete(connection: Connection, name: str) -> int | None:
    """Its table's id; None where there was none."""
    row = connection.execute(_DELETE, (name,)).fetchone()
    return None if row is None else int(row[0])


def claim(
    connection: Connection, table_ids: Collection[int], before: int, length: int, but: Collection[str], size: int
) -> Unit | None:
    """The first segments that came before a time within one slot of `length` ns, and that not all of these tables
    cover: some bytes of them at most, but one at least. They are locked until the transaction ends.
    """
    ids, others = sorted(table_ids), sorted(but)
    found = connection.execute(_FIRST, (ids, before, others)).fetchone()
    if found is None:
        return None
    day, time, covered = found
    begin = time // length * length
    keys: list[str] = []
    total = 0
    for key, of_one in connection.execute(_CLAIM, (day, begin, min(begin + length, before), covered, others)):
        if keys and total + of_one > size:
            break
        keys.append(key)
        total += of_one
    return Unit(day, time, frozenset(covered), frozenset(keys), total)


def cover(connection: Connection, unit: Unit, table_ids: Collection[int]) -> None:
    """The files of these tables have the events of these segments, too."""
    connection.execute(_COVER, (sorted(unit.covered | set(table_ids)), unit.day, sorted(unit.keys)))


def have(connection: Connection, name: str) -> bool:
    """Whether nobody else merges files of this view; until the transaction ends nobody else does."""
    return connection.execute(_HAVE, (name,)).fetchone() is not None


def progress(select: Select, table_id: int | None) -> Progress:
    """Of one view; None: of one that has no files."""
    ((segments, covered, since),) = select(_PROGRESS, [table_id or 0, table_id or 0])
    return Progress(segments, covered, since)
