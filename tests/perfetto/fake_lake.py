"""A lake in memory, as much of one as a trace needs: blocks of the model, and a connection that knows processes."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tachy_server.formats.reader import Limits, block_id
from tachy_server.lake.visible import EVERYTHING, Visible

from tests.model.encoder import Process
from tests.model.records import BLOCK_HEADER, Block


@dataclass(frozen=True)
class Row:
    process_id: UUID
    cls: int
    sequence: int
    header_size: int
    codec: int
    raw_size: int
    stored_size: int
    begin_time: int
    end_time: int
    data: bytes
    block_id: UUID
    sequences: int = 1
    error: str | None = None


def row_of(process_id: UUID, block: Block) -> Row:
    h = BLOCK_HEADER.unpack_from(block.data)
    return Row(
        process_id, h[2], h[7], h[4], h[3], h[19], h[20], h[15], h[16], block.data, block_id(process_id, h[2], h[7])
    )


@dataclass
class FakeLake:
    rows: list[Row] = field(default_factory=list)
    processes: dict[UUID, Process] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    errors: dict[UUID, str | None] = field(default_factory=dict)
    visible: Visible = EVERYTHING

    def store(self, process: Process, blocks: list[Block]) -> None:
        self.processes[process.process_id] = process
        self.rows += [row_of(process.process_id, block) for block in blocks]

    def select_blocks(
        self, cls: int, *, begin: int | None = None, end: int | None = None, process_ids: Collection[UUID] | None = None
    ) -> list[Row]:
        chosen = [
            row
            for row in self.rows
            if row.cls == cls
            and (process_ids is None or row.process_id in process_ids)
            and (end is None or row.begin_time <= end)
            and (begin is None or row.end_time >= begin)
        ]
        return sorted(chosen, key=lambda row: (row.process_id.bytes, row.sequence))

    def block_before(self, cls: int, process_id: UUID, time: int) -> Row | None:
        rows = [r for r in self.rows if r.cls == cls and r.process_id == process_id and r.end_time < time]
        return max(rows, key=lambda row: row.sequence, default=None)

    def note_error(self, row: Row, reason: str | None) -> None:
        self.errors[row.block_id] = reason

    def read_blocks(self, rows: Iterable[Row]) -> Iterator[tuple[Row, memoryview]]:
        for row in rows:
            yield row, memoryview(row.data)

    def snapshot(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext(self)

    def select(self, statement: str, parameters: list[list[UUID]]) -> list[tuple[Any, ...]]:
        found = []
        for process_id in parameters[0]:
            if process_id in self.processes:
                d = self.processes[process_id].description
                latest = max((row.end_time for row in self.rows if row.process_id == process_id), default=None)
                texts = [d[key] for key in ("exe", "username", "computer", "distro", "cpu_brand", "sdk", "state")]
                found.append((process_id, *texts, d["start_time"], latest, d["properties"]))
        return found
