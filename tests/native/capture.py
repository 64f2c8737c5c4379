"""Batches that a test program wrote to a file, decoded and checked: what must hold whatever was recorded."""

from __future__ import annotations

import dataclasses
import itertools
import uuid
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tachy_server.formats import reader
from tachy_server.formats.reader import BlockHead

from tests.model import columns as c
from tests.model.block_clock import BlockClock
from tests.model.decoder import Reader

LOG, METRIC, SPAN = 1, 2, 3
APART = 2  # ns that two blocks may differ in dating the same moment: rounding
FLIGHT_APART = 45  # the same where their intervals overlap: each leaves out what bends its line by less than 20
NAMES = {LOG: "log", METRIC: "metric", SPAN: "span"}


@dataclass
class Rows:
    """What one block decodes to, as lists of dicts."""

    head: BlockHead
    clock: BlockClock
    rows: list[dict[str, Any]]
    asyncs: list[dict[str, Any]]
    still_open: list[dict[str, Any]]
    open_async: list[dict[str, Any]]
    images: list[dict[str, Any]] = field(default_factory=list)  # parts of them, which are logs but no log entries
    shift: int = 0  # ns by which the wall clock was set since the first block; the times here are without it


@dataclass
class Session:
    """The batches of one process id, in the order in which they were written."""

    process_id: uuid.UUID
    descriptions: list[dict[str, Any]] = field(default_factory=list)
    batch_ids: list[uuid.UUID] = field(default_factory=list)
    blocks: list[Rows] = field(default_factory=list)

    def of(self, cls: int) -> list[Rows]:
        return [block for block in self.blocks if block.head.cls == cls]

    def events(self, cls: int) -> int:
        return sum(block.head.events for block in self.of(cls))

    def dropped(self, cls: int) -> int:
        return sum(block.head.dropped for block in self.of(cls))

    def rows(self, cls: int) -> list[dict[str, Any]]:
        return [row for block in self.of(cls) for row in block.rows]

    def asyncs(self) -> list[dict[str, Any]]:
        return [row for block in self.of(SPAN) for row in block.asyncs]


def _listed(rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """Times are UTC in ns. Column by column: to_pylist() of rows takes ten times as long."""
    columns = []
    for column in rows.columns:
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        elif pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        columns.append(column.to_pylist())
    return [dict(zip(rows.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def _decode(head: BlockHead, data: memoryview) -> Rows:
    stored = data[head.header_size : head.header_size + head.stored_size]
    body = reader.decompress(head.codec, stored, head.raw_size)
    front = data[: head.header_size]
    clock = BlockClock.read(head, Reader(bytes(body), range(c.CLOCK_TICKS, c.CLOCK_INNER_UTC + 1)).uints)
    if head.cls == LOG:
        images = _listed(reader.read_images(front, body))
        return Rows(head, clock, _listed(reader.read_logs(front, body, begin=None, end=None)), [], [], [], images)
    if head.cls == METRIC:
        return Rows(head, clock, _listed(reader.read_metrics(front, body, begin=None, end=None)), [], [], [])
    spans = _listed(reader.read_spans(front, body, begin=None, end=None, open_end=True))
    asyncs = _listed(reader.read_async(front, body, begin=None, end=None))
    open_async = _listed(reader.read_open_async(front, body))
    ended, still_open = ([row for row in spans if row["is_open"] is wanted] for wanted in (False, True))
    return Rows(head, clock, ended, asyncs, still_open, open_async)


def _without_jumps(blocks: list[Rows]) -> None:
    """Makes the times of blocks in a row those of a wall clock that was never set."""
    end, shift = 0, 0
    for block in blocks:
        head = block.head
        shift = head.utc0 - end if end else 0
        block.shift, end = shift, head.utc1 - shift
        names = ("utc0", "utc1", "begin_utc", "end_utc", "before_utc")
        block.head = dataclasses.replace(head, **{name: getattr(head, name) - shift for name in names})
        points = tuple((ticks, utc - shift) for ticks, utc in block.clock.points)
        block.clock = BlockClock(points, head.frequency)
        for row in [*block.rows, *block.asyncs, *block.still_open, *block.open_async]:
            for name in {"begin", "end", "time"} & row.keys():
                row[name] -= shift


def decode(path: Path) -> list[Session]:
    """Every session in the file, as it is."""
    data = memoryview(path.read_bytes())
    sessions: dict[uuid.UUID, Session] = {}
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at + 48 : at + 56], "little")
        batch = reader.check_batch(data[at : at + size])
        session = sessions.setdefault(batch.process_id, Session(batch.process_id))
        session.batch_ids.append(batch.batch_id)
        session.descriptions.append(batch.description)
        for offset, length, head in batch.blocks:
            session.blocks.append(_decode(head, data[at + offset : at + offset + length]))
        at += size
    return list(sessions.values())


def read(path: Path, *, holes: bool = False, flight: bool = False, jumps: bool = False) -> list[Session]:
    """Every session in the file, each checked.

    `holes`: the outbox has dropped blocks. `flight`: the flight recorder has skipped spans between two blocks.
    `jumps`: the wall clock was set meanwhile. The answer's times are those of one that was not.
    """
    sessions = decode(path)
    for session in sessions:
        for cls in NAMES if jumps else ():
            _without_jumps(session.of(cls))
        check(session, holes=holes, flight=flight)
    return sessions


def check(session: Session, *, holes: bool, flight: bool = False) -> None:
    """The promises of docs/format.md about a process's blocks. `holes`, `flight`: as read() has them."""
    assert len(set(session.batch_ids)) == len(session.batch_ids)
    assert {batch_id.version for batch_id in session.batch_ids} <= {7}
    for cls in (LOG, METRIC, SPAN):
        blocks = session.of(cls)
        sequences = [block.head.sequence for block in blocks]
        if not holes:
            assert sequences == list(range(len(sequences)))
        assert sequences == sorted(set(sequences))
        for before, after in itertools.pairwise(blocks):
            if cls == SPAN and flight:
                assert after.head.ticks0 >= before.head.ticks0
                assert after.head.ticks1 >= before.head.ticks1
                assert after.head.utc0 >= before.head.utc0
                assert after.head.utc1 >= before.head.utc1
            elif after.head.sequence == before.head.sequence + 1:
                assert (after.head.ticks0, after.head.utc0) == (before.head.ticks1, before.head.utc1)
                assert (after.head.before_ticks, after.head.before_utc) == before.clock.points[1]
        if cls != SPAN or not flight:
            _check_streams(blocks)
        for block in blocks:
            _check_counts(block)
    # a window of the flight recorder may end where an ancestor's end is lost: what began before has later ids then
    _check_spans(session.of(SPAN), FLIGHT_APART if flight else APART, ascending=not (flight and session.dropped(SPAN)))


def check_clocks(session: Session) -> None:
    """Blocks of all classes date a moment alike, where no clock was set and no counter began anew."""
    points = sorted({point for block in session.blocks for point in block.clock.points})
    for block in session.blocks:
        within = (block.clock.points[-1][0], block.clock.points[0][0])
        for ticks, utc in points[bisect_left(points, (within[0],)) : bisect_left(points, (within[1],))]:
            assert abs(block.clock.utc(ticks) - utc) <= FLIGHT_APART


def _check_streams(blocks: list[Rows]) -> None:
    """Each stream goes on in the next block where it stood."""
    last: dict[int, tuple[int, int, int]] = {}
    sequence = -1
    for block in blocks:
        if block.head.sequence != sequence + 1:
            last = {}
        sequence = block.head.sequence
        numbers = [thread.number for thread in block.head.threads]
        assert numbers == sorted(set(numbers))
        for thread in block.head.threads:
            if thread.number in last:
                least, most, still_open = last[thread.number]
                assert thread.open_at_start == still_open
                assert least <= thread.first <= most
            elif sequence == 0:
                assert thread.first == 0
                assert thread.open_at_start == 0
            gaps = thread.rows + thread.async_rows - thread.events
            assert gaps >= 0
            recorded = thread.events - thread.async_rows
            # a gap row stands for one event at least; async spans that were lost and spans too deep have none
            least = thread.first + recorded + gaps
            most = thread.first + recorded + (thread.dropped if gaps else 0)
            last[thread.number] = (least, most, thread.open_at_end)


def _check_counts(block: Rows) -> None:
    head = block.head
    assert head.events == sum(thread.events for thread in head.threads)
    assert head.events == len(block.rows) + len(block.asyncs) + len(block.images)
    assert head.dropped == sum(thread.dropped for thread in head.threads)
    assert head.ticks0 <= head.ticks1
    assert head.end_ticks <= head.ticks1
    if head.events:
        assert head.begin_utc <= head.end_utc
    times = [row["begin"] if head.cls == SPAN else row["time"] for row in block.rows]
    if times:
        assert min(times) >= head.begin_utc


def _check_spans(blocks: list[Rows], apart: int, *, ascending: bool) -> None:
    """Ids are unique and agree across blocks, children lie within their parents, begins ascend with ids."""
    pairs = [(block.head.threads[row["thread"]].number, row) for block in blocks for row in block.rows]
    ended = len(pairs)
    pairs += [(block.head.threads[row["thread"]].number, row) for block in blocks for row in block.still_open]
    codes: dict[str, int] = {}
    names = np.array([codes.setdefault(row["name"], len(codes)) for _, row in pairs], dtype=np.int64)
    threads = np.array([thread for thread, _ in pairs], dtype=np.int64)
    ids, begins, parents = (
        np.array([row[name] for _, row in pairs], dtype=np.int64) for name in ("id", "begin", "parent")
    )
    ends, depths = (np.array([row[name] for _, row in pairs[:ended]], dtype=np.int64) for name in ("end", "depth"))
    assert not len(ids) or ids.max() < 1 << 40
    keys = threads << 40 | ids
    known, first, which = np.unique(keys, return_index=True, return_inverse=True)
    differs = (begins != begins[first][which]) | (names != names[first][which])
    assert_none(keys, differs, "blocks say of it what differs")
    assert len(np.unique(keys[:ended])) == ended, "a span ended twice"
    assert_none(keys, ends < begins[:ended], "ends before it begins")
    assert_none(keys, (depths == 0) & (parents[:ended] != 0), "has a parent, and stands outermost")
    children = np.flatnonzero(parents[:ended] > 0)
    above = threads[children] << 40 | parents[children]
    at = np.searchsorted(known, above)
    assert_none(keys[children], known[np.minimum(at, len(known) - 1)] != above, "nobody knows its parent")
    assert_none(keys[children], begins[first][at] > begins[children] + apart, "begins before its parent")
    assert_none(keys[children], above >= keys[children], "is numbered before its parent")
    latest = np.full(len(known), np.iinfo(np.int64).max - apart)
    latest[which[:ended]] = ends
    assert_none(keys[children], ends[children] > latest[at] + apart, "ends after its parent")
    in_order = begins[first]  # by thread and id
    back = (np.diff(in_order) < -apart) & (np.diff(known >> 40) == 0)
    assert not ascending or not back.any(), known[1:][back][:1]


def assert_none(keys: Any, wrong: Any, what: str) -> None:
    """`keys`: thread << 40 | id of spans; `wrong`: of as many of them as it has."""
    assert not wrong.any(), (what, [divmod(int(key), 1 << 40) for key in keys[: len(wrong)][wrong][:3]])
