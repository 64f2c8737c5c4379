"""A lake in memory: what a query needs of storage and metadata, in a few plain lines, to test the engine by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from tachy_server.formats import block_index, reader
from tachy_server.formats.reader import SPAN, Limits
from tachy_server.formats.segments import Record, SegmentWriter
from tachy_server.lake.block_reads import BlocksRead
from tachy_server.lake.blocks import BlockRow, Blocks
from tachy_server.lake.visible import EVERYTHING, Visible
from tachy_server.views.bounds import Bounds
from tachy_server.views.declarations import View
from tachy_server.views.decode import lengthy
from tachy_server.views.sources import Ask, ProcessInfo


@dataclass
class FakeLake:
    """Blocks and processes; every batch is a segment. `reads` holds the ids of the blocks that were read."""

    indexes: list[bytes] = field(default_factory=list)
    segments: list[tuple[str, int]] = field(default_factory=list)
    data: dict[UUID, bytes] = field(default_factory=dict)
    processes: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    reads: list[UUID] = field(default_factory=list)
    delay: float = 0.0
    limits: Limits = field(default_factory=Limits)
    errors: dict[UUID, str] = field(default_factory=dict)
    visible: Visible = EVERYTHING
    at_once: int = 5
    """Blocks that are read together."""

    @property
    def rows(self) -> list[BlockRow]:
        """All blocks."""
        return [row for cls in (1, 2, 3) for row in self.select_blocks(cls)]

    def add(self, batch: bytes) -> None:
        checked = reader.check_batch(batch)
        self.processes[checked.process_id] = dict(checked.description)
        for offset, size, head in checked.blocks:
            block_id = reader.block_id(head.process_id, head.cls, head.sequence)
            self.data[block_id] = bytes(batch[offset : offset + size])
        inserted = max((head.end_utc for _, _, head in checked.blocks), default=0) + 1_000_000
        writer = SegmentWriter()
        writer.add(batch, checked)
        index, parts = writer.finish(Record(inserted, 1))
        self.indexes.append(index)
        self.segments.append(("", inserted))
        self.keep(parts)

    def keep(self, parts: list[Any]) -> None:
        """The bytes of a segment; here each block has its own, which a test may damage."""

    def join(self) -> bool:
        """As a snapshot that is over: whoever comes later takes another."""
        return False

    def snapshot(self) -> AbstractContextManager[FakeLake]:
        return nullcontext(self)

    def seen_by(self, visible: Visible) -> FakeLake:
        return self

    def select_blocks(
        self,
        cls: int,
        *,
        begin: int | None = None,
        end: int | None = None,
        process_ids: Collection[UUID] | None = None,
        stream_ids: Collection[UUID] | None = None,
        block_ids: Collection[UUID] | None = None,
        chosen: None = None,
        limit: int | None = None,
    ) -> Blocks:
        rows = block_index.select(
            self.indexes, cls, begin=begin, end=end, process_ids=process_ids, stream_ids=stream_ids,
            block_ids=block_ids, limit=limit,
        )  # fmt: skip
        return Blocks(rows, self.segments, self.errors)

    def blocks_before(self, cls: int, process_id: UUID, time: int) -> Blocks:
        blocks = self.select_blocks(cls, process_ids=[process_id])
        return blocks.filter(pc.less(blocks.columns.column("end_time"), time))[-1:]

    def read(self, blocks: Blocks) -> Iterator[BlocksRead]:
        for start in range(0, len(blocks), self.at_once):
            some = blocks[start : start + self.at_once]
            buffers = []
            for row in some:
                self.reads.append(row.block_id)
                time.sleep(self.delay)
                buffers.append(pa.py_buffer(self.data[row.block_id]))
            yield BlocksRead(some, pa.array([buffer.address for buffer in buffers], pa.int64()), buffers)

    def file(self, key: str, size: int) -> memoryview:
        raise NotImplementedError

    def note_error(self, row: BlockRow, reason: str | None) -> None:
        if reason is None:
            del self.errors[row.block_id]
        else:
            self.errors[row.block_id] = reason


@dataclass
class FakeMetadata:
    """Metadata of a FakeLake."""

    lake: FakeLake

    def rows(self, snapshot: Any, view: View, ask: Ask) -> Callable[[], Iterator[pa.RecordBatch]]:
        entries = []
        if view.name == "processes":
            entries = [
                {**description, "properties": json.dumps(description["properties"]), "end_state": description["state"]}
                for process_id, description in self.lake.processes.items()
                if ask.bounds.process_ids is None or process_id in ask.bounds.process_ids
            ]
        if not ask.columns:
            return lambda: iter([lengthy(len(entries))])
        columns = [view.column(name) for name in ask.columns]
        arrays = [pa.array([entry.get(column.name) for entry in entries]).cast(column.type) for column in columns]
        return lambda: iter([pa.RecordBatch.from_arrays(arrays, names=list(ask.columns))])

    def materialized_views(self, snapshot: Any) -> list[Any]:
        return []

    def newest_span_blocks(self, snapshot: Any, bounds: Bounds) -> dict[UUID, tuple[int, int]]:
        rows = self.lake.select_blocks(SPAN, process_ids=bounds.process_ids)
        return {row.process_id: (row.sequence, row.end_time) for row in rows}

    def streams_named(
        self, snapshot: Any, name: str, cls: int, process_ids: Collection[UUID] | None
    ) -> frozenset[UUID]:
        return frozenset(
            reader.stream_id(row.process_id, cls, thread.number)
            for row in self.lake.rows
            if row.cls == cls and (process_ids is None or row.process_id in process_ids)
            for thread in reader.read_head(self.lake.data[row.block_id]).threads
            if thread.name == name
        )

    def describe(self, snapshot: Any, process_ids: Collection[UUID]) -> dict[UUID, ProcessInfo]:
        return {
            process_id: ProcessInfo(d["exe"], d["username"], d["computer"], json.dumps(d["properties"]))
            for process_id, d in self.lake.processes.items()
            if process_id in process_ids
        }
