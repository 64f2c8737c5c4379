"""The recorder, through C programs that use libtachy as a game does; their batches are decoded by the server's reader.

The programs are built with CMake into build/native-tests/, once without and once with each sanitizer.
"""

from __future__ import annotations

import base64
import collections
import fcntl
import functools
import json
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cpp.builds import LEAN
from tests.native import capture
from tests.native.capture import LOG, METRIC, SPAN, Session

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["", "log", "metric", "span"]  # by class
PLAIN, ADDRESS, THREAD = "", "address,undefined", "thread"

RECORDING = [
    "one_thread", "two_threads", "eight_threads", "full_pool", "full_pool_alone", "exact_counts", "long_spans",
    "leaves", "too_deep", "mismatched", "phases", "async_across_threads", "logs", "texts", "late_logs", "images",
    "metrics", "strange_times", "thread_churn", "cuts_under_load",
]  # fmt: skip
LIFE = [
    "nothing_runs", "many_sessions", "open_over_sessions", "restart_under_load", "flushes", "halves",
    "forks", "everything_in_a_fork", "names_and_properties", "little_memory",
    "named_later",
]  # fmt: skip
OUTBOX = ["nobody_takes", "overflow", "retry", "replaced", "stop_waits", "retries"]
SPOOL = [
    "spool_file", "spool_outage", "spool_budget", "spool_writes", "spool_kept", "spool_raw", "spool_nowhere",
    "spool_full", "spool_damaged", "spool_crowd", "spool_compressed", "spool_turns", "spool_forks",
    "spool_killed", "losses_reported",
]  # fmt: skip
CLAIM = ["recover", "in_turns", "lost", "left", "oldest", "no_room", "crowd", "nothing"]
SITES = ["levels", "interned", "unloaded", "refused", "concurrent_levels"]
# The child of fork() starts a thread, which the thread sanitizer does not support, and under which gcc 12's address
# sanitizer may wait for ever: its allocator's locks are copied as another thread held them.
FORKING = ("forks", "little_memory", "everything_in_a_fork", "spool_forks", "spool_killed")
UNDER_SANITIZERS = [name for name in [*RECORDING, *LIFE, *OUTBOX, *SPOOL, *CLAIM, *SITES] if name not in FORKING]


@dataclass
class Outcome:
    """What one run left: the sessions in its capture, and the stats that it printed, by process id."""

    sessions: list[Session]
    stats: dict[str, dict[str, Any]]

    @property
    def session(self) -> Session:
        assert len(self.sessions) == 1
        return self.sessions[0]


@functools.cache
def make(sanitizer: str, *targets: str, system: str = "") -> Path:
    """The folder with the programs of this sanitizer, of which these are up to date. One builder at a time. `system`:
    the folder of src/os in place of this system's."""
    folder = ROOT / "build" / "native-tests" / ((sanitizer.replace(",", "-") or "plain") + system)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        configure = ["cmake", "-S", str(ROOT / "native"), "-B", str(folder), "-DTACHY_TESTS=ON"]
        configure += [f"-DTACHY_SANITIZE={sanitizer}", f"-DTACHY_OS={system}"]
        configure.append(f"-DCMAKE_C_FLAGS_RELWITHDEBINFO={LEAN}")
        subprocess.run(configure, check=True, capture_output=True)
        command = ["cmake", "--build", str(folder), "-j2", "--target", *targets]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stdout + built.stderr
    return folder / "tests"


def build(sanitizer: str) -> Path:
    """The same for all programs but those that few tests need."""
    programs = ["recorder_tests", "recorder_plugin", "killed", "kill_shim", "deaths", "fuzz_dead", "claim_tests"]
    return make(sanitizer, *programs, *([] if sanitizer else ["few_allocations"]))


def execute(scenario: str, folder: Path, sanitizer: str, variables: dict[str, str] | None = None) -> str:
    """Runs a scenario, which writes its batches to `folder`/batches; its output. variables: of its environment."""
    programs = build(sanitizer)
    plugin = str(programs / "librecorder_plugin.so")
    program = "claim_tests" if scenario in CLAIM else "recorder_tests"
    command = [str(programs / program), scenario, str(folder / "batches"), plugin]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TACHY_")}
    environment |= {"TACHY_SESSION_FOLDER": str(folder / "session")}
    environment |= {"TSAN_OPTIONS": "halt_on_error=1", **(variables or {})}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(
    scenario: str,
    folder: Path,
    *,
    holes: bool = False,
    flight: bool = False,
    variables: dict[str, str] | None = None,
) -> Outcome:
    """Runs a scenario; every batch that it wrote is checked and decoded. `holes`: its outbox drops blocks; `flight`: it
    has a flight recorder."""
    stats = [json.loads(line) for line in execute(scenario, folder, PLAIN, variables).splitlines()]
    sessions = capture.read(folder / "batches", holes=holes, flight=flight)
    outcome = Outcome(sessions, {each["process_id"]: each for each in stats})
    for session in outcome.sessions:
        reported = outcome.stats.get(session.process_id.hex)
        if reported is None:
            continue
        for cls in (LOG, METRIC, SPAN):  # to the event
            not_retained = reported["not_retained"] if cls == SPAN else 0
            assert session.events(cls) == reported["sent"][cls] + reported["kept"][cls]
            assert session.events(cls) == reported["recorded"][cls] - reported["dropped"][cls] - not_retained
    return outcome


@pytest.mark.parametrize("scenario", UNDER_SANITIZERS)
def test_clean_under_address_and_undefined_sanitizers(scenario: str, tmp_path: Path) -> None:
    execute(scenario, tmp_path, ADDRESS)


@pytest.mark.parametrize("scenario", UNDER_SANITIZERS)
def test_clean_under_thread_sanitizer(scenario: str, tmp_path: Path) -> None:
    execute(scenario, tmp_path, THREAD)


@pytest.mark.parametrize(
    "scenario", ["nothing_runs", "many_sessions", "restart_under_load", "flushes", "halves", "forks", "little_memory"]
)
def test_sessions_begin_and_end_whatever_threads_do(scenario: str, tmp_path: Path) -> None:
    outcome = run(scenario, tmp_path)
    for session in outcome.sessions:
        states = [description["state"] for description in session.descriptions]
        assert states == ["running"] * (len(states) - 1) + ["exited"]


def test_ids_of_batches_begin_with_the_time(tmp_path: Path) -> None:
    begin = time.time_ns() // 1_000_000
    times = [batch_id.int >> 80 for batch_id in run("named_later", tmp_path).session.batch_ids]
    assert begin <= times[0]
    assert times == sorted(times)
    assert times[-1] <= time.time_ns() // 1_000_000


def test_a_session_starts_or_is_refused_whichever_allocation_fails(tmp_path: Path) -> None:
    """The C library's own fail, too: what it does for us must not abort."""
    environment = {"TACHY_SESSION_FOLDER": str(tmp_path / "session")}
    command = [str(build(PLAIN) / "few_allocations")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_nothing_that_runs_inside_a_fork_waits_for_a_lock_of_ours(tmp_path: Path) -> None:
    session = run("everything_in_a_fork", tmp_path).session
    # neither the properties nor the names of what was called there
    assert all("in a" not in description["properties"] for description in session.descriptions)
    assert {row["name"] for row in session.rows(SPAN)} == {"span"}


def test_threads_bear_the_last_name_that_the_system_has_unless_the_program_told_us(tmp_path: Path) -> None:
    blocks = run("named_later", tmp_path).session.of(SPAN)
    names = [{thread.number: thread.name for thread in block.head.threads} for block in blocks]
    assert names[0] == {1: "the main one", 2: "worker"}
    last: dict[int, str] = {}
    for of_block in names:
        last.update(of_block)
    assert last == {1: "the main one", 2: "last words", 3: "ours"}


def test_threads_of_a_crowd_bear_their_names_too(tmp_path: Path) -> None:
    blocks = run("named_in_a_crowd", tmp_path).session.of(SPAN)
    names = {thread.name for block in blocks for thread in block.head.threads}
    assert names == {f"{i} of part {part}" for i in range(40) for part in (1, 2)}


@pytest.mark.parametrize(("scenario", "threads"), [("one_thread", 1), ("two_threads", 2), ("eight_threads", 8)])
def test_every_event_of_every_thread_arrives(scenario: str, threads: int, tmp_path: Path) -> None:
    outcome = run(scenario, tmp_path)
    session = outcome.session
    reported = outcome.stats[session.process_id.hex]
    assert reported["dropped"] == [0, 0, 0, 0]
    assert reported["threads"] == threads
    seen = {thread.number for block in session.of(SPAN) for thread in block.head.threads}
    assert seen == set(range(1, threads + 1))
    check_tree(session, lost=False)
    texts = [row["msg"] for row in session.rows(LOG)]
    assert all(text.startswith("step ") for text in texts)
    for row in session.rows(METRIC):
        assert row["name"] in {"number", "half", "frame"}
    values: dict[tuple[int, str], list[float]] = collections.defaultdict(list)
    for block in session.of(METRIC):
        for row in block.rows:
            values[block.head.threads[row["thread"]].number, row["name"]].append(row["value"])
    for thread in seen:
        assert [2 * value for value in values[thread, "half"]] == values[thread, "number"]


@pytest.mark.parametrize("scenario", ["full_pool", "full_pool_alone", "cuts_under_load"])
def test_what_a_full_pool_loses_is_counted_and_the_rest_still_nests(scenario: str, tmp_path: Path) -> None:
    outcome = run(scenario, tmp_path)
    session = outcome.session
    reported = outcome.stats[session.process_id.hex]
    assert len(session.of(SPAN)) > 1
    for cls in (LOG, METRIC, SPAN):
        assert session.dropped(cls) == reported["dropped"][cls]
    if scenario != "cuts_under_load":
        assert reported["dropped"][SPAN] > 0
    check_tree(session, lost=True)


def check_tree(session: Session, *, lost: bool) -> None:
    """Names tell the depth, so a wrong shadow stack or a wrong parent shows."""
    names: dict[tuple[int, int], str] = {}
    for block in session.of(SPAN):
        for row in [*block.rows, *block.still_open]:
            assert row["name"] == f"d{row['depth']}", row
            names[block.head.threads[row["thread"]].number, row["id"]] = row["name"]
    for block in session.of(SPAN):
        for row in block.rows:
            if row["parent"] > 0:
                assert names[block.head.threads[row["thread"]].number, row["parent"]] == f"d{row['depth'] - 1}"
            else:
                assert (row["parent"] == 0) == (row["depth"] == 0)
                assert lost or row["parent"] == 0
    if not lost:
        for thread in {number for number, _ in names}:
            ids = sorted(span for number, span in names if number == thread)
            assert ids == list(range(1, len(ids) + 1))


def test_recorded_less_dropped_is_what_arrives_to_the_event(tmp_path: Path) -> None:
    outcome = run("exact_counts", tmp_path)
    session = outcome.session
    reported = outcome.stats[session.process_id.hex]
    for cls in (LOG, METRIC, SPAN):
        assert session.dropped(cls) == reported["dropped"][cls]


def test_spans_longer_than_32_bits_of_ticks_keep_their_duration(tmp_path: Path) -> None:
    session = run("long_spans", tmp_path).session
    rows = {row["name"]: row for row in session.rows(SPAN)}
    assert rows["slept"]["duration"] >= 1_800_000_000
    given = 20_000_000_001e9 / session.descriptions[-1]["tsc_frequency"]
    assert rows["given"]["duration"] == pytest.approx(given, rel=1e-4)
    limit = (2**32 - 1) * 1e9 / session.descriptions[-1]["tsc_frequency"]
    assert rows["limit"]["duration"] == pytest.approx(limit, rel=1e-4)
    assert rows["slept"]["depth"] == rows["given"]["depth"] == 0


def test_spans_in_a_row_keep_their_times_on_both_sides_of_32_bits_of_ticks(tmp_path: Path) -> None:
    session = run("leaves", tmp_path).session
    long, edge = 5_000_000_000, 2**32 - 1
    ticks = [
        (0, 300), (200, 300), (200, 100000), (long, 300), (100000, 300), (200, 300), (200, long), (200, 300),
        (200, edge), (200, 300), (edge, 300), (edge - 1, edge - 1), (200, 300),
    ]  # fmt: skip
    rows = session.rows(SPAN)
    assert [row["id"] for row in rows] == list(range(1, len(ticks) + 1))
    assert {(row["depth"], row["parent"]) for row in rows} == {(0, 0)}
    tick = 1e9 / session.descriptions[-1]["tsc_frequency"]
    before = rows[0]["begin"]
    for row, (pause, length) in zip(rows, ticks, strict=True):
        assert row["begin"] - before == pytest.approx(pause * tick, rel=1e-4, abs=2)
        assert row["duration"] == pytest.approx(length * tick, rel=1e-4, abs=2)
        before = row["end"]


def test_spans_beyond_the_greatest_depth_are_counted(tmp_path: Path) -> None:
    session = run("too_deep", tmp_path).session
    assert session.dropped(SPAN) == 3 * 76
    assert max(row["depth"] for row in session.rows(SPAN)) == 1023
    assert {block.head.threads[0].open_at_end for block in session.of(SPAN)} >= {600, 0}


def test_scopes_out_of_order_are_repaired(tmp_path: Path) -> None:
    rows = run("mismatched", tmp_path).session.rows(SPAN)
    assert [(row["name"], row["depth"], row["id"], row["parent"]) for row in rows] == [
        ("c", 2, 3, 2), ("b", 1, 2, 1), ("a", 0, 1, 0), ("a", 0, 4, 0),
    ]  # fmt: skip


def test_phases_touch_and_share_their_frame(tmp_path: Path) -> None:
    rows = run("phases", tmp_path).session.rows(SPAN)
    assert len(rows) == 4000
    for i in range(0, 4000, 4):
        steps, frame = rows[i : i + 3], rows[i + 3]
        assert [row["name"] for row in steps] == ["input", "think", "draw"]
        assert {row["parent"] for row in steps} == {frame["id"]}
        assert steps[0]["end"] == steps[1]["begin"]
        assert steps[1]["end"] == steps[2]["begin"]


def test_async_spans_cross_threads(tmp_path: Path) -> None:
    rows = run("async_across_threads", tmp_path).session.asyncs()
    assert len(rows) == 800
    begins = {row["span_id"]: row for row in rows if row["event_type"] == "begin"}
    ends = {row["span_id"]: row for row in rows if row["event_type"] == "end"}
    assert len(begins) == len(ends) == 400
    for span, begin in begins.items():
        assert begin["time"] <= ends[span]["time"]
        if begin["name"] == "read":
            assert begins[begin["parent_span_id"]]["name"] == "load"
            assert begin["depth"] == 1
    assert any(begins[span]["thread"] != ends[span]["thread"] for span in begins)


def _mark(size: int) -> str:
    return f"… [of {size} bytes]"


def test_logs_keep_arguments_and_properties(tmp_path: Path) -> None:
    rows = run("logs", tmp_path).session.rows(LOG)
    assert [row["msg"] for row in rows[:4]] == [
        "the orc has -5 of 7, 2.50 at 0x1234",
        "nothing to add",
        "",
        "café ??",
    ]
    assert json.loads(rows[0]["properties"]) == {"map": "e1m1", "build": "42"}
    assert rows[0]["properties"] == rows[3]["properties"]
    assert rows[1]["properties"] == "{}"
    (given,) = (int(number) for number in re.findall("… \\[of ([0-9]+) bytes]$", rows[4]["msg"]))
    assert rows[4]["msg"] == f"{'x' * (len(rows[4]['msg']) - len(_mark(given)))}{_mark(given)}"
    assert len(rows[4]["msg"].encode()) == 32768 < given
    assert len(rows[5]["msg"]) > 60000
    assert [row["level"] for row in rows[:3]] == [3, 2, 4]


def test_texts_of_every_short_length_arrive_whole_and_valid_in_chunk_after_chunk(tmp_path: Path) -> None:
    wanted = []
    for size in range(1, 80):
        for place in range(size):
            text = [chr(ord("a") + (size + i) % 26) for i in range(size)]
            wanted.append("".join([*text[:place], "?", *text[place + 1 :]]))
            if place + 1 < size:
                wanted.append("".join([*text[:place], "é", *text[place + 2 :]]))
    assert [row["msg"] for row in run("texts", tmp_path).session.rows(LOG)] == wanted


def test_metrics_keep_every_bit(tmp_path: Path) -> None:
    rows = run("metrics", tmp_path).session.rows(METRIC)
    assert [row["value"] for row in rows[:5]] == [-(2.0**63), 2.0**63, -1.0, -0.5, float("inf")]
    assert rows[5]["unit"] == "seconds"
    assert rows[5]["time"] == rows[6]["time"]


def test_times_from_elsewhere_never_lie_ahead(tmp_path: Path) -> None:
    session = run("strange_times", tmp_path).session
    for block in session.blocks:
        assert block.head.end_ticks <= block.head.ticks1
    assert [row["value"] for row in session.rows(METRIC)] == list(range(9))


def test_property_sets_without_a_number_are_counted(tmp_path: Path) -> None:
    rows = run("refused", tmp_path).session.rows(METRIC)
    assert [json.loads(row["properties"]) for row in rows] == [{"number": "65534"}, {}]


def test_short_lived_threads_each_have_a_stream(tmp_path: Path) -> None:
    session = run("thread_churn", tmp_path).session
    for cls in (LOG, SPAN):
        threads = [thread for block in session.of(cls) for thread in block.head.threads]
        assert sum(thread.events for thread in threads) == 1000
        assert {thread.number for thread in threads} == set(range(1, 1001))
        assert {thread.name for thread in threads} == {"mayfly"}


def test_spans_open_over_a_restart_are_known_to_both_sessions(tmp_path: Path) -> None:
    first, second = run("open_over_sessions", tmp_path).sessions
    assert first.rows(SPAN) == []
    assert [row["name"] for row in second.rows(SPAN)] == ["inner", "inner", "outer"]
    assert [row["name"] for row in second.of(SPAN)[0].still_open] == ["outer"]


def test_the_description_says_who_runs(tmp_path: Path) -> None:
    session = run("names_and_properties", tmp_path).session
    first, last = session.descriptions[0], session.descriptions[-1]
    assert first["exe"] == "/games/quake"
    assert first["sdk"] == "test 1"
    assert first["parent_process_id"] == "00112233-4455-6677-8899-aabbccddeeff"
    assert first["properties"] == {"build": "43", "quote": 'a "b" \\ \n \x01', "map": "e1m1"}
    assert first["clock"] in {"tsc", "cntvct", "os"}
    assert abs(first["tsc_frequency"] - session.blocks[0].head.frequency) <= first["tsc_frequency"] // 1000
    assert (first["state"], last["state"]) == ("running", "exited")
    names = [block.head.threads[0].name for block in session.of(SPAN)]
    assert names == ["captain", "first mate"]


def test_an_overfull_outbox_drops_spans_first_and_logs_last(tmp_path: Path) -> None:
    outcome = run("overflow", tmp_path, holes=True)
    reported = outcome.stats[outcome.session.process_id.hex]
    assert reported["dropped"][SPAN] > reported["dropped"][METRIC]
    assert reported["dropped"][LOG] == 0
    logs = [block.head.sequence for block in outcome.session.of(LOG)]
    assert logs == list(range(len(logs)))


def test_logs_of_other_threads_and_times_have_streams_of_their_names(tmp_path: Path) -> None:
    session = run("late_logs", tmp_path).session
    assert session.events(LOG) == 4000


def test_images_are_parts_of_one_time_in_a_stream_of_their_own(tmp_path: Path) -> None:
    session = run("images", tmp_path).session
    assert not session.rows(LOG)  # they are no log entries
    rows = [row for block in session.of(LOG) for row in block.images]
    parts: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        head, text = row["msg"].split("\n")
        number, part, count, size, kind, name = head.split(" ", 5)
        assert (row["level"], row["target"]) == (4, "tachy.image")
        parts.setdefault(int(number), []).append((int(part), int(count), int(size), kind, name, text, row["time"]))
    assert session.events(LOG) == len(rows)
    assert {thread.name for block in session.of(LOG) for thread in block.head.threads} == {"images"}
    pattern = bytes((i * i >> 3) & 255 for i in range(100_001))
    found = []
    for number in sorted(parts):
        _, count, size, kind, name, _, time = parts[number][0]
        assert [part[0] for part in parts[number]] == list(range(count))
        assert {part[1:5] for part in parts[number]} == {(count, size, kind, name)}
        assert {part[6] for part in parts[number]} == {time}
        data = b"".join(base64.b64decode(part[5], validate=True) for part in parts[number])
        assert len(data) == size
        assert data in (pattern[:size], b"nameless")
        found.append((name, kind, size))
    sizes = (1, 2, 3, 5699, 5700, 5701, 11400, 100_001)
    expected = [(name, "image/x", size) for name in ("first", "of two lines", "?") for size in sizes]
    assert sorted(found) == sorted([*expected, ("", "", 8)])


def test_only_the_server_s_word_drops_a_batch_and_pauses_grow_with_jitter(tmp_path: Path) -> None:
    run("retries", tmp_path)


@pytest.mark.parametrize("scenario", ["nobody_takes", "retry", "replaced", "stop_waits"])
def test_batches_belong_to_who_took_them(scenario: str, tmp_path: Path) -> None:
    run(scenario, tmp_path)


def reported_losses(session: Session) -> list[int]:
    """Events lost, by class, according to the session's own metric."""
    reported = [0, 0, 0, 0]
    for row in session.rows(METRIC):
        if row["name"] == "tachy.dropped_events":
            assert (row["unit"], row["target"]) == ("events", "tachy")
            reported[NAMES.index(json.loads(row["properties"])["class"])] += int(row["value"])
    return reported


@pytest.mark.parametrize("scenario", ["full_pool", "full_pool_alone", "exact_counts", "spool_damaged"])
def test_losses_are_reported_as_data_once(scenario: str, tmp_path: Path) -> None:
    outcome = run(scenario, tmp_path, holes=True)
    assert reported_losses(outcome.session) == outcome.stats[outcome.session.process_id.hex]["dropped"]


def test_reporting_losses_ends_where_the_rows_that_report_are_dropped_too(tmp_path: Path) -> None:
    session = run("losses_reported", tmp_path, holes=True).session
    assert reported_losses(session) == [0, 0, 1, 0]  # of the two that were refused, the first row reported the first


def test_nothing_is_reported_where_nothing_was_lost(tmp_path: Path) -> None:
    assert reported_losses(run("logs", tmp_path).session) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "scenario",
    [
        "spool_file",
        "spool_writes",
        "spool_raw",
        "spool_compressed",
        "spool_turns",
        "spool_nowhere",
        "spool_full",
        "spool_damaged",
        "spool_crowd",
    ],
)
def test_a_batch_lies_in_its_file_until_it_is_sent_or_given_up(scenario: str, tmp_path: Path) -> None:
    run(scenario, tmp_path, holes=True)


def test_an_outage_beyond_the_outbox_is_on_disk_and_arrives(tmp_path: Path) -> None:
    outcome = run("spool_outage", tmp_path)
    assert outcome.stats[outcome.session.process_id.hex]["dropped"] == [0, 0, 0, 0]


def test_an_overfull_spool_drops_spans_first_and_logs_last(tmp_path: Path) -> None:
    outcome = run("spool_budget", tmp_path, holes=True)
    logs = [block.head.sequence for block in outcome.session.of(LOG)]
    assert logs == list(range(len(logs)))
    metrics = [block.head.sequence for block in outcome.session.of(METRIC)]
    assert metrics == list(range(metrics[0], metrics[-1] + 1))  # the oldest went
    assert metrics[0] > 0


def test_what_a_stop_leaves_is_kept_in_files(tmp_path: Path) -> None:
    outcome = run("spool_kept", tmp_path)
    reported = outcome.stats[outcome.session.process_id.hex]
    assert reported["kept"] == reported["recorded"]
    assert outcome.session.descriptions[-1]["state"] == "exited"


def test_a_killed_process_leaves_its_unsent_batches(tmp_path: Path) -> None:
    session = run("spool_killed", tmp_path).session
    assert [session.events(cls) for cls in (LOG, METRIC, SPAN)] == [630, 2500, 10000]


def test_a_forked_child_leaves_its_parents_files_alone(tmp_path: Path) -> None:
    outcome = run("spool_forks", tmp_path)
    assert outcome.session.events(SPAN) == 4000


@pytest.mark.parametrize("scenario", CLAIM)
def test_batches_of_a_dead_process_are_sent_by_another(scenario: str, tmp_path: Path) -> None:
    sessions = run(scenario, tmp_path, holes=True).sessions
    if scenario == "recover":
        assert [session.events(SPAN) for session in sessions] == [4000]
        assert sessions[0].descriptions[-1]["state"] == "exited"


@pytest.mark.parametrize("scenario", ["levels", "interned", "unloaded", "concurrent_levels"])
def test_sites_follow_the_level_and_outlive_their_module(scenario: str, tmp_path: Path) -> None:
    session = run(scenario, tmp_path).session
    if scenario == "unloaded":
        names = collections.Counter(row["name"] for row in session.rows(SPAN))
        assert names == {"plugin span": 100}
        assert all(row["msg"] == "from the plugin" for row in session.rows(LOG))
