"""`utilization`: how much of each bin of time a process's threads spent in spans.

Blocks are read by their earliest spans, and a bin's rows leave as soon as all blocks that come later begin behind it:
what is held is the outermost spans that reach beyond that, and a million rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.formats.rows import ROWS
from tachy_server.lake.blocks import Blocks
from tachy_server.views.bounds import Bounds, TimeColumns, read
from tachy_server.views.declarations import TEXT, THREAD_SPANS, TIME
from tachy_server.views.decode import Wanted
from tachy_server.views.tables import Part, Scan, Session, Table, decoded, parts_of, project, select_blocks

SCHEMA: Final = pa.schema(
    [
        pa.field("time_bin", TIME),
        pa.field("stream_id", TEXT),
        pa.field("thread_name", TEXT),
        pa.field("busy", pa.int64()),
        pa.field("utilization", pa.float64()),
    ]
)
_THREAD: Final = ["stream_id", "thread_name"]
_READ: Final = [*_THREAD, "depth", "begin", "end"]
_SPANS: Final = pa.schema(
    [SCHEMA.field("stream_id"), SCHEMA.field("thread_name"), pa.field("begin", pa.int64()), pa.field("end", pa.int64())]
)
_NONE: Final = pa.RecordBatch.from_pylist([], _SPANS)
_MOST_ROWS: Final = 1 << 20
_LATEST: Final = (1 << 63) - 2
_TIMES: Final = TimeColumns("time_bin", "time_bin")


@dataclass(frozen=True, slots=True)
class _Bins:
    """Bins of so many nanoseconds, counted from the epoch; which of them are wanted (None: from, or to, any)."""

    width: int
    first: int | None
    last: int | None

    @property
    def bounds(self) -> Bounds:
        """The spans that are in them."""
        return Bounds(
            begin=None if self.first is None else self.first * self.width,
            end=None if self.last is None else min((self.last + 1) * self.width - 1, _LATEST),
        )


def table(session: Session, process_id: UUID, width: int) -> Table:
    """A row for each thread and each bin of `width` nanoseconds in which it spent time in spans."""

    def rows(scan: Scan) -> Iterator[Part]:
        within = read(scan.planned.filter, _TIMES) & session.range
        bins = _Bins(width, *(None if time is None else time // width for time in (within.begin, within.end)))
        bounds = bins.bounds & Bounds(process_ids=frozenset([process_id]))
        with session.moment() as snapshot:
            blocks, open_ends = select_blocks(session, snapshot, THREAD_SPANS, bounds, "utilization")
        wanted = Wanted(bounds.begin, bounds.end, None, open_ends)
        yield lambda: (project(batch, scan) for batch in _rows(session, blocks, wanted, bins))

    return Table(session, "utilization", SCHEMA, rows)


def _rows(session: Session, blocks: Blocks, wanted: Wanted, bins: _Bins) -> Iterator[pa.RecordBatch]:
    spans = _NONE
    parts = parts_of(_by_begin(blocks, wanted))
    for part, following in itertools.zip_longest(parts, parts[1:]):
        found = [_outermost(batch, bins) for batch in decoded(session, THREAD_SPANS, part, wanted, _READ, {})]
        spans = _one(pa.Table.from_batches([spans, *found]))
        behind = None if following is None else following[0].begin_time // bins.width
        while spans.num_rows:
            session.check()
            low = pc.min(spans.column("begin")).as_py() // bins.width
            if behind is not None and low >= behind:
                break
            high = low + max(1, _MOST_ROWS // len(spans.column("stream_id").dictionary))
            edge = pa.scalar(min((high if behind is None else min(high, behind)) * bins.width, _LATEST))
            yield from _sums(_until(spans, edge), bins.width)
            spans = _from(spans, edge)


def _by_begin(blocks: Blocks, wanted: Wanted) -> Blocks:
    """By their earliest spans. Those at whose end spans are open, of which an index does not know the begin, come
    first.
    """
    ids = pa.array([one.bytes for one in wanted.open_ends], pa.binary(16))
    closed = pc.invert(pc.is_in(blocks.columns.column("block_id"), ids))
    keys = pa.table([closed.cast(pa.int8()), blocks.columns.column("begin_time")], names=["closed", "begin"])
    return blocks.take(pc.sort_indices(keys, [("closed", "ascending"), ("begin", "ascending")]))


def _outermost(batch: pa.RecordBatch, bins: _Bins) -> pa.RecordBatch:
    """The spans that no others are around, cut to the bins."""
    spans = batch.filter(pc.equal(batch.column("depth"), 0))
    begin, end = (spans.column(name).cast(pa.int64()) for name in ("begin", "end"))
    if bins.bounds.begin is not None:
        begin = pc.max_element_wise(begin, bins.bounds.begin)
    if bins.bounds.end is not None:
        end = pc.min_element_wise(end, bins.bounds.end + 1)
    threads = [spans.column(name) for name in _THREAD]
    cut = pa.RecordBatch.from_arrays([*threads, begin, end], schema=_SPANS)
    return cut.filter(pc.less(begin, end))


def _one(spans: pa.Table) -> pa.RecordBatch:
    return spans.unify_dictionaries().combine_chunks().to_batches()[0] if spans.num_rows else _NONE


def _until(spans: pa.RecordBatch, edge: pa.Scalar) -> pa.RecordBatch:
    """What of the spans lies before the edge."""
    due = spans.filter(pc.less(spans.column("begin"), edge))
    return due.set_column(3, "end", pc.min_element_wise(due.column("end"), edge))


def _from(spans: pa.RecordBatch, edge: pa.Scalar) -> pa.RecordBatch:
    """What of the spans lies behind it."""
    rest = spans.filter(pc.greater(spans.column("end"), edge))
    return rest.set_column(2, "begin", pc.max_element_wise(rest.column("begin"), edge))


def _sums(spans: pa.RecordBatch, width: int) -> Iterator[pa.RecordBatch]:
    """Rows of the bins that they are in."""
    begin, end = spans.column("begin"), spans.column("end")
    first, last = pc.divide(begin, width), pc.divide(pc.subtract(end, 1), width)
    ends = pc.cumulative_sum(pc.add(pc.subtract(last, first), 1))
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
    count = ends[-1].as_py()
    span = pc.list_parent_indices(pa.LargeListArray.from_arrays(offsets, pa.nulls(count)))  # one for each of its bins
    bin_ = pc.add(pc.subtract(first, offsets[:-1]).take(span), pa.arange(0, count))
    start = pc.multiply(bin_, width)
    busy = pc.subtract(
        pc.min_element_wise(end.take(span), pc.add(start, width)), pc.max_element_wise(begin.take(span), start)
    )
    threads = [spans.column(name).take(span) for name in _THREAD]
    cells = pa.table([start, *threads, busy], names=SCHEMA.names[:4])
    sums = cells.group_by(SCHEMA.names[:3], use_threads=False).aggregate([("busy", "sum")])
    busy = sums.column("busy_sum")
    columns = [*(sums.column(name) for name in SCHEMA.names[:3]), busy, pc.divide(busy.cast(pa.float64()), width)]
    yield from pa.table(columns, names=SCHEMA.names).cast(SCHEMA).to_batches(max_chunksize=ROWS)
