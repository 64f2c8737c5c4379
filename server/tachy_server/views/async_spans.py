"""`process_spans`: a process's thread spans, and its asynchronous ones with begin and end paired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.formats import reader
from tachy_server.lake.block_errors import reading
from tachy_server.lake.blocks import BlockRow
from tachy_server.lake.lake import Stored
from tachy_server.views.bounds import Bounds, TimeColumns, read
from tachy_server.views.declarations import ASYNC_EVENTS, THREAD_SPANS, TIME
from tachy_server.views.decode import Wanted, constant, decode_block, lengthy, open_block
from tachy_server.views.tables import Part, Scan, Session, Table, block_parts, select_blocks

ASYNC: Final = "async"
_FIRST: Final = ("stream_id", "thread_name")
SCHEMA: Final = pa.schema(
    [THREAD_SPANS.schema.field(name) for name in _FIRST]
    + [entry for entry in THREAD_SPANS.schema if entry.name not in _FIRST]
)
_TIMES: Final = TimeColumns("begin", "end")
_EVENTS: Final = (
    "event_type",
    "time",
    "span_id",
    "parent_span_id",
    "depth",
    "hash",
    "name",
    "target",
    "filename",
    "line",
    "properties",
)
_VALUES: Final = pa.schema([pa.field("span_id", pa.int64()), pa.field("properties", pa.utf8())])
_SOURCES: Final = {"id": "span_id", "parent": "parent_span_id"}


def table(session: Session, process_id: UUID, types: str) -> Table:
    """Spans of a process; `types` is thread, async or both."""

    def rows(scan: Scan) -> Iterator[Part]:
        bounds = read(scan.planned.filter, _TIMES) & session.range & Bounds(process_ids=frozenset([process_id]))
        if bounds.nothing:
            return
        if types in ("thread", "both"):
            yield from block_parts(session, THREAD_SPANS, bounds, scan)
        if types in ("async", "both"):
            blocks = _blocks(session, process_id)
            yield lambda: _paired(session, process_id, blocks, scan)

    return Table(session, "process_spans", SCHEMA, rows)


def _blocks(session: Session, process_id: UUID) -> Sequence[BlockRow]:
    """An end may lie after any range that the span crosses, so all blocks from the range's begin on are read, and the
    one before, which knows what was open.
    """
    with session.moment() as snapshot:
        blocks, _ = select_blocks(session, snapshot, ASYNC_EVENTS, Bounds(process_ids=frozenset([process_id])))
        begin = session.begin
        before = None if begin is None else snapshot.block_before(ASYNC_EVENTS.cls, process_id, begin)
    if begin is None or before is None:
        return blocks
    return [row for row in blocks if row.sequence >= before.sequence or row.end_time >= begin]


def _paired(session: Session, process_id: UUID, blocks: Sequence[BlockRow], scan: Scan) -> Iterator[pa.RecordBatch]:
    """The asynchronous spans that overlap the client's range, in the order of their begins. A span that has not ended
    is open and ends, for now, with the newest block.
    """
    latest = 0  # of the blocks that can be read
    newest = None  # what was open at the start of the last of them, with its values at the end
    batches: list[pa.RecordBatch] = []
    opened = []
    expected = -1  # a block that follows no other has to say what is open
    for row, data in session.lake.read_blocks(blocks):
        session.check()
        session.blocks_read += 1
        with reading(session.lake, row):
            events = decode_block(ASYNC_EVENTS, row, data, Wanted(), _EVENTS, None, session.lake.limits, session.cache)
            newest = _open_at_start(row, data, session.lake.limits)
            if row.sequence != expected:
                opened.append(newest)
            batches.extend(events)
            expected = row.sequence + row.sequences
            latest = max(latest, row.end_time)
    if not batches:
        return
    known = [batch.filter(pc.equal(batch.column("event_type"), "begin")).column("span_id") for batch in batches]
    for batch in opened:
        missing = batch.filter(pc.invert(pc.is_in(batch.column("span_id"), pa.concat_arrays(known))))
        known.append(missing.column("span_id"))
        batches.append(missing)
    events = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    is_begin = pc.equal(events.column("event_type"), "begin")
    begins = events.filter(is_begin).sort_by("time")
    end_events = events.filter(pc.invert(is_begin))
    ends, is_open = _ends(begins, end_events, latest)
    begins = _with_values(begins, end_events, newest)
    keep = pc.scalar(True)
    spans = begins.append_column("end", ends).append_column("is_open", is_open)
    if session.begin is not None:
        keep &= pc.field("end") >= pa.scalar(session.begin, TIME)
    if session.end is not None:
        keep &= pc.field("time") <= pa.scalar(session.end, TIME)
    for batch in spans.filter(keep).combine_chunks().to_batches():
        yield _as_spans(batch, process_id).select(list(scan.needed)) if scan.needed else lengthy(batch.num_rows)


def _open_at_start(row: BlockRow, data: Stored, limits: reader.Limits) -> pa.RecordBatch:
    """The async spans that are open at the block's start, as begin events."""
    _, front, body = open_block(row, data, limits)
    raw = reader.read_open_async(front, body)
    made = {"event_type": constant("begin", len(raw)), "time": raw.column("begin")}
    types = [ASYNC_EVENTS.column(name).type for name in _EVENTS]
    arrays = [
        (made[name] if name in made else raw.column(name)).cast(kind) for name, kind in zip(_EVENTS, types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(_EVENTS))


def _ends(begins: pa.Table, ends: pa.Table, latest: int) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """When each begun span ended, or `latest`; and whether it had not."""
    places = pa.array(range(begins.num_rows), pa.int64())
    left = pa.table({"span_id": begins.column("span_id"), "place": places})
    right = pa.table({"span_id": ends.column("span_id"), "end": ends.column("time")})
    right = right.group_by("span_id").aggregate([("end", "max")])
    joined = left.join(right, "span_id", join_type="left outer").sort_by("place")
    found = joined.column("end_max")
    return pc.coalesce(found, pa.scalar(latest, TIME)), pc.is_null(found)


def _with_values(begins: pa.Table, ends: pa.Table, newest: pa.RecordBatch | None) -> pa.Table:
    """The spans with the values of their ends; of those that have none yet, as the newest block has them."""
    values = [ends.select(["span_id", "properties"])]
    if newest is not None:
        still = newest.filter(pc.invert(pc.is_in(newest.column("span_id"), ends.column("span_id").combine_chunks())))
        values.append(pa.Table.from_batches([still]).select(["span_id", "properties"]))
    known = pa.concat_tables([table.cast(_VALUES) for table in values])
    if not pc.any(pc.not_equal(known.column("properties"), "{}")).as_py():
        return begins
    known = known.group_by("span_id").aggregate([("properties", "max")])
    left = begins.select(["span_id"]).append_column("place", pa.array(range(begins.num_rows), pa.int64()))
    joined = left.join(known, "span_id", join_type="left outer").sort_by("place")
    own = begins.column("properties").cast(pa.utf8())
    shown = pc.coalesce(joined.column("properties_max"), own).combine_chunks().dictionary_encode()
    return begins.set_column(begins.schema.get_field_index("properties"), "properties", shown)


def _as_spans(batch: pa.RecordBatch, process_id: UUID) -> pa.RecordBatch:
    """Paired events with the columns of SCHEMA."""
    count = batch.num_rows
    begin, end = batch.column("time"), batch.column("end")
    made = {
        "stream_id": constant("", count),
        "thread_name": constant(ASYNC, count),
        "process_id": constant(str(process_id), count),
        "begin": begin,
        "duration": pc.subtract(end.cast(pa.int64()), begin.cast(pa.int64())),
    }
    arrays = [made[name] if name in made else batch.column(_SOURCES.get(name, name)) for name in SCHEMA.names]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
