"""Which reads of the store give the bytes of many blocks: neighbours in a segment come with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.errors import FormatError
from tachy_server.lake.blocks import BlockRow, Blocks

READ_BYTES: Final = 8 << 20
"""Of one read, but for the rest of a block that begins in it."""
WINDOW_BYTES: Final = 32 << 20
"""Of blocks as they are stored and as they are decompressed."""
WINDOW_BLOCKS: Final = 8192

Stored = memoryview | FormatError
"""A block's bytes, or why there are none."""
OneBlock = Callable[[BlockRow], Stored]


@dataclass(frozen=True, slots=True)
class BlocksRead:
    """Blocks, and where their bytes lie in memory that `buffers` own: an int64 each, 0 where there are none because of
    what `lost` says.
    """

    blocks: Blocks
    addresses: pa.Array
    buffers: list[pa.Buffer]
    lost: dict[int, FormatError] = field(default_factory=dict)

    def each(self) -> Iterator[tuple[BlockRow, Stored]]:
        """Every block with its bytes, which keep the memory of all of them."""
        for place, (row, address) in enumerate(zip(self.blocks, self.addresses.to_pylist(), strict=True)):
            lost = self.lost.get(place)
            yield row, lost or memoryview(pa.foreign_buffer(address, row.size, self.buffers)).cast("B")


@dataclass(frozen=True, slots=True)
class Reads:
    """Reads that give some blocks: key, offset and size of each. `order` has the blocks' places as they lie in the
    store, `of` for each of these the number of its read.
    """

    each: list[tuple[str, int, int]]
    order: pa.Array
    of: pa.Array


def windows(blocks: Blocks) -> Iterator[Blocks]:
    """The blocks, as many at a time as are in memory together."""
    ends = pc.cumulative_sum(pc.add(blocks.columns.column("size"), blocks.columns.column("raw_size")))
    start = 0
    while start < len(blocks):
        most = WINDOW_BYTES + (ends[start - 1].as_py() if start else 0)
        fitting = pc.sum(pc.less_equal(ends.slice(start, WINDOW_BLOCKS), most)).as_py()
        yield blocks[start : start + max(1, fitting)]
        start += max(1, fitting)


def reads(blocks: Blocks, gap: int) -> Reads:
    """Those that give all of the blocks; what lies up to `gap` bytes apart in a segment comes with one."""
    order = pc.sort_indices(blocks.columns, [("segment", "ascending"), ("offset", "ascending")])
    segment, offset, size = (blocks.columns.column(name).take(order) for name in ("segment", "offset", "size"))
    end = pc.add(offset, size)
    page = pc.divide(offset, READ_BYTES)
    breaks = pc.or_(
        pc.or_(pc.not_equal(segment[1:], segment[:-1]), pc.not_equal(page[1:], page[:-1])),
        pc.greater(pc.subtract(offset[1:], end[:-1]), gap),
    )
    first = pa.concat_arrays([pa.array([0], pa.int64()), pc.add(pc.indices_nonzero(breaks), 1)])
    last = pa.concat_arrays([pc.subtract(first[1:], 1), pa.array([len(blocks) - 1], pa.int64())])
    sizes = pc.subtract(end.take(last), offset.take(first))
    columns = (column.to_pylist() for column in (segment.take(first), offset.take(first), sizes))
    each = [(blocks.segments[number][0], begin, whole) for number, begin, whole in zip(*columns, strict=True)]
    before = pa.concat_arrays([pa.array([0], pa.int64()), breaks.cast(pa.int64())])
    return Reads(each, order, pc.cumulative_sum(before))


def found(blocks: Blocks, made: Reads, given: Sequence[pa.Buffer | None], one: OneBlock) -> BlocksRead:
    """What the reads gave. Where one has found nothing, each of its blocks is read by itself."""
    bases = [buffer.address - begin if buffer else 0 for buffer, (_, begin, _) in zip(given, made.each, strict=True)]
    at = pc.add(blocks.columns.column("offset").take(made.order), pa.array(bases, pa.int64()).take(made.of))
    addresses = at.take(pc.sort_indices(made.order))
    buffers = [buffer for buffer in given if buffer is not None]
    lost: dict[int, FormatError] = {}
    if len(buffers) < len(given):
        places = addresses.to_pylist()
        missing = pa.array([number for number, buffer in enumerate(given) if buffer is None], pa.int64())
        for place in made.order.filter(pc.is_in(made.of, missing)).to_pylist():
            data = one(blocks[place])
            places[place] = 0
            if isinstance(data, FormatError):
                lost[place] = data
            else:
                buffers.append(pa.py_buffer(data))
                places[place] = buffers[-1].address
        addresses = pa.array(places, pa.int64())
    return BlocksRead(blocks, addresses, buffers, lost)
