"""Statements that would overflow the server's stack are refused, and others of the same length are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from adbc_driver_flightsql import dbapi
from tachy_server.base.errors import QueryError
from tachy_server.query.statement_size import MAX_WORDS, check_statement_size

from tests.serving import Server

_CHAINS = {
    "operators": lambda n: "SELECT " + "+".join(["1"] * n),
    "set operations": lambda n: " UNION ".join(["SELECT 1"] * n),
    "conditions": lambda n: "SELECT 1 WHERE " + " OR ".join(["1 = 1"] * n),
    "postfix": lambda n: "SELECT 1" + " IS NULL" * n,
    "casts": lambda n: "SELECT 1" + "::int" * n,
    "words at numbers": lambda n: "SELECT 1" + "or 1" * n,
    "behind an escape": lambda n: r"SELECT E'\'' " + "+ 1" * n,
    "behind a name": lambda n: "SELECT 1 AS `'` " + ", 1" + "+1" * n,
    "behind comments": lambda n: "SELECT /* ' */ 1 -- '\n" + "+1" * n,
}


@pytest.mark.parametrize("make", _CHAINS.values(), ids=_CHAINS)
def test_a_long_chain_is_refused_before_it_is_planned(make: Callable[[int], str]) -> None:
    check_statement_size(make(100))
    with pytest.raises(QueryError, match="more than 2000 words and operators"):
        check_statement_size(make(MAX_WORDS + 1))


def test_lists_of_values_may_be_long() -> None:
    numbers = ", ".join(map(str, range(30_000)))
    texts = ", ".join(f"'it''s + {number}'" for number in range(30_000))
    check_statement_size(f"SELECT 1 FROM log_entries WHERE level IN ({numbers}) OR msg IN ({texts})")


def test_a_statement_as_long_as_may_be_does_not_end_the_server(server: Server) -> None:
    for size in (MAX_WORDS - 1, MAX_WORDS + 2, 100_000):
        sql = "SELECT " + "+".join(["1"] * size)
        answer = server.client.post("/api/query", json={"sql": sql})
        if size < MAX_WORDS and answer.status_code == 200:
            assert answer.json()["rows"] == [[size]]
        else:
            assert answer.status_code == 400
            expected = "plan_seconds" if size < MAX_WORDS else "more than 2000 words"
            assert expected in answer.json()["error"], "a busy machine may need more than its time to plan"
    with dbapi.connect(server.flight, autocommit=True) as connection, connection.cursor() as cursor:
        with pytest.raises(dbapi.Error, match="more than 2000 words"):
            cursor.execute("SELECT " + "+".join(["1"] * 100_000))
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
