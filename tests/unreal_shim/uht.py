"""Reads UCLASS, USTRUCT and UENUM in a module's headers and writes their X.generated.h, as UnrealHeaderTool does.

Not that tool: a class gets Super, ThisClass, StaticClass and its Config properties (read from and written to the ini);
a struct's body stays empty; functions are not reflected. An include of X.gen.cpp finds an empty file.

    python3 uht.py --module Tachy --out FOLDER HEADER_OR_FOLDER...
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Property:
    name: str
    type: str


@dataclass
class Class:
    name: str
    base: str
    body_line: int
    abstract: bool
    config: str
    default_config: bool
    properties: list[Property] = field(default_factory=list)


def without_comments(text: str) -> str:
    """The text with comments blanked; every line stays where it is."""
    pattern = r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"

    def blank(match: re.Match[str]) -> str:
        found = match.group(0)
        return re.sub(r"[^\n]", " ", found) if found.startswith("/") else found

    return re.sub(pattern, blank, text, flags=re.S)


def closing(text: str, start: int) -> int:
    """Where the bracket that opens at `start` closes."""
    pairs = {"(": ")", "{": "}"}
    opened, closed, depth = text[start], pairs[text[start]], 0
    for at in range(start, len(text)):
        depth += (text[at] == opened) - (text[at] == closed)
        if depth == 0:
            return at
    raise SystemExit(f"uht.py: a {opened} is never closed")


def line_of(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def conditional_lines(text: str) -> set[int]:
    """The lines inside #if, but for what guards the whole header."""
    inside: set[int] = set()
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if re.match(r"#\s*if", stripped):
            depth += 1
        elif re.match(r"#\s*endif", stripped):
            depth -= 1
        elif depth:
            inside.add(number)
    return inside


def enums(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for match in re.finditer(r"\bUENUM\s*\(", text):
        after = closing(text, match.end() - 1) + 1
        declared = re.compile(r"\s*enum\s+class\s+(\w+)\s*(?::\s*\w+)?\s*\{").match(text, after)
        if not declared:
            raise SystemExit("uht.py: UENUM() wants an enum class behind it")
        inside = text[declared.end() : closing(text, declared.end() - 1)]
        inside = re.sub(r"UMETA\s*\([^)]*\)", "", inside)
        found[declared.group(1)] = re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|$)", inside.strip())
    return found


def properties(text: str, start: int, end: int, skipped: set[int]) -> list[Property]:
    found = []
    for match in re.compile(r"\bUPROPERTY\s*\(").finditer(text, start, end):
        after = closing(text, match.end() - 1)
        if not re.search(r"(?:^|,)\s*(?:Global)?Config\b", text[match.end() : after], re.I):
            continue
        if line_of(text, match.start()) in skipped:
            continue
        declared = re.compile(r"\s*([\w:<>, *]+?)\s+(\w+)\s*(?::\s*\d+)?\s*(?:=[^;]*|\{[^;]*)?;").match(text, after + 1)
        if not declared:
            raise SystemExit(f"uht.py: line {line_of(text, after)}: a property that is not understood")
        found.append(Property(declared.group(2), declared.group(1)))
    return found


def classes(text: str) -> tuple[list[Class], list[int]]:
    """The classes of a header, and the lines of its structs' bodies."""
    skipped = conditional_lines(text)
    found = []
    structs = []
    for match in re.finditer(r"\b(UCLASS|USTRUCT)\s*\(", text):
        after = closing(text, match.end() - 1)
        specifiers = re.sub(r"meta\s*=\s*\([^)]*\)", "", text[match.end() : after], flags=re.I)
        head = re.compile(
            r"\s*(?:class|struct)\s+(?:\w+_API\s+)?(\w+)(?:\s+final)?\s*(?::\s*public\s+([\w:]+)[^{;]*)?\{"
        )
        declared = head.match(text, after + 1)
        if not declared:
            raise SystemExit(f"uht.py: line {line_of(text, after)}: {match.group(1)}() wants a class behind it")
        end = closing(text, declared.end() - 1)
        body = re.compile(r"\bGENERATED_(?:USTRUCT_|UCLASS_)?BODY\s*\(").search(text, declared.end(), end)
        if not body:
            raise SystemExit(f"uht.py: {declared.group(1)} has no GENERATED_BODY()")
        line = line_of(text, body.start())
        if match.group(1) == "USTRUCT":
            structs.append(line)
            continue
        config = re.search(r"\bConfig\s*=\s*(\w+)", specifiers, re.I)
        found.append(
            Class(
                declared.group(1),
                declared.group(2) or "UObject",
                line,
                bool(re.search(r"\bAbstract\b", specifiers, re.I)),
                config.group(1) if config else "",
                bool(re.search(r"\bDefaultConfig\b", specifiers, re.I)),
                properties(text, declared.end(), end, skipped),
            )
        )
    return found, structs


def body_of(cls: Class, module: str, known_enums: dict[str, list[str]]) -> list[str]:
    visits = []
    for prop in cls.properties:
        if prop.type in known_enums:
            names = ", ".join(
                f'TPair<const TCHAR *, {prop.type}>(TEXT("{n}"), {prop.type}::{n})' for n in known_enums[prop.type]
            )
            visits.append(f'Visitor.VisitEnum(TEXT("{prop.name}"), This->{prop.name}, {{{names}}});')
        else:  # by way of a copy, because of bit fields
            kind = "bool" if re.fullmatch(r"uint(8|32)", prop.type) and prop.name.startswith("b") else prop.type
            read = f'{kind} Copy(This->{prop.name}); Visitor.Visit(TEXT("{prop.name}"), Copy);'
            visits.append(f"{{ {read} This->{prop.name} = Copy; }}")
    name = cls.name[1:]
    create = "nullptr" if cls.abstract else f"&unreal_shim::Create<{cls.name}>"
    return [
        " public:",
        f"  using Super = {cls.base};",
        f"  using ThisClass = {cls.name};",
        "  static UClass *StaticClass() {",
        "    static UClass *const TheClass = unreal_shim::RegisterClass({",
        f'        TEXT("{name}"), TEXT("/Script/{module}"), TEXT("{cls.config}"), &{cls.base}::StaticClass, {create},',
        f"        &{cls.name}::UEShimVisit, {str(cls.default_config).lower()}}});",
        "    return TheClass;",
        "  }",
        "  static void UEShimVisit([[maybe_unused]] unreal_shim::FPropertyVisitor &Visitor, UObject *Object) {",
        f"    {cls.base}::UEShimVisit(Visitor, Object);",
        f"    [[maybe_unused]] {cls.name} *This = static_cast<{cls.name} *>(Object);",
        *[f"    {visit}" for visit in visits],
        "  }",
        " private:",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--module", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("sources", nargs="+", type=Path)
    options = parser.parse_args()
    headers = [h for s in options.sources for h in (sorted(s.rglob("*.h")) if s.is_dir() else [s])]
    texts = {h: without_comments(h.read_text(encoding="utf-8-sig")) for h in headers}
    texts = {h: t for h, t in texts.items() if f'"{h.stem}.generated.h"' in t}
    known = {name: values for text in texts.values() for name, values in enums(text).items()}
    options.out.mkdir(parents=True, exist_ok=True)
    for header, text in texts.items():
        found, structs = classes(text)
        file_id = "FID_" + re.sub(r"\W", "_", f"{options.module}_{header.name}")
        lines = [f"// Made from {header.name} by uht.py.", "#pragma once", '#include "unreal_shim/Properties.h"']
        lines += ["#undef CURRENT_FILE_ID", f"#define CURRENT_FILE_ID {file_id}"]
        for cls in found:
            body = " \\\n".join(body_of(cls, options.module, known))
            lines.append(f"#define {file_id}_{cls.body_line}_GENERATED_BODY \\\n{body}")
        lines += [f"#define {file_id}_{line}_GENERATED_BODY" for line in structs]
        write(options.out / f"{header.stem}.generated.h", "\n".join(lines) + "\n")
        write(options.out / f"{header.stem}.gen.cpp", "")
    sys.stdout.write(f"{len(texts)} headers\n")


def write(path: Path, text: str) -> None:
    """Only where it differs, so that nothing is compiled again for nothing."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


if __name__ == "__main__":
    main()
