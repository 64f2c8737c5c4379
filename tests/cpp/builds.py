"""Compiles the C++ SDK and the programs of these tests, once per variant, under build/tests-cpp; safe under xdist."""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SDK = ROOT / "cpp_sdk"
BUILD = ROOT / "build" / "tests-cpp"
LEAN = "-O2 -g1 -DNDEBUG"  # a quarter of the time to compile C++ goes into what only debuggers read
SANITIZED = "exercise", "calls_cpp", "parts", "texts", "simulation"
INCLUDES = [f"-I{SDK / 'include'}", f"-I{ROOT / 'native' / 'include'}"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """The folder of a variant, for one process at a time."""
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    with open(BUILD / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def run(
    command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, timeout: float = 300.0, status: int = 0
) -> str:
    """Runs a command to its end; what it printed, both streams. Fails on another exit status than `status`."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == status, f"{[str(part) for part in command]} gave {done.returncode}:\n{done.stdout}"
    return done.stdout


@functools.cache
def cmake(name: str, source: Path, *options: str, targets: tuple[str, ...] = ()) -> Path:
    """Configures and builds a CMake project, once in a process; its build folder. Quick when nothing has changed."""
    with locked(name) as folder:
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        lean = [f"-DCMAKE_{language}_FLAGS_RELWITHDEBINFO={LEAN}" for language in ("C", "CXX")]
        run(["cmake", "-S", source, "-B", folder, *generator, *lean, *options])
        run(["cmake", "--build", folder, "-j2", *(["--target", *targets] if targets else [])])
        return folder


def precompiled(compiler: Sequence[str | Path], header: str, folder: Path) -> list[str | Path]:
    """The compiler, for sources that begin with the header: what it has read of it once, in `folder`."""
    (folder / "begin.h").write_text(f"#include <{header}>\n")
    run([*compiler, "-x", "c++-header", folder / "begin.h", "-o", folder / "begin.h.gch"])
    return [*compiler, "-include", folder / "begin.h"]


def programs(variant: str = "plain", *flags: str) -> Path:
    """The folder with the programs of programs/, linked to the SDK as a subdirectory; with `flags`, which all of it is
    compiled with, those of SANITIZED alone."""
    joined = " ".join(flags)
    return cmake(
        f"programs-{variant}",
        HERE / "programs",
        f"-DCMAKE_BUILD_TYPE={'None' if flags else 'RelWithDebInfo'}",
        "-DTACHY_WERROR=ON",
        f"-DCMAKE_C_FLAGS={joined}",
        f"-DCMAKE_CXX_FLAGS={joined}",
        targets=SANITIZED if flags else (),
    )


def simulation(variant: str = "plain", *flags: str) -> Path:
    """The example, built with the programs."""
    return programs(variant, *flags) / "tachy" / "examples" / "simulation" / "simulation"


@functools.cache
def installed() -> Path:
    """A prefix into which the SDK was installed."""
    build = cmake("sdk", SDK, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DTACHY_EXAMPLES=OFF")
    with locked("prefix") as prefix:
        run(["cmake", "--install", build, "--prefix", prefix])
        return prefix
