"""Which Parquet files make a view's table: DuckLake 1.0 (https://ducklake.select), in the schema `ducklake`.

A commit is one DuckLake snapshot, made inside the caller's transaction, which must be READ COMMITTED and does best to
commit soon: others who commit wait for its end. Files that were replaced and tables that were dropped are there for
readers of older snapshots until those expire. The columns of a table never change.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Collection, Sequence
from typing import Any, Final

import pyarrow as pa

from tachy_server.base.errors import QueryError, StoreError
from tachy_server.formats.parquet import DataFile, fields
from tachy_server.lake.database import Connection
from tachy_server.lake.segments import Select

_LOCK_CATALOG: Final = 0x74616368_0003
_SECOND: Final = 10**9

_LOCK: Final = "SELECT pg_advisory_xact_lock(%s)"
_ADVANCE: Final = """
WITH last AS (SELECT * FROM ducklake.ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1),
next AS (
    INSERT INTO ducklake.ducklake_snapshot
    SELECT snapshot_id + 1, clock_timestamp(), schema_version + %(schema)s, next_catalog_id + %(tables)s,
        next_file_id + %(files)s FROM last
    RETURNING snapshot_id, schema_version
), changes AS (
    INSERT INTO ducklake.ducklake_snapshot_changes (snapshot_id, changes_made)
    SELECT snapshot_id, %(changes)s FROM next
)
SELECT next.snapshot_id, next.schema_version, last.next_catalog_id, last.next_file_id FROM next, last
"""
_ADD_VERSION: Final = "INSERT INTO ducklake.ducklake_schema_versions VALUES (%s, %s, %s)"
_ADD_TABLE: Final = """
INSERT INTO ducklake.ducklake_table (table_id, table_uuid, begin_snapshot, schema_id, table_name, path,
    path_is_relative)
VALUES (%s, %s, %s, 0, %s, '', true)
"""
_ADD_COLUMN: Final = """
INSERT INTO ducklake.ducklake_column (column_id, begin_snapshot, table_id, column_order, column_name, column_type,
    default_value, nulls_allowed, parent_column, default_value_type, default_value_dialect)
VALUES (%s, %s, %s, %s, %s, %s, 'NULL', true, %s, 'literal', 'duckdb')
"""
_ADD_COUNTS: Final = "INSERT INTO ducklake.ducklake_table_stats VALUES (%s, 0, 0, 0)"
_END_TABLE: Final = """
WITH files AS (
    UPDATE ducklake.ducklake_data_file SET end_snapshot = %(end)s WHERE table_id = %(table)s AND end_snapshot IS NULL
), columns AS (
    UPDATE ducklake.ducklake_column SET end_snapshot = %(end)s WHERE table_id = %(table)s
)
UPDATE ducklake.ducklake_table SET end_snapshot = %(end)s WHERE table_id = %(table)s
"""
_COLUMNS: Final = """
SELECT column_name, column_id, column_type FROM ducklake.ducklake_column
WHERE table_id = %s AND parent_column IS NULL AND end_snapshot IS NULL ORDER BY column_order
"""
_END_FILES: Final = """
WITH files AS (
    UPDATE ducklake.ducklake_data_file SET end_snapshot = %s
    WHERE table_id = %s AND end_snapshot IS NULL AND path = ANY(%s)
    RETURNING record_count, file_size_bytes
)
SELECT count(*), coalesce(sum(record_count), 0)::bigint, coalesce(sum(file_size_bytes), 0)::bigint FROM files
"""
_COUNT: Final = """
UPDATE ducklake.ducklake_table_stats SET next_row_id = next_row_id + %(new)s,
    record_count = record_count + %(new)s - %(old)s, file_size_bytes = file_size_bytes + %(bytes)s
WHERE table_id = %(table)s RETURNING next_row_id - %(new)s
"""
_ADD_FILE: Final = """
INSERT INTO ducklake.ducklake_data_file (data_file_id, table_id, begin_snapshot, path, path_is_relative, file_format,
    record_count, file_size_bytes, footer_size, row_id_start)
VALUES (%s, %s, %s, %s, true, 'parquet', %s, %s, %s, %s)
"""
_ADD_BOUNDS: Final = """
INSERT INTO ducklake.ducklake_file_column_stats (data_file_id, table_id, column_id, value_count, null_count, min_value,
    max_value, contains_nan)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_FILES: Final = """
SELECT f.path, f.file_size_bytes, f.record_count, s.min_value, s.max_value FROM ducklake.ducklake_data_file AS f
JOIN ducklake.ducklake_column AS c ON c.table_id = f.table_id AND c.column_name = %s AND c.parent_column IS NULL
JOIN ducklake.ducklake_file_column_stats AS s ON s.data_file_id = f.data_file_id AND s.column_id = c.column_id
WHERE f.table_id = %s AND f.end_snapshot IS NULL ORDER BY f.data_file_id
"""
_TOTALS: Final = """
SELECT count(*), coalesce(sum(record_count), 0)::bigint, coalesce(sum(file_size_bytes), 0)::bigint
FROM ducklake.ducklake_data_file WHERE table_id = %s AND end_snapshot IS NULL
"""
_ROWS: Final = """
SELECT path, record_count FROM ducklake.ducklake_data_file WHERE table_id = %s AND end_snapshot IS NULL ORDER BY 1
"""
_WRITTEN: Final = """
SELECT f.path, (extract(epoch FROM coalesce(s.snapshot_time, o.snapshot_time)) * 1000000000)::bigint
FROM ducklake.ducklake_data_file AS f LEFT JOIN ducklake.ducklake_snapshot AS s ON s.snapshot_id = f.begin_snapshot,
    (SELECT min(snapshot_time) AS snapshot_time FROM ducklake.ducklake_snapshot) AS o
WHERE f.table_id = %s AND f.end_snapshot IS NULL
"""
# The oldest snapshot that is kept is the one that was the newest at that time.
_EXPIRE: Final = """
WITH expired AS (
    DELETE FROM ducklake.ducklake_snapshot WHERE snapshot_id < (
        SELECT max(snapshot_id) FROM ducklake.ducklake_snapshot WHERE snapshot_time <= %s
    ) RETURNING snapshot_id
)
DELETE FROM ducklake.ducklake_snapshot_changes WHERE snapshot_id IN (SELECT snapshot_id FROM expired)
"""
_FORGET_FILES: Final = """
WITH files AS (
    DELETE FROM ducklake.ducklake_data_file
    WHERE end_snapshot <= (SELECT min(snapshot_id) FROM ducklake.ducklake_snapshot) RETURNING data_file_id, path
), bounds AS (
    DELETE FROM ducklake.ducklake_file_column_stats WHERE data_file_id IN (SELECT data_file_id FROM files)
)
SELECT path FROM files ORDER BY 1
"""
_FORGET: Final = """
WITH files AS (
    DELETE FROM ducklake.ducklake_data_file WHERE path = ANY(%s)
    RETURNING data_file_id, table_id, end_snapshot, record_count, file_size_bytes
), bounds AS (
    DELETE FROM ducklake.ducklake_file_column_stats WHERE data_file_id IN (SELECT data_file_id FROM files)
)
UPDATE ducklake.ducklake_table_stats AS t
SET record_count = t.record_count - f.record_count, file_size_bytes = t.file_size_bytes - f.file_size_bytes
FROM (SELECT table_id, sum(record_count) AS record_count, sum(file_size_bytes) AS file_size_bytes FROM files
      WHERE end_snapshot IS NULL GROUP BY table_id) AS f
WHERE t.table_id = f.table_id
"""
_FORGET_TABLES: Final = """
WITH tables AS (
    DELETE FROM ducklake.ducklake_table
    WHERE end_snapshot <= (SELECT min(snapshot_id) FROM ducklake.ducklake_snapshot) RETURNING table_id
), columns AS (
    DELETE FROM ducklake.ducklake_column WHERE table_id IN (SELECT table_id FROM tables)
), versions AS (
    DELETE FROM ducklake.ducklake_schema_versions WHERE table_id IN (SELECT table_id FROM tables)
)
DELETE FROM ducklake.ducklake_table_stats WHERE table_id IN (SELECT table_id FROM tables)
"""
_LOCATE: Final = """
WITH known AS (UPDATE ducklake.ducklake_metadata SET value = %(url)s WHERE key = 'data_path' RETURNING 1)
INSERT INTO ducklake.ducklake_metadata (key, value) SELECT 'data_path', %(url)s WHERE NOT EXISTS (SELECT FROM known)
"""

_TYPES: Final = {
    pa.bool_(): "boolean",
    pa.int8(): "int8",
    pa.int16(): "int16",
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.uint8(): "uint8",
    pa.uint16(): "uint16",
    pa.uint32(): "uint32",
    pa.uint64(): "uint64",
    pa.float32(): "float32",
    pa.float64(): "float64",
    pa.utf8(): "varchar",
    pa.large_utf8(): "varchar",
    pa.binary(): "blob",
    pa.large_binary(): "blob",
    pa.date32(): "date",
}


def create_table(connection: Connection, name: str, schema: pa.Schema) -> int:
    """An empty table, and its id, which no other gets. Raises QueryError for a column of a type that files cannot have,
    psycopg.errors.UniqueViolation when there is a table of that name.
    """
    columns = [(field, _type(field.name, field.type)) for field in fields(schema)]
    with connection.transaction():
        quoted = name.replace('"', '""')
        change = f'created_table:"main"."{quoted}"'
        number, version, table_id, _ = _advance(connection, change, schema=1, tables=1)
        connection.execute(_ADD_TABLE, (table_id, uuid.uuid4(), number, name))
        connection.execute(_ADD_VERSION, (number, version, table_id))
        connection.execute(_ADD_COUNTS, (table_id,))
        with connection.cursor() as cursor:
            cursor.executemany(
                _ADD_COLUMN,
                [
                    (field.number, number, table_id, field.number, field.name, kind, field.parent)
                    for field, kind in columns
                ],
            )
    return table_id


def drop_table(connection: Connection, table_id: int) -> None:
    """The table and its files, which stay until the snapshots that saw them expire."""
    with connection.transaction():
        number, *_ = _advance(connection, f"dropped_table:{table_id}", schema=1)
        connection.execute(_END_TABLE, {"end": number, "table": table_id})


def commit(connection: Connection, table_id: int, added: Sequence[DataFile], removed: Collection[str]) -> int:
    """Files that come and files (their keys) that go, at once; returns the number of the snapshot. Raises StoreError
    when one of those that go is not there any more.
    """
    changes = [f"inserted_into_table:{table_id}"] * bool(added) + [f"deleted_from_table:{table_id}"] * bool(removed)
    new = sum(file.rows for file in added)
    with connection.transaction():
        number, _, _, first = _advance(connection, ",".join(changes), files=len(added))
        ((gone, old, bytes_gone),) = connection.execute(_END_FILES, (number, table_id, list(removed)))
        if gone != len(removed):
            raise StoreError(f"of {len(removed)} files that were to be replaced {gone} are there")
        size = sum(file.size for file in added) - bytes_gone
        ((row_id,),) = connection.execute(_COUNT, {"new": new, "old": old, "bytes": size, "table": table_id})
        columns = {name: (column_id, kind) for name, column_id, kind in connection.execute(_COLUMNS, (table_id,))}
        with connection.cursor() as cursor:
            for file_id, file in enumerate(added, first):
                values = (file_id, table_id, number, file.key, file.rows, file.size, file.footer_size, row_id)
                cursor.execute(_ADD_FILE, values)
                row_id += file.rows
            cursor.executemany(
                _ADD_BOUNDS,
                [
                    (file_id, table_id, *_bounds(file, name, *columns[name]))
                    for file_id, file in enumerate(added, first)
                    for name in file.columns
                ],
            )
    return int(number)


def files(select: Select, table_id: int, time: str) -> list[tuple[str, int, int, int | None, int | None]]:
    """The files of a table now: key, bytes, rows, and the bounds of a time column, in nanoseconds; None where it is
    NULL everywhere.
    """
    return [
        (key, size, rows, _nanoseconds(least), _nanoseconds(greatest))
        for key, size, rows, least, greatest in select(_FILES, (time, table_id))
    ]


def totals(select: Select, table_id: int) -> tuple[int, int, int]:
    """Files of a table now, their rows and bytes."""
    ((count, rows, size),) = select(_TOTALS, (table_id,))
    return count, rows, size


def rows(connection: Connection, table_id: int) -> dict[str, int]:
    """Of the files of a table now the keys, and how many rows they have."""
    return dict(connection.execute(_ROWS, (table_id,)).fetchall())


def columns(select: Select, table_id: int) -> list[tuple[str, str]]:
    """Names and DuckLake's types of the columns of a table, in their order."""
    return [(name, kind) for name, _, kind in select(_COLUMNS, (table_id,))]


def written(select: Select, table_id: int) -> dict[str, int]:
    """Of the files of a table now, when the snapshots with them were made, UTC nanoseconds; of one that has expired,
    when the oldest was that has not.
    """
    return dict(select(_WRITTEN, (table_id,)))


def expire(connection: Connection, older_than: int) -> list[str]:
    """Forgets the snapshots that were over before that time; returns the keys of files that no other sees. The caller
    removes the objects (segments.remove_later), in the same transaction.
    """
    with connection.transaction():
        time = datetime.datetime.fromtimestamp(older_than / _SECOND, datetime.UTC)
        connection.execute(_EXPIRE, (time,))
        connection.execute(_FORGET_TABLES)
        return [key for (key,) in connection.execute(_FORGET_FILES)]


def sizes(connection: Connection) -> dict[str, int]:
    """Keys and bytes of all files that any snapshot has."""
    return dict(connection.execute("SELECT path, file_size_bytes FROM ducklake.ducklake_data_file").fetchall())


def forget(connection: Connection, keys: Sequence[str]) -> None:
    """Files whose objects are gone: no snapshot has them any more."""
    connection.execute(_FORGET, (list(keys),))


def locate(connection: Connection, url: str) -> None:
    """Says in the catalog where the store is: a folder or s3://bucket/prefix, with a slash at its end."""
    connection.execute(_LOCATE, {"url": url})


def _advance(
    connection: Connection, changes: str, *, schema: int = 0, tables: int = 0, files: int = 0
) -> tuple[int, int, int, int]:
    """A new snapshot: its number, the version of the schema, and the first of as many new ids of tables and files."""
    connection.execute(_LOCK, (_LOCK_CATALOG,))
    values = {"changes": changes, "schema": schema, "tables": tables, "files": files}
    ((number, version, table_id, file_id),) = connection.execute(_ADVANCE, values)
    return number, version, table_id, file_id


def _type(name: str, kind: pa.DataType) -> str:
    """DuckLake's name of it."""
    if pa.types.is_dictionary(kind):
        return _type(name, kind.value_type)
    if pa.types.is_struct(kind):
        return "struct"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "list"
    if pa.types.is_map(kind):
        return "map"
    if pa.types.is_timestamp(kind):
        return {"ns": "timestamp_ns", "us": "timestamp", "ms": "timestamp_ms", "s": "timestamp_s"}[kind.unit]
    if pa.types.is_decimal128(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if kind not in _TYPES:
        raise QueryError(f"the column {name} has the type {kind}, which files cannot have: cast it to another")
    return _TYPES[kind]


def _bounds(file: DataFile, name: str, column_id: int, kind: str) -> tuple[Any, ...]:
    least, greatest, nulls = file.columns[name]
    nan = greatest is None if kind.startswith("float") else None
    return column_id, file.rows - nulls, nulls, _text(least, kind), _text(greatest, kind), nan


def _text(value: Any, kind: str) -> str | None:
    """As DuckLake writes a bound."""
    if value is None:
        return None
    if kind.startswith("timestamp"):
        seconds, fraction = divmod(value, _SECOND)
        time = datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None)
        return f"{time.isoformat(' ')}.{fraction:09d}"
    return str(value).lower() if kind == "boolean" else str(value)


def _nanoseconds(text: str | None) -> int | None:
    if text is None:
        return None
    time = datetime.datetime.fromisoformat(text[:19] + "+00:00")
    return int(time.timestamp()) * _SECOND + int(text[20:])
