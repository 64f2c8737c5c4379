"""The SQL that makes the tables which the charts draw. Times are UTC nanoseconds.

`begin` and `end` are where the table's cells are cut; give the same range to the query, which leaves out what lies
outside. Without them a cell is a fixed length that suits minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

FRAME_NAME = "frame"  # of frame marks that were given none
_CELL = 50_000_000  # ns, of a range that is not known


def text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def _process(process_id: str | UUID) -> str:
    return text(str(UUID(str(process_id))))


def _cell(begin: int | None, end: int | None, points: int) -> int:
    return _CELL if begin is None or end is None else max(1, (end - begin) // max(1, points))


def _is_frame(name: str) -> str:
    return f"unit = 'seconds' AND lower(name) = {text(name.lower())}"


def frames(
    process_id: str | UUID, begin: int | None = None, end: int | None = None, *, points: int = 1500, name: str = "frame"
) -> str:
    """For `frames`: a row per frame, or where there are more than points, per cell: its worst frame's end and length,
    mean and shortest, and how many there were.
    """
    cell = _cell(begin, end, points) if begin is not None else 1
    return f"""SELECT last_value(time ORDER BY value) AS time, max(value) * 1e3 AS ms, avg(value) * 1e3 AS mean,
       min(value) * 1e3 AS low, count(*) AS frames
FROM measures WHERE process_id = {_process(process_id)} AND {_is_frame(name)}
GROUP BY CAST(time AS BIGINT) / {cell} ORDER BY time"""


def metrics(
    process_id: str | UUID, names: Sequence[str], begin: int | None = None, end: int | None = None, *, points: int = 700
) -> str:
    """For `metrics`: mean, least and greatest value per cell, of each name, unit and property set."""
    listed = ", ".join(text(name) for name in names) or "NULL"
    return f"""SELECT name, unit, properties, min(time) AS time, avg(value) AS value, min(value) AS low,
       max(value) AS high, count(*) AS values
FROM measures WHERE process_id = {_process(process_id)} AND name IN ({listed})
GROUP BY name, unit, properties, CAST(time AS BIGINT) / {_cell(begin, end, points)} ORDER BY name, time"""


def metric_names(process_id: str | UUID) -> str:
    """The metrics of a process: name, unit, target, values, mean, low, high."""
    return f"""SELECT name, unit, target, count(*) AS values, avg(value) AS mean, min(value) AS low, max(value) AS high
FROM measures WHERE process_id = {_process(process_id)} GROUP BY name, unit, target ORDER BY name"""


def histogram(process_id: str | UUID, name: str, low: float, high: float, *, bins: int = 60) -> str:
    """For `histogram`: how many values of a metric lie in each of the bins between low and high."""
    return f"""SELECT bin_center, count FROM expand_histogram((
  SELECT make_histogram(CAST({low!r} AS DOUBLE), CAST({high!r} AS DOUBLE), {int(bins)}, value)
  FROM measures WHERE process_id = {_process(process_id)} AND name = {text(name)}))"""


def percentiles(by: str = "build", *, name: str = FRAME_NAME) -> str:
    """For `percentiles`: frame times of all processes by one of their properties."""
    return f"""SELECT coalesce(property_get(process_properties, {text(by)}), '(none)') AS "group", count(*) AS frames,
       approx_percentile_cont(value, 0.5) * 1e3 AS p50, approx_percentile_cont(value, 0.9) * 1e3 AS p90,
       approx_percentile_cont(value, 0.99) * 1e3 AS p99, max(value) * 1e3 AS worst
FROM measures WHERE {_is_frame(name)} GROUP BY 1 ORDER BY 1"""


def heatmap(
    process_id: str | UUID, begin: int | None = None, end: int | None = None, *, cells: int = 120, name: str = "frame"
) -> str:
    """For `heatmap`: how many frames of each time took how long; eight steps to a doubling."""
    return f"""SELECT min(time) AS time, power(CAST(2 AS DOUBLE), floor(log2(value * 1e3) * 8) / 8) AS ms,
       count(*) AS count
FROM measures WHERE process_id = {_process(process_id)} AND {_is_frame(name)} AND value > 0
GROUP BY CAST(time AS BIGINT) / {_cell(begin, end, cells)}, floor(log2(value * 1e3) * 8) ORDER BY time"""


def timeline(process_id: str | UUID, *, most: int = 2000) -> str:
    """For `timeline`: the longest spans of a short range, in the order of their begins."""
    return f"""SELECT * FROM (SELECT thread_name, stream_id, depth, name, begin, duration FROM thread_spans
  WHERE process_id = {_process(process_id)} ORDER BY duration DESC LIMIT {int(most)}) ORDER BY begin"""


def top(process_id: str | UUID, *, most: int = 20) -> str:
    """For `top`: the names that take most time by themselves, without the spans inside them."""
    return f"""SELECT name, calls, total / 1e6 AS total_ms, self / 1e6 AS self_ms
FROM span_self_time({_process(process_id)}, NULL, NULL) ORDER BY self DESC LIMIT {int(most)}"""


def summary(process_ids: Sequence[str | UUID] | str | UUID) -> str:
    """For `compare`: count, mean and standard deviation of every span's duration, of one side."""
    ids = [process_ids] if isinstance(process_ids, str | UUID) else list(process_ids)
    listed = ", ".join(_process(one) for one in ids)
    return f"""SELECT name, count(*) AS calls, avg(duration) / 1e3 AS mean_us,
       coalesce(stddev(CAST(duration AS DOUBLE)), 0) / 1e3 AS deviation_us
FROM thread_spans WHERE process_id IN ({listed}) GROUP BY name"""


def flame(process_id: str | UUID, *, most: int = 300) -> str:
    """For `flame`: the paths of names that took most time, of all threads."""
    return f"""SELECT path, sum(total) AS total FROM call_tree({_process(process_id)}, NULL, NULL)
GROUP BY path ORDER BY total DESC LIMIT {int(most)}"""
