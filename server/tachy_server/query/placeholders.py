"""Question-mark placeholders, as JDBC and ADBC write them, into the numbered ones that DataFusion binds."""

from __future__ import annotations

from tachy_server.query.tokens import scan


def number_placeholders(sql: str) -> tuple[str, int]:
    """(SQL with every `?` as `$1`, `$2`, …, how many parameters it takes)."""
    parts: list[str] = []
    at = marks = highest = 0
    token = scan(sql, 0)
    while token.kind:
        if token.text == "?":
            marks += 1
            parts += sql[at : token.at], f"${marks}"
            at = token.end
        elif token.kind == "parameter":
            highest = max(highest, int(token.text[1:]))
        token = scan(sql, token.end)
    return "".join([*parts, sql[at:]]), max(marks, highest)
