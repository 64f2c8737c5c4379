"""The number of rows of the view `blocks` is known without counting them, whatever happens to blocks."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lake.conftest import game, lake_of, play
from tests.lake.test_identity import said
from tests.serving import Server


def counted(server: Server) -> int:
    """As it is kept, which is what counting says and a query answers."""
    with lake_of(server.data) as lake, lake.snapshot() as snapshot:
        ((kept,),) = snapshot.select("SELECT sum(streams) FROM block_counts")
        count = snapshot.select_streams()[0].num_rows
    answer = server.client.post("/api/query", json={"sql": "SELECT count(*) FROM blocks"})
    assert answer.json()["rows"] == [[kept]]
    assert kept == count
    return int(kept)


def test_the_count_follows_what_is_stored_resent_lost_and_stored_anew(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        first = game()
        batches = [first.batch()]
        for _ in range(11):
            play(first, first.latest - first.start_ticks + 1_000, 2)
            batches.append(first.batch())
        with ThreadPoolExecutor(6) as pool:
            assert {answer.status_code for answer in pool.map(server.post, batches * 2)} == {200}
        before = counted(server)
        assert before == 12 * 6  # blocks of three classes, two threads each
        lost, batch_id = uuid.uuid4(), uuid.uuid4()
        assert server.post(said(lost, "hello" * 100, codec="none", batch_id=batch_id)).status_code == 200
        stored = counted(server)
        assert stored > before
        with lake_of(server.data) as lake:
            (row,) = lake.select_blocks(1, process_ids=[lost])
        (server.data / "store" / row.segment_key).unlink()
        assert server.post(said(lost, "hello" * 100, codec="zstd")).status_code == 200
        assert counted(server) == stored
        assert server.post(said(lost, "other")).status_code == 409
        assert counted(server) == stored
