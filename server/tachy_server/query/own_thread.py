"""DataFusion calls us on threads of its runtime, where it must not be called back: that takes another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def call(function: Callable[[], Result]) -> Result:
    """What the function returns or raises, on another thread."""
    results: list[Result] = []
    failures: list[Exception] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:  # handed to the thread that waits
            failures.append(error)

    thread = threading.Thread(target=run, name="tachy-plan-inner")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
