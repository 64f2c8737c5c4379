"""Values on spans: how a span keeps them, the columns of a block, what SQL shows of them. From docs/format.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.model import columns as c
from tests.model import rows

MOST = 32  # of one span
Value = bool | int | float | str | bytes | rows.U64 | rows.Flow
Owner = list[tuple[c.Site, Value]]  # a span's, in the order in which the keys came


def give(owner: Owner, site: c.Site, value: Value) -> None:
    """The span has this value of the key from now on; a flow is one more."""
    for index, (known, old) in enumerate(owner):
        if known is site and (old == value or not (isinstance(value, rows.Flow) and isinstance(old, rows.Flow))):
            owner[index] = (site, value)
            return
    if len(owner) < MOST:
        owner.append((site, value))


def properties(owner: Iterable[tuple[str, Value]]) -> dict[str, object]:
    """What the JSON text of the column `properties` says."""
    pairs = list(owner)
    shown: dict[str, object] = {}
    for key, value in pairs:
        flows = list(dict.fromkeys(flow.value for name, flow in pairs if name == key and isinstance(flow, rows.Flow)))
        shown[key] = plain(value) if not isinstance(value, rows.Flow) else flows[0] if len(flows) == 1 else flows
    return shown


def plain(value: Value) -> object:
    if isinstance(value, rows.U64 | rows.Flow):
        return value.value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def named(owner: Owner) -> dict[str, object]:
    return properties((site.name, value) for site, value in owner)


@dataclass
class Columns:
    """The columns of one block, owner by owner."""

    body: c.Body
    last: int = 0

    def add(self, number: int, owner: Owner) -> None:
        for site, value in owner:
            self.body.put(c.SPAN_VALUE_OWNER, number - self.last)
            self.body.put(c.SPAN_VALUE_SITE, self.body.site(site))
            self.body.put(c.SPAN_VALUE_TYPE, self.put(value))
            self.last = number

    def put(self, value: Value) -> int:
        body = self.body
        if isinstance(value, bool):
            body.put(c.SPAN_VALUE_INT, int(value))
            return 6
        if isinstance(value, int):
            body.put(c.SPAN_VALUE_INT, c.zigzag(value))
            return 1
        if isinstance(value, rows.U64 | rows.Flow):
            body.put(c.SPAN_VALUE_INT, value.value)
            return 2 if isinstance(value, rows.U64) else 5
        if isinstance(value, float):
            body.doubles.setdefault(c.SPAN_VALUE_F64, []).append(value)
            return 3
        data = value.encode() if isinstance(value, str) else value
        body.put(c.SPAN_VALUE_TEXT_SIZE, len(data))
        body.texts.setdefault(c.SPAN_VALUE_TEXT_BYTES, bytearray()).extend(data)
        return 4


@dataclass
class Part:
    """What one thread has: (its row in the thread, values), and those of the spans that are open at the end."""

    rows: list[tuple[int, Owner]]
    open: list[Owner]


def put_columns(
    body: c.Body, parts: Sequence[tuple[int, Part]], asyncs: Sequence[Owner], open_asyncs: Sequence[Owner]
) -> None:
    """`parts`: each thread's number of rows, and its values; `asyncs`, `open_asyncs`: one entry per row."""
    columns, base = Columns(body), 0
    for count, part in parts:
        for row, owner in part.rows:
            columns.add(base + row, owner)
        base += count
    for owner in [*(owner for _, part in parts for owner in part.open), *asyncs, *open_asyncs]:
        columns.add(base, owner)
        base += 1


def decode(body: object, sites: Sequence[c.Site]) -> dict[int, dict[str, object]]:
    """Owner -> properties. `body` is a decoder.Reader."""
    from tests.model.decoder import Reader

    assert isinstance(body, Reader)
    found: dict[int, list[tuple[str, Value]]] = {}
    owner = 0
    for _ in body.uints.get(c.SPAN_VALUE_OWNER, []):
        owner += body.next(c.SPAN_VALUE_OWNER)
        site, kind = sites[body.next(c.SPAN_VALUE_SITE)], body.next(c.SPAN_VALUE_TYPE)
        assert site.kind == 7
        value: Value
        if kind == 1:
            value = body.signed(c.SPAN_VALUE_INT)
        elif kind == 3:
            value = body.double(c.SPAN_VALUE_F64)
        elif kind == 4:
            value = body.text(c.SPAN_VALUE_TEXT_BYTES, body.next(c.SPAN_VALUE_TEXT_SIZE))
        else:
            number = body.next(c.SPAN_VALUE_INT)
            assert kind in (2, 5, 6)
            value = rows.U64(number) if kind == 2 else rows.Flow(number) if kind == 5 else bool(number)
        found.setdefault(owner, []).append((site.name, value))
    assert all(len(values) <= MOST for values in found.values())
    return {number: properties(values) for number, values in found.items()}
