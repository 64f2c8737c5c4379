"""The scans of an optimized plan, and what the plan leaves open for each: filters above it, sorts, joins.

A join holds one side to the ids of the other. Where that is a few rows in memory, they are looked up, and are a bound
of the scans below.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
from datafusion import Expr, SessionConfig, SessionContext

from tachy_server.query.plans import nodes, table_name, variant_of
from tachy_server.views import predicates
from tachy_server.views.bounds import ALL, Bounds, TimeColumns, parse_uuid, read
from tachy_server.views.declarations import View
from tachy_server.views.predicates import Literal, Node
from tachy_server.views.scans import Order, PlannedScan, Scans

MOST_IDS: Final = 10_000
_SUBQUERIES: Final = "datafusion.optimizer.enable_physical_uncorrelated_scalar_subquery"
_TRUE: Final = Literal(pa.scalar(True))
_PASSING: Final = ("Filter", "Sort", "SubqueryAlias", "Repartition")
_SIMPLE: Final = (*_PASSING, "Projection", "Aggregate", "Limit", "TableScan")
"""Nodes that have no more rows than what is below them."""
_NARROWING: Final = ("Filter", "Limit")
# Of which types of joins a side's rows that no row of the other is joined with are nowhere in the result.
_HELD: Final = {
    "left": frozenset({"Inner", "LeftSemi", "RightSemi", "Right"}),
    "right": frozenset({"Inner", "LeftSemi", "RightSemi", "Left"}),
}
# And of which the rows of a side come out as they are, so that what holds for the result holds for that side.
_KEPT: Final = {
    "left": frozenset({"Inner", "Left", "LeftSemi", "LeftAnti"}),
    "right": frozenset({"Inner", "Right", "RightSemi", "RightAnti"}),
}
_IDS: Final[Mapping[str, Callable[[frozenset[UUID]], Bounds]]] = {
    "process_id": lambda ids: Bounds(process_ids=ids),
    "stream_id": lambda ids: Bounds(stream_ids=ids),
    "block_id": lambda ids: Bounds(block_ids=ids),
}

Lookup = Callable[[Any, Any], frozenset[UUID] | None]
"""The ids that a node's column has, None where they are not to be had; see `ids_in_memory`."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A column of a node, and the ids of it that are wanted. `relation` None: whichever has a column of that name."""

    relation: str | None
    name: str
    ids: frozenset[UUID]


def scans(plan: Any, views: Mapping[str, View], lookup: Lookup = lambda node, column: None) -> Scans:
    """The scans of an optimized plan.

    The bindings show no scalar subquery that stays an expression; a context that joins them instead does. What it does
    not join either is still in the plan's text.
    """
    text = plan.display_indent()
    unseen = Counter(name.rpartition(".")[2].removesuffix("()") for name in re.findall(r"\bTableScan: (\S+)", text))
    planned = list(_planned(plan, None, (), views, lookup))
    if "Subquery:" in text:
        joined = SessionContext(SessionConfig().set(_SUBQUERIES, "false")).create_dataframe_from_logical_plan(plan)
        planned += _in_subqueries(joined.optimized_logical_plan(), views, lookup)
    unseen.subtract(scan.table for scan in planned)
    return Scans(planned, (name for name, count in unseen.items() if count > 0))


def ids_in_memory(context: SessionContext, narrowed: Mapping[str, bool]) -> Lookup:
    """Looks into plans over tables in memory; `narrowed`: their names, and whether they have not all rows there are."""

    def lookup(node: Any, column: Any) -> frozenset[UUID] | None:
        below = [variant_of(each) for each in nodes(node)]
        kinds = {type(variant).__name__ for variant in below}
        names = {table_name(variant) for variant in below if type(variant).__name__ == "TableScan"}
        if not kinds <= set(_SIMPLE) or len(names) != 1 or not names <= narrowed.keys():
            return None
        if kinds.isdisjoint(_NARROWING) and not any(narrowed[name] for name in names):
            return None
        frame = context.create_dataframe_from_logical_plan(node).select(Expr(column)).distinct().limit(MOST_IDS + 1)
        texts = frame.to_arrow_table().column(0).to_pylist()
        ids = {parse_uuid(text) for text in texts}
        return None if len(texts) > MOST_IDS else frozenset(known for known in ids if known is not None)

    return lookup


def _planned(
    node: Any, above: Node | None, held: Sequence[_Held], views: Mapping[str, View], lookup: Lookup
) -> Iterator[PlannedScan]:
    """`above`: the filter right above the node, in its columns."""
    variant = variant_of(node)
    kind = type(variant).__name__
    if kind == "TableScan":
        yield _scan(variant, above, held, views)
        return
    first = _first_rows(variant, views) if kind == "Sort" else None
    if first is not None:
        yield first
        return
    if kind == "Join":
        for child, known in _sides(node, variant, held, lookup):
            yield from _planned(child, None, known, views, lookup)
        return
    for child in node.inputs():
        yield from _planned(child, _filter(kind, variant, above), _below(kind, variant, held), views, lookup)


def _in_subqueries(node: Any, views: Mapping[str, View], lookup: Lookup) -> Iterator[PlannedScan]:
    variant = variant_of(node)
    if type(variant).__name__ == "SubqueryAlias" and variant.alias().startswith("__scalar_sq_"):
        yield from _planned(node, None, (), views, lookup)
        return
    for child in node.inputs():
        yield from _in_subqueries(child, views, lookup)


def _filter(kind: str, variant: Any, above: Node | None) -> Node | None:
    """The filter right above a node's input: the node, or, where it only computes what the filter names, the filter."""
    if kind == "Filter":
        return predicates.from_plan(variant.predicate())
    if kind != "Projection" or above is None:
        return None
    computed = [entry.to_variant() for entry in variant.projections() if entry.variant_name() == "Alias"]
    return predicates.replaced(above, {alias.alias(): predicates.from_plan(alias.expr()) for alias in computed})


def _scan(scan: Any, above: Node | None, held: Sequence[_Held], views: Mapping[str, View]) -> PlannedScan:
    table = table_name(scan)
    parts = [node for node in map(predicates.from_plan, scan.filters()) if node != _TRUE]
    bounds, limit = ALL, scan.fetch()
    if above is not None:
        limit = None
        if table in views:
            time = views[table].time
            bounds = read(above, TimeColumns(time[0], time[-1]))
    for column in held:
        if column.name in _IDS:
            bounds &= _IDS[column.name](column.ids)
    columns = tuple(name for _, name in scan.projection())
    return PlannedScan(table, columns, predicates.all_of(parts), bounds, limit)


def _first_rows(sort: Any, views: Mapping[str, View]) -> PlannedScan | None:
    """The scan under a sort of which the first rows are wanted, where nothing between them changes rows or keys."""
    keys = [(entry.expr(), entry.ascending(), entry.nulls_first()) for entry in sort.sort_exprs()]
    if sort.get_fetch_val() is None or any(key.variant_name() != "Column" for key, _, _ in keys):
        return None
    names = [key.to_variant().name() for key, _, _ in keys]
    (below,) = sort.input()
    variant = variant_of(below)
    while type(variant).__name__ in ("Projection", "SubqueryAlias"):
        if type(variant).__name__ == "Projection":
            shown = {name: column.name() for name, column in map(_shown, variant.projections()) if column is not None}
            names = [shown.get(name, "") for name in names]
        (below,) = variant.input()
        variant = variant_of(below)
    if type(variant).__name__ != "TableScan" or variant.fetch() is not None or "" in names:
        return None
    order = tuple(Order(name, up, nulls) for name, (_, up, nulls) in zip(names, keys, strict=True))
    return replace(_scan(variant, None, (), views), limit=sort.get_fetch_val(), order=order)


def _shown(expression: Any) -> tuple[str, Any]:
    """The name of what is projected, and the column that it is, if it is one."""
    name, inner = "", expression
    if expression.variant_name() == "Alias":
        alias = expression.to_variant()
        name, inner = alias.alias(), alias.expr()
    column = inner.to_variant() if inner.variant_name() == "Column" else None
    return name or (column.name() if column is not None else ""), column


def _below(kind: str, variant: Any, held: Sequence[_Held]) -> list[_Held]:
    """What is held of a node's input, where it is held of its output."""
    if kind == "SubqueryAlias":
        return [replace(column, relation=None) for column in held]
    if kind in _PASSING:
        return [] if kind == "Sort" and variant.get_fetch_val() is not None else list(held)
    if kind == "Projection":
        return [
            _Held(column.relation(), column.name(), wanted.ids)
            for wanted in held
            for name, column in map(_shown, variant.projections())
            if name == wanted.name and column is not None and wanted.relation in (None, column.relation())
        ]
    if kind == "Aggregate":
        groups = [entry.to_variant() for entry in variant.group_by_exprs() if entry.variant_name() == "Column"]
        return [
            _Held(column.relation(), column.name(), wanted.ids)
            for wanted in held
            for column in groups
            if column.name() == wanted.name and wanted.relation in (None, column.relation())
        ]
    return []


def _sides(node: Any, join: Any, held: Sequence[_Held], lookup: Lookup) -> Iterator[tuple[Any, list[_Held]]]:
    """Both inputs of a join, and what is held of each."""
    kind = str(join.join_type()).rpartition(".")[2]
    left, right = node.inputs()
    pairs = join.on()
    for side, child, other, mine, theirs in (("left", left, right, 0, 1), ("right", right, left, 1, 0)):
        known = []
        if kind in _KEPT[side]:
            has = _relations(child)
            known = [column for column in held if column.relation in has]
        if kind in _HELD[side]:
            for pair in pairs:
                if any(key.variant_name() != "Column" for key in pair):
                    continue
                ids = lookup(other, pair[theirs])
                if ids is not None:
                    column = pair[mine].to_variant()
                    known.append(_Held(column.relation(), column.name(), ids))
        yield child, known


def _relations(node: Any) -> Collection[str]:
    """By which names the columns of a node may be qualified."""
    variant = variant_of(node)
    match type(variant).__name__:
        case "SubqueryAlias":
            return {variant.alias()}
        case "TableScan":
            return {variant.table_name()}
    return {name for child in node.inputs() for name in _relations(child)}
