"""A server fills the files of materialized views by itself, in its workers."""

from __future__ import annotations

from pathlib import Path

import adbc_driver_flightsql.dbapi
import httpx

from tests.lake.conftest import play
from tests.model.encoder import Process
from tests.serving import Server
from tests.waiting import until

SETTINGS = ("--rewrite-seconds", "1", "--rewrite-grace", "30", "--query-seconds", "30")


def wait_for_files(server: Server) -> None:
    """Of the three views."""
    folder = server.data / "store" / "views"
    until(
        lambda: len({path.parent.parent.name for path in folder.rglob("*.parquet")}) >= 3,
        lambda: httpx.get(f"{server.http}/api/stats").json(),
    )


def test_maintenance_alone_has_a_worker_for_it(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--role", "ingest,maintain", *SETTINGS) as server:
        process = Process()
        play(process, 1_000, 5)
        server.post(process.batch()).raise_for_status()
        wait_for_files(server)


def test_a_server_fills_them_by_itself(tmp_path: Path) -> None:
    with Server(tmp_path / "data", *SETTINGS) as server, httpx.Client(base_url=server.http) as client:
        for _ in range(3):
            process = Process()
            play(process, 1_000, 5)
            server.post(process.batch()).raise_for_status()
        counts = "SELECT (SELECT count(*) FROM thread_spans WHERE NOT is_open), (SELECT sum(count) FROM span_stats)"

        def ask(sql: str) -> list[list[int]]:
            answer = client.post("/api/query", json={"sql": sql})
            answer.raise_for_status()
            rows: list[list[int]] = answer.json()["rows"]
            return rows

        ((spans, counted),) = ask(counts)
        assert spans == counted > 0
        wait_for_files(server)
        assert ask(counts) == [[spans, counted]]
        assert client.get("/api/stats").json()["maintain"]["materialized_steps"] > 0
        ask('CREATE MATERIALIZED VIEW "of mine" AS SELECT time, count(*) AS logs FROM log_entries GROUP BY time')
        with adbc_driver_flightsql.dbapi.connect(server.flight, autocommit=True) as connection:
            (catalog,) = connection.adbc_get_objects(depth="all", table_name_filter="of %").read_all().to_pylist()
        (table,) = [table for schema in catalog["catalog_db_schemas"] for table in schema["db_schema_tables"]]
        assert table["table_name"] == "of mine"
        assert [column["column_name"] for column in table["table_columns"]] == ["time", "logs"]
