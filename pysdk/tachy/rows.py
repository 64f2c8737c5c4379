"""A query's result as text: an aligned table, CSV, or one JSON object per line.

Times are RFC 3339 in UTC, durations whole nanoseconds, binary is base64, NULL is empty in CSV and `null` in JSON.
"""

from __future__ import annotations

import base64
import csv
import json
import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from tachy.times import format_time

if TYPE_CHECKING:
    import pyarrow as pa

CELL_WIDTH = 60

_PER_UNIT = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def columns_of(batch: pa.RecordBatch) -> list[list[Any]]:
    """The columns as plain values: None, bool, int, float, str, list, dict."""
    return [_values(column) for column in batch.columns]


def _values(column: pa.Array) -> list[Any]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _values(column.dictionary_decode())
    if pa.types.is_timestamp(kind):
        scale = _PER_UNIT[kind.unit]
        return [None if v is None else format_time(v * scale) for v in column.cast(pa.int64()).to_pylist()]
    if pa.types.is_duration(kind):
        scale = _PER_UNIT[kind.unit]
        return [None if v is None else v * scale for v in column.cast(pa.int64()).to_pylist()]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = _values(column.flatten())
        out: list[Any] = []
        at = 0
        for size in column.value_lengths().to_pylist():
            out.append(None if size is None else inner[at : at + size])
            at += size or 0
        return out
    if pa.types.is_struct(kind):
        parts = [_values(part) for part in column.flatten()]
        names = [field.name for field in kind]
        valid = column.is_valid().to_pylist()
        return [dict(zip(names, v, strict=True)) if ok else None for ok, v in zip(valid, _rows(parts), strict=True)]
    return [_plain(v) for v in column.to_pylist()]


def _rows(columns: Sequence[Sequence[Any]]) -> Iterable[tuple[Any, ...]]:
    return zip(*columns, strict=True)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str | float):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return str(value)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_finite(v) for v in value]
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return value


def write_json(names: Sequence[str], batches: Iterable[pa.RecordBatch], out: TextIO) -> None:
    """One object per line. A second column of the same name gets _2 behind it."""
    seen: dict[str, int] = {}
    keys = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        keys.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    for batch in batches:
        lines = [
            json.dumps(dict(zip(keys, map(_finite, row), strict=True)), ensure_ascii=False)
            for row in _rows(columns_of(batch))
        ]
        out.writelines(line + "\n" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(_finite(value), ensure_ascii=False)
    return str(value)


def write_csv(names: Sequence[str], batches: Iterable[pa.RecordBatch], out: TextIO) -> None:
    """RFC 4180, with a header line and plain newlines."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for batch in batches:
        writer.writerows([_cell(value) for value in row] for row in _rows(columns_of(batch)))


def width_of(text: str) -> int:
    """Columns of a terminal that the text takes."""
    if text.isascii():
        return len(text)
    total = 0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
            continue
        total += 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
    return total


def printable(text: str) -> str:
    """Without what would break the line or move the cursor."""
    if text.isprintable():
        return text
    named = {"\n": "⏎", "\t": " ", "\r": ""}
    return "".join(
        named.get(c, c if c.isprintable() or unicodedata.category(c) == "Cf" else "\N{REPLACEMENT CHARACTER}")
        for c in text
    )


def _cut(text: str, width: int) -> str:
    if width_of(text) <= width:
        return text
    kept, used = [], 0
    for character in text:
        used += width_of(character)
        if used > width - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"


def _table_cell(value: Any) -> str:
    return "NULL" if value is None else printable(f"{value:.6g}" if isinstance(value, float) else _cell(value))


def write_table(names: Sequence[str], batches: Iterable[pa.RecordBatch], out: TextIO, most: int) -> None:
    """Aligned columns, numbers to the right, at most `most` rows (0: all); says what it left out."""
    rows: list[list[str]] = []
    left = False
    right = [True] * len(names)
    cut = 0
    for row in _all_rows(batches):
        if most and len(rows) >= most:
            left = True
            break
        cells = []
        for index, value in enumerate(row):
            if isinstance(value, bool) or (value is not None and not isinstance(value, int | float)):
                right[index] = False
            whole = _table_cell(value)
            cell = _cut(whole, CELL_WIDTH)
            cut += cell != whole
            cells.append(cell)
        rows.append(cells)
    heads = [printable(name) for name in names]
    widths = [max([width_of(head), *(width_of(row[i]) for row in rows)]) for i, head in enumerate(heads)]
    out.write(_line(heads, widths, right) + "\n")
    out.write("  ".join("─" * width for width in widths) + "\n")
    out.writelines(_line(row, widths, right) + "\n" for row in rows)
    notes = [f"first {len(rows)} rows, there are more: --rows 0 shows all" if left else _counted(len(rows))]
    if cut:
        notes.append(f"{cut} cells cut at {CELL_WIDTH} characters: --format csv or json has them whole")
    out.write(f"({'; '.join(notes)})\n")


def _all_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        yield from _rows(columns_of(batch))


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = []
    for cell, width, to_right in zip(cells, widths, right, strict=True):
        space = " " * (width - width_of(cell))
        padded.append(space + cell if to_right else cell + space)
    return "  ".join(padded).rstrip()
