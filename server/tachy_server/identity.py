"""Whether what is sent again is what was stored: of two contents under one identity, neither is swallowed.

A batch is known by its id, a block by its process, class and sequence number. Both come again: after an answer that was
lost, from a recovered process, in another batch, compressed by another program. Equal hashes say that nothing is new.
Where they differ, which is rare, the stored block is read, and both are compared as they were before compression.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tachy_server import metadata
from tachy_server.database import Connection
from tachy_server.errors import NotFound, StoreError
from tachy_server.metadata import StoredBlock
from tachy_server.reader import BatchHead, BlockHead, block_id, same_block
from tachy_server.segments import CLASS_NAMES
from tachy_server.store import Store


class Conflict(Exception):  # noqa: N818 - an answer, not a fault
    """A batch has another content than what is stored under its identity; the text says what."""

    def __init__(self, batch: Sent, what: str) -> None:
        super().__init__(f"{what} is stored already with another content: this batch is not kept")
        self.batch_id = batch.head.batch_id


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch as it came."""

    head: BatchHead
    body: bytes


def check_fresh(connection: Connection, store: Store, batches: Sequence[Sent], since: datetime.date) -> set[uuid.UUID]:
    """The ids of those blocks of new batches that are stored already. Raises Conflict, StoreError.

    With the processes' rows locked; `since` is the first day on which blocks of them can have been inserted.
    """
    stored = metadata.stored_blocks(connection, _heads(batches), since)
    seen: dict[uuid.UUID, memoryview] = {}
    for batch in batches:
        for key, head, data in _blocks(batch):
            if key in stored:
                _compare(store, batch, head, data, stored[key])
            elif seen.setdefault(key, data) != data and not same_block(seen[key], data):
                raise Conflict(batch, _name(head))
    return set(stored)


def check_resent(connection: Connection, store: Store, batches: Sequence[Sent]) -> None:
    """Batches whose ids are known hold what was stored with them. Raises Conflict, StoreError."""
    hashes = metadata.description_hashes(connection, [batch.head.batch_id for batch in batches])
    since = metadata.first_day(connection, {batch.head.process_id for batch in batches})
    stored = metadata.stored_blocks(connection, _heads(batches), since)
    for batch in batches:
        same = hashes[batch.head.batch_id] in (0, metadata.signed(batch.head.description_hash))
        for key, head, data in _blocks(batch):
            if same and key in stored:
                _compare(store, batch, head, data, stored[key])
            same = same and key in stored
        if not same:
            raise Conflict(batch, f"batch {batch.head.batch_id}")


def _compare(store: Store, batch: Sent, head: BlockHead, data: memoryview, known: StoredBlock) -> None:
    if known.hash == metadata.signed(head.header_hash):
        return
    try:
        before = store.read(known.segment_key, known.offset, known.size)
    except NotFound as error:  # what may be the only copy stays with its sender
        raise StoreError(f"{error}: {_name(head)} cannot be compared with what is stored") from None
    if not same_block(before, data):
        raise Conflict(batch, _name(head))


def _heads(batches: Iterable[Sent]) -> list[BlockHead]:
    return [head for batch in batches for _, _, head in batch.head.blocks]


def _blocks(batch: Sent) -> list[tuple[uuid.UUID, BlockHead, memoryview]]:
    body = memoryview(batch.body)
    return [
        (block_id(head.process_id, head.cls, head.sequence), head, body[offset : offset + size])
        for offset, size, head in batch.head.blocks
    ]


def _name(head: BlockHead) -> str:
    return f"{CLASS_NAMES[head.cls]} block {head.sequence} of process {head.process_id}"
