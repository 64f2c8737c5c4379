"""Views whose rows are made of another view's rows, a process at a time, when somebody asks.

A derivation says which blocks are read (those of `source`, whose columns it names), and makes of them, batch by batch
and in the order of the blocks, the view's rows. What a query's predicates say of times, processes and streams selects
the blocks, as it does for any view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.lake.blocks import Blocks
from tachy_server.lake.snapshot import Snapshot
from tachy_server.views.bounds import ALL, Bounds
from tachy_server.views.declarations import TIME, View
from tachy_server.views.decode import Wanted
from tachy_server.views.sources import NOBODY, Metadata, ProcessInfo
from tachy_server.views.tables import Part, Scan, Session, Table, decoded, project, select_blocks


@dataclass(frozen=True, slots=True)
class Piece:
    """A batch of the source, and the process that it is of."""

    process_id: UUID
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
    wanted = Wanted(wider.begin, wider.end, wider.stream_ids, open_ends)
    ids = blocks.columns.column("process_id")

    def part(of_process: Blocks) -> Part:
        def batches() -> Iterator[pa.RecordBatch]:
            (process_id,) = of_process.process_ids
            process = processes.get(process_id, NOBODY)
            rows = decoded(session, derivation.source, of_process, wanted, derivation.columns, processes)
            pieces = (Piece(process_id, process, batch) for batch in rows)
            for batch in derivation.make(pieces):
                yield project(_within(batch, derivation.view, bounds), scan)

        return batches

    for of_process in blocks.split(pc.not_equal(ids[1:], ids[:-1])):
        yield part(of_process)


def _within(batch: pa.RecordBatch, view: View, bounds: Bounds) -> pa.RecordBatch:
    """What of a batch is within the bounds' times."""
    if bounds.begin is not None:
        batch = batch.filter(pc.greater_equal(batch.column(view.time[-1]), pa.scalar(bounds.begin, TIME)))
    if bounds.end is not None:
        batch = batch.filter(pc.less_equal(batch.column(view.time[0]), pa.scalar(bounds.end, TIME)))
    return batch
