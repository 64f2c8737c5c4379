"""What FlightSQL clients hold a handle to: planned statements waiting for DoGet, and prepared statements.

Both tables are bounded in number and in time, so that clients which never come back cost nothing lasting.
"""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import pyarrow as pa

from tachy_server.base.errors import NotFound

if TYPE_CHECKING:
    from tachy_server.query.workers.run import Run

MAX_HANDLES = 1_000
HANDLE_SECONDS = 600.0
MAX_QUERIES = 128  # planned ones that wait for their DoGet, a thread of a worker each; older ones are planned again

# No SQL starts so; the Micromegas client puts SQL itself where a statement handle belongs.
TICKET_PREFIX = b"\x00tachy:"
# A prepared handle stays SQL, because the Micromegas client reads the statement back from it.
PREPARED_PREFIX = b"/* tachy:"


@dataclass(frozen=True)
class Range:
    """What the headers of a call ask for: a time range in UTC ns, a row limit, and dictionaries kept or decoded."""

    begin: int | None = None
    end: int | None = None
    limit: int | None = None
    preserve_dictionary: bool = False


@dataclass
class Planned:
    """A statement that GetFlightInfo planned; the query serves the first DoGet, later ones plan again."""

    sql: str
    range: Range
    parameters: tuple[pa.Scalar, ...] | None
    query: Run | None
    key_id: str = ""
    """Of whoever may have the rows: they are what he may see."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> Run | None:
        """The query, once."""
        with self.lock:
            query, self.query = self.query, None
        return query


@dataclass
class Prepared:
    """A prepared statement with parameters, and the row of values last bound to it."""

    sql: str
    count: int
    parameters: tuple[pa.Scalar, ...] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


T = TypeVar("T")


class Handles(Generic[T]):
    """A table of handles: at most `capacity`, the least recently used one goes first, and none idle for `seconds`."""

    def __init__(
        self,
        capacity: int = MAX_HANDLES,
        seconds: float = HANDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = capacity
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            self._expire()
            return len(self._entries)

    def add(self, value: T) -> bytes:
        """A new handle, of 32 hexadecimal digits."""
        key = secrets.token_hex(16).encode()
        with self._lock:
            self._expire()
            while len(self._entries) >= self._capacity:
                self._entries.popitem(last=False)
            self._entries[key] = (self._clock(), value)
        return key

    def get(self, key: bytes) -> T:
        """The value, used just now. NotFound when the handle is unknown, closed or expired."""
        with self._lock:
            self._expire()
            entry = self._entries.pop(key, None)
            if entry is None:
                raise NotFound("This statement handle is unknown or has expired; send the statement again.")
            self._entries[key] = (self._clock(), entry[1])
            return entry[1]

    def discard(self, key: bytes) -> None:
        """Forget a handle; an unknown one is no error."""
        with self._lock:
            self._entries.pop(key, None)

    def _expire(self) -> None:
        oldest = self._clock() - self._seconds
        while self._entries:
            key, (used, _value) = next(iter(self._entries.items()))
            if used > oldest:
                return
            del self._entries[key]


def bound(column: pa.ChunkedArray) -> pa.Scalar:
    """The one value of a column of parameters: a union by its child, a UUID as the text that our columns hold."""
    value = column[0]
    while isinstance(value, (pa.UnionScalar, pa.DictionaryScalar, pa.ExtensionScalar)):
        if not value.is_valid:
            return pa.scalar(None)
        if isinstance(value, pa.ExtensionScalar) and value.type.extension_name == "arrow.uuid":
            return pa.scalar(str(uuid.UUID(bytes=value.value.as_py())))
        value = value.value
    return value
