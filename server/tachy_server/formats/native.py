"""What calls of native code have in common: bytes and texts to read, a status to raise, record batches to take over."""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow as pa

from tachy_server.base.errors import FormatError
from tachy_server.formats._reader import ffi, lib

Readable: TypeAlias = bytes | bytearray | memoryview  # or a pyarrow.Buffer, which has no type


def view_of(data: Readable) -> Any:
    """The bytes, for a native call; they live as long as what this returns.

    Python 3.11's garbage collector empties a memoryview in a circle of references, such as that of an error and the
    frames it passed, even where a view of cffi's still needs it, and the process ends in a segmentation fault. The
    collector does not see into what pyarrow holds, and leaves that alone.
    """
    return ffi.from_buffer(pa.py_buffer(data) if isinstance(data, memoryview) else data)


def check_status(status: int, error: Any) -> None:
    """Raises what a native call answered: MemoryError, or FormatError with its sentence."""
    if status:
        message = ffi.string(error.message).decode(errors="replace")
        raise MemoryError(message) if status == lib.TACHY_ERROR_MEMORY else FormatError(message)


def texts_of(array: pa.Array) -> Any:
    """An array for a native call, as long as it lives."""
    addresses = [0 if buffer is None else buffer.address for buffer in array.buffers()]
    kinds = ("const uint8_t *", "const int32_t *", "const uint8_t *")
    valid, offsets, data = (ffi.cast(kind, address) for kind, address in zip(kinds, addresses, strict=True))
    return ffi.new("tachy_texts *", (valid, offsets, data, array.offset, len(array)))


def record_batch(schema: Any, array: Any) -> pa.RecordBatch:
    """What a native call has put into the two structs of Arrow's C interface."""
    return pa.RecordBatch._import_from_c(int(ffi.cast("uintptr_t", array)), int(ffi.cast("uintptr_t", schema)))
