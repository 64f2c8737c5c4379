"""PostgreSQL again, from the objects alone: all but controls, keys, and what others than the lake write there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tachy_server.base.errors import StoreError
from tachy_server.lake import catalog, materialized, segments
from tachy_server.lake.database import Connection, Database
from tachy_server.lake.store import Store
from tachy_server.maintain import view_files
from tachy_server.maintain.intake import Found, Intake, Taken, read_ends, readable

PREFIX: Final = "segments/"

_EMPTY: Final = "SELECT NOT EXISTS (SELECT FROM segments) AND NOT EXISTS (SELECT FROM processes)"
_ALONE: Final = "LOCK TABLE processes, segments IN EXCLUSIVE MODE"  # who writes waits, who reads does not


@dataclass(slots=True)
class Rebuilt:
    """What came of it; `damaged` objects could not be read, and so many `files` of views are to be made again."""

    taken: Taken
    damaged: list[Found]
    files: int


def rebuild(base: Database, store: Store, grace: int, *, clock: Callable[[], int] = time.time_ns) -> Rebuilt:
    """In one transaction, into a database without segments. What was replaced is removed `grace` nanoseconds later, and
    so are files of views: nothing knows any more which of them count, and what they hold is in the segments.

    Raises StoreError, also when there is something.
    """
    damaged: list[Found] = []
    with base.connection() as connection:
        _check_empty(connection)
        intake = Intake(base, connection)
        with base.old_days(connection):
            intake.stage(readable(read_ends(store, store.objects(PREFIX)), damaged))
            with connection.transaction():
                connection.execute(_ALONE)
                _check_empty(connection)
                taken = intake.take()
                for view in materialized.stored(connection):  # its files had the events of other segments
                    if keys := catalog.rows(connection, view.table_id):
                        catalog.commit(connection, view.table_id, [], keys)
                files = {key for key, _ in store.objects(view_files.PREFIX)} - catalog.sizes(connection).keys()
                intake.remove_later(taken.replaced, clock() + grace)
                segments.remove_later(connection, sorted(files), clock() + grace)
        return Rebuilt(taken, damaged, len(files))


def _check_empty(connection: Connection) -> None:
    if connection.execute(_EMPTY).fetchone() != (True,):
        raise StoreError(
            "the database knows segments or processes already: rebuild one that is empty, or ask `tachy check`"
        )
