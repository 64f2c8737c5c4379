"""SQL over the views: a DataFusion context that no other query has meanwhile, read-only, limited in memory.

The views become tables of the context (tables.py); what a query reads is chosen by the bounds of its own predicates
and the client's range, whichever is tighter. DataFusion can be interrupted neither while it plans nor while it computes
between two batches: a worker (workers/) is killed where that takes too long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
from datafusion import SessionContext

from tachy_server.base import prices
from tachy_server.base.errors import Cancelled, FormatError, QueryError, TachyError
from tachy_server.base.message_sizes import joined
from tachy_server.base.plain_types import plain_schema, to_plain
from tachy_server.base.who import BY_ITSELF, Asked
from tachy_server.lake.visible import EVERYTHING, Visible
from tachy_server.query import in_lists, planned_scans, plans
from tachy_server.query.administration import Administration
from tachy_server.query.contexts import Contexts
from tachy_server.query.error_text import one_line
from tachy_server.query.joins import MemoryTable, fits, memory_tables
from tachy_server.query.materialized.materializer import Materializer
from tachy_server.query.parameters import describe as parameters_of
from tachy_server.query.property_access import with_calls
from tachy_server.views.declarations import VIEWS, View
from tachy_server.views.decode import ColumnCache
from tachy_server.views.metadata_rows import PostgresMetadata
from tachy_server.views.scans import Scans
from tachy_server.views.sources import BlockSource, Metadata
from tachy_server.views.tables import Session, Stop

_PlannedOver = tuple[SessionContext, Any, Mapping[str, MemoryTable]]
"""Of a statement: a context, the frame in it, and the tables in memory that it is over."""

if TYPE_CHECKING:
    from tachy_server.base.settings import Settings
    from tachy_server.lake.lake import Lake


def start_threads() -> None:
    """DataFusion makes its threads, which decode and compute, for the first query of a process."""
    SessionContext().sql("SELECT 1").collect()


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
        self.prices = prices.read(settings.prices)
        self._metadata = metadata or PostgresMetadata(settings.lost_after, self.prices)
        self._cache = ColumnCache(settings.query_cache) if settings.query_cache else None
        self._contexts = Contexts(settings.query_memory // 2, views)

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
        asked: Asked = BY_ITSELF,
        stop: Stop | None = None,
    ) -> Query:
        """A query that is ready to run: its schema is known, nothing has been read.

        `begin` and `end` (UTC nanoseconds, inclusive) are a filter on every view's time; `limit` cuts the result;
        `parameters` are $1, $2, …; types leave as plain ones (plain_types.py), dictionaries too unless
        `preserve_dictionary`. What is not `visible` is not there; who has `asked` may call what he may; `stop` ends it.
        Raises QueryError with one line, and Forbidden.
        """
        sql = with_calls(sql)
        lake, limits = self._lake.seen_by(visible), self._settings.lazy_block_limit
        session = Session(lake, self._metadata, self._cache, limits, self.views, begin, end, parameters)
        session.stop = stop or session.stop
        if asked.admin:
            whole = cast("Lake", self._lake)
            session.admin = Administration(whole, asked.name, lambda: self.materializer(whole, session.stop))
        values = None if parameters is None else {str(at): value for at, value in enumerate(parameters, 1)}

        def frame_of(context: SessionContext, sql: str = sql) -> Any:
            frame = context.sql_with_options(sql, plans.READ_ONLY, param_values=values)
            if limit is not None and plans.may_be_limited(frame.logical_plan()):
                frame = frame.limit(limit)
            return frame

        def planned_over(plan: Any, tables: Mapping[str, MemoryTable]) -> _PlannedOver:
            listed = in_lists.with_values(sql, plan, tables)
            if listed is not None:
                return taken.context, frame_of(taken.context, listed), {}
            context = self._contexts.over(session, tables)
            return context, frame_of(context), tables

        taken = self._contexts.take(session)
        context = taken.context
        try:
            frame = frame_of(context)
            schema = frame.schema()
            unbound = parameters_of(context, sql, frame) if parameters is None else pa.schema([])
        except Exception as error:  # DataFusion raises plain exceptions
            raise _told(session.failure or error, self.views) from None
        return Query(
            planned_over,
            lambda: self._contexts.give_back(taken),
            context,
            frame,
            session,
            schema,
            unbound,
            limit,
            preserve_dictionary,
        )

    def materializer(self, lake: Lake, stop: Stop | None = None) -> Materializer:
        """What fills the files of materialized views, of this lake."""
        seconds = self._settings.rewrite_seconds
        for_others = self._settings.parquet_views
        return Materializer(lake, self._metadata, self._contexts, self.views, seconds, for_others, stop)

    @property
    def cached(self) -> int:
        """Bytes of decoded blocks that are kept."""
        return 0 if self._cache is None else self._cache.size


class Query:
    """A planned query: run it once, by reading `batches`; `cancel` may be called at any time, from any thread."""

    def __init__(
        self,
        planned_over: Callable[[Any, Mapping[str, MemoryTable]], _PlannedOver],
        done: Callable[[], None],
        context: SessionContext,
        frame: Any,
        session: Session,
        schema: pa.Schema,
        parameter_schema: pa.Schema,
        limit: int | None,
        preserve_dictionary: bool,
    ) -> None:
        self._context, self._frame, self._session = context, frame, session
        self._planned_over, self._done, self._limit = planned_over, done, limit
        self.schema: pa.Schema = plain_schema(schema, keep_dictionaries=preserve_dictionary)
        """Of the batches."""
        self.parameter_schema: pa.Schema = parameter_schema
        """Placeholders, "$1", … with the types that clients should bind."""
        values = plans.constants(frame.logical_plan())
        self._row = None if values is None else _row(values, self.schema)

    @property
    def blocks_read(self) -> int:
        """Blocks that were read so far."""
        return self._session.blocks_read

    @property
    def is_answered(self) -> bool:
        """There is nothing to be run: it has a row of constants."""
        return self._row is not None

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """Run it. Raises QueryError with one line, also when it is cancelled, and StoreError."""
        if self._row is None:
            yield from joined(self._batches())
        else:
            self._session.check()
            yield self._row
            self._over()

    def _batches(self) -> Generator[pa.RecordBatch, None, None]:
        left = math.inf if self._limit is None else self._limit
        stream: Any = None
        failure: TachyError | None = None
        whole = False
        try:
            self._session.check()
            if self._session.unbound:
                raise QueryError(f"parameter ${min(self._session.unbound)} has no value")
            stream = self._start()
            for given in stream:
                self._session.check()
                batch = given.to_pyarrow()
                if batch.num_rows > left:
                    batch = batch.slice(0, int(left))
                left -= batch.num_rows
                if batch.num_rows:
                    yield to_plain(batch, self.schema)
                if left <= 0:
                    break
            else:
                whole = True
        except Exception as error:
            failure = _told(self._session.failure or error, self._session.views)
        finally:
            self._session.over = True
            stream = None
        if failure is not None:
            # Raised here, it holds neither the first error nor the frames of the stream, which would go on computing.
            raise failure.with_traceback(None)
        if whole:
            self._over()

    def _over(self) -> None:
        """It has run to its end: its context is free for others."""
        self._frame = None
        self._done()

    def _start(self) -> Any:
        """Runs the plan that it has looked at: planned again, `now()` would be another moment."""
        with self._session.one_moment():
            plan = self._frame.optimized_logical_plan()
            scans = planned_scans.scans(plan, self._session.views)
            tables = memory_tables(self._session, self._context, plan, scans)
            if tables:
                plan, scans = self._over_memory(plan, tables) or (plan, scans)
            self._session.scans = scans
            return self._context.create_dataframe_from_logical_plan(plan).execute_stream()

    def _over_memory(self, plan: Any, tables: Mapping[str, MemoryTable]) -> tuple[Any, Scans] | None:
        """The plan of the same statement over tables in memory, or with what is in them; None where it needs more of
        them than they have.
        """
        context, frame, tables = self._planned_over(plan, tables)
        plan = frame.optimized_logical_plan()
        lookup = planned_scans.ids_in_memory(context, {name: table.narrowed for name, table in tables.items()})
        scans = planned_scans.scans(plan, self._session.views, lookup)
        if not fits(tables, scans):
            return None
        self._context, self._frame = context, frame
        return plan, scans

    def cancel(self) -> None:
        """Stop it where it reads or gives rows: `batches` raises."""
        self._session.stop.reason = self._session.stop.reason or Cancelled("the query was cancelled")


def _row(values: Sequence[pa.Scalar], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [pa.array([value.as_py()], value.type) for value in values]
    return to_plain(pa.RecordBatch.from_arrays(arrays, names=schema.names), schema)


def _told(error: Exception, views: Mapping[str, View]) -> TachyError:
    """The error as a client gets it; one that is not ours is a QueryError."""
    if isinstance(error, FormatError):
        return QueryError(str(error))
    return type(error)(str(error)) if isinstance(error, TachyError) else one_line(error, views)
