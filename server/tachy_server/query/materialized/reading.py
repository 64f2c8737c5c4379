"""A materialized view as SQL reads it: the rows of its files and what its SELECT gives of the rest, merged.

All of that becomes part of the query's own plan, so a filter on the view's columns goes down to files and blocks.
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
from tachy_server.lake import catalog, materialized
from tachy_server.lake.segments import Chosen
from tachy_server.query.error_text import one_line
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


@dataclass(frozen=True, slots=True)
class Inputs:
    """Of which segments the SELECT is run, and of which files the rows are merged with it (None: all there are);
    `table_id` None: there are none.
    """

    table_id: int | None = None
    chosen: Chosen | None = None
    files: Collection[str] | None = None


class Inside(SchemaProvider):
    """What the statements of a definition see: the views of events, as far as they are chosen, and, by the definition's
    name, the rows of its files.
    """

    def __init__(self, session: Session, definition: Definition, inputs: Inputs) -> None:
        self._session, self._definition, self.inputs = session, definition, inputs
        self.shape: Shape | None = None

    @property
    def table_names(self) -> list[str]:  # type: ignore[override]
        """What can be named."""
        sources = [view.name for view in self._session.views.values() if is_source(view)]
        return sources if self.shape is None else [*sources, self._definition.name]

    def table_exist(self, name: str) -> bool:
        """Whether it can be."""
        return name in self.table_names

    def table(self, name: str) -> Any:
        """Spans that are open are no rows: they are when they have ended."""
        if name == self._definition.name and self.shape is not None:
            return Table(files_table(self._session, name, self.shape, self.inputs))
        view = self._session.views.get(name)
        if view is None or not is_source(view):
            return None
        return Table(tables.part_table(self._session, view, Bounds(open=False, chosen=self.inputs.chosen)))


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
    inside.shape = shape = shape_of(definition, _sql(context, definition.name, definition.select), session.views)
    if limited and "process_id" not in shape.schema.names:
        inputs = inside.inputs = Inputs()
    parts = [] if inputs.table_id is None else [f"SELECT {shape.columns} FROM {quoted(definition.name)}"]
    if inputs.chosen is None or inputs.chosen.keys != frozenset():
        parts.append(f"SELECT {shape.columns} FROM {select}")
    frame = _sql(
        context,
        definition.name,
        f"WITH source AS ({' UNION ALL '.join(parts)}) SELECT {shape.columns} FROM (\n{shape.merge}\n)"
        f"{_within(session, shape.time)}",
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


def files_table(session: Session, name: str, shape: Shape, inputs: Inputs) -> tables.Table:
    """The rows of a view's files. Who may not see all processes sees those that say whose they are."""

    def rows(scan: Scan) -> Iterator[Part]:
        times = TimeColumns(shape.time, shape.time)
        bounds = read(scan.planned.filter, times) & scan.planned.bounds
        with session.moment() as snapshot:
            processes = snapshot.processes()
            assert processes is None or "process_id" in shape.schema.names, "see merged()"
            assert inputs.table_id is not None
            if not materialized.is_there(snapshot.select, inputs.table_id):
                raise QueryError(f"{name} was dropped, or made anew, while this query was planned: ask again")
            found = catalog.files(snapshot.select, inputs.table_id, shape.time)
        for key, size, _, first, last in found:
            if (inputs.files is None or key in inputs.files) and _overlap(first, last, bounds):
                yield partial(_read, session, name, key, size, shape, bounds, scan, processes)

    return tables.Table(session, name, shape.schema, rows)


def _read(
    session: Session,
    name: str,
    key: str,
    size: int,
    shape: Shape,
    bounds: Bounds,
    scan: Scan,
    processes: Collection[UUID] | None,
) -> Iterator[pa.RecordBatch]:
    """The rows of a file, of those of its parts that can have some within the bounds."""
    seen, columns = None, list(scan.needed)
    if processes is not None:
        seen = Call("in", (Column("process_id"), *(Literal(pa.scalar(str(each))) for each in processes)))
        columns = list(dict.fromkeys([*columns, "process_id"]))
    types = pa.schema([shape.schema.field(name) for name in columns])
    for batch in _stored(session, name, key, size, shape.time, bounds, columns):
        typed = batch.select(columns).cast(types)
        yield tables.project(typed if seen is None else typed.filter(predicates.mask(seen, typed)), scan)


def _stored(
    session: Session, name: str, key: str, size: int, time: str, bounds: Bounds, columns: list[str]
) -> Iterator[pa.RecordBatch]:
    """As they lie in the file. Whoever cannot read it notes that for those who make it again."""
    try:
        stored = parquet.opened(session.lake.file(key, size))
        at = [stored.schema.column(leaf).path for leaf in range(len(stored.schema))].index(time)
        wanted = [
            part
            for part in range(stored.num_row_groups)
            for times in [stored.metadata.row_group(part).column(at).statistics]
            if _overlap(times.min_raw, times.max_raw, bounds)
        ]
        yield from stored.iter_batches(tables.PART_ROWS, wanted, columns)
    except parquet.LOST as error:
        reason = " ".join(str(error).split())
        session.lake.note_lost(key, reason)
        raise QueryError(
            f"a file of {name} is lost ({reason}); maintenance makes it again, if its events are still there: ask "
            "again in a minute, or for other times"
        ) from None


def _overlap(first: int | None, last: int | None, bounds: Bounds) -> bool:
    """Rows without a time are nowhere in a range."""
    before = bounds.end is None or (first is not None and first <= bounds.end)
    return before and (bounds.begin is None or (last is not None and last >= bounds.begin))
