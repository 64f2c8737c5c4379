"""Keys in PostgreSQL: made, listed, revoked by the command `tachy keys`; read again every second by the servers.

Rows are never deleted: a server without any key asks nobody for one, and revoking the last must not open its doors.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from psycopg.types.json import Jsonb

from tachy_server.access import keys
from tachy_server.access.keys import Key
from tachy_server.base.errors import NotFound
from tachy_server.base.who import Scope
from tachy_server.lake.database import Connection

_COLUMNS: Final = "key_id, name, hash, scopes, stamp, only_with, created, expires, revoked, last_used"
_INSERT: Final = """
INSERT INTO keys (key_id, name, hash, scopes, stamp, only_with, created, expires)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_SELECT: Final = f"SELECT {_COLUMNS} FROM keys ORDER BY created, key_id"
_REVOKE: Final = "UPDATE keys SET revoked = coalesce(revoked, %s) WHERE key_id = %s OR name = %s RETURNING key_id"
_USED: Final = "UPDATE keys SET last_used = greatest(coalesce(last_used, 0), %s) WHERE key_id = ANY(%s)"


def create(
    connection: Connection,
    name: str,
    scopes: Sequence[Scope],
    expires: int | None,
    stamp: Mapping[str, str],
    only: Mapping[str, Sequence[str]],
) -> str:
    """A new key's text."""
    text, key_id, digest = keys.make()
    limits = Jsonb(dict(stamp)), Jsonb({name: list(values) for name, values in only.items()}) if only else None
    connection.execute(_INSERT, (key_id, name, digest, list(scopes), *limits, time.time_ns(), expires))
    return text


def read(connection: Connection) -> list[Key]:
    """All of them, the oldest first, also those that are not valid any more."""
    rows = connection.execute(_SELECT.encode()).fetchall()
    return [_key(*row) for row in rows]


def _key(key_id: str, name: str, digest: bytes, scopes: Any, stamp: Any, only: Any, *times: int | None) -> Key:
    created, expires, revoked, last_used = times
    assert created is not None
    limits = {name: tuple(values) for name, values in (only or {}).items()}
    return Key(key_id, name, digest, tuple(scopes), created, expires, revoked, last_used, stamp, limits)


def revoke(connection: Connection, which: str) -> list[str]:
    """The keys of this id, or of this name, are not valid any more; their ids. Raises NotFound."""
    found = [row[0] for row in connection.execute(_REVOKE, (time.time_ns(), which, which))]
    if not found:
        raise NotFound(f"there is no key with the id or the name {which}: `tachy keys list` shows them")
    return found


def note_use(connection: Connection, key_ids: Collection[str], now: int) -> None:
    """They were used just now."""
    connection.execute(_USED, (now, list(key_ids)))
