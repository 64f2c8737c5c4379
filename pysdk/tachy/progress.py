"""Runs the work of a command beside a line on stderr that says how far it is, once two seconds have passed."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 2.0  # seconds without a word
EVERY_TTY = 0.25
EVERY_FILE = 10.0

T = TypeVar("T")


class Progress:
    """How far the work is: rows and bytes so far. `quiet`: the work itself fills the terminal."""

    def __init__(self, doing: str) -> None:
        self.doing = doing
        self.rows = 0
        self.bytes = 0
        self.quiet = False

    def text(self, seconds: float) -> str:
        """What is shown: what it does, rows, bytes, seconds."""
        parts = [f"{seconds:.0f} s"]
        if self.bytes:
            parts.insert(0, size_text(self.bytes))
        if self.rows:
            parts.insert(0, f"{self.rows:,} rows")
        return f"{self.doing}: {', '.join(parts)}"


def size_text(size: int) -> str:
    """12.3 MB, 456 kB, 78 bytes."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"


def run(work: Callable[[], T], progress: Progress) -> T:
    """Runs `work` on another thread, so that Ctrl-C and the line are prompt; returns or raises what it does."""
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    worker = threading.Thread(target=body, name="tachy-command", daemon=True)
    begin = time.monotonic()
    shown = 0
    terminal = sys.stderr.isatty()
    due = begin + PATIENCE
    worker.start()
    while worker.is_alive():
        worker.join(0.05)
        now = time.monotonic()
        if now < due or progress.quiet or not worker.is_alive():
            continue
        due = now + (EVERY_TTY if terminal else EVERY_FILE)
        text = progress.text(now - begin)
        sys.stderr.write(f"\r{text.ljust(shown)}" if terminal else f"{text}\n")
        sys.stderr.flush()
        shown = len(text)
    if terminal and shown:
        sys.stderr.write(f"\r{' ' * shown}\r")
        sys.stderr.flush()
    if errors:
        raise errors[0]
    return results[0]
