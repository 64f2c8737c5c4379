"""Which reads of the store give the bytes of many blocks: neighbours in a segment come with one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.errors import FormatError
from tachy_server.lake.blocks import Blocks

READ_BYTES: Final = 8 << 20
"""Of one read, but for the rest of a block that begins in it."""
WINDOW_BYTES: Final = 32 << 20
"""Of blocks as they are stored and as they are decompressed."""
WINDOW_BLOCKS: Final = 8192


@dataclass(frozen=True, slots=True)
class BlocksRead:
    """Blocks, and where their bytes lie in memory that `buffers` own: an int64 each, 0 where there are none because of
    what `lost` says.
    """

    blocks: Blocks
    addresses: pa.Array
    buffers: list[pa.Buffer]
    lost: dict[int, FormatError] = field(default_factory=dict)


class Read(NamedTuple):
    """One read, and the places of its blocks."""

    key: str
    offset: int
    size: int
    places: pa.Array


def windows(blocks: Blocks) -> Iterator[Blocks]:
    """The blocks, as many at a time as are in memory together."""
    ends = pc.cumulative_sum(pc.add(blocks.columns.column("size"), blocks.columns.column("raw_size")))
    start = 0
    while start < len(blocks):
        most = WINDOW_BYTES + (ends[start - 1].as_py() if start else 0)
        fitting = pc.sum(pc.less_equal(ends.slice(start, WINDOW_BLOCKS), most)).as_py()
        yield blocks[start : start + max(1, fitting)]
        start += max(1, fitting)


def reads(blocks: Blocks, gap: int) -> list[Read]:
    """Those that give all of the blocks; what lies up to `gap` bytes apart in a segment comes with one."""
    order = pc.sort_indices(blocks.columns, [("segment", "ascending"), ("offset", "ascending")])
    segment, offset, size = (blocks.columns.column(name).take(order) for name in ("segment", "offset", "size"))
    end = pc.add(offset, size)
    page = pc.divide(offset, READ_BYTES)
    breaks = pc.or_(
        pc.or_(pc.not_equal(segment[1:], segment[:-1]), pc.not_equal(page[1:], page[:-1])),
        pc.greater(pc.subtract(offset[1:], end[:-1]), gap),
    )
    starts = [0, *pc.add(pc.indices_nonzero(breaks), 1).to_pylist(), len(blocks)]
    made = []
    for first, behind in itertools.pairwise(starts):
        begin = offset[first].as_py()
        key = blocks.segments[segment[first].as_py()][0]
        made.append(Read(key, begin, end[behind - 1].as_py() - begin, order.slice(first, behind - first)))
    return made


def found(blocks: Blocks, made: list[Read], given: list[list[tuple[int, pa.Buffer] | FormatError]]) -> BlocksRead:
    """Of each read what it gave: one buffer for all of its blocks with the offset at which it begins, or, where that
    failed, as much for each of them.
    """
    buffers, lost, places, addresses = [], {}, [], []
    for read, results in zip(made, given, strict=True):
        whole = len(results) == 1
        for at, result in enumerate(results):
            where = read.places if whole else read.places.slice(at, 1)
            if isinstance(result, FormatError):
                lost.update(dict.fromkeys(where.to_pylist(), result))
                addresses.append(pa.repeat(pa.scalar(0, pa.int64()), len(where)))
            else:
                begin, buffer = result
                buffers.append(buffer)
                offsets = blocks.columns.column("offset").take(where)
                addresses.append(pc.add(offsets, buffer.address - begin))
            places.append(where)
    order = pc.sort_indices(pa.concat_arrays(places))
    return BlocksRead(blocks, pa.concat_arrays(addresses).take(order), buffers, lost)
