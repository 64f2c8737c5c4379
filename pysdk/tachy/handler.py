"""`LoggingHandler`: the standard library's logging, recorded.

One site per logging call (logger, level, file, line), so that a million messages from one line cost their text and
little more. What is passed as `extra` becomes properties.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from tachy.recorder import configure_logging, handler_emit, handler_handle, log_at

# What a LogRecord has without `extra`: always, and perhaps.
_ALWAYS = frozenset(logging.makeLogRecord({}).__dict__)
_OWN = _ALWAYS | {"message", "asctime", "taskName"}
_USUAL = len(_ALWAYS)

LATE = 20_000_000  # nanoseconds, as in log_handler.c

# Threads of ours, while they log: what they say must not become something to send.
own_threads: set[int] = set()


def level_of(number: int) -> int:
    """The recorder's level, 1 (fatal) to 6 (trace), of one of logging's numbers."""
    return 6 - min(max(number // 10, 0), 5)


def nanoseconds(seconds: object) -> int:
    """Of a record's `created`; 0 for what is no time."""
    if not isinstance(seconds, int | float) or not 0.0 <= seconds < 2.0**33:
        return 0
    return int(seconds * 1e9)


def late_thread(record: logging.LogRecord) -> str | None:
    """The name of the thread that the record was made on; None when that was this one, just now.

    Records come later and through other threads from buffers (MemoryHandler), queues and sockets.
    """
    made_here = record.thread in (None, threading.get_ident()) and record.process in (None, os.getpid())
    if made_here and abs(time.time_ns() - nanoseconds(record.created)) < LATE:
        return None
    return str(record.threadName or "")


class LoggingHandler(logging.Handler):
    """Records what is logged. Add it to the root logger, or call `tachy.start(logging=True)`.

    The text is the message, with the traceback under it where there is one; a formatter, if set, makes it instead.
    Needs no lock: every thread writes to memory of its own.
    """

    _plain = logging.Formatter("%(message)s")

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """None: emit() may run on all threads at once, and a fork cannot leave a lock behind."""
        self.lock = None

    # In C (pysdk/native/log_handler.c), for the usual record. emit() calls the two below for the others.
    handle = handler_handle
    emit = handler_emit

    def _record(self, record: logging.LogRecord) -> None:
        """Records what a formatter makes, has a traceback, is late, of another thread, or of another type."""
        try:
            if self.formatter is not None:
                text = self.formatter.format(record)
            elif record.exc_info or record.exc_text or record.stack_info:
                text = self._plain.format(record)
            else:
                text = record.getMessage()
            fields = record.__dict__
            properties = None
            if len(fields) > _USUAL:
                properties = {k: v for k, v in fields.items() if k not in _OWN} or None
            thread = late_thread(record)
            when = 0 if thread is None else nanoseconds(record.created)
            log_at(
                record.name, level_of(record.levelno), record.pathname, record.lineno, text, properties, when, thread
            )
        except Exception:
            self.handleError(record)

    def _failed(self, record: logging.LogRecord, error: Exception) -> None:
        """Reports what emit() met, raised again because `handleError` looks for it in the interpreter."""
        try:
            raise error
        except Exception:
            self.handleError(record)


configure_logging(own_threads, logging.LogRecord, _OWN, _USUAL)
