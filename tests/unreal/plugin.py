"""The packaged plugin, the shim of the engine and a game: built once per version and configuration, and played.

played = play(build(508, "development"), "Frames", server.http, tmp_path)
played.said["frames"]; played.ask(server, "SELECT count(*) FROM measures WHERE {process}")
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cpp.builds import ROOT, cmake, locked, run
from tests.serving import Server
from tools.unreal import write_plugin

VERSIONS = range(503, 509)
# Version, configuration: the oldest and the newest engine, modules as shared libraries and all in one program.
SHORT = [(503, "editor"), (508, "development")]
EVERYWHERE = [
    pytest.param(version, config, marks=() if (version, config) in SHORT else pytest.mark.long)
    for version in VERSIONS
    for config in ("editor", "development", "shipping")
]


SPANS = "[/Script/Tachy.TachySettings]\nbSpansInEditor=True\n"  # the engine's ini, unless a test has its own


@functools.cache
def packaged() -> Path:
    """The plugin as `make unreal` writes it."""
    with locked("unreal-package") as folder:
        return write_plugin(folder)


@functools.cache
def generated() -> Path:
    """A folder with what the engine's header tool would make of the plugin's headers."""
    plugin = packaged()
    with locked("unreal-generated") as folder:
        for module in sorted(path.name for path in (plugin / "Source").iterdir()):
            sources = plugin / "Source" / module
            run([sys.executable, ROOT / "tests/unreal_shim/uht.py", "--module", module, "--out", folder, sources])
        return folder


def build(version: int, config: str, *options: str, variant: str = "") -> Path:
    """The build folder of plugin, shim and game; quick when nothing has changed."""
    return cmake(
        f"unreal-{version}-{config}{variant}",
        ROOT / "tests" / "unreal",
        f"-DTACHY_PLUGIN={packaged()}",
        f"-DUE_SHIM_VERSION={version}",
        f"-DUE_SHIM_CONFIG={config}",
        *options,
    )


@dataclass(frozen=True)
class Played:
    """A game that has ended."""

    said: dict[str, Any]
    """What the scene reported; {} when it did not come to that."""
    output: str
    """Both streams, with the engine's log."""
    code: int

    def ask(self, server: Server, sql: str) -> list[list[Any]]:
        """The rows of a query; {process} in it becomes a condition that selects this game."""
        condition = f"process_id = '{self.said['process_id']}'"
        answer = server.client.post("/api/query", json={"sql": sql.replace("{process}", condition)})
        assert answer.status_code == 200, answer.text
        rows: list[list[Any]] = json.loads(answer.text)["rows"]
        return rows


def play(
    built: Path,
    scene: str,
    url: str,
    folder: Path,
    *arguments: str,
    code: int = 0,
    ini: str = SPANS,
    environment: Mapping[str, str] | None = None,
) -> Played:
    """Runs one scene to its end; its session and project lie in `folder`. `url`: the server; "": none is named."""
    (folder / "Engine.ini").write_text(ini)
    engine = {"UE_SHIM_MODULES": str(built), "UE_SHIM_PROJECT": str(folder), "UE_SHIM_INI": str(folder / "Engine.ini")}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TACHY_")}
    command = [str(built / "game"), scene, "-stdout", *([f"-TachyUrl={url}"] if url else []), *arguments]
    done = subprocess.run(
        command,
        env={**inherited, **engine, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == code, f"{command} gave {done.returncode}:\n{output}"
    reports = [line for line in done.stdout.splitlines() if line.startswith('{"process_id"')]
    return Played(json.loads(reports[-1]) if reports else {}, output, done.returncode)
