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

from tachy_server.base.bodies import BusyError, Disconnected, TooSlow
from tachy_server.base.errors import ConflictError, Denied, FormatError, StoreError, TachyError
from tachy_server.http import pages
from tachy_server.http.guard import WHO, Guard, Refused, check_content_type, credentials, refusal
from tachy_server.ingest.ingest import Receipt
from tachy_server.lake.control import HEADER
from tachy_server.services import Services

BATCH_PATH = "/ingest/v1/batch"
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Need no key: a balancer has none."""
_NO_HEADERS: Mapping[str, str] = {}
# A client that looks stops sending; one that does not is read on for a while (protocol.py).
_CLOSE = {"connection": "close"}
_STATUS: tuple[tuple[type[TachyError], tuple[int, Mapping[str, str]]], ...] = (
    (FormatError, (400, _NO_HEADERS)),
    (ConflictError, (409, _NO_HEADERS)),
    (TooSlow, (408, _CLOSE)),
    (BusyError, (503, {"retry-after": "1"})),
    (StoreError, (503, {"retry-after": "2"})),
)
_READY_SECONDS = 10.0
STOPPING = "The server is stopping."


def make_app(services: Services, routes: list[BaseRoute]) -> ASGIApp:
    """The whole HTTP side."""
    return _Front(services, _rest(services, routes))


class _Front:
    """Takes batches itself: Starlette would cost a quarter of the requests per second."""

    def __init__(self, services: Services, rest: ASGIApp) -> None:
        self._guard = Guard(services.settings)
        self._door = services.door
        self._ingest = services.ingest
        self._settings = services.settings
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            self._guard.check(scope)
            path = scope["path"]
            if path not in OPEN_PATHS and not pages.is_open(path):
                self._enter(scope, path)
            if path != BATCH_PATH:
                await self._rest(scope, receive, noting)
                return
            receipt = await self._batch(scope, receive)
        except Disconnected:
            return
        except asyncio.CancelledError:  # the server stops: it has waited long enough, and asks only that this ends
            if not started:
                await _send(send, 503, {"error": STOPPING}, {"retry-after": "2"} | _CLOSE)
        except Denied as denied:
            answer = refusal(denied)
            await _send(send, answer.status, {"error": str(answer)}, answer.headers)
        except Refused as refused:
            answer = self._limited(refused, scope) if refused.reason else refused
            await _send(send, answer.status, {"error": str(answer)}, answer.headers)
        except (FormatError, ConflictError, TooSlow, BusyError, StoreError) as error:
            status, headers = next(answer for kind, answer in _STATUS if isinstance(error, kind))
            await _send(send, status, {"error": str(error)}, headers)
        else:
            content = {"batch_id": str(receipt.batch_id), "status": receipt.status.value}
            await _send(send, 200, content, {HEADER: receipt.control} if receipt.control else _NO_HEADERS)

    def _limited(self, refused: Refused, scope: Scope) -> Refused:
        """The refusal, or that the address has had too many."""
        client = scope.get("client")
        denied = self._door.refusals.answer(Denied(refused.reason, str(refused)), client[0] if client else "")
        return refusal(denied) if denied.reason == "rate" else refused

    def _enter(self, scope: Scope, path: str) -> None:
        """Raises Denied, for every path that there is or is not; routes ask for the scope that they need."""
        authorization, address = credentials(scope)
        who = self._door.enter(authorization, address)
        if path == BATCH_PATH:
            self._door.check(who, "ingest", address)
        scope[WHO] = who

    async def _batch(self, scope: Scope, receive: Receive) -> Receipt:
        if self._ingest is None:
            raise Refused(404, "this server does not take batches: it runs without the role ingest")
        if scope["method"] != "POST":
            raise Refused(405, "batches are sent with POST", {"allow": "POST"})
        headers = dict(scope["headers"])
        check_content_type(headers, "application/octet-stream")
        size = self._declared_size(headers)
        with self._ingest.bodies.share() as share:
            body = await share.read(receive, self._settings, size)
            if len(body) != size:
                raise FormatError(f"the batch has {len(body)} bytes, its content-length says {size}")
            return await self._ingest.submit(body, scope[WHO].stamp)

    def _declared_size(self, headers: Mapping[bytes, bytes]) -> int:
        """The body's size by its head, before anything of it is read."""
        declared = headers.get(b"content-length", b"")
        if not declared.isdigit():
            raise Refused(411, "send the batch with a content-length", _CLOSE)
        size = int(declared)
        limit = self._settings.max_batch_bytes
        if size > limit:
            raise Refused(413, f"the batch has {size} bytes, the limit is {limit}: send less at once", _CLOSE)
        return size


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
    everything = [*health, *routes, *pages.routes(services.settings.notebooks)]
    return Starlette(routes=everything, exception_handlers={HTTPException: refused, Exception: refused})
