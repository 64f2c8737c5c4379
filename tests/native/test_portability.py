"""Systems other than the one that the tests run on: the null system, arm64 under qemu, and what libtachy.so shows."""

from __future__ import annotations

import fcntl
import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.native import capture
from tests.native.capture import LOG, METRIC, SPAN
from tests.native.test_recorder import CLAIM, PLAIN, ROOT, UNDER_SANITIZERS, build
from tools.amalgamate import write_amalgamation

NATIVE = ROOT / "native"
# Not under qemu's user emulation: forks (it aborts in the child of a process with threads), full_pool (its clock
# reads so unsteadily that a parent in another block may begin up to 5 ns after its child; the check allows none).
LOSSY = ("overflow", "losses_reported", "spool_budget", "spool_crowd", "spool_damaged")  # they drop blocks
ON_ARM64 = [name for name in UNDER_SANITIZERS if name not in ("full_pool", *CLAIM)]


def test_a_system_without_threads_refuses_to_start_and_says_so(tmp_path: Path) -> None:
    folders = [NATIVE / "src" / name for name in ("recorder", "encode", "base", "os/host")]
    sources = [str(file) for folder in folders for file in sorted(folder.rglob("*.c"))]
    program = tmp_path / "refused"
    command = ["cc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
    command += ["-DTACHY_STATIC", "-DTACHY_OS_HOST", f"-I{NATIVE}/include", "-o", str(program)]
    built = subprocess.run(
        [*command, str(ROOT / "tests/native/refused.c"), *sources], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([str(program)], capture_output=True, text=True, timeout=10, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_libtachy_shows_the_listed_symbols_and_no_others() -> None:
    library = build(PLAIN).parent / "libtachy.so"
    shown = subprocess.run(["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True)
    assert sorted(line.split()[2] for line in shown.stdout.splitlines()) == (
        (NATIVE / "symbols.txt").read_text().splitlines()
    )


def compile_amalgamation(folder: Path, target: str, *flags: str) -> Path:
    """The recorder in one file as a game takes it: a shared library, or an object with `-c`."""
    write_amalgamation(folder)
    result = folder / target
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-std=c11", "-O2", "-Wall", "-Wextra"]
    command += ["-Werror", "-fPIC", f"-I{folder}", "-o", str(result), str(folder / "tachy.c"), *flags]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return result


@pytest.mark.long
@pytest.mark.parametrize("glibc", ["2.17", "2.28"])
@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_the_recorder_needs_nothing_newer_than(glibc: str, processor: str, tmp_path: Path) -> None:
    """Engines link against the C library of their own, old tool chain: CentOS 7's, then Rocky 8's."""
    compile_amalgamation(tmp_path, f"{processor}-linux-gnu.{glibc}", "-shared", "-Wl,-z,defs", "-pthread")


@pytest.mark.long
def test_on_android_thread_locals_need_no_room_from_the_start(tmp_path: Path) -> None:
    """Its loader refuses libraries with the static models, for all of them are loaded at run time."""
    built = compile_amalgamation(tmp_path, "aarch64-linux-musl", "-c", "-D__ANDROID__")
    listed = subprocess.run(["readelf", "-rW", str(built)], capture_output=True, text=True, check=True).stdout
    models = {word for word in listed.split() if word.startswith("R_AARCH64_TLS")}
    assert models
    assert all(model.startswith("R_AARCH64_TLSDESC") for model in models), models


@functools.cache
def build_for_arm64() -> Path:
    """The folder with the test programs for arm64."""
    folder = ROOT / "build" / "native-tests" / "arm64"
    folder.mkdir(parents=True, exist_ok=True)
    target = ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"]
    target += ["-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc", "-DTACHY_TESTS=ON"]
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["cmake", "-S", str(NATIVE), "-B", str(folder), *target], check=True, capture_output=True)
        command = ["cmake", "--build", str(folder), "--target", "recorder_tests", "recorder_plugin"]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stdout + built.stderr
    return folder / "tests"


@pytest.mark.long
@pytest.mark.usefixtures("session_folder")
@pytest.mark.parametrize("scenario", ON_ARM64)
def test_arm64_records_what_this_machine_does(scenario: str, tmp_path: Path) -> None:
    """Under qemu's user emulation."""
    programs = build_for_arm64()
    batches = tmp_path / "batches"
    command = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", str(programs / "recorder_tests")]
    command += [scenario, str(batches), str(programs / "librecorder_plugin.so")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    reported = {each["process_id"]: each for each in map(json.loads, ran.stdout.splitlines())}
    for session in capture.read(batches, holes=scenario in LOSSY):
        assert session.descriptions[-1]["clock"] == "cntvct"
        if session.process_id.hex not in reported:  # the scenario checks the numbers of such a session itself
            continue
        for cls in (LOG, METRIC, SPAN):
            each = reported[session.process_id.hex]
            assert session.events(cls) == each["sent"][cls] + each["kept"][cls]
