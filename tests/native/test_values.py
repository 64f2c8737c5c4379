"""Values on spans: each is with its span, whatever blocks, chunks and threads do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.native.capture import SPAN, Session
from tests.native.test_recorder import ADDRESS, THREAD, execute, run

SCENARIOS = [
    "values_of_all_kinds", "values_too_many", "values_over_blocks", "values_in_a_small_pool", "values_race",
    "values_switched_off",
]  # fmt: skip


def named(session: Session, name: str) -> list[dict[str, Any]]:
    """The properties of the spans of that name, in the order of their ends."""
    return [json.loads(row["properties"]) for row in session.rows(SPAN) if row["name"] == name]


def test_numbers_texts_and_flows_are_with_the_span_that_got_them(tmp_path: Path) -> None:
    session = run("values_of_all_kinds", tmp_path).session
    inner, *phases = named(session, "inner")
    assert inner.pop("text") == "x" * 237 + "… [of 400 bytes]"
    assert inner == {
        "number": 2**64 - 1,
        "key 0": "",
        "key 1": "sixteen bytes!!!",
        "key 2": "not UTF-8: ?",
        "key 3": True,
        "key 4": 0.1,
        "flow": [7, 2**63],
    }
    assert phases == [{"number": 0}, {"number": 1}, {"number": 2}, {}]
    assert named(session, "plain") == [{}]
    assert named(session, "outer") == [{"number": -(2**63), "text": "outer's", "again": "3"}]


def test_a_span_has_32_values_and_the_rest_is_counted(tmp_path: Path) -> None:
    session = run("values_too_many", tmp_path).session
    assert named(session, "outer") == [{f"key {i}": 100 + i for i in range(32)}]


def test_a_block_has_the_values_of_the_spans_that_are_open_at_its_end_so_far(tmp_path: Path) -> None:
    blocks = run("values_over_blocks", tmp_path).session.of(SPAN)
    text = {"text": "from the first"}
    shown = [[json.loads(row["properties"]) for row in block.still_open] for block in blocks]
    assert shown == [[{**text, "number": i}] for i in range(4)] + [[]]
    assert [json.loads(row["properties"]) for row in blocks[-1].rows] == [{**text, "number": 3}]

    def load(i: int) -> dict[str, Any]:
        return {"number": i, **{f"key {k}": "of the load" for k in range(i + 1)}}

    assert [json.loads(row["properties"]) for row in blocks[0].asyncs] == [load(0)]
    opened = [[json.loads(row["properties"]) for row in block.open_async] for block in blocks]
    assert opened == [[], [load(1)], [load(2)], [load(3)], [{}]]
    assert [json.loads(row["properties"]) for row in blocks[-1].asyncs] == [load(3)]


def test_what_a_full_pool_leaves_belongs_together(tmp_path: Path) -> None:
    session = run("values_in_a_small_pool", tmp_path).session
    assert session.dropped(SPAN) > 0
    numbers: dict[tuple[int, int], int] = {}
    seen = 0
    for block in session.of(SPAN):
        for row in block.rows:
            properties = json.loads(row["properties"])
            if row["name"] == "outer" and "number" in properties:
                numbers[block.head.threads[row["thread"]].number, row["id"]] = properties["number"]
    for block in session.of(SPAN):
        for row in block.rows:
            outer = numbers.get((block.head.threads[row["thread"]].number, row["parent"]))
            number = json.loads(row["properties"]).get("number")
            if outer is not None and number is not None:
                assert number == outer
                seen += 1
    assert seen > 1000


def test_an_end_waits_for_values_that_other_threads_gave_before(tmp_path: Path) -> None:
    session = run("values_race", tmp_path).session
    assert len(session.of(SPAN)) > 1
    ends = [json.loads(row["properties"]) for row in session.asyncs() if row["event_type"] == "end"]
    assert len(ends) == 20_000
    for properties in ends:
        assert properties == {f"key {who}": properties["key 1"] for who in (1, 2, 3)}
    assert sorted(properties["key 1"] for properties in ends) == list(range(20_000))


def test_a_category_switches_values_off(tmp_path: Path) -> None:
    assert named(run("values_switched_off", tmp_path).session, "outer") == [{"number": 1}]


@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_clean_under_sanitizers(scenario: str, sanitizer: str, tmp_path: Path) -> None:
    execute(scenario, tmp_path, sanitizer)
