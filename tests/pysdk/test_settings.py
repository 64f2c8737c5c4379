"""Settings: argument over environment over default; a bad argument is an error, a bad variable a warning."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
import tachy
from tachy import settings

from tests.pysdk.sink import Sink

ROOT = Path(__file__).resolve().parents[2]


def test_argument_over_environment_over_default() -> None:
    assert settings.resolve("url", None, {}) == "http://127.0.0.1:9000"
    assert settings.resolve("url", None, {"TACHY_URL": "http://there:1/"}) == "http://there:1"
    assert settings.resolve("url", "https://here", {"TACHY_URL": "http://there:1"}) == "https://here"
    assert settings.resolve("level", "WARNING", {}) == 3
    assert settings.resolve("level", 6, {}) == 6
    assert settings.resolve("logging", None, {"TACHY_LOGGING": "on"}) is True
    assert settings.resolve("flush_ms", None, {"TACHY_FLUSH_MS": ""}) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "127.0.0.1:9000"),
        ("url", "http://[::1"),
        ("url", "http://"),
        ("url", "http://a:b"),
        ("flight_url", "http://x"),
        ("level", "loud"),
        ("logging", "perhaps"),
        ("block_bytes", 0),
        ("pool_bytes", 1000),
        ("exit_timeout", -1),
    ],
)
def test_bad_arguments_are_errors_and_bad_variables_warnings(
    name: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(tachy.SettingsError, match=re.escape(f"not {value!r}")):
        settings.resolve(name, value, {})
    default = settings.resolve(name, None, {})
    assert settings.resolve(name, None, {f"TACHY_{name.upper()}": str(value)}) == default
    assert next(record.getMessage() for record in caplog.records).startswith(f"ignored TACHY_{name.upper()}=")


def test_start_takes_every_setting_of_the_recorder(sink: Sink) -> None:
    with pytest.raises(tachy.SettingsError):
        tachy.start(sink.url, level="loud")
    with pytest.raises(TypeError):
        tachy.start(sink.url, colour="red")  # type: ignore[call-arg]
    tachy.start(
        sink.url,
        level="warn",
        flush_ms=10,
        block_bytes=1000,
        pool_bytes=1 << 18,
        outbox_bytes=1 << 20,
        exit_timeout=1,
        send_timeout=5,
    )
    tachy.log("info", "off")
    tachy.log("error", "on")
    with tachy.span("s"):
        pass
    tachy.set_level("trace")
    tachy.log("info", "on now")
    tachy.stop()
    assert [row["msg"] for row in sink.rows("log")] == ["on", "on now"]
    assert sink.events() == {"log": 2, "span": 1}


def test_categories_have_levels_of_their_own(sink: Sink) -> None:
    tachy.set_category("net", "none")
    tachy.start(sink.url, level="warn")
    for level in ("debug", "none", None):
        tachy.set_category("net.http", level)
        with tachy.span("s", target="net.http.cache"):
            tachy.log("debug", f"debug, {level}", target="net.http")
    tachy.set_category("net", None)
    tachy.log("debug", "debug", target="net")
    tachy.log("error", "error", target="net")
    with pytest.raises(tachy.SettingsError):
        tachy.set_category("net", "loud")
    tachy.stop()
    assert [row["msg"] for row in sink.rows("log")] == ["debug, debug", "error"]
    assert sink.events() == {"log": 2, "span": 1}


def test_docs_have_the_table() -> None:
    assert settings.table() in (ROOT / "docs/python.md").read_text()


def test_the_flight_recorder_sends_spans_around_a_mark_and_no_others(sink: Sink) -> None:
    tachy.start(sink.url, mode="flight", flight_before_ms=60_000, frame_budget_us=10**9, flight_on_error=False)
    for _ in range(100):
        with tachy.span("wanted"):
            tachy.log("error", "no trigger")

    def two_frames() -> None:
        tachy.frame()  # a thread's first one only starts the count
        tachy.frame()

    frames = threading.Thread(target=two_frames)
    frames.start()
    frames.join()
    assert tachy.flush(10)
    assert sink.events() == {"log": 100, "metric": 1}
    tachy.mark("it looked odd")
    assert tachy.flush(10)
    assert sink.events() == {"log": 101, "metric": 1, "span": 100}
    assert [row["msg"] for row in sink.rows("log") if row["target"] == "tachy"] == ["flight recorder: it looked odd"]
    assert tachy.stats().not_retained == 0


def test_an_image_travels_as_logs_that_are_no_log_entries(sink: Sink) -> None:
    tachy.start(sink.url)
    tachy.image("a map", "image/png", memoryview(b"\x89PNG" * 3000))
    tachy.image("nothing", "image/png", b"")
    tachy.stop()
    assert sink.events() == {"log": 3}
    assert sink.rows("log") == []
    heads = [row["msg"].split("\n")[0] for row in sink.rows("image")]
    assert heads == [f"1 {part} 3 12000 image/png a map" for part in range(3)]


def test_what_no_trigger_wants_is_not_retained(sink: Sink) -> None:
    tachy.start(sink.url, mode="flight")
    for _ in range(100):
        with tachy.span("unwanted"):
            pass
    tachy.stop()
    stats = tachy.stats()
    assert stats.recorded["span"] == stats.not_retained == 100
    assert sink.events() == {}
