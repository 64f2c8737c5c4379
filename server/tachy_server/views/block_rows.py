"""The view `blocks`: what the indexes of segments say, a row for each stream of a block, beside its process and stream.

Columns are made for the rows that a scan selects, by Arrow kernels; nothing here loops over blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.lake.snapshot import Snapshot
from tachy_server.views.bounds import Bounds
from tachy_server.views.decode import lengthy
from tachy_server.views.metadata_sql import SOURCES, select
from tachy_server.views.sources import Ask

_ROWS: Final = 65_536

Make = Callable[[pa.RecordBatch], pa.Array]


def rows(snapshot: Snapshot, ask: Ask) -> Iterator[pa.RecordBatch]:
    """The columns that are asked for, as PostgreSQL would have them; see metadata_rows."""
    bounds = ask.bounds & Bounds(begin=ask.begin, end=ask.end)
    found, inserted = snapshot.select_streams(
        begin=bounds.begin,
        end=bounds.end,
        process_ids=bounds.process_ids,
        stream_ids=bounds.stream_ids,
        block_ids=bounds.block_ids,
    )
    times = pa.array(inserted, pa.int64())
    others = {
        kind: _Others(snapshot, kind, found, [name.partition(".")[2] for name in ask.columns if name.startswith(kind)])
        for kind in ("processes", "streams")
    }
    for start in range(0, max(1, found.num_rows), _ROWS):
        part = found.slice(start, _ROWS)
        arrays = []
        for name in ask.columns:
            kind, _, column = name.partition(".")
            if column:
                arrays.append(others[kind].column(column, part))
            elif name == "insert_time":
                arrays.append(times.take(part.column("segment")))
            else:
                arrays.append(_MADE[name](part))
        yield pa.RecordBatch.from_arrays(arrays, list(ask.columns)) if arrays else lengthy(part.num_rows)


class _Others:
    """Columns of the processes or the streams that the blocks are of."""

    def __init__(self, snapshot: Snapshot, kind: str, found: pa.RecordBatch, names: list[str]) -> None:
        self._id = "process_id" if kind == "processes" else "stream_id"
        self._columns: dict[str, pa.ChunkedArray] = {}
        if not names:
            return
        ids = pc.unique(found.column("process_id")).to_pylist()
        bounds = Bounds(process_ids=frozenset(map(UUID, ids)))
        asked = Ask((self._id, *dict.fromkeys(names)), bounds)
        table = pa.Table.from_batches(list(snapshot.read(select(SOURCES[kind], asked, snapshot.visible, 0).text)))
        self._columns = dict(zip(asked.columns, table.columns, strict=True))

    def column(self, name: str, part: pa.RecordBatch) -> pa.Array:
        """Of the rows' processes or streams; null where it is not known."""
        places = pc.index_in(part.column(self._id), self._columns[self._id].combine_chunks())
        taken = self._columns[name].take(places)
        return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken


def _own(name: str) -> Make:
    return lambda part: part.column(name)


def _payload(part: pa.RecordBatch) -> pa.Array:
    """A stream's part of its block's stored bytes, by its events, rounded so that the parts add up."""
    stored, events = part.column("stored_size"), part.column("events")
    before = part.column("before")
    whole = pc.max_element_wise(events, 1)
    upto = pc.divide(pc.multiply(stored, pc.add(before, part.column("stream_events"))), whole)
    share = pc.subtract(upto, pc.divide(pc.multiply(stored, before), whole))
    return pc.if_else(pc.greater(events, 0), share, _of_first(part, stored))


def _of_first(part: pa.RecordBatch, values: pa.Array) -> pa.Array:
    """The values in the row of a block's first stream, 0 in the others."""
    return pc.if_else(pc.equal(part.column("position"), 0), values, pa.scalar(0, pa.int64()))


_MADE: Final[dict[str, Make]] = {
    "block_id": _own("block_id"),
    "stream_id": _own("stream_id"),
    "process_id": _own("process_id"),
    "begin_time": _own("stream_begin_time"),
    "end_time": _own("stream_end_time"),
    "begin_ticks": _own("stream_begin_ticks"),
    "end_ticks": _own("stream_end_ticks"),
    "nb_objects": _own("stream_events"),
    "object_offset": _own("first"),
    "payload_size": _payload,
    "dropped": lambda part: _of_first(part, part.column("dropped")),
}
