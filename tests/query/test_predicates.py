"""Predicates are read from what DataFusion pushes into a scan, and bound it as they should, never more."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tachy_server.views import predicates
from tachy_server.views.bounds import ALL, Bounds, TimeColumns, parse_uuid, read
from tachy_server.views.predicates import Call, Column, Literal

from tests.query.conftest import World

TIME = pa.timestamp("ns", "UTC")
SPANS = TimeColumns("begin", "end")
ONE, TWO = (uuid.UUID(f"abcdef01-2345-4678-9abc-def01234567{number}") for number in (1, 2))


def _at(value: int) -> pa.Scalar:
    return pa.scalar(value, TIME)


def _text(value: object) -> pa.Scalar:
    return pa.scalar(str(value)).cast(pa.dictionary(pa.int32(), pa.utf8()))


BEGIN, END, PROCESS, OPEN = pc.field("begin"), pc.field("end"), pc.field("process_id"), pc.field("is_open")


def test_an_expressions_tree_is_read_from_its_serialized_form() -> None:
    tree = predicates.from_expression((pc.field("a") > 1) & ~pc.field("b") | pc.field("c").isin([1, 2]))
    assert isinstance(tree, Call)
    assert tree.function == "or_kleene"
    conjunction, among = tree.arguments
    assert conjunction == Call(
        "and_kleene", (Call("greater", (Column("a"), Literal(pa.scalar(1)))), Call("invert", (Column("b"),)))
    )
    assert among == Call("in", (Column("c"), Literal(pa.scalar(1)), Literal(pa.scalar(2))))
    assert predicates.columns_of(tree) == {"a", "b", "c"}
    assert predicates.from_expression(None) is None


@pytest.mark.parametrize(
    ("expression", "bounds"),
    [
        (_at(5) <= BEGIN, Bounds(begin=5)),
        (_at(5) < BEGIN, Bounds(begin=5)),
        (_at(5) <= END, Bounds(begin=5)),
        (_at(5) >= END, Bounds(end=5)),
        (_at(5) > BEGIN, Bounds(end=5)),
        (_at(5) == BEGIN, Bounds(begin=5, end=5)),
        (_at(5) != BEGIN, ALL),
        ((_at(5) <= BEGIN) & (_at(9) > END), Bounds(begin=5, end=9)),
        ((_at(5) <= BEGIN) & (_at(7) <= BEGIN), Bounds(begin=7)),
        ((_at(5) <= BEGIN) | (_at(7) <= BEGIN), Bounds(begin=5)),
        ((_at(5) <= BEGIN) | (_at(2) >= END), ALL),
        (~(_at(5) <= BEGIN), ALL),
        (pc.scalar(_at(5)) <= BEGIN, Bounds(begin=5)),
        (pa.scalar(5, pa.timestamp("us")) <= BEGIN, Bounds(begin=5000)),
        (BEGIN >= END, ALL),
        (BEGIN.is_null(), ALL),
        (_text(ONE) == PROCESS, Bounds(process_ids=frozenset([ONE]))),
        ((_text(ONE) == PROCESS) | (_text(TWO) == PROCESS), Bounds(process_ids=frozenset([ONE, TWO]))),
        ((_text(ONE) == PROCESS) & (_text(TWO) == PROCESS), Bounds(process_ids=frozenset())),
        ((_text(ONE) == PROCESS) | (_at(5) <= BEGIN), ALL),
        (_text("no id") == PROCESS, Bounds(process_ids=frozenset())),
        (_text(ONE) != PROCESS, ALL),
        (_text(ONE) < PROCESS, ALL),
        (pc.field("stream_id").isin([str(ONE)]), Bounds(stream_ids=frozenset([ONE]))),
        (pc.field("block_id") == _text(ONE), Bounds(block_ids=frozenset([ONE]))),
        (OPEN, Bounds(closed=False)),
        (~OPEN, Bounds(open=False)),
        (OPEN | ~OPEN, ALL),
        (pc.field("name") == _text("x"), ALL),
    ],
)
def test_what_a_predicate_bounds(expression: pc.Expression, bounds: Bounds) -> None:
    assert read(predicates.from_expression(expression), SPANS) == bounds


def test_only_the_form_of_an_id_that_we_write_is_an_id() -> None:
    assert parse_uuid(str(ONE)) == ONE
    for text in (str(ONE).upper(), f"{{{ONE}}}", ONE.hex, "", None, 5):
        assert parse_uuid(text) is None


def test_a_mask_says_what_arrow_says() -> None:
    names = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1], pa.int32()), pa.array(["a", "b"]))
    batch = pa.RecordBatch.from_arrays(
        [names, pa.array([1, None, 3, 4]), pa.array([True, False, None, True])], names=["name", "n", "flag"]
    )
    name, number, flag = pc.field("name"), pc.field("n"), pc.field("flag")
    for expression in (
        name == _text("b"),
        name != _text("b"),
        name >= _text("b"),
        number > 1,
        flag,
        ~flag,
        (number > 1) & (name == _text("b")) | flag,
        number.isin([1, 4]),
    ):
        tree = predicates.from_expression(expression)
        assert tree is not None
        rows = predicates.mask(tree, batch)
        assert rows is not None, str(expression)
        assert batch.filter(rows).equals(batch.filter(expression)), str(expression)
    for expression in (number.is_null(), number + 1 > 2):
        tree = predicates.from_expression(expression)
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
