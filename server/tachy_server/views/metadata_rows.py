"""The metadata views `processes`, `streams`, `blocks`, `block_errors`: rows of PostgreSQL as record batches."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

from tachy_server.formats import reader
from tachy_server.lake.snapshot import Snapshot
from tachy_server.views.bounds import Bounds
from tachy_server.views.declarations import BLOCK_ERRORS, BLOCKS, PROCESSES, STREAMS, TIME, View
from tachy_server.views.sources import ProcessInfo

FORMAT: Final = "tachy-1"
_BLOCK_TAIL: Final = 60 * 10**9
"""Open spans end with their block's interval, which goes on after its last event; no block is a minute long."""
TAGS: Final = {1: ["log"], 2: ["metrics"], 3: ["cpu"]}
_CLASSES: Final = {1: "log", 2: "metric", 3: "span"}

_PROCESSES_SQL: Final = """
SELECT process_id, exe, username, realname, computer, distro, cpu_brand, tsc_frequency, start_time, start_ticks,
       insert_time, parent_process_id, properties::text, last_update_time, last_block_end_ticks, last_block_end_time,
       state
FROM processes AS p
WHERE {where}
ORDER BY insert_time, process_id
"""

_STREAMS_SQL: Final = """
SELECT s.stream_id, s.process_id, s.class, s.thread, s.thread_name, s.os_id, s.insert_time, s.last_update_time
FROM streams AS s JOIN processes AS p USING (process_id)
WHERE {where}
ORDER BY s.insert_time, s.stream_id
"""

_BLOCKS_SQL: Final = """
SELECT b.block_id, b.process_id, b.class, b.stored_size, b.insert_time, b.dropped, b.events,
       t.thread, t.begin_time, t.begin_ticks, t.end_time, t.end_ticks, t.events, t.first, t.position,
       s.thread_name, s.os_id, s.insert_time,
       p.start_time, p.start_ticks, p.tsc_frequency, p.exe, p.username, p.realname, p.computer, p.distro, p.cpu_brand,
       p.insert_time, p.parent_process_id, p.properties::text
FROM blocks AS b
JOIN processes AS p USING (process_id)
CROSS JOIN LATERAL unnest(
    b.threads, b.thread_events, b.thread_first, b.thread_begin_ticks, b.thread_end_ticks, b.thread_begin_time,
    b.thread_end_time
) WITH ORDINALITY AS t (thread, events, first, begin_ticks, end_ticks, begin_time, end_time, position)
LEFT JOIN streams AS s ON s.process_id = b.process_id AND s.class = b.class AND s.thread = t.thread
WHERE {where}
ORDER BY b.insert_time, b.block_id, t.position
"""

_BLOCK_ERRORS_SQL: Final = """
SELECT e.block_id, e.process_id, e.class, e.reason, e.since
FROM block_errors AS e
WHERE {where}
ORDER BY e.since, e.block_id
"""

_NEWEST_SQL: Final = """
SELECT b.process_id, max(b.sequence)
FROM blocks AS b JOIN processes AS p USING (process_id)
WHERE {where}
GROUP BY b.process_id
"""

_NAMED_STREAMS_SQL: Final = "SELECT stream_id FROM streams WHERE {where}"

_DESCRIBE_SQL: Final = """
SELECT process_id, coalesce(exe, ''), coalesce(username, ''), coalesce(computer, ''), coalesce(properties::text, '{}')
FROM processes
WHERE process_id = ANY(%s)
"""


class PostgresMetadata:
    """Metadata in the lake's database. A process that is running and was silent for `lost_after` seconds is lost."""

    def __init__(self, lost_after: float) -> None:
        self._lost_after = int(lost_after * 1e9)

    def rows(
        self, snapshot: Snapshot, view: View, bounds: Bounds, begin: int | None, end: int | None
    ) -> pa.RecordBatch:
        """Rows of a metadata view: those in the client's range, that the bounds leave open."""
        columns = _TABLES[view.name](self, snapshot, bounds, begin, end)
        arrays = [_array(column.type, columns[column.name]) for column in view.columns]
        return pa.RecordBatch.from_arrays(arrays, schema=view.schema)

    def newest_span_blocks(self, snapshot: Snapshot, bounds: Bounds) -> dict[UUID, int]:
        """Sequence of the newest span block of each process that is not over before bounds.begin."""
        where = _Where()
        where.visible(snapshot, "b.process_id")
        where.add("b.class = %s", reader.SPAN)
        where.among("b.process_id", bounds.process_ids)
        where.add("b.insert_day = ANY(%s)", snapshot.days(process_ids=bounds.process_ids))
        if bounds.stream_ids is not None:
            where.add(
                "b.process_id IN (SELECT process_id FROM streams WHERE stream_id = ANY(%s))", [*bounds.stream_ids]
            )
        if bounds.begin is not None:
            where.at_least("p.last_block_end_time", bounds.begin - _BLOCK_TAIL)
        return dict(_fetch(snapshot, _NEWEST_SQL, where))

    def streams_named(
        self, snapshot: Snapshot, name: str, cls: int, process_ids: Collection[UUID] | None
    ) -> frozenset[UUID]:
        """The streams of a class whose threads have that name, of these processes; None: of all."""
        where = _Where()
        where.visible(snapshot, "process_id")
        where.add("thread_name = %s", name)
        where.add("class = %s", cls)
        where.among("process_id", process_ids)
        return frozenset(row[0] for row in _fetch(snapshot, _NAMED_STREAMS_SQL, where))

    def describe(self, snapshot: Snapshot, process_ids: Collection[UUID]) -> dict[UUID, ProcessInfo]:
        """The processes of these ids that are known."""
        rows = snapshot.select(_DESCRIBE_SQL, ([*process_ids],))
        return {row[0]: ProcessInfo(*row[1:]) for row in rows}

    def _processes(
        self, snapshot: Snapshot, bounds: Bounds, begin: int | None, end: int | None
    ) -> dict[str, list[Any]]:
        where = _Where()
        where.visible(snapshot, "p.process_id")
        where.among("p.process_id", bounds.process_ids)
        for after, before in ((bounds.begin, bounds.end), (begin, end)):
            where.at_least("p.last_update_time", after)
            where.at_most("p.start_time", before)
        names = [column.name for column in PROCESSES.columns]
        columns = _columns(names, _fetch(snapshot, _PROCESSES_SQL, where))
        silent = time.time_ns() - self._lost_after
        columns["end_state"] = [
            "lost" if state == "running" and heard < silent else state
            for state, heard in zip(columns["end_state"], columns["last_update_time"], strict=True)
        ]
        return columns

    def _streams(self, snapshot: Snapshot, bounds: Bounds, begin: int | None, end: int | None) -> dict[str, list[Any]]:
        where = _Where()
        where.visible(snapshot, "s.process_id")
        where.among("s.process_id", bounds.process_ids)
        where.among("s.stream_id", bounds.stream_ids)
        where.at_least("s.last_update_time", bounds.begin)
        where.at_most("s.insert_time", bounds.end)
        where.at_least("s.last_update_time", begin)
        where.at_most("p.start_time", end)
        names = [
            "stream_id",
            "process_id",
            "class",
            "thread",
            "thread_name",
            "os_id",
            "insert_time",
            "last_update_time",
        ]
        columns = _columns(names, _fetch(snapshot, _STREAMS_SQL, where))
        count = len(columns["stream_id"])
        columns |= {"format": [FORMAT] * count} | _described(columns)
        return columns

    def _blocks(self, snapshot: Snapshot, bounds: Bounds, begin: int | None, end: int | None) -> dict[str, list[Any]]:
        where = _Where()
        where.visible(snapshot, "b.process_id")
        where.among("b.process_id", bounds.process_ids)
        where.among("b.block_id", bounds.block_ids)
        both = bounds & Bounds(begin=begin, end=end)
        where.add(
            "b.insert_day = ANY(%s)", snapshot.days(process_ids=bounds.process_ids, begin=both.begin, end=both.end)
        )
        if bounds.stream_ids is not None:
            where.among("s.stream_id", bounds.stream_ids)
        for after, before in ((bounds.begin, bounds.end), (begin, end)):
            where.at_least("b.end_time", after)
            where.at_most("b.begin_time", before)
        where.at_least("t.end_time", begin)
        where.at_most("t.begin_time", end)
        names = ["block_id", "process_id", "class", "stored_size", "insert_time", "dropped", "events"]
        names += ["thread", "begin_time", "begin_ticks", "end_time", "end_ticks", "nb_objects", "object_offset"]
        names += ["position", "thread_name", "os_id", "streams.insert_time", "processes.start_time"]
        names += ["processes.start_ticks", "processes.tsc_frequency", "processes.exe", "processes.username"]
        names += ["processes.realname", "processes.computer", "processes.distro", "processes.cpu_brand"]
        names += ["processes.insert_time", "processes.parent_process_id", "processes.properties"]
        columns = _columns(names, _fetch(snapshot, _BLOCKS_SQL, where))
        keys = zip(columns["process_id"], columns["class"], columns["thread"], strict=True)
        columns["stream_id"] = [reader.stream_id(*key) for key in keys]
        first = [position == 1 for position in columns["position"]]
        columns["dropped"] = [lost if head else 0 for lost, head in zip(columns["dropped"], first, strict=True)]
        columns["payload_size"] = _shares(columns)
        columns |= {f"streams.{name}": values for name, values in _described(columns).items()}
        return columns

    def _block_errors(
        self, snapshot: Snapshot, bounds: Bounds, begin: int | None, end: int | None
    ) -> dict[str, list[Any]]:
        where = _Where()
        where.visible(snapshot, "e.process_id")
        where.among("e.process_id", bounds.process_ids)
        where.among("e.block_id", bounds.block_ids)
        for after, before in ((bounds.begin, bounds.end), (begin, end)):
            where.at_least("e.since", after)
            where.at_most("e.since", before)
        columns = _columns([column.name for column in BLOCK_ERRORS.columns], _fetch(snapshot, _BLOCK_ERRORS_SQL, where))
        columns["class"] = [_CLASSES[cls] for cls in columns["class"]]
        return columns


def _fetch(snapshot: Snapshot, sql: str, where: _Where) -> list[tuple[Any, ...]]:
    return snapshot.select(sql.format(where=where.text), where.values)


_TABLES: Final[dict[str, Callable[..., dict[str, list[Any]]]]] = {
    PROCESSES.name: PostgresMetadata._processes,
    STREAMS.name: PostgresMetadata._streams,
    BLOCKS.name: PostgresMetadata._blocks,
    BLOCK_ERRORS.name: PostgresMetadata._block_errors,
}


class _Where:
    """Conditions that must all hold, with their values."""

    def __init__(self) -> None:
        self._conditions = ["true"]
        self.values: list[Any] = []

    @property
    def text(self) -> str:
        return " AND ".join(self._conditions)

    def visible(self, snapshot: Snapshot, process_id: str) -> None:
        self._conditions += [text.replace("%", "%%") for text in snapshot.visible.conditions(process_id)]

    def add(self, condition: str, value: object) -> None:
        self._conditions.append(condition)
        self.values.append(value)

    def among(self, column: str, ids: Iterable[UUID] | None) -> None:
        if ids is not None:
            self.add(f"{column} = ANY(%s)", [*ids])

    def at_least(self, column: str, value: int | None) -> None:
        if value is not None:
            self.add(f"{column} >= %s", value)

    def at_most(self, column: str, value: int | None) -> None:
        if value is not None:
            self.add(f"{column} <= %s", value)


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    if not rows:
        return {name: [] for name in names}
    return {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def _described(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """What streams have and PostgreSQL does not say in these words."""
    names = zip(columns["thread_name"], columns["os_id"], columns["thread"], strict=True)
    return {
        "dependencies_metadata": [b""] * len(columns["thread"]),
        "objects_metadata": [b""] * len(columns["thread"]),
        "tags": [TAGS[cls] for cls in columns["class"]],
        "properties": [
            json.dumps({"thread-name": name or "", "thread-id": str(os_id or 0), "thread-number": str(number)})
            for name, os_id, number in names
        ],
    }


def _shares(columns: dict[str, list[Any]]) -> list[int]:
    """Each stream's part of its block's stored bytes, by its events, rounded so that the parts add up."""
    shares: list[int] = []
    before = 0
    rows = zip(columns["stored_size"], columns["events"], columns["nb_objects"], columns["position"], strict=True)
    for size, total, events, position in rows:
        before = 0 if position == 1 else before
        after = before + events
        if total:
            shares.append(size * after // total - size * before // total)
        else:
            shares.append(size if position == 1 else 0)
        before = after
    return shares


def _array(kind: pa.DataType, values: list[Any]) -> pa.Array:
    if pa.types.is_dictionary(kind):
        texts = [str(value) if isinstance(value, UUID) else value for value in values]
        return pa.array(texts, pa.utf8()).dictionary_encode().cast(kind)
    if kind == TIME:
        return pa.array(values, pa.int64()).cast(TIME)
    return pa.array(values, kind)
