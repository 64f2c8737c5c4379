"""The small parts: times, placeholders, message sizes, handles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tachy.times import format_time
from tachy_server.base.errors import NotFound, QueryError
from tachy_server.base.message_sizes import pieces
from tachy_server.base.plain_types import plain_schema
from tachy_server.base.times import parse_time
from tachy_server.flight.statements import Handles
from tachy_server.query.placeholders import number_placeholders

_zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1678, 1, 2), datetime(2261, 12, 30), timezones=_zones))
def test_times_agree_with_datetime(moment: datetime) -> None:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    nanoseconds = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
    assert parse_time(moment.isoformat()) == nanoseconds
    assert parse_time(str(nanoseconds)) == nanoseconds


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_time_that_the_client_writes_is_read_to_the_nanosecond(nanoseconds: int) -> None:
    assert parse_time(format_time(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001z", 1),
        ("1970-01-01 01:00:00+01:00", 0),
        ("1969-12-31T23:00:00-01:00", 0),
        ("1970-01-02", 86_400_000_000_000),
        ("1970-01-01T00:00:60Z", 60_000_000_000),
        ("-5", -5),
    ],
)
def test_times_are_read(text: str, nanoseconds: int) -> None:
    assert parse_time(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-11-23T25:00:00Z", "1.5", "9" * 25, "2300-01-01"])
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(QueryError):
        parse_time(text)


@pytest.mark.parametrize(
    ("sql", "numbered", "count"),
    [
        ("select 1", "select 1", 0),
        ("select ? + ?", "select $1 + $2", 2),
        ("select $2, $1", "select $2, $1", 2),
        ("select '?', \"?\", ?", "select '?', \"?\", $1", 1),
        ("select 'it''s ?' -- ?\n, ?", "select 'it''s ?' -- ?\n, $1", 1),
        ("/* ? /* ? */ ? */ select ?", "/* ? /* ? */ ? */ select $1", 1),
        (r"select e'\'?', name'?' , ?", r"select e'\'?', name'?' , $1", 1),
        ("select '?", "select '?", 0),
        ("/* ?", "/* ?", 0),
    ],
)
def test_placeholders_are_numbered_outside_of_text_and_comments(sql: str, numbered: str, count: int) -> None:
    assert number_placeholders(sql) == (numbered, count)


@given(st.text("?$1 '\"-/*\neE\\ab"))
def test_numbering_placeholders_changes_nothing_else(sql: str) -> None:
    numbered, _ = number_placeholders(sql)
    marks = numbered.count("$") - sql.count("$")
    assert sql.count("?") - numbered.count("?") == marks


def _dictionary(values: list[str]) -> pa.Array:
    return pa.array(values).dictionary_encode()


def test_batches_are_cut_to_messages_that_go_clients_take() -> None:
    batch = pa.record_batch({"a": range(100_000), "b": ["x" * 100] * 100_000})
    parts = list(pieces(batch))
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches([batch]))
    assert all(part.nbytes < 4_000_000 for part in parts)
    assert len(parts) < 10


def test_one_heavy_row_among_light_ones_does_not_drag_them_along() -> None:
    batch = pa.record_batch({"b": [b"x" * 3_000_000 if row in (5, 6) else b"" for row in range(64)]})
    parts = list(pieces(batch))
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches([batch]))
    assert all(part.nbytes < 4_000_000 for part in parts)


def test_a_large_dictionary_does_not_multiply_messages() -> None:
    batch = pa.record_batch({"d": _dictionary([f"{row:0200}" for row in range(30_000)])})
    assert len(list(pieces(batch))) == 1


def test_an_empty_batch_is_one_message() -> None:
    assert [part.num_rows for part in pieces(pa.record_batch({"a": pa.array([], pa.int64())}))] == [0]


def test_nested_columns_count() -> None:
    batch = pa.record_batch({"l": [[1] * 100] * 50_000, "s": [{"x": "y" * 50}] * 50_000})
    assert len(list(pieces(batch))) > 10


def test_schemas_without_dictionaries() -> None:
    kind = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([("d", kind), ("l", pa.list_(kind)), ("s", pa.struct({"x": pa.list_(kind)})), ("n", pa.int8())])
    plain = plain_schema(schema)
    assert plain.field("l").type == pa.list_(pa.string())
    assert plain.names == schema.names
    assert plain.field("s").type == pa.struct({"x": pa.list_(pa.string())})


def test_handles_are_bounded_and_the_least_used_goes_first() -> None:
    handles: Handles[int] = Handles(capacity=3)
    keys = [handles.add(value) for value in range(3)]
    assert handles.get(keys[0]) == 0
    handles.add(3)
    assert len(handles) == 3
    assert handles.get(keys[0]) == 0
    with pytest.raises(NotFound, match="unknown or has expired"):
        handles.get(keys[1])


def test_handles_expire_when_nobody_uses_them() -> None:
    now = 0.0
    handles: Handles[int] = Handles(seconds=10, clock=lambda: now)
    idle, used = handles.add(1), handles.add(2)
    now = 8.0
    assert handles.get(used) == 2
    now = 12.0
    assert len(handles) == 1
    with pytest.raises(NotFound, match="unknown or has expired"):
        handles.get(idle)
    handles.discard(used)
    handles.discard(used)
    assert len(handles) == 0
