"""Statements that are not queries: every client may send them, with the right key; they are done once, or refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import adbc_driver_flightsql
import adbc_driver_manager
import psutil
import psycopg
import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi
from pyarrow import flight
from tachy_server.base.errors import QueryError
from tachy_server.base.settings import Settings
from tachy_server.lake.database import Database
from tachy_server.parts import _ask, _own_queries
from tachy_server.query.workers.process import ForkServer

from tests.lake.conftest import dsn_of
from tests.model.encoder import Process
from tests.serving import Server
from tests.waiting import until

HEADER = adbc_driver_flightsql.ConnectionOptions.RPC_CALL_HEADER_PREFIX.value
CREATE = "CREATE KEEP RULE {} FOR '90 days' AS SELECT process_id FROM log_entries WHERE level = 1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("statements") / "data", "--workers", "1") as running:
        yield running


def ask(server: Server, sql: str, status: int = 200, key: str = "") -> Any:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    answer = server.client.post("/api/query", json={"sql": sql}, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()["rows"] if status == 200 else answer.json()["error"]


def names(server: Server, key: str = "") -> list[str]:
    return [row[0] for row in ask(server, "SHOW KEEP RULES", key=key)]


def test_rules_are_made_shown_and_dropped_over_http(server: Server) -> None:
    assert ask(server, CREATE.format("fatal")) == [["fatal", "created"]]
    assert "already" in ask(server, CREATE.format("fatal"), 400)
    (row,) = [row for row in ask(server, "SHOW KEEP RULES") if row[0] == "fatal"]
    assert row[1:3] == [90, "SELECT process_id FROM log_entries WHERE level = 1"]
    assert ask(server, "DROP KEEP RULE fatal") == [["fatal", "dropped"]]
    assert "no keep rule" in ask(server, "DROP KEEP RULE fatal", 404)
    assert "fatal" not in names(server)


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("SELECT msg FROM log_entries", "process_id"),
        ('SELECT process_id, time AS "begin", msg FROM log_entries', "process_id"),
        ('SELECT process_id, level AS "begin" FROM log_entries', "timestamp"),
        ("SELECT process_id FROM log_entries WHERE level = $1", "parameters"),
        ("SELECT process_id FROM nothing", "nothing"),
        ("SELECT process_id FROM log_entries) UNION (SELECT process_id FROM processes", "Expected"),
    ],
)
def test_a_query_that_names_no_processes_is_no_rule(server: Server, select: str, said: str) -> None:
    assert said in ask(server, f"CREATE KEEP RULE wrong FOR '1 day' AS {select}", 400)
    assert "wrong" not in names(server)


def test_a_dry_run_says_what_would_be_kept_and_keeps_nothing(server: Server) -> None:
    process = Process(exe="dry")
    thread = process.thread("main")
    for at in range(1_000):
        thread.log(at * 1_000, "number %d", at)
    assert server.post(process.batch()).status_code == 200
    rule = "SELECT process_id FROM processes WHERE exe = 'dry'"
    (row,) = ask(server, f"CREATE KEEP RULE dry FOR '1 day' DRY RUN AS {rule}")
    ((size,),) = ask(server, f"SELECT sum(payload_size) FROM blocks WHERE process_id = '{process.process_id}'")
    assert row[:5] == [str(process.process_id), None, None, 1, size]
    assert 0 < row[5] < 1e-3
    nothing = "SELECT process_id, TIMESTAMP '1999-01-01' AS \"begin\", TIMESTAMP '1999-01-02' AS \"end\" FROM processes"
    rows = ask(server, f"CREATE KEEP RULE dry FOR '1 day' DRY RUN AS {nothing}")
    assert rows
    assert {tuple(row[3:]) for row in rows} == {(0, 0, 0.0)}
    assert "dry" not in names(server)


def test_an_adbc_client_runs_them_plain_and_prepared(server: Server) -> None:
    with dbapi.connect(server.flight, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(CREATE.format("adbc"))
        assert cursor.fetchall() == [("adbc", "created")]
        cursor.execute("SHOW KEEP RULES")
        assert "adbc" in [row[0] for row in cursor.fetchall()]
        schema = cursor.adbc_prepare("DROP KEEP RULE adbc")
        assert schema is None or len(schema) == 0
        assert "adbc" in names(server)
        cursor.execute("DROP KEEP RULE adbc")
        assert cursor.fetchall() == [("adbc", "dropped")]
    assert "adbc" not in names(server)


def test_planning_does_nothing_and_a_ticket_is_good_once(server: Server) -> None:
    descriptor = flight.FlightDescriptor.for_command(CREATE.format("once").encode())
    with flight.connect(server.flight) as client:
        assert client.get_schema(descriptor).schema.names == ["name", "status"]
        infos = [client.get_flight_info(descriptor) for _ in range(3)]
        assert "once" not in names(server)
        ticket = infos[0].endpoints[0].ticket
        assert client.do_get(ticket).read_all().to_pylist() == [{"name": "once", "status": "created"}]
        with pytest.raises(pa.ArrowKeyError, match="send it again"):
            client.do_get(ticket).read_all()
        assert ask(server, "DROP KEEP RULE once") == [["once", "dropped"]]
        assert "once" not in names(server)


def test_a_chart_is_no_way_to_run_one(server: Server) -> None:
    answer = server.client.post("/api/chart", json={"sql": CREATE.format("chart")})
    assert answer.status_code in (200, 400)
    assert "chart" not in names(server)


def test_only_keys_for_admin_change_anything(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        keys: dict[str, str] = {}
        for scopes in ("query", "query,admin", "admin"):
            command = [sys.executable, "-m", "tachy_server.keys", "create", "a key", "--scopes", scopes]
            made = subprocess.run([*command, "--data", str(server.data)], capture_output=True, text=True, check=True)
            keys[scopes] = next(word for word in made.stdout.split() if word.startswith("tk_"))
        server.stop()
        server.start()  # it knows them: asking until it does would use up the refusals that an address gets
        assert "needs one for admin" in ask(server, CREATE.format("a"), 403, keys["query"])
        assert "needs one for query" in ask(server, CREATE.format("a"), 403, keys["admin"])
        assert names(server, keys["query"]) == []
        assert ask(server, CREATE.format("a"), 200, keys["query,admin"]) == [["a", "created"]]
        assert "needs one for admin" in ask(server, "DROP KEEP RULE a", 403, keys["query"])
        options = {f"{HEADER}authorization": f"Bearer {keys['query']}"}
        with dbapi.connect(server.flight, options, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW KEEP RULES")
            assert [row[0] for row in cursor.fetchall()] == ["a"]
            with pytest.raises(adbc_driver_manager.Error, match="needs one for admin"):
                cursor.execute("DROP KEEP RULE a")
            with pytest.raises(adbc_driver_manager.Error):  # the driver keeps the reason for itself
                cursor.adbc_prepare("DROP KEEP RULE a")
        assert names(server, keys["query"]) == ["a"]


def test_maintenance_asks_in_workers_of_its_own_where_the_role_query_is_missing(server: Server) -> None:
    base = Database(dsn_of(server.data), 2)
    services = SimpleNamespace(engine=None, settings=Settings(), lake=SimpleNamespace(database=base))
    with ExitStack() as stack:
        stack.callback(base.close)
        forks = ForkServer("tachy_server.query_process")
        workers = _own_queries(services, SimpleNamespace(path=server.data), stack, forks)  # type: ignore[arg-type]
        for number in range(2):
            assert _ask(workers(), f"SELECT {number} AS n", 0, 1).to_pydict() == {"n": [number]}
        with pytest.raises(QueryError):
            _ask(workers(), "SELECT nothing", 0, 1)


def worker(server: Server) -> psutil.Process:
    children = psutil.Process(server.pid).children()
    (parent,) = [child for child in children if "tachy_server.query_process" in child.cmdline()]
    (found,) = parent.children()
    return found


def test_a_statement_whose_process_ends_is_not_begun_again(server: Server) -> None:
    """PostgreSQL makes it wait for a lock; then its worker is killed, and the lock goes."""
    dsn = dsn_of(server.data)
    said: list[str] = []
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO keep_rules%'"
    )
    with psycopg.connect(dsn) as locker, psycopg.connect(dsn, autocommit=True) as watcher:
        locker.execute("LOCK TABLE keep_rules IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(target=lambda: said.append(ask(server, CREATE.format("killed"), 503)))
        thread.start()
        until(lambda: watcher.execute(waiting).fetchone() == (1,))
        os.kill(worker(server).pid, signal.SIGKILL)
        thread.join(20)
    assert len(said) == 1
    assert "may have been done" in said[0]
    kept = names(server)
    assert kept in ([], ["killed"])  # PostgreSQL may have heard it to its end
