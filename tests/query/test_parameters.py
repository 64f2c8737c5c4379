"""Clients are told the types that a statement's parameters should have, wherever in it they stand."""

from __future__ import annotations

import pyarrow as pa
import pytest
from tachy_server.base.errors import QueryError
from tachy_server.query import plans

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


class Expression:
    """One of a plan, as DataFusion's bindings show it; `looked` counts how often any is taken apart or written."""

    looked = 0

    def __init__(self, kind: str, *operands: Expression, number: int = 0) -> None:
        self.kind, self.operands, self.number = kind, operands, number

    def variant_name(self) -> str:
        return self.kind

    def rex_call_operands(self) -> list[Expression]:
        Expression.looked += 1
        return list(self.operands) or [self]

    def __str__(self) -> str:
        Expression.looked += 1
        return self.kind

    def to_variant(self) -> Expression:
        return self

    def id(self) -> str:
        return f"${self.number}"

    def field(self) -> pa.Field:
        return pa.field("", pa.int32())


class Filter:
    def __init__(self, predicate: Expression) -> None:
        self.predicate = lambda: predicate

    def inputs(self) -> list[Filter]:
        return []

    def to_variant(self) -> Filter:
        return self


def test_each_of_many_parameters_is_looked_at_once() -> None:
    """`level = $1 OR level = $2 OR …` is as deep as it is long, and an IN has all of them side by side."""
    terms = [Expression("BinaryExpr", Expression("Column"), Expression("Placeholder", number=n)) for n in range(2_000)]
    chain = terms[0]
    for term in terms[1:]:
        chain = Expression("BinaryExpr", chain, term)
    Expression.looked = 0
    found = plans.placeholders(Filter(Expression("InList", chain, *terms)))
    assert found == {f"${n}": pa.int32() for n in range(2_000)}
    assert Expression.looked <= 3 * 2_000


def test_many_parameters_beside_one_that_nothing_says_anything_of_have_their_types(world: World) -> None:
    compared = " OR ".join(f"level = ${n}" for n in range(2, 302))
    schema = world.engine.plan(f"SELECT $1 FROM log_entries WHERE {compared}").parameter_schema
    assert schema.types == [pa.utf8()] + [pa.int32()] * 300


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
