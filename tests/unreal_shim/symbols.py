"""The engine's symbols that the shim declares, read from its headers: what symbols.txt has to say.

python3 symbols.py --write    brings symbols.txt up to date and keeps the notes behind its lines
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
LIST = HERE / "symbols.txt"
FIRST, LAST = 503, 508
HEAD = """\
# Every symbol of Unreal Engine that the shim declares: name, header, since and until which version (-: still).
# 5.3 stands for "5.3 or before": older engines are no business of the plugin. Notes: † seen in one public source, or
# written from memory: guard it or avoid it.
"""
NAME = re.compile(
    r"""^\s*(?:template\s*<[^{;]*?>\s*)?(?:
      (?:class|struct|union)\s+(?:\w+_API\s+)?(?P<type>\w+)(?:\s+final)?\s*(?=[:{])
    | enum\s+(?:class\s+)?(?P<enum>\w+)
    | using\s+(?P<alias>\w+)\s*=
    | extern\s+(?:\w+_API\s+)?[\w:<>]+\s+\**(?P<variable>\w[\w,\s\[\]\*]*);
    | (?:static\s+|inline\s+|constexpr\s+|virtual\s+|explicit\s+|UE_DEPRECATED\([^)]*\)\s*|\w+_API\s+|\[\[\w+\]\]\s+)*
      (?:const\s+)?[\w:]+(?:<[^;{]*>)?(?:\s+const)?[\s\*&]+(?P<function>\w+)\s*\(
    | (?:DECLARE_\w+|UE_SHIM_AUTO_COMMAND)\((?:\w+,\s*)??(?P<delegate>F\w+)
    )""",
    re.X,
)
KEYWORDS = {"if", "return", "for", "while", "switch", "sizeof", "operator", "static_assert", "check", "defined"}


class Symbol(NamedTuple):
    name: str
    header: str
    since: int
    until: int


def condition(text: str) -> tuple[int, int] | None:
    """The versions for which an #if holds, when it asks for them."""
    match = re.search(r"UE_SHIM_VERSION\s*(>=|<)\s*(\d+)", text)
    if not match:
        return None
    version = int(match.group(2))
    return (version, LAST) if match.group(1) == ">=" else (FIRST, version - 1)


def statements(path: Path) -> list[tuple[str, str, int, int]]:
    """A header's declarations: text, class around it ("" at the top), and the versions that have it."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.S)
    text = re.sub(r"\\\n", " ", text)
    text = re.sub(r"\bUE_DEPRECATED\([^)]*\)", "", text)
    text = re.sub(r"(?m)^(\s*(?:DECLARE|UE_SHIM)_\w+\([^(){};]*\))(?!\s*;)", r"\1;", text)
    found: list[tuple[str, str, int, int]] = []
    came = re.search(r"#if UE_SHIM_VERSION < (\d+)\s*\n\s*#error", text)  # the whole header
    versions: list[tuple[int, int]] = [(int(came.group(1)) if came else FIRST, LAST)]
    scopes: list[str] = []  # what each open brace belongs to
    pending = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            low, high = versions[-1]
            if re.match(r"#\s*if", stripped):
                asked = condition(stripped)
                versions.append((max(low, asked[0]), min(high, asked[1])) if asked else (low, high))
            elif re.match(r"#\s*else", stripped):
                outer, inner = versions[-2], versions[-1]
                if inner != outer:
                    versions[-1] = (inner[1] + 1, outer[1]) if inner[0] == outer[0] else (outer[0], inner[0] - 1)
            elif re.match(r"#\s*endif", stripped):
                versions.pop()
            elif define := re.match(r"#\s*define\s+(\w+)", stripped):
                found.append((f"#define {define.group(1)}", "", low, high))
            continue
        for piece in re.split(r"([{};])", line):
            if piece == "{":
                scopes.append(scope_of(pending))
                found.append((pending + "{", around(scopes[:-1]), *versions[-1]))
                pending = ""
            elif piece == "}":
                if scopes:
                    scopes.pop()
                pending = ""
            elif piece == ";":
                found.append((pending + ";", around(scopes), *versions[-1]))
                pending = ""
            else:
                pending = (pending + " " + re.sub(r"^\s*(public|private|protected):", "", piece)).strip()
    return found


def scope_of(opening: str) -> str:
    if match := re.search(r"\bnamespace\s+([\w:]*)", opening):
        return "shim" if match.group(1) == "unreal_shim" else f"namespace {match.group(1)}"
    match = re.search(r"\b(?:class|struct)\s+(?:\w+_API\s+)?(\w+)(?:\s+final)?\s*(?::[^:].*)?$", opening)
    return match.group(1) if match else "body"


def around(scopes: list[str]) -> str:
    """The class that a declaration is in; "-" where it is no engine symbol."""
    if "body" in scopes or "shim" in scopes:
        return "-"
    return "::".join(scope for scope in scopes if not scope.startswith("namespace"))


def declared() -> dict[str, Symbol]:
    """All types, functions, globals and macros; of members those that came or went with a version."""
    result: dict[str, Symbol] = {}
    always: set[str] = set()  # members that every version has, whatever other overloads there are
    for path in sorted((HERE / "include").rglob("*.h")):
        header = path.relative_to(HERE / "include").as_posix()
        if header.startswith("unreal_shim/"):
            continue
        for text, scope, since, until in statements(path):
            whole = (since, until) == (FIRST, LAST)
            if scope == "-":
                continue
            if scope and whole:
                always.update(f"{scope}::{name}" for name in names_of(text))
                continue
            for name in names_of(text):
                full = f"{scope}::{name}" if scope else name
                if full in result:
                    old = result[full]
                    since, until = min(since, old.since), max(until, old.until)
                    header = old.header
                result[full] = Symbol(full, header, since, until)
                header = path.relative_to(HERE / "include").as_posix()
    return {name: symbol for name, symbol in result.items() if name not in always}


def names_of(text: str) -> list[str]:
    if text.startswith("#define "):
        names = [text.split()[1]]
    elif match := NAME.match(text):
        group = match.lastgroup or ""
        names = [part.strip(" *").split("[")[0] for part in match.group(group).split(",")]
    else:
        names = []
    return [
        n for n in names if n and n not in KEYWORDS and "SHIM" not in n and "UEShim" not in n and not n.endswith("_")
    ]


def version(number: int) -> str:
    return f"5.{number - 500}"


def line_of(symbol: Symbol) -> str:
    return (
        f"{symbol.name} {symbol.header} {version(symbol.since)} {version(symbol.until) if symbol.until < LAST else '-'}"
    )


def listed() -> dict[str, str]:
    """The list's lines without their notes, and the notes."""
    lines = (
        [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")] if LIST.exists() else []
    )
    return {" ".join(line.split()[:4]): " ".join(line.split()[4:]) for line in lines}


def write() -> None:
    notes = {line.split()[0]: note for line, note in listed().items()}
    lines = [f"{line_of(s)} {notes.get(s.name, '')}".rstrip() for s in declared().values()]
    LIST.write_text(HEAD + "\n".join(sorted(lines, key=str.lower)) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        sys.stdout.write("\n".join(line_of(s) for s in declared().values()) + "\n")
