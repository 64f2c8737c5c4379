"""Charts of how values spread: histogram, percentiles, heatmap, and two sides compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tachy.charts.style import BAD, COLOURS, QUIET, columns, figure, graph_objects, nothing, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import pyarrow as pa

_DENSITY = [[0, "rgba(0,114,178,0.3)"], [1, "rgb(0,114,178)"]]


def histogram(table: pa.Table, *, unit: str = "") -> go.Figure:
    """Bars. Columns: bin_center, count."""
    go = graph_objects()
    center, count = columns(table, "bin_center", "count")
    if count.sum() == 0:
        return nothing("no values in this range")
    bars = go.Bar(x=center, y=count, hovertemplate="%{x:.4~g}: %{y}<extra></extra>")
    return figure([bars], bargap=0.05, xaxis={"title": {"text": plain(unit)}}, yaxis={"title": {"text": "values"}})


def percentiles(table: pa.Table) -> go.Figure:
    """Median, 90th, 99th percentile and worst of each group, on one line each. Columns: group, p50, p90, p99, worst in
    ms, frames.
    """
    go = graph_objects()
    group, *levels, frames = columns(table, "group", "p50", "p90", "p99", "worst", "frames")
    if len(group) == 0:
        return nothing("no frames in this range")
    labels = [plain(one) for one in group]
    traces = [
        go.Scatter(
            x=level, y=labels, mode="markers", name=name, customdata=frames, marker={"size": 9, "color": colour},
            hovertemplate="%{y}: %{x:.2f} ms of %{customdata} frames<extra>" + name + "</extra>",
        )
        for name, level, colour in zip(("p50", "p90", "p99", "worst"), levels, (*COLOURS[:3], BAD), strict=True)
    ]  # fmt: skip
    axis = {"type": "category", "autorange": "reversed"}
    return figure(traces, height=110 + 28 * len(group), xaxis={"title": {"text": "ms"}, "type": "log"}, yaxis=axis)


def heatmap(table: pa.Table) -> go.Figure:
    """Time to the right, duration upwards, dark where there are many. Columns: time, ms (a cell's lower edge, cells
    grow by one factor), count.
    """
    import numpy as np

    go = graph_objects()
    time, ms, count = columns(table, "time", "ms", "count")
    if len(time) == 0:
        return nothing("no frames in this range")
    moments, across = np.unique(time, return_inverse=True)
    steps = np.round(np.log2(ms) * 8).astype(int)
    up = steps - steps.min()
    cells = np.zeros((up.max() + 1, len(moments)))
    np.add.at(cells, (up, across), count)
    edges = np.exp2(np.arange(steps.min(), steps.max() + 1) / 8)
    shown = np.where(cells > 0, np.log10(np.maximum(cells, 1)) + 0.3, np.nan)
    trace = go.Heatmap(
        x=moments, y=edges, z=shown, customdata=cells, colorscale=_DENSITY, showscale=False, hoverongaps=False,
        hovertemplate="%{y:.2f} ms: %{customdata} frames<extra></extra>",
    )  # fmt: skip
    return figure([trace], yaxis={"title": {"text": "ms"}, "type": "log", "dtick": "D2"})


def compare(a: pa.Table, b: pa.Table, *, names: tuple[str, str] = ("a", "b"), most: int = 20) -> go.Figure:
    """How much longer each span's mean call is in b than in a, in percent, with the 95 % interval of that difference;
    grey where the interval holds zero. Those that weigh most come first.

    Columns of both: name, calls, mean_us, deviation_us.
    """
    import numpy as np

    go = graph_objects()
    sides = []
    for table in (a, b):
        name, *figures = columns(table, "name", "calls", "mean_us", "deviation_us")
        sides.append(dict(zip(name, zip(*figures, strict=True), strict=True)))
    rows = []
    for name in sides[0].keys() & sides[1].keys():
        (calls_a, mean_a, spread_a), (calls_b, mean_b, spread_b) = sides[0][name], sides[1][name]
        if mean_a > 0:
            error = 1.96 * float(np.sqrt(spread_a**2 / calls_a + spread_b**2 / calls_b))
            rows.append((abs(mean_b - mean_a) * calls_b, str(name), mean_a, mean_b, error))
    if not rows:
        return nothing("no span is in both")
    rows = sorted(rows, reverse=True)[:most]
    label = [plain(row[1]) for row in rows]
    change = [100 * (mean_b - mean_a) / mean_a for _, _, mean_a, mean_b, _ in rows]
    around = [100 * row[4] / row[2] for row in rows]
    sure = [abs(value) > one for value, one in zip(change, around, strict=True)]
    colours = [QUIET if not one else BAD if value > 0 else COLOURS[2] for one, value in zip(sure, change, strict=True)]
    bars = go.Bar(
        x=change, y=label, orientation="h", marker={"color": colours},
        error_x={"type": "data", "array": around, "color": QUIET},
        customdata=[(row[2], row[3]) for row in rows],
        hovertemplate="%{y}: %{customdata[0]:.2f} → %{customdata[1]:.2f} µs (%{x:+.1f} %)<extra></extra>",
    )  # fmt: skip
    title = f"{plain(names[1])} against {plain(names[0])}: mean of a call, %"
    axis = {"type": "category", "autorange": "reversed"}
    return figure([bars], height=110 + 24 * len(rows), xaxis={"title": {"text": title}}, yaxis=axis)
