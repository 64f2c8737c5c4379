"""The metadata views (`processes`, `streams`, `blocks`, `lake_usage`, …): rows of PostgreSQL as record batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

from tachy_server.base.prices import Prices
from tachy_server.lake import block_counts, materialized
from tachy_server.lake.materialized import MaterializedView
from tachy_server.lake.snapshot import Snapshot
from tachy_server.lake.visible import EVERYTHING
from tachy_server.views import block_rows, lake_usage
from tachy_server.views.bounds import ALL, Bounds
from tachy_server.views.declarations import TIME, View
from tachy_server.views.decode import lengthy
from tachy_server.views.metadata_sql import SOURCES, can_order, select
from tachy_server.views.sources import Ask, ProcessInfo

_BLOCK_TAIL: Final = 60 * 10**9
"""Open spans end with their block's interval, which goes on after its last event; no block is a minute long."""

_NEWEST_SQL: Final = """
SELECT process_id, upper(span_blocks) - 1, last_span_block_end_time FROM processes WHERE {where}
"""

_NAMED_STREAMS_SQL: Final = "SELECT stream_id FROM streams WHERE {where}"

_DESCRIBE_SQL: Final = """
SELECT process_id, coalesce(exe, ''), coalesce(username, ''), coalesce(computer, ''), coalesce(properties::text, '{}')
FROM processes
WHERE process_id = ANY(%s)
"""


class PostgresMetadata:
    """Metadata in the lake's database. A process that is running and was silent for `lost_after` seconds is lost."""

    def __init__(self, lost_after: float, prices: Prices) -> None:
        self._lost_after = int(lost_after * 1e9)
        self._prices = prices

    def rows(self, snapshot: Snapshot, view: View, ask: Ask) -> Callable[[], Iterator[pa.RecordBatch]]:
        """What a scan of a metadata view asks for, and perhaps more rows; read in the snapshot, now."""
        if view.name == "blocks":
            return _block_rows(snapshot, view, ask)
        if view.name == "lake_usage":
            schema, batches = _schema(view, ask), list(lake_usage.rows(snapshot, ask, self._prices))
            return lambda: (_typed(batch, schema) for batch in batches)
        source = SOURCES[view.name]
        if not can_order(source, ask.order):
            ask = Ask(ask.columns, ask.bounds, ask.filter, begin=ask.begin, end=ask.end)
        statement = select(source, ask, snapshot.visible, time.time_ns() - self._lost_after)
        result = snapshot.read(statement.text)
        if statement.counted:
            return lambda: (lengthy(batch.column(0)[0].as_py()) for batch in result)
        schema = _schema(view, ask)
        return lambda: (_typed(batch, schema) for batch in result)

    def materialized_views(self, snapshot: Snapshot) -> list[MaterializedView]:
        """Those that have a table in the catalog."""
        return materialized.rows(snapshot.select)

    def newest_span_blocks(self, snapshot: Snapshot, bounds: Bounds) -> dict[UUID, tuple[int, int]]:
        """Sequence number and end of the newest span block of each process, unless it is before bounds.begin."""
        where, values = ["NOT isempty(span_blocks)"], list[Any]()
        if bounds.process_ids is not None:
            where.append("process_id = ANY(%s)")
            values.append([*bounds.process_ids])
        if bounds.stream_ids is not None:
            where.append("process_id IN (SELECT s.process_id FROM streams AS s WHERE s.stream_id = ANY(%s))")
            values.append([*bounds.stream_ids])
        if bounds.begin is not None:
            where.append("last_span_block_end_time >= %s")
            values.append(bounds.begin - _BLOCK_TAIL)
        where += [text.replace("%", "%%") for text in snapshot.visible.conditions("process_id")]
        rows = snapshot.select(_NEWEST_SQL.format(where=" AND ".join(where)), values)
        return {process: (number, time) for process, number, time in rows}

    def streams_named(
        self, snapshot: Snapshot, name: str, cls: int, process_ids: Collection[UUID] | None
    ) -> frozenset[UUID]:
        """The streams of a class whose threads have that name, of these processes; None: of all."""
        where, values = ["thread_name = %s", "class = %s"], list[Any]([name, cls])
        if process_ids is not None:
            where.append("process_id = ANY(%s)")
            values.append([*process_ids])
        where += [text.replace("%", "%%") for text in snapshot.visible.conditions("process_id")]
        return frozenset(
            row[0] for row in snapshot.select(_NAMED_STREAMS_SQL.format(where=" AND ".join(where)), values)
        )

    def describe(self, snapshot: Snapshot, process_ids: Collection[UUID]) -> dict[UUID, ProcessInfo]:
        """The processes of these ids that are known."""
        rows = snapshot.select(_DESCRIBE_SQL, ([*process_ids],))
        return {row[0]: ProcessInfo(*row[1:]) for row in rows}


def _block_rows(snapshot: Snapshot, view: View, ask: Ask) -> Callable[[], Iterator[pa.RecordBatch]]:
    """Of `blocks`. How many there are in all is known without looking at them."""
    everything = ask == Ask((), ALL) and snapshot.visible == EVERYTHING
    if everything:
        ((count,),) = snapshot.select(block_counts.ROWS)
        return lambda: iter([lengthy(count)])
    schema, batches = _schema(view, ask), list(block_rows.rows(snapshot, ask))
    return lambda: (_typed(batch, schema) for batch in batches)


def _schema(view: View, ask: Ask) -> pa.Schema:
    return pa.schema([pa.field(name, view.column(name).type) for name in ask.columns])


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """PostgreSQL's types as the view's."""
    if not schema.names:
        return lengthy(batch.num_rows)
    arrays = [_array(array, field.type) for array, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return array.dictionary_encode().cast(kind)
    if kind == TIME:
        return array.cast(pa.int64()).cast(TIME)
    return array if array.type == kind else array.cast(kind)
