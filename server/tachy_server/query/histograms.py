"""Histograms in SQL: made by an aggregate, added up by another, read by functions.

A histogram is a struct {start, end, min, max, sum, sum_sq, count, bins}: bins of equal width between start and end,
what lies outside counted in the first or last. Python keeps one accumulator per group; per batch the work is Arrow's.
"""

from __future__ import annotations

import math
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import Accumulator, SessionContext, udaf, udf

from tachy_server.base.errors import QueryError

HISTOGRAM: Final = pa.struct(
    [
        pa.field("start", pa.float64()),
        pa.field("end", pa.float64()),
        pa.field("min", pa.float64()),
        pa.field("max", pa.float64()),
        pa.field("sum", pa.float64()),
        pa.field("sum_sq", pa.float64()),
        pa.field("count", pa.uint64()),
        pa.field("bins", pa.list_(pa.field("bin", pa.uint64()))),
    ]
)
MAX_BINS: Final = 1_000_000


class _Histogram(Accumulator):
    """The histogram of one group; unset until the first value or histogram says how it is cut."""

    def __init__(self) -> None:
        self._shape: tuple[float, float, int] | None = None
        self._bins: list[int] = []
        self._min, self._max = math.inf, -math.inf
        self._sum = self._sum_sq = 0.0
        self._count = 0

    def _cut(self, start: float, end: float, bins: int) -> None:
        shape = (start, end, bins)
        if self._shape is None:
            if not (math.isfinite(start) and math.isfinite(end) and start < end):
                raise QueryError(f"a histogram needs start < end, not {start} and {end}")
            if not 1 <= bins <= MAX_BINS:
                raise QueryError(f"a histogram has 1 to {MAX_BINS} bins, not {bins}")
            self._shape, self._bins = shape, [0] * bins
        elif self._shape != shape:
            raise QueryError(f"histograms that are added up must be cut alike: {self._shape} and {shape} are not")

    def _add_values(self, values: pa.Array) -> None:
        assert self._shape is not None
        start, end, bins = self._shape
        values = values.drop_null()
        values = values.filter(pc.is_finite(values))
        if not len(values):
            return
        bounds = pc.min_max(values).as_py()
        self._min, self._max = min(self._min, bounds["min"]), max(self._max, bounds["max"])
        self._sum += pc.sum(values).as_py()
        self._sum_sq += pc.sum(pc.multiply(values, values)).as_py()
        self._count += len(values)
        places = pc.floor(pc.divide(pc.subtract(values, start), (end - start) / bins))
        places = pc.min_element_wise(pc.max_element_wise(places, 0.0), float(bins - 1)).cast(pa.int64())
        for entry in pc.value_counts(places).to_pylist():
            self._bins[entry["values"]] += entry["counts"]

    def merge(self, states: list[pa.Array]) -> None:
        """Add histograms up."""
        for other in states[0].to_pylist():
            if other is None or other["bins"] is None:
                continue
            self._cut(other["start"], other["end"], len(other["bins"]))
            self._min, self._max = min(self._min, other["min"]), max(self._max, other["max"])
            self._sum += other["sum"]
            self._sum_sq += other["sum_sq"]
            self._count += other["count"]
            self._bins = [one + two for one, two in zip(self._bins, other["bins"], strict=True)]

    def evaluate(self) -> pa.Scalar:
        """The histogram, null where there was nothing."""
        if self._shape is None:
            return pa.scalar(None, HISTOGRAM)
        return pa.scalar(
            {
                "start": self._shape[0],
                "end": self._shape[1],
                "min": self._min,
                "max": self._max,
                "sum": self._sum,
                "sum_sq": self._sum_sq,
                "count": self._count,
                "bins": self._bins,
            },
            HISTOGRAM,
        )

    def state(self) -> list[pa.Scalar]:
        """What partitions exchange."""
        return [self.evaluate()]


class MakeHistogram(_Histogram):
    """make_histogram(start, end, nb_bins, value)."""

    def update(self, *values: pa.Array) -> None:
        """Count a batch's values."""
        starts, ends, bins, numbers = values
        if not len(numbers):
            return
        if any(array[0].as_py() is None for array in (starts, ends, bins)):
            raise QueryError("make_histogram needs start, end and the number of bins")
        self._cut(starts[0].as_py(), ends[0].as_py(), bins[0].as_py())
        self._add_values(numbers)


class SumHistograms(_Histogram):
    """sum_histograms(histogram)."""

    def update(self, *values: pa.Array) -> None:
        """Add a batch's histograms."""
        self.merge(list(values))


def quantile(histogram: dict[str, Any], part: float) -> float:
    """Where `part` of the values lie below, by linear interpolation inside the bin."""
    wanted, seen = histogram["count"] * part, 0
    start, end, bins = histogram["start"], histogram["end"], histogram["bins"]
    width = (end - start) / len(bins)
    for place, count in enumerate(bins):
        seen += count
        if count and seen >= wanted:
            inside = (wanted - (seen - count)) / count
            return float(start + (place + inside) * width)
    return float(end)


def variance(histogram: dict[str, Any]) -> float | None:
    """Of the sample; null for less than two values."""
    count = histogram["count"]
    if count < 2:
        return None
    mean = histogram["sum"] / count
    return float((histogram["sum_sq"] / count - mean * mean) * count / (count - 1))


def expand(histogram: dict[str, Any]) -> tuple[list[float], list[int]]:
    """Centers of the bins, and how many values are in each."""
    bins = histogram["bins"]
    width = (histogram["end"] - histogram["start"]) / len(bins)
    return [histogram["start"] + (place + 0.5) * width for place in range(len(bins))], bins


def _quantiles(histograms: pa.Array, parts: pa.Array) -> pa.Array:
    pairs = zip(histograms.to_pylist(), parts.to_pylist(), strict=True)
    values = [None if histogram is None or part is None else quantile(histogram, part) for histogram, part in pairs]
    return pa.array(values, pa.float64())


def _variances(histograms: pa.Array) -> pa.Array:
    values = [None if histogram is None else variance(histogram) for histogram in histograms.to_pylist()]
    return pa.array(values, pa.float64())


def register(context: SessionContext) -> None:
    """Make the aggregates and functions known to a context."""
    context.register_udaf(_MAKE)
    context.register_udaf(_SUM)
    for function in _UDFS:
        context.register_udf(function)


DOCS: Final = (
    ("make_histogram(start, end, nb_bins, value)", "Aggregate: a histogram of the values."),
    ("sum_histograms(h)", "Aggregate: histograms that are cut alike, added up."),
    ("quantile_from_histogram(h, q)", "Estimate of a quantile."),
    ("variance_from_histogram(h)", "Variance of the values."),
    ("count_from_histogram(h)", "How many values there are."),
    ("sum_from_histogram(h)", "Their sum."),
)

_F64: Final = pa.float64()
_MAKE: Final = udaf(
    MakeHistogram, [_F64, _F64, pa.int64(), _F64], HISTOGRAM, [HISTOGRAM], "immutable", "make_histogram"
)
_SUM: Final = udaf(SumHistograms, [HISTOGRAM], HISTOGRAM, [HISTOGRAM], "immutable", "sum_histograms")
_UDFS: Final = (
    udf(_quantiles, [HISTOGRAM, _F64], _F64, "immutable", "quantile_from_histogram"),
    udf(_variances, [HISTOGRAM], _F64, "immutable", "variance_from_histogram"),
    udf(lambda h: pc.struct_field(h, "count"), [HISTOGRAM], pa.uint64(), "immutable", "count_from_histogram"),
    udf(lambda h: pc.struct_field(h, "sum"), [HISTOGRAM], _F64, "immutable", "sum_from_histogram"),
)
