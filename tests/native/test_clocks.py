"""The clock under clocks that are off, set, suspended and started again: tests/native/clocks.c.

Alone, in a simulation; and under random programs, of which no duration may be negative and no begin may come before its
predecessor's, whatever block each of them is in.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.native import capture, test_flight
from tests.native.capture import LOG, METRIC, SPAN, Session
from tests.native.test_random_programs import ROOMY, SMALL, compare, settings
from tests.native.test_recorder import ADDRESS, PLAIN, THREAD, make

HOUR = 3600 * 10**9
COUNTER = 1 << 45  # what clocks.c's counter shows first; when it begins anew, 0


def run(*arguments: str, sanitizer: str = PLAIN, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TACHY_")}
    command = [str(make(sanitizer, "clock_tests") / "clock_tests"), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment | variables
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "scenario", ["rates", "counts", "straight", "bends", "slewed", "jumps", "suspends", "restarts", "behind", "coarse"]
)
def test_the_clock_follows_the_wall_clock_and_bends_no_duration(scenario: str) -> None:
    run(scenario)


def test_no_five_minutes_have_more_writes_than_may_be() -> None:
    run("writes")


def record(folder: Path, seed: int, steps: int, pool: int, *, sanitizer: str = PLAIN, **clock: int) -> dict[str, Any]:
    """Runs the random program of this seed under such clocks; its stats."""
    variables = settings(folder, seed, steps, pool) | {"TACHY_SESSION_FOLDER": str(folder / "sessions")}
    variables |= {f"CLOCK_{name.upper()}": str(value) for name, value in clock.items()}
    stats: dict[str, Any] = json.loads(run("random_program", str(folder / "batches"), sanitizer=sanitizer, **variables))
    return stats


def set_by(folder: Path) -> list[int]:
    """By how many hours the wall clock was set from each block to the next."""
    (session,) = capture.read(folder / "batches", jumps=True)
    pairs = itertools.pairwise(session.of(SPAN))
    return [round((after.shift - before.shift) / HOUR) for before, after in pairs]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("pool", [SMALL, ROOMY])
def test_all_is_in_order_under_a_counter_that_is_off_and_readings_that_take_long(
    seed: int, pool: int, tmp_path: Path
) -> None:
    compare(tmp_path, record(tmp_path, seed, 5000, pool, delays=1), pool)


@pytest.mark.parametrize("seed", [3, 4])
def test_durations_and_order_are_what_they_were_while_the_wall_clock_is_set(seed: int, tmp_path: Path) -> None:
    compare(tmp_path, record(tmp_path, seed, 8000, ROOMY, delays=1, jumps=HOUR), ROOMY, jumps=True)
    hours = set_by(tmp_path)
    assert set(hours) <= {-1, 0, 1}
    assert len(hours) < 8 or {-1, 1} <= set(hours), "a program that is quickly done makes few blocks"


@pytest.mark.parametrize("seed", [5, 6])
def test_time_goes_on_when_the_counter_begins_anew(seed: int, tmp_path: Path) -> None:
    """Only what was recorded until that was noticed, and spans that were open, may have lost their times."""
    started = time.time_ns()
    stats = record(tmp_path, seed, 8000, ROOMY, restart=10_000)
    ended = time.time_ns()
    (session,) = capture.decode(tmp_path / "batches")
    begin = session.of(SPAN)[0].head.utc0
    for cls in (LOG, METRIC, SPAN):
        blocks = session.of(cls)
        assert session.events(cls) == stats["recorded"][cls]
        last = blocks[-1].head.utc1
        assert started - 10**6 <= begin <= last <= ended + 10**6
        for block in blocks:
            rows = [*block.rows, *block.asyncs]
            begins = [row["begin"] if "begin" in row else row["time"] for row in rows]
            ends = [row.get("end", at) for row, at in zip(rows, begins, strict=True)]
            # what was open keeps its age when the wall clock is set, if only by what it had drifted
            assert all(begin - 10**6 <= at <= end <= last for at, end in zip(begins, ends, strict=True))
        borders = [k for k, (a, b) in enumerate(itertools.pairwise(blocks), 1) if b.head.ticks0 < a.head.ticks1]
        if not borders:
            continue  # the collector came no more before the end, which all blocks until then have in the old ticks
        (border,) = borders
        for before, after in itertools.pairwise(blocks[border:]):
            assert after.head.utc0 >= before.head.utc1
            assert after.head.end_ticks <= after.head.ticks1
            assert after.head.end_utc > before.head.utc0
        assert blocks[border].head.utc0 - blocks[border - 1].head.utc1 > -(10**6)  # later, if nothing was there to cut
        assert blocks[border].head.before_ticks == blocks[border].head.ticks0


def fly(folder: Path, seed: int, triggers: int, **clock: int) -> tuple[Session, test_flight.Journal]:
    """The flight recorder's random program under such clocks."""
    variables = {f"CLOCK_{name.upper()}": str(value) for name, value in clock.items()}
    variables |= {
        "FLIGHT_SEED": str(seed),
        "FLIGHT_TRIGGERS": str(triggers),
        "FLIGHT_JOURNAL": str(folder / "journal"),
        "TACHY_SESSION_FOLDER": str(folder / "sessions"),
    }
    stats: dict[str, Any] = json.loads(run("flight_random", str(folder / "batches"), **variables))
    (session,) = capture.decode(folder / "batches")
    for cls in (LOG, METRIC, SPAN):
        not_retained = stats["not_retained"] if cls == SPAN else 0
        assert session.events(cls) == stats["recorded"][cls] - stats["dropped"][cls] - not_retained
    return session, test_flight.read_journal(folder / "journal")


@pytest.mark.parametrize(("seed", "jumps"), [pytest.param(1, 0, marks=pytest.mark.long), (2, HOUR)])
def test_the_flight_recorder_ships_its_windows_whatever_clocks_do(seed: int, jumps: int, tmp_path: Path) -> None:
    session, journal = fly(tmp_path, seed, 2, delays=1, jumps=jumps)
    blocks = session.of(SPAN)
    assert test_flight.check(session, journal) >= 1
    every = [block for cls in (LOG, METRIC, SPAN) for block in session.of(cls)]
    assert len({round((block.head.utc1 - block.head.ticks1 / 3) / HOUR) for block in every}) == (2 if jumps else 1)
    for row in itertools.chain.from_iterable(block.rows for block in blocks):
        if row["name"] == "filler":
            continue
        span = journal.spans[row["line"]]
        assert span.end is not None
        ns = (span.end - span.begin) / 3  # at 3 GHz
        assert row["end"] >= row["begin"]
        assert abs(row["end"] - row["begin"] - ns) <= capture.FLIGHT_APART + ns / 2000
    if not jumps:
        capture.check(session, holes=False, flight=True)
        capture.check_clocks(session)


def test_the_flight_recorder_begins_anew_with_the_counter(tmp_path: Path) -> None:
    session, _ = fly(tmp_path, 4, 1, restart=100_000)
    blocks = session.of(SPAN)
    new = [block.head.ticks1 < COUNTER for block in blocks]
    assert new == sorted(new)
    assert any(block.rows for block in blocks if block.head.ticks1 < COUNTER), "windows that came later"
    assert all(b.head.utc1 >= a.head.utc1 for a, b in itertools.pairwise(blocks))
    for block in blocks:
        for row in block.rows:
            assert block.head.begin_utc <= row["begin"] <= row["end"] <= block.head.utc1


@pytest.mark.long
@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD])
def test_clean_under_sanitizers(sanitizer: str, tmp_path: Path) -> None:
    for scenario in ("rates", "jumps", "restarts"):
        run(scenario, sanitizer=sanitizer)
    record(tmp_path, 7, 4000, ROOMY, sanitizer=sanitizer, delays=1, jumps=HOUR, restart=10_000)
