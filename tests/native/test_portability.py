"""Systems other than the one that the tests run on: the null system, arm64 under qemu, and what libtachy.so shows."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.native.test_recorder import PLAIN, ROOT, build

NATIVE = ROOT / "native"


def test_a_system_without_threads_refuses_to_start_and_says_so(tmp_path: Path) -> None:
    folders = [NATIVE / "src" / name for name in ("recorder", "format", "os/null")]
    sources = [str(file) for folder in folders for file in sorted(folder.glob("*.c"))]
    program = tmp_path / "refused"
    command = ["cc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
    command += ["-DTACHY_STATIC", "-DTACHY_OS_NULL", f"-I{NATIVE}/include", "-o", str(program)]
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
