"""A running plan's batches, with a way to stop it.

A stream that is read through the C interface cannot be interrupted; one that is polled on an event loop can be dropped
between two polls. One loop, on one thread, serves all queries of a process.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from tachy_server.base.errors import Cancelled, StoreError, TookTooLong

POLL_SECONDS = 0.1


class Loop:
    """An asyncio loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._closing = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tachy-query", daemon=True)
        self._thread.start()

    def submit(self, step: Callable[[], Any]) -> concurrent.futures.Future[Any]:
        """Start what `step()` gives, an awaitable that must be made on the loop."""

        async def run() -> Any:
            return await step()

        with self._lock:
            if self._closing:
                raise StoreError("the server is stopping")
            return asyncio.run_coroutine_threadsafe(run(), self._loop)

    def close(self) -> None:
        """Stop the thread; what runs is cancelled."""
        with self._lock:
            if self._closing:
                return
            self._closing = True

        async def finish() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=5)

        asyncio.run_coroutine_threadsafe(finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def read(
    loop: Loop,
    stream: Any,
    cancelled: threading.Event,
    deadline: float,
) -> Iterator[pa.RecordBatch]:
    """Batches until the stream ends. Raises Cancelled, and TookTooLong at the deadline (monotonic), within 100 ms."""
    while True:
        future = loop.submit(stream.__anext__)
        try:
            while True:
                if cancelled.is_set():
                    raise Cancelled("the query was cancelled")
                if time.monotonic() > deadline:
                    raise TookTooLong("the query took longer than the server's setting query_seconds allows")
                try:
                    batch = future.result(POLL_SECONDS)
                    break
                except concurrent.futures.TimeoutError:
                    if future.done():
                        raise
        except StopAsyncIteration:
            return
        except concurrent.futures.CancelledError:
            raise StoreError("the server is stopping") from None
        finally:
            future.cancel()
        yield batch.to_pyarrow()
