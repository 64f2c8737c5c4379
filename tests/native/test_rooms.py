"""No include and no call leads up or round between the rooms of the native code (HACKING.md, "The map")."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.native.test_recorder import PLAIN, ROOT, build

SOURCES = ROOT / "native" / "src"
BASE = {"os", "base"}
SESSION = BASE | {"encode", "recorder/pool", "recorder/sites", "recorder/threads"}
SENDING = BASE | {"encode", "recorder/pool"}
# Whom a room may know, besides the public headers and itself.
KNOWS = {
    "os": set(),
    "base": {"os"},
    "encode": BASE,
    "reader": BASE,
    "recorder/pool": BASE,
    "recorder/sites": BASE | {"recorder/pool"},
    "recorder/threads": BASE | {"recorder/pool", "recorder/sites"},
    "recorder/send": SENDING,
    "recorder/collect": SESSION | {"recorder/send"},
    "recorder/recover": SENDING | {"recorder/send", "recorder/collect"},
    "recorder": SESSION | {"recorder/send", "recorder/collect", "recorder/recover"},
}


def room_of(path: str) -> str:
    """Of a file's path below native/src; a platform's files are part of `os`."""
    folder = path.rpartition("/")[0]
    return "os" if folder.startswith("os/") else folder


def includes() -> Iterator[tuple[str, str]]:
    for source in sorted(SOURCES.rglob("*.[ch]")):
        for name in re.findall(r'^\s*#\s*include "(.*)"', source.read_text(), re.MULTILINE):
            included = (source.parent / name).resolve()
            assert included.is_file(), f"{source}: {name}"
            if included.is_relative_to(SOURCES):  # else a public header
                yield str(source.relative_to(SOURCES)), str(included.relative_to(SOURCES))


def calls() -> Iterator[tuple[str, str]]:
    """Files by the names that their objects have and want."""
    objects = build(PLAIN).parent / "CMakeFiles" / "tachy_recorder.dir" / "src"
    printed = subprocess.run(["nm", "-A", *map(str, objects.rglob("*.o"))], capture_output=True, text=True, check=True)
    found = [re.match(r"(.*)\.o:[0-9a-f ]* (\w) (\w+)", line) for line in printed.stdout.splitlines()]
    symbols = [(str(Path(m[1]).relative_to(objects)), m[2], m[3]) for m in found if m]
    home = {name: path for path, kind, name in symbols if kind in "TDBRV"}
    for path, kind, name in symbols:
        # a name that ends so belongs to the inline half of the public functions, which rooms use as programs do
        if kind == "U" and name in home and not name.endswith("_"):
            yield path, home[name]


def test_no_arrow_leads_up_or_round() -> None:
    arrows = {*includes(), *calls()}
    assert len(arrows) > 300
    wrong = sorted(f"{a} -> {b}" for a, b in arrows if room_of(a) != room_of(b) and room_of(b) not in KNOWS[room_of(a)])
    assert wrong == []


def test_the_map_names_every_room() -> None:
    assert {room_of(str(path.relative_to(SOURCES))) for path in SOURCES.rglob("*.[ch]")} == set(KNOWS)
    map_ = (ROOT / "HACKING.md").read_text()
    assert [room for room in KNOWS if f"`native/src/{room}/`" not in map_] == []
