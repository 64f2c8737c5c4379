"""Predicates are read from what DataFusion pushes into a scan, and bound it as they should, never more."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from datafusion import SessionContext
from tachy_server.query import planned_scans
from tachy_server.views import predicates
from tachy_server.views.bounds import ALL, Bounds, TimeColumns, beside_processes, parse_uuid, read
from tachy_server.views.declarations import VIEWS
from tachy_server.views.predicates import UNKNOWN, Node
from tachy_server.views.scans import Order, PlannedScan, Scans
from tachy_server.views.tables import Session, batch_table

from tests.query.conftest import World
from tests.query.fake_lake import FakeLake, FakeMetadata

TIME = pa.timestamp("ns", "UTC")
TEXT = pa.dictionary(pa.int32(), pa.utf8())
SPANS = TimeColumns("begin", "end")
ONE, TWO = (uuid.UUID(f"abcdef01-2345-4678-9abc-def01234567{number}") for number in (1, 2))
SCHEMA = pa.schema(
    [("begin", TIME), ("end", TIME), ("is_open", pa.bool_()), ("a", pa.int64()), ("v", pa.float64()), ("l", pa.int32())]
    + [(name, TEXT) for name in ("process_id", "stream_id", "block_id", "name")]
)


class Seen:
    """A table and what DataFusion pushes into its scans, beside what the plan says of them."""

    def __init__(self) -> None:
        lake = FakeLake()
        self.session = Session(lake, FakeMetadata(lake), None, 0, VIEWS)
        self.context = SessionContext()
        self.context.register_table("t", batch_table(self.session, "t", SCHEMA, lambda _: iter(())))

    def plan(self, sql: str) -> tuple[Any, Scans]:
        plan = self.context.sql(sql).optimized_logical_plan()
        return plan, planned_scans.scans(plan, VIEWS)

    def pushed(self, plan: Any, scans: Scans) -> list[tuple[PlannedScan, pc.Expression | None]]:
        """The scans that DataFusion begins for a plan."""
        found = []

        class Noting(Scans):
            def find(self, table: str, columns: tuple[str, ...], expression: pc.Expression | None) -> PlannedScan:
                planned = scans.find(table, columns, expression)
                found.append((planned, expression))
                return planned

        self.session.scans = Noting()
        self.context.create_dataframe_from_logical_plan(plan).execution_plan()
        return found

    def tree(self, condition: str) -> Node | None:
        """Of a condition, whether it is pushed into the scan or stays above it."""
        plan = self.context.sql(f"SELECT 1 FROM t WHERE {condition}").optimized_logical_plan()
        scan = plan
        while type(scan.to_variant()).__name__ != "TableScan":
            if type(scan.to_variant()).__name__ == "Filter":
                return predicates.from_plan(scan.to_variant().predicate())
            (scan,) = scan.inputs()
        return predicates.all_of([predicates.from_plan(entry) for entry in scan.to_variant().filters()])


@pytest.fixture(scope="module")
def seen() -> Seen:
    return Seen()


PUSHED = [
    "a > 5",
    "5 > a",
    "a BETWEEN 1 AND 9",
    "a IN (1, 2, 3)",
    "a IN (1, 2, 3, 4, 5, 6)",
    "a NOT IN (1, 2, 3, 4, 5, 6)",
    "l IN (1, 2, 3, 4, 5)",
    "NOT a = 5",
    "name IS NULL",
    "name IS NOT NULL",
    "process_id = 'x' OR a = 3",
    "begin > now() - interval '1 hour'",
    "begin BETWEEN '2020-01-01' AND '2021-01-01'",
    "a > 5 AND a < 9 AND name = 'z'",
    "a > 2 OR (a < 1 AND name <> 'q')",
    "name > 'b'",
    "is_open",
    "NOT is_open AND a = 1",
    "v > 1.5 OR v = 'NaN'",
    "l <= 3",
    "NOT (a = 3 OR name IS NULL)",
    "a IS NULL OR a IN (1, 2, 3, 4, 5, 9)",
    "begin >= '2020-01-01T00:00:00.5Z' AND process_id IN ('a', 'b')",
    "cast(a AS varchar) = '5'",
]


@pytest.mark.parametrize("condition", PUSHED)
def test_a_scan_is_found_in_the_plan_by_what_is_pushed_into_it(seen: Seen, condition: str) -> None:
    """How DataFusion writes its expressions for Arrow is not documented; where it differs, bounds are lost."""
    plan, scans = seen.plan(f"SELECT max(a) FROM t WHERE {condition}")
    ((planned, expression),) = seen.pushed(plan, scans)
    assert expression is not None
    assert planned.filter not in (None, UNKNOWN)
    assert predicates.to_arrow(planned.filter).equals(expression)


def test_scans_that_differ_in_their_filter_only_are_told_apart(seen: Seen) -> None:
    """Also one in a scalar subquery, which the bindings do not show."""
    sql = (
        f"SELECT x.a FROM t x JOIN t y ON x.name = y.name WHERE x.process_id = '{ONE}' AND y.process_id = '{TWO}' "
        f"AND x.a > (SELECT max(a) FROM t WHERE stream_id = '{ONE}') AND x.v > (SELECT min(v) FROM t WHERE l = 1)"
    )
    plan, scans = seen.plan(sql)
    found = {str(read(planned.filter, SPANS)) for planned, _ in seen.pushed(plan, scans)}
    expected = [Bounds(process_ids=frozenset([ONE])), Bounds(process_ids=frozenset([TWO]))]
    assert found == {str(bounds) for bounds in (*expected, Bounds(stream_ids=frozenset([ONE])), ALL)}


def test_scans_that_begin_alike_share_what_each_of_them_allows(seen: Seen) -> None:
    among = [", ".join(f"'{uuid.UUID(int=start + n)}'" for n in range(5)) for start in (0, 100)]
    one = f"(SELECT process_id FROM t WHERE process_id IN ({among[0]}))"
    plan, scans = seen.plan(f"{one} UNION ALL (SELECT process_id FROM t WHERE process_id IN ({among[1]}))")
    views = {"t": VIEWS["log_entries"]}
    scans = planned_scans.scans(plan, views)
    ids = frozenset(uuid.UUID(int=start + n) for start in (0, 100) for n in range(5))
    assert [planned.bounds for planned, _ in seen.pushed(plan, scans)] == [Bounds(process_ids=ids)] * 2
    plan, scans = seen.plan("SELECT a FROM t LIMIT 3")
    assert [planned.limit for planned, _ in seen.pushed(plan, scans)] == [3]
    plan, scans = seen.plan("(SELECT a FROM t LIMIT 3) UNION ALL (SELECT a FROM t)")
    assert [planned.limit for planned, _ in seen.pushed(plan, scans)] == [None, None]


@pytest.mark.parametrize(
    ("sql", "limit", "order"),
    [
        ("SELECT a FROM t ORDER BY begin DESC, a LIMIT 5", 5, (Order("begin", False, True), Order("a", True, False))),
        (
            "SELECT a FROM (SELECT a, name AS x FROM t) ORDER BY x NULLS FIRST LIMIT 2 OFFSET 3",
            5,
            (Order("name", True, True),),
        ),
        ("SELECT a FROM t WHERE a = 3 LIMIT 5", 5, ()),
        ("SELECT a FROM t WHERE name LIKE 'a%' LIMIT 5", None, ()),
        ("SELECT a FROM t WHERE name LIKE 'a%' ORDER BY a LIMIT 5", None, ()),
        ("SELECT a FROM t ORDER BY a + 1 LIMIT 5", None, ()),
        ("SELECT max(a) FROM t LIMIT 5", None, ()),
        ("SELECT DISTINCT a FROM t ORDER BY a LIMIT 5", None, ()),
        ("SELECT a, row_number() OVER (ORDER BY v) AS n FROM t ORDER BY a LIMIT 5", None, ()),
        ("SELECT x.a FROM t x JOIN t y USING (a) ORDER BY x.a LIMIT 5", None, ()),
        ("SELECT a FROM (SELECT a FROM t ORDER BY v LIMIT 9) ORDER BY a LIMIT 5", 9, (Order("v", True, False),)),
    ],
)
def test_of_which_scans_the_first_rows_are_enough(
    seen: Seen, sql: str, limit: int | None, order: tuple[Order, ...]
) -> None:
    plan, scans = seen.plan(sql)
    assert {(planned.limit, planned.order) for planned, _ in seen.pushed(plan, scans)} == {(limit, order)}


def _at(value: int) -> str:
    return f"arrow_cast({value}, 'Timestamp(Nanosecond, Some(\"UTC\"))')"


@pytest.mark.parametrize(
    ("condition", "bounds"),
    [
        (f"begin >= {_at(5)}", Bounds(begin=5)),
        (f"{_at(5)} < begin", Bounds(begin=5)),
        (f'{_at(5)} <= "end"', Bounds(begin=5)),
        (f'{_at(5)} >= "end"', Bounds(end=5)),
        (f"{_at(5)} > begin", Bounds(end=5)),
        (f"{_at(5)} = begin", Bounds(begin=5, end=5)),
        (f"{_at(5)} <> begin", ALL),
        (f'{_at(5)} <= begin AND {_at(9)} > "end"', Bounds(begin=5, end=9)),
        (f"{_at(5)} <= begin AND {_at(7)} <= begin", Bounds(begin=7)),
        (f"{_at(5)} <= begin OR {_at(7)} <= begin", Bounds(begin=5)),
        (f'{_at(5)} <= begin OR {_at(2)} >= "end"', ALL),
        (f"NOT {_at(5)} <= begin", Bounds(end=5)),
        ("to_timestamp_micros(5) <= begin", Bounds(begin=5000)),
        ('begin >= "end"', ALL),
        ("begin IS NULL", ALL),
        (f"process_id = '{ONE}'", Bounds(process_ids=frozenset([ONE]))),
        (f"process_id = '{ONE}' OR process_id = '{TWO}'", Bounds(process_ids=frozenset([ONE, TWO]))),
        (f"process_id = '{ONE}' OR {_at(5)} <= begin", ALL),
        ("process_id = 'no id'", Bounds(process_ids=frozenset())),
        (f"process_id <> '{ONE}'", ALL),
        (f"process_id < '{ONE}'", ALL),
        (f"stream_id IN ('{ONE}')", Bounds(stream_ids=frozenset([ONE]))),
        (f"stream_id IN ('{ONE}', 'b', 'c', 'd', 'e')", Bounds(stream_ids=frozenset([ONE]))),
        (f"stream_id NOT IN ('{ONE}', 'b', 'c', 'd', 'e')", ALL),
        (f"block_id = '{ONE}'", Bounds(block_ids=frozenset([ONE]))),
        ("is_open", Bounds(closed=False)),
        ("NOT is_open", Bounds(open=False)),
        ("name = 'x'", ALL),
    ],
)
def test_what_a_predicate_bounds(seen: Seen, condition: str, bounds: Bounds) -> None:
    assert read(seen.tree(condition), SPANS) == bounds


def test_an_expression_that_is_a_thousand_deep_bounds_nothing(seen: Seen) -> None:
    tree = seen.tree(" OR ".join(f"a > {n} AND l < {n}" for n in range(1200)))
    assert tree is not None
    assert read(tree, SPANS) == ALL


def test_only_the_form_of_an_id_that_we_write_is_an_id() -> None:
    assert parse_uuid(str(ONE)) == ONE
    for text in (str(ONE).upper(), f"{{{ONE}}}", ONE.hex, "", None, 5):
        assert parse_uuid(text) is None


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        (f"process_id = '{ONE}'", None),
        (f"process_id IN ('{ONE}', '{TWO}', 'a', 'b', 'c') AND '{TWO}' = process_id", None),
        (f"a > 5 AND process_id = '{ONE}' AND name = 'b'", "a > 5 AND name = 'b'"),
        (f"process_id = '{ONE}' OR a > 5", f"process_id = '{ONE}' OR a > 5"),
        (f"process_id <> '{ONE}'", f"process_id <> '{ONE}'"),
        ("process_id = name", "process_id = name"),
    ],
)
def test_rows_of_selected_blocks_satisfy_what_selected_them(seen: Seen, condition: str, left: str | None) -> None:
    assert beside_processes(seen.tree(condition)) == (None if left is None else seen.tree(left))


def test_a_mask_says_what_arrow_says(seen: Seen) -> None:
    names = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1], pa.int32()), pa.array(["a", "b"]))
    flags = pa.array([True, False, None, True])
    batch = pa.RecordBatch.from_arrays([names, pa.array([1, None, 3, 4]), flags], names=["name", "a", "is_open"])
    for condition in (
        "name = 'b'",
        "name <> 'b'",
        "name >= 'b'",
        "a > 1",
        "is_open",
        "NOT is_open",
        "a > 1 AND name = 'b' OR is_open",
        "a IN (1, 4, 7, 8, 9)",
        "a NOT IN (1, 4, 7, 8, 9)",
    ):
        tree = seen.tree(condition)
        assert tree is not None
        expression, rows = predicates.to_arrow(tree), predicates.mask(tree, batch)
        assert rows is not None, condition
        assert batch.filter(rows).equals(batch.filter(expression)), condition
    names = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int32()), pa.array(["b"]))
    alike = pa.RecordBatch.from_arrays([names, pa.array([1, 5])], names=["name", "a"])
    for condition, count in (("name = 'b'", 2), ("name <> 'b'", 0), ("name > 'a' AND a > 1", 1), ("NOT name < 'c'", 0)):
        tree = seen.tree(condition)
        assert tree is not None
        rows = predicates.mask(tree, alike)
        if count == 1:
            assert alike.filter(rows).num_rows == 1
        else:
            assert rows == pa.scalar(count == 2)
    for condition in ("a IS NULL", "a + 1 > 2"):
        tree = seen.tree(condition)
        assert tree is not None
        assert predicates.mask(tree, batch) is None


def test_any_combination_of_conditions_selects_the_rows_that_satisfy_it(world: World) -> None:
    """What is pushed down, what stays above, and what bounds the blocks together say what plain Python says."""
    chance = random.Random(11)
    logs = [(str(process.process_id), log) for process, log in world.of("logs")]

    def leaf() -> tuple[str, Any]:
        process, log = chance.choice(logs)
        match chance.randrange(8):
            case 0:
                return f"process_id = '{process}'", lambda p, _: p == process
            case 1:
                return f"time >= to_timestamp_nanos({log.time})", lambda _, entry: entry.time >= log.time
            case 2:
                return f"time < to_timestamp_nanos({log.time})", lambda _, entry: entry.time < log.time
            case 3:
                return f"level <= {log.level}", lambda _, entry: entry.level <= log.level
            case 4:
                return f"level + 1 = {log.level}", lambda _, entry: entry.level + 1 == log.level
            case 5:
                return f"process_id IN ('{process}','b','c','d','e')", lambda p, _: p == process
            case 6:
                return f"process_id <> '{process}'", lambda p, _: p != process
            case _:
                return (
                    f"property_get(properties, 'n') = '{log.properties['n']}'",
                    lambda _, entry: entry.properties["n"] == log.properties["n"],
                )

    def tree(depth: int) -> tuple[str, Any]:
        if depth == 0 or chance.random() < 0.2:
            return leaf()
        (left, one), (right, two) = tree(depth - 1), tree(depth - 1)
        match chance.randrange(5):
            case 0 | 1:
                return f"({left} AND {right})", lambda p, e: one(p, e) and two(p, e)
            case 2 | 3:
                return f"({left} OR {right})", lambda p, e: one(p, e) or two(p, e)
            case _:
                return f"(NOT {left})", lambda p, e: not one(p, e)

    for _ in range(60):
        where, says = tree(3)
        expected = sum(says(process, log) for process, log in logs)
        assert world.value(f"SELECT count(*) FROM log_entries WHERE {where}") == expected, where
