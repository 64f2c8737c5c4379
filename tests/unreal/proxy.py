"""A server that stands between a game and the real one: it remembers every request, and passes it on.

with Proxy(server.http) as proxy: play(built, "Session", proxy.url, folder); proxy.requests[0]["x-ticket"]
"""

from __future__ import annotations

import http.server
import threading
from pathlib import Path
from types import TracebackType

import httpx

HOP = {"connection", "content-length", "transfer-encoding", "host"}


class Proxy:
    """`busy`: so many requests are answered with 503 and a minute's pause; then `told` is written."""

    def __init__(self, target: str, busy: int = 0, told: Path | None = None) -> None:
        self.requests: list[dict[str, str]] = []
        """Headers by their names in small letters."""
        self._target = target
        self._busy = busy
        self._told = told

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers["content-length"]))
        self.requests.append(headers)
        if len(self.requests) <= self._busy:
            handler.send_response(503)
            handler.send_header("Retry-After", "60")
            content = b""
        else:
            kept = {name: value for name, value in headers.items() if name not in HOP}
            answer = httpx.post(self._target + handler.path, content=body, headers=kept, timeout=30)
            handler.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in HOP:
                    handler.send_header(name, value)
            content = answer.content
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
        if len(self.requests) == self._busy and self._told:
            self._told.write_text("busy")

    def __enter__(self) -> Proxy:
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                proxy._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
