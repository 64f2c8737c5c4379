"""The scans of a query as its logical plan shows them, to be found again when DataFusion begins them.

It begins a scan with its columns and an Arrow expression of what is pushed into it, and says nothing else. Which scan
of the plan that is, the expression tells: the plan's filters, written as Arrow expressions, are compared with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import pyarrow.compute as pc

from tachy_server.views.bounds import ALL, Bounds
from tachy_server.views.predicates import UNKNOWN, Node, to_arrow


@dataclass(frozen=True, slots=True)
class Order:
    """One key of a sort."""

    column: str
    ascending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class PlannedScan:
    """A scan: the filter that is pushed into it, and what is above it: bounds, and the first rows of an order."""

    table: str
    columns: tuple[str, ...]
    filter: Node | None = None
    bounds: Bounds = ALL
    limit: int | None = None
    order: tuple[Order, ...] = ()


class Scans:
    """Those of a plan; `unseen`: tables that are scanned in places which the bindings do not show, too."""

    def __init__(self, planned: Iterable[PlannedScan] = (), unseen: Iterable[str] = ()) -> None:
        self.planned = tuple(planned)
        self.unseen = frozenset(unseen)

    def find(self, table: str, columns: tuple[str, ...], expression: pc.Expression | None) -> PlannedScan:
        """The scan that begins with these. Those that begin alike share what is allowed by each of them; of one that
        is not found, nothing is known but its filter, if that.
        """
        found = [scan for scan in self.planned if scan.table == table and _is(scan.filter, expression)]
        if not found:
            return PlannedScan(table, columns, None if expression is None else UNKNOWN)
        alike = [scan for scan in found if scan.columns == columns]
        first = (alike or found)[0]
        if not alike or table in self.unseen:
            return PlannedScan(table, columns, first.filter)
        bounds = first.bounds
        for scan in alike[1:]:
            bounds |= scan.bounds
        if len({(scan.limit, scan.order) for scan in alike}) > 1:
            return PlannedScan(table, columns, first.filter, bounds)
        return PlannedScan(table, columns, first.filter, bounds, first.limit, first.order)


NO_SCANS: Final = Scans()


def _is(filter: Node | None, expression: pc.Expression | None) -> bool:  # noqa: A002 - the plan's name for it
    if filter is None or expression is None:
        return filter is None and expression is None
    written = to_arrow(filter)
    return written is not None and bool(written.equals(expression))
