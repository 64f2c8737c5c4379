"""Blocks that a query has selected, as columns; a row becomes an object when somebody takes it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, overload
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

_COLUMNS: Final = ("block_id", "process_id", "class", "sequence", "segment", "offset", "size", "begin_time",
                   "end_time", "events", "sequences")  # fmt: skip
_AT_A_TIME: Final = 1024
_ID: Final = pa.binary(16)


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block, as far as a query needs it: where it lies, and what its head says. Times are UTC nanoseconds.

    It has the events of `sequences` blocks, from number `sequence` on. `error` says why it could not be read the last
    time.
    """

    block_id: UUID
    process_id: UUID
    cls: int
    sequence: int
    segment_key: str
    offset: int
    size: int
    begin_time: int
    end_time: int
    events: int
    insert_time: int
    sequences: int = 1
    error: str | None = None


class Blocks(Sequence[BlockRow]):
    """Rows of formats.block_index.select, ordered by process and sequence, and the segments that they are in."""

    def __init__(
        self,
        rows: pa.RecordBatch,
        segments: Sequence[tuple[str, int]],
        errors: Mapping[UUID, str],
    ) -> None:
        """`segments`: key and insert time of each; `errors`: reasons of blocks that could not be read."""
        self._rows, self._segments, self._errors = rows, segments, errors

    @property
    def columns(self) -> pa.RecordBatch:
        """As formats.block_index.select gives them; `segment` is a place in `segments`."""
        return self._rows

    @property
    def segments(self) -> Sequence[tuple[str, int]]:
        """Key and insert time of the segments that they are in, and of others."""
        return self._segments

    def split(self, breaks: pa.Array) -> list[Blocks]:
        """Parts, of which each but the first begins where `breaks`, a boolean for each block but the first, is true."""
        starts = [0, *pc.add(pc.indices_nonzero(breaks), 1).to_pylist(), len(self)]
        return [self[start:end] for start, end in itertools.pairwise(starts) if end > start]

    def unreadable(self) -> list[int]:
        """Places of those that could not be read the last time."""
        known = pa.array([one.bytes for one in self._errors], _ID)
        found: list[int] = pc.indices_nonzero(pc.is_in(self._rows.column("block_id"), known)).to_pylist()
        return found

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    @overload
    def __getitem__(self, at: int) -> BlockRow: ...
    @overload
    def __getitem__(self, at: slice) -> Blocks: ...
    def __getitem__(self, at: int | slice) -> BlockRow | Blocks:
        places = range(len(self))[at]
        if isinstance(places, int):
            return next(self._made(self._rows.slice(places, 1)))
        if places.step != 1:
            return self.take(pa.array(places, pa.int64()))
        return Blocks(self._rows.slice(places.start, len(places)), self._segments, self._errors)

    def __iter__(self) -> Iterator[BlockRow]:
        for start in range(0, len(self), _AT_A_TIME):
            yield from self._made(self._rows.slice(start, _AT_A_TIME))

    def _made(self, rows: pa.RecordBatch) -> Iterator[BlockRow]:
        columns = [rows.column(name).to_pylist() for name in _COLUMNS]
        for block, process, cls, sequence, segment, offset, size, begin, end, events, covered in zip(
            *columns, strict=True
        ):
            key, inserted = self._segments[segment]
            block_id = UUID(bytes=block)
            yield BlockRow(
                block_id, UUID(bytes=process), cls, sequence, key, offset, size, begin, end, events, inserted, covered,
                self._errors.get(block_id),
            )  # fmt: skip

    def __add__(self, other: Blocks) -> Blocks:
        """These and others, ordered by process and sequence."""
        segment = self._rows.schema.get_field_index("segment")
        moved = pc.add(other._rows.column(segment), pa.scalar(len(self._segments), pa.int32()))
        added = other._rows.set_column(segment, self._rows.schema.field(segment), moved)
        both = pa.Table.from_batches([self._rows, added]).combine_chunks().to_batches()
        rows = both[0] if both else self._rows
        order = pc.sort_indices(rows, sort_keys=[("process_id", "ascending"), ("sequence", "ascending")])
        return Blocks(rows.take(order), [*self._segments, *other._segments], {**self._errors, **other._errors})

    def only(self, block_ids: Iterable[UUID]) -> Blocks:
        """Those with these ids."""
        ids = pa.array([one.bytes for one in block_ids], _ID)
        return self.filter(pc.is_in(self._rows.column("block_id"), ids))

    def take(self, places: pa.Array) -> Blocks:
        """Those at these places, in their order."""
        return Blocks(self._rows.take(places), self._segments, self._errors)

    def filter(self, mask: pa.Array) -> Blocks:
        """Those of which the mask is true."""
        return Blocks(self._rows.filter(mask), self._segments, self._errors)

    def ending_with(self, numbers: Mapping[UUID, int]) -> dict[UUID, UUID]:
        """By process the id of the block that ends with the events of this sequence number of it, where one does."""
        last = pc.add(self._rows.column("sequence"), pc.subtract(self._rows.column("sequences"), 1))
        rows = self._rows.filter(pc.is_in(last, pa.array(set(numbers.values()), pa.int64())))
        return {row.process_id: row.block_id for row in self._made(rows)
                if numbers.get(row.process_id) == row.sequence + row.sequences - 1}  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @property
    def process_ids(self) -> set[UUID]:
        """Whose blocks they are."""
        return {UUID(bytes=one) for one in pc.unique(self._rows.column("process_id")).to_pylist()}

    @property
    def events(self) -> int:
        """Of all of them."""
        return int(pc.sum(self._rows.column("events")).as_py() or 0)
