"""`list_partitions`: the files of materialized views, with Micromegas's columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from tachy_server.lake import catalog
from tachy_server.lake.catalog import Listed
from tachy_server.query.materialized import known
from tachy_server.query.materialized.known import Stored
from tachy_server.views.declarations import TIME
from tachy_server.views.tables import Part, Scan, Session, Table, project

GLOBAL: Final = "global"
SCHEMA: Final = pa.schema(
    [
        pa.field("view_set_name", pa.utf8()),
        pa.field("view_instance_id", pa.utf8()),
        pa.field("begin_insert_time", TIME),
        pa.field("end_insert_time", TIME),
        pa.field("min_event_time", TIME),
        pa.field("max_event_time", TIME),
        pa.field("updated", TIME),
        pa.field("file_path", pa.utf8()),
        pa.field("file_size", pa.int64()),
        pa.field("file_schema_hash", pa.binary()),
        pa.field("source_data_hash", pa.binary()),
        pa.field("num_rows", pa.int64()),
        pa.field("partition_format_version", pa.int32()),
        pa.field("sort_order", pa.list_(pa.utf8())),
        pa.field("max_sort_key_time", TIME),
    ]
)


def schema_text(schema: pa.Schema) -> str:
    """The columns of a view, as list_view_sets shows them."""
    return ", ".join(f"{entry.name} {entry.type}" for entry in schema)


def schema_hash(schema: pa.Schema) -> bytes:
    """What differs where the columns do."""
    return hashlib.sha256(schema_text(schema).encode()).digest()[:8]


def table(session: Session) -> Table:
    """A row for each file; none for who may not see all processes."""

    def rows(scan: Scan) -> Iterator[Part]:
        found: list[dict[str, Any]] = []
        with session.moment() as snapshot:
            if snapshot.processes() is None:
                for view in known.everything(session.metadata.materialized_views(snapshot)).values():
                    if view.table_id is not None:
                        files = catalog.listed(snapshot.select, view.table_id, view.definition.time)
                        found += [_row(session, view, file) for file in files]
        yield lambda: iter([project(pa.RecordBatch.from_pylist(found, SCHEMA), scan)])

    return Table(session, "list_partitions", SCHEMA, rows)


def _row(session: Session, view: Stored, file: Listed) -> dict[str, Any]:
    """What it says of a file; the rest is NULL."""
    ours = session.views.get(view.name)
    return {
        "view_set_name": view.name,
        "view_instance_id": GLOBAL,
        "min_event_time": file.first,
        "max_event_time": file.last,
        "updated": file.added,
        "file_path": file.key,
        "file_size": file.size,
        "file_schema_hash": None if ours is None else schema_hash(ours.schema),
        "num_rows": file.rows,
        "sort_order": None if view.definition.sort is None else view.definition.sort.split(", "),
    }
