"""The part of SQL/JSON's paths that telemetry needs: `$`, `.name`, `["name"]`, `[n]`, `[*]`, `.*`, `..name`, and
filters as `$.items[*] ? (@.kind == "tree" && (@.size > 3 || !exists(@.size)))`; as bytes that native code follows
(native/include/tachy/reader.h, "JSON").
"""

from __future__ import annotations

import functools
import json
import re
import struct
from collections.abc import Callable
from typing import Final, NoReturn

from tachy_server.base.errors import QueryError
from tachy_server.formats.json_values import code, path, sized, step

_STEP: Final = re.compile(
    r"""\.\.(?P<deep>\w[\w-]*|\*)|\.(?P<name>\w[\w-]*|\*)|\[\s*(?P<at>-?\d+|\*)\s*\]"""
    r"""|\[\s*(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*\]"""
)
_SPACE, _FILTER, _EXISTS = re.compile(r"\s*"), re.compile(r"\?\s*\("), re.compile(r"exists\s*\(")
_OPEN, _CLOSE, _NOT, _AND, _OR = (re.compile(text) for text in (r"\(", r"\)", r"!(?!=)", "&&", r"\|\|"))
_OPERATOR, _ROOT = re.compile("==|!=|<>|<=|>=|<|>"), re.compile("[@$]")
_LITERAL: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null')
_COMPARES: Final = {
    "==": "EQUAL",
    "!=": "UNEQUAL",
    "<>": "UNEQUAL",
    "<": "LESS",
    "<=": "AT_MOST",
    ">": "GREATER",
    ">=": "AT_LEAST",
}
_ROOTS: Final = {"@": "THIS", "$": "ROOT"}
_WORDS: Final = {"true": "TRUE", "false": "FALSE", "null": "NULL"}


@functools.lru_cache(256)
def parse(text: str) -> bytes:
    """The path for native code. Raises QueryError."""
    if not text.startswith("$"):
        raise QueryError(f"the JSON path {text!r} must begin with $")
    reader = _Reader(text)
    try:
        steps = reader.steps()
    except RecursionError:
        raise QueryError("the JSON path has too many parentheses in each other") from None
    except ValueError as error:
        raise QueryError(f"the JSON path {text!r} has a text that is none: {error}") from None
    if reader.at < len(text):
        reader.refuse()
    return steps


class _Reader:
    """A path, read from its second character on."""

    def __init__(self, text: str) -> None:
        self._text, self.at = text, 1

    def steps(self) -> bytes:
        """Those that come next."""
        found: list[bytes] = []
        while True:
            if match := self._take(_STEP):
                found.append(_step_of(match))
            elif self._take(_FILTER):
                found.append(step(code("FILTER"), self._inside(self._either)))
            else:
                return path(*found)

    def refuse(self) -> NoReturn:
        """It cannot go on here."""
        raise QueryError(f"the JSON path {self._text!r} is not understood at {self._text[self.at :][:40]!r}")

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, _SPACE.match(self._text, self.at).end())  # type: ignore[union-attr]
        self.at = match.end() if match else self.at
        return match

    def _inside(self, read: Callable[[], bytes]) -> bytes:
        """What is read up to the parenthesis that closes it."""
        found = read()
        if not self._take(_CLOSE):
            self.refuse()
        return found

    def _either(self) -> bytes:
        return self._several("OR", self._both, _OR)

    def _both(self) -> bytes:
        return self._several("AND", self._one, _AND)

    def _several(self, kind: str, read: Callable[[], bytes], between: re.Pattern[str]) -> bytes:
        tests = [read()]
        while self._take(between):
            tests.append(read())
        return tests[0] if len(tests) == 1 else code(kind) + struct.pack("=I", len(tests)) + b"".join(tests)

    def _one(self) -> bytes:
        if self._take(_NOT):
            return code("NOT") + self._one()
        if self._take(_OPEN):
            return self._inside(self._either)
        if self._take(_EXISTS):
            return code("EXISTS") + self._inside(self._operand)
        left, match = self._operand(), self._take(_OPERATOR)
        return code(_COMPARES[match[0]]) + left + self._operand() if match else self.refuse()

    def _operand(self) -> bytes:
        if match := self._take(_ROOT):
            return code(_ROOTS[match[0]]) + self.steps()
        if match := self._take(_LITERAL):
            value = json.loads(match[0], strict=False)
            kind = _WORDS.get(match[0], "STRING" if isinstance(value, str) else "NUMBER")
            return code("LITERAL", kind) + sized(value if isinstance(value, str) else match[0])
        return self.refuse()


def _step_of(match: re.Match[str]) -> bytes:
    if match["deep"] is not None:
        return step(code("DEEP", "ALL")) if match["deep"] == "*" else step(code("DEEP", "NAME"), match["deep"])
    if match["quoted"] is not None:
        quoted = match["quoted"]
        text = quoted if quoted[0] == '"' else '"' + quoted[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
        return step(code("NAME"), json.loads(text))
    if "*" in (match["name"], match["at"]):
        return step(code("ALL"))
    return step(code("NAME"), match["name"]) if match["name"] is not None else step(code("AT"), int(match["at"]))
