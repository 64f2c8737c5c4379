"""tachy: logs, metrics and spans at full rate, for some tens of nanoseconds each; and questions about them in SQL.

    import tachy

    tachy.start()                          # sends to http://127.0.0.1:9000, or TACHY_URL
    with tachy.span("bake"):
        tachy.metric("tiles", 12)
    tachy.stop()

    tachy.connect().query("SELECT name, duration FROM thread_spans").to_pandas()

Before `start` and after `stop`, recording does nothing and costs next to nothing. docs/python.md has the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tachy import decorators, errors, recorder, session
from tachy.async_span import AsyncSpan, async_span
from tachy.errors import MissingExtra, NotFound, QueryError, ServerUnavailable, SettingsError, TachyError
from tachy.handler import LoggingHandler
from tachy.recorder import Properties, Span, begin, end, frame, log, metric, properties, span
from tachy.session import (
    flush,
    image,
    mark,
    set_category,
    set_level,
    set_process_property,
    set_thread_name,
    start,
    stop,
)
from tachy.stats import Stats, stats
from tachy.version import VERSION

if TYPE_CHECKING:
    from tachy.client import Connection

__version__ = VERSION

recorder.configure(session.thread_name, decorators.decorate)


def connect(
    uri: str | None = None, *, url: str | None = None, token: str | None = None, ca: str | None = None
) -> Connection:
    """A connection for queries: see `tachy.client.connect`. Needs the extra [notebook]."""
    from tachy.client import connect as connect_

    return connect_(uri, url=url, token=token, ca=ca)


__all__ = [
    "AsyncSpan",
    "LoggingHandler",
    "MissingExtra",
    "NotFound",
    "Properties",
    "QueryError",
    "ServerUnavailable",
    "SettingsError",
    "Span",
    "Stats",
    "TachyError",
    "__version__",
    "async_span",
    "begin",
    "connect",
    "end",
    "errors",
    "flush",
    "frame",
    "image",
    "log",
    "mark",
    "metric",
    "properties",
    "set_category",
    "set_level",
    "set_process_property",
    "set_thread_name",
    "span",
    "start",
    "stats",
    "stop",
]
