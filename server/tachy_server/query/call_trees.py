"""`call_tree` and `span_self_time`: where the time of a process's threads went, added up natively."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

import pyarrow as pa

from tachy_server.formats.calls import SCHEMA, CallTree
from tachy_server.lake.block_errors import reading
from tachy_server.views.bounds import Bounds
from tachy_server.views.declarations import THREAD_SPANS
from tachy_server.views.decode import open_block
from tachy_server.views.tables import Scan, Session, Table, batch_table, select_blocks

TREE: Final = pa.schema([entry for entry in SCHEMA if entry.name != "outermost"])
SELF_TIME: Final = pa.schema([SCHEMA.field(name) for name in ("name", "calls", "total", "self", "longest")])


def tree(session: Session, process_id: UUID, begin: int | None, end: int | None, thread: str | None) -> Table:
    """One row for each path of names."""
    return batch_table(
        session, "call_tree", TREE, lambda _: iter([_read(session, process_id, begin, end, thread).select(TREE.names)])
    )


def self_time(session: Session, process_id: UUID, begin: int | None, end: int | None, thread: str | None) -> Table:
    """One row for each name; what a name encloses of its own counts once in its total."""

    def rows(scan: Scan) -> Iterator[pa.RecordBatch]:
        nodes = pa.Table.from_batches([_read(session, process_id, begin, end, thread)])
        sums = nodes.group_by("name").aggregate(
            [("calls", "sum"), ("outermost", "sum"), ("self", "sum"), ("longest", "max")]
        )
        columns = [sums.column(name) for name in ("name", "calls_sum", "outermost_sum", "self_sum", "longest_max")]
        yield from pa.table(columns, schema=SELF_TIME).combine_chunks().to_batches()

    return batch_table(session, "span_self_time", SELF_TIME, rows)


def _read(session: Session, process_id: UUID, begin: int | None, end: int | None, thread: str | None) -> pa.RecordBatch:
    bounds = Bounds(begin=begin, end=end, process_ids=frozenset([process_id])) & session.range
    calls = CallTree(bounds.begin, bounds.end, thread)
    with session.moment() as snapshot:
        blocks, _ = select_blocks(session, snapshot, THREAD_SPANS, bounds)
    blocks.sort(key=lambda row: row.sequence, reverse=True)
    for row, data in session.lake.read_blocks(blocks):
        session.check()
        session.blocks_read += 1
        with reading(session.lake, row):
            _, head, body = open_block(row, data, session.lake.limits)
            calls.add(head, body)
    return calls.batch()
