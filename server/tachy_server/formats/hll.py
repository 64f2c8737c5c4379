"""Sketches of distinct counts, which are merged natively (native/include/tachy/reader.h, "Distinct counts")."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.formats._reader import ffi, lib
from tachy_server.formats.native import check_status, texts_of


class Sketch:
    """How many different texts there are, to within 0.8 %."""

    def __init__(self) -> None:
        hll = lib.tachy_hll_new()
        if hll == ffi.NULL:
            raise MemoryError
        self._hll = ffi.gc(hll, lib.tachy_hll_free)
        self._error = ffi.new("tachy_read_error *")

    def add(self, texts: pa.StringArray) -> None:
        """Texts; nulls are none."""
        check_status(lib.tachy_hll_add(self._hll, texts_of(texts), self._error), self._error)

    def merge(self, sketches: pa.BinaryArray) -> None:
        """The texts of sketches. Raises FormatError for what is none."""
        check_status(lib.tachy_hll_merge(self._hll, texts_of(sketches), self._error), self._error)

    def to_bytes(self) -> bytes:
        """The sketch."""
        size = ffi.new("uint64_t *")
        found = lib.tachy_hll_bytes(self._hll, size)
        if found == ffi.NULL:
            raise MemoryError
        return bytes(ffi.buffer(found, size[0]))


def counts(sketches: pa.BinaryArray) -> pa.Int64Array:
    """How many texts there are in each sketch, null for null. Raises FormatError for what is none."""
    error, numbers = ffi.new("tachy_read_error *"), bytearray(8 * len(sketches))
    check_status(lib.tachy_hll_counts(texts_of(sketches), ffi.from_buffer("int64_t[]", numbers), error), error)
    found = pa.Array.from_buffers(pa.int64(), len(sketches), [None, pa.py_buffer(numbers)])
    return found if not sketches.null_count else pc.if_else(sketches.is_valid(), found, None)
