"""`call_tree` and `span_self_time`: where the time of a process's threads went, added up natively."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple
from uuid import UUID

import pyarrow as pa

from tachy_server.formats.calls import SCHEMA, CallTree
from tachy_server.lake.blocks import Blocks
from tachy_server.views.bounds import Bounds
from tachy_server.views.declarations import THREAD_SPANS
from tachy_server.views.decode import opened
from tachy_server.views.tables import Part, Scan, Session, Table, project, select_blocks

TREE: Final = pa.schema([entry for entry in SCHEMA if entry.name != "outermost"])
SELF_TIME: Final = pa.schema([SCHEMA.field(name) for name in ("name", "calls", "total", "self", "longest")])


class Window(NamedTuple):
    """Whose time, and when; `thread` None: of all threads."""

    process_id: UUID
    begin: int | None
    end: int | None
    thread: str | None


def tree(session: Session, window: Window) -> Table:
    """One row for each path of names."""
    return _table(session, "call_tree", TREE, window, lambda nodes: nodes)


def self_time(session: Session, window: Window) -> Table:
    """One row for each name; what a name encloses of its own counts once in its total."""
    return _table(session, "span_self_time", SELF_TIME, window, _by_name)


def _table(
    session: Session, name: str, schema: pa.Schema, window: Window, made: Callable[[pa.Table], pa.Table]
) -> Table:
    """What is made of a call tree's nodes; its blocks are selected with those of the query's other scans."""

    def rows(scan: Scan) -> Iterator[Part]:
        bounds = Bounds(begin=window.begin, end=window.end, process_ids=frozenset([window.process_id])) & session.range
        with session.moment() as snapshot:
            blocks, _ = select_blocks(session, snapshot, THREAD_SPANS, bounds)

        def batches() -> Iterator[pa.RecordBatch]:
            nodes = pa.Table.from_batches(
                [_nodes(session, blocks[::-1], CallTree(bounds.begin, bounds.end, window.thread))]
            )
            for batch in made(nodes).select(schema.names).cast(schema).combine_chunks().to_batches():
                yield project(batch, scan)

        yield batches

    return Table(session, name, schema, rows)


def _by_name(nodes: pa.Table) -> pa.Table:
    sums = nodes.group_by("name").aggregate(
        [("calls", "sum"), ("outermost", "sum"), ("self", "sum"), ("longest", "max")]
    )
    columns = [sums.column(name) for name in ("name", "calls_sum", "outermost_sum", "self_sum", "longest_max")]
    return pa.table(columns, names=SELF_TIME.names)


def _nodes(session: Session, blocks: Blocks, calls: CallTree) -> pa.RecordBatch:
    for some, stored in opened(session.lake, blocks):
        session.check()
        session.blocks_read += len(some)
        calls.add(stored)
    return calls.batch()
