"""What a logical plan of DataFusion tells before it runs."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from tachy_server.views import predicates
from tachy_server.views.bounds import Bounds, TimeColumns, read
from tachy_server.views.declarations import View

_NOT_LIMITED: Final = ("Explain", "Analyze", "DescribeTable")
_LEAVES: Final = ("Column", "Literal", "ScalarVariable")
"""Expressions that the bindings give as their own operands."""


def may_be_limited(plan: Any) -> bool:
    """Whether a LIMIT may be put on top of it: EXPLAIN and DESCRIBE must be roots."""
    return str(plan.display_indent()).split(":")[0].split("\n")[0].strip() not in _NOT_LIMITED


def hints(plan: Any, views: Mapping[str, View]) -> dict[tuple[str, tuple[str, ...]], Bounds]:
    """Bounds from filters that stayed above their scans (an IN of many ids does), per table and its columns.

    Two scans of one table with the same columns cannot be told apart when they start, so they share what both allow.
    Subqueries that stay expressions are not shown by the bindings but in the plan's text: a table that is scanned there
    too gets no bounds.
    """
    unseen = Counter(name.rpartition(".")[2] for name in re.findall(r"\bTableScan: (\S+)", plan.display_indent()))
    found: dict[tuple[str, tuple[str, ...]], Bounds] = {}
    for node, parent in _walk(plan, None):
        scan = _variant(node)
        if type(scan).__name__ != "TableScan" or scan.table_name() not in views:
            continue
        view = views[scan.table_name()]
        unseen[view.name] -= 1
        columns = tuple(name for _, name in scan.projection())
        above: Any = _variant(parent) if parent is not None else None
        bounds = Bounds()
        if type(above).__name__ == "Filter":
            tree = predicates.from_plan(above.predicate())
            bounds = read(tree, TimeColumns(view.time[0], view.time[-1]))
        key = (view.name, columns)
        found[key] = found[key] | bounds if key in found else bounds
    return {key: bounds for key, bounds in found.items() if not unseen[key[0]]}


def placeholders(plan: Any) -> dict[str, pa.DataType]:
    """The types that expressions give to "$1", "$2", …, as far as the bindings show expressions."""
    types: dict[str, pa.DataType] = {}
    for node, _ in _walk(plan, None):
        for expression in _expressions(_variant(node)):
            for name, kind in _placeholders(expression):
                if not pa.types.is_null(kind):
                    types.setdefault(name, kind)
    return types


def _expressions(variant: Any) -> Iterator[Any]:
    for method in ("predicate", "projections", "group_by_exprs", "aggregate_exprs"):
        if hasattr(variant, method):
            found = getattr(variant, method)()
            yield from found if isinstance(found, list) else [found]


def _placeholders(root: Any) -> Iterator[tuple[str, pa.DataType]]:
    """Every one of an expression, from left to right; `a OR b OR …` is as deep as it is long."""
    rest = [root]
    while rest:
        expression = rest.pop()
        kind = expression.variant_name()
        if kind == "Placeholder":
            placeholder = expression.to_variant()
            entry = placeholder.field()
            type_ = pa.null() if entry is None else entry.type
            yield placeholder.id(), type_.value_type if pa.types.is_dictionary(type_) else type_
        elif kind not in _LEAVES:
            with contextlib.suppress(Exception):  # a kind of expression that the bindings do not take apart
                rest += reversed(expression.rex_call_operands())


def _walk(node: Any, parent: Any) -> Iterator[tuple[Any, Any]]:
    yield node, parent
    for child in node.inputs():
        yield from _walk(child, node)


def _variant(node: Any) -> Any:
    try:
        return node.to_variant()
    except Exception:  # a kind of node that the bindings do not show
        return None
