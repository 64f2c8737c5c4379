"""The packaged plugin compiles without a warning, as UBT would compile it: each file alone and all in one.

For every version of the engine, for editor, development and shipping, in modules and in one program, by g++, clang++,
and clang++ in the dialect of Microsoft with TCHAR as Windows has it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cpp import windows
from tests.cpp.builds import ROOT, run
from tests.unreal.plugin import VERSIONS, generated, packaged

SHIM = ROOT / "tests" / "unreal_shim" / "include"
CXX = ["-std=c++20", "-Wall", "-Wextra", "-Wundef", "-Wshadow", "-Werror", "-fsyntax-only"]
C = ["-std=c17", "-Wall", "-Wextra", "-Wundef", "-Wshadow", "-Werror", "-fsyntax-only"]
CONFIGS = {
    "editor": ["-DWITH_EDITOR=1"],
    "development": [],
    "shipping": ["-DUE_BUILD_SHIPPING=1"],
    "server": ["-DUE_SERVER=1"],
}
LINKS = {
    "modular": ["-DTACHY_API=DLLEXPORT", "-DTACHYEDITOR_API=DLLEXPORT", "-DIS_MONOLITHIC=0"],
    "monolithic": ["-DTACHY_API=", "-DTACHYEDITOR_API=", "-DIS_MONOLITHIC=1", "-DTACHY_STATIC"],
}


def modules(plugin: Path, config: str = "editor") -> list[str]:
    """Those that a target of this configuration has."""
    names = sorted(folder.name for folder in (plugin / "Source").iterdir())
    return [name for name in names if config == "editor" or not name.endswith("Editor")]


def options(plugin: Path, module: str, version: int, config: str, link: str) -> list[str | Path]:
    folders = [plugin / "Source" / name / "Public" for name in modules(plugin)]
    folders += [plugin / "Source" / module / "Private", generated(), SHIM]
    return [f"-DUE_SHIM_VERSION={version}", *CONFIGS[config], *LINKS[link], *(f"-I{folder}" for folder in folders)]


def own(plugin: Path, module: str) -> list[str]:
    """What the module defines for its own sources alone, whatever the target."""
    rules = (plugin / "Source" / module / f"{module}.Build.cs").read_text()
    names = re.findall(r'^\t\tPrivateDefinitions\.Add\("(\w+)"\);', rules, re.MULTILINE)
    return [f"-D{name}" for name in names]


def compile_alone(compiler: str, version: int, config: str, link: str) -> None:
    plugin = packaged()
    for module in modules(plugin, config):
        sources = sorted((plugin / "Source" / module / "Private").glob("*.cpp"))
        run([compiler, *CXX, *own(plugin, module), *options(plugin, module, version, config, link), *sources])


def compile_in_one(compiler: list[str | Path], version: int, config: str, link: str, folder: Path) -> None:
    plugin = packaged()
    for module in modules(plugin, config):
        sources = sorted((plugin / "Source" / module / "Private").glob("*.cpp"))
        one = folder / f"{module}.cpp"
        one.write_text("".join(f'#include "{source}"\n' for source in sources))
        run([*compiler, *CXX, *own(plugin, module), *options(plugin, module, version, config, link), one])


EVERY = [(v, c, k) for v in VERSIONS for c in ("editor", "development", "shipping") for k in LINKS]
FEW = [
    (504, "editor", "modular"),
    (506, "shipping", "monolithic"),
    (505, "server", "monolithic"),
]


@pytest.mark.parametrize(("version", "config", "link"), FEW)
def test_all_in_one_file_compiles(version: int, config: str, link: str, tmp_path: Path) -> None:
    compile_in_one(["clang++"], version, config, link, tmp_path)


@pytest.mark.parametrize("version", [pytest.param(503, marks=pytest.mark.long), 508])
def test_it_is_microsofts_dialect_too(version: int, tmp_path: Path) -> None:
    compiler = [*windows.microsofts(tmp_path), "-DUE_SHIM_WCHAR=1"]
    compile_in_one(compiler, version, "development", "monolithic", tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize(("version", "config", "link"), EVERY)
def test_all_in_one_file_compiles_everywhere(
    compiler: str, version: int, config: str, link: str, tmp_path: Path
) -> None:
    compile_in_one([compiler], version, config, link, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(("version", "config", "link"), [every for every in EVERY if every[0] in (503, 505, 508)])
def test_every_file_compiles_alone(version: int, config: str, link: str) -> None:
    compile_alone("clang++", version, config, link)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("link", [["-DTACHY_BUILD"], ["-DTACHY_STATIC"]])
def test_the_recorder_compiles_as_c17(compiler: str, link: list[str]) -> None:
    core = packaged() / "Source" / "TachyCore"
    run([compiler, *C, *link, f"-I{core / 'Public'}", core / "Private" / "tachy_core.c"])
