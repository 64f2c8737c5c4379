"""Expiry: old snapshots of the catalog are forgotten, and the objects that only they saw removed later."""

from __future__ import annotations

from tachy_server.lake import catalog, segments
from tachy_server.lake.lake import Lake


def expire(lake: Lake, life: int, grace: int, now: int) -> int:
    """Of snapshots those that were over `life` nanoseconds ago; their objects go `grace` later. Returns how many do.
    Raises StoreError.
    """
    with lake.connection() as connection, connection.transaction():
        keys = catalog.expire(connection, now - life)
        segments.remove_later(connection, keys, now + grace)
    return len(keys)
