"""Rules refuse queries, charts and traces in all workers a second after they are made, with their reason."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi as dbapi
import httpx
import pytest
from adbc_driver_flightsql import DatabaseOptions

from tests.model.encoder import Process
from tests.serving import Server
from tests.waiting import until

_PATIENCE = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("denials") / "data") as running:
        process = Process()
        process.thread("main").log(1, "line")
        running.post(process.batch()).raise_for_status()
        yield running


class Client:
    """Somebody with a key."""

    def __init__(self, server: Server, name: str, scopes: str) -> None:
        command = [sys.executable, "-m", "tachy_server.keys", "create", name, "--scopes", scopes]
        made = subprocess.run([*command, "--data", str(server.data)], capture_output=True, text=True, check=True)
        self.key = next(word for word in made.stdout.split() if word.startswith("tk_"))
        headers = {"authorization": f"Bearer {self.key}"}
        self.http = httpx.Client(base_url=server.http, headers=headers, timeout=60)

    def ask(self, sql: str, **headers: str) -> httpx.Response:
        return self.http.post("/api/query", json={"sql": sql}, headers=headers)

    def rows(self, sql: str) -> list[list[Any]]:
        answer = self.ask(sql)
        assert answer.status_code == 200, answer.text
        found: list[list[Any]] = answer.json()["rows"]
        return found

    def wait(self, sql: str, status: int, **headers: str) -> None:
        """Until all workers, which take queries in turns, answer so for more than a second."""
        since, deadline = time.monotonic(), time.monotonic() + _PATIENCE
        while time.monotonic() - since < 1.5:
            assert time.monotonic() < deadline
            if self.ask(sql, **headers).status_code != status:
                since = time.monotonic()
            time.sleep(0.05)


@pytest.fixture(scope="module")
def clients(server: Server) -> Iterator[tuple[Client, Client]]:
    """An admin and somebody else."""
    ada, bob = Client(server, "ada", "query,admin"), Client(server, "bob", "query")
    with ada.http, bob.http:
        bob.wait("SELECT 1", 200)
        yield ada, bob


def deny(admin: Client, condition: str, reason: str) -> str:
    quoted = condition.replace("'", "''")
    ((rule_id,),) = admin.rows(f"SELECT msg FROM deny_queries('{quoted}', '{reason}')")
    return str(rule_id)


def test_a_rule_refuses_what_it_is_true_of_until_it_is_removed(server: Server, clients: tuple[Client, Client]) -> None:
    ada, bob = clients
    heavy = "SELECT count(*) FROM thread_spans WHERE depth = 1"
    rule_id = deny(ada, "user_id = 'bob' AND sql LIKE '%thread_spans%'", "use span_stats")
    bob.wait(heavy, 403)
    answer = bob.ask(heavy)
    assert answer.json()["error"] == f"This query is denied: use span_stats (rule {rule_id})"
    assert bob.http.post("/api/chart", json={"chart": "result", "sql": heavy}).status_code == 403
    options = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {bob.key}"}
    with dbapi.connect(server.flight, db_kwargs=options, autocommit=True) as connection, connection.cursor() as cursor:
        with pytest.raises(dbapi.Error, match="use span_stats"):
            cursor.execute(heavy)
        cursor.execute("SELECT count(*) FROM log_entries")
        assert cursor.fetchall() == [(1,)]
    assert ada.rows(heavy) == [[0]]
    ((name, creator, reason, hit),) = ada.rows(
        "SELECT match_expr, created_by, reason, last_hit_at IS NOT NULL FROM list_query_denials()"
    )
    assert (name, creator, reason, hit) == (
        "user_id = 'bob' AND sql LIKE '%thread_spans%'",
        "ada",
        "use span_stats",
        True,
    )
    assert ada.rows(f"SELECT remove_query_denial('{rule_id}')") == [[f"SUCCESS: removed rule {rule_id}"]]
    assert ada.rows(f"SELECT remove_query_denial('{rule_id}')") == [[f"ERROR: no such rule: {rule_id}"]]
    assert ada.rows("SELECT remove_query_denial('no id')") == [["ERROR: 'no id' is not a valid rule id"]]
    bob.wait(heavy, 200)
    asked = "SELECT DISTINCT who, outcome, error FROM query_log WHERE outcome = 'denied'"
    said = ["bob", "denied", f"This query is denied: use span_stats (rule {rule_id})"]
    until(lambda: said in ada.rows(asked))


def test_a_rule_that_refuses_everything_leaves_admins_a_way_back(clients: tuple[Client, Client]) -> None:
    ada, bob = clients
    rule_id = deny(ada, "sql LIKE '%'", "the server rests")
    ada.wait("SELECT 1", 403)
    bob.wait("SELECT 'list_query_denials'", 403)
    assert bob.ask("SHOW KEEP RULES").status_code == 403
    assert bob.http.get("/api/processes").status_code == 200, "no query of his"
    assert ada.rows(f"SELECT remove_query_denial('{rule_id}')") == [[f"SUCCESS: removed rule {rule_id}"]]
    bob.wait("SELECT 1", 200)


def test_a_rule_may_go_by_what_clients_say_of_themselves(clients: tuple[Client, Client]) -> None:
    ada, bob = clients
    rule_id = deny(ada, "client = 'grafana' AND client_ip = '127.0.0.1'", "not by Grafana")
    bob.wait("SELECT 1", 403, **{"x-client-type": "grafana"})
    assert bob.ask("SELECT 1").status_code == 200
    ada.rows(f"SELECT remove_query_denial('{rule_id}')")


def test_a_rule_that_fails_over_a_query_does_not_refuse_it(clients: tuple[Client, Client]) -> None:
    ada, bob = clients
    others = [
        deny(ada, "CAST(replace(sql, 'SELECT ', '') AS INT) > 5", "large"),
        deny(ada, "sql = 'SELECT 8'", "eight"),
    ]
    bob.wait("SELECT 8", 403)
    bob.wait("SELECT 9", 403)
    assert bob.ask("SELECT 'nine'").status_code == 200
    for rule_id in others:
        ada.rows(f"SELECT remove_query_denial('{rule_id}')")


def test_what_is_for_admins_is_said_to_others(tmp_path: Path, clients: tuple[Client, Client]) -> None:
    _, bob = clients
    for sql in ("SELECT * FROM list_query_denials()", "SELECT remove_query_denial('a')"):
        answer = bob.ask(sql)
        assert (answer.status_code, "scope admin" in answer.json()["error"]) == (403, True)
