"""What asking for a key costs: the same server with keys and without, in turns.

    python -m bench.server_keys       # prints the ratios

The two take short turns beside each other, so that what else the machine does meets both, and are started anew in the
other order, as of two alike the one that was started first takes up to 1.3 % more; of the ratios of many such pairs the
middle one counts. Beside it the CPU of the servers' processes, and the time of the door alone.
"""

from __future__ import annotations

import asyncio
import operator
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tachy
from tachy_server.access.door import Door
from tachy_server.access.keys import Key, hash_of

from bench.budgets import Cases
from bench.server import send_all
from tests.model.encoder import Process
from tests.serving import Server

TURNS = 80  # in each order
QUERIES = 20  # in a turn
BATCHES = 40
DOOR = 20_000


class Side:
    """A server, with a key or without, and what its turns took."""

    server: Server
    connection: tachy.client.Connection

    def __init__(self, data: Path, key: str) -> None:
        self.data, self.key = data, key
        self.wall: dict[str, list[float]] = {}
        self.cpu: dict[str, float] = {}

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The server runs."""
        with Server(self.data) as self.server, tachy.connect(self.server.flight, token=self.key) as self.connection:
            yield

    def take(self, name: str, count: int, work: Callable[[], object]) -> None:
        """One turn."""
        before, begin = self._cpu(), time.perf_counter()
        work()
        self.wall.setdefault(name, []).append((time.perf_counter() - begin) / count)
        self.cpu[name] = self.cpu.get(name, 0.0) + self._cpu() - before

    def _cpu(self) -> float:
        """Seconds that the server's process has computed."""
        fields = Path(f"/proc/{self.server.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self) -> None:
        """A turn of queries that read nothing."""
        for _ in range(QUERIES):
            self.connection.query("SELECT 1")

    def send(self, batches: list[bytes]) -> None:
        """A turn of small durable batches."""
        asyncio.run(send_all(self.server.http, iter(batches), self.key))


def _batch() -> bytes:
    process = Process()
    process.thread("t").log(1, "one")
    return process.batch()


def door_us(text: str) -> float:
    """Microseconds of the door alone for a request with this key."""
    key = Key(text.split("_")[1], "bench", hash_of(text), ("ingest",), 0)
    door = Door(lambda: [key])
    begin = time.perf_counter()
    for _ in range(DOOR):
        door.check(door.enter(f"Bearer {text}", "127.0.0.1"), "ingest", "127.0.0.1")
    return (time.perf_counter() - begin) / DOOR * 1e6


def keys(folder: Path) -> Cases:
    """The server with keys over the one without."""
    data = folder / "with-keys"
    create = ["create", "bench", "--scopes", "ingest,query", "--data", str(data)]
    made = [sys.executable, "-m", "tachy_server.keys", *create]
    key = subprocess.run(made, capture_output=True, text=True, check=True).stdout.strip()
    on, off = Side(data, key), Side(folder / "without-keys", "")
    for first, second in ((on, off), (off, on)):
        with first.serving(), second.serving():
            for turn in range(TURNS):
                for side in (on, off) if turn % 2 else (off, on):
                    side.take("select_1", QUERIES, side.ask)
                    batches = [_batch() for _ in range(BATCHES)]
                    side.take("ingest", BATCHES, lambda side=side, batches=batches: side.send(batches))  # type: ignore[misc]
    return {
        f"keys_{name}": {
            "ms": statistics.median(on.wall[name]) * 1e3,
            "off_ms": statistics.median(off.wall[name]) * 1e3,
            "of_off": statistics.median(map(operator.truediv, on.wall[name], off.wall[name])),
            "cpu_of_off": on.cpu[name] / off.cpu[name],
            "door_us": door_us(key),
        }
        for name in ("select_1", "ingest")
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="tachy-bench-") as name:
        for case, values in keys(Path(name)).items():
            print(case, {figure: round(value, 4) for figure, value in values.items()})
