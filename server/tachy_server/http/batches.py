"""POST /ingest/v1/batch.

A small batch that comes whole within a second, as nearly all do, is handed to ingest by the connection itself
(protocol.py), and answered from there: a task of the event loop for each, and what ASGI passes to and fro, would be a
third of what ingest costs. Every other one is a request as all are, and goes through the app.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.types import Receive, Scope

from tachy_server.access.door import Door
from tachy_server.base.bodies import BusyError, TooSlow
from tachy_server.base.errors import ConflictError, FormatError, StoreError, TachyError
from tachy_server.base.settings import Settings
from tachy_server.http.guard import WHO, Refused, check_content_type, credentials
from tachy_server.ingest.ingest import Ingest, Receipt
from tachy_server.lake.control import HEADER

BATCH_PATH: Final = "/ingest/v1/batch"
CLOSE: Final = {"connection": "close"}
"""A client that looks stops sending; one that does not is read on for a while (protocol.py)."""
NO_HEADERS: Final[Mapping[str, str]] = {}
REFUSED: Final = "tachy.refused"
"""Where the ASGI scope has why the request is refused, if that is known already."""

_DIRECT_BYTES: Final = 128 << 10  # of a body
_ROOM: Final = "tachy.room"  # what it takes of the budget
_STATUS: Final[tuple[tuple[type[TachyError], tuple[int, Mapping[str, str]]], ...]] = (
    (FormatError, (400, NO_HEADERS)),
    (ConflictError, (409, NO_HEADERS)),
    (TooSlow, (408, CLOSE)),
    (BusyError, (503, {"retry-after": "1"})),
    (StoreError, (503, {"retry-after": "2"})),
)

Answer = tuple[int, dict[str, Any], Mapping[str, str]]
"""Status, content and headers."""

STOPPED: Final[Answer] = (503, {"error": "The server is stopping."}, {"retry-after": "2"} | CLOSE)


def answer_to(result: Receipt | TachyError) -> Answer:
    """What the sender of a batch is told. Errors of other kinds are raised."""
    if isinstance(result, Receipt):
        control = {HEADER: result.control} if result.control else NO_HEADERS
        return 200, {"batch_id": str(result.batch_id), "status": result.status.value}, control
    for kind, (status, headers) in _STATUS:
        if isinstance(result, kind):
            return status, {"error": str(result)}, headers
    raise result


class Batches:
    """Made for one event loop."""

    def __init__(self, ingest: Ingest | None, settings: Settings, door: Door, enter: Callable[[Scope], None]) -> None:
        """`enter` lets a request in, as the app does with each: it raises Refused or Denied."""
        self._ingest, self._settings, self._door, self._enter = ingest, settings, door, enter

    async def receive(self, scope: Scope, receive: Receive) -> Receipt:
        """Of a request that has been let in. Raises what answer_to takes, Refused, Denied or Disconnected."""
        ingest, size = self._check(scope)
        with ingest.bodies.share() as share:
            body = await share.read(receive, self._settings, size)
            if len(body) != size:
                raise FormatError(f"the batch has {len(body)} bytes, its content-length says {size}")
            return await ingest.submit(body, scope[WHO].stamp)

    def admits(self, scope: Scope) -> bool:
        """Whether the connection waits for the request's body, for which there is room from now on: `take` or `drop`
        gives that back. Otherwise it is the app's, which finds a refusal in the scope; so is everything while bodies
        have half of their room, of which the app takes only what has come.
        """
        if scope["path"] != BATCH_PATH:
            return False
        try:
            self._enter(scope)
            ingest, size = self._check(scope)
        except TachyError as error:
            scope[REFUSED] = error
            return False
        room = ingest.bodies
        if size > _DIRECT_BYTES or room.used + size > room.size // 2 or not room.take(size):
            return False
        scope[_ROOM] = room, size
        return True

    def drop(self, scope: Scope) -> None:
        """The connection waits no longer."""
        budget, size = scope.pop(_ROOM)
        budget.give(size)

    def take(self, scope: Scope, body: bytes, send: Callable[[Answer], None]) -> None:
        """The whole body of a request that was admitted; `send` answers it, when the batch is durable or refused."""

        def answered(result: Receipt | TachyError) -> None:
            self.drop(scope)
            send(answer_to(result))

        assert self._ingest is not None
        self._ingest.take(body, scope[WHO].stamp, answered)

    def _check(self, scope: Scope) -> tuple[Ingest, int]:
        """The body's size by its head, before anything of it is read."""
        self._door.check(scope[WHO], "ingest", credentials(scope)[1])
        if self._ingest is None:
            raise Refused(404, "this server does not take batches: it runs without the role ingest")
        if scope["method"] != "POST":
            raise Refused(405, "batches are sent with POST", {"allow": "POST"})
        headers = dict(scope["headers"])
        check_content_type(headers, "application/octet-stream")
        declared = headers.get(b"content-length", b"")
        if not declared.isdigit():
            raise Refused(411, "send the batch with a content-length", CLOSE)
        size = int(declared)
        limit = self._settings.max_batch_bytes
        if size > limit:
            raise Refused(413, f"the batch has {size} bytes, the limit is {limit}: send less at once", CLOSE)
        return self._ingest, size
