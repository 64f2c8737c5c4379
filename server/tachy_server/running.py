"""The queries that stream to a client now, and what stops them: a client gone, a cancel call, the server stopping.

One thread asks every 100 ms whether the callers are still there; it sleeps while nothing runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tachy_server.query import Query

POLL_SECONDS = 0.1
STOPPING = "The server is stopping"


def forget_frames(error: BaseException) -> None:
    """Drop the frames that an error holds on to: while they live, so does the plan that they were running."""
    error.__traceback__ = error.__context__ = error.__cause__ = None


@dataclass(eq=False)
class Run:
    """One query on its way out; `reason` is the sentence that says why it was stopped, None while it goes on."""

    query: Query
    is_gone: Callable[[], bool]
    handle: bytes | None
    reason: str | None = None

    def stop(self, reason: str) -> None:
        """Stop the query, once."""
        if self.reason is None:
            self.reason = reason
            self.query.cancel()


class Running:
    """The set of running queries."""

    def __init__(self, poll_seconds: float = POLL_SECONDS) -> None:
        self._poll = poll_seconds
        self._runs: set[Run] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="tachy-running", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        with self._changed:
            return len(self._runs)

    @contextmanager
    def watch(self, query: Query, is_gone: Callable[[], bool], handle: bytes | None = None) -> Iterator[Run]:
        """Run a query's stream inside this. `is_gone` is never called after it ends, and the query never goes on."""
        run = Run(query, is_gone, handle)
        with self._changed:
            self._runs.add(run)
            if self._closed:
                run.stop(STOPPING)
            self._changed.notify()
        try:
            yield run
        except BaseException:
            run.stop("The query was abandoned")
            raise
        finally:
            with self._changed:
                self._runs.discard(run)

    def cancel(self, handle: bytes) -> bool:
        """Stop the queries that a handle started; False when none is running."""
        with self._changed:
            found = [run for run in self._runs if run.handle == handle]
            for run in found:
                run.stop("The query was cancelled")
        return bool(found)

    def close(self) -> None:
        """Stop every query, and the thread."""
        with self._changed:
            self._closed = True
            for run in self._runs:
                run.stop(STOPPING)
            self._changed.notify()
        self._thread.join()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                for run in self._runs:
                    if run.reason is None and run.is_gone():
                        run.stop("The client went away")
                self._changed.wait(self._poll if self._runs else None)
