"""What FlightSQL clients ask about the server itself: catalogs, schemas, tables, types, keys, capabilities.

Everything is computed on the spot from the engine's list of tables; schemas are those of format/FlightSql.proto.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tachy_server.base.plain_types import plain_schema
from tachy_server.flight import messages
from tachy_server.flight.column_metadata import described
from tachy_server.flight.messages import given
from tachy_server.flight.sql_info import SQL_INFO, sql_info
from tachy_server.query.tokens import quoted

if TYPE_CHECKING:
    from tachy_server.query.workers.pool import Workers

CATALOG = "tachy"
SCHEMA = "public"
INFORMATION_SCHEMA = "information_schema"
INFORMATION_VIEWS = ("columns", "df_settings", "parameters", "routines", "schemata", "tables", "views")
TABLE_TYPES = ("TABLE", "VIEW")
_TYPE_ALIASES = {"BASE TABLE": "TABLE", "SYSTEM TABLE": "VIEW", "SYSTEM VIEW": "VIEW"}

_text, _flag, _int32, _uint8 = pa.string(), pa.bool_(), pa.int32(), pa.uint8()


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


CATALOGS = pa.schema([_required("catalog_name", _text)])
DB_SCHEMAS = pa.schema([pa.field("catalog_name", _text), _required("db_schema_name", _text)])
TABLES = pa.schema(
    [
        pa.field("catalog_name", _text),
        pa.field("db_schema_name", _text),
        _required("table_name", _text),
        _required("table_type", _text),
    ]
)
TABLES_WITH_SCHEMA = TABLES.append(_required("table_schema", pa.binary()))
TABLE_TYPES_SCHEMA = pa.schema([_required("table_type", _text)])
PRIMARY_KEYS = pa.schema(
    [
        pa.field("catalog_name", _text),
        pa.field("db_schema_name", _text),
        _required("table_name", _text),
        _required("column_name", _text),
        _required("key_sequence", _int32),
        pa.field("key_name", _text),
    ]
)
FOREIGN_KEYS = pa.schema(
    [
        pa.field("pk_catalog_name", _text),
        pa.field("pk_db_schema_name", _text),
        _required("pk_table_name", _text),
        _required("pk_column_name", _text),
        pa.field("fk_catalog_name", _text),
        pa.field("fk_db_schema_name", _text),
        _required("fk_table_name", _text),
        _required("fk_column_name", _text),
        _required("key_sequence", _int32),
        pa.field("fk_key_name", _text),
        pa.field("pk_key_name", _text),
        _required("update_rule", _uint8),
        _required("delete_rule", _uint8),
    ]
)
XDBC_TYPES = pa.schema(
    [
        _required("type_name", _text),
        _required("data_type", _int32),
        pa.field("column_size", _int32),
        pa.field("literal_prefix", _text),
        pa.field("literal_suffix", _text),
        pa.field("create_params", pa.list_(_required("item", _text))),
        _required("nullable", _int32),
        _required("case_sensitive", _flag),
        _required("searchable", _int32),
        pa.field("unsigned_attribute", _flag),
        _required("fixed_prec_scale", _flag),
        pa.field("auto_increment", _flag),
        pa.field("local_type_name", _text),
        pa.field("minimum_scale", _int32),
        pa.field("maximum_scale", _int32),
        _required("sql_data_type", _int32),
        pa.field("datetime_subcode", _int32),
        pa.field("num_prec_radix", _int32),
        pa.field("interval_precision", _int32),
    ]
)

# name, XDBC number, size in digits or characters, quote, datetime subcode, radix, unsigned
_XDBC_ROWS: tuple[tuple[str, int, int | None, str | None, int | None, int | None, bool], ...] = (
    ("BOOLEAN", -7, 1, None, None, None, False),
    ("TINYINT", -6, 3, None, None, 10, False),
    ("SMALLINT", 5, 5, None, None, 10, False),
    ("INTEGER", 4, 10, None, None, 10, False),
    ("INTEGER UNSIGNED", 4, 10, None, None, 10, True),
    ("BIGINT", -5, 19, None, None, 10, False),
    ("BIGINT UNSIGNED", -5, 20, None, None, 10, True),
    ("REAL", 7, 24, None, None, 2, False),
    ("DOUBLE", 8, 53, None, None, 2, False),
    ("DECIMAL", 3, 38, None, None, 10, False),
    ("VARCHAR", 12, None, "'", None, None, False),
    ("VARBINARY", -3, None, "'", None, None, False),
    ("DATE", 91, 10, "'", 1, None, False),
    ("TIME", 92, 18, "'", 2, None, False),
    ("TIMESTAMP", 93, 29, "'", 3, None, False),
)


def like(pattern: str | None) -> Callable[[str], bool]:
    """A test for a SQL LIKE pattern: % any text, _ one character, backslash escapes. None lets everything pass."""
    if pattern is None:
        return lambda _name: True
    parts: list[str] = []
    escaped = False
    for character in pattern:
        if escaped:
            parts.append(re.escape(character))
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            parts.append({"%": ".*", "_": "."}.get(character, re.escape(character)))
    if escaped:
        parts.append(re.escape("\\"))
    matches = re.compile("".join(parts), re.DOTALL).fullmatch
    return lambda name: matches(name) is not None


_SCHEMAS: dict[Any, pa.Schema] = {
    messages.CommandGetCatalogs: CATALOGS,
    messages.CommandGetDbSchemas: DB_SCHEMAS,
    messages.CommandGetTables: TABLES,
    messages.CommandGetTableTypes: TABLE_TYPES_SCHEMA,
    messages.CommandGetSqlInfo: SQL_INFO,
    messages.CommandGetXdbcTypeInfo: XDBC_TYPES,
    messages.CommandGetPrimaryKeys: PRIMARY_KEYS,
    messages.CommandGetExportedKeys: FOREIGN_KEYS,
    messages.CommandGetImportedKeys: FOREIGN_KEYS,
    messages.CommandGetCrossReference: FOREIGN_KEYS,
}


def schema_of(command: Any) -> pa.Schema | None:
    """The schema that answers a metadata command; None for any other command."""
    if isinstance(command, messages.CommandGetTables) and command.include_schema:
        return TABLES_WITH_SCHEMA
    return _SCHEMAS.get(type(command))


def answer(command: Any, engine: Workers, *, preserve_dictionary: bool = False) -> pa.Table:
    """The rows that answer a metadata command, which `schema_of` knows."""
    match command:
        case messages.CommandGetCatalogs():
            return _rows(CATALOGS, [(CATALOG,)])
        case messages.CommandGetDbSchemas():
            catalog, matches = given(command, "catalog"), like(given(command, "db_schema_filter_pattern"))
            names = [name for name in (SCHEMA, INFORMATION_SCHEMA) if matches(name) and catalog in (None, CATALOG)]
            return _rows(DB_SCHEMAS, [(CATALOG, name) for name in names])
        case messages.CommandGetTables():
            return _tables(command, engine, preserve_dictionary)
        case messages.CommandGetTableTypes():
            return _rows(TABLE_TYPES_SCHEMA, [(name,) for name in TABLE_TYPES])
        case messages.CommandGetSqlInfo(info=numbers):
            return sql_info(numbers)
        case messages.CommandGetXdbcTypeInfo():
            number = given(command, "data_type")
            return _rows(XDBC_TYPES, [_xdbc_row(*row) for row in _XDBC_ROWS if number in (None, row[1])])
    schema = _SCHEMAS[type(command)]
    return schema.empty_table()  # views have no keys


def _tables(command: Any, engine: Workers, preserve_dictionary: bool) -> pa.Table:
    schema_matches = like(given(command, "db_schema_filter_pattern"))
    name_matches = like(given(command, "table_name_filter_pattern"))
    wanted = {_TYPE_ALIASES.get(kind, kind) for kind in (name.strip().upper() for name in command.table_types)}
    rows: list[tuple[Any, ...]] = []

    def add(schema_name: str, name: str, kind: str, schema: Callable[[], pa.Schema]) -> None:
        if not name_matches(name) or (wanted and kind not in wanted):
            return
        row: tuple[Any, ...] = (CATALOG, schema_name, name, kind)
        if command.include_schema:
            found = schema() if preserve_dictionary else plain_schema(schema())
            row += (described(found, (CATALOG, schema_name, name)).serialize().to_pybytes(),)
        rows.append(row)

    if given(command, "catalog") in (None, CATALOG):
        if schema_matches(SCHEMA):  # what people look for comes before what describes it
            for info in sorted(engine.tables(), key=lambda info: info.name):
                add(SCHEMA, info.name, "TABLE", lambda info=info: info.schema)  # type: ignore[misc]
            for name in engine.made_by_users():
                sql = f"SELECT * FROM {quoted(name)}"
                add(SCHEMA, name, "TABLE", partial(_schema, engine, sql))
        if schema_matches(INFORMATION_SCHEMA):
            for name in INFORMATION_VIEWS:
                sql = f"SELECT * FROM {INFORMATION_SCHEMA}.{name}"
                add(INFORMATION_SCHEMA, name, "VIEW", partial(_schema, engine, sql))
    return _rows(TABLES_WITH_SCHEMA if command.include_schema else TABLES, rows)


def _schema(engine: Workers, sql: str) -> pa.Schema:
    return engine.plan(sql).schema


def _xdbc_row(
    name: str, number: int, size: int | None, quote: str | None, subcode: int | None, radix: int | None, unsigned: bool
) -> tuple[Any, ...]:
    nullable, searchable = 1, 3
    is_text = name == "VARCHAR"
    is_time = subcode is not None
    return (
        *(name, number, size, quote, quote, None, nullable, is_text, searchable, unsigned, False, False, name),
        *(0 if name == "DECIMAL" else None, 38 if name == "DECIMAL" else None, 9 if is_time else number, subcode),
        *(radix, None),
    )


def _rows(schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )
