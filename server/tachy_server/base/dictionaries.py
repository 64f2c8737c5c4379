"""Functions of text, computed once per distinct value instead of once per row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def encoded(array: pa.Array) -> pa.DictionaryArray:
    """The array with each distinct value once."""
    if pa.types.is_dictionary(array.type):
        return array
    return array.dictionary_encode()


def apply(function: Callable[[str], Any], array: pa.Array, kind: pa.DataType) -> pa.Array:
    """`function` of every value, null for null."""
    texts = encoded(array)
    results = [None if text is None else function(text) for text in texts.dictionary.to_pylist()]
    return _spread(results, texts.indices, kind)


def apply_pairs(function: Callable[[str, str], Any], left: pa.Array, right: pa.Array, kind: pa.DataType) -> pa.Array:
    """`function` of every pair of values, null where one is null."""
    first, second = encoded(left), encoded(right)
    width = len(second.dictionary)
    codes = pc.add(pc.multiply(first.indices.cast(pa.int64()), max(width, 1)), second.indices.cast(pa.int64()))
    distinct = codes.dictionary_encode()
    firsts, seconds = first.dictionary.to_pylist(), second.dictionary.to_pylist()
    results = []
    for code in distinct.dictionary.to_pylist():
        one, other = firsts[code // width], seconds[code % width]
        results.append(None if one is None or other is None else function(one, other))
    return _spread(results, distinct.indices, kind)


def _spread(results: list[Any], indices: pa.Array, kind: pa.DataType) -> pa.Array:
    """One result per distinct value to one per row."""
    if not pa.types.is_dictionary(kind):
        return pa.array(results, kind).take(indices)
    # Readers differ about nulls among a dictionary's values, so a null becomes a null index.
    values = list(dict.fromkeys(result for result in results if result is not None))
    places = {value: place for place, value in enumerate(values)}
    remap = pa.array([None if result is None else places[result] for result in results], pa.int32())
    return pa.DictionaryArray.from_arrays(remap.take(indices), pa.array(values, kind.value_type))
