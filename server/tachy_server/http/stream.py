"""A streamed HTTP answer whose bytes are made in a thread, and whose work stops when the client leaves.

Errors before the first bytes become a JSON answer with their status; later ones cut the connection, unless the producer
writes them into its own format.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Generator, Mapping
from typing import TypeVar, TypeVarTuple

import anyio
from anyio import to_thread
from anyio.lowlevel import RunVar
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tachy_server.base.bodies import BusyError, TooLarge, TooSlow
from tachy_server.base.errors import Denied, NotFound, StoreError, TachyError, error_text
from tachy_server.http.guard import Refused, refusal

log = logging.getLogger(__name__)

STREAM_THREADS = 32
_threads: RunVar[anyio.CapacityLimiter | None] = RunVar("tachy_stream_threads")  # one per event loop


_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (TooLarge, 413),
    (TooSlow, 408),
    (BusyError, 503),
    (NotFound, 404),
    (StoreError, 503),
    (TachyError, 400),
)


def error_answer(error: Exception) -> JSONResponse:
    """{"error": …} with its status."""
    if isinstance(error, Denied):
        error = refusal(error)
    if isinstance(error, Refused):
        return JSONResponse({"error": error_text(error)}, error.status, error.headers)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return JSONResponse({"error": error_text(error)}, status, {"retry-after": "1"} if status == 503 else None)


T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


async def in_stream_thread(function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Run what may wait for a query in the threads that wait for queries, so that nothing else waits for a thread."""
    threads = _threads.get(None)
    if threads is None:
        threads = anyio.CapacityLimiter(STREAM_THREADS)
        _threads.set(threads)
    return await to_thread.run_sync(function, *arguments, limiter=threads)


class Left:
    """What is to be done when a client has left; done at once when it has. Call it when the client leaves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: list[Callable[[], None]] | None = []

    def then(self, work: Callable[[], None]) -> None:
        """Do something short, from any thread."""
        with self._lock:
            if self._work is not None:
                self._work.append(work)
                return
        work()

    def __call__(self) -> None:
        """The client has left."""
        with self._lock:
            work, self._work = self._work, None
        for step in work or ():
            step()


class ThreadStream(Response):
    """Sends what `chunks` yields. `stop` makes a blocked `chunks` come back soon; it may be called more than once."""

    def __init__(
        self,
        chunks: Generator[bytes, None, None],
        stop: Callable[[], None],
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._chunks = chunks
        self._stop = stop
        self.background = None
        self.status_code = 200
        self.media_type = media_type
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        gone = False

        async def watch() -> None:
            nonlocal gone
            try:
                while (await receive())["type"] != "http.disconnect":
                    pass
                gone = True
            finally:
                self._stop()

        head_only = scope["method"] == "HEAD"
        started = False
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch)
                try:
                    chunk = await self._next()
                    await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    started = True
                    while chunk is not None and not gone and not head_only:
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                        chunk = await self._next()
                    if not gone:
                        await send({"type": "http.response.body", "body": b"", "more_body": False})
                except OSError:
                    gone = True
                except Exception as error:
                    if gone:
                        return
                    if not started:
                        await error_answer(error)(scope, receive, send)
                    else:  # returning early makes the HTTP server cut the connection
                        log.warning("a streamed answer broke off: %s", error)
                finally:
                    tasks.cancel_scope.cancel()
        finally:
            self._stop()
            with contextlib.suppress(ValueError):  # a thread that was left behind is in it, and ends it
                self._chunks.close()

    async def _next(self) -> bytes | None:
        return await in_stream_thread(next, self._chunks, None)
