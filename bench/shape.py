"""What an event costs in the server: objects, bytes, rows and CPU, as it comes and when small blocks have been merged.

    python -m bench.shape [seconds]             # build/bench/shape.json; ten minutes of sending by default

A thousand processes each send a batch every ten seconds (`shape`: 57,900 events a second, those of bench.merging), one
sends 100,000 events a second (`one_busy_process`). 2 % are logs, 61 % metrics, 37 % spans, in a block of each class.
Batches come in an open loop, whatever the answers take; settings are the default ones; the store is S3 (moto, whose CPU
is not counted).
"""

from __future__ import annotations

import asyncio
import random
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from bench import merging
from bench.budgets import Cases, finish, machine
from bench.moving import Moving
from bench.server import send_all
from bench.server_workers import cpu
from tests.lake.conftest import rows_of
from tests.model.encoder import Process
from tests.serving import Server

SECONDS = 600
VARIANTS = 64  # of a batch: merged, what repeats would be smaller than it should
SENDERS = 160  # each waits for its answer
REWRITE = 60  # seconds whose segments become one: a tenth of the default, not to wait that long
TABLES = ("processes", "streams", "segments", "block_counts", "block_days", "removals")
_SIZE = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c WHERE c.relkind = 'r' AND c.relname ~ %s"
_S3 = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://{}:{}".format(*server.get_host_and_port()), flush=True)
sys.stdin.read()
"""
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True, slots=True)
class Load:
    """So many processes each send a batch of so many events every so many seconds."""

    processes: int
    every: float
    logs: int
    metrics: int
    spans: int
    made: Callable[[Load, int], list[bytes]]
    """The blocks of one, by a seed."""

    @property
    def events(self) -> int:
        """Of a batch."""
        return self.logs + self.metrics + self.spans

    @property
    def pause(self) -> float:
        """Seconds between two batches, whosever they are."""
        return self.every / self.processes


def of_small_program(load: Load, seed: int) -> list[bytes]:
    """Its first ten seconds."""
    return [block.data for block in merging.ten_seconds(*merging.program(seed), 0)]


def of_busy_program(load: Load, seed: int) -> list[bytes]:
    """Its blocks, of a game with two threads. A third of its metrics each: counts, floats of 32 bits, hundredths."""
    chance = random.Random(seed)
    single = struct.Struct("<f")
    values: list[Callable[[], float]] = [
        lambda: chance.randrange(4_000),
        lambda: float(single.unpack(single.pack(chance.gauss(16.6, 2.0)))[0]),
        lambda: round(chance.gauss(16.6, 2.0), 2),
    ]
    process = Process()
    main, worker = process.thread("main"), process.thread("worker")
    for part in range(40):  # a program registers what it has, whatever comes first
        process.site(0, f"part {part}", "game", "game.cpp", part, "", 0)
    whole = load.every * 1e9
    at, step = 1_000, int(whole / load.spans / 2)
    for number in range(load.spans):
        thread = main if number % 3 else worker
        part = chance.randrange(40)
        thread.begin(f"part {part}", at, target="game", file="game.cpp", line=part)
        at += chance.randrange(step // 2, step * 3 // 2)
        thread.end(at)
    at, step = 1_000, int(whole / load.metrics)
    for number in range(load.metrics):
        at += chance.randrange(step * 4 // 5, step)
        main.metric(at, f"value {number % 24}", values[number % 3](), unit="milliseconds")
    for _ in range(load.logs):
        at += 1_000
        main.log(at, "player %d entered area %d", chance.randrange(64), chance.randrange(20), level=4)
    return [block.data for block in process.blocks(codec="zstd")]


SHAPE = Load(processes=1_000, every=10, logs=12, metrics=354, spans=213, made=of_small_program)
BUSY = Load(processes=1, every=0.25, logs=500, metrics=15_250, spans=9_250, made=of_busy_program)


def batches(load: Load, made: list[list[bytes]], seconds: int) -> Iterator[bytes]:
    """In the order in which they are due; `made`: blocks of batches that are sent again and again, at other times."""
    properties = [{"build": "1234", "map": f"map {n % 10}"} for n in range(load.processes)]
    games = [Process(exe="game.exe", properties=of_one) for of_one in properties]
    moving = [Moving(blocks, games, int(load.every * 1e9)) for blocks in zip(*made, strict=True)]
    for sequence in range(int(seconds / load.every)):
        for game, *blocks in zip(games, *[one.at(sequence).blocks for one in moving], strict=True):
            yield game.batch(blocks)


def stored(server: Server) -> dict[str, float]:
    """Bytes and objects of the lake, bytes of PostgreSQL and of its log."""
    with rows_of(server.data) as rows:
        ((database,),) = rows.execute(_SIZE, (f"^({'|'.join(TABLES)})(_2[0-9]*)?$",)).fetchall()
        ((log,),) = rows.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchall()
        ((objects, size),) = rows.execute("SELECT count(*), sum(size)::bigint FROM segments").fetchall()
    return {"postgres": float(database), "wal": float(log), "objects": objects, "bytes": float(size or 0)}


@contextmanager
def object_store() -> Iterator[dict[str, str]]:
    """S3 in another process's memory: the environment of who speaks with it."""
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    command = [sys.executable, "-c", _S3]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield CREDENTIALS | {"AWS_ENDPOINT_URL_S3": process.stdout.readline().strip()}
        finally:
            process.stdin.close()


def new_bucket(env: dict[str, str]) -> tuple[str, Any]:
    """Its name, and a client for that store."""
    name = f"b-{uuid.uuid4()}"
    who = {name: env[name.upper()] for name in ("aws_access_key_id", "aws_secret_access_key")}
    client = boto3.client("s3", endpoint_url=env["AWS_ENDPOINT_URL_S3"], **who)
    client.create_bucket(Bucket=name)
    return name, client


def figures(load: Load, folder: Path, env: dict[str, str], seconds: int) -> dict[str, float]:
    """For each event: as it came, and when its blocks were merged."""
    bucket, _ = new_bucket(env)
    made = [load.made(load, seed) for seed in range(VARIANTS)]
    options = ["--store", f"s3://{bucket}/lake", "--role"]
    with Server(folder / "data", *options, "ingest", "--http-connections", "200", env=env) as server:
        before, used = stored(server), cpu(server)
        sending = send_all(server.http, batches(load, made, seconds), senders=SENDERS, pause=load.pause)
        taken = asyncio.run(sending)
        ingest, came = cpu(server) - used, stored(server)
    events = len(taken) * load.events
    with Server(folder / "data", *options, "maintain", "--rewrite-seconds", str(REWRITE), env=env) as server:
        used = cpu(server)
        merging = merged(server, came["objects"])
        rewriting, after = cpu(server) - used, stored(server)
    return {
        "objects_per_billion": (came["objects"] + merging["written_segments"]) / events * 1e9,
        "bytes_as_written": came["bytes"] / events,
        "bytes_rewritten": after["bytes"] / events,
        "postgres_bytes_as_written": (came["postgres"] - before["postgres"]) / events,
        "postgres_bytes_rewritten": (after["postgres"] - before["postgres"]) / events,
        "wal_bytes": (came["wal"] - before["wal"]) / events,
        "ingest_cpu_s_per_million": ingest / events * 1e6,
        "rewriting_cpu_s_per_million": rewriting / events * 1e6,
        "answered_ms": sorted(taken)[len(taken) // 2] * 1e3,
        "events": float(events),
    }


def merged(server: Server, objects: float) -> dict[str, Any]:
    """Waits until nearly all objects that came have been merged; what was done."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found: dict[str, Any] = server.client.get("/api/stats").json()["maintain"]
        if found["rewritten_segments"] >= objects * 0.9:
            return found
        time.sleep(0.5)
    raise RuntimeError(f"not merged in time: {found}")


def main() -> int:
    """Measures, writes, judges."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    about = machine()
    with tempfile.TemporaryDirectory(prefix="tachy-bench-") as name, object_store() as env:
        cases: Cases = {
            "shape": figures(SHAPE, Path(name) / "shape", env, seconds),
            "one_busy_process": figures(BUSY, Path(name) / "busy", env, min(seconds, 60)),
        }
    return finish("shape", cases, about)


if __name__ == "__main__":
    sys.exit(main())
