"""Whatever is killed while programs send and people ask: what was acknowledged is there once, and answers are right."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.lake.test_durability import Client, verify
from tests.serving import Server
from tests.waiting import until

KILLS = 300


class Reader(threading.Thread):
    """Asks how many blocks a client's process has, again and again; notes answers that cannot be."""

    def __init__(self, server: Server, client: Client, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.server, self.client, self.stopped = server, client, stop
        self.wrong: list[str] = []
        self.right = 0

    def run(self) -> None:
        sql = f"SELECT count(DISTINCT block_id) AS n FROM blocks WHERE process_id = '{self.client.process.process_id}'"
        while not self.stopped.is_set():
            least = sum(len(self.client.sent[batch]) for batch in list(self.client.acknowledged))
            try:
                answer = httpx.post(f"{self.server.http}/api/query", json={"sql": sql}, timeout=60, trust_env=False)
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            most = sum(map(len, list(self.client.sent.values())))
            if answer.status_code == 200 and "error" not in answer.json():
                ((found,),) = answer.json()["rows"]
                self.right += least <= found <= most
                if not least <= found <= most:
                    self.wrong.append(f"{found} blocks, of {least} to {most}")
            elif answer.status_code not in (200, 503):
                self.wrong.append(answer.text)


def processes_of_queries(server: Server) -> list[psutil.Process]:
    """The process that forks, and its workers."""
    children = psutil.Process(server.pid).children(recursive=True)
    return [child for child in children if "tachy_server.query_process" in " ".join(child.cmdline())]


def kill_one(server: Server, chance: random.Random) -> bool:
    """The front, PostgreSQL, or one of the processes that run queries; False where that has not come back yet."""
    match chance.choice(("front", "postgres", "queries")):
        case "front":
            server.kill()
            server.start()
        case "postgres":
            pid = server.client.get("/api/stats").json()["postgres"]["pid"]
            if pid is None:
                return False
            os.kill(pid, chance.choice((signal.SIGKILL, signal.SIGQUIT)))
        case "queries":
            found = processes_of_queries(server)
            if not found:
                return False
            chance.choice(found).kill()
    return True


@pytest.mark.long
def test_three_hundred_kills_at_random_lose_and_double_nothing(tmp_path: Path) -> None:
    chance = random.Random(KILLS)
    stop = threading.Event()
    with Server(tmp_path / "data") as server:
        clients = [Client(server, stop) for _ in range(4)]
        readers = [Reader(server, client, stop) for client in clients[:2]]
        for thread in (*clients, *readers):
            thread.start()
        kills = 0
        while kills < KILLS:
            time.sleep(chance.uniform(0.05, 0.6))
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                kills += kill_one(server, chance)
            assert all(thread.is_alive() for thread in (*clients, *readers))
        until(lambda: server.client.get("/readyz").status_code == 200, server.output)
        stop.set()
        for thread in (*clients, *readers):
            thread.join(60)
            assert not thread.is_alive()
        assert [reader.wrong for reader in readers] == [[], []]
        assert min(reader.right for reader in readers) > KILLS // 30
        assert verify(server, clients) > KILLS
