"""make_hll, merge_hll and hll_cardinality against the sketch in plain Python."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.base.errors import FormatError, QueryError
from tachy_server.formats import hll

from tests.model.records import xxh64
from tests.query.conftest import World

MOST = 4096


def rank(value: int, bits: int) -> int:
    """1 + the zeros with which a number of so many bits begins."""
    return bits - value.bit_length() + 1


def model(texts: Iterable[str]) -> bytes:
    """As reader.h says."""
    hashes = {xxh64(text.encode()) for text in texts}
    entries: dict[int, int] = {}
    registers = bytearray(1 << 14)
    for value in hashes:
        entries[value >> 38] = max(entries.get(value >> 38, 0), rank(value & (1 << 38) - 1, 38))
        registers[value >> 50] = max(registers[value >> 50], rank(value & (1 << 50) - 1, 50))
    if len(entries) > MOST:
        return b"\2" + registers
    return b"\1" + b"".join((place << 6 | entries[place]).to_bytes(4, "little") for place in sorted(entries))


def sketch(texts: Iterable[str | None]) -> bytes:
    made = hll.Sketch()
    made.add(pa.array(texts, pa.utf8()))
    return made.to_bytes()


def merged(*sketches: bytes | None) -> bytes:
    made = hll.Sketch()
    made.merge(pa.array(sketches, pa.binary()))
    return made.to_bytes()


def count(of: bytes) -> int:
    found: int = hll.counts(pa.array([of], pa.binary()))[0].as_py()
    return found


TEXTS = st.lists(st.text(max_size=20) | st.none())


@given(TEXTS, TEXTS, st.integers(0, 3))
def test_a_sketch_is_that_of_its_values_however_they_came(
    one: list[str | None], other: list[str | None], cut: int
) -> None:
    expected = model(text for text in one + other if text is not None)
    assert sketch([*one, *other, *one]) == expected
    assert merged(sketch(one), None, sketch(other[cut:]), sketch(other[: cut + 1])) == expected
    made = hll.Sketch()
    made.add(pa.array([*one, "x", *other])[len(one) + 1 :])
    made.merge(pa.array(["x", sketch(one), "y"], pa.binary())[1:2])
    assert made.to_bytes() == made.to_bytes() == expected
    distinct = {text for text in one + other if text is not None}
    assert count(expected) == len(distinct)


@pytest.mark.parametrize("size", [MOST - 1, MOST, MOST + 1, 3 * MOST, 60_000])
def test_many_values_make_registers(size: int) -> None:
    texts = [f"user {number}" for number in range(size)]
    expected = model(texts)
    assert (expected[0] == 2) == (size > MOST)
    assert sketch(texts) == expected
    third, half = size // 3, size // 2
    assert merged(sketch(texts[:half]), sketch(texts[third:])) == expected
    assert merged(expected, sketch(texts[:10])) == merged(sketch(texts[:10]), expected) == expected
    assert count(expected) == size if size <= MOST else abs(count(expected) / size - 1) < 4 * 0.0081


@pytest.mark.parametrize("size", [10**6, 10**9, 10**13])
def test_counts_are_as_good_as_the_standard_error_says(size: int) -> None:
    """Of 20 sketches of so many values: each register has the greatest rank of about size / 2^14 of them."""
    rng, each, errors = random.Random(size), size / (1 << 14), []
    for _ in range(20):
        ranks = (math.ceil(math.log2(each / rng.expovariate(1))) for _ in range(1 << 14))
        errors.append(count(b"\2" + bytes(min(max(rank, 0), 51) for rank in ranks)) / size - 1)
    assert abs(sum(errors) / 20) < 0.0072
    assert math.sqrt(sum(error**2 for error in errors) / 20) < 0.0132


def test_the_ends_of_what_can_be_counted() -> None:
    assert count(b"\2" + bytes(1 << 14)) == count(b"\1") == 0
    assert count(b"\2" + bytes([51]) * (1 << 14)) == 9 * 10**18
    assert hll.counts(pa.array([None, b"\1"], pa.binary())).to_pylist() == [None, 0]


BAD = [
    b"", b"\0", b"\3abcd", b"\1abc", b"\1\0\0\0\0", b"\1\x28\0\0\0", b"\1\x42\0\0\0\x41\0\0\0", b"\1" + b"\1\0\0\0" * 2,
    b"\1" + b"".join((at << 6 | 1).to_bytes(4, "little") for at in range(MOST + 1)),
    b"\2", b"\2" + bytes((1 << 14) + 1), b"\2" + bytes((1 << 14) - 1) + b"\x34",
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_what_is_no_sketch_is_refused(bad: bytes) -> None:
    with pytest.raises(FormatError, match="no sketch"):
        count(bad)
    with pytest.raises(FormatError, match="no sketch"):
        merged(sketch(["a"]), bad)


@given(st.binary(max_size=60).map(lambda data: b"\1" + data))
def test_any_bytes_are_a_sketch_or_refused(data: bytes) -> None:
    try:
        assert merged(data) == data
    except FormatError:
        with pytest.raises(FormatError):
            count(data)
    else:
        assert count(data) == (len(data) - 1) // 4


def test_sql_counts_any_column_by_groups(world: World) -> None:
    for column in ("msg", "time", "level", "properties['n']", "process_properties", "CASE WHEN level < 4 THEN msg END"):
        rows = world.rows(
            f"SELECT target, process_id, hll_cardinality(make_hll({column})) AS about, count(DISTINCT {column}) AS n "
            "FROM log_entries GROUP BY 1, 2"
        )
        assert rows
        assert all(row["about"] == row["n"] for row in rows)
    assert world.value(
        "SELECT hll_cardinality(merge_hll(h)) FROM (SELECT level, make_hll(msg) AS h FROM log_entries GROUP BY 1)"
    ) == world.value("SELECT count(DISTINCT msg) FROM log_entries")
    assert world.rows(
        "SELECT make_hll(msg) AS h, hll_cardinality(make_hll(msg)) AS n FROM log_entries WHERE false"
    ) == [{"h": b"\1", "n": 0}]


@pytest.mark.parametrize("function", ["hll_cardinality", "merge_hll"])
def test_sql_says_what_is_no_sketch(world: World, function: str) -> None:
    with pytest.raises(QueryError, match=f"{function}: it is no sketch of make_hll"):
        world.query(f"SELECT {function}(arrow_cast(msg, 'Binary')) FROM log_entries")
