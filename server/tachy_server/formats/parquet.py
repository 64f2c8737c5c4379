"""Tables as Parquet: the files of views, as DataFusion, DuckDB and other readers of DuckLake take them.

Times are written without a zone, which is DuckLake's `timestamp_ns`: DuckDB cuts a Parquet time in UTC to microseconds.
The Arrow schema in the file says UTC, and that text columns are dictionaries; DataFusion reads them so.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tachy_server.base.errors import NotFound

ROW_GROUP: Final = 1 << 18
"""Rows of a part of a file that is read by itself."""
_LONGEST: Final = 64  # bytes of a text that is a bound
_ID: Final = b"PARQUET:field_id"

Bounds = tuple[Any, Any, int]
"""The least and the greatest value of a column, and how many NULLs it has. Times are in nanoseconds; None: not known,
not short, or there may be NaN, which is above all numbers.
"""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet object, and what the catalog says of it."""

    key: str
    size: int
    footer_size: int
    rows: int
    columns: Mapping[str, Bounds]


@dataclass(frozen=True, slots=True)
class Field:
    """One column or nested field of a table: its number in the file, and that of the field it is in."""

    number: int
    parent: int | None
    name: str
    type: pa.DataType


def fields(schema: pa.Schema) -> list[Field]:
    """All fields, numbered from 1 on, each before those in it. Those of a list are named `element`, of a map `key` and
    `value`.
    """
    found: list[Field] = []

    def visit(field: pa.Field, name: str, parent: int | None) -> None:
        number = len(found) + 1
        found.append(Field(number, parent, name, field.type))
        for child, of_child in _children(field.type):
            visit(of_child, child, number)

    for field in schema:
        visit(field, field.name, None)
    return found


def ordered(table: pa.Table, by: Sequence[str]) -> pa.Table:
    """The rows in the order of these columns, NULLs last."""
    table = table.unify_dictionaries().combine_chunks()
    order = None
    for name in reversed(by if table.num_rows else ()):  # each sort is stable; Arrow's of several columns is not fast
        column = _sortable(table.column(name).chunk(0))
        after = pc.sort_indices(column if order is None else column.take(order))
        order = after if order is None else order.take(after)
    return table if order is None else table.take(order)


def write(key: str, table: pa.Table, sort: Sequence[str] = ()) -> tuple[DataFile, memoryview]:
    """The file for an object of that key; the table is sorted by these columns."""
    numbers = itertools.count(1)
    stored = pa.schema([_stored(field, numbers) for field in table.schema])
    columns = {name: _bounds(table.column(name)) for name in table.schema.names}
    times = [field.name for field in stored if pa.types.is_timestamp(field.type)]
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        stored,
        compression="zstd",
        use_dictionary=[path for field in stored for path in _leaves(field, field.name) if path not in times],
        column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED"),
        store_schema=False,
        use_compliant_nested_type=False,  # an Arrow list's `item` stays one
        write_statistics=[name for name in columns if not _unbounded(table.schema.field(name).type, columns[name])],
        write_page_index=True,
        write_page_checksum=True,
        sorting_columns=pq.SortingColumn.from_ordering(stored, [(name, "ascending") for name in sort]) or None,
    ) as writer:
        writer.write_table(table.cast(stored), ROW_GROUP)
        plain = table.schema.remove_metadata()
        writer.add_key_value_metadata({"ARROW:schema": base64.b64encode(plain.serialize())})
    data = sink.getvalue()
    metadata = pq.read_metadata(pa.BufferReader(data))
    return DataFile(key, data.size, metadata.serialized_size, table.num_rows, columns), memoryview(data)


def opened(data: memoryview | pa.Buffer) -> pq.ParquetFile:
    """A file that compares what it gives with its checksums. It and its batches raise LOST where it is damaged."""
    return pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)


LOST: Final = (NotFound, pa.ArrowInvalid, OSError)
"""What reading a file raises that is not there, or not whole; a store that does not answer is neither."""


def _children(kind: pa.DataType) -> list[tuple[str, pa.Field]]:
    if pa.types.is_struct(kind):
        return [(field.name, field) for field in kind.fields]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [("element", kind.value_field)]
    if pa.types.is_map(kind):
        return [("key", kind.key_field), ("value", kind.item_field)]
    return []


def _sortable(column: pa.Array) -> pa.Array:
    """Arrow does not sort by dictionaries: the rank of each value."""
    if not pa.types.is_dictionary(column.type):
        return column
    return pc.sort_indices(pc.sort_indices(column.dictionary)).take(column.indices)


def _leaves(field: pa.Field, path: str) -> Iterator[str]:
    """The paths of what Parquet stores of it."""
    between = "" if pa.types.is_struct(field.type) else "key_value." if pa.types.is_map(field.type) else "list."
    children = [child for _, child in _children(field.type)]
    for child in children:
        yield from _leaves(child, f"{path}.{between}{child.name}")
    if not children:
        yield path


def _stored(field: pa.Field, numbers: Iterator[int]) -> pa.Field:
    """The field with its number, and times without a zone."""
    number = next(numbers)
    inner = [_stored(child, numbers) for _, child in _children(field.type)]
    kind = field.type
    if pa.types.is_struct(kind):
        kind = pa.struct(inner)
    elif pa.types.is_list(kind):
        kind = pa.list_(inner[0])
    elif pa.types.is_large_list(kind):
        kind = pa.large_list(inner[0])
    elif pa.types.is_map(kind):
        kind = pa.map_(*inner)
    elif pa.types.is_timestamp(kind):
        kind = pa.timestamp(kind.unit)
    return pa.field(field.name, kind, field.nullable, {_ID: str(number)})


def _bounds(column: pa.ChunkedArray) -> Bounds:
    nulls = column.null_count
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        column = pa.chunked_array([chunk.dictionary.take(chunk.indices.unique()) for chunk in column.chunks], kind)
    if not _has_order(kind):
        return None, None, nulls
    least, greatest = (_value(pc.min_max(column)[name]) for name in ("min", "max"))
    if pa.types.is_floating(kind) and pc.any(pc.is_nan(column)).as_py():
        greatest = None
    return least, greatest, nulls


def _unbounded(kind: pa.DataType, bounds: Bounds) -> bool:
    """Whether there may be NaN: Parquet leaves it out of the bounds, and readers to whom it is above all numbers would
    pass over it.
    """
    return bool(_children(kind)) or (pa.types.is_floating(kind) and bounds[1] is None)


def _has_order(kind: pa.DataType) -> bool:
    """Whether bounds of it are kept."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_timestamp, pa.types.is_date32)
    return any(test(kind) for test in tests) or kind in (pa.utf8(), pa.large_utf8())


def _value(scalar: pa.Scalar) -> Any:
    if pa.types.is_timestamp(scalar.type):
        return scalar.cast(pa.timestamp("ns")).value
    value = scalar.as_py()
    return None if isinstance(value, str) and (len(value.encode()) > _LONGEST or "\0" in value) else value
