"""Arguments of table functions: constants, or parameters that have a value by the time the query runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa

from tachy_server.base.errors import QueryError
from tachy_server.base.times import parse_time
from tachy_server.views.bounds import parse_uuid
from tachy_server.views.tables import Session


def constant(name: str, session: Session, argument: Any, unknown: pa.Scalar) -> pa.Scalar:
    """The value of an argument, or of the parameter that it names; `unknown` while that has none."""
    kind = argument.variant_name()
    if kind == "Literal":
        return argument.python_value()
    number = argument.to_variant().id().removeprefix("$") if kind == "Placeholder" else ""
    if not number.isdecimal():
        raise QueryError(f"the arguments of {name} must be constants")
    if session.parameters is None or int(number) > len(session.parameters):
        session.unbound.add(int(number))
        return unknown
    return session.parameters[int(number) - 1]


def texts(name: str, session: Session, arguments: Sequence[Any], *unknown: str) -> list[str]:
    """Arguments that are text; `unknown` stands for those whose parameters have no value yet."""
    count = len(unknown)
    if len(arguments) != count:
        raise QueryError(f"{name} has {count} argument{'s' if count > 1 else ''}, not {len(arguments)}")
    pairs = zip(arguments, unknown, strict=True)
    found = [constant(name, session, argument, pa.scalar(text)).as_py() for argument, text in pairs]
    if not all(isinstance(text, str) for text in found):
        raise QueryError(f"the arguments of {name} are text")
    return found


def time(name: str, session: Session, argument: Any) -> int | None:
    """A time, UTC nanoseconds, of a timestamp or a text; None for NULL."""
    value = constant(name, session, argument, pa.scalar(None, pa.timestamp("ns")))
    if not value.is_valid:
        return None
    try:
        if pa.types.is_string(value.type):
            return parse_time(value.as_py())
        if not pa.types.is_timestamp(value.type):
            raise QueryError(f"the times of {name} are timestamps")
        return int(value.cast(pa.timestamp("ns")).value)
    except pa.ArrowInvalid as error:
        raise QueryError(f"a time of {name} is not understood: {error}") from None


def uuid(name: str, text: str) -> UUID:
    """An id of which this is the text."""
    known = parse_uuid(text.lower())
    if known is None:
        raise QueryError(f"'{text}', given to {name}, is not an id (UUID)")
    return known
