"""A lake in memory, as much of one as a trace needs: blocks of the model, and a connection that knows processes."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from tachy_server.formats.reader import Limits, block_id
from tachy_server.lake.block_reads import BlocksRead
from tachy_server.lake.blocks import BlockRow, Blocks
from tachy_server.lake.visible import EVERYTHING, Visible

from tests.model.decoder import Header
from tests.model.encoder import Process
from tests.model.records import BLOCK_HEADER, Block

COLUMNS = {
    "block_id": pa.binary(16), "process_id": pa.binary(16), "class": pa.int32(), "sequence": pa.int64(),
    "segment": pa.int32(), "offset": pa.int64(), "size": pa.int64(), "begin_time": pa.int64(), "end_time": pa.int64(),
    "events": pa.int64(), "sequences": pa.int64(), "hash": pa.int64(), "raw_size": pa.int64(),
}  # fmt: skip


def row_of(block: Block, place: int) -> dict[str, Any]:
    """What an index says of a block; its offset is its place among all."""
    h = Header(*BLOCK_HEADER.unpack_from(block.data))
    return {
        "block_id": block_id(UUID(bytes=h.process_id), h.cls, h.sequence).bytes, "process_id": h.process_id,
        "class": h.cls, "sequence": h.sequence, "segment": 0, "offset": place, "size": len(block.data),
        "begin_time": h.begin_utc, "end_time": h.end_utc, "events": h.events, "sequences": 1,
        "hash": int.from_bytes(h.header_hash.to_bytes(8, "little"), "little", signed=True), "raw_size": h.raw_size,
    }  # fmt: skip


@dataclass
class FakeLake:
    """`at_once`: blocks that are read together."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    processes: dict[UUID, Process] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    errors: dict[UUID, str | None] = field(default_factory=dict)
    visible: Visible = EVERYTHING
    at_once: int = 5

    def store(self, process: Process, blocks: list[Block]) -> None:
        self.processes[process.process_id] = process
        for block in blocks:
            self.rows.append(row_of(block, len(self.data)))
            self.data.append(block.data)

    def select_blocks(
        self, cls: int, *, begin: int | None = None, end: int | None = None, process_ids: Collection[UUID] | None = None
    ) -> Blocks:
        chosen = [
            row
            for row in self.rows
            if row["class"] == cls
            and (process_ids is None or UUID(bytes=row["process_id"]) in process_ids)
            and (end is None or row["begin_time"] <= end)
            and (begin is None or row["end_time"] >= begin)
        ]
        chosen.sort(key=lambda row: (row["process_id"], row["sequence"]))
        arrays = [pa.array([row[name] for row in chosen], kind) for name, kind in COLUMNS.items()]
        return Blocks(pa.RecordBatch.from_arrays(arrays, list(COLUMNS)), [("", 0)], {})

    def blocks_before(self, cls: int, process_id: UUID, time: int) -> Blocks:
        blocks = self.select_blocks(cls, process_ids=[process_id])
        return blocks.filter(pc.less(blocks.columns.column("end_time"), time))[-1:]

    def note_error(self, row: BlockRow, reason: str | None) -> None:
        self.errors[row.block_id] = reason

    def read(self, blocks: Blocks) -> Iterator[BlocksRead]:
        for start in range(0, len(blocks), self.at_once):
            some = blocks[start : start + self.at_once]
            buffers = [pa.py_buffer(self.data[row.offset]) for row in some]
            yield BlocksRead(some, pa.array([buffer.address for buffer in buffers], pa.int64()), buffers)

    def snapshot(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext(self)

    def select(self, statement: str, parameters: list[list[UUID]]) -> list[tuple[Any, ...]]:
        found = []
        for process_id in parameters[0]:
            if process_id in self.processes:
                d = self.processes[process_id].description
                mine = [row["end_time"] for row in self.rows if row["process_id"] == process_id.bytes]
                texts = [d[key] for key in ("exe", "username", "computer", "distro", "cpu_brand", "sdk", "state")]
                found.append((process_id, *texts, d["start_time"], max(mine, default=None), d["properties"]))
        return found
