"""Which days' partitions of `blocks` a query has to look into: every query of blocks names them.

The day is the server's, on which a block was inserted; what a query asks for are the times of its events, which a clock
that is wrong, or a batch that waited, may have put anywhere. So each day knows the times that its blocks lie between.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from tachy_server.lake.database import Connection, day_of

_STEP: Final = 3600 * 10**9  # times are rounded to whole hours, so that the row of a day is seldom written

_WIDEN: Final = """
INSERT INTO block_days AS d (insert_day, begin_time, end_time)
SELECT %(day)s, %(from)s, %(to)s
WHERE NOT EXISTS (
    SELECT FROM block_days WHERE insert_day = %(day)s AND begin_time <= %(begin)s AND end_time >= %(end)s
)
ON CONFLICT (insert_day) DO UPDATE SET
    begin_time = least(d.begin_time, excluded.begin_time), end_time = greatest(d.end_time, excluded.end_time)
"""
_OF_PROCESSES: Final = "SELECT min(insert_time), max(last_update_time) FROM processes WHERE process_id = ANY(%s)"


def widen(connection: Connection, day: datetime.date, begin: int, end: int) -> None:
    """Blocks with these times are inserted on that day, in the same transaction."""
    outwards = {"from": max(begin // _STEP * _STEP, -1 << 63), "to": min(-(-end // _STEP) * _STEP, (1 << 63) - 1)}
    connection.execute(_WIDEN, {"day": day, "begin": begin, "end": end, **outwards})


def select(
    connection: Connection,
    *,
    process_ids: Collection[UUID] | None = None,
    begin: int | None = None,
    end: int | None = None,
) -> list[datetime.date]:
    """The days on which blocks of these processes that overlap [begin, end] can have been inserted; None: whichever.

    Exact for processes, whose insert_time and last_update_time enclose those of their blocks.
    """
    conditions, arguments = ["true"], list[Any]()
    if process_ids is not None:
        row = connection.execute(_OF_PROCESSES, (list(process_ids),)).fetchone()
        if row is None or row[0] is None:
            return []
        conditions.append("insert_day BETWEEN %s AND %s")
        arguments += [day_of(row[0]), day_of(row[1])]
    if begin is not None:
        conditions.append("end_time >= %s")
        arguments.append(begin)
    if end is not None:
        conditions.append("begin_time <= %s")
        arguments.append(end)
    query = f"SELECT insert_day FROM block_days WHERE {' AND '.join(conditions)}"
    return [day for (day,) in connection.execute(query.encode(), arguments)]
