"""`parse_block`: what one block holds, event by event, as JSON. For looking into a block, not for many of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final
from uuid import UUID

import pyarrow as pa

from tachy_server.formats.reader import LOG, METRIC, SPAN
from tachy_server.lake.blocks import Blocks
from tachy_server.views.declarations import ASYNC_EVENTS, JSON, LOG_ENTRIES, MEASURES, View
from tachy_server.views.declarations import THREAD_SPANS as SPANS
from tachy_server.views.decode import Wanted, decode
from tachy_server.views.tables import Part, Scan, Session, Table, project

SCHEMA: Final = pa.schema(
    [pa.field("object_index", pa.int64()), pa.field("type_name", pa.utf8()), pa.field("value", JSON)]
)
_ROWS: Final = 4096
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_VIEWS: Final[dict[int, tuple[tuple[str, View, tuple[str, ...]], ...]]] = {
    LOG: (("log", LOG_ENTRIES, ("stream_id", "time", "target", "level", "msg", "properties")),),
    METRIC: (("metric", MEASURES, ("stream_id", "time", "target", "name", "unit", "value", "properties")),),
    SPAN: (
        (
            "span",
            SPANS,
            ("stream_id", "id", "parent", "depth", "begin", "end", "name", "target", "filename", "line", "properties"),
        ),
        (
            "async",
            ASYNC_EVENTS,
            (
                "stream_id",
                "time",
                "event_type",
                "span_id",
                "parent_span_id",
                "depth",
                "name",
                "target",
                "filename",
                "properties",
            ),
        ),
    ),
}


def table(session: Session, block_id: UUID) -> Table:
    """Rows for one block, none when there is no such block. Times in the JSON are UTC nanoseconds."""

    def rows(scan: Scan) -> Iterator[Part]:
        with session.moment() as snapshot:
            blocks = snapshot.select_blocks(0, block_ids={block_id})
        yield lambda: (project(batch, scan) for batch in _rows_of(session, blocks))

    return Table(session, "parse_block", SCHEMA, rows)


def _rows_of(session: Session, blocks: Blocks) -> Iterator[pa.RecordBatch]:
    session.blocks_read += len(blocks)
    for row in blocks:  # one, or none
        batches = [
            (decode(session.lake, view, blocks, Wanted(), names, {}), name) for name, view, names in _VIEWS[row.cls]
        ]
        yield from _events(session, batches)


def _events(session: Session, batches: list[tuple[Iterator[pa.RecordBatch], str]]) -> Iterator[pa.RecordBatch]:
    index = 0
    for decoded, name in batches:
        for batch in decoded:
            for start in range(0, batch.num_rows, _ROWS):
                session.check()
                values = [_value(entry) for entry in _plain(batch.slice(start, _ROWS)).to_pylist()]
                yield _batch(index, name, values)
                index += len(values)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    arrays = [array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array for array in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _value(entry: dict[str, object]) -> str:
    if "properties" in entry:
        entry["properties"] = json.loads(str(entry["properties"]))
    return _ENCODER.encode(entry)


def _batch(index: int, name: str, values: list[str]) -> pa.RecordBatch:
    count = len(values)
    arrays = [
        pa.array(range(index, index + count), pa.int64()),
        pa.array([name] * count, pa.utf8()),
        pa.array(values, pa.utf8()).dictionary_encode(),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
