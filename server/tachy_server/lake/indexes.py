"""Block indexes that queries have read, by their segments' keys and the versions of their rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from tachy_server.base.recent import Recent

CAPACITY: Final = 32 << 20
"""Bytes of those that are kept: the ones used last."""

Row = tuple[str, str]
"""Key and version."""


class Indexes:
    """Any thread may ask."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._kept: Recent[str, tuple[str, bytes]] = Recent(capacity)
        self._lock = threading.Lock()

    def of(self, rows: Sequence[Row], read: Callable[[list[str]], Iterable[tuple[str, bytes]]]) -> list[bytes]:
        """Those of these segments; `read` gives keys and indexes of those not kept."""
        with self._lock:
            kept = [(key, version, self._kept.get(key)) for key, version in rows]
        found = {key: known[1] for key, version, known in kept if known is not None and known[0] == version}
        missing = [row for row in rows if row[0] not in found]
        if missing:
            found |= read([key for key, _ in missing])
            with self._lock:
                for key, version in missing:
                    self._kept.put(key, (version, found[key]), len(found[key]))
        return [found[key] for key, _ in rows]

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._kept.size
