"""An S3 server that fails as a network does: a proxy that cuts, stalls, slows or refuses chosen requests."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

Fault = str  # "cut", "hang", "trickle", "500", "reset", or "" for none


class FaultyS3(http.server.ThreadingHTTPServer):
    """`faults(method, path)` says what becomes of a request; `tried` counts them, `failed` those with a fault."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(behind).netloc
        self.faults: Callable[[str, str], Fault] = lambda method, path: ""
        self.tried = self.failed = self.deletes = 0
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def faulty(behind: str) -> Iterator[FaultyS3]:
    server = FaultyS3(behind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FaultyS3
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        self.server.tried += 1
        self.server.deletes += self.command == "DELETE"
        fault = self.server.faults(self.command, self.path)
        self.server.failed += fault != ""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if fault == "reset":
            self.close_connection = True
            return
        if fault == "500":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        connection = http.client.HTTPConnection(self.server.behind)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if fault == "lost":  # done, but nobody hears of it
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        half = len(data) // 2
        if fault == "cut":
            self.wfile.write(data[:half])
            self.close_connection = True
        elif fault == "hang":
            self.wfile.write(data[:half])
            self.wfile.flush()
            self.server.over.wait()
            self.close_connection = True
        elif fault == "trickle":
            for byte in data:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.server.over.wait(0.02):
                    break
            self.close_connection = True
        else:
            self.wfile.write(data)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass
