"""Where blocks that come again were stored, to be compared with; few are looked for."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from tachy_server.formats.block_index import select
from tachy_server.formats.reader import BlockHead, BlockIdentity, block_id
from tachy_server.lake import block_days, segments
from tachy_server.lake.database import Connection

_UNREADABLE = "SELECT block_id FROM block_errors WHERE block_id = ANY(%s)"


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block that is stored: its header's hash, where it lies, whether a query could not read it."""

    hash: int
    segment_key: str
    offset: int
    size: int
    unreadable: bool


def find(connection: Connection, heads: Sequence[BlockHead]) -> dict[BlockIdentity, StoredBlock]:
    """Not those that are part of a larger block by now: what they were cannot be said any more."""
    found: dict[BlockIdentity, StoredBlock] = {}
    if not heads:
        return found
    times = min(head.begin_utc for head in heads), max(head.end_utc for head in heads)
    for begin, end in (times, (None, None)):  # another content under the same identity may be of another time
        wanted = [head for head in heads if head.identity not in found]
        if wanted:
            found |= _find(connection, wanted, begin, end)
    return found


def _find(
    connection: Connection, heads: Collection[BlockHead], begin: int | None, end: int | None
) -> dict[BlockIdentity, StoredBlock]:
    def run(query: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        return connection.cursor(binary=True).execute(query.encode(), arguments).fetchall()

    ids = {block_id(*head.identity): head.identity for head in heads}
    processes = {head.process_id for head in heads}
    days = block_days.select(connection, process_ids=processes, begin=begin, end=end)
    rows = segments.find(run, days, begin=begin, end=end, process_ids=processes)
    blocks = select([index for _, _, index in rows], begin=begin, end=end, process_ids=processes, block_ids=set(ids))
    unreadable = {row[0] for row in connection.execute(_UNREADABLE, (list(ids),))}
    found = {}
    for row in blocks.select(["block_id", "hash", "segment", "offset", "size", "sequences"]).to_pylist():
        if row["sequences"] > 1:
            continue
        key = uuid.UUID(bytes=row["block_id"])
        place = rows[row["segment"]][0], row["offset"], row["size"]
        found[ids[key]] = StoredBlock(row["hash"] % (1 << 64), *place, key in unreadable)
    return found
