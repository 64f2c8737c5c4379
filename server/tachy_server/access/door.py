"""The door that every request of HTTP and every call of Flight comes through.

While the table of keys is empty everybody may do everything; with its first row a valid key is needed, for good. The
keys are in memory, so a request costs no question to PostgreSQL, and only the first one with a key in a second costs a
hash; a thread reads them again every second, which is how long a revoked key may live on.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from tachy_server.access import key_table, keys
from tachy_server.access.keys import Key
from tachy_server.access.refusals import Refusals
from tachy_server.base.errors import Denied, StoreError
from tachy_server.base.who import EVERYBODY, Scope, Who
from tachy_server.lake.database import Database

log = logging.getLogger(__name__)

READ_SECONDS: Final = 1.0
_USE_SECONDS: Final = 60.0  # the last use is noted so often
_MOST_ENTERED: Final = 10_000  # one key can be written in many ways
_NOBODY: Final = (None, EVERYBODY)
_MEANT: Final[Mapping[Scope, str]] = {
    "ingest": "sending batches",
    "query": "asking",
    "control": "telling processes what to record",
    "admin": "looking at the server itself",
}


class Door:
    """Threads and event loops may share it."""

    def __init__(self, read: Callable[[], list[Key]]) -> None:
        """`read` gives the keys that there are."""
        self.refusals = Refusals()
        self._read = read
        self._keys: Mapping[str, Key] = {}
        self._entered: dict[str, tuple[Key, Who]] = {}
        """Whose key has been found since the keys were read, by the header that had it."""
        self._used: set[str] = set()
        self.read_again()

    @property
    def needs_keys(self) -> bool:
        """There are keys, so everybody needs one."""
        return bool(self._keys)

    def read_again(self) -> None:
        """Takes the keys as they are now. Raises StoreError."""
        self._keys = {key.key_id: key for key in self._read()}
        self._entered = {}  # behind the keys: who has the new one looks into the new ones

    def enter(self, authorization: str, address: str) -> Who:
        """Who sent these credentials, the value of the header Authorization. Raises Denied."""
        if not self._keys:
            return EVERYBODY
        entered, now = self._entered, time.time_ns()
        key, who = entered.get(authorization, _NOBODY)
        if key is not None and key.state(now) == "valid":
            return who
        try:
            text = key_in(authorization)
            if not text:
                raise Denied(
                    "no_key", "This server needs a key: send the header Authorization: Bearer tk_…, or set TACHY_KEY."
                )
            key = keys.find(self._keys, text, now)
        except Denied as denied:
            raise self.refusals.answer(denied, address) from None
        self._used.add(key.key_id)
        who = Who(key.name, key.key_id, key.scopes, key.stamp, key.only)
        if len(entered) < _MOST_ENTERED:
            entered[authorization] = key, who
        return who

    def check(self, who: Who, scope: Scope, address: str) -> None:
        """Raises Denied for somebody whose key is for other things."""
        if scope in who.scopes:
            return
        denied = Denied(
            "scope", f"The key {who.name} is for {' and '.join(who.scopes)}: {_MEANT[scope]} needs one for {scope}."
        )
        raise self.refusals.answer(denied, address)

    def take_used(self) -> set[str]:
        """Ids of the keys that were used since the last time."""
        used, self._used = self._used, set()
        return used


class WatchedDoor(Door):
    """The door of a database's keys, with the thread that keeps it up to date until close()."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ended = threading.Event()
        super().__init__(self._read_table)
        self._thread = threading.Thread(target=self._watch, name="keys", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, and notes what was used."""
        self._ended.set()
        self._thread.join()

    def _read_table(self) -> list[Key]:
        with self._database.connection() as connection:
            return key_table.read(connection)

    def _watch(self) -> None:
        noted = -_USE_SECONDS
        while not self._ended.wait(READ_SECONDS):
            try:
                self.read_again()
                if self._used and time.monotonic() - noted >= _USE_SECONDS:
                    self._note_use()
                    noted = time.monotonic()
            except StoreError:  # PostgreSQL is away: nothing can be stored or asked meanwhile, whoever comes
                pass
            except Exception:  # or a revoked key would live on
                log.exception("the keys could not be read")
        with contextlib.suppress(StoreError):
            self._note_use()

    def _note_use(self) -> None:
        used = self.take_used()
        if used:
            with self._database.connection() as connection:
                key_table.note_use(connection, used, time.time_ns())


def key_in(authorization: str) -> str:
    """The key of a Bearer or Basic header, of which it is the password, or the user where there is none; "": none."""
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if scheme.lower() != "basic":
        return value if scheme.lower() == "bearer" else ""
    try:
        padded = value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)  # Arrow's driver in Go sends it without
        user, _, password = base64.b64decode(padded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password or user
