"""The server suite: a real server on this machine, and in the same run what the machine does without one.

    python -m bench.server            # build/bench/server.json

Client and server share the cores, as do the raw loops that the figures are divided by.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pyarrow as pa
import pyarrow.flight as flight
import tachy
from tachy.client import Connection

from bench.budgets import Cases, finish, machine
from bench.server_workers import cpu
from tests.model.decoder import replaced
from tests.model.encoder import Process
from tests.serving import Server

BATCH = 64 << 10
SENDERS = 32
REQUESTS = 1_000  # per round
SPANS = 2_000_000
LOGS = 100_000  # of a block, of which there are LOG_BLOCKS
LOG_BLOCKS = 8
ROUNDS = 5


def block_of(size: int) -> tuple[Process, bytes]:
    """A process and a block of spans of about so many bytes."""
    process = Process(exe="bench")
    main = process.thread("main")
    noise, at = 1, 1_000
    for i in range(size * 2 // 7):
        noise = noise * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        main.begin(f"part {i % 50}", at, target="bench", file="bench.py", line=i % 50)
        at += 100 + (noise >> 40)
        main.end(at)
    (block,) = process.blocks(codec="zstd")
    return process, block.data


def numbered(block: bytes, sequence: int) -> bytes:
    """The same block at another place of its process: a block of its own to the server."""
    return replaced(block, sequence=sequence)


def owned(block: bytes, process: Process, sequence: int) -> bytes:
    """The same block as one of another process."""
    return replaced(block, process_id=process.process_id.bytes, sequence=sequence)


async def send_all(
    url: str, batches: Iterator[bytes], key: str = "", senders: int = SENDERS, pause: float = 0
) -> list[float]:
    """Posts the batches over so many connections, not before each is due: so many seconds after the one before it.

    Seconds of each request.
    """
    who = f"authorization: Bearer {key}\r\n" if key else ""
    where = urlsplit(url)
    taken: list[float] = []
    numbered, first = enumerate(batches), time.perf_counter()

    async def sender() -> None:
        reader = writer = None
        for number, batch in numbered:
            if pause:
                await asyncio.sleep(first + number * pause - time.perf_counter())
            if reader is None or writer is None:  # a server closes one that waits for its first request
                reader, writer = await asyncio.open_connection(where.hostname, where.port)
            head = "POST /ingest/v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\n"
            head += f"{who}content-length: {len(batch)}\r\n\r\n"
            begin = time.perf_counter()
            writer.write(head.encode() + batch)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the server answered {answer!r}")
            lines = answer.lower().split(b"\r\n")
            length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
            await reader.readexactly(length)
            taken.append(time.perf_counter() - begin)
        if writer is not None:
            writer.close()

    await asyncio.gather(*[sender() for _ in range(senders)])
    return taken


def fsynced_writes(folder: Path, data: bytes, seconds: float = 1.0) -> float:
    """Writes of `data` per second, one fdatasync each: what a disk gives a program that does not group."""
    count, begin = 0, time.perf_counter()
    with (folder / "raw").open("wb", buffering=0) as file:
        while time.perf_counter() - begin < seconds:
            file.write(data)
            os.fdatasync(file.fileno())
            count += 1
    rate = count / (time.perf_counter() - begin)
    (folder / "raw").unlink()
    return rate


def ingest(server: Server, folder: Path) -> Cases:
    """Durable requests of 64 KiB: each is answered once it is on disk and its row is committed."""
    process, block = block_of(BATCH)
    writes, rates, taken, used = [], [], [], []
    for part in range(ROUNDS):  # interleaved: a disk has good and bad seconds
        writes.append(fsynced_writes(folder, block))
        batches = [process.batch([numbered(block, part * REQUESTS + i)]) for i in range(REQUESTS)]
        begin, before = time.perf_counter(), cpu(server)
        taken += asyncio.run(send_all(server.http, iter(batches)))
        rates.append(REQUESTS / (time.perf_counter() - begin))
        used.append((cpu(server) - before) / REQUESTS * 1e3)
    with tachy.connect(server.flight, url=server.http) as connection:
        where = f"WHERE process_id = '{process.process_id}'"
        stored = connection.query(f"SELECT count(*) AS n FROM blocks {where}").column("n")[0].as_py()
    if stored != ROUNDS * REQUESTS:
        raise RuntimeError(f"the server has {stored} blocks of {ROUNDS * REQUESTS} that were sent")
    most = max(rates)
    taken.sort()
    return {
        "ingest": {
            "least_requests_per_second": most,
            "cpu_ms": min(used),
            "batch_bytes": float(len(block)),
            "raw_writes_per_second": max(writes),
            "least_of_raw_writes": most / max(writes),
            "p50_ms": taken[len(taken) // 2] * 1e3,
            "p99_ms": taken[len(taken) * 99 // 100] * 1e3,
            "p99_of_p50": taken[len(taken) * 99 // 100] / taken[len(taken) // 2],
        }
    }


class Ready(flight.FlightServerBase):  # type: ignore[misc]  # pyarrow ships no types
    """Sends batches that lie ready, and does nothing else: the most that Flight gives."""

    def __init__(self, tables: dict[bytes, pa.Table]) -> None:
        super().__init__("grpc://127.0.0.1:0")
        self.tables = tables

    def do_get(self, context: Any, ticket: flight.Ticket) -> flight.RecordBatchStream:
        return flight.RecordBatchStream(self.tables[ticket.ticket])


def best(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds of the fastest of some runs."""
    found = []
    for _ in range(rounds):
        begin = time.perf_counter()
        action()
        found.append(time.perf_counter() - begin)
    return min(found)


def record(server: Server) -> uuid.UUID:
    """Has this process record SPANS spans, three deep, and send them."""
    tachy.start(server.http)
    process_id = tachy.stats().process_id
    outer, inner, leaf = tachy.span("outer"), tachy.span("inner"), tachy.span("leaf")
    for i in range(SPANS // 8):
        with outer:
            for _ in range(3):
                with inner, leaf:
                    pass
            with leaf:
                pass
        if i % 50_000 == 0:
            tachy.flush(30)
    tachy.stop(60)
    if any(tachy.stats().dropped.values()):
        raise RuntimeError(f"spans were dropped: {tachy.stats()}")
    return uuid.UUID(str(process_id))


def send_logs(server: Server) -> uuid.UUID:
    """Sends blocks of logs of two numbers each, as a C++ program records them; returns their process's id."""
    process = Process(exe="bench")
    main = process.thread("main")
    for i in range(LOGS):
        main.log(1_000 * i, "loaded part %d in %d ms", i, i * 7919 % 997, target="bench")
    (block,) = process.blocks(codec="zstd")
    batches = (process.batch([numbered(block.data, i)]) for i in range(LOG_BLOCKS))
    asyncio.run(send_all(server.http, batches))
    return process.process_id


class Measured:
    """Queries whose batches also lie ready on another server: what of the time is Flight's, what the decoding's."""

    def __init__(self, connection: Connection, tables: dict[bytes, pa.Table]) -> None:
        self.connection = connection
        self.ready = Ready(tables)
        self.thread = threading.Thread(target=self.ready.serve, daemon=True)

    def __enter__(self) -> Measured:
        self.thread.start()
        self.raw = flight.connect(f"grpc://127.0.0.1:{self.ready.port}")
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.close()
        self.ready.shutdown()
        self.thread.join()

    def seconds(self, sql: str, name: bytes, rounds: int, turns: int = 1) -> tuple[float, float]:
        """The fastest of the query, and of the ready batches, taken in turns."""
        asked, sent = [], []
        for _ in range(turns):
            sent.append(best(lambda: self.raw.do_get(flight.Ticket(name)).read_all(), rounds))
            asked.append(best(lambda: self.connection.query(sql), rounds))
        return min(asked), min(sent)


def queries(server: Server, spans_of: uuid.UUID, logs_of: uuid.UUID) -> Cases:
    """Decoding of spans and logs, and the price of a query that reads nothing."""
    spans = f"FROM thread_spans WHERE process_id = '{spans_of}'"
    logs = f"FROM log_entries WHERE process_id = '{logs_of}'"
    rows = f'SELECT "begin", "end", id, parent, depth {spans}'
    texts = f"SELECT time, level, target, msg {logs}"
    with tachy.connect(server.flight, url=server.http) as connection:
        tables = {b"rows": connection.query(rows), b"logs": connection.query(texts), b"one": pa.table({"one": [1]})}
        found = [tables[b"rows"].num_rows, tables[b"logs"].num_rows]
        if found != [SPANS, LOGS * LOG_BLOCKS]:
            raise RuntimeError(f"{found} rows of {SPANS} spans and {LOGS * LOG_BLOCKS} logs")
        with Measured(connection, tables) as measured:
            streamed, sent = measured.seconds(rows, b"rows", 1, ROUNDS)
            read, sent_logs = measured.seconds(texts, b"logs", 1, ROUNDS)
            one, get = measured.seconds("SELECT 1", b"one", 200)
        summed = best(lambda: connection.query(f"SELECT sum(duration), count(*) {spans}"))
    return {
        "span_rows": rate(SPANS, streamed, sent),
        "log_rows": rate(LOGS * LOG_BLOCKS, read, sent_logs),
        "span_aggregate": {"rows_per_second": SPANS / summed, "least_of_ready": sent / summed},
        "select_1": {"ms": one * 1e3, "ready_ms": get * 1e3, "of_ready": one / get},
    }


def rate(rows: int, seconds: float, ready: float) -> dict[str, float]:
    """Rows that come out of a query, beside the same rows ready."""
    return {
        "rows_per_second": rows / seconds,
        "ready_rows_per_second": rows / ready,
        "least_of_ready": ready / seconds,
    }


def trace(server: Server, process_id: uuid.UUID) -> Cases:
    """A Perfetto trace over HTTP, beside the same bytes sent by nobody who had to make them."""
    size = 0

    def download() -> None:
        nonlocal size
        with httpx.stream("GET", f"{server.http}/api/processes/{process_id}/trace", timeout=120) as response:
            response.raise_for_status()
            size = sum(len(part) for part in response.iter_raw())

    seconds = best(download, 3)
    ready = Ready({b"bytes": pa.table({"bytes": [bytes(1 << 20)] * (size >> 20)})})
    thread = threading.Thread(target=ready.serve, daemon=True)
    thread.start()
    with flight.connect(f"grpc://127.0.0.1:{ready.port}") as raw:
        sent = best(lambda: raw.do_get(flight.Ticket(b"bytes")).read_all(), 3)
    ready.shutdown()
    thread.join()
    return {
        "trace": {
            "mb_per_second": size / seconds / 1e6,
            "spans_per_second": SPANS / seconds,
            "bytes_per_span": size / SPANS,
            "least_of_ready": sent / seconds,
        }
    }


def main() -> int:
    """Starts a server that keeps no decoded blocks, so that every query decodes; measures, writes, judges."""
    about = machine()
    with (
        tempfile.TemporaryDirectory(prefix="tachy-bench-") as name,
        Server(Path(name) / "data", "--query-cache", "0") as server,
    ):
        cases = measure(server, Path(name))
    return finish("server", cases, about)


def measure(server: Server, folder: Path) -> Cases:
    """All of the suite; `folder` is on the server's disk."""
    from bench import (  # they use this module
        decoding,
        merging,
        page,
        server_keys,
        server_metadata,
        server_visible,
        server_workers,
    )

    process_id = record(server)
    cases = queries(server, process_id, send_logs(server)) | trace(server, process_id) | ingest(server, folder)
    cases |= (
        server_visible.visible(server)
        | page.flame(server)
        | merging.cases()
        | decoding.cases()
        | server_metadata.joins(server)
        | server_metadata.metadata(server)
        | server_workers.cases()
    )
    return cases | server_keys.keys(folder)


if __name__ == "__main__":
    sys.exit(main())
