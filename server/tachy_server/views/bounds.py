"""Which blocks a scan can possibly need: times and ids that its predicates leave open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import pyarrow as pa

from tachy_server.lake.segments import Chosen
from tachy_server.views.predicates import Call, Column, Literal, Node, all_of

Ids = frozenset[UUID]

_FLIPPED: Final = {
    "less": "greater",
    "less_equal": "greater_equal",
    "greater": "less",
    "greater_equal": "less_equal",
    "equal": "equal",
}
_NANOSECONDS: Final = pa.timestamp("ns", "UTC")
_DAY: Final = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Bounds:
    """What can be in the result: rows with end >= begin_utc and begin <= end_utc (both inclusive; None: no bound).

    A set of ids that is None does not bound; one that is empty lets nothing through. `open` and `closed` tell whether
    spans that have not ended, and those that have, are wanted; `chosen`, of which segments (None: of all).
    """

    begin: int | None = None
    end: int | None = None
    process_ids: Ids | None = None
    stream_ids: Ids | None = None
    block_ids: Ids | None = None
    open: bool = True
    closed: bool = True
    chosen: Chosen | None = None

    def __and__(self, other: Bounds) -> Bounds:
        """Both hold: the tighter of each."""
        return Bounds(
            begin=_pick(max, self.begin, other.begin),
            end=_pick(min, self.end, other.end),
            process_ids=_both(self.process_ids, other.process_ids),
            stream_ids=_both(self.stream_ids, other.stream_ids),
            block_ids=_both(self.block_ids, other.block_ids),
            open=self.open and other.open,
            closed=self.closed and other.closed,
            chosen=self.chosen or other.chosen,
        )

    def __or__(self, other: Bounds) -> Bounds:
        """Either holds: a bound remains only where both have one."""
        return Bounds(
            begin=None if self.begin is None or other.begin is None else min(self.begin, other.begin),
            end=None if self.end is None or other.end is None else max(self.end, other.end),
            process_ids=_either(self.process_ids, other.process_ids),
            stream_ids=_either(self.stream_ids, other.stream_ids),
            block_ids=_either(self.block_ids, other.block_ids),
            open=self.open or other.open,
            closed=self.closed or other.closed,
        )

    def overlap(self, first: int | None, last: int | None) -> bool:
        """Whether rows of these times can be in the result; those without a time (None) are in no range."""
        before = self.end is None or (first is not None and first <= self.end)
        return before and (self.begin is None or (last is not None and last >= self.begin))

    @property
    def nothing(self) -> bool:
        """No row can pass."""
        ids = (self.process_ids, self.stream_ids, self.block_ids)
        return any(known is not None and not known for known in ids) or not (self.open or self.closed)


ALL: Final = Bounds()
NOTHING: Final = Bounds(process_ids=frozenset())


@dataclass(frozen=True, slots=True)
class TimeColumns:
    """Names of the columns that hold an event's time, or its begin and end."""

    begin: str
    end: str


def read(node: Node | None, columns: TimeColumns) -> Bounds:
    """The bounds that a predicate implies; parts that are not understood imply none."""
    if node is None:
        return ALL
    if isinstance(node, Column):
        return replace(ALL, closed=False) if node.name == "is_open" else ALL
    if isinstance(node, Literal):
        return ALL
    match node.function, node.arguments:
        case "and_kleene", (left, right):
            return read(left, columns) & read(right, columns)
        case "or_kleene", (left, right):
            return read(left, columns) | read(right, columns)
        case "invert", (Column("is_open"),):
            return replace(ALL, open=False)
        case "in", (Column(name), *values):
            return _among(name, [value.value for value in values if isinstance(value, Literal)], columns)
        case (function, (Column(name), Literal(value))) if function in _FLIPPED:
            return _compare(name, function, value, columns)
        case (function, (Literal(value), Column(name))) if function in _FLIPPED:
            return _compare(name, _FLIPPED[function], value, columns)
        case (function, (Call("date_bin", (Literal(width), Column(name))), Literal(value))) if function in _FLIPPED:
            return _binned(name, function, width, value, columns)
    return ALL


def beside_processes(node: Node | None) -> Node | None:
    """What a predicate asks for beside ids of processes, which rows satisfy whose blocks were selected by its bounds;
    None: nothing.
    """
    match node:
        case Call("and_kleene", parts):
            return all_of([left for left in map(beside_processes, parts) if left is not None])
        case Call("equal" | "in", (Column("process_id"), *ids)) if all(isinstance(one, Literal) for one in ids):
            return None
    return node


def parse_uuid(text: object) -> UUID | None:
    """The id that a text names, None when it names none: `UUID` alone would also take braces and missing dashes."""
    try:
        value = UUID(str(text))
    except ValueError:
        return None
    return value if str(value) == text else None


def _compare(name: str, function: str, value: pa.Scalar, columns: TimeColumns) -> Bounds:
    if name in _ID_COLUMNS:
        return _among(name, [value], columns) if function == "equal" else ALL
    if name not in (columns.begin, columns.end):
        return ALL
    time = nanoseconds(value)
    if time is None:
        return ALL
    # An event's begin is never after its end, so a bound on one of the two bounds the other on one side.
    lower, upper = function in ("greater", "greater_equal", "equal"), function in ("less", "less_equal", "equal")
    return Bounds(begin=time if lower else None, end=time if upper else None)


def _binned(name: str, function: str, width: pa.Scalar, value: pa.Scalar, columns: TimeColumns) -> Bounds:
    """Of times whose bins compare so: a bin begins at or before its times, which are less than a width after it."""
    months, days, nanoseconds_ = width.as_py()
    bounds = _compare(name, function, value, columns)
    if months or bounds.end is None:
        return replace(bounds, end=None)
    return replace(bounds, end=bounds.end + days * _DAY + nanoseconds_)


def _among(name: str, values: list[pa.Scalar], columns: TimeColumns) -> Bounds:
    if name in _ID_COLUMNS:
        ids = [parse_uuid(value.as_py()) for value in values if value.is_valid]
        return _ID_COLUMNS[name](frozenset(known for known in ids if known is not None))
    if name in (columns.begin, columns.end):
        times = [nanoseconds(value) for value in values if value.is_valid]
        known = [time for time in times if time is not None]
        if known and len(known) == len(times):
            return Bounds(begin=min(known), end=max(known))
    return ALL


def nanoseconds(value: pa.Scalar) -> int | None:
    """Nanoseconds since the epoch, where the scalar is a time that fits."""
    if not value.is_valid or not pa.types.is_timestamp(value.type):
        return None
    try:
        time: int = value.cast(_NANOSECONDS).value
    except pa.ArrowInvalid:
        return None
    return time


_ID_COLUMNS: Final[dict[str, Callable[[Ids], Bounds]]] = {
    "process_id": lambda ids: Bounds(process_ids=ids),
    "stream_id": lambda ids: Bounds(stream_ids=ids),
    "block_id": lambda ids: Bounds(block_ids=ids),
}


def _pick(choose: Callable[..., int], left: int | None, right: int | None) -> int | None:
    known = [value for value in (left, right) if value is not None]
    return choose(known) if known else None


def _both(left: Ids | None, right: Ids | None) -> Ids | None:
    if left is None or right is None:
        return right if left is None else left
    return left & right


def _either(left: Ids | None, right: Ids | None) -> Ids | None:
    return None if left is None or right is None else left | right
