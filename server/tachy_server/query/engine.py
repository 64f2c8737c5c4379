"""SQL over the views: a fresh DataFusion context per query, read-only, limited in memory and time, cancellable.

The views become tables of the context (tables.py); what a query reads is chosen by the bounds of its own predicates
and the client's range, whichever is tighter. Set TOKIO_WORKER_THREADS before this module is imported (the server does):
a join that explodes holds a worker, and the default is as few as the processor has cores.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext, SQLOptions

from tachy_server.base.errors import FormatError, QueryError, TachyError
from tachy_server.base.plain_types import plain_schema, to_plain
from tachy_server.lake.visible import EVERYTHING, Visible
from tachy_server.query import functions, planned_scans, plans, stream, table_functions
from tachy_server.query.error_text import one_line
from tachy_server.query.joins import SETTINGS, MemoryTable, fits, memory_tables
from tachy_server.query.parameters import describe as parameters_of
from tachy_server.query.planning import Planner
from tachy_server.views.declarations import VIEWS, View
from tachy_server.views.decode import BlockCache
from tachy_server.views.metadata_rows import PostgresMetadata
from tachy_server.views.scans import Scans
from tachy_server.views.sources import BlockSource, Metadata
from tachy_server.views.tables import PARTITIONS, Session
from tachy_server.views.view_tables import view_table

if TYPE_CHECKING:
    from tachy_server.base.settings import Settings

CATALOG: Final = "tachy"
SCHEMA: Final = "public"


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table as catalogs list it; `kind` is eager, lazy or metadata."""

    name: str
    kind: str
    schema: pa.Schema
    doc: str


class QueryEngine:
    """Plans queries over a lake. Threads may share one."""

    def __init__(
        self,
        lake: BlockSource,
        settings: Settings,
        metadata: Metadata | None = None,
        views: Mapping[str, View] = VIEWS,
    ) -> None:
        self._lake, self._settings, self.views = lake, settings, views
        self._metadata = metadata or PostgresMetadata(settings.lost_after)
        self._cache = BlockCache(settings.query_cache) if settings.query_cache else None
        self._loop = stream.Loop()
        self.planner = Planner(settings.plan_seconds or math.inf)

    def tables(self) -> list[TableInfo]:
        """What SQL can read."""
        return [TableInfo(view.name, view.kind.value, view.schema, view.doc) for view in self.views.values()]

    def plan(
        self,
        sql: str,
        *,
        begin: int | None = None,
        end: int | None = None,
        limit: int | None = None,
        parameters: Sequence[pa.Scalar] | None = None,
        preserve_dictionary: bool = False,
        visible: Visible = EVERYTHING,
        gone: Callable[[], bool] = lambda: False,
    ) -> Query:
        """A query that is ready to run: its schema is known, nothing has been read.

        `begin` and `end` (UTC nanoseconds, inclusive) are a filter on every view's time; `limit` cuts the result;
        `parameters` are $1, $2, …; types leave as plain ones (plain_types.py), dictionaries too unless
        `preserve_dictionary`. What is not `visible` is not there. Nothing is begun for a caller who is `gone`. Raises
        QueryError with one line.
        """
        lake = self._lake.seen_by(visible)
        return self.planner.run(lambda: self._plan(lake, sql, begin, end, limit, parameters, preserve_dictionary), gone)

    def _plan(
        self,
        lake: BlockSource,
        sql: str,
        begin: int | None,
        end: int | None,
        limit: int | None,
        parameters: Sequence[pa.Scalar] | None,
        preserve_dictionary: bool,
    ) -> Query:
        limits = self._settings.lazy_block_limit
        session = Session(lake, self._metadata, self._cache, limits, self.views, begin, end, parameters)
        values = None if parameters is None else {str(at): value for at, value in enumerate(parameters, 1)}

        def frame_of(context: SessionContext) -> Any:
            options = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)
            frame = context.sql_with_options(sql, options, param_values=values)
            if limit is not None and plans.may_be_limited(frame.logical_plan()):
                frame = frame.limit(limit)
            return frame

        def planned_over(tables: Mapping[str, MemoryTable]) -> tuple[SessionContext, Any]:
            context = self._context(session, tables)
            return context, frame_of(context)

        try:
            context, frame = planned_over({})
            schema = frame.schema()
            unbound = parameters_of(context, sql, frame.logical_plan()) if parameters is None else pa.schema([])
        except Exception as error:  # DataFusion raises plain exceptions
            raise _told(session.failure or error, self.views) from None
        deadline = self._settings.query_seconds or math.inf
        made = (session, self._loop, self.planner, schema, unbound, limit, preserve_dictionary, deadline)
        return Query(planned_over, context, frame, *made)

    def close(self) -> None:
        """Stop the queries that run."""
        self.planner.close()
        self._loop.close()

    def _context(self, session: Session, tables: Mapping[str, MemoryTable]) -> SessionContext:
        """With the views as tables; those of `tables` lie in memory."""
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
        runtime = RuntimeEnvBuilder().with_disk_manager_os().with_fair_spill_pool(self._settings.query_memory)
        context = SessionContext(config, runtime)
        for view in self.views.values():
            if view.name in tables:
                context.register_record_batches(view.name, [list(tables[view.name].batches)])
            else:
                context.register_table(view.name, view_table(session, view))
        functions.register(context)
        table_functions.register(context, session)
        return context


class Query:
    """A planned query: run it once, by reading `batches`; `cancel` may be called at any time, from any thread."""

    def __init__(
        self,
        planned_over: Callable[[Mapping[str, MemoryTable]], tuple[SessionContext, Any]],
        context: SessionContext,
        frame: Any,
        session: Session,
        loop: stream.Loop,
        planner: Planner,
        schema: pa.Schema,
        parameter_schema: pa.Schema,
        limit: int | None,
        preserve_dictionary: bool,
        seconds: float,
    ) -> None:
        self._context, self._frame, self._session, self._loop = context, frame, session, loop
        self._planner, self._planned_over = planner, planned_over
        self._limit, self._seconds = limit, seconds
        self.schema: pa.Schema = plain_schema(schema, keep_dictionaries=preserve_dictionary)
        """Of the batches."""
        self.parameter_schema: pa.Schema = parameter_schema
        """Placeholders, "$1", … with the types that clients should bind."""

    @property
    def blocks_read(self) -> int:
        """Blocks that were read so far."""
        return self._session.blocks_read

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Run it. Raises QueryError with one line, also when it is cancelled or takes too long, and StoreError."""
        deadline = time.monotonic() + self._seconds
        left = math.inf if self._limit is None else self._limit
        running: Any = None
        failure: TachyError | None = None
        try:
            self._session.check()
            if self._session.unbound:
                raise QueryError(f"parameter ${min(self._session.unbound)} has no value")
            running = self._planner.run(self._start, self._session.cancelled.is_set)
            for batch in stream.read(self._loop, running, self._session.cancelled, deadline):
                if batch.num_rows > left:
                    batch = batch.slice(0, int(left))
                left -= batch.num_rows
                if batch.num_rows:
                    yield to_plain(batch, self.schema)
                if left <= 0:
                    break
        except Exception as error:
            failure = _told(self._session.failure or error, self._session.views)
        finally:
            self._session.cancelled.set()
            running = None
        if failure is not None:
            # Raised here, it holds neither the first error nor the frames of the stream, which would go on computing.
            raise failure.with_traceback(None)

    def _start(self) -> Any:
        """Runs the plan that it has looked at: planned again, `now()` would be another moment."""
        with self._session.one_moment():
            plan = self._frame.optimized_logical_plan()
            scans = planned_scans.scans(plan, self._session.views)
            tables = memory_tables(self._session, self._context, plan, scans)
            if tables:
                plan, scans = self._over_memory(tables) or (plan, scans)
            self._session.scans = scans
            return self._context.create_dataframe_from_logical_plan(plan).execute_stream()

    def _over_memory(self, tables: Mapping[str, MemoryTable]) -> tuple[Any, Scans] | None:
        """The plan of the same statement over tables in memory; None where it needs more of them than they have."""
        context, frame = self._planned_over(tables)
        plan = frame.optimized_logical_plan()
        lookup = planned_scans.ids_in_memory(context, {name: table.narrowed for name, table in tables.items()})
        scans = planned_scans.scans(plan, self._session.views, lookup)
        if not fits(tables, scans):
            return None
        self._context, self._frame = context, frame
        return plan, scans

    def cancel(self) -> None:
        """Stop it: `batches` raises soon."""
        self._session.cancelled.set()


def _told(error: Exception, views: Mapping[str, View]) -> TachyError:
    """The error as a client gets it; one that is not ours is a QueryError."""
    if isinstance(error, FormatError):
        return QueryError(str(error))
    return type(error)(str(error)) if isinstance(error, TachyError) else one_line(error, views)
