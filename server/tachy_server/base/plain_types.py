"""Types as clients get them: text instead of dictionaries, and no views or large text, which few clients read.

At every depth: what is inside lists, structs and maps too. To check: pytest tests/wire/test_types.py.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

_PLAIN: Final = {
    pa.string_view(): pa.utf8(),
    pa.large_utf8(): pa.utf8(),
    pa.binary_view(): pa.binary(),
    pa.large_binary(): pa.binary(),
}


def plain_schema(schema: pa.Schema, *, keep_dictionaries: bool = False) -> pa.Schema:
    """The schema in plain types; dictionaries stay if wanted, of plain values."""
    return pa.schema([_field(entry, keep_dictionaries) for entry in schema], metadata=schema.metadata)


def to_plain(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with the types of `schema`, which is a plain one of its own schema."""
    if not batch.num_columns:
        return batch
    arrays = [_convert(array, entry.type) for array, entry in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _convert(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    if pa.types.is_dictionary(array.type):
        if pa.types.is_dictionary(kind):
            return pa.DictionaryArray.from_arrays(array.indices, _convert(array.dictionary, kind.value_type))
        return _convert(array.dictionary, kind).take(array.indices)
    # Arrow's casts reach into nested types, but do not decode dictionaries of views.
    return array.cast(_type(array.type, keep_dictionaries=True)).cast(kind)


def _field(field: pa.Field, keep_dictionaries: bool) -> pa.Field:
    return field.with_type(_type(field.type, keep_dictionaries))


def _type(kind: pa.DataType, keep_dictionaries: bool) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        value = _type(kind.value_type, keep_dictionaries)
        return pa.dictionary(kind.index_type, value, kind.ordered) if keep_dictionaries else value
    if pa.types.is_map(kind):
        key, item = (_field(field, keep_dictionaries) for field in (kind.key_field, kind.item_field))
        return pa.map_(key, item, kind.keys_sorted)
    if pa.types.is_struct(kind):
        return pa.struct([_field(kind.field(at), keep_dictionaries) for at in range(kind.num_fields)])
    if pa.types.is_list(kind) or pa.types.is_list_view(kind):
        return pa.list_(_field(kind.value_field, keep_dictionaries))
    if pa.types.is_large_list(kind) or pa.types.is_large_list_view(kind):
        return pa.large_list(_field(kind.value_field, keep_dictionaries))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_field(kind.value_field, keep_dictionaries), kind.list_size)
    return _PLAIN.get(kind, kind)
