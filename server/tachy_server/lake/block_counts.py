"""How many rows the view `blocks` has, which nobody could count in time: one per block and thread.

Whoever inserts blocks or deletes them says so in the same transaction. A day has several rows, so that groups that
commit at the same time do not wait for each other.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from tachy_server.lake.database import Connection

ROWS: Final = "SELECT coalesce(sum(streams), 0)::bigint FROM block_counts"

_SHARDS: Final = 16
_ADD: Final = f"""
INSERT INTO block_counts AS c (insert_day, shard, streams) VALUES (%s, pg_backend_pid() %% {_SHARDS}, %s)
ON CONFLICT (insert_day, shard) DO UPDATE SET streams = c.streams + excluded.streams
"""


def add(connection: Connection, streams: Counter[object]) -> None:
    """So many more, or fewer, by the day on which the blocks are or were inserted."""
    for day in sorted(streams, key=str):  # everybody in the same order, who might wait for one another
        connection.execute(_ADD.encode(), (day, streams[day]))
