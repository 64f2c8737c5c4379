"""Statements as tokens, for what is read or rewritten before DataFusion parses it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"""
    (?P<space> \s+ | --[^\n]* )
    | (?P<comment> /\* )
    | (?P<text> '(?:[^']|'')*' )
    | (?P<escaped> [eE]'(?:[^'\\]|''|\\.)*' )
    | (?P<dollars> \$(?:[^\W\d]\w*)?\$ )
    | (?P<name> "(?:[^"]|"")*" | `[^`]*` )
    | (?P<unterminated> (?:[eE]?'|["`]).* )
    | (?P<word> [^\W\d][\w@$\#]* )
    | (?P<number> \d[\w.]* )
    | (?P<parameter> \$\d+ )
    | (?P<mark> ->> | :: | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_CLOSES: Final = {"(": ")", "[": "]"}
_COMMENT_MARKS: Final = re.compile(r"/\*|\*/")


class Token(NamedTuple):
    """A piece of a statement; besides `text` there are texts `escaped` by backslashes, and those between `dollars`."""

    kind: str
    text: str
    at: int

    @property
    def end(self) -> int:
        """Where the next one may begin."""
        return self.at + len(self.text)


def scan(sql: str, at: int) -> Token:
    """The token at or behind a place, without spaces and comments; at the end one of kind ""."""
    while match := _TOKEN.match(sql, at):
        kind, at = match.lastgroup or "", match.end()
        if kind == "comment":
            at = _comment_end(sql, match.start())
        elif kind == "dollars":
            end = sql.find(match[0], at)
            return Token(kind, sql[match.start() : len(sql) if end < 0 else end + len(match[0])], match.start())
        elif kind != "space":
            return Token(kind, match[0], match.start())
    return Token("", "", len(sql))


def tokens(sql: str) -> list[Token]:
    """All of a statement."""
    found, token = [], scan(sql, 0)
    while token.kind:
        found.append(token)
        token = scan(sql, token.end)
    return found


def pairs(statement: Sequence[Token]) -> dict[int, int]:
    """Of each parenthesis and bracket that closes one the place of that; without those that do not match."""
    found: dict[int, int] = {}
    stack: list[int] = []
    for at, token in enumerate(statement):
        if token.kind != "mark":
            continue
        if token.text in _CLOSES:
            stack.append(at)
        elif stack and token.text == _CLOSES[statement[stack[-1]].text]:
            found[at] = stack.pop()
    return found


def _comment_end(sql: str, at: int) -> int:
    """Where the block comment ends that begins there. They nest."""
    depth = 0
    for mark in _COMMENT_MARKS.finditer(sql, at):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(sql)


def quoted(name: str) -> str:
    """A name as SQL."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
