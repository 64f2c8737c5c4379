"""What a command is planned with, and what it is once it is planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tachy_server.lake.visible import Visible
from tachy_server.views.tables import Stop

if TYPE_CHECKING:
    from tachy_server.lake.lake import Lake
    from tachy_server.query.engine import QueryEngine


@dataclass(frozen=True, slots=True)
class Context:
    """What there is to work with, who asks, and what he may see."""

    engine: QueryEngine
    lake: Lake
    stop: Stop
    who: str
    visible: Visible


@dataclass(frozen=True, slots=True)
class Planned:
    """`run` does it and gives its rows."""

    schema: pa.Schema
    run: Callable[[], pa.Table]


DONE: Final = pa.schema([("name", pa.string()), ("status", pa.string())])
"""Of what `done` gives."""


def done(name: str, status: str) -> pa.Table:
    """The one row of a command that changes something."""
    return pa.table([[name], [status]], schema=DONE)
