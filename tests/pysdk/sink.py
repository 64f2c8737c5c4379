"""A server for tests that keeps what it is sent, checks every batch with the real reader, and answers as it is told."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

from tachy_server.formats import reader

from tests.reader.parts import parts, zstd_blocks

LOG, METRIC, SPAN = 1, 2, 3
CLASSES = {"log": LOG, "metric": METRIC, "span": SPAN}
READ = {
    "span": (SPAN, reader.read_spans),
    "async": (SPAN, reader.read_async),
    "log": (LOG, reader.read_logs),
    "image": (LOG, reader.read_images),
    "metric": (METRIC, reader.read_metrics),
}


class Answer(NamedTuple):
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    body: str = '{"status": "stored"}'
    delay: float = 0.0


class Sink:
    """A context manager; `url` is where it listens."""

    def __init__(
        self, answers: Callable[[int], Answer] | None = None, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.answers = answers or (lambda number: Answer())
        self.batches: list[bytes] = []  # taken: answered with 200, the same batch once
        self.requests: list[tuple[float, str, int]] = []  # time, path, status
        self.headers: list[Mapping[str, str]] = []  # of each request
        self.connections = 0
        self._ids: set[Any] = set()
        self._lock = threading.Lock()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                sink.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with sink._lock:
                    sink.headers.append({name.lower(): value for name, value in self.headers.items()})
                    answer = sink.answers(len(sink.requests))
                    sink.requests.append((time.monotonic(), self.path, answer.status))
                    if answer.status == 200:
                        batch_id = reader.check_batch(body).batch_id
                        if batch_id not in sink._ids:
                            sink._ids.add(batch_id)
                            sink.batches.append(body)
                time.sleep(answer.delay)
                data = answer.body.encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that was killed, or has closed

        self._server = Server(("127.0.0.1", port), Handler)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Sink:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def heads(self) -> list[Any]:
        """BatchHead of every batch that was taken."""
        return [reader.check_batch(batch) for batch in self.batches]

    def events(self) -> Counter[str]:
        """Events by class, as the block headers count them."""
        count: Counter[str] = Counter()
        names = {number: name for name, number in CLASSES.items()}
        for head in self.heads():
            for _, _, block in head.blocks:
                count[names[block.cls]] += block.events
        return count

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Decoded rows of "span", "async", "log" or "metric" with `thread` as the thread's name. Times stay Arrow's."""
        cls, read = READ[kind]
        out: list[dict[str, Any]] = []
        for block, head, stored in self.blocks():
            if block.cls != cls:
                continue
            body = reader.decompress(block.codec, stored, block.raw_size)
            found = read(head, body, begin=None, end=None)
            names = [thread.name for thread in block.threads]
            for row in _plain(found):
                row["thread"] = names[row["thread"]]
                row["properties"] = json.loads(row.get("properties") or "{}")
                out.append(row)
        return out

    def blocks(self) -> Iterator[tuple[reader.BlockHead, bytes, bytes]]:
        """Of each block: what its head says, the head, the body as it is stored."""
        for batch in self.batches:
            for offset, _, block in reader.check_batch(batch).blocks:
                at = offset + block.header_size
                yield block, batch[offset:at], batch[at : at + block.stored_size]

    def check_parts(self) -> None:
        """Each part of a compressed body has codes of its own, and there is one with several."""
        most = 0
        for block, _, stored in self.blocks():
            if block.codec == 1:
                count = len(parts(bytes(reader.decompress(block.codec, stored, block.raw_size))))
                assert zstd_blocks(stored) >= count
                most = max(most, count)
        assert most > 1


def _plain(batch: Any) -> list[dict[str, Any]]:
    import pyarrow as pa

    columns = []
    for column in batch.columns:
        is_time = pa.types.is_timestamp(column.type)
        columns.append((column.cast(pa.int64()) if is_time else column).to_pylist())
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]
