"""A block that cannot be read costs only itself, wherever it is needed, is listed, and is tried again."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tachy_server.base.errors import StoreError
from tachy_server.formats.reader import LOG, METRIC, SPAN, read_head, stream_id

from tests.lake.conftest import lake_of, play
from tests.model.encoder import Process
from tests.model.records import BLOCK_HEADER, Block, xxh64
from tests.perfetto.readback import read
from tests.query.conftest import MakeWorld, World
from tests.serving import Server

CLASSES = {"log_entries": LOG, "measures": METRIC, "thread_spans": SPAN, "async_events": SPAN}


def sealed(block: Block, body: bytes) -> bytes:
    """The block with another body of the same size, and hashes that are right again."""
    fields = list(BLOCK_HEADER.unpack_from(block.head))
    fields[21:23] = [xxh64(body), 0]
    rest = block.head[BLOCK_HEADER.size :]
    fields[22] = xxh64(BLOCK_HEADER.pack(*fields) + rest)
    return BLOCK_HEADER.pack(*fields) + rest + body + bytes(-len(body) % 8)


def spoil(block: Block) -> None:
    """As an attacker makes it: every hash is right, and the body is nothing."""
    block.data = sealed(block, b"\xff" * len(block.raw))


def asynchronous(process: Process, at: int) -> None:
    thread = process.thread(f"loader {at}")
    thread.async_end(at + 5, thread.async_begin(at, "load"))


@pytest.fixture
def damaged(make_world: MakeWorld) -> World:
    """Three blocks of each class, of which the second is damaged."""
    world = make_world()
    process = Process()
    world.processes.append(process)
    for number in range(3):
        play(process, 1_000 + 100_000 * number, events=4)
        asynchronous(process, 90_000 + 100_000 * number)
        world.send(process)
    for row in world.lake.rows:
        if row.sequence == 1:
            data = bytearray(world.lake.data[row.block_id])
            data[read_head(data).header_size + 3] ^= 0xFF
            world.lake.data[row.block_id] = bytes(data)
    return world


def expected(world: World, cls: int, kind: str) -> int:
    bad = {(row.cls, row.sequence) for row in world.lake.rows if row.sequence == 1}
    return sum(
        len(getattr(block, kind))
        for _, block in world.blocks
        if block.cls == cls and (cls, BLOCK_HEADER.unpack_from(block.data)[7]) not in bad
    )


@pytest.mark.parametrize(
    ("view", "kind"),
    [("log_entries", "logs"), ("measures", "metrics"), ("thread_spans", "spans"), ("async_events", "async_events")],
)
def test_it_costs_a_view_its_own_rows_alone(damaged: World, view: str, kind: str) -> None:
    rows = expected(damaged, CLASSES[view], kind)
    assert rows > 0
    assert damaged.value(f"SELECT count(*) FROM {view}") == rows
    assert damaged.query(f"SELECT * FROM {view}").num_rows == rows
    (bad,) = damaged.lake.errors
    (row,) = [row for row in damaged.lake.rows if row.block_id == bad]
    assert (row.cls, row.sequence) == (CLASSES[view], 1)
    assert damaged.lake.errors[bad] == "a block's body does not match its hash"


def test_it_is_tried_by_every_query_that_needs_it_and_forgotten_when_it_reads_well(damaged: World) -> None:
    before = damaged.value("SELECT count(*) FROM log_entries")
    (bad,) = damaged.lake.errors
    data = bytearray(damaged.lake.data[bad])
    data[read_head(data).header_size + 3] ^= 0xFF
    damaged.lake.data[bad] = bytes(data)
    assert damaged.value("SELECT count(*) FROM log_entries") > before
    assert damaged.lake.errors == {}


@pytest.mark.parametrize("types", ["thread", "async", "both"])
def test_it_costs_a_process_its_spans_in_that_block_alone(damaged: World, types: str) -> None:
    (process,) = damaged.processes
    rows = damaged.rows(f"SELECT * FROM process_spans('{process.process_id}', '{types}')")
    asynchronous_rows = [row for row in rows if row["thread_name"] == "async"]
    assert len(asynchronous_rows) == (0 if types == "thread" else 2)
    assert not any(row["is_open"] for row in asynchronous_rows)
    spans = 0 if types == "async" else expected(damaged, SPAN, "spans")
    assert len(rows) - len(asynchronous_rows) == spans
    assert len(damaged.lake.errors) == 1


def test_a_stream_and_a_block_that_is_damaged_are_empty_answers(damaged: World) -> None:
    damaged.value("SELECT count(*) FROM thread_spans")
    (bad,) = damaged.lake.errors
    assert damaged.rows(f"SELECT * FROM parse_block('{bad}')") == []
    (process,) = damaged.processes
    stream = stream_id(process.process_id, SPAN, 1)
    assert damaged.value(f"SELECT count(*) FROM view_instance('thread_spans', '{stream}')") == 8


def test_a_store_that_is_away_still_fails_the_query(damaged: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(rows: Any) -> Iterator[Any]:
        raise StoreError("the store is away")
        yield

    monkeypatch.setattr(damaged.lake, "read", away)
    with pytest.raises(StoreError, match="away"):
        damaged.value("SELECT count(*) FROM log_entries")
    assert damaged.lake.errors == {}


def ask(server: Server, sql: str) -> list[list[Any]]:
    answer = server.client.post("/api/query", json={"sql": sql})
    assert answer.status_code == 200, answer.text
    rows: list[list[Any]] = answer.json()["rows"]
    return rows


@pytest.fixture(params=["hostile", "lost", "truncated"])
def unreadable(request: pytest.FixtureRequest, server: Server) -> tuple[Process, Path | None]:
    """A process whose second batch cannot be read any more; and where its segment was, if storage has lost it."""
    process = Process()
    for number in range(3):
        play(process, 1_000 + 100_000 * number, events=4)
        blocks = process.blocks(codec="none")
        if number == 1 and request.param == "hostile":
            for block in blocks:
                spoil(block)
        assert server.post(process.batch(blocks)).status_code == 200
    if request.param == "hostile":
        return process, None
    away = server.data / f"away-{process.process_id}"
    away.mkdir()
    with lake_of(server.data) as lake:
        rows = [lake.select_blocks(cls, process_ids=[process.process_id])[1] for cls in (LOG, METRIC, SPAN)]
    first = min(rows, key=lambda row: row.offset)
    path = server.data / "store" / first.segment_key
    path.rename(away / path.name)
    if request.param == "truncated":
        path.write_bytes((away / path.name).read_bytes()[: first.offset + first.size // 2])
    (away / path.name).with_suffix(".place").write_text(str(path))
    return process, away


def test_what_storage_has_lost_or_nobody_can_read_is_listed_until_it_can_be_read(
    server: Server, unreadable: tuple[Process, Path | None], tmp_path: Path
) -> None:
    process, away = unreadable
    mine = f"process_id = '{process.process_id}'"
    before = server.client.get("/api/stats").json()["blocks"]
    for view, rows in {"log_entries": 16, "measures": 16, "thread_spans": 16}.items():
        assert ask(server, f"SELECT count(*) FROM {view} WHERE {mine}") == [[rows]]
    listed = ask(server, f"SELECT class, reason, since IS NOT NULL FROM block_errors WHERE {mine} ORDER BY class")
    assert [row[0] for row in listed] == ["log", "metric", "span"]
    assert all(reason and since for _, reason, since in listed)
    after = server.client.get("/api/stats").json()["blocks"]
    assert after["unreadable"] >= before["unreadable"] + 3
    trace = server.client.get(f"/api/processes/{process.process_id}/trace")
    assert trace.status_code == 200
    assert len(read(trace.content).thread_slices) == 16
    if away is None:
        return
    for place in away.glob("*.place"):
        place.with_suffix(".tseg").rename(place.read_text())
    assert ask(server, f"SELECT count(*) FROM log_entries WHERE {mine}") == [[24]]
    assert ask(server, f"SELECT class FROM block_errors WHERE {mine} ORDER BY class") == [["metric"], ["span"]]


def test_sealing_a_block_again_changes_nothing() -> None:
    """Or the hostile blocks above would be refused for their hashes."""
    process = Process()
    play(process, 1_000, events=4)
    block = process.blocks(codec="none")[0]
    assert sealed(block, block.raw) == block.data
    assert struct.unpack_from("<I", block.data)[0] == 0x4B4C4254
