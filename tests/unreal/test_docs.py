"""docs/unreal.md names everything that the plugin offers."""

from __future__ import annotations

import re

import pytest

from tests.cpp.builds import ROOT

SOURCES = sorted((ROOT / "unreal" / "Tachy" / "Source").rglob("*.[hc]*"))
PAGE = (ROOT / "docs" / "unreal.md").read_text()


def found(pattern: str) -> set[str]:
    return {match for source in SOURCES for match in re.findall(pattern, source.read_text(), re.MULTILINE)}


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("macros", r"^#define ((?:TACHY|MICROMEGAS)_[A-Z]+(?:_[A-Z]+)*)\("),
        ("names in the console", r'TEXT\("((?:tachy|telemetry)\.[\w.]+)"\)'),
        ("arguments", r'TEXT\("-(\w+)="\)'),
        ("switches", r'Param\((?:FCommandLine::Get\(\), )?TEXT\("(\w+)"\)'),
        ("variables of the environment", r'TEXT\("(TACHY_[A-Z_]+)"\)'),
    ],
)
def test_every_name_is_documented(what: str, pattern: str) -> None:
    names = {name for name in found(pattern) if not re.fullmatch(r"TACHY_CAT(_2)?|\w+_AT", name)}
    assert names, what
    assert {name for name in names if name not in PAGE} == set()
