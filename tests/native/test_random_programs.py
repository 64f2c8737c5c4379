"""Programs made by a seed, compared with the journals of what their threads did: names, parents, nesting, order.

Nothing may arrive that was not recorded, and what does not arrive must be counted as dropped, to the event.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.native import capture
from tests.native.capture import LOG, METRIC, SPAN, Session
from tests.native.test_recorder import ADDRESS, PLAIN, THREAD, execute

SMALL, ROOMY = 1 << 16, 1 << 26


@dataclass
class Journal:
    """What one thread did."""

    spans: list[tuple[int, int]] = field(default_factory=list)  # depth, parent's number
    asyncs: list[tuple[str, int, str, int, int]] = field(default_factory=list)  # begin or end, id, name, parent, depth
    metrics: dict[int, tuple[str, int]] = field(default_factory=dict)  # value -> name, property set
    logs: dict[int, str] = field(default_factory=dict)


def read_journals(path: Path) -> dict[int, Journal]:
    """By thread number."""
    journals: dict[int, Journal] = {}
    here = Journal()
    for line in path.read_text().splitlines():
        kind, *words = line.split()
        match kind:
            case "T":
                here = journals.setdefault(int(words[0]), Journal())
            case "S":
                here.spans.append((int(words[0]), int(words[1])))
            case "A":
                name = f"async {words[2]}"
                here.asyncs.append((words[0], int(words[1]), name, int(words[3]), int(words[4])))
            case "M":
                here.metrics[int(words[1])] = (words[0], int(words[2]))
            case "L":
                here.logs[int(words[0])] = words[1]
    return journals


def span_name(number: int) -> str:
    kind = number % 40
    return "" if kind == 0 else "??1" if kind == 1 else f"span {kind}"


def settings(folder: Path, seed: int, steps: int, pool: int) -> dict[str, str]:
    """The variables that make the program."""
    numbers = {"RANDOM_SEED": seed, "RANDOM_STEPS": steps, "RANDOM_POOL": pool}
    return {name: str(value) for name, value in numbers.items()} | {"RANDOM_JOURNAL": str(folder / "journal")}


def run(folder: Path, sanitizer: str, seed: int, steps: int, pool: int) -> str:
    return execute("random_program", folder, sanitizer, settings(folder, seed, steps, pool))


def check(folder: Path, seed: int, steps: int, pool: int) -> dict[str, Any]:
    """Runs the program of this seed and compares; its stats."""
    stats: dict[str, Any] = json.loads(run(folder, PLAIN, seed, steps, pool))
    compare(folder, stats, pool)
    return stats


def compare(folder: Path, stats: dict[str, Any], pool: int, *, jumps: bool = False) -> None:
    """What the program says that it did, with what arrived. `jumps`: as capture.read has it."""
    journals = read_journals(folder / "journal")
    (session,) = capture.read(folder / "batches", jumps=jumps)
    if not jumps:
        capture.check_clocks(session)
    reported = sum(row["name"] == "tachy.dropped_events" for row in session.rows(METRIC))  # the recorder's own
    made = {
        SPAN: sum(len(journal.spans) + len(journal.asyncs) for journal in journals.values()),
        METRIC: sum(len(journal.metrics) for journal in journals.values()) + reported,
        LOG: sum(len(journal.logs) for journal in journals.values()),
    }
    for cls, count in made.items():
        assert session.events(cls) == stats["sent"][cls] == stats["recorded"][cls] - stats["dropped"][cls]
        assert session.dropped(cls) <= stats["dropped"][cls]
        # an async span whose begin was lost has no id, so the journal does not know it
        if cls != SPAN or pool == ROOMY:
            assert stats["recorded"][cls] == count
        else:
            assert stats["recorded"][cls] >= count
    rows: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    asyncs: dict[int, list[dict[str, Any]]] = defaultdict(list)
    still_open: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for block in session.blocks:
        for row in block.rows:
            rows[block.head.cls, block.head.threads[row["thread"]].number].append(row)
        for row in block.still_open:
            still_open[block.head.threads[row["thread"]].number].append(row)
        for row in block.asyncs:
            asyncs[block.head.threads[row["thread"]].number].append(row)
    for number, journal in journals.items():
        _check_spans(rows[SPAN, number], still_open[number], journal)
        _check_asyncs(asyncs[number], journal)
        _check_metrics(rows[METRIC, number], journal)
        _check_logs(rows[LOG, number], journal)
        if stats["dropped"][SPAN] == 0:
            assert [row["id"] for row in rows[SPAN, number]] == [row["line"] for row in rows[SPAN, number]]
            assert len(rows[SPAN, number]) == len(journal.spans)
    _check_nothing_else(session, set(journals))


def _check_spans(rows: list[dict[str, Any]], still_open: list[dict[str, Any]], journal: Journal) -> None:
    """A span's line is its number in the journal. Its id is another number where a gap hides which of the lost spans
    began before it, but then, too, ids are unique and in the order of the begins."""
    ends = [row["end"] for row in rows]
    assert ends == sorted(ends)
    assert len({row["line"] for row in rows}) == len(rows)
    numbers = {0: 0, -1: -1}
    for row in [*rows, *still_open]:
        assert numbers.setdefault(row["id"], row["line"]) == row["line"], row
    by_id = [numbers[span] for span in sorted(numbers)]
    assert by_id == sorted(set(by_id))
    for row in [*rows, *still_open]:
        depth, parent = journal.spans[row["line"] - 1]
        assert (row["name"], row["depth"]) == (span_name(row["line"]), depth), row
        assert numbers[row["parent"]] in (parent, -1), (row, parent, numbers[row["parent"]])


def _async(row: dict[str, Any]) -> tuple[str, int, str, int, int]:
    return row["event_type"], row["span_id"], row["name"], row["parent_span_id"], row["depth"]


def _check_asyncs(rows: list[dict[str, Any]], journal: Journal) -> None:
    """Each was done, once, and in the order of their times, also an end that has waited for its begin."""
    done = {each: index for index, each in enumerate(journal.asyncs)}
    seen = sorted((row["time"], done[_async(row)]) for row in rows)
    assert len({index for _, index in seen}) == len(rows)
    for (before, first), (after, second) in itertools.pairwise(seen):
        assert first < second or after - before < capture.APART, (rows, first, second)


def _check_metrics(rows: list[dict[str, Any]], journal: Journal) -> None:
    values = [int(row["value"]) for row in rows]
    assert values == sorted(set(values))
    times = [row["time"] for row in rows]
    assert times == sorted(times)
    for row in rows:
        name, number = journal.metrics[int(row["value"])]
        assert row["name"] == name
        assert json.loads(row["properties"]) == ({"set": f"async {number}"} if number else {})


def _check_logs(rows: list[dict[str, Any]], journal: Journal) -> None:
    numbers = []
    for row in rows:
        number = int(re.match(r"\d+", row["msg"])[0])  # type: ignore[index]
        numbers.append(number)
        kind = journal.logs[number]
        assert row["msg"].rstrip(" ") == (str(number) if kind == "text" else f"{number}: {kind} is 0.25")
    assert numbers == sorted(set(numbers))


def _check_nothing_else(session: Session, known: set[int]) -> None:
    for block in session.blocks:
        assert {thread.number for thread in block.head.threads if thread.name != "tachy"} <= known


@pytest.mark.parametrize("seed", range(1, 4))
def test_what_a_random_program_did_arrives_whole_when_there_is_room(seed: int, tmp_path: Path) -> None:
    assert check(tmp_path, seed, 5000, ROOMY)["dropped"] == [0, 0, 0, 0]


@pytest.mark.parametrize("seed", range(1, 5))
def test_what_a_random_program_lost_is_counted_and_the_rest_is_right(seed: int, tmp_path: Path) -> None:
    check(tmp_path, seed, 8000, SMALL)


@pytest.mark.parametrize("pool", [SMALL, ROOMY])
@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD])
def test_random_programs_are_clean_under_sanitizers(sanitizer: str, pool: int, tmp_path: Path) -> None:
    run(tmp_path, sanitizer, 7, 4000, pool)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_random_programs(seed: int, tmp_path: Path) -> None:
    check(tmp_path, seed, 20000, SMALL << (seed % 4 * 3))
