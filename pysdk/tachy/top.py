"""`tachy top`: what a process does, in its last seconds, again and again. Needs rich: the extra [top]."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tachy.errors import MissingExtra, NotFound
from tachy.rows import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from tachy.client import Connection

WINDOW_SECONDS = 10
_REFRESH_SECONDS = 1.0
_FRAME = "unit = 'seconds' AND lower(name) = 'frame'"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A process's last seconds. Frame times are in ms, NaN without frames; spans: name, calls, own and longest ns."""

    exe: str
    state: str
    who: str
    seconds: float
    """From its start to its newest block."""
    window: float
    frames: int
    p50: float
    p99: float
    worst: float
    errors: int
    warnings: int
    dropped: int
    spans: list[tuple[str, int, int, int]]


def snapshot(lake: Connection, process: UUID, most: int = 20) -> Snapshot:
    """Raises NotFound for a process that the server does not know."""
    one = f"process_id = '{process}'"
    found = lake.query(
        "SELECT exe, end_state, username, computer, CAST(start_time AS BIGINT) AS start, "
        f"CAST(last_block_end_time AS BIGINT) AS last FROM processes WHERE {one}"
    ).to_pylist()
    if not found:
        raise NotFound(f"there is no process {process}: `tachy processes` lists them")
    row = found[0]
    end = row["last"] or row["start"]
    begin = max(row["start"], end - WINDOW_SECONDS * 10**9)

    def ask(sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = lake.query(sql, begin, end).to_pylist()
        return rows

    (measured,) = ask(
        f"SELECT count(*) FILTER (WHERE {_FRAME}) AS frames, max(value) FILTER (WHERE {_FRAME}) * 1e3 AS worst, "
        f"approx_percentile_cont(value, 0.5) FILTER (WHERE {_FRAME}) * 1e3 AS p50, "
        f"approx_percentile_cont(value, 0.99) FILTER (WHERE {_FRAME}) * 1e3 AS p99, "
        "coalesce(sum(value) FILTER (WHERE name = 'tachy.dropped_events'), 0) AS dropped "
        f"FROM measures WHERE {one}"
    )
    (logged,) = ask(
        "SELECT count(*) FILTER (WHERE level <= 2) AS errors, count(*) FILTER (WHERE level = 3) AS warnings "
        f"FROM log_entries WHERE {one}"
    )
    spans = ask(
        f"SELECT name, calls, self, longest FROM span_self_time('{process}', NULL, NULL) "
        f"ORDER BY self DESC LIMIT {most}"
    )
    return Snapshot(
        exe=row["exe"] or "(unnamed)",
        state=row["end_state"],
        who=f"{row['username']}@{row['computer']}",
        seconds=(end - row["start"]) / 1e9,
        window=max((end - begin) / 1e9, 1e-3),
        frames=measured["frames"],
        p50=_number(measured["p50"]),
        p99=_number(measured["p99"]),
        worst=_number(measured["worst"]),
        errors=logged["errors"],
        warnings=logged["warnings"],
        dropped=int(measured["dropped"]),
        spans=[(span["name"], span["calls"], span["self"], span["longest"]) for span in spans],
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def draw(seen: Snapshot) -> RenderableType:
    """A few lines and a table."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    name = PureWindowsPath(seen.exe).name if "\\" in seen.exe else PurePosixPath(seen.exe).name
    head = Text.assemble(
        (printable(name), "bold"), "  ", (seen.state, "green" if seen.state == "running" else "yellow"),
        f"  {seen.seconds:.0f} s  {printable(seen.who)}",
    )  # fmt: skip
    frames = Text("no frames")
    if seen.frames:
        frames = Text(
            f"{seen.frames / seen.window:.1f} frames/s  p50 {seen.p50:.2f} ms  p99 {seen.p99:.2f} ms  "
            f"worst {seen.worst:.2f} ms"
        )
    counts = Text.assemble(
        (f"{seen.errors} errors", "red" if seen.errors else ""), f"  {seen.warnings} warnings  ",
        (f"{seen.dropped} dropped", "red" if seen.dropped else ""), f"  in its last {seen.window:.0f} s",
    )  # fmt: skip
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("span", no_wrap=True, overflow="ellipsis", ratio=1)
    for title in ("calls/s", "self ms/s", "longest ms"):
        table.add_column(title, justify="right", no_wrap=True)
    for span, calls, own, longest in seen.spans:
        rates = (f"{calls / seen.window:.1f}", f"{own / 1e6 / seen.window:.2f}", f"{longest / 1e6:.3f}")
        table.add_row(Text(printable(span or "")), *rates)
    return Group(head, frames, counts, Text(), table)


def run(lake: Connection, process: UUID) -> None:
    """On a terminal until Ctrl-C; once where the output goes elsewhere."""
    try:
        from rich.console import Console
        from rich.live import Live
    except ImportError as error:
        raise MissingExtra(f"tachy top needs rich ({error}): pip install 'tachy[top]'") from None
    console = Console()
    if not console.is_terminal:
        console.print(draw(snapshot(lake, process)))
        return
    with Live(_fitting(lake, process, console), console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(_REFRESH_SECONDS)
            live.update(_fitting(lake, process, console), refresh=True)


def _fitting(lake: Connection, process: UUID, console: Console) -> RenderableType:
    return draw(snapshot(lake, process, max(1, console.height - 6)))
