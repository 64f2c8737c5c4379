"""The few threads that plan statements, so that nothing else of the server waits for planning, whatever is asked.

DataFusion cannot be interrupted while it plans: who asked is answered when the time is up, and the thread goes on until
the plan is made. Work whose caller has left before it began is never begun.
To check: pytest tests/query/test_planning.py.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from tachy_server.base.errors import Cancelled, StoreError, TookTooLong

T = TypeVar("T")

THREADS: Final = 4
POLL_SECONDS: Final = 0.05


class _Job:
    """One piece of work; whoever takes `claim` first begins it or gives it up."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self.claim = threading.Lock()
        self.done = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        if not self.claim.acquire(blocking=False):
            return
        try:
            self.result = self._work()
        except BaseException as error:
            self.error = error
        self.done.set()


class Planner:
    """Runs work on its threads; `begun` counts what was begun."""

    def __init__(self, seconds: float, threads: int = THREADS) -> None:
        self._seconds = seconds
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = threads
        self._closed = threading.Event()
        self._counting = threading.Lock()
        self.begun = 0
        for number in range(threads):
            threading.Thread(target=self._serve, name=f"tachy-plan-{number}", daemon=True).start()

    def run(self, work: Callable[[], T], gone: Callable[[], bool]) -> T:
        """The result of `work`. Raises Cancelled soon after the caller is gone, TookTooLong when the time is up."""
        if gone():
            raise Cancelled("the query was cancelled")
        job = _Job(work)
        until = time.monotonic() + self._seconds
        self._jobs.put(job)
        while not job.done.wait(POLL_SECONDS):
            if self._closed.is_set():
                raise StoreError("the server is stopping")
            if gone():
                job.claim.acquire(blocking=False)
                raise Cancelled("the query was cancelled")
            if time.monotonic() > until:
                job.claim.acquire(blocking=False)
                raise TookTooLong("planning the statement took longer than the server's setting plan_seconds allows")
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def close(self) -> None:
        """Stop the threads as they become free."""
        self._closed.set()
        for _ in range(self._threads):
            self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            with self._counting:
                self.begun += not job.claim.locked()
            job.run()
            del job
