"""docs/format.md and format.h say the same: every number, size, offset and name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPECIFICATION = (ROOT / "docs/format.md").read_text(encoding="utf-8")
HEADER = (ROOT / "native/include/tachy/format.h").read_text(encoding="utf-8")


def enumerators(prefix: str) -> dict[str, int]:
    """NAME (without the prefix) -> number, as format.h has them."""
    return {name: int(number) for name, number in re.findall(rf"\bTACHY_{prefix}_(\w+) = (\d+)", HEADER)}


def rows(after: str) -> list[list[str]]:
    """The cells of the first table after a text."""
    lines = iter(SPECIFICATION[SPECIFICATION.index(after) :].splitlines())
    table: list[list[str]] = []
    for line in lines:
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip("|").split("|")])
        elif table:
            break
    return table[2:]


def test_every_column_is_documented_with_its_number() -> None:
    documented: dict[str, int] = {}
    for table in ("Tables, in every class:", "Main rows, threads in the order", "### Span rows", "### Async rows",
                  "### Open async spans", "### Values on spans"):  # fmt: skip
        for cells in rows(table):
            first, names = cells[0], re.findall(r"[A-Z_]+\w*", cells[1])
            if "–" not in first:
                documented[names[0]] = int(first)
                continue
            start, stop = (int(part) for part in first.split("–"))
            stem = names[0].removesuffix("_SITE")
            whole = [names[0], *(stem + suffix for suffix in names[1:])]
            documented |= dict(zip(whole, range(start, stop + 1), strict=True))
    assert documented == enumerators("COLUMN")


def test_every_encoding_is_documented_with_its_number() -> None:
    assert {cells[1]: int(cells[0]) for cells in rows("skips ids it does not know")} == enumerators("ENCODING")


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("CLASS", "1 log, 2 metric, 3 span"),
        ("CODEC", "0 none, 1 zstd, 2 lz4 (frame), 3 gzip"),
        ("LEVEL", "0 none, 1 fatal, 2 error, 3 warn, 4 info, 5 debug, 6 trace"),
    ],
)
def test_every_number_of_an_enumeration_is_documented(prefix: str, text: str) -> None:
    assert text in SPECIFICATION
    words = {name.split(" (")[0].upper(): int(number) for number, name in re.findall(r"(\d) ([\w ()]+)", text)}
    assert words == enumerators(prefix)


def test_site_kinds_are_documented() -> None:
    text = "2 integer metric, 3 float metric, 4 ticks metric, 5 frame mark, 6 async span, 7 value on a span"
    text = f"0 span, 1 log, {text}"
    assert text in SPECIFICATION
    names = {
        "SPAN": 0,
        "LOG": 1,
        "METRIC_INT": 2,
        "METRIC_F64": 3,
        "METRIC_TICKS": 4,
        "FRAME": 5,
        "ASYNC": 6,
        "VALUE": 7,
    }
    assert enumerators("SITE") == names


def test_argument_types_are_documented() -> None:
    names = {"i64": "I64", "u64": "U64", "f64": "F64", "text": "TEXT", "pointer": "POINTER"}
    documented = {names[cells[1].strip("`")]: int(cells[0]) for cells in rows("argument types, 4 bits each")}
    assert {"END": 0, **documented} == enumerators("ARG")


def test_types_and_control_codes_of_values_are_documented() -> None:
    documented = {cells[1].strip("`").upper(): int(cells[0]) for cells in rows("says whose it is")}
    assert documented == enumerators("VALUE")
    codes = dict(re.findall(r"TACHY_CONTROL_(FIRST|VALUE|ASYNC_VALUE) UINT64_C\((0xF{6}\w)0{9}\)", HEADER))
    assert codes == {"FIRST": "0xFFFFFFE", "VALUE": "0xFFFFFFF", "ASYNC_VALUE": "0xFFFFFFE"}
    assert "is `0xFFFFFFF0`, of an async span `0xFFFFFFE0`" in SPECIFICATION
    assert "`0xFFFFFFE000000000` and above, a control code" in SPECIFICATION
    for name, text in {"SPAN_VALUES_MAX": "at most {} values", "VALUE_TEXT_MAX": "its size, at most {}"}.items():
        most = re.search(rf"TACHY_{name} (\d+)u", HEADER)
        assert most
        assert text.format(most[1]) in SPECIFICATION


def test_control_codes_are_documented() -> None:
    documented = {cells[1]: int(cells[0].strip("`…"), 16) for cells in rows("| first word | name |")}
    codes = re.findall(r"TACHY_CONTROL_(\w+) UINT64_C\(0xF{14}(\w\w)\)", HEADER)
    assert documented == {name: int(low, 16) for name, low in codes if name}


def test_magics_and_version_are_documented() -> None:
    for name, number in re.findall(r"TACHY_(\w+)_MAGIC (0x\w+)u", HEADER):
        assert f"`{number}`" in SPECIFICATION, name
    assert "version, 1" in SPECIFICATION
    assert "#define TACHY_FORMAT_VERSION 1u" in HEADER


def documented_fields(after: str) -> dict[str, int]:
    """Field -> offset, of the table after a text; several fields share a row as `40, 48 | u64, i64 | ticks0, utc0`."""
    fields: dict[str, int] = {}
    for offsets, _, text in (cells[:3] for cells in rows(after)):
        places = [int(part) for part in offsets.split(",")]
        if len(places) == 1:
            places_named = [(places[0], re.split(r"[ ,:]", text)[0])]
        else:
            places_named = list(zip(places, re.split(r"[,:] ", text), strict=False))
        fields |= {name: offset for offset, name in places_named}
    return fields


@pytest.mark.parametrize(
    ("struct", "after", "size"),
    [
        ("tachy_block_header", "Header (208 bytes):", 208),
        ("tachy_block_thread", "Thread (112 bytes)", 112),
        ("tachy_batch_header", "What one request carries", 64),
    ],
)
def test_every_field_is_where_the_specification_says(struct: str, after: str, size: int, tmp_path: Path) -> None:
    names = {"class": "cls", "0": "zero"}
    checks = "".join(
        f'_Static_assert(offsetof({struct}, {names.get(name, name)}) == {offset}, "{name}");\n'
        for name, offset in documented_fields(after).items()
    )
    source = tmp_path / "offsets.c"
    source.write_text(f'#include <tachy/format.h>\n{checks}_Static_assert(sizeof({struct}) == {size}, "size");\n')
    command = ["cc", "-std=c11", "-fsyntax-only", "-I", str(ROOT / "native/include"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    declared = HEADER[: HEADER.index(f"}} {struct};")].rsplit("{", 1)[1]
    fields = set(re.findall(r"(\w+)(?:\[\d+\])?;", declared))
    assert fields - {names.get(name, name) for name in documented_fields(after)} <= {"zeros"}
