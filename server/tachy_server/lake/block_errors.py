"""Blocks that cannot be read: each costs only itself, is listed in `block_errors`, and is tried by every query again.

What is away for the moment (the store, PostgreSQL) fails the query instead: nobody can say that of a block then.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from tachy_server.base.errors import FormatError
from tachy_server.lake.database import Connection

OF_CLASS: Final = "SELECT block_id, reason FROM block_errors WHERE %s IN (0, class)"
"""Why blocks of a class (0: of any) could not be read the last time."""

_NOTE: Final = """
INSERT INTO block_errors (block_id, process_id, class, reason, since) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (block_id) DO UPDATE SET reason = excluded.reason
"""
_FORGET: Final = "DELETE FROM block_errors WHERE block_id = %s"


class Notes(Protocol):
    """Where it is noted; `lake.Lake` is one."""

    def note_error(self, row: Any, reason: str | None) -> None:
        """The block cannot be read because of this; None: it can."""


def note(notes: Notes, blocks: Any, failed: Mapping[int, FormatError]) -> None:
    """All of these (lake.Blocks) were read but for those that failed, by their places: what is news is noted."""
    for place in failed.keys() | set(blocks.unreadable()):
        row, error = blocks[place], failed.get(place)
        if row.error != (None if error is None else str(error)):
            notes.note_error(row, None if error is None else str(error))


def write(connection: Connection, row: Any, reason: str | None) -> None:
    """To the table."""
    if reason is None:
        connection.execute(_FORGET, (row.block_id,))
    else:
        connection.execute(_NOTE, (row.block_id, row.process_id, row.cls, reason.replace("\0", ""), time.time_ns()))
