"""Record batches cut into messages that every client accepts: gRPC in Go takes 4 MB unless told otherwise.

Sizes are bytes of Arrow buffers; dictionaries do not count, since every message repeats them whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

MESSAGE_BYTES = 2 << 20


def pieces(batch: pa.RecordBatch, target: int = MESSAGE_BYTES) -> Iterator[pa.RecordBatch]:
    """Slices of the batch of about `target` bytes each, never less than a row; an empty batch is one piece."""
    size = sum(_row_bytes(column) for column in batch.columns)
    if size <= target or batch.num_rows <= 1:
        yield batch
        return
    count = min(-(-size // target), batch.num_rows)
    rows = -(-batch.num_rows // count)
    for start in range(0, batch.num_rows, rows):
        piece = batch.slice(start, rows)
        if piece.num_rows < batch.num_rows:
            yield from pieces(piece, target)


def _row_bytes(column: pa.Array) -> int:
    """Bytes that grow with the rows."""
    if isinstance(column, pa.DictionaryArray):
        return int(column.indices.nbytes)
    if isinstance(column, (pa.ListArray, pa.LargeListArray)):
        return 8 * len(column) + _row_bytes(column.flatten())
    if isinstance(column, pa.StructArray):
        return sum(_row_bytes(child) for child in column.flatten())
    return int(column.nbytes)


def has_dictionary(schema: pa.Schema) -> bool:
    """Whether any column, at any depth, is dictionary encoded."""
    return any(_holds_dictionary(field.type) for field in schema)


def _holds_dictionary(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return True
    return any(_holds_dictionary(kind.field(at).type) for at in range(kind.num_fields))


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema without dictionaries and views, which many clients cannot read: values of plain types instead."""
    return pa.schema([field.with_type(_plain_type(field.type)) for field in schema], metadata=schema.metadata)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_type(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_plain_type(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([kind.field(at).with_type(_plain_type(kind.field(at).type)) for at in range(kind.num_fields)])
    return kind
