"""Dashboards and alerts: what their queries give a data source, on a real lake, and that they are as they were made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
import tachy

from tests.grafana.queries import GRAFANA, Asked, all_queries, dashboards, macros_filled_in, rules, variables_filled_in
from tests.serving import Server
from tools import grafana

SHOWN = (pa.utf8(), pa.float64(), pa.int64(), pa.bool_())
MAY_BE_EMPTY = {"tachy: Blocks that cannot be read"}


@pytest.fixture(scope="module")
def lake(fleet: Server) -> Any:
    with tachy.connect(fleet.flight) as connection:
        yield connection


@pytest.fixture(scope="module")
def values(lake: Any) -> dict[str, str | list[str]]:
    found = lake.query(
        "SELECT process_id, exe FROM processes WHERE property_get(properties, 'build') = 'grafana-2'"
    ).to_pylist()
    return {"process": found[0]["process_id"], "exe": [found[0]["exe"], "it's another"], "text": "it's"}


@pytest.mark.parametrize("asked", list(all_queries()), ids=lambda asked: asked.where)
def test_a_query_gives_what_its_panel_or_alert_needs(asked: Asked, lake: Any, values: dict[str, Any]) -> None:
    end = datetime.now(UTC) + timedelta(seconds=5)
    begin = end - timedelta(hours=2)
    sql = variables_filled_in(asked.sql, values, begin, end)
    sql = macros_filled_in(sql, begin, end, timedelta(seconds=1))
    assert "$" not in sql
    rows = lake.query(sql)
    assert rows.num_rows or asked.where in MAY_BE_EMPTY
    numbers = [field.name for field in rows.schema if field.type in (pa.float64(), pa.int64())]
    for column in rows.schema:
        assert column.type in SHOWN or pa.types.is_timestamp(column.type), f"{column} cannot be shown"
    if asked.format == "alert":
        assert len(numbers) == 1
        assert all(pa.types.is_string(column.type) for column in rows.schema if column.name not in numbers)
        assert rows.column(numbers[0]).null_count == 0
    elif asked.format == "time_series":
        times = rows.column("time").to_pylist()
        assert numbers
        assert None not in times
        assert times == sorted(times)


def test_what_lies_there_is_what_the_declarations_make() -> None:
    made = dict(grafana.files())
    found = {path.relative_to(GRAFANA).as_posix(): path.read_text() for path in GRAFANA.rglob("*.*")}
    assert found.keys() == made.keys()
    assert [path for path, text in made.items() if found[path] != text] == [], "run: python -m tools.grafana"


def test_a_rule_says_what_happens_when_it_cannot_be_judged() -> None:
    assert {rule["title"] for rule in rules()} == {
        "Hitches", "Crashes", "Error burst", "Events dropped", "Lake lag",
    }  # fmt: skip
    for rule in rules():
        assert rule["execErrState"] == "Error"
        assert rule["noDataState"] == "OK"  # nobody plays: no row, and no reason to wake somebody
        assert rule["condition"] in [query["refId"] for query in rule["data"]]


def test_every_panel_asks_at_most_once_a_second_and_names_the_source_by_uid() -> None:
    for board in dashboards().values():
        for panel in board["panels"]:
            assert panel["datasource"] == {"uid": grafana.UID}
            if panel["type"] == "timeseries":
                assert panel["interval"] == "1s"  # a shorter one is a cell of zero seconds, which is an error
