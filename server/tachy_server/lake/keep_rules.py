"""The table of keep rules: queries whose processes, at their times, outlive their classes."""

from __future__ import annotations

from typing import NamedTuple

from tachy_server.lake.database import Connection

_READ = "SELECT name, days, sql, created, created_by FROM keep_rules ORDER BY name"
_ADD = """
INSERT INTO keep_rules (name, days, sql, created, created_by) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_REMOVE = "DELETE FROM keep_rules WHERE name = %s"


class Rule(NamedTuple):
    """A row; `created` is UTC nanoseconds."""

    name: str
    days: int
    sql: str
    created: int
    created_by: str


def read(connection: Connection) -> list[Rule]:
    """All of them, by name."""
    return [Rule(*row) for row in connection.execute(_READ).fetchall()]


def add(connection: Connection, rule: Rule) -> bool:
    """False: there is one of that name."""
    return connection.execute(_ADD, rule).rowcount == 1


def remove(connection: Connection, name: str) -> bool:
    """False: there is none."""
    return connection.execute(_REMOVE, (name,)).rowcount == 1
