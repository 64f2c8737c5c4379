"""Makes tachy.c and tachy.h: the recorder as two files, for projects that copy their dependencies into their tree.

`python tools/amalgamate.py [FOLDER]` writes them to FOLDER (default: build/amalgamation), the same bytes for the same
sources. tachy.c compiles as C11, C++17 and C++20. Three things are changed on the way:

- names that a file keeps to itself (static functions, variables, types, constants, macros) get the file's name in
  front, so that all files fit into one;
- what initializes a pointer, and memory that is assigned to one, is cast to the pointer's type: C converts void * by
  itself, C++ does not;
- a system's files are compiled only for that system, as src/os/os.h decides;
- what headers of src/ declare is hidden from other modules, which may have a tachy.c of their own.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NATIVE = ROOT / "native"
SYSTEMS = ("posix", "win32", "host")
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[A-Za-z_]\w*|->|\s+|.', re.DOTALL)
QUOTED = re.compile(r'^#include "([^"]+)"\n', re.MULTILINE)
PUBLIC = re.compile(r"^#include <(tachy/\w+\.h)>\n", re.MULTILINE)
POINTER = re.compile(
    r"(?P<left>(?P<type>\b(?:const )?(?:struct |unsigned )?(?!const )\w+ \*+)(?:const )?\w+ = )(?P<value>[^;{}]+);",
    re.DOTALL,
)
NEXT_POINTER = re.compile(r", (\*+(?:const )?\w+ = )")
ASSIGNED = re.compile(r"(?<![*\w] )\b([\w.>-]+) = (?=tachy_(?:os_allocate|os_resize|os_map|list_add)\()")
LISTED = re.compile(r"return (?=tachy_list_at\([^;]*sizeof\((\w+)\)\);)")

PRELUDE = """\
/* tachy {version}, the recorder in one file, made by tools/amalgamate.py: change the sources, not this. Compiles as C11
 * and as C++17 and C++20; on POSIX it needs -pthread. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#if !defined(TACHY_STATIC) && !defined(TACHY_BUILD) /* TACHY_BUILD: a shared library that others link to */
#define TACHY_STATIC
#endif
#include "tachy.h"

#if defined(__GNUC__) && !defined(_WIN32)
#define TACHY_HIDE _Pragma("GCC visibility push(hidden)")
#define TACHY_SHOW _Pragma("GCC visibility pop")
#else
#define TACHY_HIDE
#define TACHY_SHOW
#endif
#ifdef __cplusplus
#define _Alignas alignas
#define _Static_assert static_assert
#define TACHY_AS(pointer) (decltype(pointer))
#if defined(__GNUC__) /* right in C: {{0}} for all zero, a constant of an enum as a number */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wmissing-braces"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wattributes" /* what holds something hidden */
#endif
#else
#define TACHY_AS(pointer)
#endif
"""


def local_names(text: str) -> set[str]:
    """The names that a C file declares at its outermost level and shows to nobody."""
    names = set(re.findall(r"^#define (\w+)", text, re.MULTILINE))
    names |= set(re.findall(r"^static (?:inline )?[^=;(){}]*?\b(\w+)(?:\[[^\]]*\])*(?: =|;|\()", text, re.MULTILINE))
    names |= set(re.findall(r"^typedef (?:struct|enum|union) (\w+)", text, re.MULTILINE))
    for constants in re.findall(r"^(?:typedef )?enum(?: \w+)? \{([^}]*)\}", text, re.MULTILINE):
        names |= {part.split("=")[0].strip() for part in constants.split(",") if part.strip()}
    return {name for name in names if not name.startswith(("tachy_", "TACHY_"))}


def rename(text: str, names: set[str], prefix: str) -> str:
    """`text` with `prefix` in front of every use of a name that is not a member of something."""
    result: list[str] = []
    before = ""
    for token in TOKEN.findall(text):
        result.append(prefix + token if token in names and before not in (".", "->") else token)
        if not token.isspace():
            before = token
    return "".join(result)


def cast_pointers(text: str) -> str:
    """`text` with the casts that C++ asks for where a pointer is initialized, or takes memory."""

    def cast(found: re.Match[str]) -> str:
        value = NEXT_POINTER.sub(rf"), \1({found['type']})(", found["value"])
        return f"{found['left']}({found['type']})({value});"

    return LISTED.sub(r"return (\1 *)", ASSIGNED.sub(r"\1 = TACHY_AS(\1) ", POINTER.sub(cast, text)))


def hide(text: str) -> str:
    """A header of ours whose declarations, which follow its includes of the system's, are hidden."""
    lines = text.splitlines(keepends=True)
    after = max((i for i, line in enumerate(lines) if line.startswith("#include <")), default=0)
    depth = 0  # of conditions, the header's own guard among them
    for i, line in enumerate(lines):
        depth += line.startswith("#if") - line.startswith("#endif")
        if i >= after and depth == 1 and not line.startswith("#ifndef"):
            lines.insert(i + 1, "TACHY_HIDE\n")
            break
    end = max(i for i, line in enumerate(lines) if line.startswith("#endif"))
    return "".join([*lines[:end], "TACHY_SHOW\n", *lines[end:]])


class Amalgamation:
    """Pastes files behind what they include, each header once."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.seen: set[Path] = set()

    def add_header(self, path: Path) -> None:
        """Pastes a header of src/ unless it is there; the public ones are in tachy.h."""
        if path in self.seen or path.is_relative_to(NATIVE / "include"):
            return
        self.seen.add(path)
        text = path.read_text()
        if path.name == "os.h":  # the systems' types stay inside their condition
            for system in SYSTEMS:
                types = hide((path.parent / system / "types.h").read_text())
                text = text.replace(f'#include "{system}/types.h"\n', types)
        self.paste(path, hide(text))

    def paste(self, path: Path, text: str) -> None:
        """Pastes the text of a file behind the headers that it includes."""
        for name in QUOTED.findall(text):
            self.add_header((path.parent / name).resolve())
        text = PUBLIC.sub("", QUOTED.sub("", text))
        self.parts.append(f"/* {path.relative_to(NATIVE).as_posix()} */\n{cast_pointers(text)}")

    def add_source(self, path: Path, system: str = "") -> None:
        """Pastes a C file, its own names renamed; inside the condition of its system if it belongs to one."""
        text = path.read_text()
        prefix = f"{system}_{path.stem}_" if system else f"{path.stem}_"
        if system:
            self.parts.append(f"#if defined(TACHY_OS_{system.upper()})\n")
        self.paste(path, rename(text, local_names(text), prefix))
        if system:
            self.parts.append("#endif\n")


def make_header() -> str:
    """The public headers in one; host.h last."""
    folder = NATIVE / "include" / "tachy"
    text = (folder / "tachy.h").read_text()
    for name in ("format.h", "status.h", "hot.h", "hot_x86_64.h", "compiler.h", "host.h"):
        part = (folder / name).read_text().replace('#include "tachy.h"\n', "")
        text = text.replace(f'#include "{name}"\n', part)
    return text


def version_of(header: str) -> str:
    """The version that tachy.h names."""
    found = re.search(r'#define TACHY_VERSION "([^"]+)"', header)
    if not found:
        raise SystemExit("tachy.h names no TACHY_VERSION")
    return found[1]


def make_source(version: str) -> str:
    """The recorder, what it stands on and the systems in one."""
    made = Amalgamation()
    made.parts.append(PRELUDE.format(version=version))
    made.add_header(NATIVE / "src/os/os.h")
    for folder in ("base", "encode", "recorder"):
        for path in sorted((NATIVE / "src" / folder).rglob("*.c")):
            made.add_source(path)
    for system in SYSTEMS:
        for path in sorted((NATIVE / "src/os" / system).glob("*.c")):
            made.add_source(path, system)
    return "\n".join(made.parts)


def write_amalgamation(folder: Path) -> None:
    """Writes tachy.c and tachy.h into the folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    header = make_header()
    (folder / "tachy.h").write_text(header)
    (folder / "tachy.c").write_text(make_source(version_of(header)))


if __name__ == "__main__":
    write_amalgamation(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "amalgamation")
