"""The flight recorder ships exactly the spans that overlap a trigger's window, each once, and nothing else.

flight_random writes down what its threads did, in ticks. From that a plain model says what must have arrived.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.native.capture import LOG, SPAN, Rows, Session
from tests.native.test_killed import Death, die, recover, session_of
from tests.native.test_recorder import ADDRESS, THREAD, execute, run

PROMISES = [
    "flight_quiet", "flight_flush", "flight_stop", "flight_ignores", "flight_memory", "flight_lossy", "flight_modes",
    "flight_control",
]  # fmt: skip


@dataclass
class Span:
    """What a thread did; end None: it did not end; told: when it was recorded whole, 0: as it went."""

    thread: int
    depth: int
    begin: int
    end: int | None
    told: int


@dataclass
class Journal:
    before: int = 0
    after: int = 0
    spans: dict[int, Span] = field(default_factory=dict)
    asyncs: dict[int, list[int]] = field(default_factory=dict)  # number -> begin, end
    triggers: list[int] = field(default_factory=list)

    def windows(self) -> list[tuple[int, int]]:
        """Where two touch they are one."""
        united: list[tuple[int, int]] = []
        for ticks in sorted(self.triggers):
            window = (ticks - self.before, ticks + self.after)
            if united and window[0] <= united[-1][1] + 1:
                window = (united.pop()[0], window[1])
            united.append(window)
        return united


def read_journal(path: Path) -> Journal:
    journal = Journal()
    for line in path.read_text().splitlines():
        kind, *words = line.split()
        match kind:
            case "C":
                journal.before, journal.after = int(words[0]), int(words[1])
            case "S":
                thread, number, depth, begin, end, told = map(int, words)
                # the hanging span ends after the last window
                journal.spans[number] = Span(thread, depth, begin, end or None, told)
            case "A":
                journal.asyncs.setdefault(int(words[1]), []).append(int(words[2]))
            case "T":
                journal.triggers.append(int(words[0]))
    return journal


def run_random(folder: Path, seed: int, triggers: int) -> tuple[Session, Journal]:
    variables = {
        "FLIGHT_SEED": str(seed),
        "FLIGHT_TRIGGERS": str(triggers),
        "FLIGHT_JOURNAL": str(folder / "journal"),
    }
    outcome = run("flight_random", folder, flight=True, variables=variables)
    return outcome.session, read_journal(folder / "journal")


def _utc(block: Rows, ticks: int) -> float:
    head = block.head
    rate = (head.utc1 - head.utc0) / (head.ticks1 - head.ticks0)
    return head.utc0 + (ticks - head.ticks0) * rate


def check_window(blocks: list[Rows], journal: Journal, window: tuple[int, int]) -> None:
    """These blocks, and no other, are the window's."""
    first, last = window
    assert blocks, "there is a block even if nothing but open spans is in the window"
    assert blocks[-1].head.ticks1 == last
    # What is told of after the window's end may be too late for it: nobody could know of it then.
    late = {number for number, span in journal.spans.items() if span.told > last}
    ended = {row["line"] for block in blocks for row in block.rows}
    assert len(ended) == sum(len(block.rows) for block in blocks), "each once"
    all_ended = {number for number, span in journal.spans.items() if span.end is not None and first <= span.end <= last}
    assert all_ended - late <= ended <= all_ended
    is_open = {row["line"] for row in blocks[-1].still_open}
    all_open = {
        number for number, span in journal.spans.items() if span.begin <= last and (span.end is None or span.end > last)
    }
    assert all_open - late <= is_open <= all_open
    for block in blocks:
        for row in [*block.rows, *block.still_open]:
            span = journal.spans[row["line"]]
            assert span.begin <= last
            assert (row["depth"], block.head.threads[row["thread"]].number) == (span.depth, span.thread)
            if not row["is_open"]:
                assert span.end is not None
                assert abs(row["end"].value - _utc(block, span.end)) <= 1000
                assert abs(row["begin"].value - _utc(block, span.begin)) <= 1000 or span.begin < block.head.ticks0
    check_async(blocks, journal, window)


def check_async(blocks: list[Rows], journal: Journal, window: tuple[int, int]) -> None:
    first, last = window
    rows = Counter((row["event_type"], int(row["name"])) for block in blocks for row in block.asyncs)
    wanted: Counter[tuple[str, int]] = Counter()
    open_at_start = set()
    for number, times in journal.asyncs.items():
        for what, ticks in zip(("begin", "end"), times, strict=False):
            if first <= ticks <= last:
                wanted[what, number] += 1
        if times[0] < first and (len(times) == 1 or times[1] >= first):
            open_at_start.add(number)
    assert rows == wanted
    assert {int(row["name"]) for row in blocks[0].open_async} == open_at_start


def check(session: Session, journal: Journal) -> int:
    """Compares; the number of windows."""
    windows = journal.windows()
    blocks = session.of(SPAN)
    assert sum(row["msg"] == "flight recorder: because" for row in session.rows(LOG)) <= len(journal.triggers)
    shipped: list[int] = []
    for window in windows:
        own = [block for block in blocks if window[0] <= block.head.ticks1 <= window[1]]
        check_window(own, journal, window)
        shipped += [row["line"] for block in own for row in block.rows]
        blocks = [block for block in blocks if block not in own]
    assert blocks == []
    assert len(shipped) == len(set(shipped)), "each once"
    return len(windows)


@pytest.mark.parametrize("seed", range(1, 5))
def test_exactly_what_overlaps_a_window_is_shipped(seed: int, tmp_path: Path) -> None:
    assert check(*run_random(tmp_path, seed, 6)) > 1


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 140))
def test_exactly_what_overlaps_many_windows_is_shipped(seed: int, tmp_path: Path) -> None:
    check(*run_random(tmp_path, seed, 20))


@pytest.mark.parametrize("scenario", PROMISES)
def test_what_was_recorded_is_sent_passed_over_or_dropped(scenario: str, tmp_path: Path) -> None:
    run(scenario, tmp_path, flight=True)


def test_a_trigger_leaves_a_log(tmp_path: Path) -> None:
    rows = run("flight_stop", tmp_path, flight=True).session.rows(LOG)
    assert [(row["target"], row["level"], row["msg"]) for row in rows if row["target"] == "tachy"] == [
        ("tachy", 4, "flight recorder: error: flight")
    ]
    said = next(row["time"] for row in rows if row["target"] == "tachy")
    bad = next(row["time"] for row in rows if row["msg"] == "bad")
    assert abs(said.value - bad.value) <= 1000, "the trigger's moment; two blocks' clocks may differ a little"


def test_names_tell_the_depth_also_where_rings_were_full(tmp_path: Path) -> None:
    session = run("flight_lossy", tmp_path, flight=True).session
    depths = {"outer": 0}
    for block in session.of(SPAN):
        for row in [*block.rows, *block.still_open]:
            if row["name"] in depths:
                assert row["depth"] == depths[row["name"]]
            else:
                assert row["depth"] in (1, 2)


@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD])
@pytest.mark.parametrize("scenario", ["flight_random", *PROMISES])
def test_clean_under_sanitizers(scenario: str, sanitizer: str, tmp_path: Path) -> None:
    execute(scenario, tmp_path, sanitizer, {"FLIGHT_JOURNAL": str(tmp_path / "journal"), "FLIGHT_SEED": "3"})


def killed(folder: Path, monkeypatch: pytest.MonkeyPatch, before_ms: int) -> tuple[Death, Session]:
    """A program that had a trigger in the middle and is killed; what arrived in the end."""
    monkeypatch.setenv("KILLED_FLIGHT", str(before_ms))
    death = die("kill", folder, 400)
    assert recover(death)["crashed"] == 1
    session = session_of(death, flight=True)
    assert session is not None
    for block in session.of(SPAN):
        assert all(row["name"] == f"d{row['depth']}" for row in [*block.rows, *block.still_open])
    return death, session


def spans_of(blocks: list[Rows], name: str) -> int:
    return sum(block.head.threads[row["thread"]].name == name for block in blocks for row in block.rows)


def test_a_crash_is_a_trigger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    death, session = killed(tmp_path, monkeypatch, 60_000)
    for number, truth in enumerate(death.truths):  # to the event, each once: the window goes back to the start
        assert truth.spans_done <= spans_of(session.of(SPAN), f"worker {number}") <= truth.spans_begun
    assert sum(truth.spans_done for truth in death.truths) > 1000
    asyncs = len(session.asyncs())
    assert sum(truth.asyncs_done for truth in death.truths) <= asyncs <= sum(t.asyncs_begun for t in death.truths)


def test_after_a_crash_only_the_last_window_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    death, session = killed(tmp_path, monkeypatch, 20)
    *before, last = session.of(SPAN)
    assert sum(block.head.events for block in before) > 0, "the trigger's window"
    for number, truth in enumerate(death.truths):
        assert spans_of([last], f"worker {number}") > 0
        assert spans_of(session.of(SPAN), f"worker {number}") < truth.spans_begun


def test_damage_to_what_a_crash_left_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILLED_FLIGHT", "60000")
    death = die("kill", tmp_path / "death", 200)
    (left,) = death.folder.glob("*.session")
    whole = left.read_bytes()
    memory, size = struct.unpack_from("<QQ", whole, 328)
    numbers = [struct.unpack_from("<I", whole, memory + at + 56)[0] for at in range(0, size, 8192)]
    chunks = [memory + 8192 * i for i, number in enumerate(numbers) if number]
    assert len(chunks) >= 3, "one for each thread at least"
    moments = random.Random(3)
    for i in range(10):
        damaged = bytearray(whole)
        for _ in range(moments.choice([1, 20, 500])):
            at = moments.choice(chunks) + moments.randrange(120 if i % 2 else 8192)
            damaged[at] = moments.choice([0, 0x80, 240, 241, 243, 0xFF, moments.randrange(256)])
        folder = tmp_path / f"damaged-{i}"
        folder.mkdir(mode=0o700)
        (folder / left.name).write_bytes(damaged)
        recover(Death(folder, [], []), sanitizer=ADDRESS)
