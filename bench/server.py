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

from bench.budgets import Cases, finish, machine
from tests.model.encoder import Process
from tests.model.records import xxh64
from tests.serving import Server

BATCH = 64 << 10
SENDERS = 32
REQUESTS = 1_000  # per round
SPANS = 2_000_000
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
    size = int.from_bytes(block[8:12], "little")
    head = bytearray(block[:size])
    head[40:48] = sequence.to_bytes(8, "little")
    head[160:168] = bytes(8)
    head[160:168] = xxh64(bytes(head)).to_bytes(8, "little")
    return bytes(head) + block[size:]


async def send_all(url: str, batches: Iterator[bytes]) -> list[float]:
    """Posts the batches over SENDERS connections; seconds of each request."""
    where = urlsplit(url)
    taken: list[float] = []

    async def sender() -> None:
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        for batch in batches:
            head = "POST /ingest/v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\n"
            head += f"content-length: {len(batch)}\r\n\r\n"
            begin = time.perf_counter()
            writer.write(head.encode() + batch)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the server answered {answer!r}")
            lines = answer.lower().split(b"\r\n")
            length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
            await reader.readexactly(length)
            taken.append(time.perf_counter() - begin)
        writer.close()

    await asyncio.gather(*[sender() for _ in range(SENDERS)])
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
    writes, rates, taken = [], [], []
    for part in range(ROUNDS):  # interleaved: a disk has good and bad seconds
        writes.append(fsynced_writes(folder, block))
        batches = (process.batch([numbered(block, part * REQUESTS + i)]) for i in range(REQUESTS))
        begin = time.perf_counter()
        taken += asyncio.run(send_all(server.http, batches))
        rates.append(REQUESTS / (time.perf_counter() - begin))
    rate = max(rates)
    taken.sort()
    return {
        "ingest": {
            "requests_per_second": rate,
            "batch_bytes": float(len(block)),
            "raw_writes_per_second": max(writes),
            "least_of_raw_writes": rate / max(writes),
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


def queries(server: Server, process_id: uuid.UUID) -> Cases:
    """Decoding of spans, and the price of a query that reads nothing."""
    where = f"FROM thread_spans WHERE process_id = '{process_id}'"
    rows = f'SELECT "begin", "end", id, parent, depth {where}'
    total = f"SELECT sum(duration), count(*) {where}"
    with tachy.connect(server.flight, url=server.http) as connection:
        table = connection.query(rows)
        if table.num_rows != SPANS:
            raise RuntimeError(f"{table.num_rows} rows of {SPANS} spans")
        ready = Ready({b"rows": table, b"one": pa.table({"one": [1]})})
        thread = threading.Thread(target=ready.serve, daemon=True)
        thread.start()
        with flight.connect(f"grpc://127.0.0.1:{ready.port}") as raw:
            streamed, sent, summed = [], [], []
            for _ in range(ROUNDS):  # interleaved
                sent.append(best(lambda: raw.do_get(flight.Ticket(b"rows")).read_all(), 1))
                streamed.append(best(lambda: connection.query(rows), 1))
                summed.append(best(lambda: connection.query(total), 1))
            one = best(lambda: connection.query("SELECT 1"), 200)
            get = best(lambda: raw.do_get(flight.Ticket(b"one")).read_all(), 200)
        ready.shutdown()
        thread.join()
    return {
        "span_rows": {
            "rows_per_second": SPANS / min(streamed),
            "ready_rows_per_second": SPANS / min(sent),
            "least_of_ready": min(sent) / min(streamed),
        },
        "span_aggregate": {"rows_per_second": SPANS / min(summed), "least_of_ready": min(sent) / min(summed)},
        "select_1": {"ms": one * 1e3, "ready_ms": get * 1e3, "of_ready": one / get},
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
    """Starts a server, measures, writes, judges."""
    about = machine()
    with tempfile.TemporaryDirectory(prefix="tachy-bench-") as name, Server(Path(name) / "data") as server:
        process_id = record(server)
        cases = queries(server, process_id) | trace(server, process_id) | ingest(server, Path(name))
    return finish("server", cases, about)


if __name__ == "__main__":
    sys.exit(main())
