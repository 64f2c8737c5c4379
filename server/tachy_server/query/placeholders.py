"""Question-mark placeholders, as JDBC and ADBC write them, into the numbered ones that DataFusion binds.

Quoted text, quoted names and comments are left as they are.
"""

from __future__ import annotations

import re

_TOKENS = re.compile(
    r"""
    [eE]'(?:[^'\\]|''|\\.)*'?   # text with backslash escapes
    | '(?:[^']|'')*'?           # text
    | "(?:[^"]|"")*"?           # quoted name
    | --[^\n]*                  # comment to the end of the line
    | /\*                       # block comment, which may nest
    | \$\d+                     # numbered placeholder
    | \?
    | [A-Za-z_][A-Za-z_0-9]*    # word: so that the e of a name is not taken for an escape prefix
    """,
    re.VERBOSE | re.DOTALL,
)

_COMMENT_MARKS = re.compile(r"/\*|\*/")


def number_placeholders(sql: str) -> tuple[str, int]:
    """(SQL with every `?` as `$1`, `$2`, …, how many parameters it takes)."""
    parts: list[str] = []
    at = marks = highest = 0
    while match := _TOKENS.search(sql, at):
        token, end = match.group(), match.end()
        parts.append(sql[at : match.start()])
        if token == "/*":
            end = comment_end(sql, match.start())
            token = sql[match.start() : end]
        elif token == "?":
            marks += 1
            token = f"${marks}"
        elif token[0] == "$":
            highest = max(highest, int(token[1:]))
        parts.append(token)
        at = end
    parts.append(sql[at:])
    return "".join(parts), max(marks, highest)


def comment_end(sql: str, at: int) -> int:
    """Where the block comment ends that begins there."""
    depth = 0
    for mark in _COMMENT_MARKS.finditer(sql, at):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(sql)
