"""Calls that block in somebody else's C code, beside which signal handlers run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from tachy import unpatched

GRACE = 0.1  # seconds that a call has to notice that it was given up

T = TypeVar("T")


def run(work: Callable[[], T], give_up: Callable[[], None]) -> T:
    """Runs `work` on a thread of the system's; returns or raises what it does.

    When a signal handler raises meanwhile, Ctrl-C for one, calls `give_up`, which must not block, and raises that.
    """
    threads = unpatched.module("_thread")
    running = threads.allocate_lock()
    running.acquire()
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            running.release()

    threads.start_new_thread(body, ())
    try:
        running.acquire()
    except BaseException:
        give_up()
        running.acquire(timeout=GRACE)
        raise
    if errors:
        raise errors.pop()
    return results.pop()


def leave(work: Callable[[], object]) -> None:
    """Starts `work` on a thread of the system's, and cares no more: it may fail."""

    def body() -> None:
        with suppress(Exception):
            work()

    unpatched.module("_thread").start_new_thread(body, ())
