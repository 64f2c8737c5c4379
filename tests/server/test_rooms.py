"""No import leads up or round between the rooms of the server (HACKING.md, "The house")."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "server" / "tachy_server"
BLOCKS = {"base", "formats", "lake"}
# Whom a room may know, besides itself; a module beside the rooms is one, too.
KNOWS = {
    "base": set(),
    "formats": {"base"},
    "lake": {"base", "formats"},
    "postgres": {"base"},
    "access": {"base", "lake"},
    "ingest": BLOCKS,
    "maintain": BLOCKS,
    "views": BLOCKS,
    "traces": BLOCKS | {"views"},
    "query": BLOCKS | {"views", "traces"},
    "services": BLOCKS | {"ingest", "query", "postgres", "access", "maintain"},
    "flight": {"base", "access", "query", "services"},
    "http": BLOCKS | {"access", "ingest", "query", "traces", "services"},
    "opened": {"base", "lake", "postgres"},
    "keys": {"base", "access", "lake", "opened"},
    "rebuild": {"base", "maintain", "opened"},
    "check": BLOCKS | {"maintain", "opened"},
    "query_process": BLOCKS | {"views", "traces", "query", "flight", "http"},
    "parts": BLOCKS | {"access", "ingest", "maintain", "query", "postgres", "services", "flight", "http"},
    "serve": {"base", "query", "parts"},
}


def room_of(module: str) -> str:
    """Of a module's name, or a file's path as one: `tachy_server.lake.store` is in lake."""
    return module.split(".")[1]


def imports() -> Iterator[tuple[str, str]]:
    """Of every module the modules that it names, also those that it imports late or for types only."""
    for source in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(["tachy_server", *source.relative_to(PACKAGE).with_suffix("").parts])
        for node in ast.walk(ast.parse(source.read_text())):
            found = [node.module] if isinstance(node, ast.ImportFrom) else []
            if found == ["tachy_server"]:
                found = [f"tachy_server.{alias.name}" for alias in node.names]  # type: ignore[attr-defined]
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            yield from ((name, module) for module in found if module and module.startswith("tachy_server."))


def test_no_import_leads_up_or_round() -> None:
    arrows = set(imports())
    assert len(arrows) > 150
    wrong = sorted(f"{a} -> {b}" for a, b in arrows if room_of(a) != room_of(b) and room_of(b) not in KNOWS[room_of(a)])
    assert wrong == []


def test_every_room_says_what_it_is_and_whom_it_knows() -> None:
    rooms = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    assert rooms == sorted(KNOWS.keys() - {path.stem for path in PACKAGE.glob("*.py")})
    for room in rooms:
        said = importlib.import_module(f"tachy_server.{room}").__doc__ or ""
        assert "Knows" in said, room
        for known in KNOWS[room]:
            assert known in said.partition("Knows")[2], (room, known)
    map_ = (ROOT / "HACKING.md").read_text()
    assert [room for room in rooms if f"`{room}/`" not in map_] == []
