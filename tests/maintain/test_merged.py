"""What is decompressed at the same time when blocks are merged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.lake.blocks import BlockRow
from tachy_server.maintain import merged
from tachy_server.maintain.merged import Part

ROOM = 100


@pytest.fixture(autouse=True, scope="module")
def room() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merged, "_AT_ONCE", ROOM)
        yield


def part(process: int, cls: int, sequence: int, raw_size: int) -> Part:
    row = BlockRow(UUID(int=sequence), UUID(int=process), cls, sequence, "key", 0, 0, 0, 0, 0, 0)
    return Part(row, memoryview(b""), 0, raw_size, 0)


def kind(part: Part) -> tuple[UUID, int]:
    return part.row.process_id, part.row.cls


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(0, 2 * ROOM)), max_size=60))
def test_windows_are_small_and_end_between_processes_and_classes(given: list[tuple[int, int, int]]) -> None:
    parts = [part(*one[:2], at, one[2]) for at, one in enumerate(sorted(given, key=lambda one: one[:2]))]
    windows = list(merged._windows(iter(parts)))
    assert [one for window in windows for one in window] == parts
    for window in windows:
        assert window
        assert len(window) == 1 or sum(one.raw_size for one in window) <= ROOM
    for of, run in groupby(parts, key=kind):
        if sum(one.raw_size for one in run) <= ROOM:
            assert sum(any(kind(one) == of for one in window) for window in windows) == 1
