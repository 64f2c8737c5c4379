"""The view `net_spans`: scopes of network traffic, made of the spans of targets net.connection, net.object,
net.property and net.rpc with their values `bits` and `direction`.

The columns, and what they mean, are Micromegas's: `begin_bits` counts from the enclosing scope's begin, in which the
scopes inside it lie one after the other; scopes of no bits are left out. Nothing here loops over rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.dictionaries import apply, encoded
from tachy_server.formats.json_values import code, numbers, path, select, step
from tachy_server.lake.snapshot import Snapshot
from tachy_server.views.bounds import Bounds
from tachy_server.views.declarations import NET_SPANS, TEXT, THREAD_SPANS
from tachy_server.views.decode import constant
from tachy_server.views.derived import Derivation, Piece
from tachy_server.views.sources import Metadata

KINDS: Final = ("connection", "object", "property", "rpc")
_PREFIX: Final = "net."
_COLUMNS: Final = ("stream_id", "id", "depth", "begin", "end", "name", "target", "is_open", "properties")
_BEFORE: Final = 1_000_000_000
"""Nanoseconds before a range in which scopes begin that reach into it, or whose bits count for those that do."""
_NONE: Final = -1
_BITS, _DIRECTION = (path(step(code("NAME"), name)) for name in ("bits", "direction"))


def _narrow(metadata: Metadata, snapshot: Snapshot, bounds: Bounds) -> Bounds:
    return bounds if bounds.begin is None else replace(bounds, begin=bounds.begin - _BEFORE)


def _bits(properties: pa.Array) -> pa.Array:
    return pc.fill_null(numbers(select(properties, _BITS).first(), pa.int64()), 0)


def _outgoing(properties: pa.Array) -> pa.Array:
    return pc.fill_null(pc.equal(select(properties, _DIRECTION).first(), '"outgoing"'), False)


def _scopes(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The net spans of a batch, what is in their properties as columns."""
    targets = pa.array([_PREFIX + kind for kind in KINDS], pa.utf8())
    batch = batch.filter(pc.is_in(batch.column("target"), targets))
    kind = apply(lambda names: pc.utf8_slice_codeunits(names, len(_PREFIX)), batch.column("target"), TEXT)
    bits = apply(_bits, batch.column("properties"), pa.int64())
    outgoing = apply(_outgoing, batch.column("properties"), pa.bool_())
    names = ["stream_id", "id", "depth", "begin", "end", "name", "is_open"]
    arrays = [encoded(batch.column(name)) if name in ("stream_id", "name") else batch.column(name) for name in names]
    return pa.RecordBatch.from_arrays(
        [*arrays, kind, pc.max_element_wise(bits, 0), outgoing], names=[*names, "kind", "bits", "outgoing"]
    )


@dataclass(frozen=True, slots=True)
class _Tree:
    """Of each scope: the one around it, the connection that it is of (places; -1: none), and how many are around it."""

    parent: pa.Array
    connection: pa.Array
    depth: pa.Array


def _tree(scopes: pa.RecordBatch) -> _Tree:
    """`scopes` are in the order of stream and id. What encloses a scope is, of each depth of the thread's own stack
    that is less, the last one before it, unless that has ended before; the deepest of these is its parent. Blocks may
    differ by a microsecond in what they call the same moment, so an end is compared with the middle of the scope.
    """
    stream, depth = scopes.column("stream"), scopes.column("depth")
    begin, end = (scopes.column(name).cast(pa.int64()) for name in ("begin", "end"))
    middle = pc.add(begin, pc.divide(pc.add(pc.subtract(end, begin), 1), 2))
    places = pa.array(range(len(scopes)), pa.int64())
    none = pa.repeat(_NONE, len(scopes))
    parent, around = none, pa.repeat(0, len(scopes))
    connection = pc.if_else(pc.equal(scopes.column("kind"), KINDS[0]), places, none)
    for level in sorted(pc.unique(depth).to_pylist()):
        here = pc.equal(depth, level)
        inner = pc.and_(here, pc.greater(parent, _NONE))
        around = pc.if_else(inner, pc.add(_of(around, parent), 1), around)
        inherits = pc.and_(inner, pc.equal(connection, _NONE))
        connection = pc.if_else(inherits, _of(connection, parent), connection)
        last = pc.cumulative_max(pc.if_else(here, places, none))
        encloses = pc.and_(pc.greater(depth, level), pc.equal(_of(stream, last), stream))
        encloses = pc.and_(encloses, pc.greater_equal(_of(end, last), middle))
        parent = pc.if_else(pc.fill_null(encloses, False), last, parent)
    return _Tree(parent, connection, around)


def _of(column: pa.Array, places: pa.Array) -> pa.Array:
    """The column's values at places; null at -1."""
    return column.take(pc.if_else(pc.equal(places, _NONE), None, places))


def _begin_bits(bits: pa.Array, parent: pa.Array) -> pa.Array:
    """The bits of what is in the same scope before each one; 0 for those in none."""
    if not len(bits):
        return bits
    order = pc.sort_indices(parent)  # stable
    sizes, parents = bits.take(order), parent.take(order)
    before = pc.subtract(pc.cumulative_sum(sizes), sizes)
    first = pa.concat_arrays([pa.array([True]), pc.not_equal(parents[1:], parents[:-1])])
    begin = pc.subtract(before, pc.cumulative_max(pc.if_else(first, before, 0)))
    return pc.if_else(pc.equal(parent, _NONE), 0, begin.take(pc.sort_indices(order)))


def _make(pieces: Iterator[Piece]) -> Iterator[pa.RecordBatch]:
    process, found = "", []
    for piece in pieces:
        process = str(piece.process_id)
        found.append(_scopes(piece.batch))
    if any(batch.num_rows for batch in found):
        whole = pa.Table.from_batches(found).unify_dictionaries().combine_chunks()
        yield _rows(process, _in_order(whole.to_batches()[0]))


def _in_order(scopes: pa.RecordBatch) -> pa.RecordBatch:
    scopes = scopes.append_column("stream", scopes.column("stream_id").indices)
    scopes = scopes.take(pc.sort_indices(scopes, [("stream", "ascending"), ("id", "ascending")]))
    # A connection may hold bits that its own value does not count: it goes only when nothing is left in it.
    connection = pc.equal(scopes.column("kind"), KINDS[0])
    unended = scopes.column("is_open")
    return scopes.filter(pc.or_(pc.or_(connection, unended), pc.greater(scopes.column("bits"), 0)))


def _rows(process: str, scopes: pa.RecordBatch) -> pa.RecordBatch:
    tree = _tree(scopes)
    id_, name, bits = (scopes.column(column) for column in ("id", "name", "bits"))
    columns = {
        "process_id": constant(process, len(scopes)),
        "stream_id": scopes.column("stream_id"),
        "span_id": id_,
        "parent_span_id": pc.fill_null(_of(id_, tree.parent), _NONE),
        "depth": tree.depth.cast(pa.uint32()),
        "kind": scopes.column("kind"),
        "name": name,
        "connection_name": pc.fill_null(_of(name, tree.connection).cast(pa.utf8()), "").dictionary_encode(),
        "is_outgoing": pc.fill_null(_of(scopes.column("outgoing"), tree.connection), False),
        "begin_bits": (begin := _begin_bits(bits, tree.parent)),
        "end_bits": pc.add(begin, bits),
        "bit_size": bits,
        "begin_time": scopes.column("begin"),
        "end_time": scopes.column("end"),
    }
    rows = pa.RecordBatch.from_arrays([columns[entry.name] for entry in NET_SPANS.schema], schema=NET_SPANS.schema)
    return rows.filter(pc.and_(pc.invert(scopes.column("is_open")), _holding(bits, tree.parent)))


def _holding(bits: pa.Array, parent: pa.Array) -> pa.Array:
    """Which scopes have bits, or one that has some in them."""
    places = pa.array(range(len(bits)), pa.int64())
    holding = pc.greater(bits, 0)
    while True:
        more = pc.or_(holding, pc.is_in(places, parent.filter(holding)))
        if more.equals(holding):
            return holding
        holding = more


DERIVATION: Final = Derivation(NET_SPANS, THREAD_SPANS, _COLUMNS, _make, _narrow)
