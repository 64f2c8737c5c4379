"""The tables of keep rules, queries whose processes, at their times, outlive their classes, and of what they said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.lake.database import Connection
from tachy_server.lake.segments import Select

_READ = "SELECT name, days, sql, created, created_by FROM keep_rules ORDER BY name"
_ADD = """
INSERT INTO keep_rules (name, days, sql, created, created_by) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_SEEN = "SELECT seen FROM keep_rules WHERE name = %s"
_ARRIVED = """
SELECT least(min(begin_time), min(insert_time)), greatest(max(end_time), max(insert_time)) FROM segments
WHERE insert_time > %s AND insert_time <= %s AND end_time >= begin_time
"""
_NOTE = """
INSERT INTO kept (rule, process_id, begin_time, end_time)
SELECT DISTINCT r.name, u.process_id::uuid, u.begin_time, u.end_time
FROM keep_rules AS r, unnest(%s::text[], %s::bigint[], %s::bigint[]) AS u (process_id, begin_time, end_time)
WHERE r.name = %s AND u.begin_time <= u.end_time ON CONFLICT DO NOTHING
"""
_HAS_SEEN = "UPDATE keep_rules SET seen = greatest(seen, %s) WHERE name = %s"
_SAID = "SELECT process_id, rule, begin_time, end_time FROM kept WHERE process_id = ANY(%s)"
_KEPT = """
SELECT process_id, days, lower(span), upper(span) - 1 FROM (
    SELECT k.process_id, r.days, unnest(range_agg(int8range(k.begin_time, k.end_time, '[]'))) AS span
    FROM kept AS k JOIN keep_rules AS r ON r.name = k.rule
    WHERE k.process_id = ANY(%s) AND r.days >= %s GROUP BY 1, 2) AS s
"""
_FORGET = """
DELETE FROM kept AS k USING processes AS p WHERE p.process_id = k.process_id
    AND p.last_update_time < (SELECT extract(epoch FROM min(insert_day))::bigint * 1000000000 FROM block_days)
"""
_REMOVE = "DELETE FROM keep_rules WHERE name = %s"


class Rule(NamedTuple):
    """A row; `created` is UTC nanoseconds."""

    name: str
    days: int
    sql: str
    created: int
    created_by: str


def read(connection: Connection) -> list[Rule]:
    """All of them, by name."""
    return [Rule(*row) for row in connection.execute(_READ).fetchall()]


def add(connection: Connection, rule: Rule) -> bool:
    """False: there is one of that name."""
    return connection.execute(_ADD, rule).rowcount == 1


def remove(connection: Connection, name: str) -> bool:
    """False: there is none."""
    return connection.execute(_REMOVE, (name,)).rowcount == 1


def arrived(connection: Connection, name: str, until: int) -> tuple[int, int] | None:
    """The times between which all lies that was inserted since the rule was last asked, up to that time, by the clocks
    of those who sent it and by ours; None: nothing was.
    """
    row = connection.execute(_SEEN, (name,)).fetchone()
    if row is None:
        return None
    begin, end = connection.execute(_ARRIVED, (row[0], until)).fetchone() or (None, None)
    return None if begin is None else (begin, end)


def note(
    connection: Connection, name: str, ids: Sequence[str], begins: Sequence[int], ends: Sequence[int], until: int
) -> None:
    """What the rule has said of all that was inserted up to that time."""
    with connection.transaction():
        if ids:
            connection.execute(_NOTE, (ids, begins, ends, name))
        connection.execute(_HAS_SEEN, (until, name))


def kept(connection: Connection, process_ids: Sequence[UUID], days: int) -> pa.Table:
    """What rules that keep for at least so many days have said of these processes: process_id, days, from, to."""
    return _ranges("days", pa.int64(), connection.execute(_KEPT, (list(process_ids), days)).fetchall())


def said(select: Select, process_ids: Sequence[UUID]) -> pa.Table:
    """What rules have said of these processes: process_id, rule, from, to."""
    return _ranges("rule", pa.utf8(), select(_SAID, [list(process_ids)]))


def overlapping(blocks: pa.Table, ranges: pa.Table) -> pa.Table:
    """The pairs of blocks (with process_id, begin_time, end_time) and ranges of their process that overlap."""
    both = blocks.join(ranges, "process_id", join_type="inner")
    return both.filter(
        pc.and_(pc.less_equal(both["begin_time"], both["to"]), pc.greater_equal(both["end_time"], both["from"]))
    )


def _ranges(name: str, kind: pa.DataType, rows: Sequence[tuple[UUID, Any, int, int]]) -> pa.Table:
    ids, values, begins, ends = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = [pa.array([one.bytes for one in ids], pa.binary(16)), pa.array(values, kind)]
    times = [pa.array(one, pa.int64()) for one in (begins, ends)]
    return pa.table([*columns, *times], ["process_id", name, "from", "to"])


def forget_ended(connection: Connection) -> None:
    """What was said of processes of which nothing is there any more that could be dropped."""
    connection.execute(_FORGET)
