"""GET /api/cost: what a month of a lake costs, from what this one holds of an event and from the prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tachy_server.base.errors import QueryError
from tachy_server.base.prices import Prices

MEASURED: Final = """
SELECT coalesce(sum(events), 0) AS events,
  coalesce(sum(bytes) FILTER (WHERE class <> 'postgresql'), 0) AS bytes,
  coalesce(sum(bytes) FILTER (WHERE class = 'postgresql'), 0) AS postgres_bytes,
  (SELECT coalesce(max(CAST(last_update_time AS BIGINT)) - min(CAST(start_time AS BIGINT)), 0) FROM processes) AS ns
FROM lake_usage
"""
DAYS: Final = 90.0
"""That events are kept, unless somebody says otherwise."""
_MONTH: Final = 365.25 / 12 * 86_400
_OBJECTS_PER_SECOND: Final = 1.0
"""That ingest writes on S3, at most: a group waits for a second (setting commit_wait)."""
_READS_PER_OBJECT: Final = 2.0
"""Of maintenance, which merges each object's blocks twice; queries read merged ones."""
_CPU_SECONDS_PER_EVENT: Final = 4.7e-6
"""Of ingest, both merges and the files of views (docs/cost.md); queries come on top."""
_LEAST_EVENTS: Final = 100_000
_LEAST_CPUS: Final = 2


@dataclass(frozen=True, slots=True)
class Lake:
    """What is to be kept, and what an event takes of store and database."""

    events_per_second: float
    days: float
    bytes_per_event: float
    postgres_bytes_per_event: float


def measured(row: dict[str, Any], events_per_second: float | None, days: float) -> Lake:
    """By the row of MEASURED; without a rate the lake's own. Raises QueryError where there is nothing to go by."""
    events = row["events"]
    if events < _LEAST_EVENTS:
        raise QueryError(
            f"The lake has {events:,} events; to reckon from what it takes for one it needs {_LEAST_EVENTS:,}, or what "
            "an empty lake takes would count as theirs."
        )
    rate = events / max(1.0, row["ns"] / 1e9) if events_per_second is None else events_per_second
    return Lake(rate, days, row["bytes"] / events, row["postgres_bytes"] / events)


def bill(lake: Lake, prices: Prices) -> dict[str, Any]:
    """As the route answers: items with their quantity, unit, price of one and dollars a month, and their sum."""
    kept = lake.events_per_second * lake.days * 86_400
    objects = _OBJECTS_PER_SECOND * _MONTH
    cpus = max(_LEAST_CPUS, lake.events_per_second * _CPU_SECONDS_PER_EVENT)
    rows: list[tuple[str, float, str, float]] = [
        ("storage", kept * lake.bytes_per_event / 1e9, "GB", prices.gigabyte_month),
        ("writes", objects, "requests", prices.put),
        ("reads", objects * _READS_PER_OBJECT, "requests", prices.get),
        ("PostgreSQL's storage", kept * lake.postgres_bytes_per_event / 1e9, "GB", prices.postgres_gigabyte_month),
        ("PostgreSQL", 1, "machine", prices.postgres_month),
        ("servers", cpus, "processors", prices.cpu_month),
    ]
    items = [
        {"item": item, "quantity": quantity, "unit": unit, "price": price, "dollars": quantity * price}
        for item, quantity, unit, price in rows
    ]
    return {
        "events_per_second": lake.events_per_second,
        "days": lake.days,
        "events_kept": kept,
        "bytes_per_event": lake.bytes_per_event,
        "postgres_bytes_per_event": lake.postgres_bytes_per_event,
        "items": items,
        "dollars": sum(quantity * price for _, quantity, _, price in rows),
        "prices": {"date": prices.date.isoformat(), "source": prices.source},
    }
