"""What fills the files of materialized views: step by step, each a transaction that a kill undoes.

A step takes segments that came before some time, runs the SELECTs of the views that do not cover them over exactly
these, and commits files and coverage together; or it merges the files of an hour, and later those of a day, into one.
Several may work on one database.
"""

from __future__ import annotations

import contextlib
import datetime
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from tachy_server.base.errors import StoreError
from tachy_server.formats import parquet
from tachy_server.lake import block_errors, catalog, materialized
from tachy_server.lake.database import Connection
from tachy_server.lake.lake import Lake
from tachy_server.lake.segments import Chosen
from tachy_server.query import planned_scans
from tachy_server.query.contexts import Contexts
from tachy_server.query.materialized.changes import create
from tachy_server.query.materialized.definition import Definition, Shape
from tachy_server.query.materialized.known import BUILT_IN, Stored, everything
from tachy_server.query.materialized.reading import Inputs, extracted, merged
from tachy_server.views.declarations import View
from tachy_server.views.sources import Metadata
from tachy_server.views.tables import Session, Stop

UNIT_BYTES: Final = 64 << 20
"""Of segments that are taken at a time."""
_HOUR: Final = 3600 * 10**9
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class _View:
    """A view that has a table."""

    definition: Definition
    table_id: int

    @property
    def name(self) -> str:
        return self.definition.name


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
        stop: Stop | None = None,
    ) -> None:
        """Of segments those are taken together that came within so many seconds, when these are over."""
        self._lake, self._metadata, self._contexts, self._views = lake, metadata, contexts, views
        self._slot, self._stop = int(seconds * 10**9), stop or Stop()

    def shape(self, view: Stored) -> Shape:
        """Of a view that may be made. Raises QueryError where its results do not add up."""
        return merged(self._session(), self._contexts.around, view.definition, Inputs())[1]

    def step(self, now: int | None = None) -> str | None:
        """Does what is due next and says it in words; None: nothing is. Raises StoreError, QueryError."""
        time_ = time.time_ns() if now is None else now
        with self._lake.connection() as connection:
            there = {row.name: row.definition for row in materialized.stored(connection)}
            for view in BUILT_IN.values():
                if there.get(view.name) != view.statement:
                    create(connection, view, self.shape(view), time_, replace=True)
            return self._extract(connection, time_) or self._merge(connection, time_)

    def _extract(self, connection: Connection, now: int) -> str | None:
        bad = self._unreadable(connection)
        try:
            with self._transaction(connection) as made:
                views = self._stored(connection)
                unit = materialized.claim(
                    connection, [each.table_id for each in views], now // self._slot * self._slot, self._slot, bad,
                    UNIT_BYTES,
                )  # fmt: skip
                if unit is None:
                    return None
                for view in views:
                    if view.table_id not in unit.covered:
                        table, shape = self._rows(view, Inputs(chosen=Chosen(keys=unit.keys)))
                        place = f"{unit.day}/{unit.first_time // _HOUR % 24:02}"
                        catalog.commit(connection, view.table_id, self._write(made, view, shape, table, place), [])
                if self._unreadable(connection) - bad:
                    raise _UnreadableError
                materialized.cover(connection, unit, [each.table_id for each in views])
        except _UnreadableError:
            return "once more, without a segment that cannot be read"
        return f"{len(unit.keys)} segments of {unit.day} are in files"

    def _merge(self, connection: Connection, now: int) -> str | None:
        """The files of an hour, or of a day, that is over, of the first view that has such."""
        with self._transaction(connection) as made:
            for view in self._stored(connection):
                for place, keys in _due(catalog.keys(connection, view.table_id), now):
                    if materialized.have(connection, view.name):
                        inputs = Inputs(view.table_id, Chosen(keys=frozenset()), keys)
                        table, shape = self._rows(view, inputs)
                        catalog.commit(connection, view.table_id, self._write(made, view, shape, table, place), keys)
                        return f"{len(keys)} files of {view.name} are one"
        return None

    def _rows(self, view: _View, inputs: Inputs) -> tuple[pa.Table, Shape]:
        """What the view's SELECT gives of segments, or files merged."""
        session = self._session()
        planned = extracted if inputs.files is None else merged
        frame, shape = planned(session, self._contexts.around, view.definition, inputs)
        with session.one_moment():
            plan = frame.optimized_logical_plan()
            session.scans = planned_scans.scans(plan, self._views)
            stream = frame.execute_stream()
        batches = [pa.RecordBatch.from_arrays(batch.to_pyarrow().columns, schema=shape.schema) for batch in stream]
        return pa.Table.from_batches(batches, shape.schema), shape

    def _session(self) -> Session:
        return Session(self._lake, self._metadata, None, 0, self._views, stop=self._stop)

    def _stored(self, connection: Connection) -> list[_View]:
        views = everything(materialized.stored(connection)).values()
        return [_View(view.definition, view.table_id) for view in views if view.table_id is not None]

    def _write(self, made: list[str], view: _View, shape: Shape, table: pa.Table, place: str) -> list[parquet.DataFile]:
        if not table.num_rows:
            return []
        key = f"views/{view.table_id}/{place}-{uuid.uuid4().hex}.parquet"
        sort = _sort(shape)
        file, data = parquet.write(key, parquet.ordered(table, sort), sort)
        self._lake.store.put_new(key, [data])
        made.append(key)
        return [file]

    @contextlib.contextmanager
    def _transaction(self, connection: Connection) -> Iterator[list[str]]:
        """One in which no view comes or goes; objects that were made in vain are removed."""
        made: list[str] = []
        try:
            with connection.transaction():
                materialized.stay(connection)
                yield made
        except BaseException:
            with contextlib.suppress(StoreError):
                self._lake.store.remove_all(made)
            raise

    def _unreadable(self, connection: Connection) -> frozenset[str]:
        """Keys of segments with blocks that could not be read the last time."""
        noted = [block_id for block_id, _ in connection.execute(block_errors.OF_CLASS, (0,))]
        return frozenset(row.segment_key for row in self._lake.select_blocks(0, block_ids=noted)) if noted else _NONE


def _due(keys: Sequence[str], now: int) -> Iterator[tuple[str, frozenset[str]]]:
    """Files that may be one, and the place of that one: those of a day that is over, then those of an hour."""
    today, hour = _place(now)
    places: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        place = key.split("/", 2)[2].rpartition("-")[0]
        day = place.partition("/")[0]
        if day < today:
            places[f"{day}/day"].add(key)
        elif place < hour:
            places[place].add(key)
    for place, of_place in sorted(places.items()):
        if len(of_place) > 1:
            yield place, frozenset(of_place)


def _place(now: int) -> tuple[str, str]:
    moment = datetime.datetime.fromtimestamp(now // 10**9, datetime.UTC)
    return f"{moment:%Y-%m-%d}", f"{moment:%Y-%m-%d/%H}"


def _sort(shape: Shape) -> list[str]:
    """By its time, then by what is text."""
    texts = [each.name for each in shape.schema if pa.types.is_dictionary(each.type) or pa.types.is_string(each.type)]
    return [shape.time, *texts]
