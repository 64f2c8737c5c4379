"""Controls in PostgreSQL: set, marked, asked for by routes; told to ingest by the statements that it runs anyway.

A version is the UTC second in which it was made, or one more than the one before: it ascends also when the database was
made anew while the process ran.
"""

from __future__ import annotations

import time
import uuid
from typing import Any, Final

from psycopg.types.json import Jsonb

from tachy_server.base.errors import NotFound, QueryError
from tachy_server.lake.control import NOTHING, Control, Issued
from tachy_server.lake.database import Connection
from tachy_server.lake.visible import EVERYTHING, Visible

OF_PROCESS: Final = "(SELECT to_jsonb(c) FROM controls AS c WHERE c.process_id = p.process_id)"
"""For statements that have a process as `p`: what Issued.from_row takes, or null. One look into an index."""

# A mark that no batch can have been answered with yet goes into the next version too: a recorder sees the newest only.
# A batch that was being stored while the mark was set may have missed it, hence the second.
_SET: Final = """
INSERT INTO controls AS c (process_id, version, settings, expires)
SELECT p.process_id, %(version)s, %(settings)s, %(expires)s::bigint
FROM processes AS p WHERE p.process_id = %(process_id)s AND p.state = 'running'
ON CONFLICT (process_id) DO UPDATE SET
    version = greatest(c.version + 1, excluded.version),
    settings = excluded.settings,
    expires = excluded.expires,
    mark = CASE WHEN c.mark_time + 1000000000 >= (SELECT p.last_update_time FROM processes AS p
        WHERE p.process_id = c.process_id) THEN c.mark END
RETURNING to_jsonb(c)
"""

_MARK: Final = """
INSERT INTO controls AS c (process_id, version, settings, mark, mark_time)
SELECT p.process_id, %(version)s, '{}', %(mark)s::text, %(now)s
FROM processes AS p WHERE p.process_id = %(process_id)s AND p.state = 'running'
ON CONFLICT (process_id) DO UPDATE SET
    version = greatest(c.version + 1, excluded.version),
    mark = excluded.mark,
    mark_time = excluded.mark_time
RETURNING to_jsonb(c)
"""

_STATE: Final = f"SELECT p.state, {OF_PROCESS} FROM processes AS p WHERE p.process_id = %s"

_SECOND: Final = 1_000_000_000


def check_visible(connection: Connection, process_id: uuid.UUID, visible: Visible) -> None:
    """Raises NotFound for a process that is there for others only."""
    if visible is EVERYTHING:
        return
    conditions = " AND ".join(visible.conditions("%(process_id)s::uuid"))
    query = "SELECT 1 WHERE " + conditions.replace("%", "%%").replace("%%(process_id)s", "%(process_id)s")
    if connection.execute(query.encode(), {"process_id": process_id}).fetchone() is None:
        raise NotFound(f"There is no process {process_id}.")


def get(connection: Connection, process_id: uuid.UUID) -> Issued:
    """What a process was told last. Raises NotFound for one that the lake does not know."""
    _, issued = _known(connection, process_id)
    return issued


def put(connection: Connection, process_id: uuid.UUID, control: Control, seconds: int | None) -> Issued:
    """A new version in the place of the one before. Raises NotFound, and QueryError for a process that has ended."""
    now = time.time_ns()
    expires = None if seconds is None else now + seconds * _SECOND
    return _issue(connection, _SET, process_id, now, settings=Jsonb(control.as_json()), expires=expires)


def mark(connection: Connection, process_id: uuid.UUID, reason: str) -> Issued:
    """A new version with a mark; what is in force stays so. Raises NotFound, and QueryError for one that has ended."""
    now = time.time_ns()
    return _issue(connection, _MARK, process_id, now, mark=reason)


def _issue(connection: Connection, statement: str, process_id: uuid.UUID, now: int, **values: Any) -> Issued:
    values |= {"process_id": process_id, "version": now // _SECOND, "now": now}
    row = connection.execute(statement.encode(), values).fetchone()
    if row is None:
        state, _ = _known(connection, process_id)
        raise QueryError(f"Process {process_id} has {state}: nothing reaches it any more.")
    return Issued.from_row(row[0])


def _known(connection: Connection, process_id: uuid.UUID) -> tuple[str, Issued]:
    row = connection.execute(_STATE.encode(), (process_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no process {process_id}.")
    return row[0], NOTHING if row[1] is None else Issued.from_row(row[1])
