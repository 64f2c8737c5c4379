"""The statements about keep rules: which blocks outlive their class, as queries say (docs/sql.md, "Statements")."""

from __future__ import annotations

import time
from typing import Final

import pyarrow as pa

from tachy_server.base.errors import NotFound, QueryError
from tachy_server.lake import keep_rules
from tachy_server.query.command_runs import DONE, Context, Planned, done
from tachy_server.query.commands import CreateKeepRule, DropKeepRule, ShowKeepRules

_TIME: Final = pa.timestamp("ns", tz="UTC")
_RULES: Final = pa.schema(
    [("name", pa.string()), ("days", pa.int64()), ("sql", pa.string()), ("created", _TIME), ("created_by", pa.string())]
)
_WOULD_KEEP: Final = """
SELECT k.process_id, k."begin", k."end", count(b.block_id) AS blocks,
    CAST(coalesce(sum(b.payload_size), 0) AS BIGINT) AS bytes,
    coalesce(sum(b.payload_size), 0) / 1e9 * {gigabyte_month} AS monthly_cost
FROM ({ranges}) AS k
LEFT JOIN blocks AS b ON b.process_id = k.process_id
    AND (k."begin" IS NULL OR b.end_time >= k."begin") AND (k."end" IS NULL OR b.begin_time <= k."end")
GROUP BY 1, 2, 3 ORDER BY bytes DESC
"""
_RANGES: Final = """
SELECT CAST(process_id AS VARCHAR) AS process_id, {begin} AS "begin", {end} AS "end" FROM (
{sql}
)"""
_AS_TIME: Final = "arrow_cast({name}, 'Timestamp(Nanosecond, Some(\"UTC\"))')"


def ranges(sql: str, schema: pa.Schema) -> str:
    """A query for what a rule's SELECT, which has this schema, keeps: process_id, begin and end, null: of all times.
    Raises QueryError for a SELECT that is no rule's.
    """
    names = set(schema.names)
    if "process_id" not in names or names - {"process_id", "begin", "end"} or len(names) < len(schema):
        raise QueryError('A rule\'s SELECT gives process_id and, for less than a whole process, "begin" and "end".')
    for name in names - {"process_id"}:
        if not pa.types.is_timestamp(schema.field(name).type):
            raise QueryError(f"A rule's {name} must be a timestamp, and it is {schema.field(name).type}.")
    bounds = {name: _AS_TIME.format(name=f'"{name}"' if name in names else "NULL") for name in ("begin", "end")}
    return _RANGES.format(sql=sql, **bounds)


def create(command: CreateKeepRule, context: Context) -> Planned:
    """A row with its name; of a dry run what it would keep."""
    select = context.engine.plan(command.sql, stop=context.stop)
    if len(select.parameter_schema):
        raise QueryError("A rule's SELECT has no parameters.")
    asked = ranges(command.sql, select.schema)
    if command.dry_run:
        would = context.engine.plan(
            _WOULD_KEEP.format(ranges=asked, gigabyte_month=context.engine.prices.gigabyte_month), stop=context.stop
        )
        return Planned(would.schema, lambda: pa.Table.from_batches(would.batches(), would.schema))

    def run() -> pa.Table:
        rule = keep_rules.Rule(command.name, command.days, command.sql, time.time_ns(), context.who)
        with context.lake.connection() as connection:
            if not keep_rules.add(connection, rule):
                raise QueryError(f"There is a keep rule {command.name} already: drop it first.")
        return done(command.name, "created")

    return Planned(DONE, run)


def drop(command: DropKeepRule, context: Context) -> Planned:
    """A row with its name."""

    def run() -> pa.Table:
        with context.lake.connection() as connection:
            if not keep_rules.remove(connection, command.name):
                raise NotFound(f"There is no keep rule {command.name}; SHOW KEEP RULES names those that there are.")
        return done(command.name, "dropped")

    return Planned(DONE, run)


def show(command: ShowKeepRules, context: Context) -> Planned:
    """A row for each rule, by name; none for who may see some processes only."""

    def run() -> pa.Table:
        if context.visible.condition is not None:
            return _RULES.empty_table()
        with context.lake.connection() as connection:
            return pa.Table.from_pylist([rule._asdict() for rule in keep_rules.read(connection)], _RULES)

    return Planned(_RULES, run)
