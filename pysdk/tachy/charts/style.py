"""What all charts share: columns out of a table, one look on light and dark grounds, bounds on what is drawn."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from tachy.errors import MissingExtra, QueryError

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import pyarrow as pa

MOST_POINTS = 4000  # of a series: SVG stays quick to draw and to zoom
MOST_SERIES = 12

# Told apart by people who see fewer colours, too (Okabe and Ito's, those that are read on white and on black).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c00", "#7f7f7f")
BAD = "#d55e00"
QUIET = "#7f7f7f"
_GRID = "rgba(127,127,127,0.25)"


def graph_objects() -> Any:
    """Plotly's module of that name. Raises MissingExtra."""
    try:
        import plotly.graph_objects
    except ImportError as error:
        raise MissingExtra(f"charts need plotly ({error}): pip install 'tachy[notebook]'") from None
    return plotly.graph_objects


def columns(table: pa.Table, *names: str) -> list[Any]:
    """Columns as numpy arrays, texts and times among them. Raises QueryError when the table has others."""
    import pyarrow as pa

    missing = [name for name in names if name not in table.schema.names]
    if missing:
        has = ", ".join(table.schema.names) or "none"
        raise QueryError(f"this chart needs the columns {', '.join(names)}; the result has {has}")
    found = []
    for name in names:
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp(column.type.unit))  # numpy's have no zone; ours are UTC
        found.append(column.to_numpy())
    return found


def figure(traces: list[Any], *, height: int = 320, **layout: Any) -> go.Figure:
    """The traces in our look. `layout` is plotly's."""
    go = graph_objects()
    result = go.Figure(traces)
    axis = {"gridcolor": _GRID, "zerolinecolor": _GRID, "linecolor": _GRID, "automargin": True}
    result.update_layout(
        template="none",
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12, "color": QUIET},
        margin={"l": 56, "r": 16, "t": 28, "b": 40},
        colorway=list(COLOURS),
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    )
    result.update_layout(**layout)
    result.update_xaxes(axis)
    result.update_yaxes(axis)
    return result


def nothing(text: str) -> go.Figure:
    """A figure that says why it is empty."""
    note = {"text": text, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    hidden = {"visible": False}
    return figure([], height=160, annotations=[note], xaxis=hidden, yaxis=hidden)


def colour(name: str) -> str:
    """The same for a name wherever it is drawn."""
    return COLOURS[zlib.crc32(name.encode()) % (len(COLOURS) - 1)]


def plain(text: object) -> str:
    """A program's text for plotly, which reads a few tags in what it draws."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def thinned(size: int) -> slice:
    """Every n-th of so many points, so that no series has more than MOST_POINTS."""
    return slice(None, None, max(1, -(-size // MOST_POINTS)))
