"""Compares the objects of views with the catalog's files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from tachy_server.base.errors import NotFound
from tachy_server.lake import catalog
from tachy_server.lake.database import Connection
from tachy_server.lake.store import Store

PREFIX: Final = "views/"

_TO_BE_REMOVED: Final = "SELECT key FROM removals WHERE starts_with(key, 'views/')"

Old = Callable[[Iterable[tuple[str, int]]], Iterator[tuple[str, int]]]
"""Of objects (key, size) those that can be of no transaction which has not ended."""


def find(connection: Connection, store: Store, old: Old, *, mend: bool) -> Iterator[tuple[str, str, str, str | None]]:
    """Kind, key and reason of each fault, and what was done about it. It runs beside servers that commit and remove:
    what looks wrong is looked at once more before it is said. Raises StoreError.
    """
    known = catalog.sizes(connection)
    objects = dict(store.objects(PREFIX))
    wrong = [key for key, size in known.items() if objects.get(key) != size]
    still = catalog.sizes(connection)
    for key in wrong:
        reason = _fault(store, key, known[key]) if key in still else None
        if reason is not None:
            if mend:
                catalog.forget(connection, [key])
            yield "hole", key, reason, "the catalog forgets it, its rows are lost to the view" if mend else None
    orphans = list(old((key, size) for key, size in objects.items() if key not in known))
    named = set(catalog.sizes(connection)) | {key for (key,) in connection.execute(_TO_BE_REMOVED)}
    for key, _ in orphans:
        if key not in named:
            if mend:
                store.remove(key)
            yield "orphan", key, "no row names the object", "it is removed" if mend else None


def _fault(store: Store, key: str, size: int) -> str | None:
    try:
        found = store.size(key)
    except NotFound:
        return "the object is gone"
    return None if found == size else f"the object has {found} bytes, not {size}"
