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
    """One transaction, with what every batch says of its streams; how many blocks were new. Refusals are raised.

    As in ingest, a batch that is known is stored only where blocks of it are lost.
    """
    sent = [identity.Sent(check_batch(batch), batch, stamp) for batch in batches]
    refused: identity.Answers = {}
    with connect(base.dsn) as connection:
        base.ensure_day(connection, day_of(now))
        with connection.transaction():
            fresh = group_rows.claim_batches(connection, [one.head for one in sent], now)
            if resent := [one for one in sent if one.head.batch_id not in fresh]:
                fresh = fresh | identity.check_resent(connection, store, resent, now, refused)
            sent = [one for one in sent if one.head.batch_id in fresh]
            rows: dict[object, group_rows.ProcessRow] = {}
            for one in sent:
                process_id, row = one.head.process_id, group_rows.ProcessRow.from_batch(one.head, now, stamp)
                rows[process_id] = rows[process_id].merge(row) if process_id in rows else row
            streams = {
                identity_: group_rows.StreamRow(
                    identity_, block.process_id, block.cls, thread.number, thread.name, thread.os_id
                )
                for one in sent for _, _, block in one.head.blocks for thread in block.threads
                for identity_ in [stream_id(block.process_id, block.cls, thread.number)]
            }  # fmt: skip
            known = group_rows.hold_processes(connection, rows.values(), now)
            told = group_rows.upsert_streams(connection, streams.values(), now)
            stored = identity.check_fresh(connection, store, sent, known, refused)
            for error in refused.values():
                raise error
            key, said = segment_key(now), rows.values()
            return group_segment.store(connection, store, key, sent, said, stored, told, now) if sent else 0
