"""Arrow values as JSON: what POST /api/query and the other routes answer with. docs/http.md has the table of types.

Numbers stay exact, so 64-bit integers are written in full. NaN and infinities, which JSON has no numbers for, are text.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

CHUNK_ROWS = 2_048
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_DURATION_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def dumps(value: object) -> str:
    """Compact JSON, in UTF-8 rather than escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def schema_json(schema: pa.Schema) -> list[dict[str, Any]]:
    """Name, Arrow type as text, and nullability of each column."""
    return [{"name": field.name, "type": str(field.type), "nullable": field.nullable} for field in schema]


def row_texts(batch: pa.RecordBatch) -> Iterator[tuple[int, str]]:
    """(how many rows, their JSON arrays with commas between) for a few thousand rows at a time."""
    for start in range(0, batch.num_rows, CHUNK_ROWS):
        part = batch.slice(start, CHUNK_ROWS)
        rows = [list(row) for row in zip(*(values(column) for column in part.columns), strict=True)]
        yield part.num_rows, dumps(rows or [[]] * part.num_rows)[1:-1]


def row_objects(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """One dict per row, with values as in `values`."""
    columns = [values(column) for column in batch.columns]
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def values(array: pa.Array) -> list[Any]:
    """The array's values as what `json` writes: None, bool, int, float, str, list, dict."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return values(array.dictionary_decode())
    if pa.types.is_floating(kind):
        return _floats(array)
    if pa.types.is_temporal(kind):
        return _temporal(array)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return [None if raw is None else base64.b64encode(raw).decode() for raw in array.to_pylist()]
    if pa.types.is_map(kind):
        return _lists(array, [list(pair) for pair in zip(values(array.keys), values(array.items), strict=True)])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _lists(array, values(array.flatten()))
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        rows = zip(array.is_valid().to_pylist(), *(values(child) for child in array.flatten()), strict=True)
        return [dict(zip(names, row[1:], strict=True)) if row[0] else None for row in rows]
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind):
        return list(array.to_pylist())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return list(array.to_pylist())
    return [_anything(value) for value in array.to_pylist()]


def _anything(value: object) -> str | None:
    """Decimals and the rarer types, as text; views of bytes as base64."""
    if value is None:
        return None
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _floats(array: pa.Array) -> list[Any]:
    plain: list[Any] = array.to_pylist()
    finite = pc.is_finite(array.cast(pa.float64()))
    if pc.all(finite).as_py() is not False:
        return plain
    pairs = zip(plain, finite.to_pylist(), strict=True)
    return [_NOT_FINITE[str(value)] if ok is False else value for value, ok in pairs]


def _temporal(array: pa.Array) -> list[Any]:
    kind = array.type
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            return list(pc.strftime(array, format="%Y-%m-%dT%H:%M:%S").to_pylist())
        utc = array.cast(pa.timestamp(kind.unit, tz="UTC"))
        return list(pc.strftime(utc, format="%Y-%m-%dT%H:%M:%SZ").to_pylist())
    if pa.types.is_duration(kind):
        factor = _DURATION_NS[kind.unit]
        return [None if count is None else count * factor for count in array.cast(pa.int64()).to_pylist()]
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        return list(array.cast(pa.string()).to_pylist())
    return [None if value is None else list(value) for value in array.to_pylist()]  # months, days, nanoseconds


def _lists(array: pa.Array, flat: list[Any]) -> list[Any]:
    """The lists of an array whose valid values, one after the other, are `flat`."""
    result: list[Any] = []
    at = 0
    valid = array.is_valid().to_pylist()
    if pa.types.is_map(array.type):
        spans = pairwise(array.offsets.to_pylist())  # into all keys, whatever slice this is
        return [flat[start:end] if ok else None for ok, (start, end) in zip(valid, spans, strict=True)]
    for ok, size in zip(valid, pc.list_value_length(array).to_pylist(), strict=True):
        result.append(flat[at : at + size] if ok else None)
        at += size if ok else 0
    return result
