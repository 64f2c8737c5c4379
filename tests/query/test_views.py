"""The views are as declared, everywhere that they are shown."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from tachy_server.query import sql_page
from tachy_server.views.declarations import TEXT, TIME, VIEWS, Kind, View

ROOT = Path(__file__).resolve().parents[2]

# As Micromegas 0.29 has them, in its order.
THEIRS = {
    "log_entries": "process_id stream_id block_id insert_time exe username computer time target level msg properties "
    "process_properties",
    "measures": "process_id stream_id block_id insert_time exe username computer time target name unit value "
    "properties process_properties",
    "thread_spans": "id parent depth hash begin end duration name target filename line",
    "span_times": "",
    "async_events": "stream_id block_id time event_type span_id parent_span_id depth hash name filename target line",
    "net_spans": "process_id stream_id span_id parent_span_id depth kind name connection_name is_outgoing begin_bits "
    "end_bits bit_size begin_time end_time",
    "images": "process_id stream_id block_id insert_time exe username computer time name format payload_size data",
    "processes": "process_id exe username realname computer distro cpu_brand tsc_frequency start_time start_ticks "
    "insert_time parent_process_id properties last_update_time last_block_end_ticks last_block_end_time",
    "streams": "stream_id process_id dependencies_metadata objects_metadata tags properties insert_time format "
    "last_update_time",
    "log_stats": "time_bin process_id level target count",
    "measure_stats": "",
    "span_stats": "",
    "block_errors": "",
    "query_log": "",
    "lake_usage": "",
    "blocks": "block_id stream_id process_id begin_time begin_ticks end_time end_ticks nb_objects object_offset "
    "payload_size insert_time streams.dependencies_metadata streams.objects_metadata streams.tags streams.properties "
    "streams.insert_time processes.start_time processes.start_ticks processes.tsc_frequency processes.exe "
    "processes.username processes.realname processes.computer processes.distro processes.cpu_brand "
    "processes.insert_time processes.parent_process_id processes.properties",
}


def test_the_columns_of_the_surface_are_all_there_and_ours_come_after() -> None:
    assert set(VIEWS) == set(THEIRS)
    for name, columns in THEIRS.items():
        declared = [column.name for column in VIEWS[name].columns if not column.ours]
        assert declared == columns.split(), name
        marks = [column.ours for column in VIEWS[name].columns]
        assert marks == sorted(marks), name


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)
def test_a_declaration_is_complete(view: View) -> None:
    names = view.schema.names
    assert len(set(names)) == len(names)
    assert set(view.time) <= set(names)
    assert set(view.sort) <= set(names)
    assert all(view.column(name).type == TIME for name in view.time)
    assert (view.cls == 0) == (view.kind in (Kind.METADATA, Kind.INCREMENTAL))
    for column in view.columns:
        assert column.doc.endswith("."), column.name
        assert column.type == TEXT or not column.properties
        assert not pa.types.is_string(column.type) or column.name in ("msg", "name")


def test_the_page_of_the_docs_is_what_the_declarations_say() -> None:
    text = (ROOT / "docs" / "sql.md").read_text(encoding="utf-8")
    assert text == sql_page.page(), "run: python -m tachy_server.query.sql_page > docs/sql.md"
