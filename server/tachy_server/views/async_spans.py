"""`process_spans`: a process's thread spans, and its asynchronous ones with begin and end paired."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.formats.stored_blocks import StoredBlocks
from tachy_server.lake.blocks import Blocks
from tachy_server.views.bounds import Bounds, TimeColumns, read
from tachy_server.views.declarations import ASYNC_EVENTS, THREAD_SPANS, TIME
from tachy_server.views.decode import constant, lengthy, opened
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
_OPEN: Final = ("begin", *_EVENTS[2:])
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


def _blocks(session: Session, process_id: UUID) -> Blocks:
    """An end may lie after any range that the span crosses, so all blocks from the range's begin on are read, and the
    one before, which knows what was open.
    """
    with session.moment() as snapshot:
        blocks, _ = select_blocks(session, snapshot, ASYNC_EVENTS, Bounds(process_ids=frozenset([process_id])))
        begin = session.begin
        before = () if begin is None else snapshot.blocks_before(ASYNC_EVENTS.cls, process_id, begin)
    if not before:
        return blocks
    sequence, end = (blocks.columns.column(name) for name in ("sequence", "end_time"))
    return blocks.filter(pc.or_(pc.greater_equal(sequence, before[0].sequence), pc.greater_equal(end, begin)))


@dataclass(slots=True)
class _Events:
    """The events of a process's blocks, and what was open when they began; `newest`: at the start of the last of them,
    which ends at `latest`, with the values at its end.
    """

    events: list[pa.RecordBatch] = field(default_factory=list)
    opened: list[pa.RecordBatch] = field(default_factory=list)
    newest: pa.Table | None = None
    latest: int = 0
    expected: int = -1  # a block that follows no other has to say what is open

    def add(self, blocks: Blocks, stored: StoredBlocks) -> None:
        """Those of the blocks that can be read."""
        events = list(stored.rows(ASYNC_EVENTS.rows, [*_EVENTS, "block"]))
        begun = [_as_begins(batch) for batch in stored.rows("open_async", [*_OPEN, "block"])]
        failed = pa.array(stored.failed, pa.int32())
        places = pa.array(range(len(blocks)), pa.int32())
        rows = blocks.columns.append_column("place", places).filter(pc.invert(pc.is_in(places, failed)))
        if not rows.num_rows:
            return
        sequence, place = rows.column("sequence"), rows.column("place")
        following = pc.add(sequence, rows.column("sequences"))
        before = pa.concat_arrays([pa.array([self.expected], pa.int64()), following[:-1]])
        first = place.filter(pc.not_equal(sequence, before))
        self.expected = following[-1].as_py()
        self.latest = max(self.latest, pc.max(rows.column("end_time")).as_py())
        self.events += [_of(batch, pc.invert(pc.is_in(batch.column("block"), failed))) for batch in events]
        self.opened += [_of(batch, pc.is_in(batch.column("block"), first)) for batch in begun]
        last = [_of(batch, pc.equal(batch.column("block"), place[-1])) for batch in begun]
        self.newest = pa.Table.from_batches(last).unify_dictionaries()


def _of(batch: pa.RecordBatch, mask: pa.Array) -> pa.RecordBatch:
    rows = batch.filter(mask)
    return pa.RecordBatch.from_arrays([rows.column(name) for name in _EVENTS], names=list(_EVENTS))


def _as_begins(raw: pa.RecordBatch) -> pa.RecordBatch:
    """Async spans that are open at a block's start as begin events."""
    made = {"event_type": constant("begin", len(raw)), "time": raw.column("begin")}
    names = [*_EVENTS, "block"]
    return pa.RecordBatch.from_arrays([made[name] if name in made else raw.column(name) for name in names], names=names)


def _paired(session: Session, process_id: UUID, blocks: Blocks, scan: Scan) -> Iterator[pa.RecordBatch]:
    """The asynchronous spans that overlap the client's range, in the order of their begins. A span that has not ended
    is open and ends, for now, with the newest block.
    """
    found = _Events()
    for some, stored in opened(session.lake, blocks):
        session.check()
        session.blocks_read += len(some)
        found.add(some, stored)
    batches = found.events
    if not batches:
        return
    known = [batch.filter(pc.equal(batch.column("event_type"), "begin")).column("span_id") for batch in batches]
    for batch in found.opened:
        missing = batch.filter(pc.invert(pc.is_in(batch.column("span_id"), pa.concat_arrays(known))))
        known.append(missing.column("span_id"))
        batches.append(missing)
    events = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    is_begin = pc.equal(events.column("event_type"), "begin")
    begins = events.filter(is_begin).sort_by("time")
    end_events = events.filter(pc.invert(is_begin))
    ends, is_open = _ends(begins, end_events, found.latest)
    begins = _with_values(begins, end_events, found.newest)
    keep = pc.scalar(True)
    spans = begins.append_column("end", ends).append_column("is_open", is_open)
    if session.begin is not None:
        keep &= pc.field("end") >= pa.scalar(session.begin, TIME)
    if session.end is not None:
        keep &= pc.field("time") <= pa.scalar(session.end, TIME)
    for batch in spans.filter(keep).combine_chunks().to_batches():
        yield _as_spans(batch, process_id).select(list(scan.needed)) if scan.needed else lengthy(batch.num_rows)


def _ends(begins: pa.Table, ends: pa.Table, latest: int) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """When each begun span ended, or `latest`; and whether it had not."""
    places = pa.array(range(begins.num_rows), pa.int64())
    left = pa.table({"span_id": begins.column("span_id"), "place": places})
    right = pa.table({"span_id": ends.column("span_id"), "end": ends.column("time")})
    right = right.group_by("span_id").aggregate([("end", "max")])
    joined = left.join(right, "span_id", join_type="left outer").sort_by("place")
    found = joined.column("end_max")
    return pc.coalesce(found, pa.scalar(latest, TIME)), pc.is_null(found)


def _with_values(begins: pa.Table, ends: pa.Table, newest: pa.Table | None) -> pa.Table:
    """The spans with the values of their ends; of those that have none yet, as the newest block has them."""
    values = [ends.select(["span_id", "properties"])]
    if newest is not None:
        still = newest.filter(pc.invert(pc.is_in(newest.column("span_id"), ends.column("span_id").combine_chunks())))
        values.append(still.select(["span_id", "properties"]))
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
