"""Rows of `query_denials`: which queries are refused, and why."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from tachy_server.lake.database import Connection

_READ = "SELECT rule_id, created, created_by, reason, match_expr, last_hit FROM query_denials ORDER BY created, rule_id"
_ADD = """
INSERT INTO query_denials (rule_id, created, created_by, reason, match_expr, last_hit) VALUES (%s, %s, %s, %s, %s, %s)
"""
_REMOVE = "DELETE FROM query_denials WHERE rule_id = %s"
_HIT = "UPDATE query_denials SET last_hit = greatest(last_hit, %s) WHERE rule_id = %s"


class Denial(NamedTuple):
    """A row; times are UTC nanoseconds, `last_hit` None before the first."""

    rule_id: UUID
    created: int
    created_by: str
    reason: str
    match_expr: str
    last_hit: int | None = None


def read(connection: Connection) -> list[Denial]:
    """All of them, the oldest first."""
    return [Denial(*row) for row in connection.execute(_READ)]


def add(connection: Connection, denial: Denial) -> None:
    """One more."""
    connection.execute(_ADD, denial)


def remove(connection: Connection, rule_id: UUID) -> bool:
    """False: there is none."""
    return connection.execute(_REMOVE, (rule_id,)).rowcount == 1


def hit(connection: Connection, rule_id: UUID, time: int) -> None:
    """It has refused a query."""
    connection.execute(_HIT, (time, rule_id))
