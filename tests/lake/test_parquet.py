"""Files of views: what is written comes back, in the order that was asked for, in few bytes."""

from __future__ import annotations

import random

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.formats import parquet

TIME = pa.timestamp("ns", "UTC")
TEXT = pa.dictionary(pa.int32(), pa.utf8())
ROWS = st.lists(
    st.tuples(st.sampled_from([None, "", "a", "b", "é", "zz"]), st.integers(-(2**62), 2**62), st.integers(0, 3)),
    max_size=40,
)


def table(rows: list[tuple[str | None, int, int]]) -> pa.Table:
    names, times, numbers = ([row[index] for row in rows] for index in range(3))
    return pa.table(
        {
            "name": pa.array(names, pa.utf8()).dictionary_encode().cast(TEXT),
            "time": pa.array(times, TIME),
            "number": pa.array(numbers, pa.int32()),
        }
    )


@given(ROWS, ROWS, st.permutations(["name", "time", "number"]))
def test_rows_come_in_order(
    some: list[tuple[str | None, int, int]], others: list[tuple[str | None, int, int]], by: list[str]
) -> None:
    """Of batches whose dictionaries differ."""
    found = parquet.ordered(pa.concat_tables([table(some), table(others)]), by)
    times = found.column("time").cast(pa.int64())
    rows = list(
        zip(found.column("name").to_pylist(), times.to_pylist(), found.column("number").to_pylist(), strict=True)
    )
    places = [("name", "time", "number").index(name) for name in by]

    def key(row: tuple[str | None, int, int]) -> list[tuple[bool, object]]:
        return [(row[place] is None, row[place]) for place in places]

    assert rows == sorted([*some, *others], key=key)


def test_a_file_says_how_it_is_sorted_and_where_its_pages_are() -> None:
    rows = [("a", number, number % 3) for number in range(1000)]
    _, data = parquet.write("x", parquet.ordered(table(rows), ["number", "time"]), ["number", "time"])
    metadata = pq.read_metadata(pa.BufferReader(data))
    assert [(one.column_index, one.descending) for one in metadata.row_group(0).sorting_columns] == [
        (2, False),
        (1, False),
    ]
    assert all(metadata.row_group(0).column(index).has_offset_index for index in range(3))
    assert all(metadata.row_group(0).column(index).has_column_index for index in range(3))


def test_times_take_what_lies_between_them() -> None:
    """A tenth of a second with a jitter of a microsecond: some ten bits, and not the eight bytes of a time."""
    chance = random.Random(1)
    rows = [("a", number * 10**8 + chance.randrange(1000), 1) for number in range(100_000)]
    file, _ = parquet.write("x", table(rows), ["time"])
    assert file.size < 2 * len(rows)


def test_nested_values_are_dictionaries_too() -> None:
    kind = pa.struct([("bins", pa.list_(pa.int64())), ("by", pa.map_(pa.utf8(), pa.float64()))])
    one = {"bins": [1, 2**40], "by": [("a", 1.5)]}
    _, data = parquet.write("x", pa.table({"h": pa.array([one] * 100, kind)}))
    group = pq.read_metadata(pa.BufferReader(data)).row_group(0)
    assert ["RLE_DICTIONARY" in group.column(index).encodings for index in range(3)] == [True] * 3
