"""How large a statement from outside may be.

Every operator, join and UNION of a chain is one level of DataFusion's tree. It walks that tree by recursion, in time
that grows with the square of the depth, and 5,000 levels (of UNION; 20,000 of `1+1+…`) overflow the stack of the thread
and end the whole server (DataFusion 55); 2,000 of `1+1+…` take 10 s of planning, 4,000 over a minute. Parentheses are
no danger: the parser itself refuses more than 50.
To check: pytest tests/wire/test_statement_size.py.
"""

from __future__ import annotations

import re

from tachy_server.base.errors import LimitError

MAX_WORDS = 2_000
MAX_STATEMENT_BYTES = 1 << 20
"""Of its UTF-8. Planning takes some 700 bytes of memory for each of them at worst."""

_COUNTED = re.compile(
    r"""
    [eE]'(?:[^'\\]|''|\\.)*'?       # text with backslash escapes
    | '(?:[^']|'')*'?               # text
    | --[^\n]* | /\*.*?\*/          # comments
    | [0-9][0-9_.]*(?:[eE][+-]?[0-9]+)?  # numbers; letters after them are words
    | ( "(?:[^"]|"")*"? | `[^`]*`?  # names
      | [A-Za-z_][A-Za-z_0-9]*      # words
      | [^\s(),;.]                  # operators, character by character
      )
    """,
    re.VERBOSE | re.DOTALL,
)


def check_statement_size(sql: str) -> None:
    """Raises LimitError for more than MAX_STATEMENT_BYTES, and for more than MAX_WORDS words and operators.

    Values, and lists of them, are no words.
    """
    if len(sql) > MAX_STATEMENT_BYTES or len(sql.encode()) > MAX_STATEMENT_BYTES:
        raise LimitError(f"The statement is larger than the {MAX_STATEMENT_BYTES} bytes that one may have.")
    count = 0
    for match in _COUNTED.finditer(sql):
        count += match[1] is not None
        if count > MAX_WORDS:
            raise LimitError(
                f"The statement has more than {MAX_WORDS} words and operators; "
                "write long chains of OR as IN (…), and long UNIONs as VALUES or several statements."
            )
