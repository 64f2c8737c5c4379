"""What a materialized view is: a SELECT over one view of events whose results add up, and how they do.

The SELECT is run over any set of segments, each of which is in one set; `merge` makes of all results together, the rows
of `source`, what the SELECT would have given over all of them. It is derived where the SELECT only groups, counts,
sums, and the like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from tachy_server.base.errors import QueryError
from tachy_server.query.plans import nodes, table_name, variant_of
from tachy_server.query.tokens import quoted
from tachy_server.views import predicates
from tachy_server.views.declarations import Kind, View
from tachy_server.views.predicates import Call, Column, Literal

_ADDS_UP: Final = {
    "count": "sum",
    "sum": "sum",
    "min": "min",
    "max": "max",
    "bool_and": "bool_and",
    "bool_or": "bool_or",
    "bit_and": "bit_and",
    "bit_or": "bit_or",
    "make_histogram": "sum_histograms",
    "sum_histograms": "sum_histograms",
    "make_hll": "merge_hll",
    "merge_hll": "merge_hll",
}
"""What becomes of an aggregate's results."""
_ALLOWED: Final = ("Projection", "Filter", "Aggregate", "SubqueryAlias", "TableScan")
_OTHERWISE: Final = re.compile(r"\b(now|current_date|current_time|current_timestamp|random|uuid)\(")
_TEXT: Final = re.compile(r"""(Utf8\()?"(?:[^"\\]|\\.)*"\)?""")


@dataclass(frozen=True, slots=True)
class Definition:
    """A materialized view as its statement says it; `merge`, `time` and `sort` are None where they are derived."""

    name: str
    select: str
    time: str | None = None
    merge: str | None = None
    sort: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a definition is known once its SELECT is planned; `source`: the view of events that it is made of;
    `time`: the column that a range applies to; `sort`: by what the rows of a file are sorted; `bin`: where rows of
    different times are never merged, the length of the bins of events' times that these are, in nanoseconds (0: they
    are these times), else None.
    """

    schema: pa.Schema
    source: View
    time: str
    merge: str
    sort: tuple[str, ...]
    bin: int | None

    @property
    def columns(self) -> str:
        """Their names, as SQL."""
        return ", ".join(map(quoted, self.schema.names))


def shape_of(definition: Definition, frame: Any, views: Mapping[str, View]) -> Shape:
    """Of its planned SELECT. Raises QueryError where results of it do not add up."""
    plan = frame.logical_plan()
    schema = pa.schema([pa.field(entry.name, entry.type) for entry in frame.schema()])
    source = _source(definition.name, plan, views)
    times = [entry.name for entry in schema if pa.types.is_timestamp(entry.type) and entry.type.unit == "ns"]
    if definition.time is None and len(times) != 1:
        raise QueryError(f"{definition.name}: say which column is its time, in nanoseconds: WITH (time = '…')")
    time = definition.time or times[0]
    if time not in times:
        raise QueryError(f"{definition.name}: {time} is no column that is a time in nanoseconds")
    merge = definition.merge or _merge(definition.name, plan, schema)
    width = None if definition.merge else _bin(plan, schema, time, source)
    return Shape(schema, source, time, merge, _sort(definition, schema, time), width)


def _sort(definition: Definition, schema: pa.Schema, time: str) -> tuple[str, ...]:
    """By its time, then by what is text, unless it says by what."""
    if definition.sort is None:
        texts = (each.name for each in schema if pa.types.is_dictionary(each.type) or pa.types.is_string(each.type))
        return (time, *texts)
    wanted = tuple(name.strip() for name in definition.sort.split(","))
    for name in wanted:
        if name not in schema.names or pa.types.is_nested(schema.field(name).type):
            raise QueryError(f"{definition.name}: its rows cannot be sorted by {name}")
    return wanted


def _source(name: str, plan: Any, views: Mapping[str, View]) -> View:
    """The view that it is made of. Raises QueryError where it is something else than that."""
    kinds = [(type(variant_of(node)).__name__, node) for node in nodes(plan)]
    text = _TEXT.sub("", plan.display_indent())
    for kind, _ in kinds:
        if kind not in _ALLOWED:
            raise QueryError(f"{name}: a materialized view selects, filters and groups; {kind} does not add up")
    if "Subquery:" in text:
        raise QueryError(f"{name}: a materialized view has no subqueries")
    scans = [table_name(variant_of(node)) for kind, node in kinds if kind == "TableScan"]
    view = views.get(scans[0]) if len(scans) == 1 else None
    if view is None or not is_source(view):
        sources = ", ".join(each.name for each in views.values() if is_source(each))
        raise QueryError(f"{name}: a materialized view is made of one view of events: {sources}")
    found = _OTHERWISE.search(text)
    if found:
        raise QueryError(f"{name}: {found[1]}() is another one whenever it is asked")
    return view


def is_source(view: View) -> bool:
    """Whether its rows are those of blocks, each by itself."""
    return view.kind in (Kind.EAGER, Kind.LAZY) and bool(view.rows)


def _merge(name: str, plan: Any, schema: pa.Schema) -> str:
    if not any(type(variant_of(node)).__name__ == "Aggregate" for node in nodes(plan)):
        return "SELECT * FROM source"
    outputs = {name: how for name, how, _ in _outputs(plan, schema)}
    if outputs.keys() != set(schema.names):
        raise QueryError(f"{name}: say how its results are merged: WITH (merge = 'SELECT … FROM source GROUP BY …')")
    for column, how in outputs.items():
        if how not in ("", *_ADDS_UP):
            raise QueryError(
                f"{name}: {column} does not add up; keep what does, as sum and count instead of avg, or give "
                "WITH (merge = 'SELECT … FROM source GROUP BY …')"
            )
    groups = [quoted(column) for column, how in outputs.items() if not how]
    shown = [
        f"{_ADDS_UP[how]}({quoted(column)}) AS {quoted(column)}" if how else quoted(column)
        for column, how in outputs.items()
    ]
    grouped = f" GROUP BY {', '.join(groups)}" if groups else ""
    return f"SELECT {', '.join(shown)} FROM source{grouped}"


def _bin(plan: Any, schema: pa.Schema, time: str, source: View) -> int | None:
    """See Shape."""
    for name, _, group in _outputs(plan, schema):
        if name == time and group is not None:
            match predicates.from_plan(group):
                case Column(column) if column in source.time:
                    return 0
                case Call("date_bin", (Literal(width), Column(column))) if column in source.time:
                    months, days, nanoseconds = width.as_py()
                    return None if months else days * 86_400 * 10**9 + nanoseconds
    return None


def _outputs(plan: Any, schema: pa.Schema) -> Iterator[tuple[str, str, Any]]:
    """The columns of a projection of an aggregate's results, and the function that each is; none for what it groups by,
    but that expression. None at all for another form of plan.
    """
    projection = variant_of(plan)
    below = plan.inputs()
    if type(projection).__name__ != "Projection" or type(variant_of(below[0])).__name__ != "Aggregate":
        return
    aggregate = variant_of(below[0])
    known: dict[str, tuple[str, Any]] = {group.schema_name(): ("", group) for group in aggregate.group_by_exprs()}
    for call in aggregate.aggregate_exprs():
        function = call.to_variant()
        known[call.schema_name()] = "distinct" if function.is_distinct() else function.aggregate_type(), None
    for name, entry in zip(schema.names, projection.projections(), strict=True):
        inner = entry
        while inner.variant_name() == "Alias":
            inner = inner.to_variant().expr()
        found = known.get(inner.canonical_name())
        if found is not None:
            yield name, *found
