"""What can go wrong in the server, in one tree. Every message is one sentence that says what to do.

TachyError
├── FormatError      bytes that are not what docs/format.md says
├── ConflictError    something else is stored under this identity already
├── QueryError       SQL, or its arguments, that cannot be answered
│   ├── LimitError       it needs more of something than the server gives
│   ├── Cancelled        somebody stopped it
│   └── TookTooLong      its time was up
├── Denied           who asks may not
│   └── Forbidden        what he asks for is for others, or for nobody
├── NotFound         a process, stream or block that the lake does not know
├── StoreError       the object store or PostgreSQL did not do its part
└── SettingsError    an unknown or unusable setting
"""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


class TachyError(Exception):
    """Root of the tree; str() is the sentence that a user sees."""


class FormatError(TachyError):
    """Bytes that are not what docs/format.md says."""


class ConflictError(TachyError):
    """Something else is stored under this identity already."""


class QueryError(TachyError):
    """SQL, or its arguments, that cannot be answered."""


class LimitError(QueryError):
    """It needs more of something than the server gives to one query."""


class Cancelled(QueryError):  # noqa: N818 - reads as the answer it is
    """Somebody stopped it: the client, a cancel call, the server that ends."""


class TookTooLong(QueryError):  # noqa: N818 - reads as the answer it is
    """Its time was up."""


class Denied(TachyError):  # noqa: N818 - reads as the answer it is
    """Who asks may not: he has no valid key, or one for other things. `reason` is what it is counted as, `wait` the
    seconds after which he may try again.
    """

    def __init__(self, reason: str, sentence: str, wait: int = 0) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.wait = wait


class Forbidden(Denied):
    """What he asks for is for others, or for nobody."""

    def __init__(self, sentence: str) -> None:
        super().__init__("scope", sentence)


class NotFound(TachyError):  # noqa: N818 - reads as the answer it is
    """A process, stream or block that the lake does not know."""


class StoreError(TachyError):
    """The object store or PostgreSQL did not do its part."""


class SettingsError(TachyError):
    """An unknown or unusable setting."""


def error_text(error: Exception) -> str:
    """The one sentence that a client gets; errors that are not ours are logged and not shown."""
    if isinstance(error, TachyError):
        return " ".join(str(error).split())
    log.error("a call failed", exc_info=error)
    return "The server failed to answer; its log says why."
