"""A chart of any result: what its columns suggest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tachy.charts.style import MOST_SERIES, columns, figure, graph_objects, nothing, plain, thinned

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import pyarrow as pa

_MOST_BARS = 60


def result(table: pa.Table) -> go.Figure:
    """Lines over the first column of times; bars over the first of texts; else points over the first number.

    Each column of numbers is a series, at most 12 of them.
    """
    import pyarrow as pa

    go = graph_objects()

    def of(*tests: Any) -> list[str]:
        return [field.name for field in table.schema if any(test(_plain(field.type)) for test in tests)]

    def _plain(kind: pa.DataType) -> pa.DataType:
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    if len(set(table.schema.names)) < len(table.schema.names):
        return nothing("columns of one name cannot be drawn: name them apart")
    times = of(pa.types.is_timestamp)
    texts = of(pa.types.is_string, pa.types.is_large_string)
    numbers = of(pa.types.is_integer, pa.types.is_floating)[: MOST_SERIES + 1]
    over = (times or texts or numbers)[:1]
    drawn = [name for name in numbers if name not in over][:MOST_SERIES]
    if not drawn or table.num_rows == 0:
        return nothing("nothing to draw: a column of numbers, and one of times or texts, make a chart")
    if not times and texts:
        table = table.slice(0, _MOST_BARS)
    table = table.sort_by(over[0]) if times else table
    (x,) = columns(table, *over)
    step = thinned(len(x))
    traces: list[Any] = []
    for name in drawn:
        (y,) = columns(table, name)
        if times or not texts:
            mode = "lines" if times else "markers"
            traces.append(go.Scatter(x=x[step], y=y[step], mode=mode, name=plain(name)))
        else:
            traces.append(go.Bar(x=[plain(one) for one in x], y=y, name=plain(name)))
    return figure(
        traces,
        showlegend=True,
        xaxis={"title": {"text": plain(over[0])}} | ({} if times else {"type": "category"} if texts else {}),
    )
