"""Record batches cut into messages that every client accepts: gRPC in Go takes 4 MB unless told otherwise;
and small ones joined, since each costs client and server as much as some thousand rows.

Sizes are those of the messages; dictionaries do not count, since they are messages of their own and repeated whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

MESSAGE_BYTES = 2 << 20
JOINED_ROWS = 8192


def joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows: batches of fewer than 8,192 are held until they have as many together, or 2 MiB."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= JOINED_ROWS or size >= MESSAGE_BYTES or not batch.num_columns:
            yield pa.concat_batches(held) if len(held) > 1 else batch
            held, rows, size = [], 0, 0
    if held:
        yield pa.concat_batches(held)


def pieces(batch: pa.RecordBatch, target: int = MESSAGE_BYTES) -> Iterator[pa.RecordBatch]:
    """Slices of the batch of about `target` bytes each, never less than a row; an empty batch is one piece."""
    size = pa.ipc.get_record_batch_size(batch)
    if size <= target or batch.num_rows <= 1:
        yield batch
        return
    count = min(-(-size // target), batch.num_rows)
    rows = -(-batch.num_rows // count)
    for start in range(0, batch.num_rows, rows):
        piece = batch.slice(start, rows)
        if piece.num_rows < batch.num_rows:
            yield from pieces(piece, target)
