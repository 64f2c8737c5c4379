"""A group of batches as ingest stores it, at a time that the test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tachy_server.formats.reader import check_batch, stream_id
from tachy_server.ingest import group_rows, group_segment, identity
from tachy_server.lake.database import Database, connect, day_of
from tachy_server.lake.segments import segment_key
from tachy_server.lake.store import Store


def store_group(
    base: Database,
    store: Store,
    batches: Sequence[bytes],
    now: int,
    stamp: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """One transaction, with what every batch says of its streams; how many blocks were new. Refusals are raised."""
    heads = [check_batch(batch) for batch in batches]
    sent = [identity.Sent(head, batch, stamp) for head, batch in zip(heads, batches, strict=True)]
    rows: dict[object, group_rows.ProcessRow] = {}
    for head in heads:
        row = group_rows.ProcessRow.from_batch(head, now, stamp)
        rows[head.process_id] = rows[head.process_id].merge(row) if head.process_id in rows else row
    streams = {
        identity_: group_rows.StreamRow(
            identity_, block.process_id, block.cls, thread.number, thread.name, thread.os_id
        )
        for head in heads for _, _, block in head.blocks for thread in block.threads
        for identity_ in [stream_id(block.process_id, block.cls, thread.number)]
    }  # fmt: skip
    with connect(base.dsn) as connection:
        base.ensure_day(connection, day_of(now))
        with connection.transaction():
            group_rows.claim_batches(connection, heads, now)
            known = group_rows.upsert_processes(connection, rows.values(), now)
            told = group_rows.upsert_streams(connection, streams.values(), now)
            refused: identity.Answers = {}
            stored = identity.check_fresh(connection, store, sent, known, refused)
            for error in refused.values():
                raise error
            return group_segment.store(connection, store, segment_key(now), sent, stored, told, now)
