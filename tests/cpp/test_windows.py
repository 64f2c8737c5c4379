"""The C++ SDK on Windows: built by mingw, read in Microsoft's dialect, its programs under wine to the real server."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.cpp import windows
from tests.cpp.builds import HERE, INCLUDES, SDK, run
from tests.cpp.test_finstrument import calls_of, of_the_game
from tests.cpp.test_libraries import FRAMES, MIXES
from tests.pysdk.sink import Sink
from tests.serving import Server

WINDOWS = {"advapi32.dll", "kernel32.dll", "msvcrt.dll", "winhttp.dll", "ws2_32.dll"}
MIXED = "app_sdk_sdk_shared_sdk"  # a static program and library, and one that is linked to the DLLs
HOW = ["subdirectory", "package"]


@pytest.mark.parametrize("how", HOW)
def test_the_sdk_is_built_for_windows_as_a_subdirectory_and_as_a_package(how: str) -> None:
    folder = windows.libraries(how, MIXED)
    assert windows.needed(folder / f"{MIXED}.exe") == WINDOWS | {"liba_sdk_shared.dll", "libb_sdk.dll"}
    assert windows.needed(folder / "libb_sdk.dll") == WINDOWS
    assert windows.needed(folder / "liba_sdk_shared.dll") == {
        "kernel32.dll",
        "msvcrt.dll",
        "tachy.dll",
        "tachy_sdk.dll",
    }
    dlls = windows.installed() / "bin"
    assert windows.needed(dlls / "tachy_sdk.dll") <= WINDOWS | {"tachy.dll"}
    assert windows.needed(dlls / "tachy.dll") <= WINDOWS


def test_the_sdk_and_its_example_are_microsofts_dialect_too(tmp_path: Path) -> None:
    sender = [
        *(SDK / "src").glob("*.cpp"),
        *(SDK / "src/sender").glob("*.cpp"),
        *(SDK / "src/sender/win32").glob("*.cpp"),
    ]
    users = [*(SDK / "examples/simulation").glob("*.cpp"), *(HERE / "libraries").glob("*.cpp")]
    users += [HERE / "programs" / f"{name}.cpp" for name in ("exercise", "macros", "texts")]
    options = [*INCLUDES, "-DTACHY_STATIC", "-DTACHY_NO_ZSTD", "-DLIBRARY=a", '-DBUILD="1"']
    warnings = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    run([*windows.microsofts(tmp_path), "-std=c++17", *warnings, *options, *sender, *users])


def ask(server: Server, sql: str) -> list[list[Any]]:
    answer = server.client.post("/api/query", json={"sql": sql})
    assert answer.status_code == 200, answer.text
    rows: list[list[Any]] = json.loads(answer.text)["rows"]
    return rows


def counts(server: Server, process_id: str) -> dict[str, int]:
    """The process's events in SQL."""
    of = f"WHERE process_id = '{process_id}'"
    views = {"log": ["log_entries"], "metric": ["measures"], "span": ["thread_spans", "async_events"]}
    return {
        kind: sum(ask(server, f"SELECT count(*) FROM {name} {of}")[0][0] for name in names)
        for kind, names in views.items()
    }


def processes(server: Server, end_state: str, exe: str) -> set[str]:
    sql = f"SELECT process_id FROM processes WHERE end_state = '{end_state}' AND exe LIKE '%{exe}'"
    return {row[0] for row in ask(server, sql)}


@pytest.mark.long
def test_everything_that_the_simulation_records_on_windows_is_in_sql(server: Server, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = ("--seconds", 3, "--threads", 4, "--url", server.http, "--report", report)
    printed = windows.run(windows.simulation(), *options)
    found = json.loads(report.read_text())
    assert found["process_id"] in printed
    assert found["dropped"] == {"log": 0, "metric": 0, "span": 0}
    assert counts(server, found["process_id"]) == found["sent"] == found["recorded"]
    assert found["mismatched"] == 0
    threads = ask(server, f"SELECT DISTINCT thread_name FROM thread_spans WHERE process_id = '{found['process_id']}'")
    assert {row[0] for row in threads} == {"main", "worker 0", "worker 1", "worker 2", "streaming"}


def await_frames(server: Server, exe: str, known: set[str], frames: int) -> str:
    """The id of the process that is new and has sent as many."""
    for _ in range(300):
        new = processes(server, "running", exe) - known
        if new:
            (found,) = new
            sql = f"SELECT count(*) FROM thread_spans WHERE process_id = '{found}' AND name = 'Frame'"
            if ask(server, sql)[0][0] >= frames:
                return found
        time.sleep(0.1)
    raise AssertionError("no frames came")


def kill(server: Server, program: Path, *arguments: object, env: dict[str, str]) -> str:
    """Kills the program in the middle; the id of its process."""
    known = processes(server, "running", program.name)
    with windows.start(program, *arguments, env=env) as victim:
        try:
            return await_frames(server, program.name, known, 60)
        finally:
            victim.kill()


def check_complete(server: Server, process_id: str) -> None:
    """Spans are numbered by thread: each came once, and none is missing before the last."""
    of = f"FROM thread_spans WHERE process_id = '{process_id}' GROUP BY stream_id"
    streams = ask(server, f"SELECT count(*), count(DISTINCT id), max(id) {of}")
    assert streams
    for count, distinct, last in streams:
        assert count == distinct == last
    assert ask(server, f"SELECT end_state FROM processes WHERE process_id = '{process_id}'") == [["crashed"]]


@pytest.mark.long
def test_what_a_killed_simulation_left_on_windows_is_sent_by_the_next_one(server: Server, session_folder: Path) -> None:
    options = ("--threads", 2, "--url", server.http)
    victim = kill(server, windows.simulation(), "--seconds", 60, *options, env={})
    assert any(session_folder.iterdir())
    windows.run(windows.simulation(), "--seconds", 1, *options)
    check_complete(server, victim)
    assert not list(session_folder.iterdir())


@pytest.mark.long
@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("how", HOW)
def test_a_program_and_its_two_dlls_are_one_process_in_sql(how: str, mix: str, server: Server) -> None:
    program = windows.libraries(how) / "_".join(["app", *MIXES[mix]])
    exe = program.with_suffix(".exe")
    known = processes(server, "exited", exe.name)
    assert windows.run(exe, "frames", FRAMES, env={"TACHY_URL": server.http}) == ""
    (process_id,) = processes(server, "exited", exe.name) - known
    of = f"WHERE process_id = '{process_id}' GROUP BY target ORDER BY target"
    assert ask(server, f"SELECT target, count(*), count(DISTINCT msg) FROM log_entries {of}") == [
        [target, FRAMES, FRAMES] for target in ("app", "liba", "libb")
    ]
    assert ask(server, f"SELECT target, count(*), sum(depth) FROM thread_spans {of}") == [
        ["app", FRAMES, 0], ["liba", FRAMES, FRAMES], ["libb", FRAMES, FRAMES]
    ]  # fmt: skip
    assert counts(server, process_id) == {"log": 3 * FRAMES, "metric": 3 * FRAMES, "span": 3 * FRAMES}


@pytest.mark.long
@pytest.mark.parametrize("mix", ["all-static", "all-shared"])
def test_what_a_killed_program_and_its_two_dlls_left_is_sent_by_the_next_one(
    mix: str, server: Server, session_folder: Path
) -> None:
    program = windows.libraries("package") / ("_".join(["app", *MIXES[mix]]) + ".exe")
    env = {"TACHY_URL": server.http}
    victim = kill(server, program, "lasts", env=env)
    assert windows.run(program, "frames", 2, env=env) == ""
    check_complete(server, victim)
    logs = f"FROM log_entries WHERE process_id = '{victim}' GROUP BY target ORDER BY target"
    rows = ask(server, f"SELECT target, count(*), count(DISTINCT msg), max(CAST(msg AS BIGINT)) {logs}")
    assert [row[0] for row in rows] == ["app", "liba", "libb"]
    for _, count, distinct, last in rows:
        assert count == distinct == last + 1
    assert not list(session_folder.iterdir())


@pytest.mark.long
@pytest.mark.parametrize("mix", ["all-static", "all-shared"])
def test_sessions_of_several_dlls_are_one_which_ends_with_the_last(mix: str) -> None:
    with Sink() as sink:
        program = windows.libraries("package") / ("_".join(["app", *MIXES[mix]]) + ".exe")
        assert windows.run(program, "parts", env={"TACHY_URL": sink.url}) == ""
        assert len({head.process_id for head in sink.heads()}) == 1
        frames = [str(frame) for frame in range(20) for _ in ("app", "liba", "libb")]
        assert sorted(row["msg"] for row in sink.rows("log")) == sorted(frames)


@pytest.mark.long
@pytest.mark.parametrize("how", ["return", "exit"])
@pytest.mark.parametrize("compiler", ["", "_clang"])
def test_every_call_of_a_c_program_is_a_span_on_windows_too(compiler: str, how: str, server: Server) -> None:
    program = windows.programs() / f"calls_c{compiler}.exe"
    known = processes(server, "exited", program.name)
    printed = windows.run(program, how, env={"TACHY_URL": server.http})
    (process_id,) = processes(server, "exited", program.name) - known
    of = f"FROM thread_spans WHERE process_id = '{process_id}'"
    names = dict(ask(server, f"SELECT name, count(*) {of} GROUP BY name"))
    of_the_system = names.pop("printf") + names.pop("snprintf")  # inline functions in mingw's stdio.h
    assert of_the_system == 1 + 4
    assert sum(names.values()) == calls_of(printed)
    assert names.keys() == {
        "main", "leaf", "recursion", "inlined", "deep", "jumps", "with_alloca", "thread", "end_here"
    }  # fmt: skip
    assert ask(server, f"SELECT DISTINCT target {of}") == [[program.name]]
    files = ask(server, f"SELECT DISTINCT filename {of} AND name = 'leaf'")
    assert files == [["" if compiler else "calls.c"]]  # clang's objects do not say it


@pytest.mark.long
def test_an_abort_on_windows_does_not_lose_what_was_before_it() -> None:
    with Sink() as sink:
        env = {"TACHY_URL": sink.url}
        printed = windows.run(windows.programs() / "calls_c.exe", "abort", env=env, status=3)
        names = Counter(row["name"] for row in sink.rows("span"))
        # main and end_here were running
        assert names.total() - names["printf"] - names["snprintf"] == calls_of(printed) - 2


@pytest.mark.long
@pytest.mark.parametrize("compiler", ["", "_clang"])
def test_every_call_of_a_cpp_program_is_a_span_on_windows_too(compiler: str) -> None:
    with Sink() as sink:
        printed = windows.run(windows.programs() / f"calls_cpp{compiler}.exe", env={"TACHY_URL": sink.url})
        names = of_the_game(sink)
        assert names.pop("game::Actor::Actor()", 0) <= 1  # the compiler's own, which does not count itself
        assert names.total() == calls_of(printed)
        assert names["game::Actor::tick(float)"] == 10
        assert names["game::fail(int)"] == names["game::Guard::~Guard()"] == 11 * 50
