"""Selecting blocks by what queries know, and reading them in few pieces."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator

import pyarrow as pa
import pytest
from tachy_server.base.errors import FormatError
from tachy_server.formats.reader import block_id, stream_id
from tachy_server.lake.blocks import BlockRow, Blocks
from tachy_server.lake.lake import Lake

from tests.lake.conftest import game, lake_of, play
from tests.model.encoder import Process
from tests.serving import Server

SPAN = 3


@pytest.fixture
def lake(ingest_server: Server) -> Iterator[Lake]:
    with lake_of(ingest_server.data) as opened:
        yield opened


@pytest.fixture(scope="module")
def process(ingest_server: Server) -> Process:
    """Ten batches, 10 µs apart; the last two have only the second thread."""
    made = Process(exe="long")
    for number in range(10):
        play(made, 1_000 + number * 10_000, 5)
        if number >= 8:
            for thread in made.threads[:1]:
                thread.spans.clear()
        assert ingest_server.post(made.batch()).status_code == 200
    return made


def test_blocks_of_a_process_come_in_their_order(lake: Lake, process: Process) -> None:
    rows = list(lake.select_blocks(SPAN, process_ids=[process.process_id]))
    assert [row.sequence for row in rows] == list(range(10))
    for row in rows:
        assert row.block_id == block_id(process.process_id, SPAN, row.sequence)
        assert row.begin_time <= row.end_time <= row.insert_time
    assert list(lake.select_blocks(SPAN, process_ids=[process.process_id], limit=3)) == rows[:3]


def test_a_range_selects_what_overlaps_it(lake: Lake, process: Process) -> None:
    rows = list(lake.select_blocks(SPAN, process_ids=[process.process_id]))
    fourth = rows[4]
    chosen = lake.select_blocks(SPAN, process_ids=[process.process_id], begin=fourth.begin_time, end=fourth.end_time)
    assert list(chosen) == [fourth]
    touching = lake.select_blocks(
        SPAN, process_ids=[process.process_id], begin=rows[3].end_time, end=rows[5].begin_time
    )
    assert list(touching) == rows[3:6]
    assert list(lake.select_blocks(SPAN, process_ids=[process.process_id], begin=rows[-1].end_time + 1)) == []
    assert list(lake.select_blocks(SPAN, process_ids=[process.process_id], end=rows[0].begin_time - 1)) == []
    assert lake.block_before(SPAN, process.process_id, fourth.begin_time) == rows[3]
    assert lake.block_before(SPAN, process.process_id, rows[-1].end_time + 1) == rows[-1]
    assert lake.block_before(SPAN, process.process_id, rows[0].end_time) is None
    assert lake.block_before(SPAN, uuid.uuid4(), fourth.begin_time) is None
    everywhere = lake.select_blocks(SPAN, begin=fourth.begin_time, end=fourth.end_time)
    assert fourth in everywhere


def test_a_stream_selects_the_blocks_with_its_thread(lake: Lake, process: Process) -> None:
    rows = list(lake.select_blocks(SPAN, process_ids=[process.process_id]))
    first = stream_id(process.process_id, SPAN, 1)
    second = stream_id(process.process_id, SPAN, 2)
    assert list(lake.select_blocks(SPAN, stream_ids=[first])) == rows[:8]
    assert list(lake.select_blocks(SPAN, stream_ids=[second])) == rows
    assert list(lake.select_blocks(SPAN, stream_ids=[second], limit=2)) == rows[:2]
    assert list(lake.select_blocks(SPAN, stream_ids=[first], process_ids=[uuid.uuid4()])) == []
    assert list(lake.select_blocks(SPAN, stream_ids=[stream_id(process.process_id, 1, 1)])) == []


def test_blocks_are_selected_by_id(lake: Lake, process: Process) -> None:
    rows = list(lake.select_blocks(SPAN, process_ids=[process.process_id]))
    ids = [rows[7].block_id, rows[2].block_id, uuid.uuid4()]
    assert list(lake.select_blocks(SPAN, block_ids=ids)) == [rows[2], rows[7]]
    assert list(lake.select_blocks(1, block_ids=ids)) == []


def test_nothing_selects_nothing(lake: Lake, process: Process) -> None:
    assert list(lake.select_blocks(SPAN, process_ids=[])) == []
    assert list(lake.select_blocks(SPAN, stream_ids=[])) == []
    assert list(lake.select_blocks(SPAN, block_ids=[])) == []
    assert list(lake.select_blocks(SPAN, process_ids=[uuid.uuid4()])) == []
    assert list(lake.select_blocks(SPAN, stream_ids=[uuid.uuid4()])) == []


@pytest.fixture(scope="module")
def blocks(ingest_server: Server, process: Process) -> Blocks:
    """Blocks of all classes of some processes; what other tests have left on the server is not among them."""
    games = [game() for _ in range(20)]
    for one in games:
        assert ingest_server.post(one.batch()).status_code == 200
    ids = [process.process_id, *(one.process_id for one in games)]
    with lake_of(ingest_server.data) as lake:
        return lake.select_blocks(0, process_ids=ids)


def test_blocks_are_read_in_the_order_asked_for(lake: Lake, blocks: Blocks) -> None:
    assert len(blocks) == 60 + 30
    places = list(range(len(blocks)))
    random.Random(1).shuffle(places)
    asked = blocks.take(pa.array([*places, *places[:5]]))
    read = list(lake.read_blocks(asked))
    assert [row for row, _ in read] == list(asked)
    for row, data in read:
        assert len(data) == row.size
        assert data == lake.read_block(row)


def test_neighbours_are_read_together(lake: Lake, blocks: Blocks, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[tuple[str, int, int]] = []
    whole = lake.store.read

    def counted(key: str, offset: int, size: int) -> memoryview:
        reads.append((key, offset, size))
        return whole(key, offset, size)

    monkeypatch.setattr(lake.store, "read", counted)
    list(lake.read_blocks(blocks))
    assert sorted({key for key, _, _ in reads}) == sorted(key for key, _, _ in reads)


def test_a_reader_that_stops_early_leaves_nothing_running(lake: Lake, process: Process) -> None:
    reading = lake.read_blocks(lake.select_blocks(SPAN, process_ids=[process.process_id]))
    assert isinstance(next(reading)[0], BlockRow)
    reading.close()  # type: ignore[attr-defined]


def test_a_missing_segment_is_said_so_of_its_blocks_alone(lake: Lake, process: Process, ingest_server: Server) -> None:
    lost = game()
    ingest_server.post(lost.batch())
    (row,) = lake.select_blocks(SPAN, process_ids=[lost.process_id])
    lake.store.remove(row.segment_key)
    read = list(lake.read_blocks(lake.select_blocks(SPAN, process_ids=[lost.process_id, process.process_id])))
    assert {one.process_id for one, _ in read} == {lost.process_id, process.process_id}
    for one, data in read:
        if one == row:
            assert isinstance(data, FormatError)
            assert row.segment_key in str(data)
        else:
            assert data == lake.read_block(one)
    with lake.connection() as connection:
        connection.execute("DELETE FROM segments WHERE key = %s", (row.segment_key,))
