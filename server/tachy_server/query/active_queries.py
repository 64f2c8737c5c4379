"""The queries that stream to a client now, and what stops them: a client gone, a cancel call, the server stopping."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tachy_server.base.errors import Cancelled, StoreError, TachyError

if TYPE_CHECKING:
    from tachy_server.query.engine import Query


def forget_frames(error: BaseException) -> None:
    """Drop the frames that an error holds on to: while they live, so does the plan that they were running."""
    error.__traceback__ = error.__context__ = error.__cause__ = None


@dataclass(eq=False)
class Run:
    """One query on its way out; `reason` is the error that says why it was stopped, None while it goes on."""

    query: Query
    handle: bytes | None
    reason: TachyError | None = None

    def stop(self, reason: TachyError) -> None:
        """Stop the query, once."""
        if self.reason is None:
            self.reason = reason
            self.query.cancel()


class Running:
    """The set of running queries."""

    def __init__(self) -> None:
        self._runs: set[Run] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __len__(self) -> int:
        with self._lock:
            return len(self._runs)

    @contextmanager
    def watch(
        self, query: Query, when_over: Callable[[Callable[[], None]], None], handle: bytes | None = None
    ) -> Iterator[Run]:
        """Run a query's stream inside this. It stops at what `when_over` tells of, and never goes on afterwards."""
        run = Run(query, handle)
        with self._lock:
            self._runs.add(run)
            if self._closed:
                run.stop(_stopping())
        try:
            when_over(lambda: run.stop(Cancelled("The client went away.")))
            yield run
        except BaseException:
            run.stop(Cancelled("The query was abandoned."))
            raise
        finally:
            with self._lock:
                self._runs.discard(run)

    def cancel(self, handle: bytes) -> bool:
        """Stop the queries that a handle started; False when none is running."""
        with self._lock:
            found = [run for run in self._runs if run.handle == handle]
        for run in found:
            run.stop(Cancelled("The query was cancelled."))
        return bool(found)

    def close(self) -> None:
        """Stop every query, and those that come."""
        with self._lock:
            self._closed = True
            runs = list(self._runs)
        for run in runs:
            run.stop(_stopping())


def _stopping() -> StoreError:
    return StoreError("The server is stopping.")
