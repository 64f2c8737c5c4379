"""The settings of the SDK: one table, which feeds `tachy.start`, the environment and docs/python.md.

An argument wins over the environment's TACHY_<NAME>, which wins over the default. An argument that cannot be used
raises SettingsError; a variable that cannot be used is reported by one warning and ignored, so that a typing error in
an environment does not stop a program.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tachy.errors import SettingsError

_URL = re.compile(r"[^\x00- \x7f-\U0010ffff?#\\]+")  # no blanks, nothing beyond ASCII, no query and no fragment
MODES = ("all", "flight")
LEVELS = ("fatal", "error", "warn", "info", "debug", "trace")


def _level(value: object) -> int:
    """1 (fatal) to 6 (trace), from the number or the name."""
    text = str(value).lower()
    if text in LEVELS:
        return LEVELS.index(text) + 1
    if text in ("warning", "critical"):
        return LEVELS.index("warn" if text == "warning" else "fatal") + 1
    if text in ("1", "2", "3", "4", "5", "6"):
        return int(text)
    raise ValueError(f"one of {', '.join(LEVELS)}")


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("true or false")


def _count(value: object) -> int:
    number = int(str(value))
    if not 0 < number < 2**48:
        raise ValueError("a whole number above 0")
    return number


def _age(value: object) -> int:
    number = _count(value)
    if number >= 2**32:
        raise ValueError("a whole number of seconds, 1 to 4294967295")
    return number


def _limit(value: object) -> int:
    number = int(str(value))
    if not 0 <= number < 2**32:
        raise ValueError("a whole number from 0 to 4294967295")
    return number


def _mode(value: object) -> int:
    text = str(value).lower()
    if text in MODES:
        return MODES.index(text) + 1
    raise ValueError(f"one of {', '.join(MODES)}")


def _pool(value: object) -> int:
    number = _count(value)
    if not 1 << 16 <= number <= 16 << 30:
        raise ValueError("a number of bytes from 65536 to 17179869184")
    return number


def _seconds(value: object) -> float:
    number = float(str(value))
    if not 0.0 <= number <= 86400.0:
        raise ValueError("seconds, from 0 to 86400")
    return number


def _text(value: object) -> str:
    return str(value)


def _key(value: object) -> str:
    """What a header can hold. A key is in no message, also when it cannot be used."""
    text = str(value)
    if not all("!" <= letter <= "~" for letter in text):
        raise ValueError("ASCII without blanks, as `tachy keys create` prints it")
    return text


def _http(value: object) -> str:
    text = str(value).rstrip("/")
    if not text.startswith(("http://", "https://")) or not _URL.fullmatch(text) or not _has_host(text):
        raise ValueError("an address like http://127.0.0.1:9000")
    return text


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _flight(value: object) -> str:
    text = str(value).rstrip("/")
    if not text.startswith(("grpc://", "grpc+tcp://", "grpc+tls://", "grpc+unix://")):
        raise ValueError("an address like grpc://127.0.0.1:50051")
    return text


def without_credentials(url: str) -> str:
    """The address without what stands before an @: for files, logs and messages."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. `read` makes the value of what was given, or raises ValueError saying what is wanted."""

    name: str
    default: Any
    read: Callable[[object], Any]
    help: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"TACHY_{self.name.upper()}"


SETTINGS = (
    Setting("url", "http://127.0.0.1:9000", _http, "Server that batches are sent to."),
    Setting("key", "", _key, "Key of the server (`tk_…`), sent as bearer token; `tachy keys create` makes one.", True),
    Setting(
        "ca", "", _text, "File of certificates (PEM) to trust in the place of the system's, where the server has TLS."
    ),
    Setting("flight_url", "grpc://127.0.0.1:50051", _flight, "Server that `tachy.connect` and the command ask."),
    Setting(
        "level", "trace", _level, "Least important level that is recorded: fatal, error, warn, info, debug, trace."
    ),
    Setting("logging", False, _flag, "Attach a `LoggingHandler` to the root logger."),
    Setting(
        "flush_ms",
        0,
        _limit,
        "The longest that an event waits for its block, in milliseconds; 0: 1000 in a process's first minute, then "
        "10000. Logs of level warning and above go at once, and while somebody looks at the process nothing waits for "
        "more than a second.",
    ),
    Setting(
        "block_bytes",
        1 << 20,
        _count,
        "A block of so many bytes of records (16 a span, 24 a metric, 24 and its arguments a log) does not wait.",
    ),
    Setting("pool_bytes", 1 << 26, _pool, "Memory of all that was recorded and is in no batch yet; 64 KiB to 16 GiB."),
    Setting(
        "outbox_bytes",
        1 << 26,
        _count,
        "Memory of what waits for the server; beyond it batches wait in their files alone.",
    ),
    Setting(
        "session_folder",
        "",
        _text,
        "Where the session and unsent batches lie. Default: memory-backed storage (`/dev/shm/tachy-UID`) where the "
        "system has it, else the folder for temporary files; `-`: nowhere, what is not sent dies with the process.",
    ),
    Setting(
        "spool_bytes",
        1 << 28,
        _count,
        "The most that the files of unsent batches in the session folder may take, of all programs and servers "
        "together (and half of what is free there); beyond it the oldest spans are dropped, then metrics, logs last.",
    ),
    Setting("spool_seconds", 7 * 86400, _age, "The age at which unsent batches in the session folder are dropped."),
    Setting("mode", "all", _mode, "`all` sends every span; `flight`, the flight recorder, those around a trigger."),
    Setting("flight_before_ms", 10_000, _count, "A trigger sends the spans of so many milliseconds before it."),
    Setting("flight_after_ms", 2_000, _count, "A trigger sends the spans of so many milliseconds after it."),
    Setting("frame_budget_us", 0, _limit, "A frame of more microseconds is a trigger; 0: none is."),
    Setting("flight_on_error", True, _flag, "A log of level error or fatal is a trigger."),
    Setting(
        "exit_timeout",
        2.0,
        _seconds,
        "Seconds that the end of the program waits for the last batches; 0.3 without progress where they lie in files.",
    ),
    Setting("send_timeout", 30.0, _seconds, "Seconds that one request may take before it is tried again."),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


def resolve(name: str, given: object = None, environment: Mapping[str, str] | None = None) -> Any:
    """The value of one setting: `given`, else the environment's, else the default. SettingsError for a bad `given`."""
    setting = BY_NAME[name]
    if given is not None:
        try:
            return setting.read(given)
        except ValueError as error:
            said = "" if setting.secret else f", not {given!r}"
            raise SettingsError(f"{name} must be {error}{said}") from None
    text = (os.environ if environment is None else environment).get(setting.variable)
    if text:
        try:
            return setting.read(text)
        except ValueError as error:
            said = "" if setting.secret else f"={text!r}"
            logging.getLogger("tachy").warning("ignored %s%s: it must be %s", setting.variable, said, error)
    return setting.read(setting.default)


def table() -> str:
    """The Markdown table of docs/python.md."""
    rows = [f"| `{s.name}` | `{s.variable}` | `{s.default}` | {s.help} |" for s in SETTINGS]
    return "\n".join(["| setting | environment | default | what it does |", "|---|---|---|---|", *rows]) + "\n"
