"""The HTTP side: batches straight on ASGI, everything else (health, and the routes of api.py) in a Starlette app.

Answers that are not 2xx are {"error": "one sentence"}.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tachy_server.control import HEADER
from tachy_server.errors import FormatError, StoreError
from tachy_server.ingest import BusyError, Receipt
from tachy_server.services import Services

BATCH_PATH = "/ingest/v1/batch"
_NO_HEADERS: Mapping[str, str] = {}
_READY_SECONDS = 10.0


class _Refusal(Exception):  # noqa: N818 - an answer
    """The request is answered with this status and sentence."""

    def __init__(self, status: int, sentence: str, *, close: bool = False, allow: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {"allow": allow} if allow else {}
        if close:  # a client that looks stops sending; one that does not is read on for a while (http_protocol.py)
            self.headers["connection"] = "close"


class _Disconnected(Exception):  # noqa: N818 - nobody is there to be told of an error
    """The client has gone before its body was whole."""


def make_app(services: Services, routes: list[BaseRoute]) -> ASGIApp:
    """The whole HTTP side."""
    return _Front(services, _rest(services, routes))


class _Front:
    """Takes batches itself: Starlette would cost a quarter of the requests per second."""

    def __init__(self, services: Services, rest: ASGIApp) -> None:
        self._ingest = services.ingest
        self._settings = services.settings
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != BATCH_PATH:
            await self._rest(scope, receive, send)
            return
        try:
            receipt = await self._batch(scope, receive)
        except _Disconnected:
            return
        except _Refusal as refusal:
            await _send(send, refusal.status, {"error": str(refusal)}, refusal.headers)
        except FormatError as error:
            await _send(send, 400, {"error": str(error)})
        except BusyError as error:
            await _send(send, 503, {"error": str(error)}, {"retry-after": "1"})
        except StoreError as error:
            await _send(send, 503, {"error": str(error)}, {"retry-after": "2"})
        else:
            answer = {"batch_id": str(receipt.batch_id), "status": receipt.status.value}
            await _send(send, 200, answer, {HEADER: receipt.control} if receipt.control else _NO_HEADERS)

    async def _batch(self, scope: Scope, receive: Receive) -> Receipt:
        if self._ingest is None:
            raise _Refusal(404, "this server does not take batches: it runs without the role ingest")
        if scope["method"] != "POST":
            raise _Refusal(405, "batches are sent with POST", allow="POST")
        size = self._declared_size(scope)
        await self._ingest.room.take(size, self._settings.ingest_queue_wait)
        try:
            body = await self._read(receive, size)
            return await self._ingest.submit(body)
        finally:
            self._ingest.room.give(size)

    def _declared_size(self, scope: Scope) -> int:
        """The body's size by its head, before anything of it is read."""
        headers = dict(scope["headers"])
        encoding = headers.get(b"content-encoding", b"identity")
        if encoding != b"identity":
            name = encoding.decode("latin-1")
            raise _Refusal(415, f"send the batch without content-encoding {name}: its blocks are compressed already")
        declared = headers.get(b"content-length", b"")
        if not declared.isdigit():
            raise _Refusal(411, "send the batch with a content-length", close=True)
        size = int(declared)
        limit = self._settings.max_batch_bytes
        if size > limit:
            raise _Refusal(413, f"the batch has {size} bytes, the limit is {limit}: send less at once", close=True)
        return size

    async def _read(self, receive: Receive, size: int) -> bytes:
        pause = self._settings.body_timeout
        parts: list[bytes] = []
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(pause) as timeout:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Disconnected
                    parts.append(message.get("body", b""))
                    if not message.get("more_body", False):
                        break
                    timeout.reschedule(loop.time() + pause)
        except TimeoutError:
            raise _Refusal(408, f"the batch has not come on for {pause:g} s", close=True) from None
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if len(body) != size:
            raise _Refusal(400, f"the batch has {len(body)} bytes, its content-length says {size}")
        return body


async def _send(send: Send, status: int, content: dict[str, Any], headers: Mapping[str, str] = _NO_HEADERS) -> None:
    body = json.dumps(content).encode()
    start: Message = {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((name.encode(), value.encode()) for name, value in headers.items()),
        ],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _rest(services: Services, routes: list[BaseRoute]) -> Starlette:
    async def healthz(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> JSONResponse:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                problems = await asyncio.to_thread(services.problems)
        except TimeoutError:
            problems = {"server": f"PostgreSQL and the store have not answered within {_READY_SECONDS:g} s"}
        if problems:
            return JSONResponse({"status": "not ready", "problems": problems}, 503, {"retry-after": "2"})
        return JSONResponse({"status": "ready"})

    async def refused(request: Request, error: Exception) -> JSONResponse:
        status, sentence = 500, "the server failed at this; its log says more"
        headers = None
        if isinstance(error, HTTPException):
            status, headers = error.status_code, error.headers
            sentence = f"{request.method} {request.url.path}: {error.detail.lower()}"
        return JSONResponse({"error": sentence}, status, headers)

    health = [Route("/healthz", healthz), Route("/readyz", readyz)]
    return Starlette(routes=[*health, *routes], exception_handlers={HTTPException: refused, Exception: refused})
