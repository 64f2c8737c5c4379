"""POST /api/chart: a query whose answer is one of tachy.charts' figures. The SQL is theirs, or the client's own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
from tachy import charts
from tachy.charts import queries
from tachy.errors import TachyError as ChartError

from tachy_server.base.errors import QueryError
from tachy_server.http.downloads import Chunk
from tachy_server.query.statement_size import check_statement_size

if TYPE_CHECKING:
    import plotly.graph_objects as go

KEYS = ("chart", "process_id", "sql", "begin", "end", "points", "names")
MOST_POINTS = 4000
MOST_ROWS = 100_000  # of a client's own SQL


@dataclass(frozen=True, slots=True)
class Chart:
    """What a request wants: SQL, and the figure of its result."""

    sql: str
    draw: Callable[[pa.Table], go.Figure]
    limit: int | None = None


def parse(body: Mapping[str, Any], begin: int | None, end: int | None) -> Chart:
    """Raises QueryError for a request that makes no sense."""
    name = body.get("chart")
    if name == "result":
        sql = body.get("sql")
        if not isinstance(sql, str) or not sql.strip():
            raise QueryError('The chart "result" needs "sql", the text of one SELECT statement.')
        check_statement_size(sql)
        return Chart(sql, charts.result, MOST_ROWS)
    process, points = _process(body.get("process_id")), _points(body.get("points"))
    if name == "frames":
        return Chart(queries.frames(process, begin, end, points=points), charts.frames)
    if name == "metrics":
        return Chart(queries.metrics(process, _names(body.get("names")), begin, end, points=points), charts.metrics)
    if name == "heatmap":
        return Chart(queries.heatmap(process, begin, end), charts.heatmap)
    if name == "top":
        return Chart(queries.top(process), charts.top)
    raise QueryError('"chart" is one of "frames", "metrics", "heatmap", "top" and "result".')


def figure(chart: Chart, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Generator[Chunk, None, None]:
    """The figure as plotly's JSON: {"data": […], "layout": {…}}, in one piece, beside how many rows it shows."""
    table = pa.Table.from_batches(list(batches), schema)
    try:
        yield table.num_rows, [str(chart.draw(table).to_json()).encode()]
    except ChartError as error:
        raise QueryError(str(error)) from None


def _process(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise QueryError('"process_id" must be the UUID of a process.') from None


def _points(value: object) -> int:
    if value is None:
        return 1000
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_POINTS:
        raise QueryError(f'"points" must be a whole number from 1 to {MOST_POINTS}.')
    return value


def _names(value: object) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise QueryError('The chart "metrics" needs "names", an array of their names.')
    return value
