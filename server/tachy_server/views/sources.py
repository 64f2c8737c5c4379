"""What the query side asks of the rest of the server: blocks from the lake, metadata from PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import pyarrow as pa

if TYPE_CHECKING:
    from tachy_server.formats.reader import Limits
    from tachy_server.lake.lake import BlockRow, Stored
    from tachy_server.views.bounds import Bounds
    from tachy_server.views.declarations import View


class BlockSource(Protocol):
    """What a query reads events from; `lake.Lake` is one."""

    limits: Limits
    """Of the blocks that are read; larger ones cannot be."""

    def select_blocks(
        self,
        cls: int,
        *,
        begin: int | None = None,
        end: int | None = None,
        process_ids: Collection[UUID] | None = None,
        stream_ids: Collection[UUID] | None = None,
        block_ids: Collection[UUID] | None = None,
        limit: int | None = None,
    ) -> list[BlockRow]:
        """Blocks of a class that overlap [begin, end], in the order of process and sequence."""
        ...

    def block_before(self, cls: int, process_id: UUID, time: int) -> BlockRow | None:
        """The newest block of a process and class that ends before `time`."""
        ...

    def read_blocks(self, rows: Iterable[BlockRow]) -> Iterator[tuple[BlockRow, Stored]]:
        """Their bytes, as stored, or why there are none."""
        ...

    def read_block(self, row: BlockRow) -> memoryview:
        """The bytes of one."""
        ...

    def note_error(self, row: BlockRow, reason: str | None) -> None:
        """The block cannot be read because of this; None: it can, after all."""
        ...

    def connection(self) -> AbstractContextManager[Any]:
        """A connection to PostgreSQL."""
        ...


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """What every event of a process has in common."""

    exe: str
    username: str
    computer: str
    properties: str


NOBODY = ProcessInfo("", "", "", "{}")


class Metadata(Protocol):
    """What a query knows of processes, streams and blocks; `metadata_rows.PostgresMetadata` is one."""

    def rows(self, view: View, bounds: Bounds, begin: int | None, end: int | None) -> pa.RecordBatch:
        """Rows of a metadata view, with all its columns: those in the client's range, that the bounds leave open."""
        ...

    def newest_span_blocks(self, bounds: Bounds) -> dict[UUID, int]:
        """Sequence of the newest span block of each process that is not over before bounds.begin."""
        ...

    def describe(self, process_ids: Collection[UUID]) -> dict[UUID, ProcessInfo]:
        """The processes of these ids that are known."""
        ...
