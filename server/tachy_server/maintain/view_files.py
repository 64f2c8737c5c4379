"""Compares the objects of views with the catalog's files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from tachy_server.base.errors import NotFound
from tachy_server.formats import parquet
from tachy_server.lake import catalog, materialized
from tachy_server.lake.database import Connection
from tachy_server.lake.store import Store

PREFIX: Final = "views/"

_TO_BE_REMOVED: Final = "SELECT key FROM removals WHERE starts_with(key, 'views/')"

Old = Callable[[Iterable[tuple[str, int]]], Iterator[tuple[str, int]]]
"""Of objects (key, size) those that can be of no transaction which has not ended."""


def find(
    connection: Connection, store: Store, old: Old, now: int, *, mend: bool, whole: bool
) -> Iterator[tuple[str, str, str, str | None]]:
    """Kind, key and reason of each fault, and what was done about it; of files that somebody could not read, or of all,
    the `whole` is read. It runs beside servers that commit and remove: what looks wrong is looked at once more before
    it is said. Raises StoreError.
    """
    known = catalog.sizes(connection)
    objects = dict(store.objects(PREFIX))
    noted = set(materialized.lost(connection))
    suspect = [key for key, size in known.items() if whole or key in noted or objects.get(key) != size]
    for key in suspect:
        reason = _fault(store, key, known[key])
        if reason is None:
            if key in noted and mend:
                materialized.note_lost(connection, key, None)
        elif key in catalog.sizes(connection):
            yield "hole", key, reason, _mended(connection, key, now) if mend else None
    orphans = list(old((key, size) for key, size in objects.items() if key not in known))
    named = set(catalog.sizes(connection)) | {key for (key,) in connection.execute(_TO_BE_REMOVED)}
    for key, _ in orphans:
        if key not in named:
            if mend:
                store.remove(key)
            yield "orphan", key, "no row names the object", "it is removed" if mend else None


def _mended(connection: Connection, key: str, now: int) -> str:
    if materialized.make_again(connection, key, now):
        return "it is made again, with all of its view's and day"
    materialized.let_go(connection, key, now)
    return "the catalog forgets it, its rows are lost to the view"


def _fault(store: Store, key: str, size: int) -> str | None:
    try:
        found = store.size(key)
        if found == size:
            for _ in parquet.opened(store.read(key, 0, size)).iter_batches():
                pass
    except NotFound:
        return "the object is gone"
    except parquet.LOST as error:
        return " ".join(str(error).split())
    return None if found == size else f"the object has {found} bytes, not {size}"
