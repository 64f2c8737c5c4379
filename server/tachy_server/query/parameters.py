"""Parameters of statements: which types clients are told to bind.

To check: pytest tests/query/test_parameters.py tests/wire/test_parameters.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import pyarrow as pa
from datafusion import DataFrame, SessionContext

from tachy_server.base.errors import QueryError
from tachy_server.query import plans
from tachy_server.query.placeholders import number_placeholders

_TEXT: Final = re.compile(r'Utf8\("[^"]*"\)')
_CAST: Final = re.compile(r"CAST\(\$(\d+) AS ((?:[^()]|\([^()]*\))+)\)")
_LIMIT: Final = re.compile(r"\b(?:skip|fetch)=\$(\d+)")
_PREPARE: Final = re.compile(r'Prepare: "p" \[(.*)\]')
_TYPE: Final = re.compile(r"\w+(?:\((?:[^()]|\([^()]*\))*\))?")


def describe(context: SessionContext, sql: str, frame: DataFrame) -> pa.Schema:
    """The parameters $1, $2, … of a statement, each with the type that a client should bind: what the plan compares or
    casts it with, Int64 for LIMIT and OFFSET, else text, which is what table functions take.
    """
    _, count = number_placeholders(sql)
    if count > len(sql):
        raise QueryError(f"there is a parameter ${count} but none before it; number them from $1 on")
    if not count:
        return pa.schema([])
    plan = frame.logical_plan()
    names = [f"${at}" for at in range(1, count + 1)]
    shown = _TEXT.sub("", plan.display_indent())
    types = {f"${at}": "Int64" for at in _LIMIT.findall(shown)} | {f"${at}": kind for at, kind in _CAST.findall(shown)}
    inferred = _inferred(context, sql)
    if len(inferred) == count:
        types = dict(zip(names, inferred, strict=True)) | types
    parsed = dict(zip(set(types.values()), _parsed(context, set(types.values())), strict=True))
    known = {name: parsed[kind] for name, kind in types.items()}
    if len(inferred) != count:
        known = plans.placeholders(plan) | known
    return pa.schema([pa.field(name, _asked(known.get(name, pa.utf8()))) for name in names])


def _inferred(context: SessionContext, sql: str) -> list[str]:
    """What DataFusion itself infers, subqueries and joins included; it leaves out those of which it knows nothing."""
    try:
        shown = context.sql(f"EXPLAIN PREPARE p AS {sql}").logical_plan().display_indent()
    except Exception:  # of EXPLAIN and SHOW it makes no prepared statement
        return []
    found = _PREPARE.search(shown)
    return _TYPE.findall(found[1]) if found else []


def _parsed(context: SessionContext, kinds: Iterable[str]) -> Iterator[pa.DataType]:
    """Types from DataFusion's text for them."""
    for kind in kinds:
        literal = kind.replace("'", "''")
        try:
            yield context.sql(f"SELECT arrow_cast(NULL, '{literal}')").schema().field(0).type
        except Exception:  # one that it writes in a way that it does not read
            yield pa.utf8()


def _asked(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_timestamp(kind):
        return pa.timestamp("ms", kind.tz)  # JDBC's driver writes milliseconds into whatever unit is asked for
    return pa.utf8() if kind in (pa.string_view(), pa.large_utf8()) else kind
