"""Clients are told the types that a statement's parameters should have, wherever in it they stand."""

from __future__ import annotations

import pyarrow as pa
import pytest
from tachy_server.errors import QueryError

from tests.query.conftest import World

MS = pa.timestamp("ms", "UTC")
TYPES = {
    "SELECT cast($1 AS int)": [pa.int32()],
    "SELECT $1::bigint, try_cast($2 AS double)": [pa.int64(), pa.float64()],
    "SELECT cast($1 AS decimal(10, 2)), cast($2 AS date)": [pa.decimal128(10, 2), pa.date32()],
    "SELECT 'cast($3 as int) $2' AS text, $1": [pa.utf8()],
    "SELECT msg FROM log_entries LIMIT $1": [pa.int64()],
    "SELECT msg FROM log_entries LIMIT $1 OFFSET $2": [pa.int64(), pa.int64()],
    "SELECT property_get(properties, $1) FROM log_entries": [pa.utf8()],
    "SELECT $1, $2 + 1": [pa.utf8(), pa.int64()],
    "SELECT count(*) FROM log_entries WHERE time > $1 AND level = $2 AND target LIKE $3": [MS, pa.int32(), pa.utf8()],
    "SELECT count(*) FROM log_entries WHERE time BETWEEN $1 AND $2": [MS, MS],
    "SELECT count(*) FROM log_entries WHERE time > cast($1 AS timestamp)": [pa.timestamp("ms")],
    "SELECT count(*) FROM log_entries WHERE process_id IN ($1, $2)": [pa.utf8(), pa.utf8()],
    "SELECT (SELECT count(*) FROM log_entries WHERE level = $1)": [pa.int32()],
    "SELECT count(*) FROM log_entries WHERE exe IN (SELECT exe FROM processes WHERE start_time > $1)": [MS],
    "SELECT 1 FROM log_entries a JOIN measures b ON a.time = b.time AND b.value > $1": [pa.float64()],
    "SELECT level FROM log_entries GROUP BY level HAVING count(*) > $1": [pa.int64()],
    "SELECT count(*) FILTER (WHERE level = $1) FROM log_entries": [pa.int32()],
    "SELECT count(*) FROM view_instance('log_entries', $1) WHERE level = $2": [pa.utf8(), pa.int32()],
    "SELECT count(*) FROM log_entries WHERE level = $2": [pa.utf8(), pa.int32()],
    "SELECT 1": [],
}


@pytest.mark.parametrize("sql", TYPES)
def test_a_parameter_has_the_type_that_the_statement_gives_it(world: World, sql: str) -> None:
    schema = world.engine.plan(sql).parameter_schema
    assert schema.names == [f"${at}" for at in range(1, len(schema) + 1)]
    assert schema.types == TYPES[sql]


def test_a_parameters_number_costs_nothing(world: World) -> None:
    with pytest.raises(QueryError, match="number them from"):
        world.engine.plan("SELECT $900000000")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_are_bound_in_any_unit(world: World, unit: str) -> None:
    start = world.processes[0].start_time
    value = pa.scalar(start // 1_000_000_000 * 1_000_000_000, pa.timestamp("ns", "UTC")).cast(pa.timestamp(unit, "UTC"))
    expected = len(world.of("logs"))
    assert world.value("SELECT count(*) FROM log_entries WHERE time >= $1", parameters=[value]) == expected
    assert world.value("SELECT count(*) FROM log_entries WHERE time < $1", parameters=[value]) == 0
