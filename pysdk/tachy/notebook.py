"""The IPython extension: `%load_ext tachy.notebook`, then `%%sql`, `%tachy`, and `trace` (docs/notebooks.md)."""

from __future__ import annotations

import argparse
import html
import os
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlencode
from uuid import UUID

from tachy import access
from tachy.arguments import joined, whole
from tachy.client import Connection, connect, time_argument
from tachy.errors import QueryError, TachyError
from tachy.progress import PATIENCE, Progress
from tachy.settings import without_credentials
from tachy.times import TimeLike, format_time

if TYPE_CHECKING:
    import pyarrow as pa

_EVERY_SECONDS = 0.5
_PATIENCE_WITH_PARTS = 5.0
_lakes: list[Connection] = []  # the one in use


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext tachy.notebook` calls: the magics, and the names `charts` and `trace`."""
    from tachy import charts

    shell.register_magic_function(_Sql(shell), "line_cell", "sql")
    shell.register_magic_function(_use, "line", "tachy")
    shell.push({"charts": charts, "trace": trace}, interactive=False)


def lake() -> Connection:
    """The connection that `%%sql` asks: what `%tachy` named, else as `tachy.connect()`."""
    if not _lakes:
        _lakes.append(connect())
    return _lakes[0]


class Link:
    """A trace as a notebook shows it: a link to the server's Perfetto, and where that may be shown inside it, Perfetto
    itself. `str()` is its address.
    """

    def __init__(self, address: str, text: str, inside: bool = False) -> None:
        self._address, self._text, self._inside = address, text, inside

    def __str__(self) -> str:
        return self._address

    def __repr__(self) -> str:
        return f"{self._text}: {self._address}"

    def _repr_html_(self) -> str:
        address = html.escape(self._address)
        link = f'<a href="{address}" target="_blank" rel="noopener">{html.escape(self._text)}</a>'
        return f'{link}<iframe src="{address}" width="100%" height="600"></iframe>' if self._inside else link


def trace(process: str | UUID = "latest", begin: TimeLike | None = None, end: TimeLike | None = None) -> Link:
    """A link that opens this range of a process in the server's own Perfetto, which needs its extra [ui].

    process: an id, the beginning of one, or "latest". Where the server has keys, use its page instead: a link cannot
    carry a key.
    """
    here = lake()
    one = process if isinstance(process, UUID) else here.find_process(process)
    url = without_credentials(here.url).rstrip("/")
    bounds = [time_argument(name, value) for name, value in (("begin", begin), ("end", end))]
    asked = {
        name: format_time(value) for name, value in zip(("begin", "end"), bounds, strict=True) if value is not None
    }
    where = {"url": f"{url}/api/processes/{one}/trace" + (f"?{urlencode(asked)}" if asked else "")}
    if None not in bounds:
        where |= {"visStart": str(bounds[0]), "visEnd": str(bounds[1])}
    address = f"{url}/perfetto/#!/viewer?{urlencode(where)}"
    return Link(address, f"Open {str(one)[:8]} in Perfetto", inside=_may_be_inside(here.url))


def _may_be_inside(url: str) -> bool:
    """Whether the server's setting lets notebooks show its Perfetto, and this notebook can: VS Code's cannot."""
    mine = access.resolve()
    if mine.key or any(name.startswith("VSCODE_") for name in os.environ):
        return False
    try:
        with mine.http(url, _PATIENCE_WITH_PARTS) as http:
            parts = http.get("page/parts.json").json()
    except (TachyError, ValueError):
        return False  # the link says for itself what is wrong
    return bool(parts.get("perfetto") and parts.get("notebooks"))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise QueryError(f"{self.prog}: {message}")


def _options() -> argparse.ArgumentParser:
    parser = _Parser(prog="%%sql", add_help=False)
    parser.add_argument("name", nargs="?")
    parser.add_argument("--begin")
    parser.add_argument("--end")
    parser.add_argument("--limit", type=whole)
    parser.add_argument("--as", dest="kind", choices=("pandas", "polars", "arrow"), default="pandas")
    return parser


class _Sql:
    """`%%sql [NAME] [--begin T] [--end T] [--limit N] [--as pandas|polars|arrow]`, and `%sql SELECT …`."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def __call__(self, line: str, cell: str | None = None) -> Any:
        with _one_sentence():
            if cell is None:
                return _answer(line, _options().parse_args([]))
            given = _options().parse_args(joined(shlex.split(line)))
            if given.name is not None and not given.name.isidentifier():
                raise QueryError(f"%%sql: {given.name!r} is no name of a variable")
            answer = _answer(cell, given)
            if given.name is None:
                return answer
            self._shell.push({given.name: answer})
            return None


def _use(line: str) -> None:
    """`%tachy [URI] [--url URL]`: the server that is asked from now on."""
    with _one_sentence():
        parser = _Parser(prog="%tachy", add_help=False)
        parser.add_argument("uri", nargs="?")
        parser.add_argument("--url")
        given = parser.parse_args(shlex.split(line))
        made = connect(given.uri, url=given.url)
        for old in _lakes:
            old.close()
        _lakes[:] = [made]


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Errors of ours without a traceback."""
    from IPython.core.error import UsageError

    try:
        yield
    except (TachyError, OSError) as error:
        raise UsageError(str(error)) from None


def _answer(sql: str, given: argparse.Namespace) -> Any:
    if not sql.strip():
        raise QueryError("%%sql: the cell is empty")
    table = _table(sql, given)
    if given.kind == "arrow":
        return table
    if given.kind == "pandas":
        return table.to_pandas()
    import polars

    return polars.from_arrow(table)


def _table(sql: str, given: argparse.Namespace) -> pa.Table:
    """The whole result; what takes longer than two seconds says how far it is. Ctrl-C cancels it on the server."""
    import pyarrow as pa

    state = Progress("query")
    done = threading.Event()
    teller = threading.Thread(target=_tell, args=(state, done), daemon=True)
    teller.start()
    try:
        with lake().open(sql, given.begin, given.end, limit=given.limit) as stream:
            batches = []
            for batch in stream:
                state.rows += batch.num_rows
                state.bytes += batch.nbytes
                batches.append(batch)
            return pa.Table.from_batches(batches, stream.schema)
    finally:
        done.set()
        teller.join()


def _tell(state: Progress, done: threading.Event) -> None:
    seconds = PATIENCE
    if done.wait(seconds):
        return
    while True:
        sys.stderr.write(f"\r{state.text(seconds)}  ")
        sys.stderr.flush()
        if done.wait(_EVERY_SECONDS):
            break
        seconds += _EVERY_SECONDS
    sys.stderr.write("\r" + " " * 60 + "\r")
    sys.stderr.flush()
