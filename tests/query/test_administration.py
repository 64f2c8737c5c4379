"""Functions that look after views' files do what they say, for those who may."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from tachy_server.base.errors import Forbidden, QueryError
from tachy_server.base.who import Asked
from tachy_server.query.administration import ADMINISTRATION

from tests.maintain.conftest import SECOND, START
from tests.maintain.conftest import ingest_server as ingest_server
from tests.maintain.conftest import world as world
from tests.maintain.test_rewriting import HOUR, processes, session
from tests.query.test_materialized import BY_NAME as LONG_ONES
from tests.query.test_materialized import Views
from tests.query.test_materialized import views as views

BY_NAME = LONG_ONES.replace("duration > 100", "duration > 0")
ADMIN = Asked("ada", admin=True)
DAY = 24 * HOUR
FIRST = datetime.fromtimestamp(START // DAY * 86_400, UTC)
NEXT = FIRST + timedelta(days=1)


def ask(views: Views, sql: str, asked: Asked = ADMIN, **given: Any) -> list[dict[str, Any]]:
    query = views.engine.plan(sql, asked=asked, **given)
    rows: list[dict[str, Any]] = pa.Table.from_batches(list(query.batches()), query.schema).to_pylist()
    return rows


def said(views: Views, call: str) -> list[str]:
    return [row["msg"] for row in ask(views, f"SELECT time, msg FROM {call}")]


@pytest.fixture
def end(views: Views) -> int:
    """Some days with events, of which nothing is in files."""
    last = session(views.world, processes(2), random.Random(1), 60)
    assert last < START + DAY
    return last


def covered(views: Views, name: str) -> float:
    (share,) = [row["covered"] for row in views.run("SHOW MATERIALIZED VIEWS") if row["name"] == name]
    return float(share)


def test_a_range_is_filled_of_one_view_retired_and_made_again(views: Views, end: int) -> None:
    views.create(BY_NAME)
    days = f"'{FIRST.isoformat()}', '{NEXT.isoformat()}'"
    middle = datetime.fromtimestamp(START / SECOND + 1200, UTC).isoformat()
    assert len(said(views, f"materialize_partitions('by_name', '{FIRST.isoformat()}', '{middle}', 3600)")) == 3
    assert 0 < covered(views, "by_name") < 1
    assert covered(views, "log_stats") == 0.0
    views.compare()
    said(views, f"materialize_partitions('by_name', {days}, 86400)")
    assert covered(views, "by_name") == 1.0
    before = views.files("by_name")
    views.compare()
    assert said(views, f"retire_partitions('by_name', 'global', '{FIRST.isoformat()}', '{middle}')") == []
    assert views.files("by_name") == before, "a part of a day is no partition"
    assert said(views, f"retire_partitions('by_name', 'global', {days})") == [f"by_name of {FIRST:%Y-%m-%d} is retired"]
    assert (covered(views, "by_name"), views.files("by_name")) == (0.0, [])
    views.compare()
    assert said(views, f"retire_partitions('by_name', 'global', {days})") == []
    views.fill(end + 30 * HOUR)
    before = views.files("by_name")
    assert len(said(views, f"regenerate_partitions('by_name', {days}, 86400)")) > 2
    assert covered(views, "by_name") == 1.0
    assert not set(before) & set(views.files("by_name"))
    views.compare()


def test_what_could_not_be_made_again_is_not_retired(views: Views, end: int) -> None:
    views.fill(end + HOUR)
    with views.world.lake.connection() as connection:
        connection.execute("INSERT INTO expired VALUES (1, '2100-01-01')")
    (line,) = said(views, f"retire_partitions('log_stats', 'global', '{FIRST.isoformat()}', '{NEXT.isoformat()}')")
    assert "stays" in line
    assert covered(views, "log_stats") == 1.0
    views.compare()


def test_partitions_are_listed_as_they_are(views: Views, end: int) -> None:
    views.create(BY_NAME)
    views.fill(end + HOUR)
    partitions = ask(views, "SELECT * FROM list_partitions() ORDER BY begin_insert_time, view_set_name")
    assert {row["view_set_name"] for row in partitions} == set(views.defined)
    for name in views.defined:
        rows = [row for row in partitions if row["view_set_name"] == name]
        assert sorted(row["file_path"] for row in rows) == sorted(views.files(name))
        (bounds,) = ask(
            views, f"SELECT min(time) AS first, max(time) AS last FROM (SELECT {time_of(name)} AS time FROM {name})"
        )
        assert min(row["min_event_time"] for row in rows) == bounds["first"]
        assert max(row["max_event_time"] for row in rows) == bounds["last"]
        for row in rows:
            assert row["end_insert_time"] - row["begin_insert_time"] == timedelta(hours=1)
            assert (row["view_instance_id"], row["num_rows"] > 0) == ("global", True)
    incompatible = "list_partitions() AS p JOIN list_view_sets() AS v ON p.view_set_name = v.view_set_name"
    assert ask(views, f"SELECT count(*) AS n FROM {incompatible}") == [{"n": 4}]
    assert ask(views, f"SELECT count(*) AS n FROM {incompatible} WHERE file_schema_hash <> current_schema_hash") == [
        {"n": 0}
    ]


def time_of(name: str) -> str:
    return "hour" if name == "by_name" else "time_bin"


def test_one_partition_is_retired_by_its_file_or_by_what_is_said_of_it(views: Views, end: int) -> None:
    views.fill(end + 30 * HOUR)
    for function, given in (
        ("retire_partition_by_file", "file_path"),
        (
            "retire_partition_by_metadata",
            "view_set_name, view_instance_id, CAST(begin_insert_time AS TIMESTAMP), "
            "CAST(end_insert_time AS TIMESTAMP), "
            "file_schema_hash",
        ),
    ):
        sql = f"SELECT {function}({given}) AS done FROM list_partitions() WHERE view_set_name = 'log_stats'"
        (row,) = ask(views, sql)
        assert row["done"].startswith("SUCCESS: Retired partition")
        assert covered(views, "log_stats") == 0.0
        views.fill(end + 30 * HOUR)
        views.compare()
    assert ask(views, "SELECT retire_partition_by_file('nothing') AS done") == [
        {"done": "ERROR: Partition not found: nothing"}
    ]


def test_definitions_are_those_of_users_as_they_wrote_them(views: Views) -> None:
    written = f"-- hours\n{BY_NAME.replace('CREATE', 'CREATE OR REPLACE')} ;"
    views.create(written)
    views.step(START)
    assert [
        (row["view_set_name"], row["definition_sql"]) for row in ask(views, "SELECT * FROM list_view_set_definitions()")
    ] == [("by_name", written[:-2])]
    views.create(BY_NAME)
    assert len(views.run("SHOW MATERIALIZED VIEWS")) == 4, "it means the same"
    views.create(written.replace("hours", "by the hour"))
    assert "by the hour" in ask(views, "SELECT definition_sql AS text FROM list_view_set_definitions()")[0]["text"]
    sets = {row["view_set_name"]: row["schema"] for row in ask(views, "SELECT * FROM list_view_sets()")}
    assert sets["by_name"].startswith("hour timestamp_ns, name varchar")


CALLS = {
    "list_view_set_definitions": "SELECT * FROM list_view_set_definitions()",
    "retire_partitions": "SELECT * FROM retire_partitions('log_stats', 'global', '2020-01-01', '2030-01-01')",
    "materialize_partitions": "SELECT * FROM materialize_partitions('log_stats', '2020-01-01', '2030-01-01', 3600)",
    "regenerate_partitions": "SELECT * FROM regenerate_partitions('log_stats', '2020-01-01', '2030-01-01', 3600)",
    "deny_queries": "SELECT * FROM deny_queries('true', 'a reason')",
    "list_query_denials": "SELECT * FROM list_query_denials()",
    "retire_partition_by_file": "SELECT retire_partition_by_file('a')",
    "retire_partition_by_metadata": "SELECT retire_partition_by_metadata('a', 'global', TIMESTAMP '2020-01-01', "
    "TIMESTAMP '2020-01-02', decode('00', 'hex'))",
    "remove_query_denial": "SELECT remove_query_denial('a')",
}


@pytest.mark.parametrize("name", CALLS)
def test_only_admins_may(views: Views, name: str) -> None:
    with pytest.raises(Forbidden, match=f"{name} is for keys with the scope admin"):
        ask(views, CALLS[name], Asked("bob"))
    assert ask(views, "SELECT count(*) AS n FROM query_log") == [{"n": 0}]


def test_all_of_them_are_asked_of_admins_or_only_list() -> None:
    assert {function.name for function in ADMINISTRATION} - CALLS.keys() == {"list_partitions", "list_view_sets"}


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("retire_partitions('nothing', 'global', '2020-01-01', '2020-01-02')", "no view that has files"),
        ("retire_partitions('log_stats', 'a process', '2020-01-01', '2020-01-02')", "only instance"),
        ("retire_partitions('log_stats', 'global', '2020-01-01')", "two times"),
        ("retire_partitions('log_stats', 'global', NULL, '2020-01-02')", "two times"),
        ("materialize_partitions('log_entries', '2020-01-01', '2020-01-02', 60)", "no materialized view log_entries"),
        ("materialize_partitions('log_stats', '2020-01-01', '2020-01-02', 'hour')", "whole number"),
        ("regenerate_partitions('log_stats', '2020-01-01', '2020-01-02')", "4 arguments"),
        ("deny_queries('nothing = 1', 'why')", "No field named"),
        ("deny_queries('sql', 'why')", "true or false"),
        ("deny_queries('user_id = 42', 'why')", "texts"),
        ("deny_queries('true', ' ')", "say why"),
        ("list_partitions(1)", "no arguments"),
    ],
)
def test_what_is_wrong_is_said(views: Views, end: int, call: str, reason: str) -> None:
    views.step(START)
    with pytest.raises(QueryError, match=reason):
        ask(views, f"SELECT * FROM {call}")


def test_explaining_and_preparing_them_does_nothing(views: Views, end: int) -> None:
    views.fill(end + HOUR)
    call = f"retire_partitions('log_stats', 'global', '{FIRST.isoformat()}', '{NEXT.isoformat()}')"
    ask(views, f"EXPLAIN SELECT * FROM {call}")
    views.engine.plan(f"SELECT * FROM {call}", asked=ADMIN)
    with pytest.raises(QueryError, match="has no value"):
        ask(views, "SELECT * FROM retire_partitions($1, 'global', $2, $3)")
    assert covered(views, "log_stats") == 1.0
