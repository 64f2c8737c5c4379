"""Views whose rows are made of another view's rows, a process at a time, when somebody asks.

A derivation says which blocks are read (those of `source`, whose columns it names), and makes of them, batch by batch
and in the order of the blocks, the view's rows. What a query's predicates say of times, processes and streams selects
the blocks, as it does for any view.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.lake.block_errors import reading
from tachy_server.lake.blocks import BlockRow
from tachy_server.lake.snapshot import Snapshot
from tachy_server.views.bounds import ALL, Bounds
from tachy_server.views.declarations import TIME, View
from tachy_server.views.decode import Wanted, decode_block
from tachy_server.views.sources import NOBODY, Metadata, ProcessInfo
from tachy_server.views.tables import Part, Scan, Session, Table, project, select_blocks


@dataclass(frozen=True, slots=True)
class Piece:
    """A batch of the source, the block that it is from, and that block's process."""

    row: BlockRow
    process: ProcessInfo
    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a view is made: `make` gets the pieces of one process, and gives batches with all columns of the view.

    `narrow` turns the bounds of the view into those of the source; both are held to the view's own bounds afterwards.
    """

    view: View
    source: View
    columns: tuple[str, ...]
    make: Callable[[Iterator[Piece]], Iterator[pa.RecordBatch]]
    narrow: Callable[[Metadata, Snapshot, Bounds], Bounds]


def derived_table(session: Session, derivation: Derivation, scope: Bounds = ALL, name: str | None = None) -> Table:
    """The view as a table; as `tables.event_table`."""
    view = derivation.view

    def rows(scan: Scan) -> Iterator[Part]:
        return _parts(session, derivation, scan.bounds(view) & scope & session.range, scan)

    return Table(session, name or view.name, view.schema, rows)


def _parts(session: Session, derivation: Derivation, bounds: Bounds, scan: Scan) -> Iterator[Part]:
    if bounds.nothing:
        return
    with session.moment() as snapshot:
        wider = derivation.narrow(session.metadata, snapshot, bounds)
        if wider.nothing:
            return
        blocks, open_ends = select_blocks(session, snapshot, derivation.source, wider, derivation.view.name)
        processes = session.metadata.describe(snapshot, blocks.process_ids)
    wanted = Wanted(begin=wider.begin, end=wider.end, stream_ids=wider.stream_ids)

    def part(of_process: list[BlockRow]) -> Part:
        def batches() -> Iterator[pa.RecordBatch]:
            pieces = _pieces(session, derivation, of_process, processes, wanted, open_ends)
            for batch in derivation.make(pieces):
                batch = _within(batch, derivation.view, bounds)
                yield project(batch, scan)

        return batches

    for _, group in itertools.groupby(blocks, key=lambda row: row.process_id):
        yield part(list(group))


def _pieces(
    session: Session,
    derivation: Derivation,
    blocks: list[BlockRow],
    processes: dict[UUID, ProcessInfo],
    wanted: Wanted,
    open_ends: frozenset[UUID],
) -> Iterator[Piece]:
    for row, data in session.lake.read_blocks(blocks):
        session.check()
        session.blocks_read += 1
        process = processes.get(row.process_id, NOBODY)
        of_block = replace(wanted, open_end=row.block_id in open_ends)
        with reading(session.lake, row):
            source, columns, limits = derivation.source, derivation.columns, session.lake.limits
            for batch in decode_block(source, row, data, of_block, columns, process, limits, session.cache):
                session.check()
                yield Piece(row, process, batch)


def _within(batch: pa.RecordBatch, view: View, bounds: Bounds) -> pa.RecordBatch:
    """What of a batch is within the bounds' times."""
    if bounds.begin is not None:
        batch = batch.filter(pc.greater_equal(batch.column(view.time[-1]), pa.scalar(bounds.begin, TIME)))
    if bounds.end is not None:
        batch = batch.filter(pc.less_equal(batch.column(view.time[0]), pa.scalar(bounds.end, TIME)))
    return batch
