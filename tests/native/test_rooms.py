"""No include and no call leads up or round between the rooms of the native code (HACKING.md, "The house"), and its
identifiers use the words of HACKING.md's glossary."""

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
    "json": BASE | {"reader"},
    "merge": BASE | {"reader"},
    "recorder/pool": BASE,
    "recorder/sites": BASE | {"recorder/pool"},
    "recorder/threads": BASE | {"recorder/pool", "recorder/sites"},
    "recorder/send": SENDING,
    "recorder/collect": SESSION | {"recorder/send"},
    "recorder/recover": SENDING | {"recorder/send", "recorder/collect"},
    "recorder": SESSION | {"recorder/send", "recorder/collect", "recorder/recover"},
}
# Words that the glossary has replaced. In prose they are English; in an identifier each had several meanings.
RETIRED = {"adopt", "book", "estate", "heritage", "journal", "leavings", "lose", "place", "reel", "settle", "shed"}
RETIRED |= {"tell", "told", "untold"}


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


def identifiers(code: str) -> set[str]:
    """Of C and C++, without those in comments, texts and names of headers."""
    code = re.sub(r"^\s*#\s*include.*$", "", code, flags=re.MULTILINE)
    code = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", code, flags=re.DOTALL)
    return set(re.findall(r"[A-Za-z_]\w*", code))


def words(identifier: str) -> set[str]:
    """In lower case and without endings: `toldLosses`, `settled_at`, `TACHY_PLACES`."""
    found = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)}
    stems = {re.sub("(s|d|ed|ing)$", "", word) for word in found}
    return found | stems | {f"{stem}e" for stem in stems}


def test_no_identifier_uses_a_retired_word() -> None:
    folders = ["native", "cpp_sdk", "pysdk/native"]
    sources = [
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".c", ".h", ".cpp", ".hpp")
    ]
    assert len(sources) > 200
    found = {(str(path.relative_to(ROOT)), name) for path in sources for name in identifiers(path.read_text())}
    assert sorted((path, name) for path, name in found if words(name) & RETIRED) == []
