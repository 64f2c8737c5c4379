"""What a logical plan of DataFusion tells before it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
from datafusion import SQLOptions

READ_ONLY: Final = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)
"""DataFusion would run everything else while it plans."""
_NOT_LIMITED: Final = ("Explain", "Analyze", "DescribeTable")
_LEAVES: Final = ("Column", "Literal", "ScalarVariable")
"""Expressions that the bindings give as their own operands."""


def may_be_limited(plan: Any) -> bool:
    """Whether a LIMIT may be put on top of it: EXPLAIN and DESCRIBE must be roots."""
    return str(plan.display_indent()).split(":")[0].split("\n")[0].strip() not in _NOT_LIMITED


def constants(plan: Any) -> list[pa.Scalar] | None:
    """The only row of a statement that has nothing but constants, as what clients ask to see whether a connection is
    alive; None of any other.
    """
    variant = variant_of(plan)
    if type(variant).__name__ != "Projection" or plan.inputs()[0].display() != "EmptyRelation: rows=1":
        return None
    given = [entry.to_variant().expr() if entry.variant_name() == "Alias" else entry for entry in variant.projections()]
    if any(entry.variant_name() != "Literal" for entry in given):
        return None
    return [entry.python_value() for entry in given]


def placeholders(plan: Any) -> dict[str, pa.DataType]:
    """The types that expressions give to "$1", "$2", …, as far as the bindings show expressions."""
    types: dict[str, pa.DataType] = {}
    for node in nodes(plan):
        for expression in _expressions(variant_of(node)):
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


def nodes(node: Any) -> Iterator[Any]:
    """A plan's nodes, from the top."""
    yield node
    for child in node.inputs():
        yield from nodes(child)


def variant_of(node: Any) -> Any:
    """What kind of node it is; None for one that the bindings do not show."""
    try:
        return node.to_variant()
    except Exception:
        return None


def table_name(scan: Any) -> str:
    """Without catalog and schema; a table function's scan is named by the function and parentheses."""
    name: str = scan.table_name()
    return name.rpartition(".")[2].removesuffix("()")
