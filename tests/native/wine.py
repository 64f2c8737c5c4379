"""The recorder's test programs built for Windows, and Windows' programs run under wine."""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
from pathlib import Path

from tests.native.test_recorder import ROOT

COMPILER = "x86_64-w64-mingw32-gcc"
FOLDER = ROOT / "build" / "native-tests" / "windows"
SETTINGS = {
    "WINEPREFIX": str(FOLDER / "wine"),
    "WINEDEBUG": "-all",
    "WINEDLLOVERRIDES": "mscoree=;mshtml=",  # or it asks whether to download them
    "LC_ALL": "C.UTF-8",  # arguments and variables are converted from this
}


def environment(variables: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of a program under wine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TACHY_")}
    return kept | SETTINGS | (variables or {})


@functools.cache
def prepare() -> None:
    """A wine that has started once; one process at a time."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["wine", "cmd", "/c", "exit"], env=environment(), check=True, capture_output=True, timeout=300)


@functools.cache
def build() -> Path:
    """The folder with tachy.dll and the programs beside it. One builder at a time."""
    prepare()
    target = ["-DCMAKE_SYSTEM_NAME=Windows", "-DCMAKE_SYSTEM_PROCESSOR=AMD64", f"-DCMAKE_C_COMPILER={COMPILER}"]
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        configure = ["cmake", "-S", str(ROOT / "native"), "-B", str(FOLDER), "-DTACHY_TESTS=ON", *target]
        subprocess.run(configure, check=True, capture_output=True)
        targets = ["recorder_tests", "recorder_plugin", "recorder_tests_static", "recorder_plugin_static", "os_tests"]
        command = ["cmake", "--build", str(FOLDER), "--target", *targets]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stdout + built.stderr
    return FOLDER


def run(program: Path, *arguments: str, variables: dict[str, str] | None = None) -> str:
    """What the program prints."""
    command = ["wine", str(program), *arguments]
    settings = environment(variables)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=settings)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout
