"""The view `lake_usage`: what lies in the lake, and what that costs, by its segments' rows alone.

A day's block indexes are summed at a time, by native code and Arrow kernels.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.prices import Prices
from tachy_server.formats.block_index import select
from tachy_server.formats.reader import LOG, METRIC, SPAN
from tachy_server.lake.snapshot import Snapshot
from tachy_server.lake.visible import EVERYTHING
from tachy_server.views.sources import Ask

_DAY_NS: Final = 86_400 * 10**9
_EPOCH: Final = datetime.date(1970, 1, 1)
_NAMES: Final = {LOG: "log", METRIC: "metric", SPAN: "span"}
_SEGMENTS: Final = "SELECT size, block_index FROM segments WHERE insert_day = %s ORDER BY insert_time, key"
_POSTGRES: Final = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint, (extract(epoch FROM now())::bigint / 86400)
FROM pg_class WHERE relkind = 'r' AND (relnamespace = 'ducklake'::regnamespace
    OR relnamespace = current_schema()::regnamespace
        AND relname ~ '^(processes|streams|segments|batches|block_counts|block_days)(_2[0-9]*)?$')
"""
"""Of the tables that grow with the lake, their days' partitions and the catalog's included."""
_FILES: Final = "SELECT count(*), coalesce(sum(file_size_bytes), 0)::bigint FROM ducklake.ducklake_data_file"
_SUMS: Final = [("events", "sum"), ("sequence", "count"), ("size", "sum"), ("raw_size", "sum"), ("share", "sum")]
_COLUMNS: Final = ("process_id", "class", "events", "blocks", "bytes", "raw_bytes", "objects")


def rows(snapshot: Snapshot, ask: Ask, prices: Prices) -> Iterator[pa.RecordBatch]:
    """A batch for each day that blocks came on, with the columns that are asked for; one for the files of views, and
    one for PostgreSQL.
    """
    wanted = _visible(snapshot, ask)
    for day in sorted(snapshot.days(process_ids=wanted)):
        made = _of_day(snapshot, day, wanted)
        if made.num_rows:
            yield _finished(made, (day - _EPOCH).days, prices.gigabyte_month, ask)
    if wanted is None:
        ((size, today),) = snapshot.select(_POSTGRES)
        ((files, bytes_of_files),) = snapshot.select(_FILES)
        if files:
            made = _batch([None], ["files"], [0], [0], [bytes_of_files], [bytes_of_files], [float(files)])
            yield _finished(made, today, prices.gigabyte_month, ask)
        made = _batch([None], ["postgresql"], [0], [0], [size], [size], [0.0])
        yield _finished(made, today, prices.postgres_gigabyte_month, ask)


def _of_day(snapshot: Snapshot, day: datetime.date, wanted: list[UUID] | None) -> pa.RecordBatch:
    """Sums by process and class; and, where all of them are seen, what their objects hold besides blocks."""
    found = snapshot.select(_SEGMENTS, [day], binary=True)
    sizes = pa.array([size for size, _ in found], pa.int64())
    blocks = select([index for _, index in found], process_ids=wanted)
    shares = pc.divide(blocks.column("size").cast(pa.float64()), sizes.take(blocks.column("segment")))
    table = pa.Table.from_batches([blocks.append_column("share", shares)])
    sums = table.group_by(["process_id", "class"]).aggregate(_SUMS).combine_chunks()
    ids = sums["process_id"].combine_chunks().dictionary_encode()
    names = pa.array([str(UUID(bytes=one)) for one in ids.dictionary.to_pylist()], pa.utf8())
    columns = [names.take(ids.indices), sums["class"], *(sums[f"{name}_{how}"] for name, how in _SUMS)]
    columns = [column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column for column in columns]
    classes = pa.array([_NAMES.get(number) for number in range(SPAN + 1)], pa.utf8())
    columns[1] = classes.take(columns[1])
    if wanted is not None or not found:
        return pa.RecordBatch.from_arrays(columns, list(_COLUMNS))
    rest = (pc.sum(sizes).as_py() - (pc.sum(columns[4]).as_py() or 0), len(found) - (pc.sum(columns[6]).as_py() or 0.0))
    other = _batch([None], ["other"], [0], [0], [rest[0]], [rest[0]], [rest[1]])
    return pa.RecordBatch.from_arrays(
        [pa.concat_arrays([mine, more]) for mine, more in zip(columns, other.columns, strict=True)], list(_COLUMNS)
    )


def _batch(*columns: list[object]) -> pa.RecordBatch:
    types = (pa.utf8(), pa.utf8(), pa.int64(), pa.int64(), pa.int64(), pa.int64(), pa.float64())
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, list(_COLUMNS))


def _finished(made: pa.RecordBatch, day: int, gigabyte_month: float, ask: Ask) -> pa.RecordBatch:
    """With its day and cost, as PostgreSQL would have them; see metadata_rows."""
    cost = pc.multiply(made.column("bytes").cast(pa.float64()), gigabyte_month / 1e9)
    made = made.append_column("cost", cost).append_column("day", pa.repeat(day * _DAY_NS, made.num_rows))
    return made.select(list(ask.columns))


def _visible(snapshot: Snapshot, ask: Ask) -> list[UUID] | None:
    """The processes that are asked for and may be seen; None: all, and what is of none."""
    if snapshot.visible == EVERYTHING:
        return None if ask.bounds.process_ids is None else list(ask.bounds.process_ids)
    conditions = [one.replace("%", "%%") for one in snapshot.visible.conditions("process_id")]
    query = f"SELECT process_id FROM processes WHERE {' AND '.join(conditions)}"
    seen = [row[0] for row in snapshot.select(query, [])]
    return seen if ask.bounds.process_ids is None else [one for one in seen if one in ask.bounds.process_ids]
