"""`get_payload`: the bytes of blocks, as they are stored."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.errors import LimitError
from tachy_server.views.bounds import parse_uuid
from tachy_server.views.tables import Session

MOST_BYTES: Final = 64 << 20
"""Of a batch of rows."""


def payloads(session: Session, processes: pa.Array, streams: pa.Array, blocks: pa.Array) -> pa.Array:
    """Of each row the block's head and body (docs/format.md), which hold all threads' events of a class; null where the
    process has no such block, or the store has lost it. Raises LimitError, StoreError.
    """
    ids = [[parse_uuid(text) for text in pc.unique(texts).to_pylist()] for texts in (processes, streams, blocks)]
    known = [frozenset(one for one in texts if one is not None) for texts in ids]
    with session.moment() as snapshot:
        found = snapshot.select_blocks(
            0, process_ids=known[0], stream_ids=known[1], block_ids=known[2], limit=session.block_limit + 1
        )
    if len(found) > session.block_limit:
        raise LimitError(
            f"get_payload: this query needs more than {session.block_limit} blocks; narrow it, or raise the server's "
            "setting lazy_block_limit"
        )
    names = pa.array([f"{row.process_id} {row.block_id}" for row in found], pa.utf8())
    places = pc.index_in(pc.binary_join_element_wise(processes, blocks, " "), names)
    if (pc.sum(found.columns.column("size").take(places)).as_py() or 0) > MOST_BYTES:
        raise LimitError(f"get_payload: a batch of rows has more than {MOST_BYTES >> 20} MiB of blocks; add a LIMIT")
    stored: list[bytes | None] = []
    for read in session.lake.read(found):
        session.check()
        sizes = read.blocks.columns.column("size").to_pylist()
        stored += [
            pa.foreign_buffer(address, size, read.buffers).to_pybytes() if address else None
            for address, size in zip(read.addresses.to_pylist(), sizes, strict=True)
        ]
        for place, error in read.lost.items():
            session.lake.note_error(read.blocks[place], str(error))
    session.blocks_read += len(found)
    return pa.array(stored, pa.binary()).take(places)
