"""What `@tachy.span` makes of a function: a span per call, whatever kind of function it is.

A plain function's call is a span on its thread. The call of an `async def` is an async span, because other tasks of the
thread run while it waits; so is the life of a generator, from its first item to its last. Its values are those that the
decorator was given, and the arguments for the parameters that it names.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any, Final

from tachy.async_span import AsyncSpan, site_of
from tachy.recorder import Span, function, span_at

# Of a span's values: the key, the place of the parameter that it names among the arguments, and the value where there
# is no argument.
_Values = tuple[tuple[str, int, object], ...]
_CONSTANT: Final = -1  # a place: it names none


def decorate(
    span: Span | str | None,
    wrapped: Any,
    args: tuple[str, ...] | None = None,
    given: Mapping[str, object] | None = None,
) -> Any:
    """`wrapped`, recording a span per call; without it, what makes that of a function.

    span: a Span, or the target of a span that is named after the function, or None for its module as target. args: the
    parameters whose arguments are the span's values. given: values of each span. Raises TypeError for what is not a
    function, and for a parameter that it has not.
    """
    if wrapped is None:
        return functools.partial(decorate, span, args=args, given=given)
    if isinstance(wrapped, staticmethod | classmethod):
        return type(wrapped)(decorate(span, wrapped.__func__, args, given))
    if isinstance(wrapped, type) or not callable(wrapped):
        raise TypeError(f"tachy.span decorates functions, not {wrapped!r}")
    if not isinstance(span, Span):
        span = _span_of(wrapped, span)
    values = tuple((key, _CONSTANT, value) for key, value in (given or {}).items()) + _parameters(wrapped, args or ())
    inner = inspect.unwrap(wrapped)
    if inspect.iscoroutinefunction(inner):
        return _coroutine(span, wrapped, values)
    if inspect.isasyncgenfunction(inner):
        return _async_generator(span, wrapped, values)
    if inspect.isgeneratorfunction(inner):
        return _generator(span, wrapped, values)
    return functools.update_wrapper(function(span, wrapped, values), wrapped)


def _parameters(wrapped: Callable[..., Any], names: tuple[str, ...]) -> _Values:
    parameters = inspect.signature(wrapped).parameters if names else {}
    places = {name: place for place, name in enumerate(parameters)}
    found = []
    for name in names:
        parameter = parameters.get(name)
        if parameter is None or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{wrapped!r} has no parameter {name!r}, whose argument tachy.span was to show")
        place = sys.maxsize if parameter.kind is parameter.KEYWORD_ONLY else places[name]
        found.append((name, place, None if parameter.default is parameter.empty else parameter.default))
    return tuple(found)


def _of_call(values: _Values, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, object]:
    """The values of a call's span. The same for plain functions is in pysdk/native/function.c."""
    return {
        key: args[place] if 0 <= place < len(args) else default if place == _CONSTANT else kwargs.get(key, default)
        for key, place, default in values
    }


def _span_of(wrapped: Callable[..., Any], target: str | None) -> Span:
    code = getattr(inspect.unwrap(wrapped), "__code__", None)
    name = getattr(wrapped, "__qualname__", None) or type(wrapped).__qualname__
    module = getattr(wrapped, "__module__", None) or ""
    file, line = ("", 0) if code is None else (code.co_filename, code.co_firstlineno)
    return span_at(name, module if target is None else target, file, line)


def _site(span: Span) -> object:
    return site_of(span.name, span.target, span.file, span.line)


def _coroutine(span: Span, wrapped: Callable[..., Any], values: _Values) -> Callable[..., Any]:
    site = _site(span)

    @functools.wraps(wrapped)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with AsyncSpan(site, values=_of_call(values, args, kwargs)):
            return await wrapped(*args, **kwargs)

    return call


def _generator(span: Span, wrapped: Callable[..., Any], values: _Values) -> Callable[..., Any]:
    site = _site(span)

    # not `with`: a generator runs in its caller's context, where it must not become the parent of the caller's spans
    @functools.wraps(wrapped)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        life = AsyncSpan(site, values=_of_call(values, args, kwargs)).begin()
        try:
            return (yield from wrapped(*args, **kwargs))
        finally:
            life.end()

    return call


def _async_generator(span: Span, wrapped: Callable[..., Any], values: _Values) -> Callable[..., Any]:
    site = _site(span)

    @functools.wraps(wrapped)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        life = AsyncSpan(site, values=_of_call(values, args, kwargs)).begin()
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
