"""Record batches cut into messages that every client accepts: gRPC in Go takes 4 MB unless told otherwise.

Sizes are those of the messages; dictionaries do not count, since they are messages of their own and repeated whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

MESSAGE_BYTES = 2 << 20


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
