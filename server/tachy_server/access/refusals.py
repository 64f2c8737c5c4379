"""Refusals: counted by reason, and limited in rate per address.

Who tries keys, or whose program has a wrong one, gets some answers that say why, and then 429 until he is slower.
Whoever has a valid key is let in meanwhile, from the same address too: many programs may stand behind one.
"""

from __future__ import annotations

import collections
import ipaddress
import threading
import time
from typing import Final

from tachy_server.base.errors import Denied

BURST: Final = 30.0
PER_SECOND: Final = 1.0
_ADDRESSES: Final = 4096  # that are remembered; the one that was refused longest ago is forgotten


class Refusals:
    """Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: collections.Counter[str] = collections.Counter()
        self._left: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()  # how many, as of

    def stats(self) -> dict[str, int]:
        """How many there were since the start, by reason."""
        with self._lock:
            return dict(self._counts)

    def count(self, reason: str) -> None:
        """One that nobody can be told of."""
        with self._lock:
            self._counts[reason] += 1

    def answer(self, denied: Denied, address: str) -> Denied:
        """The refusal that the address gets: this one, or that it has had too many."""
        now = time.monotonic()
        network = _network(address)
        with self._lock:
            left, since = self._left.pop(network, (BURST, now))
            left = min(BURST, left + (now - since) * PER_SECOND)
            enough = left >= 1.0
            self._left[network] = (left - 1.0 if enough else left, now)
            if len(self._left) > _ADDRESSES:
                self._left.popitem(last=False)
            self._counts[denied.reason if enough else "rate"] += 1
        if enough:
            return denied
        wait = max(1, round((1.0 - left) / PER_SECOND))
        return Denied("rate", f"Too many requests of {address} were refused: wait {wait} s.", wait)


def _network(address: str) -> str:
    """Of IPv6 the first half: the rest of it one machine may choose at will."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
