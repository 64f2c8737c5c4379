"""Arrow IPC streams as the FlightData messages of DoGet and DoPut: each is one IPC message, header and body apart."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable, Iterator

import pyarrow as pa

from tachy_server.base.errors import LimitError, QueryError
from tachy_server.base.message_sizes import pieces
from tachy_server.flight import messages as flight_messages
from tachy_server.flight.messages import decode

_CONTINUATION = b"\xff\xff\xff\xff"

Chunk = tuple[int, list[bytes | memoryview]]
"""A message: its rows, and its bytes in parts."""


def messages(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Generator[Chunk, None, None]:
    """The messages of a stream: its schema with the first batch, and every batch with the dictionaries new in it."""
    if not any(_has_dictionaries(entry.type) for entry in schema):
        yield from _plain(schema, batches)
        return
    out = io.BytesIO()
    with pa.ipc.new_stream(out, schema) as writer:
        for batch in batches:
            for piece in pieces(batch):
                writer.write_batch(piece)
                yield from _taken(out, piece.num_rows)
    yield from _taken(out, 0)  # the schema alone, where there was no batch


def write(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """The messages of a stream, joined."""
    return (b"".join(parts) for _, parts in messages(schema, batches))


def _plain(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Generator[Chunk, None, None]:
    """Without dictionaries a batch is a message, and its columns are written from where they lie."""
    first = [(0, _parts(pa.ipc.read_message(schema.serialize())))]
    for batch in batches:
        for piece in pieces(batch):
            yield from first
            first.clear()
            yield piece.num_rows, _parts(pa.ipc.read_message(piece.serialize()))
    yield from first


def _parts(message: pa.Message) -> list[bytes | memoryview]:
    header, body = memoryview(message.metadata), memoryview(message.body or b"")
    return [_head(2, len(header)), header, _head(1000, len(body)), body]


def _taken(out: io.BytesIO, rows: int) -> Generator[Chunk, None, None]:
    data = out.getvalue()
    out.seek(0)
    out.truncate()
    for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(data)):
        yield rows if message.type == "record batch" else 0, _parts(message)


def _has_dictionaries(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return True
    return any(_has_dictionaries(kind.field(at).type) for at in range(kind.num_fields))


def read(given: Iterable[bytes], limit: int) -> pa.Table:
    """The rows of a stream. QueryError when it is none, LimitError when it is larger than `limit` bytes."""
    parts: list[bytes] = []
    size = 0
    for message in given:
        size += len(message)
        if size > limit:
            raise LimitError(f"The parameters are larger than the {limit} bytes that they may have.")
        data = decode(flight_messages.FlightData, message)
        if data.data_header:
            padding = bytes(-len(data.data_header) % 8)
            length = (len(data.data_header) + len(padding)).to_bytes(4, "little")
            parts += (_CONTINUATION, length, data.data_header, padding, data.data_body)
    try:
        table = pa.ipc.open_stream(pa.py_buffer(b"".join(parts))).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise QueryError(f"The parameters are not an Arrow stream: {error}") from None
    return table


def _head(number: int, size: int) -> bytes:
    """What comes before a field of bytes in a message: written here, so that a batch is not copied into one."""
    out = bytearray()
    for value in (number << 3 | 2, size):
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)
