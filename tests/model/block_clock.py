"""A block's clock, read from it as docs/format.md has it ("Ticks to UTC"): shares no code with the reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.model import columns as c

if TYPE_CHECKING:
    from tachy_server.formats.reader import BlockHead

    from tests.model.decoder import Header

Point = tuple[int, int]  # ticks, UTC


@dataclass(frozen=True, slots=True)
class BlockClock:
    """points: the newest first: the end, inner ones, the start, the newest of the block before, earlier ones."""

    points: tuple[Point, ...]
    frequency: int

    @classmethod
    def read(cls, head: Header | BlockHead, uints: Mapping[int, list[int]]) -> BlockClock:
        """uints: the columns of the body."""

        def column(number: int, after: Point) -> Iterator[Point]:
            for ticks, utc in zip(uints.get(number, []), uints.get(number + 1, []), strict=True):
                after = after[0] - ticks, after[1] - utc
                yield after

        end, start, before = (head.ticks1, head.utc1), (head.ticks0, head.utc0), (head.before_ticks, head.before_utc)
        points = [end, *column(c.CLOCK_INNER_TICKS, end), start]
        if before[0] != start[0]:
            points += [before, *column(c.CLOCK_TICKS, before)]
        return cls(tuple(points), head.frequency)

    def line(self, ticks: int) -> tuple[Point, float]:
        """The point from which on these ticks are dated, and the nanoseconds per tick from there to the next."""
        place = 1
        while place + 1 < len(self.points) and ticks < self.points[place][0]:
            place += 1
        (ticks1, utc1), (ticks0, utc0) = self.points[place - 1 : place + 1]
        if ticks1 <= ticks0 or utc1 <= utc0:
            return self.points[place], 1e9 / self.frequency
        return self.points[place], float(utc1 - utc0) / float(ticks1 - ticks0)

    def utc(self, ticks: int) -> int:
        point, rate = self.line(ticks)
        return point[1] + int(float(ticks - point[0]) * rate)
