"""The blocks of some segments, merged, as new segments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final
from uuid import UUID

from tachy_server.formats.merging import DamagedBlockError, merge_blocks
from tachy_server.formats.reader import Limits
from tachy_server.formats.segments import Record, SegmentWriter
from tachy_server.lake.blocks import BlockRow

ROWS: Final = 1 << 19
"""Of a merged block: a query decodes whole blocks."""
RAW_BYTES: Final = 16 << 20
_SEGMENT_BYTES: Final = 64 << 20
_AT_ONCE: Final = 32 << 20  # bytes of bodies that are decompressed at the same time

Describe = Callable[[Collection[UUID]], tuple[list[str], list[str]]]
"""The rows of processes and of their streams, as a segment's record has them."""


@dataclass(frozen=True, slots=True)
class Part:
    """A block that was selected, its bytes, and what is known of it."""

    row: BlockRow
    data: memoryview
    header_size: int
    raw_size: int
    streams: int


@dataclass(frozen=True, slots=True)
class Made:
    """A new segment: what it is written from, and what its row says."""

    parts: list[bytes | memoryview]
    index: bytes
    size: int
    times: tuple[int, int] | None
    process_ids: frozenset[UUID]
    streams: int


def merge(
    parts: Iterable[Part],
    process_ids: Collection[UUID],
    describe: Describe,
    record: Record,
    *,
    by_class: bool,
) -> Iterator[Made]:
    """New segments, each with all that it has of a process in one place, and with a record like this one; `by_class`:
    each has blocks of one class, so that these go when the class's life is over. The parts come by process, class and
    sequence; processes without any are described all the same. A block that is damaged is copied as it is.
    """
    drafts: dict[int, _Draft] = {}
    pieces = 0
    silent = set(process_ids)
    for process_id, of_process in groupby(_merged(parts), key=lambda block: block.process_id):
        if sum(draft.size for draft in drafts.values()) > _SEGMENT_BYTES:
            yield from (draft.finish(record, describe) for draft in drafts.values())
            pieces += len(drafts)
            drafts = {}
        blocks: dict[int, list[_Block]] = {}
        for block in of_process:
            blocks.setdefault(block.cls if by_class else 0, []).append(block)
        for kind, of_kind in blocks.items():
            drafts.setdefault(kind, _Draft()).add(process_id, of_kind)
        silent.discard(process_id)
    *others, last = drafts.values() or [_Draft()]
    for process_id in sorted(silent):
        last.add(process_id, [])
    yield from (draft.finish(record, describe) for draft in others)
    yield last.finish(replace(record, pieces=pieces + len(others) + 1), describe)


def copy(parts: Iterable[Part], describe: Describe, record: Record) -> Iterator[Made]:
    """New segments of the same blocks as they are, which come by process."""
    draft, pieces = _Draft(), 1
    for process_id, of_process in groupby(parts, key=lambda part: part.row.process_id):
        if draft.size > _SEGMENT_BYTES:
            yield draft.finish(record, describe)
            draft, pieces = _Draft(), pieces + 1
        draft.add(process_id, [_as_it_is(part) for part in of_process])
    yield draft.finish(replace(record, pieces=pieces), describe)


@dataclass(frozen=True, slots=True)
class _Block:
    """A block for a new segment."""

    process_id: UUID
    cls: int
    data: bytes | memoryview
    header_size: int
    begin: int
    end: int
    streams: int


class _Draft:
    def __init__(self) -> None:
        self._writer = SegmentWriter()
        self.process_ids: set[UUID] = set()
        self._begin, self._end, self._streams = (1 << 63) - 1, -(1 << 63), 0

    @property
    def size(self) -> int:
        return self._writer.size

    def add(self, process_id: UUID, blocks: list[_Block]) -> None:
        self.process_ids.add(process_id)
        self._writer.add_blocks(process_id, [(block.data, block.header_size) for block in blocks])
        self._begin = min([self._begin, *(block.begin for block in blocks)])
        self._end = max([self._end, *(block.end for block in blocks)])
        self._streams += sum(block.streams for block in blocks)

    def finish(self, record: Record, describe: Describe) -> Made:
        processes, streams = describe(self.process_ids)
        index, parts = self._writer.finish(replace(record, processes=processes, streams=streams))
        times = (self._begin, self._end) if self._streams else None
        return Made(parts, index, sum(map(len, parts)), times, frozenset(self.process_ids), self._streams)


def _merged(parts: Iterable[Part]) -> Iterator[_Block]:
    """All blocks, each process's and class's merged as far as they can be."""
    for window in _windows(parts):
        yield from _merged_at_once(window)


def _windows(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """As many parts as may be decompressed at the same time; a process and class lies in one window if it fits."""
    window: list[Part] = []
    size = border = 0
    for part in parts:
        if window and _kind(part) != _kind(window[-1]):
            border = len(window)
        while window and size + part.raw_size > _AT_ONCE:
            cut = border or len(window)
            yield window[:cut]
            window, border = window[cut:], 0
            size = sum(kept.raw_size for kept in window)
        window.append(part)
        size += part.raw_size
    if window:
        yield window


def _kind(part: Part) -> tuple[UUID, int]:
    return part.row.process_id, part.row.cls


def _merged_at_once(parts: list[Part]) -> Iterator[_Block]:
    """Around what is damaged."""
    try:
        merged = merge_blocks([part.data for part in parts], Limits(rows=ROWS, raw_bytes=RAW_BYTES))
    except DamagedBlockError as error:
        at = 0
        for index in error.indexes:
            yield from _merged_at_once(parts[at:index])
            yield _as_it_is(parts[index])
            at = index + 1
        yield from _merged_at_once(parts[at:])
        return
    for head, data in ((block.head, block.data) for block in merged):
        times = head.begin_utc, head.end_utc
        yield _Block(head.process_id, head.cls, data, head.header_size, *times, len(head.threads))


def _as_it_is(part: Part) -> _Block:
    row = part.row
    times = row.begin_time, row.end_time
    return _Block(row.process_id, row.cls, part.data, part.header_size, *times, part.streams)
