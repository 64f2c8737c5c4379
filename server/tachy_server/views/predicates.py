"""What a scan must satisfy, as a small tree that can be read.

The trees are made of the expressions in DataFusion's logical plan. What of them is pushed into a scan comes to it as a
`pyarrow.compute.Expression`, which can be applied and compared but not read: `to_arrow` writes a tree as such an
expression, so that a scan finds its own in the plan. A form that is not known becomes UNKNOWN, which bounds nothing.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: pa.Scalar


@dataclass(frozen=True, slots=True)
class Call:
    """A function, by its Arrow name, and its arguments. `in` has the column and one literal per value."""

    function: str
    arguments: tuple[Node, ...]


Node = Column | Literal | Call
UNKNOWN: Final = Call("unknown", ())
_COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
}
_OPERATORS: Final = {
    "=": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "AND": "and_kleene",
    "OR": "or_kleene",
}
_UNARY: Final = {"Not": "invert", "IsNull": "is_null", "IsNotNull": "is_valid"}


def from_plan(expression: Any) -> Node:
    """The tree of a DataFusion expression."""
    try:
        return _from_plan(expression)
    except RecursionError:  # a OR b OR …, a thousand deep
        return UNKNOWN


def all_of(nodes: list[Node]) -> Node | None:
    """They all hold, in the form in which DataFusion joins filters; None for none."""
    return functools.reduce(lambda left, right: Call("and_kleene", (left, right)), nodes) if nodes else None


def to_arrow(node: Node) -> pc.Expression | None:
    """The expression that DataFusion makes of it for a scan; None for a form that it does not push into one."""
    try:
        return _to_arrow(node)
    except (_UnknownError, RecursionError, pa.ArrowException, NotImplementedError, TypeError):
        return None


def replaced(node: Node, columns: Mapping[str, Node]) -> Node:
    """The tree, with what these names of columns stand for."""
    if isinstance(node, Call):
        return Call(node.function, tuple(replaced(argument, columns) for argument in node.arguments))
    return columns.get(node.name, node) if isinstance(node, Column) else node


def columns_of(node: Node) -> set[str] | None:
    """Names of the columns that a tree reads; None where it is not known in full."""
    if isinstance(node, Column):
        return {node.name}
    if isinstance(node, Literal):
        return set()
    if node == UNKNOWN:
        return None
    names: set[str] = set()
    for argument in node.arguments:
        inner = columns_of(argument)
        if inner is None:
            return None
        names |= inner
    return names


def mask(node: Node, batch: pa.RecordBatch) -> pa.Array | pa.Scalar | None:
    """Which rows satisfy a tree, a scalar for all of them alike; None where it cannot be told here, and the expression
    itself must be applied.

    Arrow would turn a dictionary column into text to compare it; here its few distinct values are compared. NaN is
    the greatest number, as it is to DataFusion.
    """
    try:
        return _mask(node, batch)
    except (_UnknownError, pa.ArrowException, NotImplementedError):
        return None


class _UnknownError(Exception):
    """A form that is left to Arrow."""


def _from_plan(expression: Any) -> Node:
    kind = expression.variant_name()
    if kind == "Column":
        return Column(expression.to_variant().name())
    if kind == "Literal":
        return Literal(expression.python_value())
    if kind == "InList":
        variant = expression.to_variant()
        among = Call("in", tuple(_from_plan(argument) for argument in (variant.expr(), *variant.list())))
        if UNKNOWN in among.arguments:
            return UNKNOWN
        return Call("invert", (among,)) if variant.negated() else among
    if kind in _UNARY:
        return Call(_UNARY[kind], tuple(_from_plan(operand) for operand in expression.rex_call_operands()))
    if kind == "BinaryExpr":
        function = _OPERATORS.get(expression.rex_call_operator())
        if function is not None:
            return Call(function, tuple(_from_plan(operand) for operand in expression.rex_call_operands()))
    if kind == "ScalarFunction" and expression.rex_call_operator() == "date_bin":
        return Call("date_bin", tuple(_from_plan(operand) for operand in expression.rex_call_operands()))
    return UNKNOWN


def _to_arrow(node: Node) -> pc.Expression:
    match node:
        case Column(name):
            return pc.field(name)
        case Literal(value):
            return pc.scalar(value)
        case Call("and_kleene", (left, right)):
            return _to_arrow(left) & _to_arrow(right)
        case Call("or_kleene", (left, right)):
            return _to_arrow(left) | _to_arrow(right)
        case Call("invert", (inner,)):
            return ~_to_arrow(inner)
        case Call("is_null", (inner,)):
            return _to_arrow(inner).is_null()
        case Call("is_valid", (inner,)):
            return _to_arrow(inner).is_valid()
        case Call("in", (column, *values)):
            return _to_arrow(column).isin([value.value.as_py() for value in values if isinstance(value, Literal)])
        case Call(function, (left, right)) if function in _COMPARISONS:
            return _COMPARISONS[function](_to_arrow(left), _to_arrow(right))
    raise _UnknownError


def _mask(node: Node, batch: pa.RecordBatch) -> pa.Array | pa.Scalar:
    match node:
        case Column(name):
            return batch.column(name)
        case Call("and_kleene", (left, right)):
            return pc.and_kleene(_mask(left, batch), _mask(right, batch))
        case Call("or_kleene", (left, right)):
            return pc.or_kleene(_mask(left, batch), _mask(right, batch))
        case Call("invert", (inner,)):
            return pc.invert(_mask(inner, batch))
        case Call(function, (Column(name), Literal(value))) if function in _COMPARISONS:
            return _of_values(batch.column(name), lambda array: _compare(function, array, value))
        case Call("in", (Column(name), *values)):
            known = [value.value.as_py() for value in values if isinstance(value, Literal)]
            return _of_values(batch.column(name), lambda array: pc.is_in(array, pa.array(known, array.type)))
    raise _UnknownError


def _of_values(array: pa.Array, function: Callable[[pa.Array], pa.Array]) -> pa.Array | pa.Scalar:
    if not pa.types.is_dictionary(array.type):
        return function(array)
    if len(array.dictionary) == 1 and array.null_count == 0:
        return function(array.dictionary)[0]
    return function(array.dictionary).take(array.indices)


def _compare(function: str, array: pa.Array, value: pa.Scalar) -> pa.Array:
    if pa.types.is_dictionary(value.type):
        value = pa.scalar(value.as_py(), value.type.value_type)
    result = pc.call_function(function, [array, value])
    if pa.types.is_floating(array.type) and value.is_valid:
        if math.isnan(value.as_py()):
            raise _UnknownError
        if function in ("greater", "greater_equal"):
            result = pc.or_(result, pc.is_nan(array))
    return result
