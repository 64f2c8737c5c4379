"""Waits for what happens by itself. How long that takes says how busy the machine is, so patience is long."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], object], said: Callable[[], object] = lambda: "", seconds: float = 60) -> None:
    """Returns once it holds. Raises AssertionError with what `said` gives."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, said() or "it did not happen in time"
        time.sleep(0.02)
