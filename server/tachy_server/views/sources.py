"""What the query side asks of the rest of the server: blocks from the lake, metadata from PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import pyarrow as pa

if TYPE_CHECKING:
    from tachy_server.formats.reader import Limits
    from tachy_server.lake.block_reads import BlocksRead
    from tachy_server.lake.blocks import BlockRow, Blocks
    from tachy_server.lake.materialized import MaterializedView
    from tachy_server.lake.snapshot import Snapshot
    from tachy_server.lake.visible import Visible
    from tachy_server.views.bounds import Bounds
    from tachy_server.views.declarations import View
    from tachy_server.views.predicates import Node
    from tachy_server.views.scans import Order


class BlockSource(Protocol):
    """What a query reads events from; `lake.Lake` is one."""

    limits: Limits
    """Of the blocks that are read; larger ones cannot be."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """What is there at one moment."""
        ...

    def seen_by(self, visible: Visible) -> BlockSource:
        """The same, without the processes that are not visible."""
        ...

    def read(self, blocks: Blocks) -> Iterator[BlocksRead]:
        """Their bytes, as stored, many at a time; or why there are none."""
        ...

    def file(self, key: str, size: int) -> memoryview:
        """A whole object of that size."""
        ...

    def note_lost(self, key: str, reason: str) -> None:
        """The file of a view cannot be read because of this."""
        ...

    def note_error(self, row: BlockRow, reason: str | None) -> None:
        """The block cannot be read because of this; None: it can, after all."""
        ...


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """What every event of a process has in common."""

    exe: str
    username: str
    computer: str
    properties: str


NOBODY = ProcessInfo("", "", "", "{}")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a scan wants of a metadata view: rows in [begin, end] that satisfy bounds and filter, with these columns; of
    those with a limit the first ones of an order.
    """

    columns: tuple[str, ...]
    bounds: Bounds
    filter: Node | None = None
    limit: int | None = None
    order: tuple[Order, ...] = ()
    begin: int | None = None
    end: int | None = None


class Metadata(Protocol):
    """What a query knows of processes, streams and blocks; `metadata_rows.PostgresMetadata` is one."""

    def rows(self, snapshot: Snapshot, view: View, ask: Ask) -> Callable[[], Iterator[pa.RecordBatch]]:
        """Selects what a scan of a metadata view asks for, or more of its rows; the same whenever they are read."""
        ...

    def materialized_views(self, snapshot: Snapshot) -> list[MaterializedView]:
        """Those that have a table in the catalog."""
        ...

    def newest_span_blocks(self, snapshot: Snapshot, bounds: Bounds) -> dict[UUID, tuple[int, int]]:
        """Sequence number and end of the newest span block of each process, unless it is before bounds.begin."""
        ...

    def streams_named(
        self, snapshot: Snapshot, name: str, cls: int, process_ids: Collection[UUID] | None
    ) -> frozenset[UUID]:
        """The streams of a class whose threads have that name, of these processes; None: of all."""
        ...

    def describe(self, snapshot: Snapshot, process_ids: Collection[UUID]) -> dict[UUID, ProcessInfo]:
        """The processes of these ids that are known."""
        ...
