"""Deaths at chosen moments: what the program (deaths.c) said before it died is what is recovered.

And at every step that recorder and recovery take in the session folder: kill_shim.c counts them.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.native import capture
from tests.native.capture import LOG, METRIC, SPAN, Session
from tests.native.test_killed import Death, check, copy_sparse, die, environment, read_truths, recover, whole_of
from tests.native.test_recorder import ADDRESS, PLAIN, build


def _command(scenario: str, folder: Path) -> list[str]:
    return [str(build(PLAIN) / "deaths"), scenario, str(folder / "captured")]


def _recovered(death: Death) -> list[Session]:
    recover(death, limits=[f"--as={512 << 20}"])
    assert list(death.folder.iterdir()) == []
    return capture.read(whole_of(death))


def _open_spans(session: Session) -> int:
    """Spans that the last blocks show as open: a thread's last block is the one that knows."""
    last: dict[int, list[Any]] = {}
    for block in session.of(SPAN):
        for number, thread in enumerate(block.head.threads):
            last[thread.number] = [row for row in block.still_open if row["thread"] == number]
    return sum(len(rows) for rows in last.values())


@pytest.mark.parametrize(
    "scenario",
    [
        "gone",
        "early",
        "reused",
        "second",
        "full",
        "burst",
        "deep",
        "crowd",
        "named",
        "names",
        "exits",
        "exits_busy",
        "copies",
        "later",
        "forks",
        "large",
        "moved",
    ],
)
def test_what_had_been_recorded_is_there_once(scenario: str, tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    folder.mkdir(mode=0o700)
    command = _command(scenario, tmp_path)
    died = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment(folder))
    assert died.stderr == ""
    said = json.loads(died.stdout)
    sessions = _recovered(Death(folder, [], [tmp_path / "captured"]))
    assert len(sessions) == said.get("sessions", 1)
    events = [sum(session.events(cls) for session in sessions) for cls in (LOG, METRIC, SPAN)]
    events[1] -= sum(row["target"] == "tachy" for session in sessions for row in session.rows(METRIC))
    dropped = [sum(session.dropped(cls) for session in sessions) for cls in (LOG, METRIC, SPAN)]
    if "all" in said:
        assert [a + b for a, b in zip(events, dropped, strict=True)] == said["all"]
    elif scenario == "exits_busy":
        assert events[2] >= said["events"][2]
    else:
        assert (events, dropped) == (said["events"], said["dropped"])
    if scenario != "exits_busy":
        assert sum(_open_spans(session) for session in sessions) == said["open"]
    states = sorted(session.descriptions[-1]["state"] for session in sessions)
    assert states == (["exited"] if "exits" in scenario else ["crashed", "exited"][: len(states)])
    kinds = [session.descriptions[-1]["properties"].get("crash-kind") for session in sessions]
    assert kinds == ["assert" if scenario == "named" else None] * len(sessions)
    if scenario == "early":
        frequencies = {sessions[0].descriptions[-1]["tsc_frequency"], sessions[0].of(SPAN)[0].head.frequency}
        assert frequencies == {said["frequency"]}
    if scenario == "named":
        (row,) = sessions[0].rows(LOG)
        assert (row["msg"], json.loads(row["properties"])) == ("the last words", {"key": "value", "other": "text"})


def _walk(program: list[str], death: Death, step: int, when: str) -> bool:
    """Runs the program, killed at this step in the folder. False: it took fewer."""
    shim = {"LD_PRELOAD": str(build(PLAIN) / "libkill_shim.so"), "SHIM_FOLDER": str(death.folder)}
    variables = environment(death.folder) | shim | {"SHIM_AT": str(step), "SHIM_WHEN": when}
    done = subprocess.run(program, capture_output=True, timeout=60, check=False, env=variables)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode != 0


def _killed_at(folder: Path, step: int, when: str) -> Death | None:
    """The program of test_killed.py, killed at this step in its folder; None: it ended before."""
    sessions, truth, captured = folder / "sessions", folder / "truth", folder / "captured"
    sessions.mkdir(mode=0o700, parents=True)
    death = Death(sessions, [], [captured])
    command = [str(build(PLAIN) / "killed"), "stop", str(sessions), str(truth), str(captured), "60"]
    if not _walk(command, death, step, when):
        return None
    death.truths = read_truths(truth)
    return death


def _kill_at_every_step(folder: Path, times: list[str], stride: int) -> int:
    reached = 0
    for when in times:
        step = 1 + len(when) % stride
        while (death := _killed_at(folder / f"{when}-{step}", step, when)) is not None:
            recover(death)
            check(death)
            shutil.rmtree(folder / f"{when}-{step}")
            reached = max(reached, step)
            step += stride
    return reached


def _kill_recovery_at_every_step(folder: Path, times: list[str], stride: int) -> int:
    """One dead process for all: each recovery begins with a copy of what it left."""
    death = die("kill", folder, 60)
    left = folder / "left"
    death.folder.rename(left)
    reached = 0
    for when in times:
        step = 1 + len(when) % stride
        killed = True
        while killed:
            shutil.copytree(left, death.folder, copy_function=copy_sparse)
            again = Death(death.folder, death.truths, [*death.captures, folder / f"{when}-{step}"])
            command = [str(build(PLAIN) / "killed"), "recover", str(death.folder), str(again.captures[-1])]
            killed = _walk(command, again, step, when)
            recover(again)
            check(again)
            death.folder.rmdir()
            for path in again.captures[len(death.captures) :]:
                path.unlink(missing_ok=True)
            reached = max(reached, step)
            step += stride
    return reached


def test_killed_at_steps_in_the_folder(tmp_path: Path) -> None:
    assert _kill_at_every_step(tmp_path, ["half"], 7) > 20


def test_a_recovery_killed_at_steps_in_the_folder(tmp_path: Path) -> None:
    assert _kill_recovery_at_every_step(tmp_path, ["before", "half", "after"], 3) > 5


@pytest.mark.long
def test_killed_at_every_step_in_the_folder(tmp_path: Path) -> None:
    assert _kill_at_every_step(tmp_path, ["before", "half", "after"], 1) > 20


@pytest.mark.long
def test_a_recovery_killed_at_every_step_in_the_folder(tmp_path: Path) -> None:
    assert _kill_recovery_at_every_step(tmp_path, ["before", "half", "after"], 1) > 5


FIXED = 0x8000000 + 4096 * 24576  # of a session file, before the first chunk


@pytest.mark.parametrize("limit", [FIXED // 2, FIXED + 1000, FIXED + (2 << 20), FIXED + (5 << 20)])
def test_a_limit_on_the_size_of_files_costs_protection_only(limit: int, tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    folder.mkdir(mode=0o700)
    ended = subprocess.run(
        ["prlimit", f"--fsize={limit}", *_command("survive", tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(folder),
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert list(folder.iterdir()) == []


@functools.cache
def _may_mount() -> bool:
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


def _on_storage_of(size: str, folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Runs the shell script where the folder is a file system of this size."""
    if not _may_mount():
        pytest.skip("only root may mount a file system of its own")
    folder.mkdir(mode=0o700)
    mount = f"mount -t tmpfs -o mode=700,size={size} none {folder}"
    command = ["unshare", "-m", "sh", "-c", f"{mount} && {script}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment(folder))


SIZES = ["64k", "140k", "200k", "1m", "3m", "5m", "9m", "20m"]


@pytest.mark.parametrize("size", SIZES)
def test_storage_that_runs_out_costs_protection_only(size: str, tmp_path: Path) -> None:
    ended = _on_storage_of(
        size, tmp_path / "sessions", " ".join(_command("survive", tmp_path)) + f"; ls {tmp_path}/sessions"
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "session" not in ended.stdout.replace("_session", "")
    (session,) = capture.read(tmp_path / "captured")
    assert [session.events(cls) for cls in (LOG, METRIC, SPAN)] == [4000, 4000, 4000]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_recovered_from_storage_that_ran_out_is_there_once(size: str, tmp_path: Path) -> None:
    program, folder = build(PLAIN) / "killed", tmp_path / "sessions"
    first, second = tmp_path / "captured", tmp_path / "recovered"
    ended = _on_storage_of(
        size,
        folder,
        f"{program} kill {folder} {tmp_path}/truth {first} 100; {program} recover {folder} {second}; ls {folder}",
    )
    assert (ended.returncode, ended.stderr) == (0, "Killed\n")
    whole = whole_of(Death(folder, [], [first, second]))
    for session in capture.read(whole, holes=True):
        for cls in (LOG, METRIC):
            for block in session.of(cls):
                assert block.head.events == len(block.rows)


def test_what_died_on_full_storage_makes_room_for_its_recovery(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    program = f"{build(PLAIN)}/killed"
    fill = f"cat /dev/zero >{folder}/.fill 2>{tmp_path}/full"
    death = Death(folder, [], [tmp_path / "captured", tmp_path / "recovered"])
    script = f"{program} kill {folder} {tmp_path}/truth {death.captures[0]} 100; {fill}; {program} recover {folder}"
    ended = _on_storage_of("60m", folder, f"{script} {death.captures[1]}")
    assert (ended.returncode, ended.stderr) == (0, "Killed\n")
    assert json.loads(ended.stdout)["sessions"] == 1
    death.truths = read_truths(tmp_path / "truth")
    assert check(death) is not None


@pytest.mark.parametrize("how", ["removed", "read-only", "link", "somebody else's", "group's", "everybody's"])
def test_a_folder_that_cannot_be_used_costs_protection_only(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    folder.mkdir(mode=0o700)
    if how == "link":
        (tmp_path / "link").symlink_to(folder)
        folder = tmp_path / "link"
    if how == "somebody else's":
        if os.geteuid() != 0:
            pytest.skip("only root may give a folder away")
        os.chown(folder, 12345, 12345)
    if how == "read-only":
        if os.geteuid() == 0:
            pytest.skip("root may write anywhere")
        folder.chmod(0o500)
    if how in ("group's", "everybody's"):
        folder.chmod(0o770 if how == "group's" else 0o707)
    program = subprocess.Popen(_command("survive", tmp_path), stderr=subprocess.PIPE, env=environment(folder))
    if how == "removed":
        while not list(folder.glob("*.session")):
            time.sleep(0.005)
        shutil.rmtree(folder)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 0
    lines = errors.decode().splitlines()  # one says so, unless it went while it was in use
    assert [str(folder) in line and "dies with the process" in line for line in lines] == [True] * (how != "removed")
    (session,) = capture.read(tmp_path / "captured")
    assert [session.events(cls) for cls in (LOG, METRIC, SPAN)] == [4000, 4000, 4000]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
@pytest.mark.parametrize("others", [1, 4])
def test_a_folder_that_somebody_else_made_first_is_not_used(others: int) -> None:
    """A user of a number of his own, whose standard folders (the first `others` of them) belong to somebody else."""
    user = 100_000 + os.getpid()
    base = Path(tempfile.mkdtemp(dir="/dev/shm"))
    memory = Path(f"/dev/shm/tachy-{user}")
    try:
        base.chmod(0o755)
        program, _ = (shutil.copy(build(PLAIN) / name, base) for name in ("deaths", "../libtachy.so.0"))
        for name in ("run", "tmp", "home", "work"):
            (base / name).mkdir()
            os.chown(base / name, user, user)
        choices = [memory, base / "run" / "tachy", base / "tmp" / f"tachy-{user}", base / "home" / ".tachy-sessions"]
        for path in choices[:others]:
            path.mkdir(mode=0o777)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TACHY_")}
        own = {"XDG_RUNTIME_DIR": str(base / "run"), "TMPDIR": str(base / "tmp"), "HOME": str(base / "home")}
        own["LD_LIBRARY_PATH"] = str(base)  # that user may not be allowed to read where it was built
        done = subprocess.run(
            ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
             program, "survive", base / "work/captured"],
            capture_output=True, text=True, timeout=60, check=True, env=kept | own,
        )  # fmt: skip
        assert [path.exists() for path in choices] == [True, True, False, False] if others == 1 else [True] * 4
        assert all(list(path.iterdir()) == [] for path in choices[:others])
        assert len(done.stderr.splitlines()) == (others == 4)
    finally:
        shutil.rmtree(base)
        shutil.rmtree(memory, ignore_errors=True)


def test_the_kernel_kills_for_want_of_memory(tmp_path: Path) -> None:
    """In a control group that holds less than the program wants."""
    groups = Path("/sys/fs/cgroup/memory")  # the old hierarchy
    limit = "memory.limit_in_bytes"
    if not groups.is_dir():
        groups, limit = Path("/sys/fs/cgroup"), "memory.max"
    group = groups / f"tachy-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text("60M")
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"no control group can be made: {error}")
    try:
        death = die("memory", tmp_path, 60, group=group / "cgroup.procs")
    finally:
        group.rmdir()
    recover(death)
    session = check(death)
    assert session is not None
    assert session.descriptions[-1]["state"] == "crashed"


def _fuzz(scenario: str, folder: Path, seeds: range, milliseconds: int) -> None:
    """Reads a session file with words changed at random, under sanitizers and a bound of memory."""
    sessions = folder / "sessions"
    sessions.mkdir(mode=0o700)
    subprocess.run(_command(scenario, folder), timeout=60, check=False, env=environment(sessions))
    (file,) = sessions.glob("*.session")
    bounds = "quarantine_size_mb=8:max_allocation_size_mb=200:hard_rss_limit_mb=2000"
    variables = environment(sessions) | {"ASAN_OPTIONS": bounds, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    for seed in seeds:
        command = [str(build(ADDRESS) / "fuzz_dead"), str(file), str(seed), str(milliseconds)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=variables)
        assert (done.returncode, done.stderr) == (0, ""), f"seed {seed}"
        read, gave_blocks = map(int, done.stdout.split())
        assert read > gave_blocks > 0


@pytest.mark.parametrize("scenario", ["sample", "sample_flight"])
def test_whatever_stands_in_a_session_file_can_be_read(scenario: str, tmp_path: Path) -> None:
    _fuzz(scenario, tmp_path, range(1, 3), 1000)


@pytest.mark.long
@pytest.mark.parametrize("scenario", ["sample", "sample_flight"])
def test_whatever_stands_in_a_session_file_can_be_read_for_minutes(scenario: str, tmp_path: Path) -> None:
    _fuzz(scenario, tmp_path, range(10, 13), 30_000)
