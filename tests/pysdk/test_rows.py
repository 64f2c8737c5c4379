"""Results as text: aligned whatever the script, honest about what is cut, exact in CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pyarrow as pa
from tachy import rows

T0 = 1_700_000_000_123_456_789


def table() -> pa.RecordBatch:
    return pa.record_batch(
        {
            "name": pa.array(["日本", 'a,"b"\nc', None]).dictionary_encode(),
            "n": pa.array([1, -2, None], pa.int64()),
            "f": pa.array([0.5, float("nan"), None], pa.float64()),
            "t": pa.array([T0, 0, None], pa.timestamp("ns", "UTC")),
            "d": pa.array([1500, 2, None], pa.duration("us")),
            "ok": pa.array([True, False, None]),
            "bin": pa.array([b"\xff\x00", b"", None], pa.binary()),
            "list": pa.array([[T0], [], None], pa.list_(pa.timestamp("ns", "UTC"))),
            "struct": pa.array([{"x": 1, "y": "z"}, {"x": None, "y": "w"}, None]),
            "dec": pa.array([Decimal("1.50"), Decimal("2.00"), None]),
        }
    )


def names() -> list[str]:
    return list(table().schema.names)


def test_json_lines_are_exact() -> None:
    out = io.StringIO()
    rows.write_json(names(), [table()], out)
    first, second, third = (json.loads(line) for line in out.getvalue().splitlines())
    assert first == {
        "name": "日本",
        "n": 1,
        "f": 0.5,
        "t": "2023-11-14T22:13:20.123456789Z",
        "d": 1500000,
        "ok": True,
        "bin": "/wA=",
        "list": ["2023-11-14T22:13:20.123456789Z"],
        "struct": {"x": 1, "y": "z"},
        "dec": "1.50",
    }
    assert second["f"] is None
    assert second["t"] == "1970-01-01T00:00:00Z"
    assert second["struct"] == {"x": None, "y": "w"}
    assert set(third.values()) == {None}


def test_csv_reads_back() -> None:
    out = io.StringIO()
    rows.write_csv(names(), [table()], out)
    read = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["name"] for row in read] == ["日本", 'a,"b"\nc', ""]
    assert read[0]["t"] == "2023-11-14T22:13:20.123456789Z"
    assert read[0]["ok"] == "true"
    assert json.loads(read[0]["struct"]) == {"x": 1, "y": "z"}


def test_columns_of_one_name_keep_their_values() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    out = io.StringIO()
    rows.write_json(["a", "a"], [batch], out)
    assert json.loads(out.getvalue()) == {"a": 1, "a_2": 2}


def test_table_is_aligned_in_every_script() -> None:
    batch = pa.record_batch({"text": ["日本", "e\u0301a", "plain", "tab\there\n"], "n": [1, 22, 333, 4444]})
    out = io.StringIO()
    rows.write_table(["text", "n"], [batch], out, 0)
    lines = out.getvalue().splitlines()
    assert lines[-1] == "(4 rows)"
    assert {rows.width_of(line) for line in lines[:-1]} == {rows.width_of("tab here⏎") + 2 + 4}
    assert lines[2].endswith("   1")


def test_table_says_what_it_left_out() -> None:
    batch = pa.record_batch({"text": ["x" * 100, "y\x1b[31m"]})
    out = io.StringIO()
    rows.write_table(["text"], [batch], out, 0)
    assert "1 cells cut at 60 characters: --format csv or json has them whole" in out.getvalue()
    assert "x" * 59 + "…" in out.getvalue()
    assert "\x1b" not in out.getvalue()
    out = io.StringIO()
    rows.write_table(["text"], [batch], out, 1)
    assert "first 1 rows, there are more: --rows 0 shows all" in out.getvalue()
    out = io.StringIO()
    rows.write_table(["text"], [], out, 1)
    assert out.getvalue().splitlines()[-1] == "(0 rows)"
