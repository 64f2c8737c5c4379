"""Bodies of requests: how many bytes of them may be in memory at once, and how long they may take to come.

Room is taken for the bytes that have come, not for those that are announced, but for small batches, for a second and
half of the room (http/batches.py). Who finds none waits, in order; meanwhile bodies that hold more and do not come on
are sent away, if that makes room, so that slow clients cannot keep others out.
"""

from __future__ import annotations

import asyncio
import collections
from types import TracebackType

from starlette.types import Receive

from tachy_server.base.errors import TachyError
from tachy_server.base.settings import Settings

_PROGRESS = 64 << 10  # bytes
_STALLED = 1.0  # seconds without that progress


class BusyError(TachyError):
    """There is no room for another body now; the client should send it again later."""


class TooLarge(TachyError):  # noqa: N818 - reads as the answer it is
    """More bytes than the request may have."""


class TooSlow(TachyError):  # noqa: N818 - reads as the answer it is
    """The body has not come in its time."""


class Disconnected(Exception):  # noqa: N818 - nobody is there to be told of an error
    """The client has gone before its body was whole."""


class MemoryBudget:
    """So many bytes of bodies may be in memory at once. For one event loop."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0
        self._waiting: collections.deque[tuple[int, asyncio.Future[None]]] = collections.deque()
        self._coming: set[Share] = set()

    @property
    def full(self) -> bool:
        """Somebody waits for budget."""
        return bool(self._waiting)

    def share(self) -> Share:
        """What one body takes of it; a context that gives it back."""
        return Share(self)

    def take(self, size: int) -> bool:
        """So many bytes of it, if there is room and nobody waits for any."""
        if self._waiting or self.used + size > self.size:
            return False
        self.used += size
        return True

    def give(self, size: int) -> None:
        """Back, to who waits for it."""
        self.used -= size
        while self._waiting and self.used + self._waiting[0][0] <= self.size:
            size, future = self._waiting.popleft()
            self.used += size
            future.set_result(None)


class Share:
    """One body's part of a budget."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._held = 0
        self._progress = 0
        self._moved = 0.0
        self._timer: asyncio.Timeout | None = None
        self._sent_away = False

    def __enter__(self) -> Share:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._budget.give(self._held)

    async def read(self, receive: Receive, settings: Settings, limit: int) -> bytes:
        """The whole body. Raises TooLarge, TooSlow, BusyError or Disconnected.

        In every `body_timeout` seconds it has to come on by body_rate * body_timeout bytes; the time that it waits for
        room does not count.
        """
        loop = asyncio.get_running_loop()
        pause, step = settings.body_timeout, settings.body_rate * settings.body_timeout
        self._moved = loop.time()
        end = self._moved + settings.body_seconds
        body: bytes | bytearray = b""
        mark = step
        self._budget._coming.add(self)
        try:
            async with asyncio.timeout_at(min(end, self._moved + pause)) as self._timer:
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Disconnected
                    part = message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) + len(part) > limit:
                        raise TooLarge(f"The body is larger than the {limit} bytes that a request may have.")
                    if self._sent_away:
                        raise TimeoutError
                    waited = 0.0
                    if part and not self._take(len(part)):
                        self._timer.reschedule(None)
                        waited = await self._wait(len(part), settings.ingest_queue_wait)
                        end += waited
                    if body:  # not a list of parts, each of which would cost more than its byte
                        body = body if isinstance(body, bytearray) else bytearray(body)
                        body += part
                    else:
                        body = part
                    if waited or (part and len(body) >= mark):
                        mark = len(body) + step
                        self._timer.reschedule(min(end, loop.time() + pause))
        except TimeoutError:
            if self._sent_away:
                raise BusyError(
                    "the server needs the room of this body, which does not come on: send it again"
                ) from None
            if loop.time() >= end:
                raise TooSlow(f"the body has not come within {settings.body_seconds:g} s") from None
            raise TooSlow(f"the body has not come on for {pause:g} s at {settings.body_rate} bytes/s or more") from None
        finally:
            self._budget._coming.discard(self)
        return bytes(body)

    def _take(self, size: int) -> bool:
        if not self._budget.take(size):
            return False
        self._came(size)
        return True

    def _came(self, size: int) -> None:
        self._held += size
        self._progress += size
        if self._progress >= _PROGRESS:
            self._progress = 0
            self._moved = asyncio.get_running_loop().time()

    async def _wait(self, size: int, seconds: float) -> float:
        """Waits for room for as long; returns for how long. Raises BusyError."""
        budget, loop = self._budget, asyncio.get_running_loop()
        begin = loop.time()
        entry = (size, loop.create_future())
        budget._waiting.append(entry)
        try:
            while not entry[1].done():
                left = begin + seconds - loop.time()
                if left <= 0:
                    raise BusyError("the server has more batches than it can hold: send this one again later")
                self._make_room(entry)
                await asyncio.wait([entry[1]], timeout=min(left, _STALLED))
        except BaseException:
            if entry[1].done():
                budget.used -= size
            else:
                budget._waiting.remove(entry)
            budget.give(0)
            raise
        self._came(size)
        return loop.time() - begin

    def _make_room(self, entry: tuple[int, asyncio.Future[None]]) -> None:
        """Sends away the largest of the bodies that do not come on and hold no less than this one, as many as make
        room for it and for those that wait before it; nobody when all of them would not.
        """
        if self._sent_away:
            return
        budget, late = self._budget, asyncio.get_running_loop().time() - _STALLED
        missing = budget.used - budget.size - sum(other._held for other in budget._coming if other._sent_away)
        for waiting in budget._waiting:
            missing += waiting[0]
            if waiting is entry:
                break
        others = [other for other in budget._coming if other._stalled(late) and other._held >= max(self._held, 1)]
        others = sorted((other for other in others if other is not self), key=lambda other: other._held)
        if missing > sum(other._held for other in others):
            return
        while missing > 0:
            other = others.pop()
            missing -= other._held
            other._send_away()

    def _stalled(self, since: float) -> bool:
        return not self._sent_away and self._moved <= since and self._timer is not None and not self._timer.expired()

    def _send_away(self) -> None:
        assert self._timer is not None
        self._sent_away = True
        self._timer.reschedule(0)
