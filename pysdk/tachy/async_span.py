"""Async spans: they may begin on one thread and end on another, and do not nest by time on a thread.

`with` (or `async with`) makes the span the parent of the async spans that the same task, or the tasks and threads that
inherit its context, begin inside it. A context may outlive that: the span was ended in another task or thread, or its
object is gone. Then the nearest span around it that is still open is meant.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any
from weakref import ref

from tachy.recorder import AsyncHandle, async_begin, async_end, async_flow, async_site, async_value


class _Scope:
    """A `with` that was entered, and the one around it. It does not keep the span: the `with` does."""

    __slots__ = ("outer", "span")

    def __init__(self, span: AsyncSpan, outer: _Scope | None) -> None:
        self.span = ref(span)
        self.outer = outer


_current: ContextVar[_Scope | None] = ContextVar("tachy_async_span", default=None)
_sites: dict[tuple[str, str, str, int], object] = {}
_inherit: Any = object()


def site_of(name: str, target: str, file: str, line: int) -> object:
    """The recorder's site, made once per place and name."""
    key = (name, target, file, line)
    site = _sites.get(key)
    if site is None:
        site = _sites[key] = async_site(name, target, file, line)
    return site


def _innermost() -> _Scope | None:
    """The scope of this context whose span is open and recorded; what has ended is nobody's parent."""
    scope = _current.get()
    while scope is not None:
        span = scope.span()
        if span is not None and span.open:
            break
        scope = scope.outer
    return scope


class AsyncSpan:
    """One async span. begin() and end() may be called on different threads; a second call of either does nothing."""

    __slots__ = ("__weakref__", "_handle", "_parent", "_site", "_values")

    def __init__(
        self, site: object, parent: AsyncSpan | None = _inherit, *, values: Mapping[str, object] | None = None
    ) -> None:
        self._site = site
        self._parent = parent
        self._values = values
        self._handle: AsyncHandle | None = None

    @property
    def id(self) -> int:
        """Unique in the process; 0 when it is not recorded, or has not begun."""
        return 0 if self._handle is None else self._handle.id

    @property
    def open(self) -> bool:
        """Whether it is recorded, has begun and has not ended."""
        return self._handle is not None and self._handle.open

    def begin(self) -> AsyncSpan:
        """Begins the span. Its parent is the one given, else the one that is current here; if that has ended, its own.

        The parent given must have begun.
        """
        if self._handle is None:
            if self._parent is _inherit:
                scope = _innermost()
                self._parent = None if scope is None else scope.span()
            while self._parent is not None and not self._parent.open:
                self._parent = self._parent._parent if self._parent._handle is not None else None
            parent = None if self._parent is None else self._parent._handle
            self._handle = async_begin(self._site, parent)
            for key, value in (self._values or {}).items():
                async_value(self._handle, key, value)
            self._values = None
        return self

    def end(self) -> None:
        """Ends the span, on any thread."""
        if self._handle is not None:
            async_end(self._handle)

    def __setitem__(self, key: str, value: object) -> None:
        """Gives it a value, on any thread; nothing happens unless it is open."""
        if self._handle is not None:
            async_value(self._handle, key, value)

    def flow(self, number: int, /) -> None:
        """Puts it on the flow of that number, as Span.flow does."""
        if self._handle is not None:
            async_flow(self._handle, number)

    def __enter__(self) -> AsyncSpan:
        self.begin()
        _current.set(_Scope(self, _innermost()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        _current.set(_innermost())  # of this context; in others that were entered it is passed over

    async def __aenter__(self) -> AsyncSpan:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def async_span(
    name: str, *, target: str | None = None, parent: AsyncSpan | None = _inherit, **values: object
) -> AsyncSpan:
    """An async span at this place.

    target: category, the calling module's name by default. parent: an AsyncSpan, or None for a root; by default the
    async span that is current in this task. values: what it begins with.
    """
    caller = sys._getframe(1)
    module = caller.f_globals.get("__name__", "") if target is None else target
    return AsyncSpan(site_of(name, module, caller.f_code.co_filename, caller.f_lineno), parent, values=values)
