"""Looking on from a terminal: `tachy logs`, `tachy status`, `tachy open`."""

from __future__ import annotations

import time
import webbrowser
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO
from uuid import UUID

from tachy.access import Access
from tachy.errors import QueryError
from tachy.rows import columns_of, printable
from tachy.settings import LEVELS, without_credentials

if TYPE_CHECKING:
    import httpx

    from tachy.client import Connection
    from tachy.times import TimeLike

FOLLOW_SECONDS = 0.5
_TIMEOUT = 30.0
# Blocks of one moment do not become visible in the order of their insert_time; a few seconds cover how far apart.
_OVERLAP = 5 * 10**9
_COLUMNS = "time, level, target, msg, block_id"


def logs(
    lake: Connection,
    out: TextIO,
    process: UUID | None,
    level: str | None,
    begin: TimeLike | None,
    end: TimeLike | None,
    limit: int,
) -> set[str]:
    """Writes the latest `limit` lines, the oldest of them first. Returns the blocks that they are in."""
    where = _conditions(process, level)
    sql = f"SELECT {_COLUMNS} FROM log_entries WHERE {where} ORDER BY time DESC LIMIT {limit}"
    rows = [row for batch in lake.query(sql, begin, end).to_batches() for row in _rows(batch)]
    for row in reversed(rows):
        out.write(_line(row))
    out.flush()
    return {row["block_id"] for row in rows}


def follow(lake: Connection, out: TextIO, process: UUID | None, level: str | None, limit: int) -> None:
    """Writes the latest lines, then those of blocks as they arrive, each block's by time; never returns."""
    where = _conditions(process, level)

    def arrived(since: int) -> Iterator[dict[str, Any]]:
        """Of blocks that came after it, and a little before. What is older than a day is found by its time."""
        after = f"arrow_cast({since - _OVERLAP}, 'Timestamp(Nanosecond, Some(\"UTC\"))')"
        sql = f"SELECT {_COLUMNS} FROM log_entries WHERE {where} AND insert_time > {after} ORDER BY time"
        for batch in lake.query_stream(sql, "-1d"):
            yield from _rows(batch)

    since = _now(lake)
    known = {row["block_id"] for row in arrived(since)}
    known |= logs(lake, out, process, level, "-1d", None, limit)
    while True:
        before, since = since, _now(lake)
        seen = set()
        for row in arrived(before):
            seen.add(row["block_id"])
            if row["block_id"] not in known:
                out.write(_line(row))
        out.flush()
        known |= seen
        time.sleep(FOLLOW_SECONDS)


def _now(lake: Connection) -> int:
    """UTC ns by the server's clock, which stamps blocks."""
    return int(lake.query("SELECT CAST(now() AS BIGINT) AS now").column(0)[0].as_py())


def _conditions(process: UUID | None, level: str | None) -> str:
    found = [f"level <= {LEVELS.index(level) + 1}"] if level else []
    if process is not None:
        found.append(f"process_id = '{process}'")
    return " AND ".join(found) or "true"


def _rows(batch: Any) -> Iterator[dict[str, Any]]:
    names = batch.schema.names
    for row in zip(*columns_of(batch), strict=True):
        yield dict(zip(names, row, strict=True))


def _line(row: dict[str, Any]) -> str:
    level = LEVELS[row["level"] - 1] if 1 <= row["level"] <= len(LEVELS) else str(row["level"])
    return f"{row['time']} {level:5} {printable(row['target'] or '-')}: {printable(row['msg'] or '')}\n"


def status(url: str, access: Access) -> tuple[bool, list[str]]:
    """Whether the server is ready, and a few lines about it. Raises ServerUnavailable, QueryError."""
    shown = without_credentials(url)
    answer = _get(url, access, "readyz")
    content = answer.json()
    ready = answer.is_success
    lines = [f"{shown}: {content.get('status', 'not a tachy server')}"]
    lines += [f"  {part}: {problem}" for part, problem in content.get("problems", {}).items()]
    stats = _get(url, access, "api/stats")
    if stats.status_code in (401, 403):
        return ready, [*lines, "  counters: need a key for admin"]
    if not stats.is_success:
        raise QueryError(f"{shown} does not say its counters: {stats.status_code}")
    for name, value in _flat(stats.json()):
        lines.append(f"  {name}: {value}")
    return ready, lines


def cost(url: str, access: Access, events_per_second: int | None, days: int) -> list[str]:
    """A month's bill as lines, in US dollars. Raises ServerUnavailable, QueryError."""
    asked: dict[str, str | int] = {"days": days}
    if events_per_second is not None:
        asked["events_per_second"] = events_per_second
    answer = _get(url, access, "api/cost", asked)
    said = answer.json()
    if not answer.is_success:
        raise QueryError(said.get("error", f"{without_credentials(url)} does not say its cost: {answer.status_code}"))
    return [
        f"{said['events_per_second']:,.0f} events a second, kept for {said['days']:g} days: {said['events_kept']:,.0f}",
        f"an event takes {said['bytes_per_event']:.2f} bytes of the store, {said['postgres_bytes_per_event']:.2f} of "
        "PostgreSQL",
        *(
            f"  {one['item']:<22}{one['quantity']:>15,.0f} {one['unit']:<12}{one['dollars']:>10,.2f}"
            for one in said["items"]
        ),
        f"  {'dollars a month':<50}{said['dollars']:>10,.2f}",
        f"prices of {said['prices']['date']}: {said['prices']['source']}",
    ]


def _flat(value: dict[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
    for name, one in value.items():
        if isinstance(one, dict):
            yield from _flat(one, f"{before}{name}.")
        else:
            yield before + name, one


def open_page(url: str, access: Access, process: UUID | None) -> str:
    """Opens the server's page in the browser, if there is one. Returns its address."""
    _get(url, access, "healthz")
    address = without_credentials(url).rstrip("/") + (f"/#/process/{process}" if process else "/")
    webbrowser.open(address)
    return address


def _get(url: str, access: Access, path: str, parameters: Mapping[str, str | int] | None = None) -> httpx.Response:
    with access.http(url, _TIMEOUT) as http:
        return http.get(path, params=parameters)
