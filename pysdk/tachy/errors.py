"""What can go wrong, in one tree. Every message is one sentence that says what to do.

TachyError
├── SettingsError       a setting (argument or TACHY_* variable) that cannot be used
├── MissingExtra        a part of the distribution that is not installed (also an ImportError)
└── QueryError          a question that was not answered: the server's own sentence
    ├── ServerUnavailable   nobody answers at the address
    └── NotFound            a process that the lake does not know

Recording never raises any of these: what happens to events is counted in `tachy.stats()`.
"""

from __future__ import annotations


class TachyError(Exception):
    """Root of the tree; str() is the sentence that a user sees."""


class SettingsError(TachyError, ValueError):
    """A setting that cannot be used."""


class MissingExtra(TachyError, ImportError):  # noqa: N818 - the name says what is missing
    """A part of the distribution that is not installed; the message has the pip command."""


class QueryError(TachyError):
    """A question that was not answered; the message is the server's own sentence."""


class ServerUnavailable(QueryError):  # noqa: N818 - reads as the state it is
    """Nobody answers at the address."""


class NotFound(QueryError):  # noqa: N818 - reads as the answer it is
    """A process that the lake does not know, or a prefix that is not unique."""
