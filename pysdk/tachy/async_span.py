"""Async spans: they may begin on one thread and end on another, and do not nest by time on a thread.

`with` (or `async with`) makes the span the parent of the async spans that the same task, or the tasks and threads that
inherit its context, begin inside it.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

from tachy.recorder import AsyncHandle, async_begin, async_end, async_site

_current: ContextVar[AsyncSpan | None] = ContextVar("tachy_async_span", default=None)
_sites: dict[tuple[str, str, str, int], object] = {}
_inherit: Any = object()


def site_of(name: str, target: str, file: str, line: int) -> object:
    """The recorder's site, made once per place and name."""
    key = (name, target, file, line)
    site = _sites.get(key)
    if site is None:
        site = _sites[key] = async_site(name, target, file, line)
    return site


class AsyncSpan:
    """One async span. begin() and end() may be called on different threads; a second call of either does nothing."""

    __slots__ = ("_handle", "_parent", "_site", "_token")

    def __init__(self, site: object, parent: AsyncSpan | None = _inherit) -> None:
        self._site = site
        self._parent = parent
        self._handle: AsyncHandle | None = None
        self._token: Token[AsyncSpan | None] | None = None

    @property
    def id(self) -> int:
        """Unique in the process; 0 when it is not recorded, or has not begun."""
        return 0 if self._handle is None else self._handle.id

    def begin(self) -> AsyncSpan:
        """Begins the span. Its parent is the one given, else the one that is current here."""
        if self._handle is None:
            parent = _current.get() if self._parent is _inherit else self._parent
            self._handle = async_begin(self._site, None if parent is None else parent._handle)
        return self

    def end(self) -> None:
        """Ends the span, on any thread."""
        if self._handle is not None:
            async_end(self._handle)

    def __enter__(self) -> AsyncSpan:
        self.begin()
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        token, self._token = self._token, None
        if token is not None:
            with suppress(ValueError):  # entered in another context: there it ends with the task
                _current.reset(token)

    async def __aenter__(self) -> AsyncSpan:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def async_span(name: str, *, target: str | None = None, parent: AsyncSpan | None = _inherit) -> AsyncSpan:
    """An async span at this place.

    target: category, the calling module's name by default. parent: an AsyncSpan, or None for a root; by default the
    async span that is current in this task.
    """
    caller = sys._getframe(1)
    module = caller.f_globals.get("__name__", "") if target is None else target
    return AsyncSpan(site_of(name, module, caller.f_code.co_filename, caller.f_lineno), parent)
