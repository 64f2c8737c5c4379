"""Functions of text, computed once per distinct value instead of once per row."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc


def encoded(array: pa.Array) -> pa.DictionaryArray:
    """The array with each distinct value once."""
    if pa.types.is_dictionary(array.type):
        return array
    return array.dictionary_encode()


def apply(kernel: Callable[[pa.Array], pa.Array], array: pa.Array, kind: pa.DataType) -> pa.Array:
    """What the kernel makes of every value, null for null."""
    texts = encoded(array)
    return _spread(kernel(texts.dictionary), texts.indices, kind)


def apply_pairs(
    kernel: Callable[[pa.Array, pa.Array, pa.Array], pa.Array], left: pa.Array, right: pa.Array, kind: pa.DataType
) -> pa.Array:
    """What the kernel makes of every pair of values, null where one is null. It takes values of the left, the different
    ones of the right, and of each of the former the place of its partner in those (int32).
    """
    first, second = encoded(left), encoded(right)
    width = max(len(second.dictionary), 1)
    codes = pc.add(pc.multiply(first.indices.cast(pa.int64()), width), second.indices.cast(pa.int64()))
    distinct = codes.dictionary_encode()
    places = pc.divide(distinct.dictionary, width)
    partners = pc.subtract(distinct.dictionary, pc.multiply(places, width)).cast(pa.int32())
    found = kernel(first.dictionary.take(places), second.dictionary, partners)
    return _spread(found, distinct.indices, kind)


def _spread(found: pa.Array, indices: pa.Array, kind: pa.DataType) -> pa.Array:
    """One result per distinct value to one per row."""
    if not pa.types.is_dictionary(kind):
        return found.take(indices).cast(kind)
    # Readers differ about nulls among a dictionary's values, so a null becomes a null index.
    values = found.dictionary_encode()
    return pa.DictionaryArray.from_arrays(values.indices.take(indices), values.dictionary)
