"""A group of batches as ingest stores it, at a time that the test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tachy_server.formats.reader import check_batch, stream_id
from tachy_server.ingest import group_rows, group_segment, identity
from tachy_server.ingest.group_rows import ProcessRow
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

    As in ingest, a batch in which nothing is new is not stored.
    """
    heads = [check_batch(batch) for batch in batches]
    sent = [
        identity.Sent(head, batch, ProcessRow.from_batch(head, now, stamp))
        for head, batch in zip(heads, batches, strict=True)
    ]
    refused: identity.Answers = {}
    with connect(base.dsn) as connection:
        base.ensure_day(connection, day_of(now))
        with connection.transaction():
            said = group_rows.merged(one.process for one in sent)
            known = group_rows.read_processes(connection, said, now, hold=True)
            stored = identity.check(connection, store, sent, known, refused)
            for error in refused.values():
                raise error
            sent = identity.with_news(connection, sent, known, stored)
            streams = {
                identity_: group_rows.StreamRow(
                    identity_, block.process_id, block.cls, thread.number, thread.name, thread.os_id
                )
                for one in sent for _, _, block in one.head.blocks for thread in block.threads
                for identity_ in [stream_id(block.process_id, block.cls, thread.number)]
            }  # fmt: skip
            if not sent:
                return 0
            key, said, told = segment_key(now), group_rows.merged(one.process for one in sent), streams.values()
            return group_segment.store(connection, store, key, sent, said, known, stored, told, now)
