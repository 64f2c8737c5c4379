"""Figures hold what real programs recorded: asked from a real server by the charts' own SQL, and redone by hand."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tachy
from tachy import charts
from tachy.charts import queries
from tachy.charts.style import MOST_POINTS
from tachy.client import Connection

from tests.pysdk.programs import run
from tests.serving import Server

PROGRAM = """
    import time, tachy
    tachy.start(properties={{"build": "{build}"}})
    for frame in range(60):
        with tachy.span("tick"):
            with tachy.span("physics"):
                time.sleep(0.001)
            time.sleep({hitch} if frame == 40 else 0.001)
        tachy.metric("score", frame, unit="points", properties={{"team": "<b>red</b>"}})
        tachy.metric("heat", frame / 2, unit="C")
        tachy.frame()
    tachy.stop()
"""


@pytest.fixture(scope="module")
def lake(server: Server) -> Iterator[Connection]:
    with tachy.connect(server.flight, url=server.http) as connection:
        yield connection


@pytest.fixture(scope="module")
def processes(server: Server, lake: Connection) -> list[str]:
    """Two builds of one game; the second has the worse hitch."""
    builds = [f"charts {number}" for number in (1, 2)]
    for build, hitch in zip(builds, (0.1, 0.2), strict=True):
        run(textwrap.dedent(PROGRAM).format(build=build, hitch=hitch), server.http)
    sql = "SELECT process_id FROM processes WHERE property_get(properties, 'build') = '{}'"
    return [str(lake.query(sql.format(build)).column(0)[0]) for build in builds]


def span_of(lake: Connection, process: str) -> tuple[int, int]:
    rows = lake.query(f"SELECT CAST(time AS BIGINT) FROM measures WHERE process_id = '{process}'")
    return min(times := rows.column(0).to_pylist()), max(times)


def traces(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data if trace.name}


def test_frames_are_all_there_and_the_hitch_is_marked_where_it_ended(lake: Connection, processes: list[str]) -> None:
    table = lake.query(queries.frames(processes[0]))
    found = traces(charts.frames(table))
    sql = f"SELECT time, value FROM measures WHERE process_id = '{processes[0]}' AND name = 'frame' ORDER BY time"
    rows = lake.query(sql)
    assert list(found["frame"].y) == pytest.approx([1e3 * value for value in rows.column("value").to_pylist()])
    worst = max(range(rows.num_rows), key=lambda at: rows.column("value")[at].as_py())
    hitches = dict(zip(found["hitch"].x, found["hitch"].y, strict=True))  # others, too, where the machine is busy
    assert hitches[found["frame"].x[worst]] == found["frame"].y[worst] > 100
    threshold = max(1000 / 60, 1.5 * float(np.median(found["frame"].y)))
    assert len(hitches) == sum(value > threshold for value in found["frame"].y)
    assert found["frame"].line.shape == "vh"  # as long as it lasted, up to its end


def test_fewer_points_keep_the_worst_frame_and_the_number_of_all(lake: Connection, processes: list[str]) -> None:
    begin, end = span_of(lake, processes[0])
    all_, few = (lake.query(queries.frames(processes[0], begin, end, points=points)) for points in (100_000, 6))
    assert few.num_rows < 12 < all_.num_rows
    for column in ("ms", "low"):
        extreme = max if column == "ms" else min
        assert extreme(few.column(column).to_pylist()) == extreme(all_.column(column).to_pylist())
    assert sum(few.column("frames").to_pylist()) == sum(all_.column("frames").to_pylist()) == all_.num_rows
    figure = charts.frames(few)
    assert set(traces(figure)) == {"mean", "hitch"}
    assert any(trace.fill == "tonexty" for trace in figure.data)


def test_metrics_have_an_axis_for_each_unit_and_a_series_for_each_property_set(
    lake: Connection, processes: list[str]
) -> None:
    begin, end = span_of(lake, processes[0])
    figure = charts.metrics(lake.query(queries.metrics(processes[0], ["score", "heat"], begin, end, points=8)))
    found = traces(figure)
    assert set(found) == {"heat", "score{team=&lt;b&gt;red&lt;/b&gt;}"}
    assert {trace.yaxis for trace in found.values()} == {"y", "y2"}
    assert {figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text} == {"C", "points"}
    bands = [trace for trace in figure.data if trace.fill == "tonexty" and trace.yaxis == found["heat"].yaxis]
    assert max(bands[0].y) == 29.5
    assert len(found["heat"].y) <= 10


def test_a_histogram_counts_every_value_once(lake: Connection, processes: list[str]) -> None:
    figure = charts.histogram(lake.query(queries.histogram(processes[0], "heat", 0, 30, bins=6)), unit="C")
    assert list(figure.data[0].y) == [10] * 6
    assert list(figure.data[0].x) == [2.5, 7.5, 12.5, 17.5, 22.5, 27.5]


def test_percentiles_stand_in_the_row_of_their_build(lake: Connection, processes: list[str]) -> None:
    table = lake.query(queries.percentiles("build"))
    found = traces(charts.percentiles(table))
    rows = {row["group"]: row for row in table.to_pylist()}
    for build, least in (("charts 1", 100), ("charts 2", 200)):
        at = list(found["worst"].y).index(build)
        assert least < found["worst"].x[at] == rows[build]["worst"]
        assert found["p50"].x[at] < found["p99"].x[at] <= found["worst"].x[at]
        assert found["p50"].customdata[at] == rows[build]["frames"] >= 59


def test_a_heatmap_has_every_frame_in_the_cell_of_its_time_and_length(lake: Connection, processes: list[str]) -> None:
    begin, end = span_of(lake, processes[0])
    figure = charts.heatmap(lake.query(queries.heatmap(processes[0], begin, end, cells=10)))
    cells = np.asarray(figure.data[0].customdata)
    count = lake.query(f"SELECT count(*) FROM measures WHERE process_id = '{processes[0]}' AND name = 'frame'")
    assert cells.sum() == count.column(0)[0].as_py()
    edges = list(figure.data[0].y)
    assert cells[-1].sum() >= 1
    worst = max(charts.frames(lake.query(queries.frames(processes[0]))).data[-1].y)
    assert edges[-1] <= worst < edges[-1] * 2 ** (1 / 8)


def test_a_timeline_has_the_spans_of_the_range_in_lanes_by_depth(lake: Connection, processes: list[str]) -> None:
    hitch = charts.frames(lake.query(queries.frames(processes[0]))).data[-1]
    worst = int(np.argmax(hitch.y))
    end = int(np.datetime64(hitch.x[worst], "ns").astype(np.int64))
    begin = end - int(hitch.y[worst] * 1e6)
    bars = charts.timeline(lake.query(queries.timeline(processes[0]), begin=begin, end=end)).data[0]
    drawn = list(zip(bars.customdata, bars.y, bars.base, bars.x, strict=True))
    (tick,) = [bar for bar in drawn if bar[0] == "tick" and bar[3] > 100]
    inside = [
        bar for bar in drawn if bar[0] == "physics" and tick[2] <= bar[2] and bar[2] + bar[3] <= tick[2] + tick[3]
    ]
    assert len(inside) == 1
    assert inside[0][1] == tick[1] + 1


def test_own_times_and_the_inside_add_up_to_the_total(lake: Connection, processes: list[str]) -> None:
    bars = traces(charts.top(lake.query(queries.top(processes[0]))))
    names = list(bars["itself"].y)
    sums = dict(zip(names, zip(bars["itself"].x, bars["inside it"].x, strict=True), strict=True))
    sql = f"SELECT name, sum(duration) / 1e6 AS ms FROM thread_spans WHERE process_id = '{processes[0]}' GROUP BY name"
    for row in lake.query(sql).to_pylist():
        assert sum(sums[row["name"]]) == pytest.approx(row["ms"])
    assert sums["physics"][1] == 0
    assert sums["tick"][1] == pytest.approx(sums["physics"][0])
    assert list(bars["itself"].x) == sorted(bars["itself"].x, reverse=True)


def test_a_flame_merges_the_calls_of_one_path(lake: Connection, processes: list[str]) -> None:
    icicle = charts.flame(lake.query(queries.flame(processes[0]))).data[0]
    nodes = dict(zip(icicle.ids, icicle.values, strict=True))
    assert nodes["tick"] > nodes["tick;physics"] > 60
    assert dict(zip(icicle.ids, icicle.parents, strict=True)) == {"tick": "", "tick;physics": "tick"}
    assert icicle.labels[list(icicle.ids).index("tick;physics")] == "physics"


def test_no_node_of_a_flame_is_narrower_than_what_is_in_it() -> None:
    paths = ["a", "a;b", "a", "a;b", "a;b;c"]  # of two threads, and a span that began before the range
    shown = charts.flame(pa.table({"path": paths, "total": [10, 8, 5, 4, 20]})).data[0]
    assert dict(zip(shown.ids, shown.values, strict=True)) == {"a": 2e-5, "a;b": 2e-5, "a;b;c": 2e-5}


def test_a_flame_keeps_as_many_nodes_as_a_browser_lays_out_at_once() -> None:
    paths = [";".join(f"f{at}" for at in range(deep)) for deep in range(1, 900)]
    shown = charts.flame(pa.table({"path": paths, "total": range(1000, 101, -1)})).data[0]
    assert len(shown.ids) == 300
    assert set(shown.parents) <= {"", *shown.ids}


def test_comparing_says_how_much_and_how_sure(lake: Connection, processes: list[str]) -> None:
    sides = [lake.query(queries.summary(one)) for one in processes]
    bars = charts.compare(*sides, names=("one", "two")).data[0]
    change = dict(zip(bars.y, zip(bars.x, bars.error_x.array, strict=True), strict=True))
    means = [{row["name"]: row["mean_us"] for row in side.to_pylist()} for side in sides]
    for name in ("tick", "physics"):
        assert change[name][0] == pytest.approx(100 * (means[1][name] / means[0][name] - 1))
        assert change[name][1] > 0
    same = charts.compare(sides[0], sides[0]).data[0]
    assert set(same.x) == {0}
    assert len(set(same.marker.color)) == 1


def test_a_difference_that_chance_makes_is_grey() -> None:
    def side(mean: float, deviation: float) -> pa.Table:
        return pa.table({"name": ["a"], "calls": [100], "mean_us": [mean], "deviation_us": [deviation]})

    sure = charts.compare(side(10, 1), side(12, 1)).data[0]
    assert sure.x[0] == pytest.approx(20)
    assert sure.error_x.array[0] == pytest.approx(100 * 1.96 * (2 / 100) ** 0.5 / 10)
    chance = charts.compare(side(10, 50), side(12, 50)).data[0]
    assert chance.marker.color[0] != sure.marker.color[0]


def test_the_result_of_any_query_is_drawn_by_its_types(lake: Connection, processes: list[str]) -> None:
    sql = f"SELECT time, value, name FROM measures WHERE process_id = '{processes[0]}' AND name = 'heat'"
    (line,) = charts.result(lake.query(sql)).data
    assert (line.mode, line.name, len(line.x)) == ("lines", "value", 60)
    assert all(a <= b for a, b in itertools.pairwise(line.x))
    (bars,) = charts.result(lake.query("SELECT '<i>a</i>' AS what, 3 AS many")).data
    assert (bars.type, list(bars.x), list(bars.y)) == ("bar", ["&lt;i&gt;a&lt;/i&gt;"], [3])
    assert "nothing to draw" in charts.result(lake.query("SELECT 'a' AS what")).layout.annotations[0].text


def test_no_series_has_more_points_than_a_browser_draws_at_once() -> None:
    many = 50_000
    times = pa.array(np.arange(many, dtype="int64") * 10**6, pa.timestamp("ns", "UTC"))
    figure = charts.frames(pa.table({"time": times, "ms": np.where(np.arange(many) % 10, 10.0, 90.0)}))
    assert all(len(trace.x) <= MOST_POINTS for trace in figure.data)
    shown = charts.result(pa.table({"time": times, "v": np.arange(many)}))
    assert 1000 < len(shown.data[0].x) <= MOST_POINTS


def test_a_table_with_other_columns_is_refused_in_one_sentence() -> None:
    with pytest.raises(tachy.QueryError, match="needs the columns time, ms; the result has a"):
        charts.frames(pa.table({"a": [1]}))


def test_an_empty_table_makes_a_figure_that_says_so(lake: Connection, processes: list[str]) -> None:
    empty = lake.query(queries.frames(processes[0]), begin="2001-01-01", end="2001-01-02")
    assert charts.frames(empty).layout.annotations[0].text == "no frames in this range"


def test_what_is_no_process_id_does_not_reach_sql() -> None:
    with pytest.raises(ValueError, match="badly formed"):
        queries.frames("' OR 1 = 1 --")
    assert queries.text("it's") == "'it''s'"


def test_a_figure_is_json_that_a_page_can_take(lake: Connection, processes: list[str]) -> None:
    content = json.loads(charts.frames(lake.query(queries.frames(processes[0]))).to_json())
    assert set(content) == {"data", "layout"}
    assert "scattergl" not in json.dumps(content)
