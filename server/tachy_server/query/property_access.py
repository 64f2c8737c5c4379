"""`properties['name']` and `properties ->> 'name'`, written as calls of property_get.

DataFusion 55 plans `[…]` for lists, maps and structs only, `->>` not at all, and its Python bindings take no planner of
expressions: so a statement's tokens are rewritten before it is planned. `->>` is property_get of whatever it stands
between; `['…']` only behind the name of a column of properties or a function that gives JSON, as structs have members,
too. Both bind more tightly than every other operator.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from tachy_server.base.errors import QueryError
from tachy_server.query.functions import FUNCTIONS
from tachy_server.query.tokens import Token, pairs, tokens
from tachy_server.views.declarations import JSON, VIEWS

_COLUMNS: Final = frozenset(column.name for view in VIEWS.values() for column in view.columns if column.properties)
_FUNCTIONS: Final = frozenset(function.name for function in FUNCTIONS if function.result == JSON)
_NO_FUNCTIONS: Final = frozenset((
    "ALL", "AND", "AS", "BETWEEN", "BY", "CASE", "DISTINCT", "ELSE", "EXCEPT", "FROM", "HAVING", "ILIKE", "IN",
    "INTERSECT", "IS", "JOIN", "LIKE", "LIMIT", "NOT", "OFFSET", "ON", "OR", "SELECT", "THEN", "UNION", "USING",
    "VALUES", "WHEN", "WHERE",
))  # fmt: skip
"""What a parenthesis may follow without being its arguments."""
_VALUES: Final = ("text", "escaped", "dollars", "number", "parameter")


def with_calls(sql: str) -> str:
    """The statement as DataFusion can plan it. Raises QueryError."""
    return _Rewriting(sql).result() if "[" in sql or "->>" in sql else sql


class _Rewriting:
    """Of one statement."""

    def __init__(self, sql: str) -> None:
        self._sql, self._tokens = sql, tokens(sql)
        self._opening = pairs(self._tokens)
        self._closing = {opened: closed for closed, opened in self._opening.items()}
        self._starts: dict[int, int] = {}
        """Where the operand begins that ends with a token."""
        self._accesses: set[int] = set()
        """Last tokens of those that are property_get."""
        self._calls: dict[int, int] = defaultdict(int)
        """How many calls begin before a token."""
        self._texts: dict[int, str] = {}
        """What takes a token's place."""
        self._ends: dict[int, int] = defaultdict(int)
        """How many calls end behind a token."""

    def result(self) -> str:
        """The statement with calls."""
        for at, token in enumerate(self._tokens):
            if token.text == "->>":
                self._arrow(at)
            elif at not in self._starts:
                start = self._start(at)
                if start is not None:
                    self._starts[at] = start
            if token.text == "]":
                self._subscript(at)
        parts: list[str] = []
        done = 0
        for at, token in enumerate(self._tokens):
            parts += (
                self._sql[done : token.at],
                "property_get(" * self._calls[at],
                self._texts.get(at, token.text),
                ")" * self._ends[at],
            )
            done = token.end
        return "".join([*parts, self._sql[done:]])

    def _text(self, at: int) -> str:
        return self._tokens[at].text if 0 <= at < len(self._tokens) else ""

    def _start(self, at: int) -> int | None:
        """Where the operand begins that this token ends, None where it ends none."""
        token = self._tokens[at]
        if token.text in (")", "]") and at in self._opening:
            opened = self._opening[at]
            before = self._starts.get(opened - 1)
            if before is None or (token.text == ")" and not self._calls_something(opened - 1)):
                return opened
            return before
        if token.kind in ("word", "name"):
            if self._text(at - 1) in (".", "::"):
                return self._starts.get(at - 2, at)
            return at
        return at if token.kind in _VALUES else None

    def _calls_something(self, at: int) -> bool:
        return self._tokens[at].kind in ("word", "name") and self._text(at).upper() not in _NO_FUNCTIONS

    def _subscript(self, at: int) -> None:
        """Behind what has properties, with one text inside, it is an access."""
        opened = self._opening.get(at, -1)
        inside = self._tokens[opened + 1 : at]
        one = len(inside) == 1 and inside[0].kind in ("text", "escaped", "dollars", "parameter")
        if opened < 1 or not one or not self._has_properties(opened - 1):
            return
        self._calls[self._starts[at]] += 1
        self._texts |= {opened: ", ", at: ")"}
        self._accesses.add(at)

    def _has_properties(self, at: int) -> bool:
        if at in self._accesses:
            return True
        token = self._tokens[at]
        if token.text == ")" and at in self._opening and self._opening[at] > 0:
            return _name(self._tokens[self._opening[at] - 1]) in _FUNCTIONS
        return _name(token) in _COLUMNS

    def _arrow(self, at: int) -> None:
        start, end = self._starts.get(at - 1), self._operand_end(at + 1)
        if start is None or end is None:
            raise QueryError("->> stands between JSON and a name; what is no name, value or call goes into parentheses")
        self._calls[start] += 1
        self._texts[at] = ","
        self._ends[end] += 1
        self._starts[end] = start
        self._accesses.add(end)

    def _operand_end(self, at: int) -> int | None:
        """Where the operand ends that begins with this token."""
        if not 0 <= at < len(self._tokens):
            return None
        token = self._tokens[at]
        if token.kind in _VALUES:
            return at
        if token.text == "(":
            return self._closing.get(at)
        if token.kind not in ("word", "name"):
            return None
        while self._text(at + 1) == "." and at + 2 < len(self._tokens):
            at += 2
        return self._closing.get(at + 1) if self._text(at + 1) == "(" else at


def _name(token: Token) -> str:
    """What a token names, in lower case unless it is quoted."""
    return token.text[1:-1].replace('""', '"') if token.kind == "name" else token.text.lower()
