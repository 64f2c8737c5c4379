"""Blocks that processes send again and again: encoded once, with another head each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
from tachy_server.formats.reader import hash64, read_head

from tests.model.encoder import Process

_BLOCK: Final = np.dtype(
    [("magic", "<u4"), ("version", "<u2"), ("cls", "u1"), ("codec", "u1"), ("header_size", "<u4"),
     ("thread_count", "<u4"), ("process_id", "V16"), ("sequence", "<u8"), ("ticks0", "<u8"), ("utc0", "<i8"),
     ("ticks1", "<u8"), ("utc1", "<i8"), ("frequency", "<u8"), ("begin_ticks", "<u8"), ("end_ticks", "<u8"),
     ("begin_utc", "<i8"), ("end_utc", "<i8"), ("events", "<u8"), ("dropped", "<u8"), ("raw_size", "<u8"),
     ("stored_size", "<u8"), ("body_hash", "<u8"), ("header_hash", "<u8"), ("before_ticks", "<u8"),
     ("before_utc", "<i8"), ("sequences", "<u8"), ("zeros", "V24")]
)  # fmt: skip
_THREAD: Final = np.dtype(
    [("number", "<u4"), ("name_size", "<u4"), ("name_offset", "<u8"), ("os_id", "<u8"), ("rows", "<u8"),
     ("async_rows", "<u8"), ("events", "<u8"), ("dropped", "<u8"), ("first", "<u8"), ("base_ticks", "<u8"),
     ("begin_ticks", "<u8"), ("end_ticks", "<u8"), ("begin_utc", "<i8"), ("end_utc", "<i8"), ("open_at_start", "<u4"),
     ("open_at_end", "<u4")]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks of a class, one of each of some processes."""

    process_ids: Sequence[UUID]
    blocks: Sequence[bytes]
    header_size: int
    times: tuple[int, int]
    streams: int


class Moving:
    """A block of each process, of one class, every so many nanoseconds."""

    def __init__(self, blocks: Sequence[bytes], processes: Sequence[Process], every: int) -> None:
        """`blocks`: with the same threads and as many events each. A process has them in turns: merged blocks of more
        than these would be smaller than they should, as what repeats compresses well.
        """
        head = read_head(blocks[0])
        self.cls, self.header_size, self.events = head.cls, head.header_size, head.events * len(processes)
        self.process_ids = [process.process_id for process in processes]
        self._every = {"utc": every, "ticks": every * head.frequency // 10**9}
        self._ids = np.frombuffer(b"".join(process_id.bytes for process_id in self.process_ids), "V16")
        self._bodies = [block[self.header_size :] for block in blocks]
        rest = self.header_size - _BLOCK.itemsize - len(head.threads) * _THREAD.itemsize
        whole = np.dtype([("block", _BLOCK), ("threads", _THREAD, (len(head.threads),)), ("names", f"V{rest}")])
        self._heads = np.frombuffer(b"".join(block[: self.header_size] for block in blocks), whole)

    def at(self, sequence: int, some: slice = slice(None)) -> Group:
        """The blocks of some of the processes with this number, which begin so many times `every` later."""
        of = (np.arange(len(self.process_ids))[some] * 7 + sequence) % len(self._bodies)
        heads = self._heads[of]
        block, threads = heads["block"], heads["threads"]
        block["process_id"], block["sequence"] = self._ids[some], sequence
        for unit, every in self._every.items():
            for name in ("base_ticks", "begin_ticks", "end_ticks") if unit == "ticks" else ("begin_utc", "end_utc"):
                threads[name] += sequence * every
            for name in (f"{unit}0", f"begin_{unit}", f"end_{unit}"):
                block[name] += sequence * every
            block[f"{unit}1"] = block[f"{unit}0"] + every  # where the next one begins
            block[f"before_{unit}"] = block[f"{unit}0"] - (every if sequence else 0)
        threads["first"] = threads["rows"] * sequence
        block["header_hash"] = 0
        block["header_hash"] = [hash64(head) for head in self._cut(heads)]
        blocks = [head + self._bodies[at] for head, at in zip(self._cut(heads), of, strict=True)]
        times = int(block["begin_utc"].min()), int(block["end_utc"].max())
        return Group(self.process_ids[some], blocks, self.header_size, times, threads.size)

    def pieces_at(self, sequence: int, size: int) -> Iterator[Group]:
        """The same of all processes, in pieces of about so many bytes."""
        step = size // (self.header_size + max(map(len, self._bodies))) + 1
        for first in range(0, len(self.process_ids), step):
            yield self.at(sequence, slice(first, first + step))

    def _cut(self, heads: np.ndarray[Any, Any]) -> list[bytes]:
        data, size = heads.tobytes(), self.header_size
        return [data[at : at + size] for at in range(0, len(data), size)]
