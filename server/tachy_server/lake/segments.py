"""Rows of `segments`: which of them can have blocks that somebody looks for. Every query names its days' partitions."""

from __future__ import annotations

import datetime
import re
import struct
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import pyarrow.compute as pc

from tachy_server.base.errors import FormatError
from tachy_server.formats.block_index import select
from tachy_server.lake import block_counts, block_days
from tachy_server.lake.database import Connection, day_of
from tachy_server.lake.indexes import Indexes

Select = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Runs a SELECT with its arguments."""

_SHORT: Final = struct.Struct("<i")
_INSERT: Final = """
INSERT INTO segments
    (insert_day, key, size, insert_time, begin_time, end_time, processes, block_index, level, covered, classes, keep)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_FORGET: Final = "DELETE FROM segments WHERE insert_day = %s AND key = ANY(%s)"
_REMOVE_LATER: Final = "INSERT INTO removals (key, after) SELECT unnest(%s::text[]), %s ON CONFLICT DO NOTHING"
IS_THERE: Final = "SELECT EXISTS (SELECT FROM segments WHERE insert_day = %s AND key = %s)"
_FEW: Final = 64  # processes; PostgreSQL compares each with each of a row
NEVER: Final = ((1 << 63) - 1, -(1 << 63))


_KEPT: Final = re.compile(r"segments/[^/]+/keep-(\d{1,5})/[^/]+")


def segment_key(insert_time: int, keep: int | None = None) -> str:
    """A new one; `keep`: of blocks that stay so many days, whatever the life of their class."""
    kept = "" if keep is None else f"keep-{keep}/"
    return f"segments/{day_of(insert_time)}/{kept}{uuid.uuid4()}.tseg"


def kept_days(key: str) -> int | None:
    """How many days a key says that its segment stays; None: as long as its class."""
    match = _KEPT.fullmatch(key)
    return int(match[1]) if match else None


def bit_of(cls: int) -> int:
    """A class in the column `classes`."""
    return 1 << (cls - 1)


def classes_of(index: bytes) -> int:
    """The classes of which there are blocks, as bits."""
    return sum(bit_of(cls) for cls in pc.unique(select([index]).column("class")).to_pylist())


def day_of_key(key: str) -> datetime.date:
    """The day that a key names: of its segment's row. Raises FormatError for a key of something else."""
    try:
        return datetime.date.fromisoformat(key.split("/")[1])
    except (ValueError, IndexError):
        raise FormatError(f"{key} is not the key of a segment") from None


def insert(
    connection: Connection,
    key: str,
    size: int,
    insert_time: int,
    times: tuple[int, int] | None,
    process_ids: Iterable[UUID],
    index: bytes,
    level: int = 0,
    covered: Sequence[int] = (),
) -> None:
    """One segment; `times` are the earliest and the latest of its events, None: it has none."""
    begin, end = times or NEVER
    of_segment = (day_of(insert_time), key, size, insert_time, begin, end, shortened(process_ids), index, level)
    connection.execute(_INSERT, (*of_segment, list(covered), classes_of(index), kept_days(key)))


def add(
    connection: Connection,
    key: str,
    size: int,
    insert_time: int,
    times: tuple[int, int] | None,
    process_ids: Iterable[UUID],
    index: bytes,
    streams: int,
    level: int = 0,
) -> None:
    """As `insert`, with what its day says of its blocks: their times, and how many rows of `blocks` they are."""
    day = day_of(insert_time)
    if times is not None:
        block_days.widen(connection, day, *times)
    if streams:
        block_counts.add(connection, Counter({day: streams}))
    insert(connection, key, size, insert_time, times, process_ids, index, level)


def forget(connection: Connection, day: datetime.date, keys: Sequence[str]) -> int:
    """The rows of these segments of a day; returns how many were still there."""
    return connection.execute(_FORGET, (day, list(keys))).rowcount


def remove_later(connection: Connection, keys: Sequence[str], after: int) -> None:
    """Objects that no row names any more: they are removed after that time."""
    connection.execute(_REMOVE_LATER, (list(keys), after))


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some segments: those with these keys, those that the files of a materialized view (its id) do not cover."""

    keys: frozenset[str] | None = None
    uncovered: int | None = None


def find(
    select_rows: Select,
    days: Collection[datetime.date],
    *,
    cls: int = 0,
    begin: int | None = None,
    end: int | None = None,
    process_ids: Collection[UUID] | None = None,
    chosen: Chosen | None = None,
    kept: Indexes | None = None,
) -> list[tuple[str, int, bytes]]:
    """Key, insert time and index of the segments of these days that can have blocks of this class (0: of any) in
    [begin, end] of these processes (None: no condition), the last inserted last. `kept`: indexes that were read before.
    """
    if not days:
        return []
    conditions, arguments = _on(days)
    of_class = f"classes & {bit_of(cls)} <> 0" if cls else "true"
    if begin is not None:
        conditions.append("end_time >= %s")
        arguments.append(begin)
    if end is not None:
        conditions.append("begin_time <= %s")
        arguments.append(end)
    if process_ids is not None and len(process_ids) <= _FEW:
        # as two conditions, PostgreSQL would look at the processes of all classes first
        conditions.append(f"CASE WHEN {of_class} THEN processes && %s::integer[] ELSE false END")
        arguments.append(shortened(process_ids))
    else:
        conditions.append(of_class)
    if chosen is not None and chosen.keys is not None:
        conditions.append("key = ANY(%s)")
        arguments.append(sorted(chosen.keys))
    if chosen is not None and chosen.uncovered is not None:
        conditions.append("NOT covered @> ARRAY[%s]::bigint[]")
        arguments.append(chosen.uncovered)
    columns = "key, insert_time, block_index" if kept is None else "key, insert_time, xmin::text"
    query = f"SELECT {columns} FROM segments WHERE {' AND '.join(conditions)} ORDER BY insert_time, key"
    found = select_rows(query, arguments)
    if kept is None:
        return found

    def read(keys: list[str]) -> list[tuple[Any, ...]]:
        (condition,), of_days = _on(set(map(day_of_key, keys)))
        query = f"SELECT key, block_index FROM segments WHERE {condition} AND key = ANY(%s)"
        return select_rows(query, [*of_days, keys])

    indexes = kept.of([(key, version) for key, _, version in found], read)
    return [(key, inserted, index) for (key, inserted, _), index in zip(found, indexes, strict=True)]


def _on(days: Collection[datetime.date]) -> tuple[list[str], list[Any]]:
    """The condition that bounds a query to the partitions of these days. Of many, PostgreSQL would reckon for each of
    the partitions how likely each of the days is.
    """
    first, last = min(days), max(days)
    if (last - first).days + 1 == len(days):
        return ["insert_day BETWEEN %s AND %s"], [first, last]
    return ["insert_day = ANY(%s)"], [list(days)]


def shortened(process_ids: Iterable[UUID]) -> list[int]:
    """Their first four bytes: enough to pass over most of the segments that have none of them."""
    return sorted({_SHORT.unpack_from(process_id.bytes)[0] for process_id in process_ids})
