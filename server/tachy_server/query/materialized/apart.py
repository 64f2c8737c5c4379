"""Which rows of a materialized view's files have to be merged with others, and which are the view's as they are.

A file has each row once, and rows of different times are never merged where the view groups by its time (Shape.bin). So
a row of a time at which no other file has any, nor events that no file covers, need not be grouped again, which would
be most of what a query of a day of `span_stats` costs. Two scans share the files: one has the rows of such times, the
other the rest. They are told so once in a query, or a row might be in both, or in neither.
"""

from __future__ import annotations

import functools
import operator
import threading
import weakref
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.errors import QueryError
from tachy_server.lake import catalog, materialized
from tachy_server.lake.segments import Chosen
from tachy_server.lake.snapshot import Snapshot
from tachy_server.query.materialized.definition import Shape
from tachy_server.views.bounds import ALL, Bounds, TimeColumns, read
from tachy_server.views.tables import Session, select_blocks

Times = tuple[int, int]
"""[begin, end), UTC nanoseconds."""

_FIRST: Final = -(1 << 63)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Of which segments the SELECT is run, and of which files the rows are merged with it (None: all there are);
    `table_id` None: there are none.
    """

    table_id: int | None = None
    chosen: Chosen | None = None
    files: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a view (see catalog.files), and the times at which one of them has rows and nothing else does."""

    files: Sequence[tuple[str, int, int, int | None, int | None]]
    times: Sequence[Times]


class Apart:
    """The files of a view in one query, and what the two scans of them have; `names`: of the tables of those rows that
    are to be merged, and of those that are not.
    """

    def __init__(self, session: Session, name: str, shape: Shape, inputs: Inputs) -> None:
        self._session, self.shape, self._inputs = session, shape, inputs
        self.names = (name, f"{name}/apart")
        self._lock = threading.Lock()
        self._found: Files | None = None
        self._data: weakref.WeakValueDictionary[str, pa.Buffer] = weakref.WeakValueDictionary()

    def files(self, snapshot: Snapshot) -> Files:
        """The same for both scans: what is there when the first of them begins. Raises QueryError."""
        with self._lock:
            if self._found is None:
                self._found = self._find(snapshot)
            return self._found

    def data(self, key: str, size: int) -> pa.Buffer:
        """Of a file, which those have together who read it at the same time. Raises StoreError."""
        found = self._data.get(key)
        if found is None:
            found = self._data[key] = pa.py_buffer(self._session.lake.file(key, size))
        return found

    def _find(self, snapshot: Snapshot) -> Files:
        table_id, only = self._inputs.table_id, self._inputs.files
        assert table_id is not None
        if not materialized.is_there(snapshot.select, table_id):
            raise QueryError(f"{self.names[0]} was dropped, or made anew, while this query was planned: ask again")
        found = catalog.files(snapshot.select, table_id, self.shape.time)
        files = [file for file in found if only is None or file[0] in only]
        if self.shape.bin is None:
            return Files(files, ())
        of_files = [(first, last + 1) for *_, first, last in files if first is not None and last is not None]
        return Files(files, of_one(of_files, self._beside(snapshot, self.shape.bin)))

    def _beside(self, snapshot: Snapshot, width: int) -> list[Times]:
        """Times at which events may have rows that no file covers, as far as this query asks for them."""
        chosen, source = self._inputs.chosen, self.shape.source
        if chosen is None or chosen.uncovered is None:
            return []
        asked = self._asked()
        end = None if asked.end is None else asked.end + width
        scope = Bounds(begin=asked.begin, end=None if source.late else end)
        days = snapshot.days(begin=scope.begin, end=scope.end)
        times = materialized.uncovered(snapshot.select, days, chosen.uncovered, source.cls)
        times = [(begin - width, last) for begin, last in times if scope.overlap(begin, last)]
        if not source.late or not times:
            return times
        blocks, _ = select_blocks(
            self._session, snapshot, source, Bounds(begin=asked.begin, end=end, open=False, chosen=chosen)
        )
        return [(_FIRST, max(last for _, last in times))] if len(blocks) else []

    def _asked(self) -> Bounds:
        """Of which times either scan has rows."""
        scans = self._session.scans
        mine = [scan for scan in scans.planned if scan.table in self.names]
        if not mine or not scans.unseen.isdisjoint(self.names):
            return ALL
        times = TimeColumns(self.shape.time, self.shape.time)
        return functools.reduce(operator.or_, (read(scan.filter, times) & scan.bounds for scan in mine))


@dataclass(frozen=True, slots=True)
class Share:
    """The rows of some times, or all the others."""

    times: Sequence[Times]
    inside: bool

    def may_have(self, first: int | None, last: int | None) -> bool:
        """Whether it can have some of the rows between these times; None: they have none."""
        if first is None or last is None:
            return not self.inside
        if self.inside:
            return any(begin <= last and first < end for begin, end in self.times)
        return not any(begin <= first and last < end for begin, end in self.times)

    def of(self, batch: pa.RecordBatch, time: str) -> pa.RecordBatch:
        """Its rows."""
        at = batch.column(time).cast(pa.int64())
        within = [pc.and_(pc.greater_equal(at, begin), pc.less(at, end)) for begin, end in self.times]
        if not within:
            return batch.slice(0, 0) if self.inside else batch
        inside = pc.fill_null(functools.reduce(pc.or_, within), False)
        return batch.filter(inside if self.inside else pc.invert(inside))


def of_one(files: Iterable[Times], others: Iterable[Times]) -> list[Times]:
    """The times that one of the files has, and nothing else."""
    depth: Counter[int] = Counter()
    for weight, all_times in ((1, files), (2, others)):
        for begin, end in all_times:
            depth[begin] += weight
            depth[end] -= weight
    edges = sorted(depth)
    counts = accumulate(depth[edge] for edge in edges)
    return [times for times, count in zip(pairwise(edges), counts, strict=False) if count == 1]
