"""SQL's scalar functions on properties, JSON, numbers and colours, as data: name, arguments, result, what it does.

Properties and JSON are text here (binary in Micromegas): the jsonb functions take either, and `jsonb_parse` checks and
compacts it. Each works once per distinct value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import SessionContext, udf

from tachy_server.base.dictionaries import apply, apply_pairs
from tachy_server.base.errors import QueryError
from tachy_server.query import colors, distinct_counts, histograms
from tachy_server.query import json_kernels as kernels
from tachy_server.views.declarations import JSON, TEXT

_TEXT: Final = pa.utf8()
_PAIRS: Final = pa.list_(pa.struct([pa.field("key", pa.utf8()), pa.field("value", pa.utf8())]))


@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function; `call` takes and gives arrays."""

    name: str
    arguments: tuple[pa.DataType, ...]
    result: pa.DataType
    call: Callable[..., pa.Array]
    signature: str
    doc: str


def register(context: SessionContext) -> None:
    """Make the functions known to a context."""
    for function in _UDFS:
        context.register_udf(function)
    histograms.register(context)
    distinct_counts.register(context)


def _unary(kernel: Callable[[pa.Array], pa.Array], kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    return lambda array: apply(kernel, array, kind)


def _binary(kernel: Callable[..., pa.Array], kind: pa.DataType) -> Callable[[pa.Array, pa.Array], pa.Array]:
    return lambda left, right: apply_pairs(kernel, left, right, kind)


def _bin_center(value: pa.Array, cell: pa.Array) -> pa.Array:
    return pc.multiply(pc.floor(pc.divide(pc.add(value, pc.multiply(cell, 0.5)), cell)), cell)


def _lerp(low: pa.Array, high: pa.Array, part: pa.Array) -> pa.Array:
    return pc.add(low, pc.multiply(pc.subtract(high, low), part))


def _unlerp(low: pa.Array, high: pa.Array, value: pa.Array) -> pa.Array:
    return pc.divide(pc.subtract(value, low), pc.subtract(high, low))


_F64: Final = pa.float64()
_I64: Final = pa.int64()
_U32: Final = pa.uint32()
_STRINGS: Final = pa.list_(pa.utf8())


def _of_one(
    name: str, kernel: Callable[[pa.Array], pa.Array], result: pa.DataType, doc: str, argument: str = "json"
) -> Function:
    return Function(name, (JSON,), result, _unary(kernel, result), f"{name}({argument})", doc)


def _of_two(name: str, kernel: Callable[..., pa.Array], result: pa.DataType, arguments: str, doc: str) -> Function:
    return Function(name, (JSON, _TEXT), result, _binary(kernel, result), f"{name}({arguments})", doc)


FUNCTIONS: Final = (
    _of_two("property_get", kernels.member, TEXT, "properties, key", "Value of a property; ASCII letters in any case."),
    _of_one("properties_length", kernels.count, pa.int32(), "How many there are.", "properties"),
    _of_one("properties_to_dict", lambda texts: texts, JSON, "The same: they are a dictionary column.", "properties"),
    _of_one("properties_to_jsonb", lambda texts: texts, JSON, "The same: they are JSON.", "properties"),
    _of_one("properties_to_array", kernels.properties, _PAIRS, "List of {key, value}.", "properties"),
    _of_one("jsonb_parse", kernels.parse, JSON, "JSON from text, null if it is none.", "text"),
    _of_one("jsonb_format_json", lambda texts: texts, _TEXT, "JSON as plain text."),
    _of_two("jsonb_get", kernels.get, JSON, "json, key", "Member of an object, or element of an array."),
    _of_one("jsonb_as_string", kernels.string, TEXT, "Text of a JSON string, else null."),
    _of_one("jsonb_as_f64", kernels.double, _F64, "Value of a JSON number, else null."),
    _of_one("jsonb_as_i64", kernels.integer, _I64, "Value of a JSON number that is whole, else null."),
    _of_one("jsonb_object_keys", kernels.keys, _STRINGS, "Names of an object's members."),
    _of_one("jsonb_array_length", kernels.length, _I64, "How many elements an array has."),
    _of_two("jsonb_path_query_first", kernels.first, JSON, "json, path", "First match of a JSON path, or null."),
    _of_two(
        "jsonb_path_query",
        kernels.matches_as_one,
        JSON,
        "json, path",
        "Array of all matches of a JSON path: `$`, `.name`, `[n]`, `[*]`, `..name`, and of what a filter lets through: "
        '`$.items[*] ? (@.kind == "tree" && !(@.size < 3))`.',
    ),
    _of_one(
        "jsonb_entries",
        kernels.entries,
        _PAIRS,
        "List of {key, value (JSON)} of an object's members or an array's elements, for `unnest`.",
    ),
    _of_one("jsonb_elements", kernels.elements, _STRINGS, "List of an array's elements (JSON), for `unnest`."),
    _of_two(
        "jsonb_path_elements",
        kernels.matches,
        _STRINGS,
        "json, path",
        "List of all matches of a JSON path (JSON), for `unnest`.",
    ),
    Function("bin_center", (_F64, _F64), _F64, _bin_center, "bin_center(x, cell)", "Nearest multiple of cell."),
    Function("lerp", (_F64,) * 3, _F64, _lerp, "lerp(a, b, t)", "a + (b - a) * t."),
    Function("unlerp", (_F64,) * 3, _F64, _unlerp, "unlerp(a, b, x)", "The t for which lerp(a, b, t) is x."),
    Function(
        "rgba",
        (_F64,) * 4,
        _U32,
        colors.rgba,
        "rgba(r, g, b, a)",
        "A colour, 0xRRGGBBAA (UInt32), of channels from 0 to 1; alpha is not multiplied in.",
    ),
    Function(
        "lerp_color",
        (_U32, _U32, _F64),
        _U32,
        colors.lerp_color,
        "lerp_color(c1, c2, t)",
        "The colour between two, each channel for itself; t from 0 to 1.",
    ),
    Function(
        "color_scale",
        (TEXT, _F64, _F64),
        _U32,
        colors.color_scale,
        "color_scale(name, t, alpha)",
        f"Of a scale ({', '.join(f'`{name}`' for name in colors.SCALES)}) the colour at t from 0 to 1.",
    ),
)


def _guarded(function: Function) -> Callable[..., pa.Array]:
    def call(*arrays: pa.Array) -> pa.Array:
        try:
            return function.call(*arrays)
        except pa.ArrowException as error:
            raise QueryError(f"{function.name}: {error}") from None

    return call


_UDFS: Final = tuple(
    udf(_guarded(function), list(function.arguments), function.result, "immutable", function.name)
    for function in FUNCTIONS
)
