"""What PostgreSQL says of processes and streams, as the records of segments have it (docs/format.md, "Segments")."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from tachy_server.lake.database import Connection

DESCRIBED: Final = "(to_jsonb(p) - '{log_blocks,metric_blocks,span_blocks}'::text[])::text"
"""A row of `processes AS p`, as JSON; the numbers of its blocks are in the indexes."""

STREAM_TOLD_NS: Final = 300_000_000_000
"""A stream that goes on is told of, and its `last_update_time` set, once in this time at least."""

_DAY_NS: Final = 86_400_000_000_000
_READ: Final = f"""
SELECT {DESCRIBED}, ARRAY(
    SELECT to_jsonb(s)::text FROM streams AS s
    WHERE s.process_id = p.process_id AND s.last_update_time >= %s AND s.insert_time <= %s ORDER BY s.stream_id)
FROM processes AS p WHERE p.process_id = ANY(%s) ORDER BY p.process_id
"""


def is_due(told: int, now: int) -> bool:
    """Whether a stream is told of again: also when its day's segments, which may outlive those of the one before, have
    not told of it.
    """
    return now - told > STREAM_TOLD_NS or now // _DAY_NS != told // _DAY_NS


def read(connection: Connection, process_ids: Collection[UUID], begin: int, end: int) -> tuple[list[str], list[str]]:
    """The processes, and those of their streams that segments inserted in [begin, end] can have told of."""
    rows = connection.execute(_READ.encode(), (begin, end, list(process_ids))).fetchall()
    return [text for text, _ in rows], [stream for _, streams in rows for stream in streams]
