"""`LoggingHandler`: the standard library's logging, recorded.

One site per logging call (logger, level, file, line), so that a million messages from one line cost their text and
little more. What is passed as `extra` becomes properties.
"""

from __future__ import annotations

import logging

from tachy.recorder import log_at

# What a LogRecord has without `extra`.
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

# Threads of ours: what they, or httpx in them, log must not become something to send.
own_threads: set[int] = set()


def level_of(number: int) -> int:
    """The recorder's level, 1 (fatal) to 6 (trace), of one of logging's numbers."""
    return 6 - min(max(number // 10, 0), 5)


class LoggingHandler(logging.Handler):
    """Records what is logged. Add it to the root logger, or call `tachy.start(logging=True)`.

    The text is the message, with the traceback under it where there is one; a formatter, if set, makes it instead.
    Needs no lock: every thread writes to memory of its own.
    """

    _plain = logging.Formatter("%(message)s")

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """None: emit() may run on all threads at once, and a fork cannot leave a lock behind."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Filters and emits; never raises."""
        if record.thread in own_threads:
            return False
        if self.filters:
            kept: object = self.filter(record)
            if not kept:
                return False
            if isinstance(kept, logging.LogRecord):  # since 3.12 a filter may replace it
                record = kept
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Records one message. A record that cannot be formatted goes to `handleError`, as in every handler."""
        try:
            if self.formatter is not None:
                text = self.formatter.format(record)
            elif record.exc_info or record.stack_info:
                text = self._plain.format(record)
            else:
                text = record.getMessage()
            fields = record.__dict__
            properties = None
            if len(fields) > _usual:
                properties = {k: v for k, v in fields.items() if k not in _OWN} or None
            level = _LEVELS.get(record.levelno) or level_of(record.levelno)
            log_at(record.name, level, record.pathname, record.lineno, text, properties)
        except Exception:
            self.handleError(record)


_LEVELS = {number: level_of(number) for number in (10, 20, 30, 40, 50)}
_usual = len(logging.makeLogRecord({}).__dict__)
