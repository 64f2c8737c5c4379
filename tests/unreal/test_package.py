"""The packaged plugin is what Fab and the engine's build tool want, and its files and the page say the same.

After adding or removing a file: .venv/bin/python -m tests.unreal.test_package
"""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tree_sitter
import tree_sitter_c_sharp

from tests.cpp.builds import ROOT
from tests.unreal.plugin import VERSIONS
from tools import icon
from tools.unreal import COPYRIGHT, make_files

SHIPPED = Path(__file__).with_name("shipped.txt")
PAGE = (ROOT / "docs" / "unreal.md").read_text()
SOURCES = (".h", ".c", ".cpp", ".cs")
ICON = "Resources/Icon128.png"
# The engine's modules that the plugin may build on, by a header or two that stand for them.
ENGINE = {
    "Core": ["CoreMinimal.h"],
    "CoreUObject": ["UObject/", ".generated.h"],
    "DeveloperSettings": ["Engine/DeveloperSettings.h"],
    "Engine": [
        "Engine/World.h",
        "Engine/Engine.h",
        "Engine/NetDriver.h",
        "GameFramework/",
        "Kismet/",
        "Camera/",
        "ChartCreation.h",
        "Scalability.h",
    ],
    "HTTP": ["HttpModule.h", "Interfaces/IHttp"],
    "ImageWrapper": ["IImageWrapper"],
    "RenderCore": ["RenderTimer.h", "RenderingThread.h"],
    "RHI": ["RHIStats.h", "DynamicRHI.h", "RHIGlobals.h", "RHICommandList.h"],
    "Slate": ["Framework/Application/SlateApplication.h"],
    "SlateCore": ["Framework/Application/SlateApplication.h"],  # whose headers it includes
}


@cache
def files() -> dict[str, bytes]:
    return make_files()


def descriptor() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(files()["Tachy.uplugin"])
    return described


def modules() -> list[str]:
    return [module["Name"] for module in descriptor()["Modules"]]


def parsed(module: str) -> tree_sitter.Node:
    language = tree_sitter.Language(tree_sitter_c_sharp.language())
    return tree_sitter.Parser(language).parse(files()[f"Source/{module}/{module}.Build.cs"]).root_node


def nodes(node: tree_sitter.Node, kind: str) -> Iterator[tree_sitter.Node]:
    if node.type == kind:
        yield node
    for child in node.children:
        yield from nodes(child, kind)


def text(node: tree_sitter.Node | None) -> str:
    assert node is not None
    assert node.text is not None
    return node.text.decode()


def dependencies(module: str) -> set[str]:
    calls = [text(call) for call in nodes(parsed(module), "invocation_expression")]
    return {name for call in calls if "DependencyModuleNames" in call for name in re.findall(r'"(\w+)"', call)}


def test_every_shipped_file_is_meant_to_be() -> None:
    assert sorted(files()) == SHIPPED.read_text().split()


def test_no_file_is_a_binary_but_the_icon() -> None:
    assert files()[ICON] == icon.draw()
    for name, content in files().items():
        if name != ICON:
            assert "\0" not in content.decode(), name


def test_paths_are_short_enough_for_fab() -> None:
    assert max(len(f"Engine/Plugins/Marketplace/Tachy/{name}") for name in files()) <= 170


def test_every_source_begins_with_the_copyright() -> None:
    for name, content in files().items():
        if name.endswith(SOURCES):
            assert COPYRIGHT in content.decode().splitlines()[0], name


def test_the_descriptor_names_every_module_and_its_platforms() -> None:
    described = descriptor()
    header = files()["Source/TachyCore/Public/tachy_core.h"].decode()
    assert (described["FileVersion"], described["CanContainContent"], described["Installed"]) == (3, False, False)
    assert f'#define TACHY_VERSION "{described["VersionName"]}"' in header
    assert sorted(modules()) == sorted({name.split("/")[1] for name in files() if name.startswith("Source/")})
    runtime = ["Win64", "Mac", "Linux", "LinuxArm64", "Android", "IOS"]
    wanted = {
        "TachyCore": ("Runtime", "PostConfigInit", runtime),
        "Tachy": ("Runtime", "PostConfigInit", runtime),
        "TachyEditor": ("Editor", "Default", ["Win64", "Mac", "Linux"]),
    }
    assert {
        module["Name"]: (module["Type"], module["LoadingPhase"], module["PlatformAllowList"])
        for module in described["Modules"]
    } == wanted
    for module in described["Modules"]:
        assert set(module["PlatformAllowList"]) <= set(re.findall(r"\w+", PAGE)), "the page names the platforms"


@pytest.mark.parametrize("module", modules())
def test_build_rules_parse_and_are_old_enough_c_sharp(module: str) -> None:
    root = parsed(module)
    assert not root.has_error
    assert not list(nodes(root, "collection_expression")), "C# 12, which old engines do not build"
    rules = next(nodes(root, "class_declaration"))
    assert text(rules.child_by_field_name("name")) == module
    assert "ModuleRules" in text(rules)
    assert "bWarningsAsErrors" not in text(rules), "headers of the engine warn in some of its releases"
    assert "PCHUsage" in text(rules)


@pytest.mark.parametrize("module", modules())
def test_a_module_depends_on_what_it_includes(module: str) -> None:
    mine = [content.decode() for name, content in files().items() if name.startswith(f"Source/{module}/")]
    included = set(re.findall(r'^#include "([^"]+)"', "".join(mine), re.MULTILINE))
    declared = dependencies(module)
    assert declared <= set(ENGINE) | set(modules())
    for name, headers in ENGINE.items():
        if any(header in each for each in included for header in headers):
            assert name in declared, included
    for other in modules():
        public = {path.rsplit("/", 1)[1] for path in files() if path.startswith(f"Source/{other}/Public/")}
        if other != module and included & public:
            assert other in declared | {"TachyCore"}  # which comes with Tachy, in public


def settings() -> dict[str, str]:
    """The keys of the settings page with their defaults as an ini has them."""
    header = files()["Source/Tachy/Public/TachySettings.h"].decode()
    found = re.findall(r"UPROPERTY\(Config,[^;]*?\)\s+(?:[\w<>]+) (\w+)(?: = ([^;]+))?;", header)
    return {name: re.sub(r'^TEXT\("(.*)"\)$', r"\1", value).replace("true", "True").replace("false", "False")
            for name, value in found}  # fmt: skip


def test_page_sample_and_code_have_the_same_settings() -> None:
    keys = settings()
    assert len(keys) == files()["Source/Tachy/Public/TachySettings.h"].decode().count("UPROPERTY(Config,")
    code = files()["Source/Tachy/Private/TachyOptions.cpp"].decode()
    assert set(re.findall(r'(?:ReadIni|ReadSwitch|ReadBudget)\(TEXT\("(\w+)"\)', code)) <= set(keys)
    assert {key for key in keys if f'TEXT("{key}")' not in code} == set()
    sample = files()["Config/TachySettings.ini"].decode()
    ini = configparser.ConfigParser(interpolation=None)
    ini.optionxform = str  # type: ignore[assignment, method-assign]
    ini.read_string(sample)
    values = dict(ini["/Script/Tachy.TachySettings"])
    assert values == {key: value for key, value in keys.items() if key != "LogFilter"}
    assert "; +LogFilter=" in sample
    rows = re.findall(r"^\| (.*?) \|", PAGE[PAGE.index("## Settings") : PAGE.index("## Sessions")], re.MULTILINE)
    assert set(keys) <= set(re.findall(r"`(\w+)`", " ".join(rows)))


def test_what_a_packaged_plugin_takes_along_is_there() -> None:
    lines = files()["Config/FilterPlugin.ini"].decode().splitlines()
    listed = [line[1:] for line in lines if line.startswith("/")]
    assert set(listed) <= set(files())
    loose = {name for name in files() if not name.startswith(("Source/", "Resources/"))}
    assert loose - {"Tachy.uplugin", "Config/FilterPlugin.ini"} == set(listed)


def test_every_document_names_the_same_versions() -> None:
    span = f"5.{min(VERSIONS) - 500} to 5.{max(VERSIONS) - 500}"
    assert span in PAGE
    assert span in files()["README.md"].decode()


if __name__ == "__main__":
    SHIPPED.write_text("".join(f"{name}\n" for name in sorted(make_files())))
