"""The queries of grafana/, as a data source sends them: variables and macros filled in by its rules.

Those are Grafana's own (its front end fills in variables) and grafana-plugin-sdk-go's sqlutil with the macro `dateBin`
of influxdata's data source, which Micromegas's has kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

GRAFANA = Path(__file__).resolve().parents[2] / "grafana"


@dataclass(frozen=True)
class Asked:
    """A query, where it stands, and how its rows are shown: "time_series", "table", or "alert"."""

    where: str
    sql: str
    format: str


def read(path: str) -> Any:
    return json.loads((GRAFANA / path).read_text())


def dashboards() -> dict[str, Any]:
    return {path.stem: read(f"dashboards/{path.name}") for path in sorted((GRAFANA / "dashboards").glob("*.json"))}


def rules() -> list[Any]:
    return [rule for group in read("provisioning/alerting/tachy.json")["groups"] for rule in group["rules"]]


def all_queries() -> Iterator[Asked]:
    for name, board in dashboards().items():
        for variable in board["templating"].get("list", ()):
            if variable["type"] == "query":
                yield Asked(f"{name}: ${variable['name']}", variable["query"]["queryText"], "table")
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield Asked(f"{name}: {panel['title']}", target["queryText"], target["format"])
    for rule in rules():
        yield Asked(f"alert: {rule['title']}", rule["data"][0]["model"]["queryText"], "alert")


def variables_filled_in(sql: str, values: Mapping[str, str | list[str]], begin: datetime, end: datetime) -> str:
    """As the front end does: one value with its quotes doubled, several each in quotes."""
    for name, time in (("from", begin), ("to", end)):
        sql = sql.replace(f"${{__{name}:date:iso}}", f"{time:%Y-%m-%dT%H:%M:%S.000Z}")
    for name, value in values.items():
        texts = [one.replace("'", "''") for one in ([value] if isinstance(value, str) else value)]
        sql = sql.replace(f"${name}", texts[0] if isinstance(value, str) else ",".join(f"'{one}'" for one in texts))
    return sql


def macros_filled_in(sql: str, begin: datetime, end: datetime, interval: timedelta) -> str:
    """As the data source does. It cuts an interval to whole seconds."""
    first, last = (f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for time in (begin, end))
    seconds, epoch = int(interval.total_seconds()), "timestamp '1970-01-01T00:00:00Z'"
    sql = re.sub(r"\$__timeFilter\(([^()]+)\)", rf"\1 >= '{first}' AND \1 <= '{last}'", sql)
    sql = re.sub(r"\$__dateBin\(([^()]+)\)", rf"date_bin(interval '{seconds} second', \1, {epoch})", sql)
    return sql.replace("$__interval_ms", str(seconds * 1000))
