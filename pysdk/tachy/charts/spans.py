"""Charts of spans: threads over a short time, where the time goes, and who called it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """Where the time goes: each name's own time, and what ran inside of it. Columns: name, calls, self_ms, total_ms.

    The total of a name that calls itself counts its inner calls again.
    """
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
    """Who called what, as an icicle: the spans of all calls on one path are one node, the narrowest of more than `most`
    are left out. Columns: stream_id, id, parent, name, duration (ns); thread_name.
    """
    go = graph_objects()
    stream, thread, number, parent, name, duration = columns(
        table, "stream_id", "thread_name", "id", "parent", "name", "duration"
    )
    if len(number) == 0:
        return nothing("no spans in this range")
    nodes = call_tree(
        list(zip(stream, thread, number, parent, name, duration, strict=True))  # plain rows: a path is made of them
    )
    kept = sorted(nodes, key=lambda path: -nodes[path])[:most]
    shown = {path for path in kept if all(path[:length] in kept for length in range(1, len(path)))}
    ordered = sorted(shown)
    icicle = go.Icicle(
        ids=["\x1f".join(path) for path in ordered],
        parents=["\x1f".join(path[:-1]) for path in ordered],
        labels=[plain(path[-1]) for path in ordered],
        values=[nodes[path] / 1e6 for path in ordered],
        branchvalues="total", marker={"colors": [colour(path[-1]) for path in ordered]},
        hovertemplate="%{label}: %{value:.3f} ms<extra></extra>", tiling={"orientation": "v"},
    )  # fmt: skip
    return figure([icicle], height=420, margin={"l": 8, "r": 8, "t": 8, "b": 8})


def call_tree(rows: list[tuple[Any, ...]]) -> dict[tuple[str, ...], int]:
    """Ns of every path of names, threads first, from rows of stream, thread, id, parent, name and duration."""
    by_id = {(row[0], row[2]): row for row in rows}
    paths: dict[tuple[Any, Any], tuple[str, ...]] = {}

    def path(key: tuple[Any, Any]) -> tuple[str, ...]:
        above: list[tuple[Any, Any]] = []
        while key in by_id and key not in paths:
            above.append(key)
            key = (key[0], by_id[key][3])
        found = paths.get(key)
        for one in reversed(above):
            row = by_id[one]
            found = (*(found or (str(row[1] or row[0]),)), str(row[4]))
            paths[one] = found
        return paths[above[0]] if above else paths[key]

    nodes: dict[tuple[str, ...], int] = {}
    inside: dict[tuple[str, ...], int] = {}
    for row in rows:
        here = path((row[0], row[2]))
        nodes[here] = nodes.get(here, 0) + int(row[5])
        inside[here[:-1]] = inside.get(here[:-1], 0) + int(row[5])
    for here, sum_ in inside.items():  # threads have no span; spans of open ranges may be cut shorter than their inside
        nodes[here] = max(nodes.get(here, 0), sum_)
    return nodes
