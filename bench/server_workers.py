"""What queries cost in processes, and what one that goes wrong costs the others: memory, and until it has ended.

python -m bench.server_workers      # alone, without a verdict
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
from pyarrow import flight

from bench.budgets import Cases
from tests.model.encoder import Process
from tests.serving import Server

MEMORY = 512 << 20
QUERIES = 1_000
SELECTS = 1_000
STARTS = 3
NUMBERS = ", ".join(map(str, range(20_000)))
RUNAWAYS = {
    "join": "SELECT sum(a.value * b.value) FROM range(0, 3000000) a(value), range(0, 3000000) b(value)",
    "constant": "SELECT length(lpad('x', 1500000000))",
    "range": "SELECT sum(value) FROM range(1, 2000000000)",
    "list": f"SELECT sum(value) FROM range(1, 2000000000) WHERE value IN ({NUMBERS})",
    "recursion": "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT sum(n) FROM t",
}
MIXED = (
    "SELECT count(*) FROM log_entries",
    "SELECT level, count(*) FROM log_entries GROUP BY level ORDER BY 1",
    "SELECT msg FROM log_entries WHERE msg LIKE '%7%' LIMIT 1000",
    "SELECT * FROM processes",
    "SELECT a.msg FROM log_entries a JOIN log_entries b ON a.time = b.time LIMIT 100",
    "SELECT sum(value) FROM range(1, 100000)",
    "SELECT * FROM log_entries ORDER BY msg LIMIT 2000",
    "SELECT count(*), name FROM thread_spans GROUP BY name",
)


def processes(server: Server) -> list[psutil.Process]:
    """All of the server, PostgreSQL too."""
    front = psutil.Process(server.pid)
    return [front, *front.children(recursive=True)]


def memory(server: Server) -> float:
    """MB that the machine has given to all of them: what several share counts once."""
    total = 0
    for process in processes(server):
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 1e6


def cpu(server: Server) -> float:
    """Seconds that all of them have used; less when one has ended."""
    total = 0.0
    for process in processes(server):
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[:2])
    return total


def private(server: Server) -> float:
    """MB that are not of files; what forks share counts in each of them, but this is quick to read."""
    total = 0
    for process in processes(server):
        with suppress(psutil.Error):
            info = process.memory_info()
            total += info.rss - info.shared
    return total / 1e6


@contextmanager
def peak(server: Server) -> Iterator[list[float]]:
    """The most memory meanwhile, in the list's only place."""
    begin, base = memory(server), private(server)
    found, over = [begin], threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            found[0] = max(found[0], begin + private(server) - base)

    thread = threading.Thread(target=look)
    thread.start()
    yield found
    over.set()
    thread.join()


def select_1(server: Server, clients: int) -> dict[str, float]:
    """CPU of all processes, and time, of one of SELECTS; each client has its connection."""

    def ask() -> None:
        with flight.connect(server.flight) as client:
            for _ in range(SELECTS // clients):
                info = client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT 1"))
                client.do_get(info.endpoints[0].ticket).read_all()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    used, begin = cpu(server), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count = SELECTS // clients * clients
    return {"cpu_ms": (cpu(server) - used) / count * 1e3, "ms": (time.perf_counter() - begin) / count * 1e3}


def fastest(server: Server, seconds: float) -> float:
    """Milliseconds of the middle one of `SELECT 1` over HTTP, in so many seconds."""
    taken, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        begin = time.perf_counter()
        with suppress(httpx.RemoteProtocolError):  # its worker was killed for a runaway, in the midst of the answer
            server.client.post("/api/query", json={"sql": "SELECT 1"}).raise_for_status()
        taken.append(time.perf_counter() - begin)
    return sorted(taken)[len(taken) // 2] * 1e3


def until_idle(server: Server) -> float:
    """Seconds until nobody computes any more."""
    begin = time.perf_counter()
    while True:
        before, at = cpu(server), time.perf_counter()
        time.sleep(0.1)
        if abs(cpu(server) - before) < 0.03:
            return at - begin


def runaways(server: Server) -> Cases:
    """Each of them for a second, beside `SELECT 1`; then its client leaves."""
    alone = fastest(server, 1)
    ends, beside = [], []
    for sql in RUNAWAYS.values():

        def ask(sql: str = sql) -> None:
            with suppress(httpx.HTTPError):
                httpx.post(f"{server.http}/api/query", json={"sql": sql}, timeout=1.2)

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.1)
        beside.append(fastest(server, 1))
        thread.join()
        ends.append(until_idle(server))
    figures = {"seconds_until_idle": max(ends), "others_of_alone": max(beside) / alone, "select_1_ms": alone}
    figures |= {f"{name}_s": seconds for name, seconds in zip(RUNAWAYS, ends, strict=True)}
    return {"runaway_queries": figures}


def mixed(server: Server) -> None:
    """A thousand of them, by eight clients."""

    def ask(at: int) -> None:
        for number in range(at, QUERIES, 8):
            sql = MIXED[number % len(MIXED)]
            httpx.post(f"{server.http}/api/query", json={"sql": sql, "format": "arrow"}, timeout=60).raise_for_status()

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def installed(folder: Path) -> dict[str, str]:
    """Programs find bytecode, as pip leaves it where it installs them, whatever this environment says of it."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def restart(server: Server) -> float:
    """Seconds from its start until it is ready."""
    server.stop()
    begin = time.perf_counter()
    server.start()
    return time.perf_counter() - begin


def cases() -> Cases:
    """All of them, on a server of their own."""
    game = Process(exe="bench")
    main = game.thread("main")
    for at in range(100_000):
        main.log(1_000 * at, "loaded part %d in %d ms", at, at * 7919 % 997)
    with (
        tempfile.TemporaryDirectory(prefix="tachy-bench-") as name,
        Server(Path(name) / "data", "--query-memory", str(MEMORY), env=installed(Path(name))) as server,
    ):
        server.post(game.batch()).raise_for_status()
        started = min(restart(server) for _ in range(STARTS))
        time.sleep(1)
        rest = memory(server)
        found: Cases = {"start": {"seconds": started}}
        select_1(server, 1)
        found |= {f"select_1_{clients}": select_1(server, clients) for clients in (1, 32)}
        mixed(server)
        time.sleep(1)
        after = memory(server)
        with peak(server) as most:
            server.client.post("/api/query", json={"sql": RUNAWAYS["constant"]})
        sizes = {"rest_mb": rest, "after_queries_mb": after, "refused_above_query_memory_mb": most[0] - MEMORY / 1e6}
        return found | {"memory": sizes} | runaways(server)


if __name__ == "__main__":
    json.dump(cases(), sys.stdout, indent=2)
