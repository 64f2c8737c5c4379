"""Contexts of DataFusion with our views and functions, each for one query at a time.

Making one and giving it up takes a quarter of what `SELECT 1` costs a worker, so those whose query has run to its end
are kept for others. A context knows its query only through `Bound`, which is emptied in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext, Table
from datafusion.catalog import SchemaProvider

from tachy_server.base.errors import TachyError
from tachy_server.lake.visible import EVERYTHING
from tachy_server.query import administration, functions, own_thread, table_functions
from tachy_server.query.joins import SETTINGS, MemoryTable
from tachy_server.query.materialized import known
from tachy_server.query.materialized.known import Known
from tachy_server.query.materialized.reading import MakeContext, merged
from tachy_server.query.table_functions import TABLE_FUNCTIONS, Bound
from tachy_server.views.declarations import Kind, View
from tachy_server.views.tables import PARTITIONS, Session
from tachy_server.views.view_tables import view_table

CATALOG: Final = "tachy"
SCHEMA: Final = "public"
_KEPT: Final = 32
"""Of 46 KB each."""


class Taken:
    """A context, and the query that has it."""

    def __init__(self, config: SessionConfig, memory: int, views: Mapping[str, View], session: Session) -> None:
        self.bound = Bound(session)
        self.views = _Views(self.bound, views, partial(_made, config, memory))
        self.context = _made(config, memory, self.views)
        table_functions.register(self.context, self.bound, (*TABLE_FUNCTIONS, *administration.ADMINISTRATION))
        administration.register(self.context, self.bound)


class Contexts:
    """Threads may share it. `memory` is what a query may hold before it spills."""

    def __init__(self, memory: int, views: Mapping[str, View]) -> None:
        self._memory, self._views = memory, views
        self._config = _config()
        self._idle: deque[Taken] = deque(maxlen=_KEPT)

    def take(self, session: Session) -> Taken:
        """One for a query."""
        try:
            taken = self._idle.pop()
        except IndexError:
            return Taken(self._config, self._memory, self._views, session)
        taken.bound.bind(session)
        return taken

    def give_back(self, taken: Taken) -> None:
        """Its query has run to its end."""
        taken.bound.bind(None)
        taken.views.forget()
        self._idle.append(taken)

    def over(self, session: Session, tables: Mapping[str, MemoryTable]) -> SessionContext:
        """One more for a query, of whose views these lie in memory."""
        context = Taken(self._config, self._memory, self._views, session).context
        for name, table in tables.items():
            context.register_record_batches(name, [list(table.batches)])
        return context

    def around(self, tables: SchemaProvider) -> SessionContext:
        """One that has these tables, and the functions."""
        return _made(self._config, self._memory, tables)


def _made(config: SessionConfig, memory: int, tables: SchemaProvider) -> SessionContext:
    runtime = RuntimeEnvBuilder().with_disk_manager_os().with_fair_spill_pool(memory)
    context = SessionContext(config, runtime)
    context.catalog(CATALOG).register_schema(SCHEMA, tables)
    functions.register(context)
    return context


def _config() -> SessionConfig:
    config = (
        SessionConfig()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_information_schema(True)
        .with_target_partitions(PARTITIONS)
        .set("datafusion.sql_parser.map_string_types_to_utf8view", "false")
        .set("datafusion.execution.time_zone", "+00:00")
    )
    for name, value in SETTINGS.items():
        config = config.set(name, value)
    return config


class _Views(SchemaProvider):
    """The views as tables, made when a statement names them: making all of them would cost as much as `SELECT 1`."""

    def __init__(self, bound: Bound, views: Mapping[str, View], make: MakeContext) -> None:
        self._bound, self._views, self._make = bound, views, make
        self._in_memory: dict[str, Any] = {}
        self._known: Known | None = None
        self._limited = False

    @property
    def table_names(self) -> list[str]:  # type: ignore[override]
        """For information_schema. The bindings read an attribute, whatever their base class says."""
        return list({**self._views, **self._materialized()})

    def table_exist(self, name: str) -> bool:
        """Whether there is a view of this name."""
        return name in self._views or name in self._materialized()

    def forget(self) -> None:
        """What was registered, and is known of the lake."""
        self._in_memory.clear()
        self._known = None

    def register_table(self, name: str, table: Any) -> None:
        """One that lies in memory takes the view's place."""
        self._in_memory[name] = table

    def table(self, name: str) -> Any:
        """None where there is no such view."""
        if name in self._in_memory:
            return self._in_memory[name]
        view = self._views.get(name)
        if view is not None and view.kind is not Kind.INCREMENTAL:
            return Table(view_table(self._bound.session, view))
        if name not in self._materialized():
            return None
        session, found = self._bound.session, self._materialized()[name]
        try:
            frame, _ = own_thread.call(
                lambda: merged(session, self._make, found.definition, found.inputs, limited=self._limited)
            )
        except TachyError as error:
            session.failure = session.failure or error
            raise
        return frame.into_view()

    def _materialized(self) -> Known:
        if self._known is None:
            session = self._bound.session
            with session.lake.snapshot() as snapshot:
                self._known = known.everything(session.metadata.materialized_views(snapshot))
                self._limited = snapshot.visible != EVERYTHING
        return self._known
