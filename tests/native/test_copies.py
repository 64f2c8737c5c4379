"""Several copies of the recorder in one process, as static libraries bring them, are one recorder."""

from __future__ import annotations

import collections
import re
import subprocess
from pathlib import Path

import pytest

from tests.native import capture, wine
from tests.native.capture import LOG, SPAN
from tests.native.test_recorder import ADDRESS, PLAIN, ROOT, THREAD, make
from tools.amalgamate import write_amalgamation

NATIVE = ROOT / "native"
KINDS = {  # of the program and of the plugin: linked to the shared library, or with a copy inside
    "shared-shared": ("", ""),
    "shared-static": ("", "_static"),
    "static-shared": ("_static", ""),
    "static-static": ("_static", "_static"),
}
PROGRAMS = ("recorder_tests", "recorder_plugin", "recorder_tests_static", "recorder_plugin_static")
SCENARIOS = ["two_copies", "joins", "forks_with_copies", "unloaded"]
# What a copy answers by itself: constants, the clock, sums without a state, and what calls others of the list.
BY_THEMSELVES = {
    "tachy_body_parts", "tachy_no_thread_", "tachy_this_thread_", "tachy_os_ticks_", "tachy_retry_answer",
    "tachy_span_begin_rare_",
}  # fmt: skip


def check(scenario: str, batches: Path) -> None:
    for session in capture.read(batches):
        names = collections.Counter(row["name"] for row in session.rows(SPAN))
        if scenario == "two_copies":
            assert (names["outer"], set(names)) == (3 * 8 * 50, {"outer", "plugin span"})
            depths = collections.Counter(row["depth"] for row in session.rows(SPAN) if row["name"] == "plugin span")
            assert depths[1] == 3 * 8 * 50 * 20  # inside the program's span
        assert {row["msg"] for row in session.rows(LOG)} <= {"from the plugin"}


def run(scenario: str, kinds: str, sanitizer: str, folder: Path) -> None:
    program, plugin = KINDS[kinds]
    programs = make(sanitizer, *PROGRAMS)
    command = [str(programs / f"recorder_tests{program}"), scenario, str(folder / "batches")]
    command.append(str(programs / f"librecorder_plugin{plugin}.so"))
    variables = {"TACHY_SESSION_FOLDER": str(folder / "session"), "TSAN_OPTIONS": "halt_on_error=1"}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=variables)
    assert (ran.returncode, ran.stderr) == (0, "")
    check(scenario, folder / "batches")


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_program_and_a_plugin_are_one_process(scenario: str, kinds: str, tmp_path: Path) -> None:
    run(scenario, kinds, PLAIN, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("kinds", ["static-static", "shared-static"])
@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD])
@pytest.mark.parametrize("scenario", ["two_copies", "joins", "unloaded"])
def test_copies_are_clean_under_sanitizers(scenario: str, sanitizer: str, kinds: str, tmp_path: Path) -> None:
    run(scenario, kinds, sanitizer, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("scenario", ["two_copies", "joins", "unloaded"])
def test_copies_in_two_dlls_are_one_process(scenario: str, kinds: str, tmp_path: Path) -> None:
    program, plugin = KINDS[kinds]
    folder = wine.build()
    variables = {"TACHY_SESSION_FOLDER": str(tmp_path / "sessions")}
    library = str(folder / "tests" / f"librecorder_plugin{plugin}.dll")
    batches = tmp_path / "batches"
    wine.run(folder / f"recorder_tests{program}.exe", scenario, str(batches), library, variables=variables)
    check(scenario, batches)


def plugin_with_a_copy_of_its_own(folder: Path, *options: str) -> Path:
    """Made of the amalgamated recorder, all of whose names are visible unless its author hides them."""
    write_amalgamation(folder / "tachy")
    library = folder / "plugin.so"
    command = [
        "cc",
        "-std=c11",
        "-O1",
        "-shared",
        "-fPIC",
        "-DTACHY_STATIC",
        *options,
        f"-I{folder}",
        "-o",
        str(library),
    ]
    command += [str(ROOT / "tests/native/plugin.c"), str(folder / "tachy" / "tachy.c"), "-pthread"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return library


def load(plugin: Path, scenario: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = make(PLAIN, *PROGRAMS) / "recorder_tests_static"
    command = [str(program), scenario, str(folder / "batches"), str(plugin)]
    variables = {"TACHY_SESSION_FOLDER": str(folder / "session")}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=variables)


def test_a_plugin_made_of_one_file_joins_too(tmp_path: Path) -> None:
    plugin = plugin_with_a_copy_of_its_own(tmp_path)
    ran = load(plugin, "two_copies", tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    check("two_copies", tmp_path / "batches")
    shown = subprocess.run(["nm", "-D", "--defined-only", plugin], capture_output=True, text=True, check=True).stdout
    assert "tachy_" not in shown


def test_a_copy_of_another_layout_says_so_once_and_records_nothing(tmp_path: Path) -> None:
    """Another clock: its events could not be put in order with the others."""
    plugin = plugin_with_a_copy_of_its_own(tmp_path, "-DTACHY_CLOCK_OS")
    ran = load(plugin, "refused_copy", tmp_path)
    assert ran.returncode == 0, ran.stderr
    (line,) = ran.stderr.splitlines()
    assert re.fullmatch(rf"tachy: the recorder 0\.1\.0 in {plugin} cannot join 0\.1\.0 in the program, which .*", line)
    (session,) = capture.read(tmp_path / "batches")
    assert {row["name"] for row in session.rows(SPAN)} == {"outer"}


def test_every_public_function_goes_through_the_copy_that_records() -> None:
    entries = (NATIVE / "src/base/entries.h").read_text()
    answers = re.findall(r"^  (?:ANSWERS|RECORDS_AND_ANSWERS|SPECIAL)\([^,]+, (\w+),", entries, re.MULTILINE)
    listed = {f"tachy_{name}" for name in answers + re.findall(r"^  (?:DOES|RECORDS)\((\w+),", entries, re.MULTILINE)}
    assert listed | BY_THEMSELVES == set((NATIVE / "symbols.txt").read_text().split())
