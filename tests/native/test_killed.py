"""A recording process dies in every way there is; everything that its threads had completed is there, once.

The program (killed.c) keeps its own account of what it did in a file that outlives it. A batch that the sender had
taken may be sent again after the process died, so batches count once by id, as they do for the server.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.native import capture
from tests.native.capture import LOG, METRIC, SPAN, Session
from tests.native.test_recorder import ADDRESS, PLAIN, build

THREADS = 3
TRUTH = struct.Struct("16Q")
WAYS = ["kill", "segv", "abort", "_exit", "exit", "overflow", "memory", "exec", "fork", "threads", "unload"]


@dataclass
class Truth:
    """What one thread said it did. *_begun counts what it was about to do, *_done what it had done."""

    spans_begun: int
    spans_done: int
    metrics_begun: int
    metrics_done: int
    logs_begun: int
    logs_done: int
    depth: int
    asyncs_begun: int
    asyncs_done: int


@dataclass
class Death:
    """What a dead process left behind."""

    folder: Path
    truths: list[Truth]
    captures: list[Path]


def environment(folder: Path) -> dict[str, str]:
    """Of a program that has this session folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TACHY_")}
    return kept | {"TACHY_SESSION_FOLDER": str(folder)}


def read_truths(path: Path) -> list[Truth]:
    """What the threads said they did; nothing if the program had not come so far."""
    return [Truth(*row[:9]) for row in TRUTH.iter_unpack(path.read_bytes())] if path.exists() else []


def die(
    how: str,
    folder: Path,
    after_ms: int,
    *,
    kill_after: float | None = None,
    sanitizer: str = PLAIN,
    group: Path | None = None,
    flush_ms: int = 30,
) -> Death:
    """Runs the program to its death. kill_after: seconds until somebody kills it; group: a control group's list."""
    programs = build(sanitizer)
    sessions, truth, captured = folder / "sessions", folder / "truth", folder / "captured"
    sessions.mkdir(mode=0o700, parents=True)
    command = [str(programs / "killed"), how, str(sessions), str(truth), str(captured), str(after_ms)]
    command.append(str(programs / "librecorder_plugin.so"))
    if group:
        command = ["sh", "-c", f'echo $$ >{group} && exec "$@"', "sh", *command]
    variables = environment(sessions) | {"FLUSH_MS": str(flush_ms)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=variables)
    if kill_after is not None:
        time.sleep(kill_after)
        process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    return Death(sessions, read_truths(truth), [captured])


def start_recovery(death: Death, *, sanitizer: str = PLAIN, limits: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Another process that takes over what is there; what it sends is captured too. limits: options of prlimit."""
    into = death.folder.parent / f"recovered-{len(death.captures)}"
    death.captures.append(into)
    return subprocess.Popen(
        ["prlimit", *limits, str(build(sanitizer) / "killed"), "recover", str(death.folder), str(into)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(death.folder),
    )


def recover(death: Death, *, sanitizer: str = PLAIN, limits: Sequence[str] = ()) -> dict[str, int]:
    """Takes over what is there, and says what it found."""
    process = start_recovery(death, sanitizer=sanitizer, limits=limits)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    found: dict[str, int] = json.loads(out)
    return found


def whole_of(death: Death) -> Path:
    """Everything that arrived, in one file, batches counted once."""
    whole = death.folder.parent / "whole"
    seen: set[bytes] = set()
    with whole.open("wb") as file:
        for path in death.captures:
            data = path.read_bytes() if path.exists() else b""
            at = 0
            while at + 64 <= len(data):
                size = int.from_bytes(data[at + 48 : at + 56], "little")
                batch_id = data[at + 8 : at + 24]
                if at + size <= len(data) and batch_id not in seen:  # the last one may have been cut by the kill
                    seen.add(batch_id)
                    file.write(data[at : at + size])
                at += size
    return whole


def session_of(death: Death, *, flight: bool = False) -> Session | None:
    """What arrived, decoded; None if the process recorded nothing. flight: with a flight recorder."""
    sessions = capture.read(whole_of(death), flight=flight)
    assert len(sessions) <= 1
    return sessions[0] if sessions else None


def check(death: Death) -> Session | None:
    """Each event that a thread had completed is there exactly once, each open span is there and open."""
    session = session_of(death)
    assert list(death.folder.iterdir()) == []
    if session is None:
        assert all(truth.spans_done == truth.logs_done == 0 for truth in death.truths)
        return None
    for cls in (LOG, METRIC, SPAN):
        assert session.dropped(cls) == 0
    asyncs = sum(truth.asyncs_done for truth in death.truths)
    assert asyncs <= len(session.asyncs()) <= sum(truth.asyncs_begun for truth in death.truths)
    for row in session.asyncs():
        if row["event_type"] == "end":
            assert set(json.loads(row["properties"])) == {"step"}
    for number, truth in enumerate(death.truths):
        _check_thread(session, f"worker {number}", truth)
    return session


def _check_thread(session: Session, name: str, truth: Truth) -> None:
    def rows(cls: int) -> list[dict]:  # type: ignore[type-arg]
        return [
            row for block in session.of(cls) for row in block.rows if block.head.threads[row["thread"]].name == name
        ]

    metrics = [row["value"] for row in rows(METRIC)]
    assert metrics == list(range(len(metrics)))
    assert truth.metrics_done <= len(metrics) <= truth.metrics_begun
    logs = [row["msg"] for row in rows(LOG)]
    assert logs == [f"step {i}" for i in range(len(logs))]
    assert truth.logs_done <= len(logs) <= truth.logs_begun
    spans = rows(SPAN)
    assert truth.spans_done <= len(spans) <= truth.spans_begun
    assert [row["name"] for row in spans] == ["d1", "d1", "d1", "d0"] * (len(spans) // 4) + ["d1"] * (len(spans) % 4)
    steps = [json.loads(row["properties"]) for row in spans if row["name"] == "d0"]
    assert steps == [{"step": i, "who": "a worker"} for i in range(len(steps))]
    blocks = [block for block in session.of(SPAN) if name in [thread.name for thread in block.head.threads]]
    still_open = [
        row["name"]
        for row in (blocks[-1].still_open if blocks else [])
        if blocks[-1].head.threads[row["thread"]].name == name
    ]
    assert still_open == ["d0", "d1"][: len(still_open)]
    if len(still_open) == 2:
        row = next(row for row in blocks[-1].still_open if blocks[-1].head.threads[row["thread"]].name == name)
        assert json.loads(row["properties"]) == {"step": len(steps), "who": "a worker"}
    # one may be just beginning, or have ended without having said so
    begins = len(spans) + len(still_open)
    assert truth.depth - 1 <= len(still_open) <= truth.depth, (still_open, truth, begins)
    ids = sorted(
        row["id"]
        for row in [
            *spans,
            *(
                row
                for row in (blocks[-1].still_open if blocks else [])
                if blocks[-1].head.threads[row["thread"]].name == name
            ),
        ]
    )
    assert ids == list(range(1, len(ids) + 1))


@pytest.mark.parametrize("how", WAYS)
def test_whatever_kills_the_process_completed_events_arrive_once(how: str, tmp_path: Path) -> None:
    death = die(how, tmp_path, 80)
    found = recover(death)
    assert (found["sessions"], found["unreadable"], found["busy"]) == (1, 0, 0)
    session = check(death)
    assert session is not None
    assert session.descriptions[-1]["state"] == ("exited" if how == "exit" else "crashed")


def test_a_process_that_stopped_leaves_nothing(tmp_path: Path) -> None:
    death = die("stop", tmp_path, 120)
    assert list(death.folder.iterdir()) == []
    assert recover(death)["sessions"] == 0
    session = check(death)
    assert session is not None
    assert session.descriptions[-1]["state"] == "exited"


def test_killed_at_random_moments(tmp_path: Path) -> None:
    _kill_often(tmp_path, 12)


@pytest.mark.long
def test_killed_at_hundreds_of_random_moments(tmp_path: Path) -> None:
    _kill_often(tmp_path, 300)


def _kill_often(folder: Path, times: int) -> None:
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    for i in range(times):
        # with blocks of 1 ms, which is one commit after the other
        death = die("kill", folder / str(i), 10_000, kill_after=moments.random() * 0.2, flush_ms=[30, 1][i % 2])
        recover(death)
        try:
            check(death)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, number {i}: {error}") from error


def test_recovering_twice_and_at_once_is_recovering_once(tmp_path: Path) -> None:
    death = die("kill", tmp_path, 100)
    at_once = [start_recovery(death) for _ in range(4)]
    found = [json.loads(process.communicate(timeout=60)[0]) for process in at_once]
    assert sum(each["crashed"] for each in found) == 1
    assert recover(death)["sessions"] == 0
    check(death)


def test_a_recovery_that_is_killed_is_done_again(tmp_path: Path) -> None:
    moments = random.Random(1)
    for i in range(6):
        death = die("kill", tmp_path / str(i), 80)
        for _ in range(4):
            process = start_recovery(death)
            time.sleep(moments.random() * 0.01)
            process.kill()
            process.communicate(timeout=60)
        recover(death)
        check(death)


def test_a_living_process_is_left_alone(tmp_path: Path) -> None:
    sessions, captured = tmp_path / "sessions", tmp_path / "captured"
    sessions.mkdir(mode=0o700)
    command = [str(build(PLAIN) / "killed"), "stop", str(sessions), str(tmp_path / "truth"), str(captured), "500"]
    process = subprocess.Popen(command, env=environment(sessions))
    try:
        while not list(sessions.glob("*.session")):
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(signal.SIGSTOP)  # it does not end before we have looked
        found = recover(Death(sessions, [], [captured]))
        assert (found["sessions"], found["busy"]) == (0, 1)
    finally:
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=60) == 0
    check(Death(sessions, read_truths(tmp_path / "truth"), [captured]))


@pytest.mark.parametrize("how", ["kill", "threads"])
def test_recovery_is_clean_under_address_and_undefined_sanitizers(how: str, tmp_path: Path) -> None:
    death = die(how, tmp_path, 100)
    recover(death, sanitizer=ADDRESS)
    check(death)


def test_a_damaged_session_file_harms_nobody(tmp_path: Path) -> None:
    """Bytes changed at random: recovered or refused, never a crash."""
    moments = random.Random(2)
    death = die("kill", tmp_path, 100)
    (session_file,) = death.folder.glob("*.session")
    whole = _read_sparse(session_file)
    for i in range(20):
        folder = tmp_path / f"damaged-{i}"
        folder.mkdir(mode=0o700)
        with (folder / session_file.name).open("wb") as file:
            for offset, data in whole:
                piece = bytearray(data)
                for _ in range(moments.randrange(1, 12)):
                    at = moments.randrange(min(len(piece), 4096) if moments.random() < 0.7 else len(piece))
                    piece[at] = moments.choice([0, 1, 0x7F, 0xFF, moments.randrange(256)])
                file.seek(offset)
                file.write(piece)
            file.truncate(session_file.stat().st_size)
        recover(Death(folder, [], []), sanitizer=ADDRESS)


def _read_sparse(path: Path) -> list[tuple[int, bytes]]:
    """The parts of a file that have storage."""
    parts: list[tuple[int, bytes]] = []
    with path.open("rb") as file:
        at = 0
        while True:
            try:
                begin = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return parts
            at = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            parts.append((begin, os.pread(file.fileno(), at - begin, begin)))


def copy_sparse(source: str, target: str) -> None:
    """Copies the parts of a file that have storage, for a session file is large."""
    with Path(target).open("wb") as file:
        for offset, data in _read_sparse(Path(source)):
            file.seek(offset)
            file.write(data)
        file.truncate(Path(source).stat().st_size)
