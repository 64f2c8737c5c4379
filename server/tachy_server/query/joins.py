"""Joins of events with few rows, of metadata or of other events, whichever way they are written.

DataFusion builds a join from its left side unless it knows how many rows there are, and of our tables it knows nothing.
So metadata that a plan joins with events are read first and become tables in memory, which it counts: it builds from
them. And the ids that they leave open are a bound of the events' blocks: what no row could be joined with is not
decoded. The same is done with events of which there are few, as PostgreSQL counts them, where they are joined with
another view's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Final

import pyarrow as pa
from datafusion import Expr, SessionContext, col, functions

from tachy_server.lake.snapshot import Snapshot
from tachy_server.query import planned_scans
from tachy_server.query.plans import nodes, table_name, variant_of
from tachy_server.views import predicates
from tachy_server.views.bounds import ALL, Bounds, TimeColumns, read
from tachy_server.views.declarations import Kind, View
from tachy_server.views.predicates import Call, columns_of
from tachy_server.views.scans import PlannedScan, Scans
from tachy_server.views.sources import Ask
from tachy_server.views.tables import Session, select_blocks

_ASKED: Final = {"LeftSemi": 1, "LeftAnti": 1, "LeftMark": 1, "RightSemi": 0, "RightAnti": 0, "RightMark": 0}
"""Of which input of a join it is only asked whether it has a row."""
MOST_EVENTS: Final = 1_000_000
"""In the blocks of events that are few; decoding so many takes a tenth of a second."""
MOST_BYTES: Final = 64 << 20
"""Of a table in memory; DataFusion builds from one side of a join up to this much (`settings`)."""
SETTINGS: Final = {
    "datafusion.optimizer.hash_join_single_partition_threshold": str(MOST_BYTES),
    "datafusion.optimizer.hash_join_single_partition_threshold_rows": "1000000",
}


@dataclass(frozen=True, slots=True)
class MemoryTable:
    """Rows of a metadata view, with the columns that a query needs; the others are null. `narrowed`: not all rows;
    `exact`: those that its only scan lets through.
    """

    batches: Sequence[pa.RecordBatch]
    columns: frozenset[str]
    narrowed: bool
    exact: bool = False


@dataclass(frozen=True, slots=True)
class _Scan:
    """A scan in a plan, and the node above it; of rows that are equal in the columns `distinct` one will do."""

    scan: Any
    above: Any
    distinct: Sequence[str] = ()


def memory_tables(session: Session, context: SessionContext, plan: Any, scans: Scans) -> dict[str, MemoryTable]:
    """The views that a plan joins with events, where they are small. Inside session.one_moment()."""
    wanted = _joined(plan, session.views) - scans.unseen
    sets = dict(_sets(plan))
    found: dict[str, MemoryTable | None] = {}
    with session.moment() as snapshot:
        few = _few_events(session, snapshot, plan, scans)
        for name in sorted(wanted):
            of_view = [scan for scan in scans.planned if scan.table == name]
            if name in sets and len(of_view) == 1:
                few[name] = sets[name]
            else:
                found[name] = _read(session, snapshot, session.views[name], of_view)
        for name, node in few.items():
            found[name] = _read_one(session, context, session.views[name], sets.get(name, node))
    return {name: table for name, table in found.items() if table is not None}


def fits(tables: Mapping[str, MemoryTable], scans: Scans) -> bool:
    """Whether a plan over the tables needs no column that they do not have."""
    return all(set(scan.columns) <= tables[scan.table].columns for scan in scans.planned if scan.table in tables)


def _joined(plan: Any, views: Mapping[str, View]) -> set[str]:
    """Metadata views under a join that events are under, too."""
    found: set[str] = set()
    for node in nodes(plan):
        if type(variant_of(node)).__name__ == "Join":
            kinds: dict[str, Kind] = {}
            for below in nodes(node):
                scan = variant_of(below)
                if type(scan).__name__ == "TableScan":
                    view = views.get(table_name(scan))  # None: a table function's, of events or few rows
                    kinds[table_name(scan)] = Kind.LAZY if view is None else view.kind
            if any(kind is not Kind.METADATA for kind in kinds.values()):
                found |= {name for name, kind in kinds.items() if kind is Kind.METADATA}
    return found


def _read(session: Session, snapshot: Snapshot, view: View, scans: Sequence[PlannedScan]) -> MemoryTable | None:
    """What all scans of the view need together; None where that is too much."""
    needed = {name for scan in scans for name in scan.columns}
    filters = [scan.filter for scan in scans if scan.filter is not None]
    for node in filters:
        needed |= columns_of(node) or set(view.schema.names)
    columns = tuple(name for name in view.schema.names if name in needed)
    bounds = reduce(Bounds.__or__, [scan.bounds for scan in scans])
    either = (
        reduce(lambda left, right: Call("or_kleene", (left, right)), filters) if len(filters) == len(scans) else None
    )
    ask = Ask(columns, bounds, either, begin=session.begin, end=session.end)
    if len(scans) == 1:
        ask = replace(ask, limit=scans[0].limit, order=scans[0].order)
    batches, size = [], 0
    for batch in session.metadata.rows(snapshot, view, ask)():
        session.check()
        batches.append(_widened(batch, view))
        size += batch.nbytes
        if size > MOST_BYTES:
            return None
    narrowed = (either, bounds, ask.limit, ask.begin, ask.end) != (None, ALL, None, None, None)
    return MemoryTable(batches, frozenset(columns), narrowed or snapshot.visible.condition is not None)


def _few_events(session: Session, snapshot: Snapshot, plan: Any, scans: Scans) -> dict[str, _Scan]:
    """Views of which one scan in the plan reads few events, to be joined with those of another: the scan, and the node
    above it.
    """
    found: dict[str, _Scan] = {}
    for join in nodes(plan):
        if type(variant_of(join)).__name__ != "Join":
            continue
        sides = [dict(_event_scans(child, session.views)) for child in join.inputs()]
        if not all(sides) or sides[0].keys() & sides[1].keys():
            continue
        for name, node in (sides[0] | sides[1]).items():
            of_view = [scan for scan in scans.planned if scan.table == name]
            if name in found or name in scans.unseen or len(of_view) != 1:
                continue
            view, bounds = session.views[name], of_view[0].bounds & session.range
            bounds &= read(of_view[0].filter, TimeColumns(view.time[0], view.time[-1]))
            blocks, _ = select_blocks(session, snapshot, view, bounds)
            if blocks.events <= MOST_EVENTS:
                found[name] = node
    return found


def _event_scans(node: Any, views: Mapping[str, View], above: Any = None) -> Iterator[tuple[str, _Scan]]:
    """The scans below a node of views whose rows are those of their blocks."""
    variant = variant_of(node)
    if type(variant).__name__ == "TableScan" and (name := variant.table_name()) in views and views[name].rows:
        yield name, _Scan(variant, above)
    for child in node.inputs():
        yield from _event_scans(child, views, variant)


def _sets(node: Any, above: Any = None, asked: Sequence[str] | None = None) -> Iterator[tuple[str, _Scan]]:
    """The scans of which a semi or anti join asks only whether there is a row, and the columns in which rows differ for
    it. DataFusion pairs every row with all that are equal to it before it knows, so there had better be one.
    """
    variant = variant_of(node)
    kind = type(variant).__name__
    if kind == "TableScan" and asked is not None:
        columns = [name for _, name in variant.projection()]
        yield variant.table_name(), _Scan(variant, above, [name for name in columns if name in asked] or columns)
    elif kind == "Join":
        only = _ASKED.get(str(variant.join_type()).rpartition(".")[2])
        for number, child in enumerate(node.inputs()):
            yield from _sets(child, variant, () if number == only else None)
    elif kind == "Projection" and asked == ():
        plain = [entry.to_variant().name() for entry in variant.projections() if entry.variant_name() == "Column"]
        yield from _sets(node.inputs()[0], variant, plain if len(plain) == len(variant.projections()) else ())
    else:
        for child in node.inputs():  # of filters only the one right above a scan is known to whoever reads it
            of_scan = type(variant_of(child)).__name__ == "TableScan"
            same = kind == "SubqueryAlias" or (kind == "Filter" and of_scan)
            yield from _sets(child, variant, asked if same else None)


def _read_one(session: Session, context: SessionContext, view: View, node: _Scan) -> MemoryTable | None:
    """The rows of the only scan of a view, by a query of their own; None where that is too much."""
    scan, above = node.scan, node.above
    conditions = [*scan.filters(), *([above.predicate()] if type(above).__name__ == "Filter" else [])]
    needed = {name for _, name in scan.projection()}
    for condition in conditions:
        needed |= columns_of(predicates.from_plan(condition)) or set(view.schema.names)
    columns = [name for name in view.schema.names if name in needed]
    frame = context.table(view.name)
    for condition in conditions:
        frame = frame.filter(Expr(condition))
    if node.distinct:
        others = [functions.first_value(_column(name)).alias(name) for name in columns if name not in node.distinct]
        frame = frame.aggregate([_column(name) for name in node.distinct], others)
    frame = frame.select(*map(_column, columns)) if columns else frame
    plan = frame.optimized_logical_plan()
    session.scans = planned_scans.scans(plan, session.views)
    batches, size = [], 0
    for batch in context.create_dataframe_from_logical_plan(plan).execute_stream():
        session.check()
        batches.append(_widened(batch.to_pyarrow(), view))
        size += batches[-1].nbytes
        if size > MOST_BYTES:
            return None
    rows = batches or [pa.RecordBatch.from_pylist([], view.schema)]
    return MemoryTable(rows, frozenset(columns), narrowed=True, exact=True)


def _column(name: str) -> Expr:
    return col(f'"{name}"')


def _widened(batch: pa.RecordBatch, view: View) -> pa.RecordBatch:
    """With all columns of the view."""
    names = set(batch.schema.names)
    arrays = [
        batch.column(entry.name) if entry.name in names else pa.nulls(batch.num_rows, entry.type)
        for entry in view.schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=view.schema)
