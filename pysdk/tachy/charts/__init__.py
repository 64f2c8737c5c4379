"""Charts: functions from the Arrow table of a query to a plotly figure (docs/charts.md).

    from tachy import charts
    with tachy.connect() as lake:
        process = lake.find_process("latest")
        charts.frames(lake.query(charts.queries.frames(process))).show()

`charts.queries` has the SQL that makes each function's table; any other query with these columns does as well. The
server aggregates: no series has more than 4,000 points, and a narrower range asks again. Figures have a transparent
ground and are read on light and dark ones. Needs plotly and pyarrow: the extra [notebook].
"""

from __future__ import annotations

from tachy.charts import queries
from tachy.charts.distributions import compare, heatmap, histogram, percentiles
from tachy.charts.lines import frames, metrics
from tachy.charts.result import result
from tachy.charts.spans import flame, timeline, top

__all__ = [
    "compare",
    "flame",
    "frames",
    "heatmap",
    "histogram",
    "metrics",
    "percentiles",
    "queries",
    "result",
    "timeline",
    "top",
]
