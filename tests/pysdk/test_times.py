"""Times: what people write is understood to the nanosecond, and what is ambiguous is refused with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tachy.times import format_time, parse_time

NOW = 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14 22:13:20", NOW),
        ("2023-11-14T23:13:20.123456789+01:00", NOW + 123456789),
        ("2023-11-14T22:13:20.5z", NOW + 500_000_000),
        ("2023-11-14T22:13", NOW - 20 * 10**9),
        ("2023-11-14", NOW - (22 * 3600 + 13 * 60 + 20) * 10**9),
        ("now", NOW),
        ("-10m", NOW - 600 * 10**9),
        ("+1h30m", NOW + 5400 * 10**9),
        ("-2.5s", NOW - 2_500_000_000),
        ("-7d", NOW - 7 * 86400 * 10**9),
        ("-3us", NOW - 3000),
        (str(NOW), NOW),
        (NOW, NOW),
        (timedelta(minutes=-10), NOW - 600 * 10**9),
        (datetime(2023, 11, 14, 22, 13, 20, 7, tzinfo=UTC), NOW + 7000),
        (datetime(2023, 11, 14, 17, 13, 20, tzinfo=timezone(timedelta(hours=-5))), NOW),
    ],
)
def test_times_are_understood(given_: str, expected: int) -> None:
    assert parse_time(given_, NOW) == expected


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "yesterday",
        "10m",
        "-10",
        "-10x",
        "2023-13-01",
        "2023-11-14T25:00:00Z",
        "-",
        True,
        2.5,
        None,
        datetime(2023, 1, 1),
    ],
)
def test_what_is_no_time_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match=r"not a time|no time zone"):
        parse_time(bad, NOW)  # type: ignore[arg-type]


def test_pandas_timestamps_keep_their_nanoseconds() -> None:
    pandas = pytest.importorskip("pandas")
    assert parse_time(pandas.Timestamp(NOW + 123, tz="UTC")) == NOW + 123


@given(st.integers(min_value=-(2**62), max_value=2**62))
def test_what_is_written_is_read_back(ns: int) -> None:
    assert parse_time(format_time(ns)) == ns
