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
from tachy_server.formats.block_index import select, texts_of_ids
from tachy_server.formats.reader import LOG, METRIC, SPAN
from tachy_server.lake import keep_rules
from tachy_server.lake.database import start_of
from tachy_server.lake.snapshot import Snapshot
from tachy_server.lake.visible import EVERYTHING
from tachy_server.views.sources import Ask

_NAMES: Final = {LOG: "log", METRIC: "metric", SPAN: "span"}
_SEGMENTS: Final = """
SELECT size, block_index, keep IS NOT NULL FROM segments WHERE insert_day = %s ORDER BY insert_time, key
"""
_POSTGRES: Final = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint, (now() AT TIME ZONE 'UTC')::date
FROM pg_class WHERE relkind = 'r' AND (relnamespace = 'ducklake'::regnamespace
    OR relnamespace = current_schema()::regnamespace
        AND relname ~ '^(processes|streams|segments|batches|block_counts|block_days)(_2[0-9]*)?$')
"""
"""Of the tables that grow with the lake, their days' partitions and the catalog's included."""
_FILES: Final = """
SELECT t.table_name, split_part(f.path, '/', 3)::date, count(*)::bigint, sum(f.record_count)::bigint,
    sum(f.file_size_bytes)::bigint
FROM ducklake.ducklake_data_file AS f JOIN ducklake.ducklake_table AS t USING (table_id) GROUP BY 1, 2 ORDER BY 1, 2
"""
_PROPERTIES: Final = "SELECT process_id::text, properties::text FROM processes WHERE process_id = ANY(%s::uuid[])"
_SUMS: Final = [("events", "sum"), ("sequence", "count"), ("size", "sum"), ("raw_size", "sum"), ("share", "sum")]
_COLUMNS: Final = (
    ("process_id", pa.utf8()),
    ("class", pa.utf8()),
    ("rule", pa.utf8()),
    ("events", pa.int64()),
    ("blocks", pa.int64()),
    ("bytes", pa.int64()),
    ("raw_bytes", pa.int64()),
    ("objects", pa.float64()),
    ("view_name", pa.utf8()),
    ("files", pa.int64()),
    ("rows", pa.int64()),
)


def rows(snapshot: Snapshot, ask: Ask, prices: Prices) -> Iterator[pa.RecordBatch]:
    """A batch for each day that blocks came on, with the columns that are asked for; one for the files of each view and
    day, and one for PostgreSQL.
    """
    wanted = _visible(snapshot, ask)
    for day in sorted(snapshot.days(process_ids=wanted)):
        made = _of_day(snapshot, day, wanted)
        if made.num_rows:
            if "process_properties" in ask.columns:
                made = made.append_column("process_properties", _properties(snapshot, made.column("process_id")))
            yield _finished(made, day, prices.gigabyte_month, ask)
    if wanted is None:
        for view, day, files, count, size in snapshot.select(_FILES):
            made = _of_none("files", size, float(files), view_name=view, files=files, rows=count)
            yield _finished(made, day, prices.gigabyte_month, ask)
        ((size, today),) = snapshot.select(_POSTGRES)
        yield _finished(_of_none("postgresql", size, 0.0), today, prices.postgres_gigabyte_month, ask)


def _of_day(snapshot: Snapshot, day: datetime.date, wanted: list[UUID] | None) -> pa.RecordBatch:
    """Sums by process, class and rule; and, where all of them are seen, what their objects hold besides blocks."""
    found = snapshot.select(_SEGMENTS, [day], binary=True)
    sizes, kept = pa.array([size for size, *_ in found], pa.int64()), pa.array([keep for *_, keep in found], pa.bool_())
    blocks = select([index for _, index, _ in found], process_ids=wanted)
    shares = pc.divide(blocks.column("size").cast(pa.float64()), sizes.take(blocks.column("segment")))
    blocks = blocks.append_column("share", shares)
    rules = _rules(snapshot, blocks, kept.take(blocks.column("segment")), named=wanted is None)
    table = pa.Table.from_batches([blocks.append_column("rule", rules)])
    sums = table.group_by(["process_id", "class", "rule"]).aggregate(_SUMS).combine_chunks()
    ids = _array(sums["process_id"]).dictionary_encode()
    names = texts_of_ids(ids.dictionary)
    classes = pa.array([_NAMES.get(number) for number in range(SPAN + 1)], pa.utf8())
    made = {"process_id": names.take(ids.indices), "class": classes.take(_array(sums["class"])), "rule": sums["rule"]}
    made |= {
        column: sums[f"{name}_{how}"]
        for (name, how), column in zip(_SUMS, ("events", "blocks", "bytes", "raw_bytes", "objects"), strict=True)
    }
    batch = _batch({name: _array(column) for name, column in made.items()}, sums.num_rows)
    if wanted is not None or not found:
        return batch
    rest = pc.sum(sizes).as_py() - (pc.sum(batch["bytes"]).as_py() or 0)
    objects = len(found) - (pc.sum(batch["objects"]).as_py() or 0.0)
    return pa.concat_batches([batch, _of_none("other", rest, objects)])


def _rules(snapshot: Snapshot, blocks: pa.RecordBatch, kept: pa.Array, *, named: bool) -> pa.Array:
    """Of each block the rules, by name, for which it is `kept`: none where that is for its class's life, or where they
    are gone by now, or are not to be `named`.
    """
    none = pc.if_else(kept, "", pa.scalar(None, pa.utf8()))
    if not named or not pc.any(kept).as_py():
        return none
    times = pa.table({name: blocks.column(name) for name in ("process_id", "begin_time", "end_time")})
    times = times.append_column("at", pa.array(range(len(blocks)), pa.int64())).filter(kept)
    ids = pc.unique(times["process_id"]).to_pylist()
    said = keep_rules.said(snapshot.select, [UUID(bytes=one) for one in ids])
    pairs = keep_rules.overlapping(times, said).group_by(["at", "rule"]).aggregate([])
    names = pairs.sort_by("rule").group_by("at", use_threads=False).aggregate([("rule", "list")])
    at = pc.index_in(pa.array(range(len(blocks)), pa.int64()), names["at"])
    return pc.coalesce(_array(pc.binary_join(names["rule_list"], ", ")).take(at), none)


def _properties(snapshot: Snapshot, ids: pa.Array) -> pa.Array:
    known = dict(snapshot.select(_PROPERTIES, [ids.drop_null().unique().to_pylist()]))
    return pa.array([known.get(one) for one in ids.to_pylist()], pa.utf8())


def _of_none(cls: str, size: int, objects: float, **others: object) -> pa.RecordBatch:
    """One row that is no process's."""
    values = {"class": cls, "events": 0, "blocks": 0, "bytes": size, "raw_bytes": size, "objects": objects, **others}
    return _batch({name: pa.array([values[name]], kind) for name, kind in _COLUMNS if name in values}, 1)


def _batch(columns: dict[str, pa.Array], length: int) -> pa.RecordBatch:
    """With all columns; what lies in files is 0 where nothing else is said, and the rest NULL."""
    arrays = [
        columns[name] if name in columns
        else pa.repeat(pa.scalar(0 if kind == pa.int64() else None, kind), length)
        for name, kind in _COLUMNS
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(arrays, [name for name, _ in _COLUMNS])


def _array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _finished(made: pa.RecordBatch, day: datetime.date, gigabyte_month: float, ask: Ask) -> pa.RecordBatch:
    """With its day and cost, as PostgreSQL would have them; see metadata_rows."""
    cost = pc.multiply(made.column("bytes").cast(pa.float64()), gigabyte_month / 1e9)
    days = pa.repeat(start_of(day), made.num_rows)
    made = made.append_column("cost", cost).append_column("day", days)
    if "process_properties" not in made.schema.names:
        made = made.append_column("process_properties", pa.nulls(made.num_rows, pa.utf8()))
    return made.select(list(ask.columns))


def _visible(snapshot: Snapshot, ask: Ask) -> list[UUID] | None:
    """The processes that are asked for and may be seen; None: all, and what is of none."""
    if snapshot.visible == EVERYTHING:
        return None if ask.bounds.process_ids is None else list(ask.bounds.process_ids)
    conditions = [one.replace("%", "%%") for one in snapshot.visible.conditions("process_id")]
    query = f"SELECT process_id FROM processes WHERE {' AND '.join(conditions)}"
    seen = [row[0] for row in snapshot.select(query, [])]
    return seen if ask.bounds.process_ids is None else [one for one in seen if one in ask.bounds.process_ids]
