"""What is in the JSON of a column, found natively (native/include/tachy/reader.h, "JSON")."""

from __future__ import annotations

import struct
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.formats._reader import ffi, lib
from tachy_server.formats.native import check_status, record_batch, texts_of

_END: Final = bytes([lib.TACHY_JSON_END])
OBJECTS: Final = 1 << lib.TACHY_JSON_OBJECT
LISTS: Final = 1 << lib.TACHY_JSON_ARRAY
STRINGS: Final = 1 << lib.TACHY_JSON_STRING
ANY: Final = 255
ONE: Final = 1
ALL: Final = 2**32 - 1


def code(*names: str) -> bytes:
    """The byte of a path that the header calls so; the sum of several."""
    return bytes([sum(getattr(lib, f"TACHY_JSON_{name}") for name in names)])


def step(kind: bytes, argument: str | int | bytes = b"") -> bytes:
    """One step of a path: its kind, and the name, index or test."""
    if isinstance(argument, int):
        argument = struct.pack("=i", max(min(argument, 2**31 - 1), -(2**31)))
    return kind + sized(argument)


def sized(argument: str | bytes) -> bytes:
    """An argument behind its size."""
    data = argument.encode(errors="surrogatepass") if isinstance(argument, str) else argument
    return struct.pack("=I", len(data)) + data


def path(*steps: bytes) -> bytes:
    """The path of some steps."""
    return b"".join(steps) + _END


class Found:
    """What was found in each text."""

    def __init__(self, lists: pa.Array, valid: pa.Array, found: pa.RecordBatch) -> None:
        self._lists, self._valid = lists, valid
        self.keys, self.values = found.columns
        """Of all texts, one after the other: names of members (numbers from 0 on for others), and values (utf8)."""

    def first(self) -> pa.StringArray:
        """Of each text the first value; null where there is none."""
        begins, ends = self._lists[:-1], self._lists[1:]
        return self.values.take(pc.if_else(pc.less(begins, ends), begins, None))

    def lists(self, items: pa.Array) -> pa.ListArray:
        """Of each text a list of what is given of all; null where it has no answer."""
        return pa.ListArray.from_arrays(self._lists, items, mask=pc.invert(self._valid))


def select(
    texts: pa.StringArray,
    paths: bytes,
    which: pa.Int32Array | None = None,
    *,
    roots: int = ANY,
    most: int = ALL,
    plain: bool = False,
) -> Found:
    """What the paths (as the header describes them; of each text it begins at `which`) select.

    Texts whose root is of another type have no answer; `most` values are taken of one, as characters if they are
    strings and `plain`.
    """
    error = ffi.new("tachy_read_error *")
    schema, array = ffi.new("struct ArrowSchema *"), ffi.new("struct ArrowArray *")
    lists, valid = bytearray(4 * len(texts) + 4), bytearray(len(texts))
    given = (texts_of(texts), ffi.from_buffer(paths), _numbers(which), ffi.from_buffer("int32_t[]", lists))
    query = ffi.new("tachy_json_query *", (given[1], given[2], roots, most, plain))
    status = lib.tachy_json_select(given[0], query, given[3], ffi.from_buffer(valid), schema, array, error)
    check_status(status, error)
    return Found(_array(pa.int32(), lists), _bools(valid), record_batch(schema, array))


def numbers(texts: pa.StringArray, kind: pa.DataType) -> pa.Array:
    """Of texts that are JSON numbers what they are, as float64, or as int64 where they are whole and fit; else null."""
    error, found, valid = ffi.new("tachy_read_error *"), bytearray(8 * len(texts)), bytearray(len(texts))
    whole = int(kind == pa.int64())
    status = lib.tachy_json_numbers(texts_of(texts), whole, ffi.from_buffer(found), ffi.from_buffer(valid), error)
    check_status(status, error)
    return pc.if_else(_bools(valid), _array(kind, found), None)


def _numbers(array: pa.Int32Array | None) -> Any:
    return ffi.NULL if array is None else ffi.cast("const int32_t *", array.buffers()[1].address + 4 * array.offset)


def _array(kind: pa.DataType, data: bytearray) -> pa.Array:
    return pa.Array.from_buffers(kind, len(data) * 8 // kind.bit_width, [None, pa.py_buffer(data)])


def _bools(data: bytearray) -> pa.BooleanArray:
    return _array(pa.uint8(), data).cast(pa.bool_())
