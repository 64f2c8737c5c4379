"""The flight recorder ships every span that overlaps a trigger's window, each once, and beyond that at most what the
chunks hold in which a window begins and ends.

flight_random writes down what its threads did, in ticks. From that a plain model says what must have arrived.
"""

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.native.capture import FLIGHT_APART, LOG, SPAN, Rows, Session, check_clocks
from tests.native.test_killed import Death, die, recover, session_of
from tests.native.test_recorder import ADDRESS, THREAD, execute, run

PROMISES = [
    "flight_quiet", "flight_flush", "flight_stop", "flight_ignores", "flight_memory", "flight_lossy", "flight_modes",
    "flight_control", "flight_switched", "flight_async",
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


POOL, SLOT, CHUNK, PAGE = 1 << 27, 24576, 65536, 4096  # docs/format.md, "Session file"
CHUNK_SPANS = 4096  # that a chunk may hold


def check_row(block: Rows, row: dict[str, Any], span: Span) -> None:
    assert (row["depth"], block.head.threads[row["thread"]].number) == (span.depth, span.thread)
    assert abs(row["begin"] - block.clock.utc(span.begin)) <= FLIGHT_APART or span.begin < block.head.ticks0
    given = {} if span.told else {"number": row["line"]}
    properties = json.loads(row["properties"])
    # one that is open may not have been given it yet
    assert properties == given or (row["is_open"] and not properties)
    if not row["is_open"]:
        assert span.end is not None
        assert abs(row["end"] - block.clock.utc(span.end)) <= FLIGHT_APART


def beyond(blocks: list[Rows], windows: list[tuple[int, int]]) -> Counter[int]:
    """Spans that have been shipped and ended in no window, by thread."""
    found: Counter[int] = Counter()
    for block in blocks:
        bounds = [(block.clock.utc(first), block.clock.utc(last)) for first, last in windows]
        wanted = [(first - FLIGHT_APART, last + FLIGHT_APART) for first, last in bounds]
        for row in block.rows:
            if not any(first <= row["end"] <= last for first, last in wanted):
                found[block.head.threads[row["thread"]].number] += 1
    return found


def check(session: Session, journal: Journal) -> int:
    """Compares; the number of windows."""
    windows = journal.windows()
    blocks = session.of(SPAN)
    assert sum(row["msg"] == "flight recorder: because" for row in session.rows(LOG)) <= len(journal.triggers)
    ended: Counter[int] = Counter()
    still_open: set[int] = set()
    for block in blocks:
        for row in [*block.rows, *block.still_open]:
            if row["name"] == "filler":
                continue
            check_row(block, row, journal.spans[row["line"]])
            if row["is_open"]:
                still_open.add(row["line"])
            else:
                ended[row["line"]] += 1
    assert set(ended.values()) <= {1}, "each once"
    for number, span in journal.spans.items():
        for first, last in windows:
            if span.told > last:
                continue  # nobody could know of it when the window ended
            if span.end is not None and first <= span.end <= last:
                assert number in ended
            elif span.begin <= last and (span.end is None or span.end > last):
                assert number in ended or number in still_open
    for thread, count in beyond(blocks, windows).items():
        assert count <= 2 * CHUNK_SPANS * len(windows), thread
    check_async(blocks, journal, windows)
    return len(windows)


def check_async(blocks: list[Rows], journal: Journal, windows: list[tuple[int, int]]) -> None:
    rows = Counter((row["event_type"], int(row["name"])) for block in blocks for row in block.asyncs)
    assert set(rows.values()) <= {1}, "each once"
    for row in [row for block in blocks for row in block.asyncs]:
        assert row["event_type"] == "begin" or json.loads(row["properties"]) == {"number": int(row["name"])}
    known = {number for _, number in rows} | {int(row["name"]) for block in blocks for row in block.open_async}
    for number, times in journal.asyncs.items():
        for first, last in windows:
            for what, ticks in zip(("begin", "end"), times, strict=False):
                assert not first <= ticks <= last or rows[what, number] == 1
            if times[0] <= last and (len(times) == 1 or times[1] >= first):
                assert number in known


@pytest.mark.parametrize("seed", range(1, 3))
def test_what_overlaps_a_window_is_shipped_and_little_else(seed: int, tmp_path: Path) -> None:
    session, journal = run_random(tmp_path, seed, 6)
    check_clocks(session)
    assert check(session, journal) > 1


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 140))
def test_what_overlaps_many_windows_is_shipped_and_little_else(seed: int, tmp_path: Path) -> None:
    check(*run_random(tmp_path, seed, 20))


@pytest.mark.parametrize("scenario", PROMISES)
def test_what_was_recorded_is_sent_not_retained_or_dropped(scenario: str, tmp_path: Path) -> None:
    run(scenario, tmp_path, flight=True)


def test_an_async_end_alone_in_a_block_moves_nothing_that_began_before_it(tmp_path: Path) -> None:
    blocks = run("flight_async", tmp_path, flight=True).session.of(SPAN)
    ended = [(at, row) for at, block in enumerate(blocks) for row in block.asyncs if row["event_type"] == "end"]
    ((place, outer),) = [(at, row) for at, block in enumerate(blocks) for row in block.rows if row["name"] == "outer"]
    assert any(at < place for at, _ in ended)
    assert outer["begin"] < min(row["time"] for _, row in ended) - 1_000_000


def test_a_trigger_leaves_a_log(tmp_path: Path) -> None:
    rows = run("flight_stop", tmp_path, flight=True).session.rows(LOG)
    assert [(row["target"], row["level"], row["msg"]) for row in rows if row["target"] == "tachy"] == [
        ("tachy", 4, "flight recorder: error: flight")
    ]
    said = next(row["time"] for row in rows if row["target"] == "tachy")
    bad = next(row["time"] for row in rows if row["msg"] == "bad")
    assert abs(said - bad) <= FLIGHT_APART, "the trigger's moment"


def test_names_tell_the_depth_also_where_the_pool_was_full(tmp_path: Path) -> None:
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
    slots, chunks = struct.unpack_from("<QQ", whole, 288)
    slot_pages = [POOL + at * SLOT + page * PAGE for at in range(slots) for page in range(SLOT // PAGE)]
    first_chunk = POOL + slots * SLOT
    pages = [at for at in slot_pages if any(whole[at : at + PAGE])]
    pages += [first_chunk + at * CHUNK for at in range(chunks) if any(whole[first_chunk + at * CHUNK :][:8])]
    assert len(pages) >= 6, "two of each thread at least"
    moments = random.Random(3)
    for i in range(6):
        damaged = bytearray(whole)
        for _ in range(moments.choice([1, 20, 500])):
            at = moments.choice(pages) + moments.randrange(700 if i % 2 else PAGE)
            damaged[at] = moments.choice([0, 0x80, 240, 241, 243, 0xFF, moments.randrange(256)])
        folder = tmp_path / f"damaged-{i}"
        folder.mkdir(mode=0o700)
        (folder / left.name).write_bytes(damaged)
        recover(Death(folder, [], []), sanitizer=ADDRESS)
