"""Charts over time: frames and metrics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tachy.charts.style import (
    BAD,
    COLOURS,
    MOST_SERIES,
    QUIET,
    columns,
    figure,
    graph_objects,
    nothing,
    plain,
    thinned,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import pyarrow as pa

BUDGET_MS = 1000 / 60
HITCH_FACTOR = 1.5  # times the median


def frames(table: pa.Table, *, budget_ms: float = BUDGET_MS) -> go.Figure:
    """Frame times with the budget as a line and hitches as marks.

    Columns: time (the frame's end), ms; mean, low and frames where rows stand for several. A hitch takes longer than
    the budget, and than one and a half times the median.
    """
    import numpy as np

    go = graph_objects()
    time, worst = columns(table, "time", "ms")
    if len(time) == 0:
        return nothing("no frames in this range")
    step = thinned(len(time))
    many = "frames" in table.schema.names and max(columns(table, "frames")[0]) > 1
    mean, low = columns(table, "mean", "low") if many else (worst, worst)
    traces: list[Any] = []
    if many:
        traces += _band(time[step], low[step], worst[step], COLOURS[0])
    traces.append(
        go.Scatter(
            x=time[step], y=mean[step], mode="lines", name="mean" if many else "frame",
            line={"width": 1.3, "color": COLOURS[0], "shape": "linear" if many else "vh"},  # a frame ends at its time
            hovertemplate="%{y:.2f} ms<extra></extra>",
        )
    )  # fmt: skip
    hitch = (worst > budget_ms) & (worst > HITCH_FACTOR * float(np.median(mean)))
    found = np.flatnonzero(hitch)
    found = np.sort(found[np.argsort(worst[found])[-500:]])
    traces.append(
        go.Scatter(
            x=time[found], y=worst[found], mode="markers", name="hitch",
            marker={"color": BAD, "size": 7}, hovertemplate="hitch: %{y:.2f} ms<extra></extra>",
        )
    )  # fmt: skip
    top = max(float(np.percentile(worst, 99.5)) * 1.5, budget_ms * 1.3, float(worst[found].max(initial=0)) * 1.05)
    return figure(
        traces,
        yaxis={"title": {"text": "ms"}, "range": [0, top]},
        shapes=[
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": budget_ms, "y1": budget_ms,
             "line": {"color": QUIET, "width": 1, "dash": "dash"}}
        ],
        annotations=[
            {"xref": "paper", "x": 1, "xanchor": "right", "y": budget_ms, "yanchor": "bottom", "showarrow": False,
             "text": f"budget {budget_ms:.1f} ms"}
        ],
    )  # fmt: skip


def metrics(table: pa.Table) -> go.Figure:
    """Lines of metrics, each unit on an axis of its own, with a band from the least to the greatest value of a point.

    Columns: time, name, value; unit, properties, low and high where they are known. At most 12 series: those with
    most points.
    """
    import numpy as np

    time, name, value = columns(table, "time", "name", "value")
    if len(time) == 0:
        return nothing("no values in this range")
    have = table.schema.names
    unit = columns(table, "unit")[0] if "unit" in have else np.full(len(time), "")
    sets = columns(table, "properties")[0] if "properties" in have else np.full(len(time), "")
    low, high = columns(table, "low", "high") if {"low", "high"} <= set(have) else (value, value)
    keys: dict[tuple[str, str, str], list[int]] = {}
    for at, key in enumerate(zip(name, unit, sets, strict=True)):
        keys.setdefault((str(key[0]), str(key[1] or ""), str(key[2] or "")), []).append(at)
    chosen = sorted(keys, key=lambda key: -len(keys[key]))[:MOST_SERIES]
    units = list(dict.fromkeys(key[1] for key in chosen))
    traces: list[Any] = []
    for number, key in enumerate(sorted(chosen)):
        rows = np.asarray(keys[key])[thinned(len(keys[key]))]
        axis = "y" if (at := units.index(key[1])) == 0 else f"y{at + 1}"
        traces += _series(key, time[rows], value[rows], low[rows], high[rows], COLOURS[number % len(COLOURS)], axis)
    layout = _axes(units)
    if len(keys) > len(chosen):
        layout["title"] = {"text": f"{len(chosen)} of {len(keys)} series", "font": {"size": 12}}
    return figure(traces, height=max(320, 40 + 220 * len(units)), **layout)


def _series(key: tuple[str, str, str], time: Any, value: Any, low: Any, high: Any, colour: str, axis: str) -> list[Any]:
    go = graph_objects()
    label = plain(key[0] + _properties(key[2]))
    band = _band(time, low, high, colour, axis) if (low < high).any() else []
    line = go.Scatter(
        x=time, y=value, yaxis=axis, name=label, legendgroup=label,
        mode="lines" if len(time) > 1 else "markers", line={"width": 1.3, "color": colour},
        hovertemplate="%{y:.6~g} " + plain(key[1]) + "<extra>" + label + "</extra>",
    )  # fmt: skip
    for edge in band:
        edge.legendgroup = label
    return [*band, line]


def _band(time: Any, low: Any, high: Any, colour: str, axis: str = "y") -> list[Any]:
    go = graph_objects()
    shared = {"x": time, "mode": "lines", "yaxis": axis, "showlegend": False, "hoverinfo": "skip"}
    ground = f"rgba({int(colour[1:3], 16)},{int(colour[3:5], 16)},{int(colour[5:], 16)},0.25)"
    return [
        go.Scatter(y=low, line={"width": 0}, **shared),
        go.Scatter(y=high, line={"width": 0}, fill="tonexty", fillcolor=ground, **shared),
    ]


def _axes(units: list[str]) -> dict[str, Any]:
    """A row for each unit, one time below them all."""
    gap, rows = 0.06, len(units)
    height = (1 - gap * (rows - 1)) / rows
    layout: dict[str, Any] = {"xaxis": {"anchor": "y" if rows == 1 else f"y{rows}"}}
    for at, unit in enumerate(units):
        top = 1 - at * (height + gap)
        layout["yaxis" if at == 0 else f"yaxis{at + 1}"] = {
            "title": {"text": plain(unit)},
            "domain": [max(0.0, top - height), top],
            "anchor": "x",
        }
    return layout


def _properties(text: str) -> str:
    pairs = json.loads(text) if text else {}
    return "{" + ", ".join(f"{key}={value}" for key, value in pairs.items()) + "}" if pairs else ""
