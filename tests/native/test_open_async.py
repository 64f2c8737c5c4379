"""Every block of the recorder knows the async spans that are open at its start, whatever threads do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native.capture import SPAN, Session
from tests.native.test_recorder import ADDRESS, THREAD, execute, run


def check(session: Session) -> list[set[str]]:
    """What is open at each block's start is what began before and has not ended; ends come after begins. The names."""
    begun: dict[int, tuple[object, ...]] = {}
    ended: set[int] = set()
    names = []
    for block in session.of(SPAN):
        reported = {
            row["span_id"]: (row["begin"], row["name"], row["parent_span_id"], row["depth"], row["thread_number"])
            for row in block.open_async
        }
        assert reported == begun
        assert list(reported) == sorted(reported)
        names.append({row["name"] for row in block.open_async})
        for row in block.asyncs:
            if row["event_type"] == "begin":
                thread = block.head.threads[row["thread"]].number
                assert row["span_id"] not in ended
                begun[row["span_id"]] = (row["time"], row["name"], row["parent_span_id"], row["depth"], thread)
        for row in block.asyncs:
            if row["event_type"] == "end":
                assert row["time"] >= begun.pop(row["span_id"])[0]
                ended.add(row["span_id"])
    assert not begun
    return names


def test_open_async_spans_go_on_over_blocks_and_threads(tmp_path: Path) -> None:
    names = check(run("async_over_blocks", tmp_path).session)
    both = {"outer", "load"}
    assert names == [set(), {"outer"}, both, both, both, both, {"outer"}, {"outer"}]


def test_an_end_that_is_read_before_its_begin_does_not_confuse(tmp_path: Path) -> None:
    names = check(run("async_races", tmp_path).session)
    assert len(names) > 3


def test_an_end_names_its_site_also_when_that_was_switched_off(tmp_path: Path) -> None:
    rows = run("async_switched_off", tmp_path).session.asyncs()
    assert [(row["event_type"], row["name"]) for row in rows] == [
        ("begin", "first"),
        ("begin", "detail"),
        ("end", "detail"),
        ("end", "first"),
    ]


def test_what_finds_no_room_is_counted_and_nothing_is_lost(tmp_path: Path) -> None:
    session = run("async_untracked", tmp_path).session
    second = session.of(SPAN)[1]
    assert len(second.open_async) == 65536
    assert all(block.open_async == [] for block in session.of(SPAN)[2:])
    assert len(session.asyncs()) == 140_003


@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD])
@pytest.mark.parametrize("scenario", ["async_over_blocks", "async_races", "async_untracked"])
def test_clean_under_sanitizers(scenario: str, sanitizer: str, tmp_path: Path) -> None:
    execute(scenario, tmp_path, sanitizer)
