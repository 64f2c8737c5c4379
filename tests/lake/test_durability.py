"""What was acknowledged is there afterwards, exactly once, whatever is killed; nothing partial is ever visible."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
import uuid
from pathlib import Path

import httpx
import pytest
from tachy_server.base.errors import FormatError

from tests.lake.conftest import batch_id_of, game, lake_of, play, process_id_of, rows_of
from tests.model.encoder import Process
from tests.serving import BATCH_HEADERS, Server
from tests.waiting import until


class Client(threading.Thread):
    """Sends a process's batches one after the other, each again until it is acknowledged; notes what it was told."""

    def __init__(self, server: Server, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.server, self.stopped = server, stop
        self.process = Process(exe="client")
        self.sent: dict[uuid.UUID, list[bytes]] = {}
        self.acknowledged: set[uuid.UUID] = set()

    def run(self) -> None:
        at = 1_000
        while not self.stopped.is_set():
            play(self.process, at, 5)
            at += 10_000
            blocks = self.process.blocks()
            batch = self.process.batch(blocks)
            self.sent[batch_id_of(batch)] = [block.data for block in blocks]
            while not self.stopped.is_set() and not self.post(batch):
                time.sleep(0.02)

    def post(self, batch: bytes) -> bool:
        try:
            answer = httpx.post(
                f"{self.server.http}/ingest/v1/batch", content=batch, headers=BATCH_HEADERS, timeout=30, trust_env=False
            )
        except httpx.TransportError:
            return False
        if answer.status_code == 503:
            return False
        assert answer.status_code == 200, answer.text
        self.acknowledged.add(batch_id_of(batch))
        return True


def verify(server: Server, clients: list[Client]) -> int:
    """Every acknowledged batch is there once, whole, to the byte; every other one whole or not at all."""
    with lake_of(server.data) as lake:
        for client in clients:
            found: list[bytes] = []
            for cls in (1, 2, 3):
                selected = lake.select_blocks(cls, process_ids=[client.process.process_id])
                assert len({row.block_id for row in selected}) == len(selected)
                found += [bytes(data) for _, data in lake.read_blocks(selected) if not isinstance(data, FormatError)]
            there = {batch_id for batch_id, blocks in client.sent.items() if not set(blocks).isdisjoint(found)}
            assert client.acknowledged <= there
            assert sorted(found) == sorted(block for batch_id in there for block in client.sent[batch_id])
    return sum(len(client.acknowledged) for client in clients)


def kill_server_while_clients_send(data: Path, rounds: int) -> None:
    chance = random.Random(rounds)
    stop = threading.Event()
    with Server(data, "--role", "ingest") as server:
        clients = [Client(server, stop) for _ in range(4)]
        for client in clients:
            client.start()
        for _ in range(rounds):
            time.sleep(chance.uniform(0.05, 0.6))
            server.kill()
            server.start()
        time.sleep(0.3)
        stop.set()
        for client in clients:
            client.join(60)
            assert not client.is_alive()
        assert verify(server, clients) > rounds


def test_kill_minus_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    kill_server_while_clients_send(tmp_path / "data", 4)


@pytest.mark.long
def test_kill_minus_9_a_hundred_times_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    kill_server_while_clients_send(tmp_path / "data", 100)


def postgres_pid(server: Server) -> int:
    pid = server.client.get("/api/stats").json()["postgres"]["pid"]
    assert isinstance(pid, int)
    return pid


def wait_for_batches(server: Server, clients: list[Client], number: int) -> None:
    """Until so many more are acknowledged."""
    wanted = number + sum(len(client.acknowledged) for client in clients)
    until(lambda: sum(len(client.acknowledged) for client in clients) >= wanted, server.output)


def test_postgresql_killed_under_the_server_comes_back_and_nothing_is_lost(tmp_path: Path) -> None:
    stop = threading.Event()
    with Server(tmp_path / "data", "--role", "ingest") as server:
        clients = [Client(server, stop) for _ in range(4)]
        for client in clients:
            client.start()
        for number in (signal.SIGKILL, signal.SIGQUIT):
            time.sleep(0.3)
            os.kill(postgres_pid(server), number)
            wait_for_batches(server, clients, 8)
        stop.set()
        for client in clients:
            client.join(60)
        verify(server, clients)
        assert server.client.get("/readyz").json() == {"status": "ready"}
        assert server.client.get("/api/stats").json()["postgres"]["restarts"] == 2


def test_a_store_that_is_away_means_503_and_nothing_stored_until_it_is_back(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--role", "ingest") as server:
        first, second = game().batch(), game().batch()
        assert server.post(first).status_code == 200
        store = server.data / "store"
        store.rename(server.data / "away")
        answer = server.post(second)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "store" in answer.json()["error"]
        ready = server.client.get("/readyz")
        assert ready.status_code == 503
        assert list(ready.json()["problems"]) == ["store"]
        assert server.client.get("/healthz").status_code == 200
        with rows_of(server.data) as rows:
            assert rows.execute("SELECT process_id FROM processes").fetchall() == [(process_id_of(first),)]
        shutil.rmtree(store, ignore_errors=True)
        (server.data / "away").rename(store)
        assert server.post(second).json()["status"] == "stored"
        assert server.client.get("/readyz").status_code == 200


def test_a_segment_whose_rows_could_not_be_written_is_removed(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--role", "ingest") as server:
        with rows_of(server.data) as rows:
            rows.execute("ALTER TABLE segments ADD CONSTRAINT never CHECK (false) NOT VALID")
            batch = game().batch()
            assert server.post(batch).status_code == 503
            assert list((server.data / "store" / "segments").rglob("*.tseg")) == []
            assert rows.execute("SELECT count(*) FROM processes").fetchone() == (0,)
            rows.execute("ALTER TABLE segments DROP CONSTRAINT never")
        assert server.post(batch).json()["status"] == "stored"


def test_what_waits_is_stored_before_the_server_stops(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--role", "ingest", "--commit-wait", "600") as server:
        batch = game().batch()
        answers: list[httpx.Response] = []
        sender = threading.Thread(target=lambda: answers.append(server.post(batch)))
        sender.start()
        time.sleep(0.2)
        assert server.stop() == 0
        sender.join()
        assert [answer.json()["status"] for answer in answers] == ["stored"]
        server.start()
        assert server.post(batch).json()["status"] == "known"
