"""The tables of keep rules, queries whose processes, at their times, outlive their classes, and of what they said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from tachy_server.lake.database import Connection

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


def kept(connection: Connection, process_ids: Sequence[UUID], days: int) -> list[tuple[UUID, int, int, int]]:
    """Process, days, begin and end of what rules that keep for at least so many days have said of these."""
    return connection.execute(_KEPT, (list(process_ids), days)).fetchall()


def forget_ended(connection: Connection) -> None:
    """What was said of processes of which nothing is there any more that could be dropped."""
    connection.execute(_FORGET)
