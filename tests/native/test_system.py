"""The seam to the operating system (native/src/os/os.h) keeps its promises, on this system and under wine."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.native import wine
from tests.native.test_recorder import PLAIN, make

SYSTEMS = ["here", pytest.param("windows", marks=pytest.mark.long)]


def program(system: str) -> list[str]:
    """The command of the test program."""
    if system == "windows":
        return ["wine", str(wine.build() / "os_tests.exe")]
    return [str(make(PLAIN, "os_tests") / "os_tests")]


def run(system: str, *arguments: str, **variables: str) -> str:
    settings = (wine.environment() if system == "windows" else dict(os.environ)) | variables
    command = [*program(system), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("system", SYSTEMS)
def test_files_do_what_the_seam_says(system: str, tmp_path: Path) -> None:
    run(system, "files", str(tmp_path))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_lock_ends_with_its_process_and_what_was_mapped_stays(system: str, tmp_path: Path) -> None:
    command = [*program(system), "hold", str(tmp_path / "file")]
    settings = wine.environment() if system == "windows" else None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=settings) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == "held\n"
            assert run(system, "take", str(tmp_path / "file")) == "taken: still here\n"
        finally:
            holder.send_signal(signal.SIGKILL)
    assert run(system, "take", str(tmp_path / "file")) == "free: still here\n"


@pytest.mark.parametrize("system", SYSTEMS)
def test_variables_are_utf_8(system: str) -> None:
    assert run(system, "environment", "TACHY_TEXT", TACHY_TEXT="grüße/☃") == "grüße/☃\n"
    assert run(system, "environment", "TACHY_NOTHING") == "none\n"


@pytest.mark.parametrize("system", SYSTEMS)
def test_facts_are_told(system: str) -> None:
    exe, username, _, computer, distro, _ = run(system, "facts").split("\n")[:6]
    assert "os_tests" in exe
    assert username
    assert computer
    assert ("Windows" in distro) == (system == "windows")
