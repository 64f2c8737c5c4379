"""Where a body is divided before it is compressed (native/src/base/parts.c), against docs/format.md, "Body"."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.model.columns import BYTES, F64, UINT, encode_columns, encode_f64, encode_uint, pad8
from tests.reader.parts import parts

PART_MIN = 1024


def planes(values: list[int]) -> Iterator[int]:
    """Sizes of the planes of a UINT column."""
    yield len(values)
    while high := [value for value in values if value >= 255]:
        yield len(high)
        yield len(high)
        values = [value >> 8 for value in high]


def some_column(choose: random.Random) -> tuple[int, int, bytes, list[int]]:
    """Encoding, count, bytes, sizes of its planes."""
    count = choose.choice([0, 1, 7, 300, 1023, 1024, 5000])
    encoding = choose.choice([UINT, UINT, F64, BYTES])
    if encoding == UINT:
        bits = choose.choice([1, 7, 8, 9, 16, 30, 64])
        values = [choose.getrandbits(choose.randint(1, bits)) for _ in range(count)]
        return encoding, count, encode_uint(values), list(planes(values))
    if encoding == F64:
        return encoding, count, encode_f64([choose.random() for _ in range(count)]), [count] * 8
    return encoding, count, choose.randbytes(count), [count]


def some_body(choose: random.Random) -> tuple[bytes, list[int]]:
    """A body, and where its planes end."""
    columns = [some_column(choose) for _ in range(choose.randint(0, 12))]
    body = encode_columns([(index, *column[:3]) for index, column in enumerate(columns, 1)])
    ends, at = [8 + 24 * len(columns)], 8 + 24 * len(columns)
    for _, _, data, sizes in columns:
        assert sum(sizes) == len(data)
        ends += [at + sum(sizes[: i + 1]) for i in range(len(sizes))]
        at += len(pad8(data))
    return body, ends


@pytest.mark.parametrize("seed", range(60))
def test_parts_are_planes_of_a_kibibyte_and_more(seed: int) -> None:
    body, ends = some_body(random.Random(seed))
    expected: list[int] = []
    for end in ends:
        if end - (expected[-1] if expected else 0) >= PART_MIN:
            expected.append(end)
    if not expected or expected[-1] < len(body):
        expected.append(len(body))
    assert parts(body) == expected
    for room in (1, 2, 3):
        assert parts(body, room) == [*expected[:-1][: room - 1], len(body)]


@pytest.mark.parametrize("seed", range(60))
def test_a_body_of_whatever_bytes_is_divided_within_it(seed: int) -> None:
    choose = random.Random(seed)
    body = bytearray(some_body(choose)[0])
    for _ in range(choose.randint(1, 4)):
        size = choose.choice([size for size in (1, 4, 8) if size <= len(body)])
        at = choose.randint(0, len(body) - size)
        body[at : at + size] = choose.choice([choose.randbytes(size), b"\xff" * size])
    del body[choose.randint(0, len(body)) :]
    found = parts(bytes(body))
    assert found == sorted(set(found))
    assert found[-1] == len(body)
