"""The part of SQL/JSON's paths that telemetry needs: `$`, `.name`, `["name"]`, `[n]`, `[*]`, `.*`, `..name`, and
filters as `$.items[*] ? (@.kind == "tree" && (@.size > 3 || !exists(@.size)))`.
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NoReturn

from tachy_server.base.errors import QueryError

_STEP: Final = re.compile(
    r"""\.\.(?P<deep>\w[\w-]*|\*)|\.(?P<name>\w[\w-]*|\*)|\[\s*(?P<at>-?\d+|\*)\s*\]"""
    r"""|\[\s*(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*\]"""
)
_SPACE, _FILTER, _EXISTS = re.compile(r"\s*"), re.compile(r"\?\s*\("), re.compile(r"exists\s*\(")
_OPEN, _CLOSE, _NOT, _AND, _OR = (re.compile(text) for text in (r"\(", r"\)", r"!(?!=)", "&&", r"\|\|"))
_OPERATOR, _ROOT = re.compile("==|!=|<>|<=|>=|<|>"), re.compile("[@$]")
_LITERAL: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null')
_COMPARES: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Step = tuple[str, Any]
"""Its kind, and the name, index or test."""
Test = tuple[Any, ...]
"""What it is, and of what: `or` and `and` of two tests, `not` of one, `exists` of an operand, an operator of two. An
operand is a `path`, from `@` or `$` on, or a `value`.
"""


@functools.lru_cache(256)
def parse(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises QueryError."""
    if not path.startswith("$"):
        raise QueryError(f"the JSON path {path!r} must begin with $")
    reader = _Reader(path)
    try:
        steps = reader.steps()
    except RecursionError:
        raise QueryError("the JSON path has too many parentheses in each other") from None
    if reader.at < len(path):
        reader.refuse()
    return steps


def select(value: Any, path: str) -> list[Any]:
    """Everything in a JSON value that the path names, in order."""
    return _along([value], parse(path), value)


class _Reader:
    """A path, read from its second character on."""

    def __init__(self, path: str) -> None:
        self._path, self.at = path, 1

    def steps(self) -> tuple[Step, ...]:
        """Those that come next."""
        found: list[Step] = []
        while True:
            if match := self._take(_STEP):
                found.append(_step_of(match))
            elif self._take(_FILTER):
                found.append(("filter", self._inside(self._either)))
            else:
                return tuple(found)

    def refuse(self) -> NoReturn:
        """It cannot go on here."""
        raise QueryError(f"the JSON path {self._path!r} is not understood at {self._path[self.at :][:40]!r}")

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._path, _SPACE.match(self._path, self.at).end())  # type: ignore[union-attr]
        self.at = match.end() if match else self.at
        return match

    def _inside(self, read: Callable[[], Test]) -> Test:
        """What is read up to the parenthesis that closes it."""
        found = read()
        if not self._take(_CLOSE):
            self.refuse()
        return found

    def _either(self) -> Test:
        test = self._both()
        while self._take(_OR):
            test = ("or", test, self._both())
        return test

    def _both(self) -> Test:
        test = self._one()
        while self._take(_AND):
            test = ("and", test, self._one())
        return test

    def _one(self) -> Test:
        if self._take(_NOT):
            return ("not", self._one())
        if self._take(_OPEN):
            return self._inside(self._either)
        if self._take(_EXISTS):
            return ("exists", self._inside(self._operand))
        left, match = self._operand(), self._take(_OPERATOR)
        return (match[0], left, self._operand()) if match else self.refuse()

    def _operand(self) -> Test:
        if match := self._take(_ROOT):
            return ("path", match[0], self.steps())
        if match := self._take(_LITERAL):
            return ("value", json.loads(match[0], strict=False))
        return self.refuse()


def _step_of(match: re.Match[str]) -> Step:
    if match["deep"] is not None:
        return ("deep", match["deep"])
    if match["quoted"] is not None:
        quoted = match["quoted"]
        text = quoted if quoted[0] == '"' else '"' + quoted[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
        return ("name", json.loads(text))
    if "*" in (match["name"], match["at"]):
        return ("all", "")
    return ("name", match["name"]) if match["name"] is not None else ("at", int(match["at"]))


def _along(found: list[Any], steps: Sequence[Step], root: Any) -> list[Any]:
    for kind, key in steps:
        if kind == "filter":
            found = [value for value in found if _holds(key, value, root)]
        else:
            found = [inner for outer in found for inner in _step(outer, kind, key)]
    return found


def _step(value: Any, kind: str, key: str | int) -> Iterator[Any]:
    match kind, value:
        case "name", dict() if key in value:
            yield value[key]
        case "at", list() if isinstance(key, int) and -len(value) <= key < len(value):
            yield value[key]
        case "all", dict():
            yield from value.values()
        case "all", list():
            yield from value
        case "deep", _:
            for inner in _descendants(value):
                yield from _step(inner, "all" if key == "*" else "name", key)


def _descendants(value: Any) -> Iterator[Any]:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _descendants(inner)


def _holds(test: Test, value: Any, root: Any) -> bool:
    match test:
        case "or", one, other:
            return _holds(one, value, root) or _holds(other, value, root)
        case "and", one, other:
            return _holds(one, value, root) and _holds(other, value, root)
        case "not", inner:
            return not _holds(inner, value, root)
        case "exists", operand:
            return bool(_values(operand, value, root))
        case compare, left, right:
            pairs = ((one, other) for one in _values(left, value, root) for other in _values(right, value, root))
            return any(_compared(_COMPARES[compare], one, other) for one, other in pairs)
    raise AssertionError(test)


def _values(operand: Test, value: Any, root: Any) -> Iterable[Any]:
    """What a test compares."""
    if operand[0] == "value":
        return [operand[1]]
    return _along([value if operand[1] == "@" else root], operand[2], root)


def _compared(compare: Callable[[Any, Any], bool], one: Any, other: Any) -> bool:
    """Of two numbers, or two texts; whether they are the same of two of true and false, and of null and anything."""
    kinds = {float if type(value) is int else type(value) for value in (one, other)}
    if kinds in ({float}, {str}):
        return compare(one, other)
    return compare in (operator.eq, operator.ne) and (kinds == {bool} or type(None) in kinds) and compare(one, other)
