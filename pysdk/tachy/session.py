"""Starting and stopping: the recorder, the sender's thread, the end of the program, forks."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tachy import settings, unpatched
from tachy.errors import TachyError
from tachy.handler import LoggingHandler
from tachy.recorder import ffi, lib
from tachy.stats import stats
from tachy.version import VERSION

if TYPE_CHECKING:
    from tachy.sender import Sender

EVERYTHING = 2**64 - 1
PIECE = 0.05  # seconds
GREEN_PIECE = 0.005
PARENT = "TACHY_PARENT_PROCESS_ID"
STATUS = (
    "",
    "a setting was refused",
    "memory ran out",
    "a session is just ending, or another version of tachy records in this process",
    "the operating system refused",
)
JOINED = 6
_NATIVE = (
    "level",
    "pool_bytes",
    "flush_ms",
    "block_bytes",
    "outbox_bytes",
    "spool_bytes",
    "spool_seconds",
    "mode",
    "flight_before_ms",
    "flight_after_ms",
    "frame_budget_us",
)

_log = logging.getLogger("tachy")
_lock = threading.RLock()  # a signal handler may stop what it interrupted
_session: _Session | None = None
_hooked = False
_given = unpatched.module("_thread")._local()  # name: of the calling thread


class _Session:
    """What runs between start and stop."""

    def __init__(self, sender: Sender, handler: LoggingHandler | None, exit_timeout: float, parent: str | None) -> None:
        self.sender = sender
        self.handler = handler
        self.exit_timeout = exit_timeout
        self.parent = parent  # what TACHY_PARENT_PROCESS_ID was before
        self.process_id = stats().process_id
        self.stopping = False

    def stop(self, timeout: float) -> None:
        if self.handler is not None:
            logging.getLogger().removeHandler(self.handler)
        self.sender.finish()
        patience = 0.0  # of a program that was interrupted: what is left is kept
        try:
            lib.tachy_stop_recording()
            _wait(EVERYTHING, timeout)
            patience = 0.1
        finally:
            lib.tachy_stop(0)
            self.sender.close(patience)
            self._forget_parent()

    def _forget_parent(self) -> None:
        if self.parent is None:
            os.environ.pop(PARENT, None)
        else:
            os.environ[PARENT] = self.parent


def _wait(flush: int, timeout: float) -> bool:
    """tachy_flush_wait in pieces, since signal handlers run between them; a patched `sleep` lets greenlets run."""
    end = time.monotonic() + timeout
    cooperative = not isinstance(time.sleep, BuiltinFunctionType)
    while True:
        left = max(end - time.monotonic(), 0.0)
        done: int = lib.tachy_flush_wait(flush, 0 if cooperative else _milliseconds(min(left, PIECE)))
        if done:
            return done > 0
        if left == 0.0:
            return False
        if cooperative:
            time.sleep(GREEN_PIECE)


def _milliseconds(seconds: float) -> int:
    return min(max(int(seconds * 1000), 0), 2**32 - 1)


def _program() -> str:
    """The script, or the interpreter where there is none."""
    script = sys.argv[0] if getattr(sys, "argv", None) else ""
    return os.path.abspath(script) if script and os.path.exists(script) else sys.executable or "python"


def start(
    url: str | None = None,
    *,
    key: str | None = None,
    ca: str | os.PathLike[str] | None = None,
    properties: Mapping[str, object] | None = None,
    logging: bool | None = None,
    level: str | int | None = None,
    flush_ms: int | None = None,
    block_bytes: int | None = None,
    pool_bytes: int | None = None,
    outbox_bytes: int | None = None,
    session_folder: str | os.PathLike[str] | None = None,
    spool_bytes: int | None = None,
    spool_seconds: int | None = None,
    mode: str | None = None,
    flight_before_ms: int | None = None,
    flight_after_ms: int | None = None,
    frame_budget_us: int | None = None,
    flight_on_error: bool | None = None,
    exit_timeout: float | None = None,
    send_timeout: float | None = None,
) -> UUID:
    """Starts recording and sending. Returns the id of this process in the lake.

    properties: of the process, as text. The other arguments are the settings of docs/python.md; None means the
    environment's TACHY_<NAME>, or the default. A second start of a running session changes nothing, says so in one
    warning, and returns the same id. Raises SettingsError for an argument that cannot be used. That the server is away
    is no error: events wait in the session folder, up to spool_bytes.
    """
    given = dict(locals())
    given.pop("properties")
    values = {name: settings.resolve(name, given.get(name)) for name in settings.BY_NAME if name != "flight_url"}
    from tachy.sender import Sender  # http.client and zstandard: 50 ms that a program without telemetry need not spend

    global _session
    with _lock:
        _hook()
        if _session is not None:
            _log.warning("tachy.start was called again: the running session goes on, unchanged")
            return _session.process_id
        parent = os.environ.get(PARENT)
        sender = Sender(values["url"], values["send_timeout"], values["key"], values["ca"])
        _start_recorder(values, properties or {})
        try:
            sender.start()
        except RuntimeError as error:  # no more threads
            lib.tachy_stop(0)
            raise TachyError(f"the sender did not start: {error}") from None
        handler = LoggingHandler() if values["logging"] else None
        if handler is not None:
            _root().addHandler(handler)
        _session = _Session(sender, handler, values["exit_timeout"], parent)
        os.environ[PARENT] = str(_session.process_id)
        return _session.process_id


def _hook() -> None:
    """Once: the end of the program, forks, and the end of a multiprocessing child, which runs no atexit functions."""
    global _hooked
    if not _hooked:
        _hooked = True
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_in_child)
    pools = sys.modules.get("multiprocessing.util")
    parent = getattr(sys.modules.get("multiprocessing.process"), "parent_process", None)
    if pools is not None and parent is not None and parent() is not None:
        pools.Finalize(None, _at_exit, exitpriority=0)


def _root() -> logging.Logger:
    return logging.getLogger()


def _start_recorder(values: Mapping[str, Any], properties: Mapping[str, object]) -> None:
    keep: list[Any] = []  # what the config points to, while tachy_start copies it

    def text(value: object) -> Any:
        keep.append(ffi.new("char[]", str(value).encode("utf-8", "replace")))
        return keep[-1]

    config = ffi.new("tachy_config *")
    for name in _NATIVE:
        setattr(config, name, values[name])
    config.destination = text(settings.without_credentials(values["url"]))
    if values["session_folder"]:
        config.session_folder = text(values["session_folder"])
    config.flight_ignore_errors = not values["flight_on_error"]
    config.exe = text(_program())
    config.sdk = text(f"python {VERSION}")
    pairs = {"python": ".".join(map(str, sys.version_info[:3])), "pid": os.getpid(), **properties}
    array = ffi.new("tachy_property[]", len(pairs))
    for slot, (key, value) in zip(array, pairs.items(), strict=True):
        slot.key, slot.value = text(key), text(value)
    config.properties, config.property_count = array, len(pairs)
    status = lib.tachy_start(config)
    if status not in (0, JOINED):
        raise TachyError(f"the recorder did not start: {STATUS[status] if status < len(STATUS) else status}")


def stop(timeout: float = 10.0) -> None:
    """Stops recording and waits at most `timeout` seconds for the server to take what was recorded.

    What is left then is kept in the session folder, or dropped where there is none, and counted in `stats()`. Does
    nothing when nothing runs.
    """
    global _session
    with _lock:
        session = _session
        if session is None or session.stopping:
            return
        try:
            session.stopping = True
            session.stop(timeout)
        finally:
            _session = None


def flush(timeout: float = 10.0) -> bool:
    """Sends everything recorded before the call, and waits at most `timeout` seconds for the server to take it.

    False when it did not in that time, refused or had no room for something, or nothing runs.
    """
    session = _session
    if session is None:
        return False
    session.sender.hurry()
    end = time.monotonic() + timeout
    flush = lib.tachy_flush_begin(_milliseconds(timeout))
    return flush != 0 and _wait(flush, end - time.monotonic())


def set_process_property(key: str, value: object) -> None:
    """Adds or replaces a property of the process; it travels with the next batch."""
    lib.tachy_set_process_property(str(key).encode("utf-8", "replace"), str(value).encode("utf-8", "replace"))


def set_thread_name(name: str) -> None:
    """Names the calling thread. By default it has the name that `threading` knows when it first records something."""
    _given.name = str(name)
    lib.tachy_set_thread_name(_given.name.encode("utf-8", "replace"))


def set_level(level: str | int) -> None:
    """Switches off what is less important, from now on: fatal, error, warn, info, debug or trace (everything)."""
    lib.tachy_set_level(settings.resolve("level", level))


def set_category(name: str, level: str | int | None) -> None:
    """Gives what has this target, or one under it ("net" covers "net.http"; the longest wins), a level of its own.

    "none" switches all of it off, spans and metrics too. None takes the category's level back. Holds until then, also
    before `start` and over sessions. At most 64 categories; one more is ignored and counted in `stats().refused`.
    """
    category = name.encode("utf-8", "replace")
    if level is None:
        lib.tachy_unset_category(category)
    else:
        lib.tachy_set_category(category, 0 if level == "none" else settings.resolve("level", level))


def mark(reason: str = "") -> None:
    """A trigger of the flight recorder: the spans around this moment are sent. Records a log that says so."""
    lib.tachy_mark(reason.encode("utf-8", "replace"))


def image(name: str, format: str, data: bytes | bytearray | memoryview) -> None:  # noqa: A002 - what it is
    """An image, as it is to be shown: `format` is its media type, "image/png"; 16 MiB at most.

    It travels as logs of the target "tachy.image", a third larger than it is, and is a row of the view `images`.
    """
    view = ffi.from_buffer(data)
    lib.tachy_image(name.encode("utf-8", "replace"), format.encode("utf-8", "replace"), view, len(view))


def thread_name() -> str | None:
    """What this thread was called by `set_thread_name`, else by `threading`; None for one that this did not start.

    Its table is read without its lock: this runs inside whatever records first, which may hold that lock.
    """
    given: str | None = getattr(_given, "name", None)
    if given is not None:
        return given
    thread = getattr(threading, "_active", {}).get(threading.get_ident())
    return None if thread is None else str(thread.name)


def _at_exit() -> None:
    session = _session
    if session is not None:
        stop(session.exit_timeout)


def _in_child() -> None:
    """After a fork the child records nothing until it starts a session of its own; the threads are the parent's."""
    global _session, _lock
    _lock = threading.RLock()
    session, _session = _session, None
    if session is not None and session.handler is not None:
        logging.getLogger().removeHandler(session.handler)
