"""Metrics and frames: values, units, places and properties arrive as they were given."""

from __future__ import annotations

import inspect
import math
import time
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import pytest
import tachy

from tests.pysdk.sink import Sink


class Sized:
    def __index__(self) -> int:
        return 12


def test_numbers_of_every_kind_arrive(session: Sink) -> None:
    given: list[Any] = [1, -5, True, 2**63 - 1, -(2**63), 1.5, -0.0, math.inf, Decimal("2.5"), Fraction(1, 4), Sized()]
    given += [2**70, 10**400, -(10**400)]
    for value in given:
        tachy.metric("value", value)
    tachy.metric("nan", math.nan)
    tachy.stop()
    rows = session.rows("metric")
    values = [row["value"] for row in rows if row["name"] == "value"]
    assert values == [float(v) for v in given[:-2]] + [math.inf, -math.inf]
    assert math.isnan(next(row["value"] for row in rows if row["name"] == "nan"))


def test_what_describes_a_metric_arrives(session: Sink) -> None:
    for _ in range(3):
        tachy.metric("fps", 60, unit="Hz", target="render", properties={"map": "e1m1", "players": 4, 5: None})
    tachy.metric("plain", 1.0)
    tachy.stop()
    rows = session.rows("metric")
    assert [(r["name"], r["unit"], r["target"], r["value"]) for r in rows[:3]] == [("fps", "Hz", "render", 60.0)] * 3
    assert rows[0]["properties"] == {"map": "e1m1", "players": "4", "5": "None"}
    assert rows[3]["properties"] == {}
    assert rows[3]["target"] == __name__
    assert rows[0]["thread"] == "MainThread"


def test_one_call_may_change_its_name_unit_and_kind(session: Sink) -> None:
    for index in range(60):
        name, unit = ("a", "ms") if index % 2 else ("b", None)
        tachy.metric(name, index if index % 3 else float(index), unit=unit)
    tachy.stop()
    rows = session.rows("metric")
    assert [row["value"] for row in rows] == [float(index) for index in range(60)]
    assert [row["name"] for row in rows] == ["b", "a"] * 30
    assert [row["unit"] for row in rows] == ["", "ms"] * 30


def test_properties_may_be_looked_up_once(session: Sink) -> None:
    properties = tachy.properties(MappingProxyType({"k": "v", "ключ": "значение"}))
    for _ in range(10):
        tachy.metric("m", 1, properties=properties)
    tachy.metric("m", 1, properties={})
    tachy.metric("m", 1, properties=None)
    tachy.stop()
    found = [row["properties"] for row in session.rows("metric")]
    assert found == [{"k": "v", "ключ": "значение"}] * 10 + [{}, {}]
    assert "значение" in repr(properties)


def test_what_cannot_be_printed_does_not_lose_the_event(session: Sink) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    tachy.metric("m", 1, properties={"a": Broken(), "b": "\ud800", "n\x00ul": "x\x00y"})
    tachy.metric("m\ud800", 1, unit="\ud800")
    tachy.stop()
    rows = session.rows("metric")
    assert len(rows) == 2
    assert rows[0]["properties"]["a"] == "?"


def test_wrong_calls_say_how_it_is_meant(session: Sink) -> None:
    bad: list[Any] = [
        lambda: tachy.metric("a"),  # type: ignore[call-arg]
        lambda: tachy.metric("a", "five"),
        lambda: tachy.metric(5, 5),  # type: ignore[arg-type]
        lambda: tachy.metric("a", 1, unit=5),  # type: ignore[arg-type]
        lambda: tachy.metric("a", 1, propertys={}),  # type: ignore[call-arg]
        lambda: tachy.metric("a", 1, properties=["a"]),  # type: ignore[arg-type]
        lambda: tachy.frame(5),  # type: ignore[arg-type]
    ]
    for call in bad:
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ValueError, match="fatal, error, warn"):
        tachy.log("loud", "text")
    with pytest.raises(TypeError):
        tachy.log("info", 5)  # type: ignore[arg-type]
    tachy.stop()
    assert session.events() == {}


def test_keywords_may_come_from_a_dict(session: Sink) -> None:
    keywords: dict[str, Any] = {"".join(["un", "it"]): "ms", "".join(["tar", "get"]): "t"}
    tachy.metric("m", 1, **keywords)
    tachy.stop()
    assert [(row["unit"], row["target"]) for row in session.rows("metric")] == [("ms", "t")]


def test_frames_are_the_time_between_marks(session: Sink) -> None:
    begin = time.perf_counter()
    for _ in range(4):
        tachy.frame()
        time.sleep(0.01)
    tachy.frame("render")
    elapsed = time.perf_counter() - begin
    tachy.stop()
    rows = session.rows("metric")
    assert [row["name"] for row in rows] == ["frame"] * 3 + ["render"]
    assert all(row["value"] > 0.009 for row in rows)
    assert sum(row["value"] for row in rows[:3]) < elapsed
    assert tachy.stats().recorded["metric"] == len(rows)


def test_no_frame_begins_in_another_session(sink: Sink) -> None:
    for _ in range(2):
        tachy.start(sink.url)
        tachy.frame()
        tachy.frame()
        tachy.stop()
    assert [row["name"] for row in sink.rows("metric")] == ["frame", "frame"]


def test_log_records_level_place_and_properties(session: Sink) -> None:
    levels = ("fatal", "error", "warn", "info", "debug", "trace")
    for level in levels:
        tachy.log(level, f"{level} 100% {{}} %s ünï\n", target="t", properties={"k": 1})
    tachy.log(2, "by number")
    line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
    tachy.log("info", "x" * 100000)
    tachy.log("info", "é" * 50000)
    tachy.stop()
    rows = session.rows("log")
    assert [row["level"] for row in rows] == [1, 2, 3, 4, 5, 6, 2, 4, 4]
    assert [row["msg"] for row in rows[:6]] == [f"{level} 100% {{}} %s ünï\n" for level in levels]
    assert rows[0]["properties"] == {"k": "1"}
    assert (rows[6]["line"], rows[6]["filename"], rows[6]["target"]) == (line, __file__, __name__)
    for row, character in zip(rows[7:], "xé", strict=True):  # cut, and it says so
        mark = "… [of 100000 bytes]"
        assert row["msg"] == character * (len(row["msg"]) - len(mark)) + mark
        assert 32766 <= len(row["msg"].encode()) <= 32768
