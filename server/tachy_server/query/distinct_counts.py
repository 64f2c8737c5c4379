"""Distinct counts in SQL that add up: sketches made by an aggregate, merged by another, counted by a function.

Python keeps one accumulator per group; per batch the work is native (formats/hll.py).
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
from datafusion import Accumulator, SessionContext, udaf, udf

from tachy_server.base.errors import FormatError, QueryError
from tachy_server.formats import hll


class _Counted(Accumulator):
    """The sketch of one group."""

    def __init__(self) -> None:
        self._sketch = hll.Sketch()

    def merge(self, states: list[pa.Array]) -> None:
        """Merge sketches."""
        try:
            self._sketch.merge(states[0])
        except FormatError as error:
            raise QueryError(f"merge_hll: {error}") from None

    def evaluate(self) -> pa.Scalar:
        """The sketch, of nothing where there was nothing."""
        return pa.scalar(self._sketch.to_bytes(), _SKETCH)

    def state(self) -> list[pa.Scalar]:
        """What partitions exchange."""
        return [self.evaluate()]


class MakeHll(_Counted):
    """make_hll(x)."""

    def update(self, *values: pa.Array) -> None:
        """Add a batch's values."""
        self._sketch.add(values[0])


class MergeHll(_Counted):
    """merge_hll(h)."""

    def update(self, *values: pa.Array) -> None:
        """Merge a batch's sketches."""
        self.merge(list(values))


def _cardinality(sketches: pa.Array) -> pa.Array:
    try:
        return hll.counts(sketches)
    except FormatError as error:
        raise QueryError(f"hll_cardinality: {error}") from None


def register(context: SessionContext) -> None:
    """Make the aggregates and the function known to a context."""
    context.register_udaf(_MAKE)
    context.register_udaf(_MERGE)
    context.register_udf(_COUNT)


DOCS: Final = (
    ("make_hll(x)", "Aggregate: a sketch (Binary) of the different values of x, as texts."),
    ("merge_hll(h)", "Aggregate: the sketch of all values of sketches."),
    (
        "hll_cardinality(h)",
        "How many values a sketch has: exact for a few thousand, then with a standard error of 0.8 %.",
    ),
)

_SKETCH: Final = pa.binary()
_MAKE: Final = udaf(MakeHll, [pa.utf8()], _SKETCH, [_SKETCH], "immutable", "make_hll")
_MERGE: Final = udaf(MergeHll, [_SKETCH], _SKETCH, [_SKETCH], "immutable", "merge_hll")
_COUNT: Final = udf(_cardinality, [_SKETCH], pa.int64(), "immutable", "hll_cardinality")
