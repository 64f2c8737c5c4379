"""SQL's functions that look after views' files and refuse queries, under the names and columns of Micromegas.

A partition is here what a view has of a day: its files, and that they cover the day's segments. Those that change
something need a key for admin; each does nothing more when it is done again, since a query may be begun again.
"""

from __future__ import annotations

import datetime
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from datafusion import SessionContext, udf

from tachy_server.base.errors import Forbidden, QueryError, TachyError
from tachy_server.lake import catalog, materialized, query_denials
from tachy_server.lake.database import Connection, day_of, start_of
from tachy_server.lake.lake import Lake
from tachy_server.lake.materialized import MaterializedView
from tachy_server.lake.query_denials import Denial
from tachy_server.lake.segments import Select
from tachy_server.lake.snapshot import Snapshot
from tachy_server.lake.visible import EVERYTHING
from tachy_server.query import constants, denials, own_thread
from tachy_server.query.materialized.known import BUILT_IN, FOR_OTHERS, Stored, everything
from tachy_server.query.table_functions import GLOBAL, NOBODY, Bound, TableFunction
from tachy_server.views.declarations import TIME, Kind
from tachy_server.views.tables import Scan, Session, Table, batch_table

if TYPE_CHECKING:
    from tachy_server.query.materialized.materializer import Materializer

LOG: Final = pa.schema([pa.field("time", TIME), pa.field("msg", pa.utf8())])
VIEW_SETS: Final = pa.schema(
    [
        pa.field("view_set_name", pa.utf8()),
        pa.field("current_schema_hash", pa.binary()),
        pa.field("schema", pa.utf8()),
        pa.field("has_view_maker", pa.bool_()),
        pa.field("global_instance_available", pa.bool_()),
    ]
)
PARTITIONS: Final = pa.schema(
    [
        pa.field("view_set_name", pa.utf8()),
        pa.field("view_instance_id", pa.utf8()),
        pa.field("begin_insert_time", TIME),
        pa.field("end_insert_time", TIME),
        pa.field("min_event_time", TIME),
        pa.field("max_event_time", TIME),
        pa.field("updated", TIME),
        pa.field("file_path", pa.utf8()),
        pa.field("file_size", pa.int64()),
        pa.field("file_schema_hash", pa.binary()),
        pa.field("source_data_hash", pa.binary()),
        pa.field("num_rows", pa.int64()),
        pa.field("partition_format_version", pa.int32()),
        pa.field("sort_order", pa.list_(pa.utf8())),
        pa.field("max_sort_key_time", TIME),
    ]
)
DEFINITIONS: Final = pa.schema(
    [
        pa.field("view_set_name", pa.utf8()),
        pa.field("definition_sql", pa.utf8()),
        pa.field("update_group", pa.int32()),
        pa.field("updated_at", TIME),
        pa.field("updated_by", pa.utf8()),
    ]
)
DENIALS: Final = pa.schema(
    [
        pa.field("rule_id", pa.utf8()),
        pa.field("created_at", TIME),
        pa.field("created_by", pa.utf8()),
        pa.field("reason", pa.utf8()),
        pa.field("match_expr", pa.utf8()),
        pa.field("last_hit_at", TIME),
    ]
)
_HOUR: Final = 3600 * 10**9
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Administration:
    """What these functions work with, and who asks: somebody who may."""

    lake: Lake
    who: str
    materializer: Callable[[], Materializer]


def _allowed(session: Session, name: str) -> Administration:
    if not isinstance(session.admin, Administration):
        session.failure = Forbidden(f"{name} is for keys with the scope admin.")
        raise session.failure
    return session.admin


# What there is -------------------------------------------------------------------------------------------------------


def _list_view_sets(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    _none("list_view_sets", arguments)

    def rows(scan: Scan) -> Iterator[pa.RecordBatch]:
        with session.moment() as snapshot:
            schemas = _schemas(session, snapshot, session.metadata.materialized_views(snapshot))
        made = [name not in session.views or session.views[name].kind is not Kind.METADATA for name in schemas]
        hashes = [_hash(schema) for schema in schemas.values()]
        columns: list[list[Any]] = [list(schemas), hashes, list(schemas.values()), made, [True for _ in schemas]]
        yield _batch(VIEW_SETS, columns)

    return batch_table(session, "list_view_sets", VIEW_SETS, rows)


def _list_partitions(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    _none("list_partitions", arguments)

    def rows(scan: Scan) -> Iterator[pa.RecordBatch]:
        found: list[tuple[Any, ...]] = []
        with session.moment() as snapshot:
            there = session.metadata.materialized_views(snapshot) if snapshot.visible == EVERYTHING else []
            schemas = _schemas(session, snapshot, there)
            for row in there:
                view, hash_ = everything([row])[row.name], _hash(schemas[row.name])
                sort = None if view.definition.sort is None else view.definition.sort.split(", ")
                for key, *of_file in _files(snapshot.select, view, row.table_id):
                    size, count, first, last, written = of_file
                    begin, end = _times_of(key)
                    times = (begin, end, first, last, written)
                    found.append((row.name, GLOBAL, *times, key, size, hash_, b"", count, 1, sort, None))
        yield _batch(PARTITIONS, list(zip(*found, strict=True)) or [[] for _ in PARTITIONS])

    return batch_table(session, "list_partitions", PARTITIONS, rows)


def _files(select: Select, view: Stored, table_id: int) -> Iterator[tuple[Any, ...]]:
    """Key, size, rows, bounds of the time, and when they came to be."""
    columns = catalog.columns(select, table_id)
    times = [name for name, kind in columns if kind.startswith("timestamp")]
    written = catalog.written(select, table_id)
    for key, *of_file in catalog.files(select, table_id, view.definition.time or times[0]):
        yield key, *of_file, written[key]


def _times_of(key: str) -> tuple[int, int]:
    """When the segments came whose events a file has."""
    day, _, hour = materialized.place_of(key).partition("/")
    begin = start_of(datetime.date.fromisoformat(day))
    return (begin, begin + _DAY) if hour == "day" else (begin + int(hour) * _HOUR, begin + (int(hour) + 1) * _HOUR)


def _list_definitions(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    _none("list_view_set_definitions", arguments)
    admin = _allowed(session, "list_view_set_definitions")

    def rows(scan: Scan) -> Iterator[pa.RecordBatch]:
        with admin.lake.connection() as connection:
            found = [row for row in materialized.stored(connection) if row.name not in {*BUILT_IN, *FOR_OTHERS}]
        columns: list[list[Any]] = [[row.name for row in found], [row.definition for row in found], [0 for _ in found],
                   [row.created for row in found], [row.created_by for row in found]]  # fmt: skip
        yield _batch(DEFINITIONS, columns)

    return batch_table(session, "list_view_set_definitions", DEFINITIONS, rows)


def _schemas(session: Session, snapshot: Snapshot, there: Sequence[MaterializedView]) -> dict[str, str]:
    """Of all views, by name, those that users made too."""
    found = {
        view.name: ", ".join(f"{entry.name} {entry.type}" for entry in view.schema) for view in session.views.values()
    }
    for row in there:
        if row.name not in found:
            found[row.name] = ", ".join(
                f"{name} {kind}" for name, kind in catalog.columns(snapshot.select, row.table_id)
            )
    return found


def _hash(schema: str) -> bytes:
    return hashlib.sha256(schema.encode()).digest()[:8]


# What a view has of some days ----------------------------------------------------------------------------------------


def _retire_partitions(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    admin = _allowed(session, "retire_partitions")
    name, instance = constants.texts("retire_partitions", session, arguments[:2], "", GLOBAL)
    begin, end = _range("retire_partitions", session, arguments[2:])
    return _log(session, "retire_partitions", lambda: _retire(admin, name, instance, begin, end))


def _materialize_partitions(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    admin = _allowed(session, "materialize_partitions")
    name, begin, end = _filled("materialize_partitions", session, arguments)
    return _log(session, "materialize_partitions", lambda: _fill(admin, name, begin, end))


def _regenerate_partitions(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    admin = _allowed(session, "regenerate_partitions")
    name, begin, end = _filled("regenerate_partitions", session, arguments)

    def both() -> Iterator[str]:
        yield from _retire(admin, name, GLOBAL, begin, end)
        yield from _fill(admin, name, begin, end)

    return _log(session, "regenerate_partitions", both)


def _retire(admin: Administration, name: str, instance: str, begin: int, end: int) -> Iterator[str]:
    """Whole days: of a part of one nobody knows which rows of a day's file they are."""
    with admin.lake.connection() as connection:
        table_id = _table_of(connection, name, instance)
        for day in materialized.days(connection, table_id):
            since = start_of(day)
            if begin <= since and since + _DAY <= end:
                yield _retire_day(connection, name, table_id, day)[1]


def _retire_day(connection: Connection, name: str, table_id: int, day: datetime.date) -> tuple[bool, str]:
    """Whether it is done, and in words."""
    if materialized.take_back(connection, table_id, day):
        return True, f"{name} of {day} is retired"
    return False, f"{name} of {day} stays: events it is made of are over, nothing could make it again"


def _table_of(connection: Connection, name: str, instance: str = GLOBAL) -> int:
    found = {row.name: row.table_id for row in materialized.stored(connection)}.get(name)
    if found is None:
        raise QueryError(f"{name} is no view that has files; list_partitions() shows those that have")
    if instance != GLOBAL:
        raise QueryError(f"the only instance of {name} is '{GLOBAL}'")
    return found


def _fill(admin: Administration, name: str, begin: int, end: int) -> Iterator[str]:
    while (step := own_thread.call(lambda: admin.materializer().fill(name, begin, end))) is not None:
        yield f"{name}: {step}"
    yield f"{name} has in files what could be put there"


def _retire_file(admin: Administration, path: str) -> str:
    with admin.lake.connection() as connection:
        for row in materialized.stored(connection):
            if path in catalog.rows(connection, row.table_id):
                day = materialized.day_of_file(path)
                return _answer(*_retire_day(connection, row.name, row.table_id, day), path)
    return f"ERROR: Partition not found: {path}"


def _retire_range(admin: Administration, name: str, instance: str, begin: int, end: int) -> str:
    """A partition as list_partitions() shows it."""
    with admin.lake.connection() as connection:
        table_id = _table_of(connection, name, instance)
        for key in catalog.rows(connection, table_id):
            if _times_of(key) == (begin, end):
                return _answer(*_retire_day(connection, name, table_id, day_of(begin)), key)
    return f"ERROR: Partition not found: {name}/{instance} [{begin}, {end})"


def _answer(done: bool, said: str, key: str) -> str:
    return f"SUCCESS: Retired partition {key}: {said}" if done else f"ERROR: {said}"


# Which queries are refused -------------------------------------------------------------------------------------------


def _deny_queries(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    admin = _allowed(session, "deny_queries")
    condition, reason = constants.texts("deny_queries", session, arguments, "false", "a reason")
    if not reason.strip():
        raise QueryError("say why, for those whose queries it refuses")
    own_thread.call(lambda: denials.compiled(condition))
    rule = Denial(uuid.uuid4(), time.time_ns(), admin.who, reason.strip(), condition)

    def deny() -> Iterator[str]:
        with admin.lake.connection() as connection:
            there = query_denials.read(connection)
            if len(there) >= denials.MAX_RULES:
                raise QueryError(f"there are {len(there)} rules, each of which every query waits for: remove some")
            if rule.rule_id not in {one.rule_id for one in there}:
                query_denials.add(connection, rule)
        yield str(rule.rule_id)

    return _log(session, "deny_queries", deny)


def _list_denials(session: Session, context: SessionContext, arguments: Sequence[Any]) -> Table:
    _none("list_query_denials", arguments)
    admin = _allowed(session, "list_query_denials")

    def rows(scan: Scan) -> Iterator[pa.RecordBatch]:
        with admin.lake.connection() as connection:
            found = [(str(rule_id), *rest) for rule_id, *rest in query_denials.read(connection)]
        yield _batch(DENIALS, list(zip(*found, strict=True)) or [[] for _ in DENIALS])

    return batch_table(session, "list_query_denials", DENIALS, rows)


def _remove_denial(admin: Administration, text: str) -> str:
    try:
        rule_id = uuid.UUID(text)
    except ValueError:
        return f"ERROR: '{text}' is not a valid rule id"
    with admin.lake.connection() as connection:
        removed = query_denials.remove(connection, rule_id)
    return f"SUCCESS: removed rule {rule_id}" if removed else f"ERROR: no such rule: {rule_id}"


# How they are called -------------------------------------------------------------------------------------------------


def register(context: SessionContext, bound: Bound) -> None:
    """Make those that are scalars known to a context."""
    for name, arguments, call in _SCALARS:
        context.register_udf(udf(_scalar(name, call, bound), list(arguments), pa.utf8(), "volatile", name))


def _scalar(name: str, call: Callable[..., str], bound: Bound) -> Callable[..., pa.Array]:
    def of_arrays(*arrays: pa.Array) -> pa.Array:
        session = bound.session
        try:
            admin = _allowed(session, name)
            plain = [array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array for array in arrays]
            rows = zip(*(array.to_pylist() for array in plain), strict=True)
            return pa.array([None if None in row else call(admin, *row) for row in rows], pa.utf8())
        except TachyError as error:
            session.failure = session.failure or error
            raise

    return of_arrays


def _none(name: str, arguments: Sequence[Any]) -> None:
    if arguments:
        raise QueryError(f"{name} has no arguments")


def _range(name: str, session: Session, arguments: Sequence[Any]) -> tuple[int, int]:
    """[begin, end), UTC nanoseconds."""
    if len(arguments) != 2:
        raise QueryError(f"{name} needs two times, where it begins and where it ends")
    times = [constants.time(name, session, argument) for argument in arguments]
    if session.unbound:
        return 0, 0
    begin, end = times
    if begin is None or end is None:
        raise QueryError(f"{name} needs two times, where it begins and where it ends")
    return begin, end


def _filled(name: str, session: Session, arguments: Sequence[Any]) -> tuple[str, int, int]:
    """View, begin and end. How long a partition is is no choice here: an hour, and a day when it is over."""
    if len(arguments) != 4:
        raise QueryError(f"{name} has 4 arguments")
    if not pa.types.is_integer(constants.constant(name, session, arguments[3], pa.scalar(1)).type):
        raise QueryError(f"the seconds of {name} are a whole number")
    (view,) = constants.texts(name, session, arguments[:1], NOBODY)
    return view, *_range(name, session, arguments[1:3])


def _log(session: Session, name: str, work: Callable[[], Iterator[str]]) -> Table:
    """A row for each thing that is done, when it is."""

    def rows(scan: Scan) -> Iterator[pa.RecordBatch]:
        for line in work():
            session.check()
            yield _batch(LOG, [[time.time_ns()], [line]])

    return batch_table(session, name, LOG, rows)


def _batch(schema: pa.Schema, columns: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    arrays = [
        pa.array(column, pa.int64()).cast(TIME) if field.type == TIME else pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


_NS: Final = pa.timestamp("ns")
_SCALARS: Final[tuple[tuple[str, tuple[pa.DataType, ...], Callable[..., str]], ...]] = (
    ("retire_partition_by_file", (pa.utf8(),), _retire_file),
    (
        "retire_partition_by_metadata",
        (pa.utf8(), pa.utf8(), _NS, _NS, pa.binary()),
        lambda admin, name, instance, begin, end, schema_hash: _retire_range(admin, name, instance, begin, end),
    ),
    ("remove_query_denial", (pa.utf8(),), _remove_denial),
)
SCALARS: Final = (
    (
        "retire_partition_by_file(file_path)",
        "The same of the day of one file of list_partitions(), as one text: `SUCCESS: …` or `ERROR: …`.",
    ),
    (
        "retire_partition_by_metadata(view, 'global', begin, end, schema_hash)",
        "The same of the day of one row of list_partitions().",
    ),
    ("remove_query_denial(rule_id)", "Takes a rule back; one text: `SUCCESS: …` or `ERROR: …`."),
)
"""How they are called, and what they do."""
ADMINISTRATION: Final = (
    TableFunction("list_view_sets", "list_view_sets()", "The views and their schemas.", _list_view_sets),
    TableFunction(
        "list_partitions",
        "list_partitions()",
        "The files of materialized views: of which view, when the events came that they have (begin_insert_time, "
        "end_insert_time), which times they have, path, size, rows. None for a key that is limited to some processes.",
        _list_partitions,
    ),
    TableFunction(
        "list_view_set_definitions",
        "list_view_set_definitions()",
        "For admin: the materialized views that users have made: view_set_name, definition_sql, as it was written, "
        "update_group (0), updated_at, updated_by.",
        _list_definitions,
    ),
    TableFunction(
        "retire_partitions",
        "retire_partitions(view, 'global', begin, end)",
        "For admin: a materialized view lets go of the files and the coverage of what came on the days (UTC) that lie "
        "within; queries make it of blocks, and maintenance puts it into files again. A day of which events are over "
        "stays. Rows: time, msg.",
        _retire_partitions,
    ),
    TableFunction(
        "materialize_partitions",
        "materialize_partitions(view, begin, end, delta_seconds)",
        "For admin: what came in [begin, end) is put into files of the view now, and not when maintenance comes to it; "
        "files are of hours and days, whatever delta_seconds says. Rows: time, msg.",
        _materialize_partitions,
    ),
    TableFunction(
        "regenerate_partitions",
        "regenerate_partitions(view, begin, end, delta_seconds)",
        "For admin: both, one after the other.",
        _regenerate_partitions,
    ),
    TableFunction(
        "deny_queries",
        "deny_queries(condition, reason)",
        "For admin: from a second later on queries are refused of which the condition is true; msg is the rule's id.",
        _deny_queries,
    ),
    TableFunction(
        "list_query_denials",
        "list_query_denials()",
        "For admin: rule_id, created_at, created_by, reason, match_expr, last_hit_at.",
        _list_denials,
    ),
)
