"""A block that comes again in another batch, as from a recovered process, is stored and seen exactly once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tachy_server.formats.reader import block_id, read_head

from tests.lake.conftest import dsn_of, lake_of, play
from tests.model.encoder import Process
from tests.model.records import Block
from tests.serving import Server

VIEWS = ("log_entries", "measures", "thread_spans")


def record(parts: int) -> tuple[Process, list[list[Block]]]:
    """A process and what it has made in so many parts, a block of each class in each."""
    process = Process(exe="game")
    made = []
    for _ in range(parts):
        play(process, process.latest - process.start_ticks + 1_000, 5)
        made.append(process.blocks())
    return process, made


def seen(server: Server, process: Process) -> dict[str, int]:
    """Rows of each view."""
    counts = {}
    for view in VIEWS:
        sql = f"SELECT count(*) FROM {view} WHERE process_id = '{process.process_id}'"
        answer = server.client.post("/api/query", json={"sql": sql})
        assert answer.status_code == 200, answer.text
        ((counts[view],),) = answer.json()["rows"]
    return counts


def check_once(server: Server, process: Process, blocks: Sequence[Block]) -> None:
    """Every block has one row, the bytes that were sent, and its events are seen once."""
    assert seen(server, process) == {
        "log_entries": sum(len(block.logs) for block in blocks),
        "measures": sum(len(block.metrics) for block in blocks),
        "thread_spans": sum(len(block.spans) for block in blocks),
    }
    sent = {}
    for block in blocks:
        head = read_head(block.data)
        sent[block_id(head.process_id, head.cls, head.sequence)] = block.data
    with lake_of(server.data) as lake:
        rows = lake.select_blocks(0, process_ids=[process.process_id])
        assert sorted(row.block_id for row in rows) == sorted(sent)
        assert {row.block_id: bytes(data) for row, data in lake.read_blocks(rows)} == sent


def store(server: Server, *batches: bytes, status: str = "stored") -> None:
    """One after the other."""
    for batch in batches:
        assert server.post(batch).json()["status"] == status


def test_a_part_of_a_stored_batch_in_another_batch(server: Server) -> None:
    process, (a, b) = record(2)
    store(server, process.batch([*a, *b]), process.batch(b, state="crashed"))
    check_once(server, process, [*a, *b])


def test_a_batch_of_which_a_part_is_stored(server: Server) -> None:
    process, (a, b) = record(2)
    store(server, process.batch(b), process.batch([*a, *b], state="crashed"))
    check_once(server, process, [*a, *b])


def test_the_same_blocks_in_another_order_and_batch(server: Server) -> None:
    process, parts = record(3)
    blocks = [block for part in parts for block in part]
    store(server, process.batch(blocks))
    store(server, process.batch(blocks[::-1]), process.batch(blocks), status="known")
    check_once(server, process, blocks)


def test_a_block_twice_in_one_batch(server: Server) -> None:
    process, (a,) = record(1)
    store(server, process.batch([*a, *a]))
    check_once(server, process, a)


def test_both_in_one_group_commit(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--commit-wait", "2000") as server:
        process, (a, b) = record(2)
        batches = [process.batch([*a, *b]), process.batch(b), process.batch(a), process.batch([*b, *a])]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(server.post, batches))
        assert {answer.json()["status"] for answer in answers} == {"stored"}
        assert server.client.get("/api/stats").json()["ingest"]["groups"] == 1
        check_once(server, process, [*a, *b])


@pytest.fixture
def two_servers(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """On one database and store."""
    with Server(tmp_path / "one") as one:
        options = ("--dsn", dsn_of(one.data), "--store", str(one.data / "store"), "--role", "ingest")
        with Server(tmp_path / "two", *options) as two:
            yield one, two


def send(sent: Sequence[tuple[Server, bytes]]) -> list[str]:
    """All at once, each to its server; what became of each."""
    with ThreadPoolExecutor(len(sent)) as pool:
        answers = list(pool.map(lambda pair: pair[0].post(pair[1]), sent))
    return [answer.json().get("status") for answer in answers]


def test_from_many_connections_at_once(two_servers: tuple[Server, Server]) -> None:
    """Groups of both servers want the same blocks at the same time."""
    process, parts = record(4)
    blocks = [block for part in parts for block in part]
    batches = [process.batch(blocks[first : first + 6]) for first in range(len(blocks) - 5)]
    batches += [process.batch(part) for part in parts for _ in range(4)]
    assert set(send(list(zip(itertools.cycle(two_servers), batches, strict=False)))) == {"stored", "known"}
    check_once(two_servers[0], process, blocks)


def test_from_two_servers_on_one_database(two_servers: tuple[Server, Server]) -> None:
    process, parts = record(6)
    blocks = [block for part in parts for block in part]
    sent = [(server, process.batch(part)) for part in parts for server in two_servers]
    statuses = send(sent)
    assert [sorted(statuses[at : at + 2]) for at in range(0, len(sent), 2)] == [["known", "stored"]] * len(parts)
    check_once(two_servers[0], process, blocks)
