"""What a scan must satisfy, as a small tree that can be read.

DataFusion hands a table its filter as a `pyarrow.compute.Expression`, which has no public tree; but it can be pickled,
and its pickled form (an Arrow IPC file whose metadata is the tree in prefix order, as arrow::compute::Serialize writes
it) is plain enough. What is not pushed into the scan stays above it in the plan as DataFusion expressions; both
become `Node`s. A form that is not known becomes UNKNOWN, which bounds nothing.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator
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
    arguments: tuple[Column | Literal | Call, ...]


UNKNOWN: Final = Call("unknown", ())
_COMPARISONS: Final = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})


def from_expression(expression: pc.Expression | None) -> Column | Literal | Call | None:
    """The tree of a filter; None for none, UNKNOWN for one that cannot be read."""
    if expression is None:
        return None
    try:
        buffer = expression.__reduce__()[1][0]
        batch = pa.ipc.open_file(buffer).get_batch(0)
    except (pa.ArrowException, NotImplementedError):
        return UNKNOWN
    tokens = iter(_metadata(batch.schema))
    return _read(next(tokens), tokens, batch)


def columns_of(node: Column | Literal | Call) -> set[str] | None:
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


def mask(node: Column | Literal | Call, batch: pa.RecordBatch) -> pa.Array | None:
    """Which rows satisfy a tree; None where it cannot be told here, and the expression itself must be applied.

    Arrow would turn a dictionary column into text to compare it; here its few distinct values are compared. NaN is
    the greatest number, as it is to DataFusion.
    """
    try:
        return _mask(node, batch)
    except (_UnknownError, pa.ArrowException, NotImplementedError):
        return None


class _UnknownError(Exception):
    """A form that `mask` leaves to Arrow."""


def _mask(node: Column | Literal | Call, batch: pa.RecordBatch) -> pa.Array:
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


def _of_values(array: pa.Array, function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    if not pa.types.is_dictionary(array.type):
        return function(array)
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


def from_plan(expression: Any) -> Column | Literal | Call:
    """The tree of a DataFusion expression; only AND, OR, columns, literals and IN are read."""
    kind = expression.variant_name()
    if kind == "Column":
        return Column(expression.to_variant().name())
    if kind == "Literal":
        return Literal(expression.python_value())
    if kind == "InList":
        variant = expression.to_variant()
        if variant.negated():
            return UNKNOWN
        arguments = tuple(from_plan(argument) for argument in (variant.expr(), *variant.list()))
        return Call("in", arguments) if UNKNOWN not in arguments else UNKNOWN
    if kind == "BinaryExpr":
        function = {"AND": "and_kleene", "OR": "or_kleene"}.get(expression.rex_call_operator())
        if function is not None:
            return Call(function, tuple(from_plan(operand) for operand in expression.rex_call_operands()))
    return UNKNOWN


def _read(token: tuple[str, str], tokens: Iterator[tuple[str, str]], batch: pa.RecordBatch) -> Column | Literal | Call:
    kind, value = token
    if kind == "field_ref":
        return Column(value)
    if kind == "literal":
        return Literal(batch.column(int(value))[0])
    if kind != "call":
        return _skip(tokens)
    arguments: list[Column | Literal | Call] = []
    known = True
    for inner in tokens:
        if inner == ("end", value):
            break
        if inner[0] == "options":
            options = batch.column(int(inner[1]))[0]
            if value == "is_in":
                arguments += [Literal(item) for item in options["value_set"].values]
            elif value != "is_null":
                known = False
            continue
        arguments.append(_read(inner, tokens, batch))
    if not known:
        # The columns stay known, so that the filter itself can be applied.
        return Call("other", tuple(arguments))
    return Call("in" if value == "is_in" else value, tuple(arguments))


def _skip(tokens: Iterator[tuple[str, str]]) -> Call:
    for _ in tokens:
        pass
    return UNKNOWN


def _metadata(schema: pa.Schema) -> list[tuple[str, str]]:
    """Keys and values of a schema's metadata, repeated keys included (pyarrow's own mapping drops them)."""
    capsule = schema.__arrow_c_schema__()
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype = ctypes.c_void_p
    pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    # struct ArrowSchema: format, name, metadata, …
    metadata = ctypes.cast(pointer(capsule, b"arrow_schema"), ctypes.POINTER(ctypes.c_void_p))[2]
    if metadata is None:
        return []
    offset = 0

    def take(size: int) -> bytes:
        nonlocal offset
        data = ctypes.string_at(metadata + offset, size)
        offset += size
        return data

    def number() -> int:
        return int.from_bytes(take(4), "little", signed=True)

    return [(take(number()).decode(), take(number()).decode()) for _ in range(number())]
