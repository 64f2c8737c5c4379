"""What fills the files of materialized views: step by step, each a transaction that a kill undoes.

A step takes segments that came before some time, runs the SELECTs of the views that do not cover them over exactly
these, and commits files and coverage together; or it merges the files of an hour, and later those of a day, into one.
Several may work on one database.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, Final

import pyarrow as pa

from tachy_server.base.errors import QueryError, StoreError
from tachy_server.formats import parquet
from tachy_server.lake import block_errors, catalog, materialized
from tachy_server.lake.database import Connection
from tachy_server.lake.lake import Lake
from tachy_server.lake.segments import Chosen
from tachy_server.query import planned_scans
from tachy_server.query.contexts import Contexts
from tachy_server.query.materialized.apart import Inputs
from tachy_server.query.materialized.changes import create, drop
from tachy_server.query.materialized.definition import Shape
from tachy_server.query.materialized.known import BUILT_IN, FOR_OTHERS, Stored, defined, everything
from tachy_server.query.materialized.reading import extracted, merged
from tachy_server.views.declarations import View
from tachy_server.views.sources import Metadata
from tachy_server.views.tables import Session, Stop

UNIT_BYTES: Final = 64 << 20
"""Of segments that are taken at a time."""
FILE_ROWS: Final = 1 << 21
"""Most of a file: they are sorted in memory, with some 100 bytes each of events."""
_HOUR: Final = 3600 * 10**9
_NONE: Final[frozenset[str]] = frozenset()
_NO_SEGMENTS: Final = Chosen(keys=_NONE)


class _UnreadableError(Exception):
    """A block of the segments cannot be read: they are taken without its segment."""


class Materializer:
    """Works in a process of its own that may be killed at any time."""

    def __init__(
        self,
        lake: Lake,
        metadata: Metadata,
        contexts: Contexts,
        views: Mapping[str, View],
        seconds: float,
        for_others: Collection[str] = (),
        stop: Stop | None = None,
    ) -> None:
        """Of segments those are taken together that came within so many seconds (0: ten minutes), when these are over;
        `for_others`: the views of the server's that have files, too.
        """
        self._lake, self._metadata, self._contexts, self._views = lake, metadata, contexts, views
        self._own = {**BUILT_IN, **{name: FOR_OTHERS[name] for name in for_others}}
        self._slot, self._stop = int((seconds or 600) * 10**9), stop or Stop()

    def shape(self, view: Stored) -> Shape:
        """Of a view that may be made. Raises QueryError where its results do not add up."""
        return merged(self._session(), self._contexts.around, view.definition, Inputs())[1]

    def step(self, now: int | None = None) -> str | None:
        """Does what is due next and says it in words; None: nothing is. Raises StoreError, QueryError."""
        time_ = time.time_ns() if now is None else now
        with self._lake.connection() as connection:
            self._make_own(connection, time_)
            return (
                self._make_again(connection, time_)
                or self._extract(connection, self._stored(connection), 0, time_ // self._slot * self._slot)
                or self._merge(connection, time_)
            )

    def fill(self, name: str, begin: int, end: int) -> str | None:
        """The next step of what puts into the files of one view what came at [begin, end), UTC nanoseconds, and says it
        in words; None: nothing is left, or somebody else is at it. Raises StoreError, QueryError.
        """
        now = time.time_ns()
        with self._lake.connection() as connection:
            self._make_own(connection, now)
            views = [view for view in self._stored(connection) if view.name == name]
            if not views:
                raise QueryError(f"there is no materialized view {name}")
            return self._extract(connection, views, begin, min(end, now))

    def _make_own(self, connection: Connection, now: int) -> None:
        there = {row.name: defined(row.definition).statement for row in materialized.stored(connection)}
        for view in self._own.values():
            if there.get(view.name) != view.statement:
                create(connection, view, self.shape(view), now, "", replace=True)
        for name in FOR_OTHERS.keys() & there.keys() - self._own.keys():
            with connection.transaction():
                drop(connection, name)

    def _make_again(self, connection: Connection, now: int) -> str | None:
        """The files of a view's day, one of which is lost."""
        for key in materialized.lost(connection):
            if materialized.make_again(connection, key, now):
                return f"{key} is lost: the files of its day are made again"
        return None

    def _extract(self, connection: Connection, views: list[Stored], since: int, before: int) -> str | None:
        """Of what came since a time and before another."""
        bad = self._unreadable(connection)
        try:
            with self._transaction(connection) as made:
                there = {view.table for view in self._stored(connection)}
                views = [view for view in views if view.table in there]  # since now they stay
                unit = materialized.claim(
                    connection, [each.table for each in views], since, before, self._slot, bad, UNIT_BYTES,
                )  # fmt: skip
                if unit is None:
                    return None
                place, inputs = f"{unit.day}/{unit.first_time // _HOUR % 24:02}", Inputs(chosen=Chosen(keys=unit.keys))
                missing = [view for view in views if view.table not in unit.covered]
                written = [(view, self._files(made, view, inputs, place)) for view in missing]
                if self._unreadable(connection) - bad:
                    raise _UnreadableError
                for view, files in written:  # nobody else commits from the first of them on
                    if files:
                        catalog.commit(connection, view.table, files, [])
                materialized.cover(connection, unit, [each.table for each in views])
        except _UnreadableError:
            return "once more, without a segment that cannot be read"
        return f"{len(unit.keys)} segments of {unit.day} are in files"

    def _merge(self, connection: Connection, now: int) -> str | None:
        """The files of an hour, or of a day, that is over, of the first view that has such."""
        with self._transaction(connection) as made:
            lost = set(materialized.lost(connection))
            for view in self._stored(connection):
                if not _first_due(connection, view, lost, now) or not materialized.have(connection, view.name):
                    continue
                due = _first_due(
                    connection, view, lost, now
                )  # once more: until a moment ago another may have been at it
                if due is not None:
                    place, keys = due
                    files = self._files(made, view, Inputs(view.table, _NO_SEGMENTS, keys), place)
                    catalog.commit(connection, view.table, files, keys)
                    return f"{len(keys)} files of {view.name} are one"
        return None

    def _files(self, made: list[str], view: Stored, inputs: Inputs, place: str) -> list[parquet.DataFile]:
        """Of what the view's SELECT gives of segments, or of files, merged."""
        shape, tables = self._rows(view, inputs)
        return [self._write(made, view, shape, table, place) for table in tables]

    def _rows(self, view: Stored, inputs: Inputs) -> tuple[Shape, Iterator[pa.Table]]:
        """As tables for a file each."""
        session = self._session()
        planned = extracted if inputs.files is None else merged
        frame, shape = planned(session, self._contexts.around, view.definition, inputs)
        with session.one_moment():
            plan = frame.optimized_logical_plan()
            session.scans = planned_scans.scans(plan, self._views)
            stream = frame.execute_stream()
        return shape, _tables(_batches(session, stream, shape.schema))

    def _session(self) -> Session:
        return Session(self._lake, self._metadata, None, 0, self._views, stop=self._stop)

    def _stored(self, connection: Connection) -> list[Stored]:
        views = everything(materialized.stored(connection)).values()
        return [view for view in views if view.table_id is not None]

    def _write(self, made: list[str], view: Stored, shape: Shape, table: pa.Table, place: str) -> parquet.DataFile:
        key = materialized.file_key(view.table, place)
        file, data = parquet.write(key, parquet.ordered(table, shape.sort), shape.sort)
        self._lake.store.put_new(key, [data])
        made.append(key)
        return file

    @contextlib.contextmanager
    def _transaction(self, connection: Connection) -> Iterator[list[str]]:
        """One in which no view comes or goes; objects that were made in vain are removed."""
        made: list[str] = []
        outcome_known = True
        try:
            with connection.transaction():
                materialized.stay(connection)
                yield made
                outcome_known = False
        except BaseException:
            if outcome_known:
                with contextlib.suppress(StoreError):
                    self._lake.store.remove_all(made)
            raise

    def _unreadable(self, connection: Connection) -> frozenset[str]:
        """Keys of segments with blocks that could not be read the last time."""
        noted = [block_id for block_id, _ in connection.execute(block_errors.OF_CLASS, (0,))]
        return frozenset(row.segment_key for row in self._lake.select_blocks(0, block_ids=noted)) if noted else _NONE


def _batches(session: Session, stream: Iterable[Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    try:
        for batch in stream:
            yield pa.RecordBatch.from_arrays(batch.to_pyarrow().columns, schema=schema)
    except Exception as error:  # DataFusion wraps ours beyond recognition
        raise session.failure or error from None


def _tables(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        if waiting and rows + batch.num_rows > FILE_ROWS:
            yield pa.Table.from_batches(waiting)
            waiting, rows = [], 0
        if batch.num_rows:
            waiting.append(batch)
            rows += batch.num_rows
    if waiting:
        yield pa.Table.from_batches(waiting)


def _first_due(
    connection: Connection, view: Stored, lost: Collection[str], now: int
) -> tuple[str, frozenset[str]] | None:
    """Files of a view that may be one, and the place of that one; None: there are none."""
    there = {key: rows for key, rows in catalog.rows(connection, view.table).items() if key not in lost}
    return next(_due(there, now), None)


def _due(files: Mapping[str, int], now: int) -> Iterator[tuple[str, frozenset[str]]]:
    """Files that may be one, given their rows, and the place of that one: those of a day that is over, then those of an
    hour.
    """
    today, hour = _place(now)
    places: dict[str, dict[str, int]] = defaultdict(dict)
    for key, rows in files.items():
        place = materialized.place_of(key)
        day = place.partition("/")[0]
        if day < today:
            places[f"{day}/day"][key] = rows
        elif place < hour:
            places[place][key] = rows
    for place, of_place in sorted(places.items()):
        small = _small(of_place)
        if len(small) > 1:
            yield place, small


def _small(files: Mapping[str, int]) -> frozenset[str]:
    """As many of the smallest as are one file."""
    keys = sorted(files, key=lambda key: (files[key], key))
    totals = accumulate(files[key] for key in keys)
    return frozenset(key for key, total in zip(keys, totals, strict=True) if total <= FILE_ROWS)


def _place(now: int) -> tuple[str, str]:
    moment = datetime.datetime.fromtimestamp(now // 10**9, datetime.UTC)
    return f"{moment:%Y-%m-%d}", f"{moment:%Y-%m-%d/%H}"
