"""Whether what is sent again is what was stored: of two contents under one identity, neither is swallowed.

A block is known by its process, class and sequence number, and comes again: after an answer that was lost, from a
recovered process, in another batch, compressed by another program. Equal hashes say that nothing is new. Where they
differ, which is rare, the stored block is read, and both are compared as they were before compression. A batch is known
when nothing in it is new; its id is only the name by which its answer speaks of it.

What was stored may be lost: its object is missing, short or damaged. Then there is nothing to be compared with, and
what is sent takes its place. Whether it is lost is seen when the block is read, so also where a query found that out.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tachy_server.base.errors import ConflictError, FormatError, NotFound, TachyError
from tachy_server.formats.reader import BatchHead, BlockHead, BlockIdentity, check_block, same_block
from tachy_server.formats.segments import CLASS_NAMES
from tachy_server.ingest import group_rows, stored_blocks
from tachy_server.ingest.group_rows import Known, ProcessRow
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
    """A batch as it came, and what it says of its process, with what its sender's key puts on that."""

    head: BatchHead
    body: bytes
    process: ProcessRow


@dataclass(frozen=True, slots=True)
class Stored:
    """Blocks that are stored: those that are there, those whose bytes are lost."""

    there: set[BlockIdentity]
    lost: set[BlockIdentity]


def check(
    connection: Connection, store: Store, batches: Sequence[Sent], known: Mapping[uuid.UUID, Known], refused: Answers
) -> Stored:
    """Which blocks of the batches are stored already; batches that contradict them are `refused`.

    Raises StoreError.
    """
    heads = [head for batch in batches for _, _, head in batch.head.blocks]
    there = {head.identity: head for head in heads if group_rows.is_stored(head, known[head.process_id].numbers)}
    stored = stored_blocks.find(connection, list(there.values()))
    lost: set[BlockIdentity] = set()
    seen: dict[BlockIdentity, memoryview] = {}
    for batch in batches:
        own: dict[BlockIdentity, memoryview] = {}
        try:
            if any(head.identity not in there for _, _, head in batch.head.blocks):
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
    return Stored(there.keys() - lost, lost)


def with_news(
    connection: Connection, batches: Sequence[Sent], known: Mapping[uuid.UUID, Known], stored: Stored
) -> list[Sent]:
    """Those that have a block which is not there, or say something of their process that is not known.

    `stored` is of `check`.
    """
    quiet = {
        batch.head.batch_id: batch.process
        for batch in batches
        if not known[batch.head.process_id].is_new
        and all(head.identity in stored.there for _, _, head in batch.head.blocks)
    }
    known_ids = quiet.keys() - group_rows.that_say_more(connection, quiet)
    return [batch for batch in batches if batch.head.batch_id not in known_ids]


def _is_there(store: Store, head: BlockHead, data: memoryview, known: StoredBlock) -> bool:
    """Whether what was stored is not lost. Raises ConflictError when it is there and another content."""
    same = known.hash == head.header_hash
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
    return data if known.hash == head.header_hash else None


def _conflict(what: str) -> ConflictError:
    return ConflictError(f"{what} is stored already with another content: this batch is not kept")


def _blocks(batch: Sent) -> list[tuple[BlockIdentity, BlockHead, memoryview]]:
    body = memoryview(batch.body)
    return [(head.identity, head, body[offset : offset + size]) for offset, size, head in batch.head.blocks]


def _name(head: BlockHead) -> str:
    return f"{CLASS_NAMES[head.cls]} block {head.sequence} of process {head.process_id}"
