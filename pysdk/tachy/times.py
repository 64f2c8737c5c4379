"""Times as people give them: RFC 3339 text, relative text, datetime, timedelta, nanoseconds. Inside: UTC ns, int."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

TimeLike = datetime | timedelta | str | int

_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
_RELATIVE = re.compile(r"([+-])((?:\d+(?:\.\d+)?(?:ns|us|ms|s|m|h|d))+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)")
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9})\d*)?)?([Zz]|[+-]\d\d:\d\d)?",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(value: TimeLike, now: int | None = None) -> int:
    """UTC nanoseconds since 1970.

    Takes a datetime (with a time zone), a timedelta (from now; negative: ago), an int (nanoseconds), RFC 3339 text
    (2026-11-23T19:00:00.5Z; without a zone it is UTC), nanoseconds as text, "now", or a distance from now like -10m,
    -1h30m or -2.5s (units ns us ms s m h d). now: UTC nanoseconds, the clock's by default. Raises ValueError with one
    sentence.
    """
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a time")
    if isinstance(value, int):
        return value
    if isinstance(value, timedelta):
        return _now(now) + _nanoseconds(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone: give it one, as in datetime.now(datetime.UTC)")
        extra = int(getattr(value, "nanosecond", 0))  # pandas.Timestamp
        return _nanoseconds(value - _EPOCH) + extra
    if isinstance(value, str):
        return _parse_text(value.strip(), now)
    raise ValueError(f"{value!r} is not a time")


def _now(now: int | None) -> int:
    return time.time_ns() if now is None else now


def _nanoseconds(delta: timedelta) -> int:
    return ((delta.days * 86400 + delta.seconds) * 10**6 + delta.microseconds) * 1000


def _parse_text(text: str, now: int | None) -> int:
    if text == "now":
        return _now(now)
    if re.fullmatch(r"\d{6,19}", text):
        return int(text)
    relative = _RELATIVE.fullmatch(text)
    if relative:
        distance = sum(round(float(n) * _UNITS[unit]) for n, unit in _PART.findall(relative[2]))
        return _now(now) + (distance if relative[1] == "+" else -distance)
    match = _RFC3339.fullmatch(text)
    if match:
        day, minute, second, fraction, zone = match.groups()
        zone = "+00:00" if zone in (None, "Z", "z") else zone
        try:
            whole = datetime.fromisoformat(f"{day}T{minute or '00:00'}{second or ':00'}{zone}")
            return _nanoseconds(whole - _EPOCH) + int((fraction or "0").ljust(9, "0"))
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"{text!r} is not a time: give RFC 3339 (2026-11-23T19:00:00Z), or a distance from now (-10m)")


def format_time(ns: int) -> str:
    """RFC 3339 in UTC with as many digits as are needed: none, 3, 6 or 9."""
    seconds, fraction = divmod(ns, 10**9)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    digits = f"{fraction:09d}"
    for keep in (0, 3, 6):
        if not digits[keep:].strip("0"):
            digits = digits[:keep]
            break
    return f"{text}.{digits}Z" if digits else f"{text}Z"
