"""The same queries through Grafana's own code: its protocol, its macros, and the frames that it makes of answers.

`datasource/ask` speaks to a data source as Grafana does. Which one: `datasource/standin`, which does with
grafana-plugin-sdk-go what influxdata's does; and that itself, built from the checkout of
influxdata/grafana-flightsql-datasource that GRAFANA_FLIGHTSQL_SRC names (the Go proxy does not serve it).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.grafana.queries import Asked, all_queries, variables_filled_in
from tests.grafana.test_grafana import MAY_BE_EMPTY
from tests.serving import Server

HERE = Path(__file__).resolve().parent
BUILT = HERE.parents[1] / "build" / "grafana"
CHECKOUT = os.environ.get("GRAFANA_FLIGHTSQL_SRC")
pytestmark = [pytest.mark.long, pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")]


def build(folder: str | Path, package: str, name: str) -> Path:
    """A program; Go does it again only where something has changed."""
    BUILT.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", BUILT / name, package], cwd=folder, check=True)
    return BUILT / name


@pytest.fixture(scope="module", params=["standin", "influxdata"])
def data_source(request: pytest.FixtureRequest) -> Path:
    if request.param == "standin":
        return build(HERE / "datasource", "./standin", "standin")
    if CHECKOUT is None:
        pytest.skip("GRAFANA_FLIGHTSQL_SRC names no checkout of influxdata/grafana-flightsql-datasource")
    return build(CHECKOUT, "./pkg", "influxdata")


def answers(data_source: Path, server: Server, queries: list[Asked]) -> dict[str, Any]:
    end = datetime.now(UTC) + timedelta(seconds=5)
    begin = end - timedelta(hours=2)
    sql = "SELECT process_id, exe FROM processes WHERE property_get(properties, 'build') = 'grafana-2'"
    ((process, exe),) = httpx.post(f"{server.http}/api/query", json={"sql": sql}).json()["rows"]
    values: dict[str, str | list[str]] = {"process": process, "exe": [exe], "text": "it's"}
    lines = [
        json.dumps({
            "where": asked.where, "format": asked.format, "from": begin.isoformat(), "to": end.isoformat(),
            "sql": variables_filled_in(asked.sql, values, begin, end),
        })
        for asked in queries
    ]  # fmt: skip
    address = server.flight.split("//")[1]
    ask = build(HERE / "datasource", "./ask", "ask")
    command = [ask, data_source, address]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {answer["where"]: answer for answer in map(json.loads, done.stdout.splitlines())}


def test_every_query_becomes_a_frame_that_its_panel_or_alert_takes(data_source: Path, fleet: Server) -> None:
    asked = {one.where: one for one in all_queries()}
    found = answers(data_source, fleet, list(asked.values()))
    assert found.keys() == asked.keys()
    for where, answer in found.items():
        assert answer["error"] == "", where
        if where in MAY_BE_EMPTY:
            continue
        assert answer["rows"] > 0, where
        kinds = {"time_series": {"wide"}, "alert": {"numbers"}, "table": {"table", "numbers", "wide"}}
        assert answer["kind"] in kinds[asked[where].format], where


def test_an_error_is_shown_as_an_error(data_source: Path, fleet: Server) -> None:
    wrong = [
        Asked("no such column", "SELECT nowhere FROM log_entries", "table"),
        Asked("fails on its way", "SELECT CAST(msg AS BIGINT) AS n FROM log_entries", "alert"),
        Asked("no time", "SELECT 1 AS value", "time_series"),
    ]
    found = answers(data_source, fleet, wrong)
    assert "nowhere" in found["no such column"]["error"]
    assert "it's" in found["fails on its way"]["error"]
    assert found["no time"]["error"] == "no time column found"
