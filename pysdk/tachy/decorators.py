"""What `@tachy.span` makes of a function: a span per call, whatever kind of function it is.

A plain function's call is a span on its thread. The call of an `async def` is an async span, because other tasks of the
thread run while it waits; so is the life of a generator, from its first item to its last.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from tachy.async_span import AsyncSpan, site_of
from tachy.recorder import Span, function, span_at


def decorate(span: Span | str | None, wrapped: Any) -> Any:
    """`wrapped`, recording a span per call.

    span: a Span, or the target of a span that is named after the function, or None for its module as target. Raises
    TypeError for what is not a function.
    """
    if isinstance(wrapped, staticmethod | classmethod):
        return type(wrapped)(decorate(span, wrapped.__func__))
    if isinstance(wrapped, type) or not callable(wrapped):
        raise TypeError(f"tachy.span decorates functions, not {wrapped!r}")
    if not isinstance(span, Span):
        span = _span_of(wrapped, span)
    inner = inspect.unwrap(wrapped)
    if inspect.iscoroutinefunction(inner):
        return _coroutine(span, wrapped)
    if inspect.isasyncgenfunction(inner):
        return _async_generator(span, wrapped)
    if inspect.isgeneratorfunction(inner):
        return _generator(span, wrapped)
    return functools.update_wrapper(function(span, wrapped), wrapped)


def _span_of(wrapped: Callable[..., Any], target: str | None) -> Span:
    code = getattr(inspect.unwrap(wrapped), "__code__", None)
    name = getattr(wrapped, "__qualname__", None) or type(wrapped).__qualname__
    module = getattr(wrapped, "__module__", None) or ""
    file, line = ("", 0) if code is None else (code.co_filename, code.co_firstlineno)
    return span_at(name, module if target is None else target, file, line)


def _site(span: Span) -> object:
    return site_of(span.name, span.target, span.file, span.line)


def _coroutine(span: Span, wrapped: Callable[..., Any]) -> Callable[..., Any]:
    site = _site(span)

    @functools.wraps(wrapped)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with AsyncSpan(site):
            return await wrapped(*args, **kwargs)

    return call


def _generator(span: Span, wrapped: Callable[..., Any]) -> Callable[..., Any]:
    site = _site(span)

    # not `with`: a generator runs in its caller's context, where it must not become the parent of the caller's spans
    @functools.wraps(wrapped)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        life = AsyncSpan(site).begin()
        try:
            return (yield from wrapped(*args, **kwargs))
        finally:
            life.end()

    return call


def _async_generator(span: Span, wrapped: Callable[..., Any]) -> Callable[..., Any]:
    site = _site(span)

    @functools.wraps(wrapped)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        life = AsyncSpan(site).begin()
        inner = wrapped(*args, **kwargs)
        try:
            value = await anext(inner)
            while True:
                try:
                    sent = yield value
                except GeneratorExit:
                    raise
                except BaseException as error:
                    value = await inner.athrow(error)
                else:
                    value = await inner.asend(sent)
        except StopAsyncIteration:
            return
        finally:
            await inner.aclose()
            life.end()

    return call
