"""Times as clients write them (RFC 3339, or UTC nanoseconds), into those of the server (int, UTC nanoseconds)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tachy_server.base.errors import QueryError

MIN_NS, MAX_NS = -(1 << 63), (1 << 63) - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?\s*(?:([Zz])|([+-])(\d\d):?(\d\d))?)?"
)


def parse_time(text: str) -> int:
    """UTC nanoseconds from RFC 3339 text (without an offset: UTC) or from a decimal number of nanoseconds.

    Digits after the ninth of a second are cut. QueryError names the text that is neither, or out of 1677 to 2262.
    """
    text = text.strip()
    nanoseconds = int(text) if re.fullmatch(r"-?\d{1,30}", text) else _parse_rfc3339(text)
    if not MIN_NS <= nanoseconds <= MAX_NS:
        raise QueryError(f"The time {text!r} is outside the years 1677 to 2262 that 64 bits of nanoseconds hold.")
    return nanoseconds


def _parse_rfc3339(text: str) -> int:
    match = _RFC3339.fullmatch(text)
    refusal = f"{text!r} is not a time; write RFC 3339, as in 2026-11-23T19:05:00Z, or UTC nanoseconds."
    if match is None:
        raise QueryError(refusal)
    year, month, day, hour, minute, second, fraction, _zulu, sign, off_hours, off_minutes = match.groups()
    leap = second == "60"  # RFC 3339 allows it; UTC nanoseconds count it as the next second
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            59 if leap else int(second or 0),
            tzinfo=UTC,
        )
    except ValueError:
        raise QueryError(refusal) from None
    since = moment - _EPOCH
    seconds = since.days * 86_400 + since.seconds + (1 if leap else 0)
    if sign:
        offset = int(off_hours) * 3_600 + int(off_minutes) * 60
        seconds -= offset if sign == "+" else -offset
    return seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
