"""CREATE, DROP and SHOW: materialized views come and go, each a row and a table of the catalog, in one transaction."""

from __future__ import annotations

import time
from typing import Final

import pyarrow as pa

from tachy_server.base.errors import QueryError
from tachy_server.lake import catalog, materialized
from tachy_server.lake.database import Connection
from tachy_server.lake.materialized import MaterializedView
from tachy_server.query.command_runs import DONE, Context, Planned, done
from tachy_server.query.commands import CreateMaterializedView, DropMaterializedView, ShowMaterializedViews
from tachy_server.query.materialized.definition import Shape
from tachy_server.query.materialized.known import Stored, defined, everything, of_command
from tachy_server.views.declarations import TIME

_SHOWN: Final = pa.schema(
    [
        pa.field("name", pa.utf8()),
        pa.field("files", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("covered", pa.float64()),
        pa.field("uncovered_since", TIME),
        pa.field("definition", pa.utf8()),
    ]
)


def plan_create(command: CreateMaterializedView, context: Context) -> Planned:
    """Its SELECT is planned, and has to add up."""
    if command.name in context.engine.views:
        raise QueryError(f"{command.name} is a view of the server's: give yours another name")
    unknown = command.options.keys() - {"time", "merge", "sort"}
    if unknown:
        raise QueryError(f"a materialized view has no option {min(unknown)}: it has time, merge and sort")
    view = of_command(command)
    materializer = context.engine.materializer(context.lake, context.stop)
    shape = materializer.shape(view)

    def run() -> pa.Table:
        with context.lake.connection() as connection:
            create(connection, view, shape, time.time_ns(), context.who, replace=command.replace)
        return done(view.name, "created")

    return Planned(DONE, run)


def plan_drop(command: DropMaterializedView, context: Context) -> Planned:
    """One that a user has made."""
    if command.name in context.engine.views:
        raise QueryError(f"{command.name} is a view of the server's, which stays")

    def run() -> pa.Table:
        with context.lake.connection() as connection, connection.transaction():
            if drop(connection, command.name):
                return done(command.name, "dropped")
        if not command.if_exists:
            raise QueryError(f"there is no materialized view {command.name}")
        return done(command.name, "was not there")

    return Planned(DONE, run)


def plan_show(command: ShowMaterializedViews, context: Context) -> Planned:
    """What there is, and how far its files are; nothing for who may see some processes only."""

    def run() -> pa.Table:
        if context.visible.condition is not None:
            return _SHOWN.empty_table()
        with context.lake.snapshot() as snapshot:
            views = everything(materialized.rows(snapshot.select)).values()
            rows = []
            for view in sorted(views, key=lambda one: one.name):
                totals = (0, 0, 0) if view.table_id is None else catalog.totals(snapshot.select, view.table_id)
                found = materialized.progress(snapshot.select, view.table_id)
                share = found.covered / found.segments if found.segments else 1.0
                rows.append((view.name, *totals, share, found.since, view.text))
        columns = zip(*rows, strict=True)
        return pa.table([pa.array(column, of.type) for column, of in zip(columns, _SHOWN, strict=True)], schema=_SHOWN)

    return Planned(_SHOWN, run)


def create(connection: Connection, view: Stored, shape: Shape, now: int, who: str, *, replace: bool = False) -> None:
    """Raises QueryError: there is one of that name with another definition."""
    with connection.transaction():
        materialized.alone(connection)
        before = {row.name: row for row in materialized.stored(connection)}.get(view.name)
        if before is not None and defined(before.definition).statement == view.statement:
            if replace and before.definition != view.text:
                materialized.reword(connection, view.name, view.text, now, who)
            return
        if before is not None and not replace:
            raise QueryError(f"there is a materialized view {view.name}: drop it, or CREATE OR REPLACE it")
        if before is not None:
            drop(connection, view.name)
        table_id = catalog.create_table(connection, view.name, shape.schema)
        materialized.insert(connection, MaterializedView(view.name, table_id, shape.source.cls, view.text, now, who))


def drop(connection: Connection, name: str) -> bool:
    """Whether it was there."""
    table_id = materialized.delete(connection, name)
    if table_id is not None:
        catalog.drop_table(connection, table_id)
    return table_id is not None
