"""What FlightSQL says of a column in its field's metadata: the name of its type in SQL, and where it comes from."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

_PREFIX: Final = "ARROW:FLIGHT:SQL:"
_NAMES: Final = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint8(): "SMALLINT UNSIGNED",
    pa.uint16(): "INTEGER UNSIGNED",
    pa.uint32(): "INTEGER UNSIGNED",
    pa.uint64(): "BIGINT UNSIGNED",
    pa.float16(): "REAL",
    pa.float32(): "REAL",
    pa.float64(): "DOUBLE",
    pa.utf8(): "VARCHAR",
    pa.large_utf8(): "VARCHAR",
    pa.string_view(): "VARCHAR",
    pa.binary(): "VARBINARY",
    pa.large_binary(): "VARBINARY",
    pa.binary_view(): "VARBINARY",
    pa.date32(): "DATE",
    pa.date64(): "DATE",
    pa.null(): "NULL",
}


def type_name(kind: pa.DataType) -> str:
    """The type's name in SQL, as CommandGetXdbcTypeInfo lists them; a dictionary is what its values are."""
    if pa.types.is_dictionary(kind):
        return type_name(kind.value_type)
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP"
    if pa.types.is_time(kind):
        return "TIME"
    if pa.types.is_decimal(kind):
        return "DECIMAL"
    if pa.types.is_duration(kind) or pa.types.is_interval(kind):
        return "INTERVAL"
    if pa.types.is_map(kind):
        return "MAP"
    if pa.types.is_struct(kind):
        return "STRUCT"
    if kind.num_fields == 1:
        return "ARRAY"
    return _NAMES.get(kind, str(kind).upper())


def described(schema: pa.Schema, origin: tuple[str, str, str] | None = None) -> pa.Schema:
    """The schema with FlightSQL's metadata; `origin` is the catalog, schema and table that the columns are of."""
    return pa.schema([_described(entry, origin) for entry in schema], metadata=schema.metadata)


def _described(entry: pa.Field, origin: tuple[str, str, str] | None) -> pa.Field:
    kind = type_name(entry.type)
    facts = {
        "TYPE_NAME": kind,
        "IS_AUTO_INCREMENT": "0",
        "IS_CASE_SENSITIVE": "1" if kind == "VARCHAR" else "0",
        "IS_READ_ONLY": "1",
        "IS_SEARCHABLE": "1",
    }
    if pa.types.is_decimal(entry.type):
        facts |= {"PRECISION": str(entry.type.precision), "SCALE": str(entry.type.scale)}
    if origin is not None:
        facts |= dict(zip(("CATALOG_NAME", "SCHEMA_NAME", "TABLE_NAME"), origin, strict=True))
    told = {(_PREFIX + name).encode(): text.encode() for name, text in facts.items()}
    return entry.with_metadata({**(entry.metadata or {}), **told})
