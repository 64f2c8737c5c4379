"""A segment tells everything about its batches, and nothing else passes for one."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.base.errors import FormatError
from tachy_server.formats import segments
from tachy_server.formats.block_index import select
from tachy_server.formats.reader import BlockHead, block_id, check_batch, stream_id
from tachy_server.formats.segments import HEADER, Record, SegmentWriter, processes_of, read_segment, read_whole

from tests.lake.conftest import game

INSERTED = 1_750_000_000_000_000_000
EMPTY = Record(INSERTED, 1)


def make(batches: list[bytes], record: Record = EMPTY) -> bytes:
    writer = SegmentWriter()
    for batch in batches:
        writer.add(batch, check_batch(batch))
    return b"".join(writer.finish(record)[1])


def index_of(data: bytes) -> bytes:
    return read_whole(data).index


def test_what_is_written_is_walked_back() -> None:
    batches = [game(events).batch() for events in (1, 20, 300)]
    data = make(batches)
    fragments = list(read_segment(data))
    assert len(fragments) == 3
    for batch, fragment in zip(batches, fragments, strict=True):
        head = check_batch(batch)
        assert fragment.process_id == head.process_id
        sent = [batch[offset : offset + size] for offset, size, _ in head.blocks]
        assert [data[offset : offset + size] for offset, size, _ in fragment.blocks] == sent
        assert [block for _, _, block in fragment.blocks] == [block for _, _, block in head.blocks]
        assert all(offset % 8 == 0 for offset, _, _ in fragment.blocks)
    assert processes_of(index_of(data)) == {check_batch(batch).process_id for batch in batches}


def test_blocks_that_are_known_are_left_out() -> None:
    batch = game().batch()
    head = check_batch(batch)
    writer = SegmentWriter()
    writer.add(batch, head, without=[0, 2])
    (fragment,) = read_segment(b"".join(writer.finish(EMPTY)[1]))
    assert [block for _, _, block in fragment.blocks] == [head.blocks[1][2]]


def test_its_end_says_what_postgresql_knows() -> None:
    record = Record(INSERTED, 7, 2, ['{"exe": "gäme"}'], ['{"thread": 1}'], ["segments/a", "segments/b"], 3)
    data = make([game().batch()], record)
    segment = read_whole(data)
    assert (segment.size, segment.insert_time, segment.number, segment.level) == (len(data), INSERTED, 7, 2)
    assert segment.said == {
        "processes": [{"exe": "gäme"}],
        "streams": [{"thread": 1}],
        "replaces": ["segments/a", "segments/b"],
        "pieces": 3,
    }


def test_a_record_is_not_larger_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make([], Record(INSERTED, 1, processes=['{"exe": "%s"}' % ("a" * 10_000)]))
    assert len(data) < 1_000
    read_whole(data)
    monkeypatch.setattr(segments, "_RECORD_BYTES", 10_000)
    with pytest.raises(FormatError, match="there may be 10000"):
        read_whole(data)


def test_every_cut_and_every_flipped_head_is_noticed() -> None:
    data = make([game(2).batch(), game(3).batch()])
    for size in range(0, len(data), 7):
        with pytest.raises(FormatError):
            list(read_segment(data[:size]))
    with pytest.raises(FormatError):
        list(read_segment(data + bytes(8)))
    bodies = [
        range(offset + block.header_size, offset + size)
        for fragment in read_segment(data)
        for offset, size, block in fragment.blocks
    ]
    pads = {at for at in range(len(data)) if data[at] == 0}
    for at in range(len(data)):
        if at in pads or any(at in body for body in bodies):
            continue
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(FormatError):
            list(read_segment(bytes(changed)))


def test_other_files_are_no_segments() -> None:
    for content in (b"", b"TSEG", bytes(HEADER.size), Path(__file__).read_bytes()):
        with pytest.raises(FormatError):
            list(read_segment(content))


# Indexes --------------------------------------------------------------------------------------------------------------

BATCHES = [game(events).batch() for events in (0, 1, 20, 300)] + [game().batch([])]
INDEXES = [index_of(make(BATCHES[:2])), index_of(make(BATCHES[2:])), index_of(make(BATCHES[3:]))]
HEADS = [(number, head) for number, of in enumerate((BATCHES[:2], BATCHES[2:])) for batch in of for _, _, head in
         check_batch(batch).blocks]  # fmt: skip
PROCESSES = [check_batch(batch).process_id for batch in BATCHES]
TIMES = sorted({time + step for _, head in HEADS for time in (head.begin_utc, head.end_utc) for step in (-1, 0, 1)})


def streams_of(head: BlockHead) -> set[uuid.UUID]:
    return {stream_id(head.process_id, head.cls, thread.number) for thread in head.threads}


def identity(head: BlockHead) -> uuid.UUID:
    return block_id(head.process_id, head.cls, head.sequence)


def some(ids: list[uuid.UUID]) -> st.SearchStrategy[set[uuid.UUID] | None]:
    return st.none() | st.sets(st.sampled_from([*ids, uuid.UUID(int=5)]))


@given(
    cls=st.integers(0, 3),
    begin=st.none() | st.sampled_from(TIMES),
    end=st.none() | st.sampled_from(TIMES),
    process_ids=some(PROCESSES),
    stream_ids=some(sorted({one for _, head in HEADS for one in streams_of(head)})),
    block_ids=some([identity(head) for _, head in HEADS]),
    limit=st.none() | st.integers(1, 20),
)
def test_what_is_selected_is_what_the_heads_say(
    cls: int,
    begin: int | None,
    end: int | None,
    process_ids: set[uuid.UUID] | None,
    stream_ids: set[uuid.UUID] | None,
    block_ids: set[uuid.UUID] | None,
    limit: int | None,
) -> None:
    """The third index repeats blocks of the second: each is there once."""
    wanted = [
        head
        for _, head in HEADS
        if cls in (0, head.cls)
        and (begin is None or head.end_utc >= begin)
        and (end is None or head.begin_utc <= end)
        and (process_ids is None or head.process_id in process_ids)
        and (stream_ids is None or streams_of(head) & stream_ids)
        and (block_ids is None or identity(head) in block_ids)
    ]
    wanted.sort(key=lambda head: (head.process_id.bytes, head.cls, head.sequence))
    found = select(
        INDEXES, cls, begin=begin, end=end, process_ids=process_ids, stream_ids=stream_ids, block_ids=block_ids,
        limit=limit,
    ).to_pylist()  # fmt: skip
    assert [uuid.UUID(bytes=row["block_id"]) for row in found] == [identity(head) for head in wanted[:limit]]
    for row, head in zip(found, wanted, strict=False):
        assert (row["begin_time"], row["end_time"]) == (head.begin_utc, head.end_utc)
        assert (row["begin_ticks"], row["end_ticks"]) == (head.begin_ticks, head.end_ticks)
        assert (row["events"], row["dropped"], row["streams"]) == (head.events, head.dropped, len(head.threads))
        assert (row["codec"], row["header_size"], row["raw_size"]) == (head.codec, head.header_size, head.raw_size)
        assert (row["sequence"], row["sequences"]) == (head.sequence, 1)
        assert row["hash"] % (1 << 64) == head.header_hash


@given(begin=st.none() | st.sampled_from(TIMES), end=st.none() | st.sampled_from(TIMES))
def test_threads_are_those_of_the_heads(begin: int | None, end: int | None) -> None:
    found = select(INDEXES, threads=True, begin=begin, end=end).to_pylist()
    wanted = sorted(
        (str(head.process_id), head.cls, head.sequence, place, thread)
        for _, head in HEADS
        for place, thread in enumerate(head.threads)
        if (begin is None or (head.end_utc >= begin and thread.end_utc >= begin))
        and (end is None or (head.begin_utc <= end and thread.begin_utc <= end))
    )
    assert len(found) == len(wanted)
    for row, (process, cls, sequence, place, thread) in zip(found, wanted, strict=True):
        assert (row["process_id"], row["class"], row["sequence"], row["position"]) == (process, cls, sequence, place)
        assert row["stream_id"] == str(stream_id(uuid.UUID(process), cls, thread.number))
        assert (row["stream_events"], row["first"]) == (thread.events, thread.first)
        assert (row["stream_begin_time"], row["stream_end_time"]) == (thread.begin_utc, thread.end_utc)
        assert (row["stream_begin_ticks"], row["stream_end_ticks"]) == (thread.begin_ticks, thread.end_ticks)


@given(st.data())
def test_a_damaged_index_is_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    index = bytearray(INDEXES[1])
    for _ in range(data.draw(st.integers(1, 4))):
        index[data.draw(st.integers(0, len(index) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(index[: data.draw(st.integers(0, len(index)))])
    for threads in (False, True):
        with contextlib.suppress(FormatError):
            assert select([cut], threads=threads).num_rows < 1000
