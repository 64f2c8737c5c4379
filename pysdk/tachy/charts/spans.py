"""Charts of spans: threads over a short time, where the time goes, and who called it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tachy.charts.style import COLOURS, colour, columns, figure, graph_objects, nothing, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import pyarrow as pa

MOST_NODES = 300  # of an icicle: 0.3 s; 5,000 take 6 s


def timeline(table: pa.Table) -> go.Figure:
    """Threads of a short range, a lane for each depth. Columns: thread_name, stream_id, depth, name, begin,
    duration (ns).
    """
    import numpy as np

    go = graph_objects()
    thread, stream, depth, name, begin, duration = columns(
        table, "thread_name", "stream_id", "depth", "name", "begin", "duration"
    )
    if len(begin) == 0:
        return nothing("no spans in this range")
    lanes: dict[tuple[str, int], int] = {}
    threads: dict[str, str] = {}
    for one, of, deep in sorted(zip(thread, stream, depth, strict=True), key=lambda key: (str(key[0]), *key[1:])):
        threads[str(of)] = str(one)
        lanes.setdefault((str(of), int(deep)), len(lanes))
    rows = [lanes[str(of), int(deep)] for of, deep in zip(stream, depth, strict=True)]
    zero = begin.min()
    span = int((begin + duration.astype("timedelta64[ns]")).max() - zero)
    bars = go.Bar(
        x=duration / 1e6, base=(begin - zero).astype("timedelta64[ns]").astype(np.int64) / 1e6, y=rows,
        orientation="h", width=0.9, marker={"color": [colour(str(one)) for one in name], "line": {"width": 0}},
        customdata=[plain(one) for one in name], textposition="inside", textangle=0,
        text=[plain(one) if wide else "" for one, wide in zip(name, duration > span / 60, strict=True)],
        insidetextanchor="start", constraintext="none", cliponaxis=True, showlegend=False,
        hovertemplate="%{customdata}: %{x:.3f} ms<extra></extra>",
    )  # fmt: skip
    first = {of: min(lane for (key, _), lane in lanes.items() if key == of) for of in threads}
    ticks = {"tickvals": list(first.values()), "ticktext": [plain(threads[of]) for of in first]}
    title = f"ms after {np.datetime_as_string(zero, unit='us')}Z"
    return figure(
        [bars], height=90 + 20 * len(lanes), uniformtext={"minsize": 9, "mode": "hide"},
        xaxis={"title": {"text": title}}, yaxis={"autorange": "reversed", **ticks},
    )  # fmt: skip


def top(table: pa.Table) -> go.Figure:
    """Where the time goes: each name's own time, and what ran inside of it. Columns: name, calls, self_ms, total_ms."""
    go = graph_objects()
    name, calls, own, total = columns(table, "name", "calls", "self_ms", "total_ms")
    if len(name) == 0:
        return nothing("no spans in this range")
    labels = [plain(one) for one in name]
    shared = {"y": labels, "orientation": "h", "customdata": calls}
    hover = "%{y}: %{x:.3f} ms in %{customdata} calls<extra>"
    bars = [
        go.Bar(x=own, name="itself", marker={"color": COLOURS[0]}, hovertemplate=hover + "itself</extra>", **shared),
        go.Bar(
            x=total - own, name="inside it", marker={"color": "rgba(127,127,127,0.35)"},
            hovertemplate=hover + "inside it</extra>", **shared,
        ),
    ]  # fmt: skip
    axis = {"type": "category", "autorange": "reversed"}
    return figure(bars, barmode="stack", height=110 + 22 * len(name), xaxis={"title": {"text": "ms"}}, yaxis=axis)


def flame(table: pa.Table, *, most: int = MOST_NODES) -> go.Figure:
    """Who called what, as an icicle; only the `most` longest paths. Columns: path (names joined by ;), total (ns).

    Rows of one path are added up.
    """
    go = graph_objects()
    path, total = columns(table, "path", "total")
    if len(path) == 0:
        return nothing("no spans in this range")
    nodes: dict[str, int] = {}
    for one, ns in zip(path, total, strict=True):
        nodes[str(one)] = nodes.get(str(one), 0) + int(ns)
    shown = sorted(sorted(nodes, key=lambda one: -nodes[one])[:most])
    inside: dict[str, int] = {}
    for one in sorted(shown, key=lambda one: -one.count(";")):  # plotly draws nothing where a parent is too narrow
        nodes[one] = max(nodes[one], inside.get(one, 0))
        above = one.rpartition(";")[0]
        inside[above] = inside.get(above, 0) + nodes[one]
    names = [one.rpartition(";")[2] for one in shown]
    icicle = go.Icicle(
        ids=shown, parents=[one.rpartition(";")[0] for one in shown], labels=[plain(one) for one in names],
        values=[nodes[one] / 1e6 for one in shown], branchvalues="total",
        marker={"colors": [colour(one) for one in names]}, tiling={"orientation": "v"},
        hovertemplate="%{label}: %{value:.3f} ms<extra></extra>",
    )  # fmt: skip
    return figure([icicle], height=420, margin={"l": 8, "r": 8, "t": 8, "b": 8})
