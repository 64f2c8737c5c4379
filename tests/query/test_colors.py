"""Colours against sums in plain Python, and against the ends of the scales that Micromegas gives."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.base.errors import QueryError
from tachy_server.query import colors

from tests.query.conftest import World

CHANNELS = st.none() | st.floats() | st.floats(-0.5, 1.5)
COLORS = st.none() | st.integers(0, 2**32 - 1)


def byte(value: float) -> int:
    """Rounded half up and cut; NaN is 0."""
    return 0 if math.isnan(value) else math.floor(min(max(value + 0.5, 0.0), 255.0))


def packed(*values: float) -> int:
    return int.from_bytes(bytes(map(byte, values)), "big")


def floats(values: list[Any]) -> pa.Array:
    return pa.array(values, pa.float64())


@given(st.lists(st.tuples(*[CHANNELS] * 4)))
def test_channels_become_a_number(rows: list[tuple[float | None, ...]]) -> None:
    columns = [floats([row[at] for row in rows]) for at in range(4)]
    assert colors.rgba(*columns).to_pylist() == [
        None if None in row else packed(*(channel * 255.0 for channel in row if channel is not None)) for row in rows
    ]


@given(st.lists(st.tuples(COLORS, COLORS, CHANNELS)))
def test_between_two_colours_each_channel_is_by_itself(rows: list[tuple[int | None, int | None, float | None]]) -> None:
    first, second = (pa.array([row[at] for row in rows], pa.uint32()) for at in (0, 1))
    got = colors.lerp_color(first, second, floats([row[2] for row in rows])).to_pylist()
    for color, (one, other, part) in zip(got, rows, strict=True):
        if one is None or other is None or part is None:
            assert color is None
            continue
        part = 0.0 if math.isnan(part) else min(max(part, 0.0), 1.0)
        pairs = zip(one.to_bytes(4, "big"), other.to_bytes(4, "big"), strict=True)
        assert color == packed(*(low + (high - low) * part for low, high in pairs))


@pytest.mark.parametrize(
    ("name", "first", "middle", "last"),
    [
        ("viridis", 0x440154, 0x20908C, 0xFDE725),
        ("magma", 0x000004, 0xB53679, 0xFCFDBF),
        ("plasma", 0x0D0887, 0xCB4678, 0xF0F921),
        ("inferno", 0x000004, 0xBB3654, 0xFCFFA4),
        ("cividis", 0x002051, 0x7F7B74, 0xFDE945),
        ("turbo", 0x22171B, 0x94FA50, 0x900C00),
    ],
)
def test_scales_go_where_micromegas_has_them(world: World, name: str, first: int, middle: int, last: int) -> None:
    sql = "SELECT color_scale('{}', {}, {})"
    assert world.value(sql.format(name, 0, 1)) == first << 8 | 255
    assert world.value(sql.format(name.upper(), 1, 0.5)) == last << 8 | 128
    assert world.value(sql.format(name, "'NaN'::double", 0)) == world.value(sql.format(name, -3, 0)) == first << 8
    assert world.value(sql.format(name, 1e300, 2)) == last << 8 | 255
    assert world.value(sql.format(name, "NULL", 1)) is None
    half = world.value(sql.format(name, 0.5, 1))
    pairs = zip((half >> 8).to_bytes(3, "big"), middle.to_bytes(3, "big"), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= 2, hex(half)


def test_each_row_may_have_another_scale() -> None:
    names, places = ["turbo", None, "magma", "Turbo"], [0.25, 0.25, 0.75, 1.0]
    alone = [
        None if name is None else colors.color_scale(pa.array([name]), floats([place]), floats([1.0]))[0].as_py()
        for name, place in zip(names, places, strict=True)
    ]
    assert colors.color_scale(pa.array(names), floats(places), floats([1.0] * 4)).to_pylist() == alone


def test_a_scale_that_there_is_not_is_refused_where_it_is_used(world: World) -> None:
    with pytest.raises(QueryError, match="no scale 'jet'; there are viridis, "):
        world.query("SELECT color_scale('jet', 0, 1)")
    names = pa.DictionaryArray.from_arrays(pa.array([1, None], pa.int32()), pa.array(["jet", "magma"]))
    assert colors.color_scale(names, floats([0.0, 0.0]), floats([1.0, 1.0])).to_pylist() == [0x000004FF, None]
