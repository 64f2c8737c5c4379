"""A group of batches as one segment: the object, and what PostgreSQL has to know to find its blocks."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence

from tachy_server.formats.reader import BlockHead, BlockIdentity
from tachy_server.formats.segments import Record, SegmentWriter
from tachy_server.ingest import group_rows
from tachy_server.ingest.group_rows import Known, ProcessRow, StreamRow
from tachy_server.ingest.identity import Sent, Stored
from tachy_server.lake import segments
from tachy_server.lake.database import Connection
from tachy_server.lake.store import Store


def store(
    connection: Connection,
    to: Store,
    key: str,
    batches: Sequence[Sent],
    said: Collection[ProcessRow],
    known: Mapping[uuid.UUID, Known],
    stored: Stored,
    streams: Iterable[StreamRow],
    now: int,
) -> int:
    """Writes the segment, with the blocks of the batches that are not stored yet, and then its row.

    The processes have `said` this of themselves, and this was `known` of them. Returns how many blocks that were.
    Raises StoreError, and Overtaken before anything is written.
    """
    writer = SegmentWriter()
    placed: dict[BlockIdentity, BlockHead] = {}
    for batch in batches:
        left_out = []
        for place, (_, _, head) in enumerate(batch.head.blocks):
            if head.identity in stored.there or head.identity in placed:
                left_out.append(place)
            else:
                placed[head.identity] = head
        writer.add(batch.body, batch.head, left_out)
    heads = list(placed.values())
    number, described = group_rows.store_processes(connection, said, heads, known, now)
    told = group_rows.upsert_streams(connection, streams, now)
    index, parts = writer.finish(Record(now, number, processes=described, streams=told))
    to.put_new(key, parts)
    group_rows.forget_errors(connection, stored.lost)
    times = (min(head.begin_utc for head in heads), max(head.end_utc for head in heads)) if heads else None
    new = sum(len(head.threads) for identity, head in placed.items() if identity not in stored.lost)
    ids = {row.process_id for row in said}
    segments.add(connection, key, sum(map(len, parts)), now, times, ids, index, new)
    return len(heads)
