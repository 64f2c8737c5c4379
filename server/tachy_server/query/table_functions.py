"""SQL's functions that read the lake for a query, as data: name, how it is called, what it gives.

But for get_payload they are table functions: DataFusion calls one while it plans, with constant arguments (or a
placeholder, or a subquery that is still to run); what it returns is a table whose rows are made when they are read.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa
from datafusion import Expr, SessionContext, udf, udtf
from datafusion import Table as DataFusionTable

from tachy_server.base.errors import NotFound, QueryError, TachyError
from tachy_server.query import call_trees, constants, histograms, own_thread, parsed_blocks, utilization
from tachy_server.query.error_text import one_line
from tachy_server.query.json_kernels import elements, entries
from tachy_server.query.payloads import payloads
from tachy_server.views import async_spans
from tachy_server.views.bounds import Bounds
from tachy_server.views.declarations import JSON, THREAD_SPANS, Kind
from tachy_server.views.tables import Part, Scan, Session, Table, batch_table, project
from tachy_server.views.view_tables import view_table

GLOBAL: Final = "global"
NOBODY: Final = "00000000-0000-0000-0000-000000000000"
CHUNKS: Final = pa.schema([pa.field("chunk_id", pa.int32()), pa.field("chunk_data", pa.binary())])
_BINS: Final = pa.schema([pa.field("bin_center", pa.float64()), pa.field("count", pa.uint64())])
_MEMBERS: Final = pa.schema([pa.field("key", pa.utf8()), pa.field("value", JSON)])
_ELEMENTS: Final = pa.schema([pa.field("value", JSON)])


@dataclass(frozen=True, slots=True)
class TableFunction:
    """A table function; `call` gets the session, the context and the arguments as DataFusion expressions."""

    name: str
    signature: str
    doc: str
    call: Callable[[Session, SessionContext, Sequence[Any]], Table]


class Bound:
    """The query that a context has now."""

    def __init__(self, session: Session) -> None:
        self._session: Session | None = session

    def bind(self, session: Session | None) -> None:
        """To another; None: to no query."""
        self._session = session

    @property
    def session(self) -> Session:
        """Its session."""
        assert self._session is not None, "no query has this context"
        return self._session


def register(context: SessionContext, bound: Bound, functions: Iterable[TableFunction]) -> None:
    """Make functions known to a context."""
    for function in functions:
        context.register_udtf(udtf(_callback(function, context, bound), function.name))
    context.register_udf(udf(partial(_payload, bound), [pa.utf8()] * 3, pa.binary(), "volatile", "get_payload"))


def _payload(bound: Bound, *ids: pa.Array) -> pa.Array:
    try:
        return payloads(bound.session, *ids)
    except TachyError as error:
        bound.session.failure = bound.session.failure or error
        raise


def _callback(function: TableFunction, context: SessionContext, bound: Bound) -> Callable[..., DataFusionTable]:
    # The context owns what is registered in it; a reference back would be a circle that no collector sees.
    reference = weakref.ref(context)

    def call(*arguments: Any) -> DataFusionTable:
        alive = reference()
        assert alive is not None, "a query keeps its context"
        session = bound.session
        try:
            return DataFusionTable(function.call(session, alive, arguments))
        except QueryError as error:
            session.failure = QueryError(f"{error}; it is called as {function.signature}")
            raise

    return call


def _view_instance(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    name, instance = constants.texts("view_instance", session, arguments, "", NOBODY)
    view = session.views.get(name)
    if view is None:
        raise QueryError(f"there is no view {name}; there are {', '.join(session.views)}")
    if view.kind is Kind.INCREMENTAL:
        raise QueryError(f"{name} has no instances: select from it as from a table")
    if instance == GLOBAL:
        return view_table(session, view, name="view_instance")
    if view.kind is Kind.METADATA:
        raise QueryError(f"the only instance of {name} is '{GLOBAL}'")
    known = constants.uuid("view_instance", instance)
    ids = frozenset([known])
    scope = Bounds(stream_ids=ids) if view is THREAD_SPANS else Bounds(process_ids=ids)
    return view_table(session, view, scope, "view_instance")


def _process_spans(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    process, types = constants.texts("process_spans", session, arguments, NOBODY, "both")
    if types not in ("thread", "async", "both"):
        raise QueryError(f"the types of process_spans are 'thread', 'async' or 'both', not '{types}'")
    return async_spans.table(session, constants.uuid("process_spans", process), types)


def _call_tree(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    return call_trees.tree(session, _window("call_tree", session, arguments))


def _self_time(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    return call_trees.self_time(session, _window("span_self_time", session, arguments))


def _window(name: str, session: Session, arguments: Sequence[Any]) -> call_trees.Window:
    """process_id, begin, end and perhaps a thread's name."""
    if len(arguments) not in (3, 4):
        raise QueryError(f"{name} has 3 or 4 arguments")
    (process,) = constants.texts(name, session, arguments[:1], NOBODY)
    begin, end = (constants.time(name, session, argument) for argument in arguments[1:3])
    thread = constants.texts(name, session, arguments[3:], "")[0] if len(arguments) == 4 else None
    return call_trees.Window(constants.uuid(name, process), begin, end, thread)


def _utilization(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    if len(arguments) != 2:
        raise QueryError("utilization has 2 arguments")
    (process,) = constants.texts("utilization", session, arguments[:1], NOBODY)
    interval = constants.constant(
        "utilization", session, arguments[1], pa.scalar((0, 0, 10**9), pa.month_day_nano_interval())
    )
    if not (pa.types.is_interval(interval.type) and interval.is_valid):
        raise QueryError("the bin of utilization is an interval")
    months, days, nanoseconds = interval.as_py()
    width = days * 86_400 * 10**9 + nanoseconds
    if months or not 0 < width < 1 << 62:
        raise QueryError("the bin of utilization is an interval from a nanosecond to days, without months")
    return utilization.table(session, constants.uuid("utilization", process), width)


def _parse_block(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    (text,) = constants.texts("parse_block", session, arguments, NOBODY)
    return parsed_blocks.table(session, constants.uuid("parse_block", text))


def _perfetto(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    if len(arguments) != 4:
        raise QueryError("perfetto_trace_chunks has 4 arguments")
    process, types = constants.texts("perfetto_trace_chunks", session, arguments[:2], NOBODY, "both")
    if types not in ("thread", "async", "both", "all"):
        raise QueryError(f"the types of perfetto_trace_chunks are 'thread', 'async', 'both' or 'all', not '{types}'")
    begin, end = (constants.time("perfetto_trace_chunks", session, argument) for argument in arguments[2:])
    known = constants.uuid("perfetto_trace_chunks", process)
    classes, spans = (("span", "metric", "log"), "both") if types == "all" else (("span",), types)

    def rows(scan: Scan) -> Iterator[Part]:
        from tachy_server.traces import export

        numbers = [export.CLASSES[name] for name in classes]
        with session.moment() as snapshot:
            try:
                processes = export.traced(snapshot, [known])
            except NotFound as error:
                raise QueryError(str(error)) from None
            blocks = {number: export.blocks_of(snapshot, number, known, begin, end) for number in numbers}

        def batches() -> Iterator[pa.RecordBatch]:
            trace = export.Trace(
                session.lake, processes, begin, end, numbers, spans, lambda number, process_id: blocks[number]
            )
            for number, chunk in enumerate(trace):
                session.check()
                arrays = [pa.array([number], pa.int32()), pa.array([chunk], pa.binary())]
                yield project(pa.RecordBatch.from_arrays(arrays, schema=CHUNKS), scan)

        yield batches

    return Table(session, "perfetto_trace_chunks", CHUNKS, rows)


def _expand_histogram(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    def batch(value: Any) -> pa.RecordBatch:
        centers, counts = histograms.expand(value)
        return pa.RecordBatch.from_arrays(
            [pa.array(centers, pa.float64()), pa.array(counts, pa.uint64())], schema=_BINS
        )

    return _of_value("expand_histogram", session, context, arguments, _BINS, batch)


def _jsonb_each(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    def batch(text: str) -> pa.RecordBatch:
        members = entries(pa.array([text], pa.utf8()))
        if members.null_count:
            raise QueryError("jsonb_each needs a JSON object or array")
        keys, values = members.flatten().flatten()
        return pa.RecordBatch.from_arrays([keys, values.dictionary_encode()], schema=_MEMBERS)

    return _of_value("jsonb_each", session, context, arguments, _MEMBERS, batch)


def _jsonb_array_elements(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    def batch(text: str) -> pa.RecordBatch:
        values = elements(pa.array([text], pa.utf8()))
        if values.null_count:
            raise QueryError("jsonb_array_elements needs a JSON array")
        return pa.RecordBatch.from_arrays([values.flatten().dictionary_encode()], schema=_ELEMENTS)

    return _of_value("jsonb_array_elements", session, context, arguments, _ELEMENTS, batch)


def _of_value(
    name: str,
    session: Session,
    context: SessionContext,
    arguments: Sequence[Any],
    schema: pa.Schema,
    batch: Callable[[Any], pa.RecordBatch],
) -> Table:
    """A table made from one value: a constant, or a subquery of one row and column."""
    if len(arguments) != 1:
        raise QueryError(f"{name} has 1 argument")
    (argument,) = arguments

    def rows(scan: Scan) -> Iterator[pa.RecordBatch]:
        value = _value(name, context, argument)
        if value is not None:
            yield batch(value)

    return batch_table(session, name, schema, rows)


def _value(name: str, context: SessionContext, argument: Any) -> Any:
    kind = argument.variant_name()
    if kind == "Literal":
        return argument.python_value().as_py()
    if kind != "ScalarSubquery":
        raise QueryError(f"the argument of {name} is a constant or a subquery in parentheses")

    def value() -> Any:
        # The bindings do not show a subquery's plan, but take the whole expression back.
        frame = context.from_pydict({"one": [1]}, f"one_{uuid4().hex}").select(Expr(argument))
        return frame.to_arrow_table().column(0)[0].as_py()

    try:
        return own_thread.call(value)
    except Exception as error:  # DataFusion raises plain exceptions
        raise one_line(error) from None


DOCS: Final = (
    (
        "get_payload(process_id, stream_id, block_id)",
        "The block's bytes as they are stored ([format](format.md)), those of its other threads with them.",
    ),
)
TABLE_FUNCTIONS: Final = (
    TableFunction(
        "view_instance",
        "view_instance(view, id)",
        "Rows of a view for one stream (thread_spans), one process (the other events), or 'global'.",
        _view_instance,
    ),
    TableFunction(
        "process_spans",
        "process_spans(process_id, types)",
        "Spans of a process: 'thread', 'async' (begins and ends paired) or 'both'; columns of thread_spans.",
        _process_spans,
    ),
    TableFunction(
        "perfetto_trace_chunks",
        "perfetto_trace_chunks(process_id, types, begin, end)",
        "A Perfetto trace in chunks (chunk_id, chunk_data) of spans: 'thread', 'async' or 'both'; 'all': everything.",
        _perfetto,
    ),
    TableFunction(
        "call_tree",
        "call_tree(process_id, begin, end [, thread_name])",
        "Where the time went: a row for each path of names, path (joined by ;), calls, total, self, longest in ns; of "
        "spans that cross begin or end, what lies between; NULL for no bound.",
        _call_tree,
    ),
    TableFunction(
        "span_self_time",
        "span_self_time(process_id, begin, end [, thread_name])",
        "The same by name: calls, total (a name inside itself counts once), self, longest.",
        _self_time,
    ),
    TableFunction(
        "utilization",
        "utilization(process_id, bin)",
        "What of each bin, an interval from the epoch on, a thread spent in spans: time_bin, stream_id, thread_name, "
        "busy (ns), utilization (0 to 1); no row where that is none. Bins at the ends of a range are whole.",
        _utilization,
    ),
    TableFunction(
        "parse_block", "parse_block(block_id)", "A block's events: object_index, type_name, value (JSON).", _parse_block
    ),
    TableFunction(
        "expand_histogram",
        "expand_histogram(h)",
        "bin_center and count of every bin; h is a subquery.",
        _expand_histogram,
    ),
    TableFunction(
        "jsonb_each",
        "jsonb_each(json)",
        "key and value of an object's members or an array's elements; json is a subquery or a constant.",
        _jsonb_each,
    ),
    TableFunction(
        "jsonb_array_elements",
        "jsonb_array_elements(json)",
        "value of an array's elements; json as there.",
        _jsonb_array_elements,
    ),
)
