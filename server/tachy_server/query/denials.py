"""Query denials: rules of an admin's that refuse queries, by who sent them and what they say.

A rule is a condition in SQL over how a query came (COLUMNS). Each worker reads the rules once a second and asks them
before it plans anything, which takes 2 ms while there are any, and nothing otherwise.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
from datafusion import SessionContext

from tachy_server.base.errors import Forbidden, QueryError
from tachy_server.base.who import Asked
from tachy_server.lake import query_denials
from tachy_server.lake.lake import Lake
from tachy_server.lake.query_denials import Denial
from tachy_server.query.error_text import one_line

log = logging.getLogger(__name__)

COLUMNS: Final = ("user_id", "client", "agent", "entrypoint", "session", "client_ip", "sql")
MAX_RULES: Final = 100
ABOUT_RULES: Final = ("deny_queries", "list_query_denials", "remove_query_denial")
"""Queries of admins that name one of these are never refused, or nobody could take a rule back."""
_SCHEMA: Final = pa.schema([(name, pa.utf8()) for name in COLUMNS])
_READ_SECONDS: Final = 1.0


class Denials:
    """Threads may share it."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._lock = threading.Lock()
        self._rules: list[tuple[Denial, Any]] = []
        self._read_at = 0.0

    def check(self, asked: Asked, sql: str) -> None:
        """Raises Forbidden for a client's query that a rule refuses, and StoreError."""
        rules = self._current() if asked.origin else []
        if not rules or (asked.admin and any(name in sql.lower() for name in ABOUT_RULES)):
            return
        for (rule, _), refuses in zip(rules, _are_true(_came(asked, sql), [made for _, made in rules]), strict=True):
            if refuses:
                with self._lake.connection() as connection:
                    query_denials.hit(connection, rule.rule_id, time.time_ns())
                raise Forbidden(f"This query is denied: {rule.reason} (rule {rule.rule_id})")

    def _current(self) -> list[tuple[Denial, Any]]:
        with self._lock:
            if time.monotonic() >= self._read_at:
                with self._lake.connection() as connection:
                    found = query_denials.read(connection)
                self._rules = list(self._compiled(found))
                self._read_at = time.monotonic() + _READ_SECONDS
            return self._rules

    def _compiled(self, found: Sequence[Denial]) -> Iterator[tuple[Denial, Any]]:
        known = {rule.rule_id: made for rule, made in self._rules}
        for rule in found:
            try:
                yield rule, known.get(rule.rule_id) or compiled(rule.match_expr)
            except QueryError as error:  # another version has taken it
                log.warning("the query denial %s refuses nothing: %s", rule.rule_id, error)


def compiled(condition: str) -> Any:
    """The condition as an expression of DataFusion's. Raises QueryError for what is none."""
    frame = _came(Asked("name", origin=dict.fromkeys(COLUMNS[1:-1], "text")), "SELECT 1")
    try:
        made = frame.parse_sql_expr(condition)
        schema = frame.select(made.alias("denied")).schema()
        if schema.field(0).type != pa.bool_():
            raise QueryError(f"a rule is true or false, and this is {schema.field(0).type}")
        frame.select(made.alias("denied")).collect()
    except Exception as error:  # DataFusion raises plain exceptions
        raise QueryError(f"{one_line(error)}; the condition is over {', '.join(COLUMNS)}, which are texts") from None
    return made


def _came(asked: Asked, sql: str) -> Any:
    """One row that says how a query came."""
    row = {"user_id": asked.name, "sql": sql, **asked.origin}
    columns = [pa.array([row.get(name)], pa.utf8()) for name in COLUMNS]
    return SessionContext().from_arrow(pa.RecordBatch.from_arrays(columns, schema=_SCHEMA), name="asked")


def _are_true(frame: Any, conditions: Sequence[Any]) -> list[bool]:
    """One that fails over this row, as a cast does, refuses nothing."""
    try:
        (batch,) = frame.select(*(made.alias(str(at)) for at, made in enumerate(conditions))).collect()
    except Exception as error:  # DataFusion raises plain exceptions
        if len(conditions) > 1:
            return [value for made in conditions for value in _are_true(frame, [made])]
        log.warning("a query denial fails: %s", one_line(error))
        return [False]
    return [column[0].as_py() is True for column in batch.columns]
