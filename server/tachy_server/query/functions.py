"""SQL's scalar functions on properties, JSON, numbers and colours, as data: name, arguments, result, what it does.

Properties and JSON are text here (binary in Micromegas): the jsonb functions take either, and `jsonb_parse` checks and
compacts it. Each works once per distinct value.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import SessionContext, udf

from tachy_server.base.dictionaries import apply, apply_pairs
from tachy_server.base.errors import QueryError
from tachy_server.query import colors, distinct_counts, histograms, json_path
from tachy_server.views.declarations import JSON, TEXT

_TEXT: Final = pa.utf8()
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
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


def load(text: str) -> Any:
    """The JSON value of a text; None for what is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def dump(value: Any) -> str:
    """JSON text without needless blanks."""
    return _ENCODER.encode(value)


def _parse(text: str) -> str | None:
    try:
        return dump(json.loads(text))
    except ValueError:
        return None


def _properties(text: str) -> dict[str, Any]:
    value = load(text)
    return value if isinstance(value, dict) else {}


def _property(text: str, key: str) -> str | None:
    properties = _properties(text)
    if key not in properties:
        lower = key.lower()
        key = next((name for name in properties if name.lower() == lower), key)
    return _text(properties[key]) if key in properties else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dump(value)


def _get(text: str, key: str) -> str | None:
    value = load(text)
    if isinstance(value, dict) and key in value:
        return dump(value[key])
    if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
        return dump(value[int(key)])
    return None


def _string(text: str) -> str | None:
    value = load(text)
    return value if isinstance(value, str) else None


def _number(text: str) -> float | None:
    value = load(text)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _integer(text: str) -> int | None:
    value = load(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return None
    return int(value) if -(2**63) <= value < 2**63 else None


def _keys(text: str) -> list[str] | None:
    value = load(text)
    return list(value) if isinstance(value, dict) else None


def _length(text: str) -> int | None:
    value = load(text)
    return len(value) if isinstance(value, list) else None


def _first(text: str, path: str) -> str | None:
    found = json_path.select(load(text), path)
    return dump(found[0]) if found else None


def _pairs(text: str) -> list[dict[str, str]]:
    return [{"key": key, "value": _text(value)} for key, value in _properties(text).items()]


def entries(text: str) -> list[dict[str, str]] | None:
    """Key and JSON of each member of an object, or element of an array; None for what is neither."""
    value = load(text)
    if isinstance(value, list):
        value = {str(at): element for at, element in enumerate(value)}
    return [{"key": key, "value": dump(item)} for key, item in value.items()] if isinstance(value, dict) else None


def elements(text: str) -> list[str] | None:
    """JSON of an array's elements; None for what is none."""
    value = load(text)
    return [dump(element) for element in value] if isinstance(value, list) else None


def _unary(function: Callable[[str], Any], kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    return lambda array: apply(function, array, kind)


def _binary(function: Callable[[str, str], Any], kind: pa.DataType) -> Callable[[pa.Array, pa.Array], pa.Array]:
    return lambda left, right: apply_pairs(function, left, right, kind)


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
    name: str, function: Callable[[str], Any], result: pa.DataType, doc: str, argument: str = "json"
) -> Function:
    return Function(name, (JSON,), result, _unary(function, result), f"{name}({argument})", doc)


def _of_two(name: str, function: Callable[[str, str], Any], result: pa.DataType, arguments: str, doc: str) -> Function:
    return Function(name, (JSON, _TEXT), result, _binary(function, result), f"{name}({arguments})", doc)


FUNCTIONS: Final = (
    _of_two("property_get", _property, TEXT, "properties, key", "Value of a property; the key's case does not matter."),
    _of_one("properties_length", lambda text: len(_properties(text)), pa.int32(), "How many there are.", "properties"),
    _of_one("properties_to_dict", lambda text: text, JSON, "The same: they are a dictionary column.", "properties"),
    _of_one("properties_to_jsonb", lambda text: text, JSON, "The same: they are JSON.", "properties"),
    _of_one("properties_to_array", _pairs, _PAIRS, "List of {key, value}.", "properties"),
    _of_one("jsonb_parse", _parse, JSON, "JSON from text, null if it is none.", "text"),
    _of_one("jsonb_format_json", lambda text: text, _TEXT, "JSON as plain text."),
    _of_two("jsonb_get", _get, JSON, "json, key", "Member of an object, or element of an array."),
    _of_one("jsonb_as_string", _string, TEXT, "Text of a JSON string, else null."),
    _of_one("jsonb_as_f64", _number, _F64, "Value of a JSON number, else null."),
    _of_one("jsonb_as_i64", _integer, _I64, "Value of a JSON number that is whole, else null."),
    _of_one("jsonb_object_keys", _keys, _STRINGS, "Names of an object's members."),
    _of_one("jsonb_array_length", _length, _I64, "How many elements an array has."),
    _of_two("jsonb_path_query_first", _first, JSON, "json, path", "First match of a JSON path, or null."),
    _of_two(
        "jsonb_path_query",
        lambda text, path: dump(json_path.select(load(text), path)),
        JSON,
        "json, path",
        "Array of all matches of a JSON path: `$`, `.name`, `[n]`, `[*]`, `..name`, and of what a filter lets through: "
        '`$.items[*] ? (@.kind == "tree" && !(@.size < 3))`.',
    ),
    _of_one(
        "jsonb_entries",
        entries,
        _PAIRS,
        "List of {key, value (JSON)} of an object's members or an array's elements, for `unnest`.",
    ),
    _of_one("jsonb_elements", elements, _STRINGS, "List of an array's elements (JSON), for `unnest`."),
    _of_two(
        "jsonb_path_elements",
        lambda text, path: [dump(found) for found in json_path.select(load(text), path)],
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
