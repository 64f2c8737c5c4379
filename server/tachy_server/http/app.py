"""The HTTP side: batches (batches.py), and everything else (health, and the routes of api.py) in a Starlette app.

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
from tachy_server.base.errors import ConflictError, Denied, FormatError, StoreError
from tachy_server.http import pages
from tachy_server.http.batches import BATCH_PATH, REFUSED, STOPPED, Batches, answer_to
from tachy_server.http.guard import WHO, Guard, Refused, credentials, refusal
from tachy_server.services import Services

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Need no key: a balancer has none."""
_READY_SECONDS = 10.0


def make_app(services: Services, routes: list[BaseRoute]) -> Front:
    """The whole HTTP side."""
    return Front(services, _rest(services, routes))


class Front:
    """Lets requests in, and takes batches itself: Starlette would cost a quarter of the requests per second."""

    def __init__(self, services: Services, rest: ASGIApp) -> None:
        self._guard = Guard(services.settings)
        self._door = services.door
        self._rest = rest
        self.batches = Batches(services.ingest, services.settings, services.door, self._enter)
        """For the connections."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request."""
        if scope["type"] != "http":
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if REFUSED in scope:
                raise scope[REFUSED]
            self._enter(scope)
            if scope["path"] != BATCH_PATH:
                await self._rest(scope, receive, noting)
                return
            receipt = await self.batches.receive(scope, receive)
        except Disconnected:
            return
        except asyncio.CancelledError:  # the server stops: it has waited long enough, and asks only that this ends
            if not started:
                await _send(send, *STOPPED)
        except Denied as denied:
            await _refuse(send, refusal(denied))
        except Refused as refused:
            await _refuse(send, self._limited(refused, scope) if refused.reason else refused)
        except (FormatError, ConflictError, TooSlow, BusyError, StoreError) as error:
            await _send(send, *answer_to(error))
        else:
            await _send(send, *answer_to(receipt))

    def _limited(self, refused: Refused, scope: Scope) -> Refused:
        """The refusal, or that the address has had too many."""
        client = scope.get("client")
        denied = self._door.refusals.answer(Denied(refused.reason, str(refused)), client[0] if client else "")
        return refusal(denied) if denied.reason == "rate" else refused

    def _enter(self, scope: Scope) -> None:
        """Who asks is in the scope from then on. Raises Refused, and Denied for every path that there is or is not;
        routes ask for the scope of keys that they need.
        """
        self._guard.check(scope)
        path = scope["path"]
        if path not in OPEN_PATHS and not pages.is_open(path):
            scope[WHO] = self._door.enter(*credentials(scope))


async def _refuse(send: Send, refused: Refused) -> None:
    await _send(send, refused.status, {"error": str(refused)}, refused.headers)


async def _send(send: Send, status: int, content: dict[str, Any], headers: Mapping[str, str]) -> None:
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
