"""Block indexes that queries have read, by their segments' keys and the versions of their rows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

CAPACITY: Final = 32 << 20
"""Bytes of those that are kept: the ones used last."""


class Indexes:
    """Any thread may ask."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._size = 0
        self._kept: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def of(
        self, rows: Sequence[tuple[str, str]], read: Callable[[list[str]], Iterable[tuple[str, bytes]]]
    ) -> list[bytes]:
        """Those of the segments with these keys and versions; `read` gives keys and indexes of those not kept."""
        with self._lock:
            found = {key: self._kept[key][1] for key, version in rows if self._kept.get(key, ("",))[0] == version}
            for key in found:
                self._kept.move_to_end(key)
        missing = [row for row in rows if row[0] not in found]
        if missing:
            found |= read([key for key, _ in missing])
            with self._lock:
                for key, version in missing:
                    self._put(key, version, found[key])
        return [found[key] for key, _ in rows]

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    def _put(self, key: str, version: str, index: bytes) -> None:
        self._size += len(index) - len(self._kept.pop(key, ("", b""))[1])
        self._kept[key] = version, index
        while self._size > self._capacity:
            self._size -= len(self._kept.popitem(last=False)[1][1])
