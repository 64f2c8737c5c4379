"""The C++ SDK cross-built for Windows by mingw-w64, and its programs run under wine."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from pathlib import Path

from tests.cpp import builds
from tests.cpp.builds import HERE, SDK, cmake, locked
from tests.native import wine

TOOLCHAIN = f"--toolchain={SDK / 'cmake' / 'mingw-w64.cmake'}"
# The library and the system's declarations are mingw's, made to fit; the compiler's dialect and ours are Microsoft's.
PRELUDE = """
#include <_mingw.h>
#define __MINGW_IMPORT extern __declspec(dllimport)
"""
DIALECT = ["--target=x86_64-pc-windows-msvc", "-fms-compatibility-version=19.38", "-fgnuc-version=12.0", "-U__clang__"]


def microsofts(folder: Path) -> list[str | Path]:
    """clang++ in Microsoft's dialect, with mingw's C++ and C library; `folder` is for a file of ours."""
    (folder / "prelude.h").write_text(PRELUDE)
    asked = ["x86_64-w64-mingw32-g++-posix", "-E", "-v", "-x", "c++", os.devnull, "-o", os.devnull]
    listed = builds.run(asked).partition("search starts here:\n")[2].partition("End of search list")[0].split()
    wanted = [folder for folder in listed if "/c++" in folder or folder.endswith("mingw32/include")]
    assert len(wanted) == 4
    includes = [f"-isystem{folder}" for folder in wanted]
    return ["clang++", *DIALECT, "-nostdinc++", *includes, "-include", folder / "prelude.h", "-D__STRICT_ANSI__"]


def libraries(how: str, *targets: str) -> Path:
    """The folder with the programs of libraries/ and the DLLs beside them, all of them unless some are named."""
    prefix = [f"-DCMAKE_PREFIX_PATH={installed()}"] if how == "package" else []
    name = f"windows-libraries-{how}"
    output = builds.BUILD / name / "bin"
    options = [f"-DHOW={how}", "-DCMAKE_BUILD_TYPE=None", f"-DCMAKE_RUNTIME_OUTPUT_DIRECTORY={output}", *prefix]
    folder = cmake(name, HERE / "libraries", TOOLCHAIN, *options, targets=targets)
    return folder / "bin"


@functools.cache
def installed() -> Path:
    """A prefix into which the subdirectory of libraries/ was installed."""
    libraries("subdirectory", "tachy_sdk", "tachy_sdk_shared", "tachy_finstrument")
    with locked("windows-prefix") as prefix:
        builds.run(
            ["cmake", "--install", builds.BUILD / "windows-libraries-subdirectory" / "tachy", "--prefix", prefix]
        )
        return prefix


@functools.cache
def programs() -> Path:
    """The folder with the programs of programs/."""
    options = [TOOLCHAIN, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DTACHY_WERROR=ON"]
    return cmake("windows-programs", HERE / "programs", *options)


def simulation() -> Path:
    return programs() / "tachy" / "examples" / "simulation" / "simulation.exe"


def run(
    program: Path, *arguments: object, env: dict[str, str] | None = None, timeout: float = 60, status: int = 0
) -> str:
    """What the program prints, both streams. It finds its DLLs beside it and in the prefix."""
    wine.prepare()
    command = ["wine", str(program), *map(str, arguments)]
    return builds.run(command, env=environment(env), timeout=timeout, status=status).replace("\r\n", "\n")


def environment(variables: dict[str, str] | None = None) -> dict[str, str]:
    given = {"WINEPATH": str(builds.BUILD / "windows-prefix" / "bin")}
    given["TACHY_SESSION_FOLDER"] = os.environ["TACHY_SESSION_FOLDER"]
    return wine.environment(given | (variables or {}))


def needed(module: Path) -> set[str]:
    """The DLLs that it is linked to."""
    dump = builds.run(["x86_64-w64-mingw32-objdump", "-p", module])
    return {name.lower() for name in re.findall(r"DLL Name: (\S+)", dump)}


def start(program: Path, *arguments: object, env: dict[str, str]) -> subprocess.Popen[str]:
    wine.prepare()
    command = ["wine", str(program), *map(str, arguments)]
    return subprocess.Popen(command, env=environment(env), stdout=subprocess.PIPE, text=True)
