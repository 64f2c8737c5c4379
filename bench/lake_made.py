"""Lakes of months, made in minutes: the objects and rows that maintenance leaves, an hour's or a day's of all processes
each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tachy_server.formats.segments import Record, SegmentWriter
from tachy_server.lake import segments
from tachy_server.lake.database import Connection, day_of
from tachy_server.lake.lake import Lake

from bench.moving import Group, Moving
from tests.lake.groups import store_group
from tests.model.encoder import Process

SECOND: Final = 10**9
HOUR: Final = 3600 * SECOND
DAY: Final = 24
"""Hours."""
START: Final = 1_749_945_600 * SECOND
"""A midnight."""
_SEGMENT_BYTES: Final = 64 << 20
_LATE: Final = 20 * SECOND  # of an hour's last events, until they are stored
_LIVED: Final = """
UPDATE processes SET last_update_time = %s, last_block_end_time = %s, log_blocks = %s, metric_blocks = %s,
    span_blocks = %s
"""


@dataclass(frozen=True, slots=True)
class Made:
    """What lies in a lake; `rows` by class."""

    lake: Lake
    process_ids: Sequence[UUID]
    hours: int
    rows: Mapping[int, int]

    @property
    def end(self) -> int:
        """Of the last hour."""
        return START + self.hours * HOUR


def introduce(lake: Lake, processes: Sequence[Process], moving: Sequence[Moving], now: int) -> None:
    """Has ingest store the first blocks of all, so that processes and streams have rows; then the blocks go."""
    first = [one.at(0).blocks for one in moving]
    batches = [process.batch(blocks) for process, *blocks in zip(processes, *first, strict=True)]
    store_group(lake.database, lake.store, batches, now)
    with lake.connection() as connection:
        connection.execute("TRUNCATE segments, block_counts")


def make(
    lake: Lake, processes: Sequence[Process], moving: Sequence[Moving], hours: int, days: Sequence[Moving] = ()
) -> Made:
    """From START on, each hour a segment of each class, or some where they are large; `days`: of classes of which those
    of a day before the last one are merged.
    """
    introduce(lake, processes, moving, START + HOUR)
    merged, whole = {one.cls for one in days}, (hours - 1) // DAY
    others = [one for one in moving if one.cls not in merged]
    with lake.connection() as connection:
        for hour in range(hours):
            if hour % DAY == DAY - 1 and hour < whole * DAY:
                _put(connection, lake, days, hour // DAY, START + (hour + 1) * HOUR - SECOND, 3)
            of_hour = moving if hour >= whole * DAY else others
            _put(connection, lake, of_hour, hour, START + (hour + 1) * HOUR + _LATE, 2)
        stored, last = f"{{[0,{hours})}}", START + hours * HOUR
        connection.execute(_LIVED, (last + _LATE, last, stored, stored, stored))
        connection.execute("VACUUM ANALYZE segments, processes, streams")
    ids = [process.process_id for process in processes]
    return Made(lake, ids, hours, {one.cls: one.events * hours for one in moving})


def _put(connection: Connection, lake: Lake, moving: Sequence[Moving], number: int, inserted: int, level: int) -> None:
    lake.database.ensure_day(connection, day_of(inserted))
    for one in moving:
        for group in one.pieces_at(number, _SEGMENT_BYTES):
            write(connection, lake, [group], inserted, level)


def write(
    connection: Connection, lake: Lake, groups: Sequence[Group], now: int, level: int, said: Sequence[str] = ()
) -> int:
    """A segment of them and its row; returns its bytes. `said`: rows of the processes, as its record has them."""
    writer = SegmentWriter()
    for group in groups:
        for process_id, block in zip(group.process_ids, group.blocks, strict=True):
            writer.add_blocks(process_id, [(block, group.header_size)])
    index, parts = writer.finish(Record(now, 1, level, processes=said))
    key, size = segments.segment_key(now), sum(map(len, parts))
    lake.store.put_new(key, parts)
    times = min(group.times[0] for group in groups), max(group.times[1] for group in groups)
    ids = {process_id for group in groups for process_id in group.process_ids}
    with connection.transaction():
        segments.add(connection, key, size, now, times, ids, index, sum(group.streams for group in groups), level)
    return size
