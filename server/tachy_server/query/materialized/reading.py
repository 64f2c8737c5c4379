"""A materialized view as SQL reads it: the rows of its files and what its SELECT gives of the rest, merged.

All of that becomes part of the query's own plan, so a filter on the view's columns goes down to files and blocks. Rows
of times that only one file has are merged with nothing: they are a scan of their own, beside the merging (apart.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pyarrow as pa
from datafusion import SessionContext, Table
from datafusion.catalog import SchemaProvider

from tachy_server.base.errors import QueryError
from tachy_server.formats import parquet
from tachy_server.query.error_text import one_line
from tachy_server.query.materialized.apart import Apart, Inputs, Share
from tachy_server.query.materialized.definition import Definition, Shape, is_source, shape_of
from tachy_server.query.plans import READ_ONLY
from tachy_server.query.property_access import with_calls
from tachy_server.query.tokens import quoted
from tachy_server.views import predicates, tables
from tachy_server.views.bounds import Bounds, TimeColumns, read
from tachy_server.views.predicates import Call, Column, Literal
from tachy_server.views.tables import Part, Scan, Session

MakeContext = Callable[[SchemaProvider], SessionContext]
"""A context with our functions and these tables, for the session's query."""


class Inside(SchemaProvider):
    """What the statements of a definition see: the views of events, as far as they are chosen, and, by the definition's
    name, the rows of its files: those that are to be merged, and the others.
    """

    def __init__(self, session: Session, definition: Definition, inputs: Inputs) -> None:
        self._session, self._definition, self.inputs = session, definition, inputs
        self._apart: Apart | None = None

    @property
    def table_names(self) -> list[str]:  # type: ignore[override]
        """What can be named."""
        sources = [view.name for view in self._session.views.values() if is_source(view)]
        return sources if self._apart is None else [*sources, *self._apart.names]

    def table_exist(self, name: str) -> bool:
        """Whether it can be."""
        return name in self.table_names

    def table(self, name: str) -> Any:
        """Spans that are open are no rows: they are when they have ended."""
        if self._apart is not None and name in self._apart.names:
            return Table(files_table(self._session, name, self._apart))
        view = self._session.views.get(name)
        if view is None or not is_source(view):
            return None
        return Table(tables.part_table(self._session, view, Bounds(open=False, chosen=self.inputs.chosen)))

    def with_files(self, shape: Shape) -> Apart:
        """From now on they see the rows of files, too, which are of that shape."""
        self._apart = Apart(self._session, self._definition.name, shape, self.inputs)
        return self._apart


def extracted(session: Session, make: MakeContext, definition: Definition, inputs: Inputs) -> tuple[Any, Shape]:
    """The frame of its SELECT alone. Raises QueryError."""
    context = make(Inside(session, definition, inputs))
    frame = _sql(context, definition.name, definition.select)
    return frame, shape_of(definition, frame, session.views)


def merged(
    session: Session, make: MakeContext, definition: Definition, inputs: Inputs, *, limited: bool = False
) -> tuple[Any, Shape]:
    """The frame of the view's rows. Who is `limited` to some processes reads all of it from blocks where files do not
    say of which process their rows are. Raises QueryError.
    """
    inside = Inside(session, definition, inputs)
    context = make(inside)
    select = f"(\n{definition.select}\n)"
    shape = shape_of(definition, _sql(context, definition.name, definition.select), session.views)
    if limited and "process_id" not in shape.schema.names:
        inputs = inside.inputs = Inputs()
    parts, apart = [], ""
    if inputs.table_id is not None:
        to_merge, as_they_are = (
            f"SELECT {shape.columns} FROM {quoted(name)}" for name in inside.with_files(shape).names
        )
        parts.append(to_merge)
        apart = "" if shape.bin is None else f"\nUNION ALL {as_they_are}"
    if inputs.chosen is None or inputs.chosen.keys != frozenset():
        parts.append(f"SELECT {shape.columns} FROM {select}")
    frame = _sql(
        context,
        definition.name,
        f"WITH source AS ({' UNION ALL '.join(parts)}) SELECT {shape.columns} FROM (\n"
        f"SELECT {shape.columns} FROM (\n{shape.merge}\n){apart}\n){_within(session, shape.time)}",
    )
    for before, after in zip(shape.schema, frame.schema(), strict=True):
        if before.type != after.type:
            raise QueryError(
                f"{definition.name}: {before.name} is {before.type} in the SELECT and {after.type} when merged; "
                "cast one of them"
            )
    return frame, shape


def _sql(context: SessionContext, name: str, text: str) -> Any:
    try:
        return context.sql_with_options(with_calls(text), READ_ONLY)
    except Exception as error:  # DataFusion raises plain exceptions
        raise QueryError(f"{name}: {one_line(error)}") from None


def _within(session: Session, time: str) -> str:
    """The client's range."""
    conditions = [
        f"{quoted(time)} {sign} TIMESTAMP '{_written(bound)}'"
        for sign, bound in ((">=", session.begin), ("<=", session.end))
        if bound is not None
    ]
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _written(time: int) -> str:
    seconds, rest = divmod(time, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def files_table(session: Session, name: str, apart: Apart) -> tables.Table:
    """The rows of a view's files that are to be merged, or those that are not, by the name. Who may not see all
    processes sees those that say whose they are.
    """
    shape = apart.shape

    def rows(scan: Scan) -> Iterator[Part]:
        bounds = read(scan.planned.filter, TimeColumns(shape.time, shape.time)) & scan.planned.bounds
        with session.moment() as snapshot:
            processes = snapshot.processes()
            assert processes is None or "process_id" in shape.schema.names, "see merged()"
            found = apart.files(snapshot)
        share = Share(found.times, name == apart.names[1])
        for key, size, count, first, last in found.files:
            if bounds.overlap(first, last) and share.may_have(first, last):
                pieces = min(tables.PARTITIONS, -(-count // parquet.ROW_GROUP))
                for number in range(pieces):
                    piece = _Piece(key, size, number, pieces)
                    yield partial(_read, session, apart, share, piece, bounds, scan, processes)

    return tables.Table(session, name, shape.schema, rows)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Every so many of a file's row groups, from one of the first on."""

    key: str
    size: int
    first: int
    step: int


def _read(
    session: Session,
    apart: Apart,
    share: Share,
    piece: _Piece,
    bounds: Bounds,
    scan: Scan,
    processes: Collection[UUID] | None,
) -> Iterator[pa.RecordBatch]:
    """The rows of some of a file's row groups, as far as these can have some within the bounds."""
    seen, time, columns = None, apart.shape.time, list(scan.needed)
    if processes is not None:
        seen = Call("in", (Column("process_id"), *(Literal(pa.scalar(str(each))) for each in processes)))
        columns.append("process_id")
    columns = list(dict.fromkeys([*columns, time]))
    types = pa.schema([apart.shape.schema.field(name) for name in columns])
    for batch in _stored(session, apart, share, piece, bounds, columns):
        typed = share.of(batch.select(columns).cast(types), time)
        yield tables.project(typed if seen is None else typed.filter(predicates.mask(seen, typed)), scan)


def _stored(
    session: Session, apart: Apart, share: Share, piece: _Piece, bounds: Bounds, columns: list[str]
) -> Iterator[pa.RecordBatch]:
    """As they lie in the file. Whoever cannot read it notes that for those who make it again."""
    try:
        stored = parquet.opened(apart.data(piece.key, piece.size))
        at = [stored.schema.column(leaf).path for leaf in range(len(stored.schema))].index(apart.shape.time)
        wanted = [
            part
            for part in range(piece.first, stored.num_row_groups, piece.step)
            for times in [stored.metadata.row_group(part).column(at).statistics]
            if bounds.overlap(times.min_raw, times.max_raw) and share.may_have(times.min_raw, times.max_raw)
        ]
        yield from stored.iter_batches(tables.PART_ROWS, wanted, columns)
    except parquet.LOST as error:
        reason = " ".join(str(error).split())
        session.lake.note_lost(piece.key, reason)
        raise QueryError(
            f"a file of {apart.names[0]} is lost ({reason}); maintenance makes it again, if its events are still "
            "there: ask again in a minute, or for other times"
        ) from None
