"""Whether what is sent again is what was stored: of two contents under one identity, neither is swallowed.

A batch is known by its id, a block by its process, class and sequence number. Both come again: after an answer that was
lost, from a recovered process, in another batch, compressed by another program. Equal hashes say that nothing is new.
Where they differ, which is rare, the stored block is read, and both are compared as they were before compression.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tachy_server import metadata
from tachy_server.database import Connection
from tachy_server.errors import ConflictError, FormatError, NotFound, StoreError, TachyError
from tachy_server.metadata import StoredBlock
from tachy_server.reader import BatchHead, BlockHead, block_id, same_block
from tachy_server.segments import CLASS_NAMES
from tachy_server.store import Store

Answers = dict[uuid.UUID, TachyError]


class Refused(Exception):  # noqa: N818 - answers, not a fault
    """Some batches of a group get these answers, by batch id; the others can be stored without them."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(f"{len(answers)} batches are refused")
        self.answers = answers


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch as it came."""

    head: BatchHead
    body: bytes


def check_fresh(
    connection: Connection, store: Store, batches: Sequence[Sent], since: datetime.date, refused: Answers
) -> set[uuid.UUID]:
    """The ids of those blocks of new batches that are stored already; batches that contradict them are `refused`.

    With the processes' rows locked; `since` is the first day on which blocks of them can have been inserted. Raises
    StoreError.
    """
    stored = metadata.stored_blocks(connection, _heads(batches), since)
    seen: dict[uuid.UUID, memoryview] = {}
    for batch in batches:
        own: dict[uuid.UUID, memoryview] = {}
        try:
            for key, head, data in _blocks(batch):
                before = own.get(key, seen.get(key))
                if key in stored:
                    _compare(store, head, data, stored[key])
                elif before is not None and before != data and not same_block(before, data):
                    raise _conflict(_name(head))
                own[key] = data
        except (ConflictError, FormatError, NotFound) as error:
            refused[batch.head.batch_id] = _answer(error)
        else:
            seen |= own
    return set(stored)


def check_resent(connection: Connection, store: Store, batches: Sequence[Sent], refused: Answers) -> None:
    """Batches whose ids are known hold what was stored with them, or are `refused`. Raises StoreError."""
    hashes = metadata.description_hashes(connection, [batch.head.batch_id for batch in batches])
    since = metadata.first_day(connection, {batch.head.process_id for batch in batches})
    stored = metadata.stored_blocks(connection, _heads(batches), since)
    for batch in batches:
        try:
            _check_known(store, batch, hashes[batch.head.batch_id], stored)
        except (ConflictError, FormatError, NotFound) as error:
            refused[batch.head.batch_id] = _answer(error)


def _check_known(store: Store, batch: Sent, hashed: int, stored: Mapping[uuid.UUID, StoredBlock]) -> None:
    blocks = _blocks(batch)
    same = hashed in (0, metadata.signed(batch.head.description_hash))
    if not same or not all(key in stored for key, _, _ in blocks):
        raise _conflict(f"batch {batch.head.batch_id}")
    for key, head, data in blocks:
        _compare(store, head, data, stored[key])


def _compare(store: Store, head: BlockHead, data: memoryview, known: StoredBlock) -> None:
    if known.hash == metadata.signed(head.header_hash):
        return
    try:
        before = store.read(known.segment_key, known.offset, known.size)
    except NotFound as error:
        raise NotFound(f"{error}: {_name(head)} cannot be compared with what is stored") from None
    if not same_block(before, data):
        raise _conflict(_name(head))


def _conflict(what: str) -> ConflictError:
    return ConflictError(f"{what} is stored already with another content: this batch is not kept")


def _answer(error: TachyError) -> TachyError:
    """Where the stored block is lost, what may be the only copy stays with its sender."""
    return StoreError(str(error)) if isinstance(error, NotFound) else error


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
