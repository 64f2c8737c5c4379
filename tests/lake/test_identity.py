"""Two contents under one identity: the second is never swallowed, and what is merely sent again is known."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tachy_server.lake.blocks import BlockRow

from tests.lake.conftest import lake_of, rows_of
from tests.model.encoder import Process
from tests.model.records import xxh64
from tests.serving import Server


def said(
    process_id: uuid.UUID, text: str, *, codec: str = "zstd", batch_id: uuid.UUID | None = None, exe: str = "game"
) -> bytes:
    """The first batch of a process: one log of this text, and a metric."""
    process = Process(exe, process_id=process_id)
    main = process.thread("main")
    main.message(1_000, text)
    main.metric(2_000, "speed", 3.5)
    return process.batch(codec=codec, batch_id=batch_id)


def texts(server: Server, process_id: uuid.UUID) -> int:
    """Log blocks that are stored of the process."""
    with lake_of(server.data) as lake:
        return len(lake.select_blocks(1, process_ids=[process_id]))


@pytest.mark.parametrize("again", ["none", "gzip", "lz4", "zstd"])
def test_a_batch_that_was_compressed_otherwise_meanwhile_is_known(ingest_server: Server, again: str) -> None:
    """A program that sent it uncompressed was killed before the answer; whoever recovers it compresses."""
    process_id, batch_id = uuid.uuid4(), uuid.uuid4()
    first = said(process_id, "hello" * 100, codec="none", batch_id=batch_id)
    second = said(process_id, "hello" * 100, codec=again, batch_id=batch_id)
    assert ingest_server.post(first).json()["status"] == "stored"
    answer = ingest_server.post(second)
    assert (answer.status_code, answer.json()["status"]) == (200, "known")
    third = said(process_id, "hello" * 100, codec=again)
    assert ingest_server.post(third).json()["status"] == "known", "the same blocks in another batch"
    assert texts(ingest_server, process_id) == 1


def test_what_comes_under_a_known_batch_id_is_judged_by_what_is_in_it(ingest_server: Server) -> None:
    """Nothing new is swallowed, whichever id it has."""
    process_id, other_id, batch_id = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    assert ingest_server.post(said(process_id, "one", batch_id=batch_id)).json()["status"] == "stored"
    before = ingest_server.client.get("/api/stats").json()["ingest"]["conflicts"]
    answer = ingest_server.post(said(process_id, "two", batch_id=batch_id))
    assert answer.status_code == 409
    assert "is stored already with another content" in answer.json()["error"]
    assert ingest_server.client.get("/api/stats").json()["ingest"]["conflicts"] == before + 1
    assert ingest_server.post(said(other_id, "one", batch_id=batch_id)).json()["status"] == "stored"
    assert ingest_server.post(said(process_id, "one", batch_id=batch_id)).json()["status"] == "known"
    assert texts(ingest_server, process_id) == texts(ingest_server, other_id) == 1


def test_another_content_under_a_known_block_is_a_conflict_and_nothing_of_its_batch_is_stored(
    ingest_server: Server,
) -> None:
    """As when somebody else has used the process's id and numbers first."""
    process_id = uuid.uuid4()
    assert ingest_server.post(said(process_id, "somebody else's")).status_code == 200
    with lake_of(ingest_server.data) as lake:
        before = lake.select_blocks(2, process_ids=[process_id])
    objects = set((ingest_server.data / "store").rglob("*.tseg"))
    answer = ingest_server.post(said(process_id, "the real one"))
    assert answer.status_code == 409
    assert f"log block 0 of process {process_id}" in answer.json()["error"]
    with lake_of(ingest_server.data) as lake:
        assert lake.select_blocks(2, process_ids=[process_id]) == before
    assert set((ingest_server.data / "store").rglob("*.tseg")) == objects


def test_contradictions_in_one_group_cost_only_themselves(tmp_path: Path) -> None:
    """All arrive within the same wait for neighbours; whichever of two comes first is kept."""
    shared, process = uuid.uuid4(), uuid.uuid4()
    batches = [said(shared, text, batch_id=uuid.UUID(int=7)) for text in ("a", "b", "a")]
    batches += [said(process, text) for text in ("c", "d")]
    batches += [said(uuid.uuid4(), "fine") for _ in range(3)]
    with Server(tmp_path / "data", "--role", "ingest", "--commit-wait", "500") as server:
        with ThreadPoolExecutor(len(batches)) as pool:
            codes = [answer.status_code for answer in pool.map(server.post, batches)]
        assert sorted(codes[:3]) in ([200, 200, 409], [200, 409, 409])
        assert sorted(codes[3:5]) == [200, 409]
        assert codes[5:] == [200] * 3
        assert texts(server, shared) == texts(server, process) == 1


def garbled(process_id: uuid.UUID, text: str, batch_id: uuid.UUID | None = None) -> bytes:
    """As `said`, with right hashes over bodies that are not zstd."""
    process = Process("game", process_id=process_id)
    process.thread("main").message(1_000, text)
    blocks = []
    for block in process.blocks():
        data = bytearray(block.data)
        size = len(block.head)
        (stored,) = struct.unpack_from("<Q", data, 136)
        data[size : size + stored] = b"\xff" * stored
        data[144:160] = struct.pack("<QQ", xxh64(bytes(data[size : size + stored])), 0)
        data[152:160] = struct.pack("<Q", xxh64(bytes(data[:size])))
        blocks.append(bytes(data))
    return process.batch(blocks, batch_id=batch_id)


def test_a_batch_that_cannot_be_compared_costs_no_other_batch_of_its_group_anything(tmp_path: Path) -> None:
    """Senders drop what is answered 400: such an answer is only for who sent what is wrong."""
    with Server(tmp_path / "data", "--role", "ingest", "--commit-wait", "500") as server:
        wrong, first, lost = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
        assert server.post(said(wrong, "hello" * 100)).status_code == 200
        assert server.post(garbled(first, "hello" * 100)).status_code == 200
        assert server.post(said(lost, "hello" * 100)).status_code == 200
        with lake_of(server.data) as lake:
            (row,) = lake.select_blocks(1, process_ids=[lost])
        (server.data / "store" / row.segment_key).unlink()
        batches = [garbled(wrong, "hello" * 100), said(first, "hello" * 100), said(lost, "hello" * 100, codec="none")]
        batches += [said(uuid.uuid4(), "fine") for _ in range(4)]
        with ThreadPoolExecutor(len(batches)) as pool:
            codes = [answer.status_code for answer in pool.map(server.post, batches)]
        assert codes == [400, 409, 200] + [200] * 4


def test_all_conflicts_of_a_group_are_found_at_once(tmp_path: Path) -> None:
    """Each would otherwise have its group's objects written once more."""
    processes = [uuid.uuid4() for _ in range(12)]
    with Server(tmp_path / "data", "--role", "ingest", "--commit-wait", "500") as server:

        def post_all(text: str) -> list[int]:
            with ThreadPoolExecutor(len(processes)) as pool:
                batches = [said(process_id, text) for process_id in processes]
                return [answer.status_code for answer in pool.map(server.post, batches)]

        assert post_all("one") == [200] * len(processes)
        objects = set((server.data / "store").rglob("*.tseg"))
        assert post_all("two") == [409] * len(processes)
        assert set((server.data / "store").rglob("*.tseg")) == objects, "what is refused is not written"


def test_a_process_with_too_many_holes_is_refused_and_no_other_of_its_group(tmp_path: Path) -> None:
    """Whoever sends every second number makes the server keep a range for each."""
    with Server(tmp_path / "data", "--role", "ingest", "--commit-wait", "500") as server:
        holes = uuid.uuid4()
        assert server.post(said(holes, "one")).status_code == 200
        with rows_of(server.data) as rows:
            rows.execute(
                "UPDATE processes SET log_blocks = (SELECT range_agg(int8range(2 * n, 2 * n + 1)) "
                "FROM generate_series(1, 10001) AS n) WHERE process_id = %s",
                (holes,),
            )
            rows.execute("UPDATE processes SET log_blocks = log_blocks + '{[0,1)}' WHERE process_id = %s", (holes,))
        assert server.post(said(holes, "one")).json()["status"] == "known", "it has nothing new"
        with rows_of(server.data) as rows:
            rows.execute("UPDATE processes SET log_blocks = log_blocks - '{[0,1)}' WHERE process_id = %s", (holes,))
        batches = [said(holes, "two"), said(uuid.uuid4(), "fine"), said(uuid.uuid4(), "fine")]
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(server.post, batches))
        assert [answer.status_code for answer in answers] == [400, 200, 200]
        assert "more than 10000 holes in their numbers" in answers[0].json()["error"]


def test_what_cannot_be_compared_stays_with_its_sender(ingest_server: Server) -> None:
    process_id, batch_id = uuid.uuid4(), uuid.uuid4()
    ingest_server.post(said(process_id, "hello" * 100, codec="none", batch_id=batch_id))
    store = ingest_server.data / "store"
    away = store.rename(store.with_suffix(".away"))
    try:
        assert ingest_server.post(said(process_id, "hello" * 100, codec="none", batch_id=batch_id)).status_code == 200
        assert ingest_server.post(said(process_id, "hello" * 100, codec="zstd", batch_id=batch_id)).status_code == 503
    finally:
        away.rename(store)


def shown(server: Server, process_id: uuid.UUID) -> list[str]:
    """The messages of the process that queries show."""
    where = f"process_id = '{process_id}'"
    answer = server.client.post("/api/query", json={"sql": f"SELECT msg FROM log_entries WHERE {where}"})
    assert answer.status_code == 200, answer.text
    return [row[0] for row in answer.json()["rows"]]


def unreadable(server: Server, process_id: uuid.UUID) -> int:
    with rows_of(server.data) as rows:
        found = rows.execute("SELECT count(*) FROM block_errors WHERE process_id = %s", (process_id,)).fetchone()
    return int(found[0]) if found is not None else 0


def remove(path: Path, row: BlockRow) -> None:
    path.unlink()


def cut(path: Path, row: BlockRow) -> None:
    path.write_bytes(path.read_bytes()[: row.offset + 100])


def damage(path: Path, row: BlockRow) -> None:
    data = bytearray(path.read_bytes())
    data[row.offset + row.size - 9] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("lose", [remove, cut, damage])
@pytest.mark.parametrize("same_batch", [True, False])
def test_what_is_sent_takes_the_place_of_what_is_lost(
    server: Server, lose: Callable[[Path, BlockRow], None], same_batch: bool
) -> None:
    """Compressed otherwise, so that it would have been compared with what was stored."""
    process_id, batch_id = uuid.uuid4(), uuid.uuid4()
    first = said(process_id, "hello" * 100, codec="none", batch_id=batch_id)
    assert server.post(first).status_code == 200
    with lake_of(server.data) as lake:
        (row,) = lake.select_blocks(1, process_ids=[process_id])
    lose(server.data / "store" / row.segment_key, row)
    assert shown(server, process_id) == []
    assert unreadable(server, process_id) == 1
    again = said(process_id, "hello" * 100, codec="zstd", batch_id=batch_id if same_batch else None)
    answer = server.post(again)
    assert (answer.status_code, answer.json()["status"]) == (200, "stored")
    assert unreadable(server, process_id) == 0
    assert shown(server, process_id) == ["hello" * 100]
    assert server.post(first).json()["status"] == "known"
    assert server.post(said(process_id, "other")).status_code == 409
    with lake_of(server.data) as lake:
        assert len(lake.select_blocks(1, process_ids=[process_id])) == 1
        assert len(lake.select_blocks(2, process_ids=[process_id])) == 1


def test_the_very_bytes_take_their_place_again_once_a_query_has_missed_them(server: Server) -> None:
    """Equal hashes are believed without reading, unless the block is known not to be readable."""
    process_id = uuid.uuid4()
    batch = said(process_id, "hello")
    assert server.post(batch).status_code == 200
    with lake_of(server.data) as lake:
        (row,) = lake.select_blocks(1, process_ids=[process_id])
    remove(server.data / "store" / row.segment_key, row)
    assert shown(server, process_id) == []
    assert server.post(batch).json()["status"] == "stored"
    assert shown(server, process_id) == ["hello"]


def test_senders_at_the_same_time_store_what_is_lost_once(server: Server) -> None:
    process_id = uuid.uuid4()
    assert server.post(said(process_id, "hello" * 100, codec="none")).status_code == 200
    with lake_of(server.data) as lake:
        (row,) = lake.select_blocks(1, process_ids=[process_id])
    remove(server.data / "store" / row.segment_key, row)
    batches = [said(process_id, "hello" * 100, codec=codec) for codec in ("zstd", "gzip", "lz4", "zstd") * 3]
    with ThreadPoolExecutor(len(batches)) as pool:
        assert {answer.status_code for answer in pool.map(server.post, batches)} == {200}
    assert shown(server, process_id) == ["hello" * 100]
