"""Views as tables that DataFusion scans.

A subclass of pyarrow's Dataset is enough of a table for DataFusion: `scanner` says which columns a scan has,
`get_fragments` gives one fragment per partition, and a fragment's scanner yields the batches, on a thread of
DataFusion's own. A partition always has the same share of its scan: DataFusion may open it again (a recursive query
does in every step) and must find the same rows, and no call tells which openings belong together. DataFusion trusts a
dataset to apply the filter that it hands over, so `_Batches` does, exactly; the bounds only choose what is read.
None of this is in DataFusion's documentation; tests/query/test_tables.py pins it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from tachy_server.base.errors import Cancelled, LimitError, TachyError
from tachy_server.formats.rows import ROWS
from tachy_server.views import predicates
from tachy_server.views.bounds import ALL, Bounds, TimeColumns, beside_processes, read
from tachy_server.views.declarations import THREAD_SPANS, Kind, View
from tachy_server.views.decode import LARGE, PROCESS_COLUMNS, ColumnCache, Wanted, decode, lengthy
from tachy_server.views.predicates import Node
from tachy_server.views.scans import NO_SCANS, PlannedScan, Scans
from tachy_server.views.sources import Ask, BlockSource, Metadata, ProcessInfo

if TYPE_CHECKING:
    from tachy_server.lake.blocks import Blocks
    from tachy_server.lake.snapshot import Snapshot

PARTITIONS: Final = max(2, min(16, os.cpu_count() or 2))
PART_ROWS: Final = 4 * ROWS
"""Rows of small blocks that a partition takes at a time at most: their reads are coalesced, their batches full."""
PART_BLOCKS: Final = 1 << 16


@dataclass(slots=True)
class Stop:
    """Why a query has to end; no reason while it may go on."""

    reason: TachyError | None = None

    def check(self) -> None:
        """Raises when the query is over."""
        if self.reason is not None:
            raise type(self.reason)(str(self.reason))


@dataclass(slots=True)
class Session:
    """What the tables of one query share. `begin` and `end` are the client's range, inclusive."""

    lake: BlockSource
    metadata: Metadata
    cache: ColumnCache | None
    block_limit: int
    views: Mapping[str, View]
    begin: int | None = None
    end: int | None = None
    parameters: Sequence[pa.Scalar] | None = None
    """Values of $1, $2, …; None while a statement is only prepared."""
    unbound: set[int] = field(default_factory=set)
    """Parameters that table functions have asked for in vain."""
    scans: Scans = NO_SCANS
    """Those of the plan that runs."""
    failure: TachyError | None = None
    admin: object = None
    """What functions that change something work with; None: who asks may not call them."""
    stop: Stop = field(default_factory=Stop)
    over: bool = False
    """Nobody takes its rows any more."""
    blocks_read: int = 0
    _snapshot: Snapshot | None = None

    @property
    def range(self) -> Bounds:
        """The client's range as bounds."""
        return Bounds(begin=self.begin, end=self.end)

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """All scans that are planned in this `with` see the lake as it is at one moment."""
        with self.lake.snapshot() as self._snapshot:
            try:
                yield
            finally:
                self._snapshot = None

    @contextmanager
    def moment(self) -> Iterator[Snapshot]:
        """The moment of what is being planned; for a subquery that runs later, a moment of its own."""
        shared = self._snapshot
        if shared is None or not shared.join():
            with self.lake.snapshot() as snapshot:
                yield snapshot
            return
        try:
            yield shared
        finally:
            shared.__exit__(None, None, None)

    def check(self) -> None:
        """Raises when the query is over."""
        self.stop.check()
        if self.over:
            raise Cancelled("the query is over")


class Table(ds.Dataset):  # type: ignore[misc] # pyarrow has no types
    """A table of a session: its schema, and what makes its rows: `rows(scan)`, called once per scan in a plan, where
    the table, or the function that gives it, has this name. `by_process`: these are of the processes alone that the
    scan's bounds name.
    """

    def __init__(self, session: Session, name: str, schema: pa.Schema, rows: Rows, *, by_process: bool = False) -> None:
        self._session, self._name, self._schema, self._rows = session, name, schema, rows
        self._by_process = by_process
        self._asked = threading.local()

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self._schema

    def scanner(self, columns: list[str] | None = None, **_: Any) -> _Batches:
        """What DataFusion asks for the schema of a scan, right before its fragments."""
        self._asked.schema = _project(self._schema, columns)
        return _Batches(self._asked.schema, lambda: iter(()))

    def get_fragments(self, filter: pc.Expression | None = None) -> list[_Fragment]:  # noqa: A002
        """One per partition. What they will read is selected now, while the query is planned."""
        projected: pa.Schema = self._asked.schema
        columns = tuple(projected.names)
        planned = self._session.scans.find(self._name, columns, filter)
        tree = planned.filter
        left = beside_processes(tree) if self._by_process else tree
        if left != tree:
            written = None if left is None else predicates.to_arrow(left)
            if left is None or written is not None:
                tree, filter = left, written  # noqa: A001
        read_columns = set() if tree is None else predicates.columns_of(tree)
        names = [name for name in self._schema.names if read_columns is None or name in read_columns]
        needed = tuple(dict.fromkeys([*columns, *names]))
        scan = _Scan(self._session, Scan(columns, needed, filter, tree, planned), self._rows)
        return [_Fragment(scan, projected, number) for number in range(PARTITIONS)]


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan wants: the columns that its result has, those that must be made, the filter that these must satisfy,
    as an expression and, where it can be read, as a tree, and what the plan says of it.
    """

    columns: tuple[str, ...]
    needed: tuple[str, ...]
    filter: pc.Expression | None
    tree: Node | None
    planned: PlannedScan

    def bounds(self, view: View) -> Bounds:
        """What the filter and the plan leave open."""
        return read(self.planned.filter, TimeColumns(view.time[0], view.time[-1])) & self.planned.bounds


Part = Callable[[], Iterator[pa.RecordBatch]]
Rows = Callable[[Scan], Iterator[Part]]
"""Selects, while a query is planned, what a scan will read; and makes its rows in parts that several threads may work
on, each as often as it is asked to; the batches have the needed columns."""


class _Scan:
    """One scan in a plan: its parts, dealt out to the partitions in turn."""

    def __init__(self, session: Session, scan: Scan, rows: Rows) -> None:
        self._session, self._scan = session, scan
        self._parts: list[Part] = []
        self._failure: TachyError | None = None
        try:
            self._parts = list(rows(scan))
        except TachyError as error:  # EXPLAIN plans what cannot be read, too
            self._failure = error

    def batches(self, partition: int) -> Iterator[pa.RecordBatch]:
        """The rows of a partition. Failures are kept, for DataFusion wraps them beyond recognition."""
        try:
            if self._failure is not None:
                raise self._failure
            for part in self._parts[partition::PARTITIONS]:
                self._session.check()
                for batch in part():
                    self._session.check()
                    yield from _finish(batch, self._scan)
        except TachyError as error:
            self._session.failure = self._session.failure or error
            raise


def _finish(batch: pa.RecordBatch, scan: Scan) -> Iterator[pa.RecordBatch]:
    if scan.filter is not None:
        rows = predicates.mask(scan.tree, batch) if scan.tree is not None else None
        if isinstance(rows, pa.Scalar):  # of all of them alike
            batch = batch if rows.as_py() else batch.slice(0, 0)
        else:
            batch = batch.filter(scan.filter if rows is None else rows)
    if len(scan.columns) != batch.num_columns:
        batch = batch.select(list(scan.columns)) if scan.columns else lengthy(batch.num_rows)
    for offset in range(0, batch.num_rows, ROWS):
        yield batch.slice(offset, ROWS)


class _Fragment:
    """A partition of a scan."""

    def __init__(self, scan: _Scan, schema: pa.Schema, number: int) -> None:
        self._scan, self._projected, self._number = scan, schema, number

    def scanner(self, schema: pa.Schema, **_: Any) -> _Batches:
        return _Batches(self._projected, lambda: self._scan.batches(self._number))


class _Batches:
    """What DataFusion reads: the schema, and the batches."""

    def __init__(self, schema: pa.Schema, batches: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        self.projected_schema = schema
        self._batches = batches

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        return self._batches()


def _project(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    return schema if columns is None else pa.schema([schema.field(name) for name in columns])


def batch_table(
    session: Session, name: str, schema: pa.Schema, make: Callable[[Scan], Iterator[pa.RecordBatch]]
) -> Table:
    """A table whose rows one thread makes, with all columns of the schema, when they are asked for."""

    def rows(scan: Scan) -> Iterator[Part]:
        yield lambda: (project(batch, scan) for batch in make(scan))

    return Table(session, name, schema, rows)


def project(batch: pa.RecordBatch, scan: Scan) -> pa.RecordBatch:
    """Of a batch with all columns those that a scan needs."""
    return batch.select(list(scan.needed)) if scan.needed else lengthy(batch.num_rows)


def metadata_table(session: Session, view: View, name: str | None = None) -> Table:
    """A metadata view; `name`: of the table function that gives it."""

    def rows(scan: Scan) -> Iterator[Part]:
        plan = scan.planned
        ask = Ask(scan.needed, scan.bounds(view), plan.filter, plan.limit, plan.order, session.begin, session.end)
        with session.moment() as snapshot:
            yield session.metadata.rows(snapshot, view, ask)

    return Table(session, name or view.name, view.schema, rows)


def event_table(session: Session, view: View, scope: Bounds = ALL, name: str | None = None) -> Table:
    """A view of events, or the part of it that `scope` says; `name` as in `metadata_table`."""
    return part_table(session, view, scope & session.range, name)


def part_table(session: Session, view: View, scope: Bounds, name: str | None = None) -> Table:
    """The rows of a view of events within the bounds, whatever range the client asks for."""

    def rows(scan: Scan) -> Iterator[Part]:
        return block_parts(session, view, scan.bounds(view) & scope, scan)

    return Table(session, name or view.name, view.schema, rows, by_process=True)


def block_parts(session: Session, view: View, bounds: Bounds, scan: Scan) -> Iterator[Part]:
    """The blocks that may hold rows within the bounds, decoded a few at a time."""
    if bounds.nothing:
        return
    with session.moment() as snapshot:
        blocks, open_ends = select_blocks(session, snapshot, view, bounds)
        processes: dict[UUID, ProcessInfo] = {}
        if len(blocks) and not PROCESS_COLUMNS.isdisjoint(scan.needed):
            processes = session.metadata.describe(snapshot, blocks.process_ids)
    wanted = Wanted(bounds.begin, bounds.end, bounds.stream_ids, open_ends)
    for part in parts_of(blocks):
        yield partial(decoded, session, view, part, wanted, scan.needed, processes)


def parts_of(blocks: Blocks) -> list[Blocks]:
    """As many as make some batches, a share for each partition; large blocks by themselves, for they may be cached."""
    events = blocks.columns.column("events")
    share = blocks.events // (PARTITIONS * 4)
    before = pc.subtract(pc.cumulative_sum(events), events)
    number = pc.divide(before, max(ROWS, min(share, PART_ROWS)))
    large = pc.greater_equal(events, LARGE)
    return blocks.split(pc.or_(pc.not_equal(large[1:], large[:-1]), pc.not_equal(number[1:], number[:-1])))


def decoded(
    session: Session,
    view: View,
    blocks: Blocks,
    wanted: Wanted,
    columns: Sequence[str],
    processes: Mapping[UUID, ProcessInfo],
) -> Iterator[pa.RecordBatch]:
    """The rows of some blocks of a scan, while its query goes on."""
    session.blocks_read += len(blocks)
    for batch in decode(session.lake, view, blocks, wanted, columns, processes, session.cache):
        session.check()
        yield batch


def select_blocks(
    session: Session, snapshot: Snapshot, view: View, bounds: Bounds, asked: str = ""
) -> tuple[Blocks, frozenset[UUID]]:
    """The blocks to decode, and which of them are their process's newest, whose open spans are rows too. `asked`: the
    view that the query names, where that is another one.

    A range may miss the newest block although a span that is open in it has been open since before the range's end, so
    that block is looked up by its number.
    """
    limit = session.block_limit if view.kind is Kind.LAZY else 0
    with_open = view is THREAD_SPANS and bounds.open
    if view.late and bounds.end is not None:
        heard = snapshot.select_blocks(
            view.cls, begin=bounds.begin, end=bounds.end, process_ids=bounds.process_ids, stream_ids=bounds.stream_ids
        )
        bounds = replace(bounds, end=None, process_ids=frozenset(heard.process_ids))
    wanted = bounds.closed or not with_open
    blocks = snapshot.select_blocks(
        view.cls,
        begin=bounds.begin,
        end=bounds.end,
        process_ids=bounds.process_ids if wanted else (),
        stream_ids=bounds.stream_ids,
        block_ids=bounds.block_ids,
        chosen=bounds.chosen,
        limit=limit + 1 if limit else None,
    )
    if limit and len(blocks) > limit:
        raise LimitError(
            f"{asked or view.name}: this query needs more than {limit} blocks; narrow it with a time range or with "
            f"process_id = '…', or raise the server's setting lazy_block_limit"
        )
    if not with_open:
        return blocks, frozenset()
    newest = session.metadata.newest_span_blocks(snapshot, bounds)
    found = blocks.ending_with({process: number for process, (number, _) in newest.items()})
    missing = {process: newest[process] for process in newest.keys() - found.keys()}
    if missing:
        times = [time for _, time in missing.values()]
        others = snapshot.select_blocks(
            view.cls,
            begin=min(times),
            end=max(times),
            process_ids=missing.keys(),
            stream_ids=bounds.stream_ids,
            block_ids=bounds.block_ids,
        )
        more = others.ending_with({process: number for process, (number, _) in missing.items()})
        blocks, found = blocks + others.only(more.values()), found | more
    return blocks, frozenset(found.values())
