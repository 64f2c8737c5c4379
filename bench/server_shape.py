"""What small blocks cost: a thousand processes that each send a batch every ten seconds, and what merging makes of it.

    python -m bench.server_shape [seconds]      # prints the figures; 60 s of sending by default

577 events a batch: 2 % logs, 61 % metrics, 37 % spans, in a block of each class. Batches come in an open loop, and wait
for one another as long as they do on S3 (a second); the store is a folder, so that the CPU of none is counted.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.budgets import Cases
from bench.server import replaced, send_all
from bench.server_workers import cpu
from tests.lake.conftest import rows_of
from tests.model.decoder import Header, ThreadEntry
from tests.model.encoder import Process
from tests.model.records import BLOCK_HEADER, THREAD_HEADER
from tests.serving import Server

PROCESSES = 1_000
EVERY = 10  # seconds between two batches of a process
LOGS, METRICS, SPANS = 11, 352, 214
EVENTS = LOGS + METRICS + SPANS
SECONDS = 60
TABLES = ("processes", "streams", "segments", "batches", "block_counts", "block_days")
VARIANTS = 16
SENDERS = 160  # each waits for its answer, and 100 batches come in a second
_SIZE = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c WHERE c.relkind = 'r' AND c.relname ~ %s"


def ten_seconds(seed: int) -> list[bytes]:
    """The blocks of ten seconds of a game at 21 frames of telemetry a second."""
    chance = random.Random(seed)
    process = Process()
    main, worker = process.thread("main"), process.thread("worker")
    at = 1_000
    for number in range(SPANS):
        thread = main if number % 3 else worker
        thread.begin(f"part {chance.randrange(40)}", at, target="game", file="game.cpp", line=number % 40)
        at += chance.randrange(10_000_000, 40_000_000)
        thread.end(at)
    at = 1_000
    for number in range(METRICS):
        at += chance.randrange(20_000_000, 28_000_000)
        main.metric(at, f"value {number % 24}", chance.gauss(16.6, 2.0), unit="milliseconds")
    for _ in range(LOGS):
        at += 1_000
        main.log(at, "player %d entered area %d", chance.randrange(64), chance.randrange(20), level=4)
    return [block.data for block in process.blocks(codec="zstd")]


def at_place(block: bytes, process: Process, sequence: int) -> bytes:
    """The same ten seconds as the `sequence`th of another process."""
    header = Header(*BLOCK_HEADER.unpack_from(block))
    later = sequence * EVERY * 10**9  # ticks are nanoseconds
    begin, utc = process.start_ticks + later, process.start_time + later
    fields: dict[str, Any] = {
        "process_id": process.process_id.bytes,
        "sequence": sequence,
        "ticks0": begin,
        "utc0": utc,
        "ticks1": begin + EVERY * 10**9,
        "utc1": utc + EVERY * 10**9,
        "before_ticks": begin - (EVERY * 10**9 if sequence else 0),
        "before_utc": utc - (EVERY * 10**9 if sequence else 0),
    }
    moved = ("begin_ticks", "end_ticks", "begin_utc", "end_utc")
    fields |= {name: getattr(header, name) + later for name in moved}
    threads = b""
    for index in range(header.thread_count):
        thread = ThreadEntry(*THREAD_HEADER.unpack_from(block, BLOCK_HEADER.size + index * THREAD_HEADER.size))
        changes = {name: getattr(thread, name) + later for name in ("base_ticks", *moved)}
        threads += THREAD_HEADER.pack(*thread._replace(**changes, first=thread.rows * sequence))
    front = BLOCK_HEADER.size
    return replaced(block[:front] + threads + block[front + len(threads) :], **fields)


def batches(seconds: int) -> Iterator[bytes]:
    """Each when it is due."""
    made = [ten_seconds(seed) for seed in range(VARIANTS)]
    games = [Process(exe="game.exe", properties={"build": "1234", "map": f"map {n % 10}"}) for n in range(PROCESSES)]
    begin = time.perf_counter()
    pause = EVERY / PROCESSES
    for number in range(int(seconds / pause)):
        process, sequence = games[number % PROCESSES], number // PROCESSES
        batch = process.batch([at_place(block, process, sequence) for block in made[(number * 7) % VARIANTS]])
        time.sleep(max(0.0, begin + number * pause - time.perf_counter()))
        yield batch


def stored(server: Server) -> dict[str, float]:
    """Bytes and objects of the lake, bytes of PostgreSQL and of its log."""
    with rows_of(server.data) as rows:
        ((database,),) = rows.execute(_SIZE, (f"^({'|'.join(TABLES)})(_2[0-9]*)?$",)).fetchall()
        ((log,),) = rows.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchall()
        ((objects, size),) = rows.execute("SELECT count(*), sum(size)::bigint FROM segments").fetchall()
    return {"postgres": float(database), "wal": float(log), "objects": objects, "bytes": float(size or 0)}


def shape(folder: Path, seconds: int = SECONDS) -> Cases:
    """Figures for each event: as it came, and when its blocks were merged."""
    with Server(folder / "data", "--role", "ingest", "--commit-wait", "1000", "--http-connections", "200") as server:
        before, used = stored(server), cpu(server)
        taken = asyncio.run(send_all(server.http, batches(seconds), senders=SENDERS))
        ingest, came = cpu(server) - used, stored(server)
    events = len(taken) * EVENTS
    options = ["--rewrite-seconds", "30", "--rewrite-grace", "900", "--role", "maintain"]
    with Server(folder / "data", *options) as server:
        used = cpu(server)
        merging = _merged(server, came["objects"])
        rewriting = cpu(server) - used
        after = stored(server)
    return {
        "shape": {
            "objects_per_billion": (came["objects"] + merging["written_segments"]) / events * 1e9,
            "bytes_as_written": came["bytes"] / events,
            "bytes_rewritten": after["bytes"] / events,
            "postgres_bytes_as_written": (came["postgres"] - before["postgres"]) / events,
            "postgres_bytes_rewritten": (after["postgres"] - before["postgres"]) / events,
            "wal_bytes": (came["wal"] - before["wal"]) / events,
            "ingest_cpu_s_per_million": ingest / events * 1e6,
            "rewriting_cpu_s_per_million": rewriting / events * 1e6,
            "events": float(events),
        }
    }


def _merged(server: Server, objects: float) -> dict[str, Any]:
    """Waits until nearly all objects that came have been merged."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found: dict[str, Any] = server.client.get("/api/stats").json()["maintain"]
        if found["rewritten_segments"] >= objects * 0.9:
            return found
        time.sleep(0.5)
    raise RuntimeError(f"not merged in time: {found}")


def main() -> int:
    """Prints the figures."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        for name, value in shape(Path(folder), seconds)["shape"].items():
            print(f"{name:30} {value:12.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
