"""Writes grafana/: dashboards, alert rules and provisioning, from what is declared here. A test fails when they differ.

    python -m tools.grafana

What queries may do is what two data sources can show (influxdata's FlightSQL one and Micromegas's): columns are text,
Float64, Int64, Boolean or timestamps, a series' time is named `time` and ascends, macros are those of both. Panels name
the data source by its uid alone, so either may be behind it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import alerting, common, dashboard, logs, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import alerting as alerting_models
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

FOLDER: Final = Path(__file__).resolve().parent.parent / "grafana"
UID: Final = "tachy"
PLUGINS: Final = {"flightsql": "influxdata-flightsql-datasource", "micromegas": "micromegas-micromegas-datasource"}
_SOURCE: Final = models.DataSourceRef(uid=UID)
_EXPRESSIONS: Final = "__expr__"

_FRAME: Final = "name = 'frame' AND unit = 'seconds'"
_BUILD: Final = "coalesce(property_get(process_properties, 'build'), '')"
_EXE: Final = "SELECT DISTINCT exe FROM processes WHERE exe <> '' ORDER BY exe"
_PROCESS: Final = """SELECT process_id FROM processes
WHERE last_update_time >= now() - interval '7 days' ORDER BY start_time DESC LIMIT 200"""
_LEVEL: Final = (
    "CASE level WHEN 1 THEN 'fatal' WHEN 2 THEN 'error' WHEN 3 THEN 'warn' WHEN 4 THEN 'info' ELSE 'debug' END"
)
_STARTED: Final = "$__timeFilter(start_time) AND exe IN ($exe)"


@dataclass(frozen=True, slots=True)
class Query(Dataquery, Builder[Dataquery]):
    """SQL for either data source; its own builder."""

    sql: str
    format: str = "table"
    ref: str = "A"

    def build(self) -> Query:
        """Itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """As both data sources read it. They know how wide a cell is from the panel: at least a second."""
        return {
            "refId": self.ref,
            "queryText": self.sql,
            "rawEditor": True,
            "format": self.format,
            "datasource": _SOURCE,
        }


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: its kind, title, SQL, unit, width of 24 and height."""

    kind: str
    title: str
    sql: str
    unit: str = "short"
    width: int = 12
    height: int = 8
    lines: bool = True
    """Of a series; else stacked bars."""
    links: tuple[tuple[str, str], ...] = ()
    """Title and address of what a cell leads to."""

    def build(self) -> Any:
        """The builder of it."""
        if self.kind == "series":
            lines = common_models.GraphDrawStyle.LINE if self.lines else common_models.GraphDrawStyle.BARS
            series = timeseries.Panel().draw_style(lines).fill_opacity(0 if self.lines else 70).interval("1s")
            if not self.lines:
                series.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
            made: Any = series.unit(self.unit)
        elif self.kind == "table":
            made = table.Panel().unit(self.unit)
        elif self.kind == "stat":
            made = stat.Panel().unit(self.unit)
        else:
            made = logs.Panel().show_time(True).wrap_log_message(True)
        if self.links:
            made.data_links([dashboard.DashboardLink(title).url(url) for title, url in self.links])
        query = Query(self.sql, "time_series" if self.kind == "series" else "table")
        return made.title(self.title).datasource(_SOURCE).span(self.width).height(self.height).with_target(query)


@dataclass(frozen=True, slots=True)
class Variable:
    """A template variable: its values' SQL; several at a time, or one."""

    name: str
    sql: str
    many: bool = True

    def build(self) -> Any:
        """The builder of it."""
        query: dict[str, object] = {"refId": "variable", "queryText": self.sql, "rawEditor": True, "format": "table"}
        made = dashboard.QueryVariable(self.name).datasource(_SOURCE).query(query)
        made.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        return made.multi(True).include_all(True) if self.many else made


@dataclass(frozen=True, slots=True)
class Text:
    """A template variable that somebody types."""

    name: str
    default: str

    def build(self) -> Any:
        """The builder of it."""
        return dashboard.TextBoxVariable(self.name).default_value(self.default)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What one shows."""

    name: str
    title: str
    doc: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable | Text, ...] = ()
    since: str = "now-1h"

    def build(self) -> models.Dashboard:
        """The model of it."""
        made = (
            dashboard.Dashboard(self.title).uid(f"tachy-{self.name}").description(self.doc).tags(["tachy"]).readonly()
        )
        made.time(self.since, "now").refresh("1m").timezone("utc").tooltip(models.DashboardCursorSync.CROSSHAIR)
        made.link(
            dashboard.DashboardLink("tachy").type(models.DashboardLinkType.DASHBOARDS).tags(["tachy"]).keep_time(True)
        )
        for variable in self.variables:
            made.with_variable(variable.build())
        for panel in self.panels:
            made.with_panel(panel.build())
        return made.build()


_OPEN: Final = (("Open the process", "/d/tachy-process?var-process=${__data.fields.process_id}&${__url_time_range}"),)

DASHBOARDS: Final = (
    Dashboard(
        "fleet",
        "Fleet",
        "Which programs run, how many crash, which build is slow, who logs errors.",
        (
            Panel(
                "stat", "Processes", f"SELECT count(*) AS processes FROM processes WHERE {_STARTED}", width=6, height=4
            ),
            Panel(
                "stat",
                "Crashed",
                "SELECT coalesce(avg(CASE WHEN end_state = 'crashed' THEN 1.0 ELSE 0.0 END), 0.0) AS crashed\n"
                f"FROM processes WHERE end_state <> 'running' AND {_STARTED}",
                "percentunit",
                6,
                4,
            ),
            Panel(
                "stat",
                "Frames over 50 ms",
                "SELECT coalesce(avg(CASE WHEN value > 0.05 THEN 1.0 ELSE 0.0 END), 0.0) AS hitches\n"
                f"FROM measures WHERE {_FRAME} AND exe IN ($exe) AND $__timeFilter(time)",
                "percentunit",
                6,
                4,
            ),
            Panel(
                "stat",
                "Events dropped",
                "SELECT coalesce(sum(value), 0.0) AS dropped\n"
                "FROM measures WHERE name = 'tachy.dropped_events' AND exe IN ($exe) AND $__timeFilter(time)",
                width=6,
                height=4,
            ),
            Panel(
                "series",
                "Processes started",
                "SELECT $__dateBin(start_time) AS time, end_state, count(*) AS processes\n"
                f"FROM processes WHERE {_STARTED} GROUP BY 1, 2 ORDER BY 1",
                lines=False,
            ),
            Panel(
                "series",
                "Frame time by build, p50 and p99",
                f"SELECT $__dateBin(time) AS time, {_BUILD} AS build, approx_percentile_cont(value, 0.5) AS p50,\n"
                "  approx_percentile_cont(value, 0.99) AS p99\n"
                f"FROM measures WHERE {_FRAME} AND exe IN ($exe) AND $__timeFilter(time) GROUP BY 1, 2 ORDER BY 1",
                "s",
            ),
            Panel(
                "series",
                "Errors by target",
                "SELECT $__dateBin(time) AS time, target, count(*) AS errors\n"
                "FROM log_entries WHERE level <= 2 AND exe IN ($exe) AND $__timeFilter(time) GROUP BY 1, 2 ORDER BY 1",
                lines=False,
            ),
            Panel(
                "table",
                "Latest processes",
                "SELECT start_time, process_id, exe, username, computer, end_state,\n"
                "  coalesce(property_get(properties, 'build'), '') AS build, last_update_time\n"
                f"FROM processes WHERE {_STARTED} ORDER BY start_time DESC LIMIT 100",
                links=_OPEN,
            ),
        ),
        (Variable("exe", _EXE),),
        "now-24h",
    ),
    Dashboard(
        "process",
        "Process",
        "One run: its frames, what took their time, its metrics and its logs.",
        (
            Panel(
                "table",
                "Process",
                "SELECT exe, username, computer, cpu_brand, start_time, end_state, properties\n"
                "FROM processes WHERE process_id = '$process'",
                width=24,
                height=4,
                links=(("Open on tachy's page", "${page}/#/process/${process}"),),
            ),
            Panel(
                "series",
                "Frames: the longest, the mean",
                "SELECT $__dateBin(time) AS time, max(value) AS longest, avg(value) AS mean\n"
                f"FROM measures WHERE {_FRAME} AND process_id = '$process' AND $__timeFilter(time)\n"
                "GROUP BY 1 ORDER BY 1",
                "s",
            ),
            Panel(
                "table",
                "Where the time goes",
                "SELECT name, calls, self / 1e9 AS self, longest / 1e9 AS longest\n"
                "FROM span_self_time('$process', '${__from:date:iso}', '${__to:date:iso}') ORDER BY self DESC LIMIT 20",
                "s",
            ),
            Panel(
                "series",
                "Metrics",
                "SELECT $__dateBin(time) AS time, name, avg(value) AS value\n"
                "FROM measures WHERE name <> 'frame' AND process_id = '$process' AND $__timeFilter(time)\n"
                "GROUP BY 1, 2 ORDER BY 1",
            ),
            Panel(
                "logs",
                "Logs",
                f"SELECT time, msg AS body, {_LEVEL} AS severity, target FROM log_entries\n"
                "WHERE process_id = '$process' AND $__timeFilter(time) ORDER BY time DESC LIMIT 500",
            ),
        ),
        (Variable("process", _PROCESS, many=False), Text("page", "http://127.0.0.1:9000")),
    ),
    Dashboard(
        "frames",
        "Frames",
        "Frame times of all runs: by build, how they are spread, the worst of them.",
        (
            Panel(
                "series",
                "Percentiles of all builds",
                "SELECT $__dateBin(time) AS time, approx_percentile_cont(value, 0.5) AS p50,\n"
                "  approx_percentile_cont(value, 0.9) AS p90, approx_percentile_cont(value, 0.99) AS p99,\n"
                f"  max(value) AS worst FROM measures WHERE {_FRAME} AND $__timeFilter(time) GROUP BY 1 ORDER BY 1",
                "s",
            ),
            Panel(
                "series",
                "Frames over 50 ms, of a thousand, by build",
                f"SELECT $__dateBin(time) AS time, {_BUILD} AS build,\n"
                "  1000 * avg(CASE WHEN value > 0.05 THEN 1.0 ELSE 0.0 END) AS hitches\n"
                f"FROM measures WHERE {_FRAME} AND $__timeFilter(time) GROUP BY 1, 2 ORDER BY 1",
            ),
            Panel(
                "table",
                "By build",
                f"SELECT {_BUILD} AS build, count(*) AS frames, approx_percentile_cont(value, 0.5) AS p50,\n"
                "  approx_percentile_cont(value, 0.99) AS p99, max(value) AS worst\n"
                f"FROM measures WHERE {_FRAME} AND $__timeFilter(time) GROUP BY 1 ORDER BY p99 DESC LIMIT 50",
                "s",
            ),
            Panel(
                "table",
                "The worst frames",
                f"SELECT time, value AS frame, process_id, exe, {_BUILD} AS build\n"
                f"FROM measures WHERE {_FRAME} AND $__timeFilter(time) ORDER BY value DESC LIMIT 50",
                "s",
                links=_OPEN,
            ),
        ),
    ),
    Dashboard(
        "logs",
        "Logs",
        "What all programs say, by level, target and text.",
        (
            Panel(
                "series",
                "Lines by level",
                f"SELECT $__dateBin(time) AS time, {_LEVEL} AS severity, count(*) AS lines\n"
                "FROM log_entries WHERE exe IN ($exe) AND $__timeFilter(time) GROUP BY 1, 2 ORDER BY 1",
                lines=False,
                width=24,
            ),
            Panel(
                "logs",
                "Warnings and worse",
                f"SELECT time, msg AS body, {_LEVEL} AS severity, target, exe, process_id FROM log_entries\n"
                "WHERE level <= 3 AND exe IN ($exe) AND msg ILIKE '%$text%' AND $__timeFilter(time)\n"
                "ORDER BY time DESC LIMIT 500",
                width=16,
                height=16,
            ),
            Panel(
                "table",
                "Most frequent",
                f"SELECT {_LEVEL} AS severity, target, msg, count(*) AS lines,\n"
                "  count(DISTINCT process_id) AS processes\n"
                "FROM log_entries WHERE level <= 3 AND exe IN ($exe) AND msg ILIKE '%$text%' AND $__timeFilter(time)\n"
                "GROUP BY 1, 2, 3 ORDER BY lines DESC LIMIT 50",
                width=8,
                height=16,
            ),
        ),
        (Variable("exe", _EXE), Text("text", "")),
    ),
    Dashboard(
        "tachy",
        "tachy itself",
        "What comes in and how late, what is lost, what cannot be read, what is asked, what is kept.",
        (
            Panel(
                "series",
                "Bytes that came in, per second of their events, by class",
                "SELECT $__dateBin(begin_time) AS time, array_to_string(\"streams.tags\", ' ') AS class,\n"
                "  CAST(sum(payload_size) AS DOUBLE) * 1000 / $__interval_ms AS bytes\n"
                "FROM blocks WHERE $__timeFilter(begin_time) GROUP BY 1, 2 ORDER BY 1",
                "Bps",
            ),
            Panel(
                "series",
                "Lag: from a block's last event to where it can be asked for",
                "SELECT $__dateBin(end_time) AS time, approx_percentile_cont(lag, 0.5) AS p50, max(lag) AS longest\n"
                "FROM (\n"
                "  SELECT end_time, (CAST(insert_time AS BIGINT) - CAST(end_time AS BIGINT)) / 1e9 AS lag\n"
                "  FROM blocks WHERE $__timeFilter(end_time)\n) GROUP BY 1 ORDER BY 1",
                "s",
            ),
            Panel(
                "series",
                "Events dropped by recorders, by class",
                "SELECT $__dateBin(time) AS time, coalesce(property_get(properties, 'class'), '') AS class,\n"
                "  sum(value) AS events\n"
                "FROM measures WHERE name = 'tachy.dropped_events' AND $__timeFilter(time) GROUP BY 1, 2 ORDER BY 1",
                lines=False,
            ),
            Panel(
                "series",
                "Queries: how long they took",
                'SELECT $__dateBin("begin") AS time, approx_percentile_cont(took, 0.5) AS p50, max(took) AS longest\n'
                "FROM (\n"
                '  SELECT "begin", (CAST("end" AS BIGINT) - CAST("begin" AS BIGINT)) / 1e9 AS took\n'
                '  FROM query_log WHERE $__timeFilter("begin")\n) GROUP BY 1 ORDER BY 1',
                "s",
            ),
            Panel(
                "table",
                "Queries that failed",
                'SELECT "begin", who, outcome, error, sql FROM query_log\n'
                'WHERE outcome <> \'done\' AND $__timeFilter("begin") ORDER BY "begin" DESC LIMIT 50',
            ),
            Panel(
                "table",
                "Blocks that cannot be read",
                "SELECT since, process_id, class, reason FROM block_errors ORDER BY since DESC LIMIT 50",
                links=_OPEN,
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule: SQL that gives one number for each set of its texts, and when that is too much; asked each minute."""

    name: str
    title: str
    doc: str
    sql: str
    above: float
    minutes: int
    """The range that is looked at."""
    lasting: str = "5m"

    def build(self) -> alerting_models.Rule:
        """The model of it."""
        span = alerting_models.RelativeTimeRange(from_val=60 * self.minutes, to=0)
        asked = alerting.Query("A").datasource_uid(UID).relative_time_range(span).model(Query(self.sql))
        judged = alerting.Query("B").datasource_uid(_EXPRESSIONS).relative_time_range(span).model(Threshold(self.above))
        made = alerting.Rule(self.title).uid(f"tachy-{self.name}").folder_uid(UID).rule_group("tachy").condition("B")
        made.with_query(asked).with_query(judged).for_val(self.lasting).annotations({"summary": self.doc})
        return made.exec_err_state("Error").no_data_state("OK").labels({"source": "tachy"}).build()


@dataclass(frozen=True, slots=True)
class Threshold(Dataquery, Builder[Dataquery]):
    """An expression of Grafana's own: whether what A gave is above a number."""

    above: float

    def build(self) -> Threshold:
        """Itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """As Grafana reads it."""
        over = [{"evaluator": {"type": "gt", "params": [self.above]}}]
        source = {"type": _EXPRESSIONS, "uid": _EXPRESSIONS}
        return {"refId": "B", "type": "threshold", "expression": "A", "conditions": over, "datasource": source}


ALERTS: Final = (
    Alert(
        "hitches",
        "Hitches",
        "More than 1 % of a build's frames took over 50 ms.",
        f"SELECT {_BUILD} AS build, 100 * avg(CASE WHEN value > 0.05 THEN 1.0 ELSE 0.0 END) AS percent\n"
        f"FROM measures WHERE {_FRAME} AND $__timeFilter(time) GROUP BY 1",
        1.0,
        15,
    ),
    Alert(
        "crashes",
        "Crashes",
        "More than 2 % of a program's runs that ended in the last hour crashed.",
        "SELECT exe, 100 * avg(CASE WHEN end_state = 'crashed' THEN 1.0 ELSE 0.0 END) AS percent\n"
        "FROM processes WHERE end_state <> 'running' AND $__timeFilter(last_update_time) GROUP BY 1",
        2.0,
        60,
    ),
    Alert(
        "errors",
        "Error burst",
        "A target logged more than 100 errors in five minutes.",
        "SELECT target, count(*) AS errors FROM log_entries WHERE level <= 2 AND $__timeFilter(time) GROUP BY 1",
        100.0,
        5,
        "0s",
    ),
    Alert(
        "drops",
        "Events dropped",
        "Recorders of a program had no room for events.",
        "SELECT exe, sum(value) AS events\n"
        "FROM measures WHERE name = 'tachy.dropped_events' AND $__timeFilter(time) GROUP BY 1",
        0.0,
        15,
        "0s",
    ),
    Alert(
        "lag",
        "Lake lag",
        "Half of the blocks arrive more than a minute after their last event.",
        "SELECT approx_percentile_cont((CAST(insert_time AS BIGINT) - CAST(end_time AS BIGINT)) / 1e9, 0.5)\n"
        "  AS seconds FROM blocks WHERE $__timeFilter(end_time)",
        60.0,
        15,
    ),
)


def files() -> Iterator[tuple[str, str]]:
    """What lies in grafana/: path and text."""
    for one in DASHBOARDS:
        yield f"dashboards/{one.name}.json", _json(one.build())
    group = {
        "orgId": 1,
        "name": "tachy",
        "folder": "tachy",
        "interval": "1m",
        "rules": [rule.build() for rule in ALERTS],
    }
    yield "provisioning/alerting/tachy.json", _json({"apiVersion": 1, "groups": [group]})
    for name, plugin in PLUGINS.items():
        yield f"provisioning/datasources-{name}/tachy.yaml", _DATA_SOURCE.format(uid=UID, plugin=plugin)
    yield "provisioning/dashboards/tachy.yaml", _FOLDER_OF_DASHBOARDS.format(uid=UID)


def _json(value: object) -> str:
    return json.dumps(value, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


_DATA_SOURCE: Final = """apiVersion: 1
datasources:
  - name: tachy
    uid: {uid}
    type: {plugin}
    access: proxy
    jsonData:
      host: ${{TACHY_FLIGHT_HOST}}
      secure: false
      selectedAuthType: token
    secureJsonData:
      token: ${{TACHY_KEY}}
"""
_FOLDER_OF_DASHBOARDS: Final = """apiVersion: 1
providers:
  - name: tachy
    folder: tachy
    folderUid: {uid}
    type: file
    options:
      path: ${{TACHY_DASHBOARDS}}
"""


def main() -> None:
    """Writes them."""
    for path, text in files():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_text(text)


if __name__ == "__main__":
    main()
