"""What comes out of blocks: one dataclass per kind of row. Times: ticks, and UTC nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class U64:
    value: int


@dataclass(frozen=True, slots=True)
class Pointer:
    value: int


@dataclass(frozen=True, slots=True)
class Flow:
    value: int


Arg = int | float | str | bytes | U64 | Pointer


@dataclass(frozen=True, slots=True)
class Span:
    thread: int  # number
    id: int
    parent: int  # 0: root, -1: lost
    depth: int
    begin_ticks: int
    end_ticks: int
    begin: int
    end: int
    name: str
    target: str
    file: str
    line: int
    is_open: bool
    properties: Mapping[str, object] = field(default_factory=dict)


def closed(span: Span, end_ticks: int, end: int) -> Span:
    """An open span as it is read: it ends at the block's end, but not before its begin."""
    return replace(span, end_ticks=max(end_ticks, span.begin_ticks), end=max(end, span.begin))


def with_parent(span: Span, parent: int) -> Span:
    return replace(span, parent=parent)


@dataclass(frozen=True, slots=True)
class Async:
    thread: int
    ticks: int
    time: int
    begin: bool
    id: int
    parent: int
    depth: int
    name: str
    target: str
    file: str
    line: int
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenAsync:
    """An async span that is open at a block's start."""

    thread: int  # number of the one that began it
    begin: int
    id: int
    parent: int
    depth: int
    name: str
    target: str
    file: str
    line: int
    properties: Mapping[str, object] = field(default_factory=dict)  # as at the block's end


@dataclass(frozen=True, slots=True)
class Log:
    thread: int
    ticks: int
    time: int
    target: str
    level: int
    format: str
    args: tuple[Arg, ...]
    properties: Mapping[str, str]
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Metric:
    thread: int
    ticks: int
    time: int
    target: str
    name: str
    unit: str  # "seconds" for ticks and frames
    value: float
    properties: Mapping[str, str]
    kind: int
