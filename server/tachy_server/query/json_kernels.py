"""What SQL's functions on properties and JSON do to a column of texts, natively. Those that take several arrays are
kernels of `base.dictionaries.apply_pairs`: texts, keys or paths, and which of these each text has.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.formats import json_values
from tachy_server.formats.json_values import ONE, Found, code, path, step
from tachy_server.query import json_path

_ALL: Final = path(step(code("ALL")))
_SELF: Final = path()


def entries(texts: pa.StringArray) -> pa.ListArray:
    """Key and JSON of each member of an object, or element of an array; null for what is neither."""
    return _pairs_of(json_values.select(texts, _ALL, roots=json_values.OBJECTS | json_values.LISTS))


def elements(texts: pa.StringArray) -> pa.ListArray:
    """JSON of an array's elements; null for what is none."""
    found = json_values.select(texts, _ALL, roots=json_values.LISTS)
    return found.lists(found.values)


def _pairs_of(found: Found) -> pa.ListArray:
    return found.lists(pa.StructArray.from_arrays([found.keys, found.values], names=["key", "value"]))


def properties(texts: pa.StringArray) -> pa.ListArray:
    """Key and value (strings as their characters) of each member of an object; null for what is none."""
    return _pairs_of(json_values.select(texts, _ALL, roots=json_values.OBJECTS, plain=True))


def keys(texts: pa.StringArray) -> pa.ListArray:
    """Names of an object's members; null for what is none."""
    found = json_values.select(texts, _ALL, roots=json_values.OBJECTS)
    return found.lists(found.keys)


def parse(texts: pa.StringArray) -> pa.StringArray:
    """JSON without needless blanks; null for what is none."""
    return json_values.select(texts, _SELF).first()


def string(texts: pa.StringArray) -> pa.StringArray:
    """Characters of a JSON string; null for what is none."""
    return json_values.select(texts, _SELF, roots=json_values.STRINGS, plain=True).first()


def _select(path_of: Callable[[str], bytes], texts: pa.Array, keys: pa.Array, which: pa.Array, **options: Any) -> Found:
    """What is found along the path that is made of each one's key."""
    paths = [path_of(key) for key in keys.to_pylist()]
    begins = pa.array(accumulate((len(path) for path in paths), initial=0), pa.int32())
    return json_values.select(texts, b"".join(paths), begins.take(which), **options)


def member(*arrays: pa.Array) -> pa.StringArray:
    """Member of an object, a string as its characters; ASCII letters of its name in any case."""
    kind = code("NAME_IN_ANY_CASE")
    return _select(lambda key: path(step(kind, key)), *arrays, most=ONE, plain=True).first()


def get(*arrays: pa.Array) -> pa.StringArray:
    """JSON of a member, or of the element whose index the key says."""
    return _select(lambda key: path(step(code("GET"), key)), *arrays, most=ONE).first()


def first(*arrays: pa.Array) -> pa.StringArray:
    """JSON of the first value on a path; null where there is none."""
    return _select(json_path.parse, *arrays, most=ONE).first()


def matches(*arrays: pa.Array) -> pa.ListArray:
    """JSON of each value on a path."""
    found = _select(json_path.parse, *arrays)
    return found.lists(found.values)


def matches_as_one(*arrays: pa.Array) -> pa.StringArray:
    """JSON array of the values on a path."""
    return pc.binary_join_element_wise("[", pc.binary_join(matches(*arrays), ","), "]", "")


def length(texts: pa.StringArray) -> pa.Int64Array:
    """How many elements an array has; null for what is none."""
    return pc.list_value_length(elements(texts))


def count(texts: pa.StringArray) -> pa.Int32Array:
    """How many members an object has; null for what is none."""
    return pc.list_value_length(properties(texts))


def double(texts: pa.StringArray) -> pa.DoubleArray:
    """Value of a JSON number; null for what is none."""
    return json_values.numbers(texts, pa.float64())


def integer(texts: pa.StringArray) -> pa.Int64Array:
    """Value of a JSON number that is whole and fits; null for what is none."""
    return json_values.numbers(texts, pa.int64())
