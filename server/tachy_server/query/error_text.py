"""What went wrong in a query, in one line that a user can act on."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable
from typing import Final

from tachy_server.base.errors import LimitError, QueryError

_PREFIXES: Final = re.compile(
    r"^\s*(?:DataFusion error|Error during planning|External error|Execution error|Arrow error|Schema error|SQL error|"
    r"Optimizer rule '[^']*' failed|Internal error|External|Python error|caused by|This feature is not implemented|"
    r"type_coercion|Context|Exception|ValueError|TypeError|RuntimeError|QueryError|Failed)\s*:?\s*",
    re.IGNORECASE,
)
_PARSER: Final = re.compile(r'^(?:ParserError|TokenizerError)\("(.*?)"\)', re.DOTALL)
_TABLE: Final = re.compile(r"table '(?:tachy\.)?(?:public\.)?([^']+)' not found")
_RAISED: Final = re.compile(r"value: \w+\(('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")
_MEMORY: Final = re.compile(r"Resources exhausted|Failed to allocate|memory pool", re.IGNORECASE)
_WRITES: Final = re.compile(r"^(DDL|DML|Statement) not supported:? ?(\w+)?")
_NULL: Final = re.compile(r"pyarrow\.lib\.BooleanScalar|Filter should be array-like")  # the bindings: no Expression
_READ_ONLY: Final = "queries only read here"


def one_line(error: BaseException, tables: Iterable[str] = ()) -> QueryError:
    """The error as a QueryError with one clear line; `tables` are suggested for one that is not there."""
    if isinstance(error, QueryError):
        return error
    text = str(error).strip() or type(error).__name__
    raised = _RAISED.search(text) if "PyErr {" in text else None
    if raised is not None:
        text = str(ast.literal_eval(raised.group(1)))
    text = text.split("\nTraceback (most recent call last)")[0]
    text = text.split("\n\nbacktrace:")[0].split("This issue was likely caused by a bug")[0]
    previous = ""
    while text != previous:
        previous, text = text, _PREFIXES.sub("", text, count=1)
    text = " ".join(text.split())
    parsed = _PARSER.match(text)
    if parsed is not None:
        text = parsed.group(1).replace('\\"', '"')
    if _MEMORY.search(text):
        return LimitError(f"the query needs more memory than the setting query_memory allows: {text}")
    refused = _WRITES.match(text)
    if refused is not None:
        what = f" ({refused.group(2)})" if refused.group(2) else ""
        text = f"{_READ_ONLY}; this statement is not allowed{what}"
    if _NULL.search(text):
        text = "a condition is NULL whatever the row is, as x IN (NULL) and x BETWEEN NULL AND 1 are: say false instead"
    missing = _TABLE.search(text)
    if missing is not None:
        text = f"there is no table {missing.group(1)}; {_suggestion(missing.group(1), sorted(tables))}"
    return QueryError(text)


def _suggestion(name: str, tables: list[str]) -> str:
    close = difflib.get_close_matches(name, tables, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(tables)}"
