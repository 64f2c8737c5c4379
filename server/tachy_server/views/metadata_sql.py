"""The metadata views in PostgreSQL: where each has its rows, and each column as an expression.

A scan becomes one SELECT: the columns that it needs, the conditions that PostgreSQL understands as DataFusion does, the
order and the limit where nothing else stands between. Values are written into the statement, since COPY takes none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import pyarrow as pa
from psycopg import sql

from tachy_server.lake.described import STREAM_TOLD_NS
from tachy_server.lake.visible import Visible
from tachy_server.views.bounds import Bounds, nanoseconds, parse_uuid
from tachy_server.views.predicates import Call, Column, Literal, Node
from tachy_server.views.scans import Order
from tachy_server.views.sources import Ask

UUIDS, TEXTS, NUMBERS, TIMES = "uuid", "text", "number", "time"
FORMAT: Final = "tachy-1"
LIMIT_OF_INTEGERS: Final = 1 << 63

_OPERATORS: Final = {
    "equal": "=",
    "not_equal": "<>",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
}
_EQUALITIES: Final = ("=", "<>")


@dataclass(frozen=True, slots=True)
class Expression:
    """A column in PostgreSQL. `kind`: how it compares there as it does in DataFusion; "": it is only shown."""

    text: str
    kind: str = ""

    @property
    def shown(self) -> str:
        """As Arrow gets it."""
        return f"{self.text}::text" if self.kind == UUIDS else self.text


@dataclass(frozen=True, slots=True)
class Source:
    """A view's rows. `joins` are made where something names their alias, in this order. `bounds` and `range` are
    expressions of the latest and the earliest moment of a row: for what its predicate says of its own times, and for
    the client's range.
    """

    table: str
    columns: Mapping[str, Expression]
    process_id: str
    bounds: tuple[tuple[str, ...], tuple[str, ...]]
    range: tuple[tuple[str, ...], tuple[str, ...]]
    joins: Mapping[str, str] = field(default_factory=dict)


def _uuids(**columns: str) -> dict[str, Expression]:
    return {name: Expression(text, UUIDS) for name, text in columns.items()}


def _columns(kind: str, alias: str, *names: str, prefix: str = "") -> dict[str, Expression]:
    return {f"{prefix}{name}": Expression(f"{alias}.{name}", kind) for name in names}


def _case(column: str, names: Mapping[int, str]) -> str:
    return f"CASE {column} {' '.join(f'WHEN {number} THEN {text}' for number, text in names.items())} END"


_STREAM_TAGS: Final = {1: "ARRAY['log']", 2: "ARRAY['metrics']", 3: "ARRAY['cpu']"}
_CLASSES: Final = {1: "'log'", 2: "'metric'", 3: "'span'"}


def _of_stream(alias: str, cls: str, thread: str, prefix: str = "") -> dict[str, Expression]:
    """What streams have and PostgreSQL does not say in these words."""
    properties = (
        f"jsonb_build_object('thread-name', coalesce({alias}.thread_name, ''), "
        f"'thread-id', coalesce({alias}.os_id, 0)::text, 'thread-number', {thread}::text)::text"
    )
    return {
        f"{prefix}dependencies_metadata": Expression("''::bytea"),
        f"{prefix}objects_metadata": Expression("''::bytea"),
        f"{prefix}tags": Expression(_case(cls, _STREAM_TAGS)),
        f"{prefix}properties": Expression(properties),
        f"{prefix}insert_time": Expression(f"{alias}.insert_time", TIMES),
    }


def _of_process(prefix: str = "") -> dict[str, Expression]:
    return {
        **_columns(TEXTS, "p", "exe", "username", "realname", "computer", "distro", "cpu_brand", prefix=prefix),
        **_columns(NUMBERS, "p", "tsc_frequency", "start_ticks", prefix=prefix),
        **_columns(TIMES, "p", "start_time", "insert_time", prefix=prefix),
        f"{prefix}parent_process_id": Expression("p.parent_process_id", UUIDS),
        f"{prefix}properties": Expression("p.properties::text"),
    }


SOURCES: Final[dict[str, Source]] = {
    "processes": Source(
        "processes AS p",
        {
            **_uuids(process_id="p.process_id"),
            **_of_process(),
            **_columns(TIMES, "p", "last_update_time", "last_block_end_time"),
            **_columns(NUMBERS, "p", "last_block_end_ticks"),
            "end_state": Expression(
                "(CASE WHEN p.state = 'running' AND p.last_update_time < {silent} THEN 'lost' ELSE p.state END)", TEXTS
            ),
        },
        process_id="p.process_id",
        bounds=(("p.last_update_time",), ("p.start_time",)),
        range=(("p.last_update_time",), ("p.start_time",)),
    ),
    "streams": Source(
        "streams AS s",
        {
            **_uuids(stream_id="s.stream_id", process_id="s.process_id"),
            **_of_stream("s", "s.class", "s.thread"),
            "format": Expression(f"'{FORMAT}'"),
            "last_update_time": Expression("s.last_update_time", TIMES),
        },
        process_id="s.process_id",
        bounds=(("s.last_update_time",), ("s.insert_time",)),
        range=((f"s.last_update_time + {STREAM_TOLD_NS}",), ("p.start_time",)),
        joins={"p": "JOIN processes AS p ON p.process_id = s.process_id"},
    ),
    "block_errors": Source(
        "block_errors AS e",
        {
            **_uuids(block_id="e.block_id", process_id="e.process_id"),
            "class": Expression(_case("e.class", _CLASSES), TEXTS),
            "reason": Expression("e.reason", TEXTS),
            "since": Expression("e.since", TIMES),
        },
        process_id="e.process_id",
        bounds=(("e.since",), ("e.since",)),
        range=(("e.since",), ("e.since",)),
    ),
    "query_log": Source(
        "query_log AS q",
        {
            "begin": Expression("q.begin_time", TIMES),
            "end": Expression("q.end_time", TIMES),
            **_columns(TEXTS, "q", "who", "sql", "outcome", "error"),
            **_columns(NUMBERS, "q", "rows", "bytes", "blocks", "memory"),
            "worker": Expression("q.worker", NUMBERS),
        },
        process_id="NULL::uuid",  # of no process: who may see only some sees none of it
        bounds=(("q.end_time",), ("q.begin_time",)),
        range=(("q.end_time",), ("q.begin_time",)),
    ),
}


@dataclass(frozen=True, slots=True)
class Select:
    """A statement; `counted`: its one row says how many rows there are, none of whose columns is wanted."""

    text: str
    counted: bool


def select(source: Source, ask: Ask, visible: Visible, silent: int) -> Select:
    """The SELECT of a scan. `silent`: a running process that was not heard of since is lost."""
    columns = {
        name: Expression(expression.text.format(silent=silent), expression.kind)
        if "{silent}" in expression.text
        else expression
        for name, expression in source.columns.items()
    }
    understood = [condition(part, columns) for part in _conjuncts(ask.filter)]
    where = [part for part in understood if part is not None]
    where += _ids(columns, ask.bounds)
    where += _times(source.bounds, ask.bounds.begin, ask.bounds.end)
    where += _times(source.range, ask.begin, ask.end)
    where += visible.conditions(source.process_id)
    names = ask.columns
    tail = ""
    if ask.limit is not None and None not in understood:
        tail = f"{_order(ask.order, columns)} LIMIT {ask.limit}"
    counted = not names and not tail
    shown = ", ".join(columns[name].shown for name in names) or ("count(*)" if counted else "1")
    joins = _joins(source, " ".join([shown, *where, tail]))
    text = f"SELECT {shown} FROM {source.table} {joins} WHERE {' AND '.join(where) or 'true'}{tail}"
    return Select(text, counted)


def can_order(source: Source, order: Sequence[Order]) -> bool:
    """Whether PostgreSQL sorts by these columns as DataFusion does."""
    return all(source.columns[entry.column].kind for entry in order)


def condition(node: Node, columns: Mapping[str, Expression]) -> str | None:
    """The same in PostgreSQL, NULL included; None where it has no such form."""
    match node:
        case Call("and_kleene" | "or_kleene" as function, (left, right)):
            both = condition(left, columns), condition(right, columns)
            if None in both:
                return None
            return f"({both[0]} {'AND' if function == 'and_kleene' else 'OR'} {both[1]})"
        case Call("invert", (inner,)):
            text = condition(inner, columns)
            return None if text is None else f"NOT ({text})"
        case Call("is_null" | "is_valid" as function, (Column(name),)):
            return f"{columns[name].text} IS {'NULL' if function == 'is_null' else 'NOT NULL'}"
        case Call("in", (Column(name), *values)):
            known = [_value(value.value, columns[name].kind) for value in values if isinstance(value, Literal)]
            if None in known:
                return None
            return f"{columns[name].text} IN ({', '.join(str(value) for value in known)})"
        case Call(function, (Column(name), Literal(value))) if function in _OPERATORS:
            written, kind = _value(value, columns[name].kind), columns[name].kind
            if written is None or (kind in (UUIDS, TEXTS) and _OPERATORS[function] not in _EQUALITIES):
                return None
            return f"{columns[name].text} {_OPERATORS[function]} {written}"
    return None


def _value(value: pa.Scalar, kind: str) -> str | None:
    """A constant as PostgreSQL reads it."""
    found = value.as_py() if value.is_valid and not pa.types.is_timestamp(value.type) else None
    match kind:
        case "uuid":
            known = parse_uuid(found)
            return None if known is None else f"'{known}'::uuid"
        case "text":
            return quoted(found) if isinstance(found, str) and "\0" not in found else None
        case "number":
            fits = isinstance(found, int) and pa.types.is_integer(value.type) and abs(found) < LIMIT_OF_INTEGERS
            return str(found) if fits else None
        case "time":
            time = nanoseconds(value)
            return None if time is None else str(time)
    return None


def quoted(text: str) -> str:
    """A text as a literal, whatever is in it."""
    return sql.Literal(text).as_string(None)


def _conjuncts(node: Node | None) -> Iterator[Node]:
    match node:
        case None:
            return
        case Call("and_kleene", (left, right)):
            yield from _conjuncts(left)
            yield from _conjuncts(right)
        case _:
            yield node


def _ids(columns: Mapping[str, Expression], bounds: Bounds) -> Iterator[str]:
    wanted = {"process_id": bounds.process_ids, "stream_id": bounds.stream_ids, "block_id": bounds.block_ids}
    for name, ids in wanted.items():
        if ids is not None and name in columns:
            yield f"{columns[name].text} = ANY({array_of_ids(ids)})"


def array_of_ids(ids: Iterable[UUID]) -> str:
    """As an array of PostgreSQL."""
    return _array(map(str, ids), "uuid")


def _array(values: Iterable[str], kind: str) -> str:
    return f"'{{{','.join(values)}}}'::{kind}[]"


def _times(of: tuple[tuple[str, ...], tuple[str, ...]], begin: int | None, end: int | None) -> Iterator[str]:
    if begin is not None:
        yield from (f"{latest} >= {begin}" for latest in of[0])
    if end is not None:
        yield from (f"{earliest} <= {end}" for earliest in of[1])


def _order(order: Sequence[Order], columns: Mapping[str, Expression]) -> str:
    keys = []
    for entry in order:
        column = columns[entry.column]
        collation = ' COLLATE "C"' if column.kind == TEXTS else ""
        up, nulls = "ASC" if entry.ascending else "DESC", "FIRST" if entry.nulls_first else "LAST"
        keys.append(f"{column.text}{collation} {up} NULLS {nulls}")
    return f" ORDER BY {', '.join(keys)}" if keys else ""


def _joins(source: Source, text: str) -> str:
    wanted: list[str] = []
    for alias in reversed(list(source.joins)):  # a join may name those before it
        if re.search(rf"\b{alias}\.", " ".join([text, *wanted])):
            wanted.append(source.joins[alias])
    return " ".join(reversed(wanted))
