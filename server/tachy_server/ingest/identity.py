"""Whether what is sent again is what was stored: of two contents under one identity, neither is swallowed.

A batch is known by its id, a block by its process, class and sequence number. Both come again: after an answer that was
lost, from a recovered process, in another batch, compressed by another program. Equal hashes say that nothing is new.
Where they differ, which is rare, the stored block is read, and both are compared as they were before compression.

What was stored may be lost: its object is missing, short or damaged. Then there is nothing to be compared with, and
what is sent takes its place. Whether it is lost is seen when the block is read, so also where a query found that out.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tachy_server.base.errors import ConflictError, FormatError, NotFound, TachyError
from tachy_server.formats.reader import BatchHead, BlockHead, BlockIdentity, check_block, same_block
from tachy_server.formats.segments import CLASS_NAMES
from tachy_server.ingest import group_rows, stored_blocks
from tachy_server.ingest.group_rows import NONE, Known
from tachy_server.ingest.stored_blocks import StoredBlock
from tachy_server.lake.database import Connection
from tachy_server.lake.store import Store

Answers = dict[uuid.UUID, TachyError]


class Refused(Exception):  # noqa: N818 - answers, not a fault
    """Some batches of a group get these answers, by batch id; the others can be stored without them."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(f"{len(answers)} batches are refused")
        self.answers = answers


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch as it came, and what its sender's key puts on its process."""

    head: BatchHead
    body: bytes
    stamp: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """Blocks that are stored: those that are there, those whose bytes are lost."""

    there: set[BlockIdentity]
    lost: set[BlockIdentity]


def check_fresh(
    connection: Connection, store: Store, batches: Sequence[Sent], known: Mapping[uuid.UUID, Known], refused: Answers
) -> Stored:
    """Which blocks of the batches are stored already; batches that contradict them are `refused`.

    With the processes' rows, which `known` is from, locked. Raises StoreError.
    """
    there = [head for head in _heads(batches) if group_rows.is_stored(head, known[head.process_id].numbers)]
    stored = stored_blocks.find(connection, there)
    lost: set[BlockIdentity] = set()
    seen: dict[BlockIdentity, memoryview] = {}
    for batch in batches:
        own: dict[BlockIdentity, memoryview] = {}
        try:
            group_rows.check_holes(batch.head.process_id, known[batch.head.process_id].numbers)
            for key, head, data in _blocks(batch):
                before = own.get(key, seen.get(key))
                if before is not None and before != data and not same_block(before, data):
                    raise _conflict(_name(head))
                if before is None and key in stored and not _is_there(store, head, data, stored[key]):
                    lost.add(key)
                own[key] = data
        except (ConflictError, FormatError) as error:
            refused[batch.head.batch_id] = error
        else:
            seen |= own
    return Stored({head.identity for head in there} - lost, lost)


def check_resent(
    connection: Connection, store: Store, batches: Sequence[Sent], now: int, refused: Answers
) -> set[uuid.UUID]:
    """Batches whose ids are known hold what was stored with them, or are `refused`. Raises StoreError.

    Returns the ids of those that have blocks which are lost.
    """
    hashes = group_rows.description_hashes(connection, [batch.head.batch_id for batch in batches], now)
    numbers = group_rows.numbers(connection, {batch.head.process_id for batch in batches})
    there = [head for head in _heads(batches) if group_rows.is_stored(head, numbers.get(head.process_id, NONE))]
    stored = stored_blocks.find(connection, there)
    keys = {head.identity for head in there}
    incomplete: set[uuid.UUID] = set()
    for batch in batches:
        try:
            same = hashes[batch.head.batch_id] == group_rows.signed(batch.head.description_hash)
            if not same or not all(key in keys for key, _, _ in _blocks(batch)):
                raise _conflict(f"batch {batch.head.batch_id}")
            found = [
                key not in stored or _is_there(store, head, data, stored[key]) for key, head, data in _blocks(batch)
            ]
            if not all(found):
                incomplete.add(batch.head.batch_id)
        except (ConflictError, FormatError) as error:
            refused[batch.head.batch_id] = error
    return incomplete


def _is_there(store: Store, head: BlockHead, data: memoryview, known: StoredBlock) -> bool:
    """Whether what was stored is not lost. Raises ConflictError when it is there and another content."""
    same = known.hash == group_rows.signed(head.header_hash)
    if same and not known.unreadable:
        return True
    before = _read(store, known)
    if before is None:
        return False
    if not same and not same_block(before, data):
        raise _conflict(_name(head))
    return True


def _read(store: Store, known: StoredBlock) -> memoryview | None:
    """The block as it was stored, or None when these bytes are lost."""
    try:
        data = store.read(known.segment_key, known.offset, known.size)
        head = check_block(data)
    except (NotFound, FormatError):
        return None
    return data if known.hash == group_rows.signed(head.header_hash) else None


def _conflict(what: str) -> ConflictError:
    return ConflictError(f"{what} is stored already with another content: this batch is not kept")


def _heads(batches: Iterable[Sent]) -> list[BlockHead]:
    return [head for batch in batches for _, _, head in batch.head.blocks]


def _blocks(batch: Sent) -> list[tuple[BlockIdentity, BlockHead, memoryview]]:
    body = memoryview(batch.body)
    return [(head.identity, head, body[offset : offset + size]) for offset, size, head in batch.head.blocks]


def _name(head: BlockHead) -> str:
    return f"{CLASS_NAMES[head.cls]} block {head.sequence} of process {head.process_id}"
