"""LoggingHandler: what the program logs is recorded, once, with its place; what cannot be formatted breaks nothing."""

from __future__ import annotations

import inspect
import io
import logging
import sys
from collections.abc import Iterator

import pytest
import tachy

from tests.pysdk.programs import run
from tests.pysdk.sink import Sink


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    log = logging.getLogger("game.ai")
    handler = tachy.LoggingHandler()
    log.addHandler(handler)
    log.setLevel(1)
    log.propagate = False
    yield log
    log.removeHandler(handler)
    log.propagate = True
    log.setLevel(logging.NOTSET)


def ours(logger: logging.Logger) -> tachy.LoggingHandler:
    return next(handler for handler in logger.handlers if isinstance(handler, tachy.LoggingHandler))


def test_levels_text_and_place_arrive(session: Sink, logger: logging.Logger) -> None:
    for number in (50, 40, 30, 20, 10, 5, 35):
        logger.log(number, "%s of %d", "message", number)
    line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
    tachy.stop()
    rows = session.rows("log")
    assert [row["level"] for row in rows] == [1, 2, 3, 4, 5, 6, 3]
    assert [row["msg"] for row in rows] == [f"message of {n}" for n in (50, 40, 30, 20, 10, 5, 35)]
    assert {(row["target"], row["filename"], row["line"]) for row in rows} == {("game.ai", __file__, line)}


def test_tracebacks_stacks_and_formatters_make_the_text(session: Sink, logger: logging.Logger) -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logger.exception("it failed")
    logger.info("where", stack_info=True)
    ours(logger).setFormatter(logging.Formatter("%(levelname)s|%(message)s"))
    logger.info("formatted")
    tachy.stop()
    texts = [row["msg"] for row in session.rows("log")]
    assert texts[0].startswith("it failed\nTraceback")
    assert texts[0].endswith("ZeroDivisionError: division by zero")
    assert texts[1].startswith("where\nStack (most recent call last)")
    assert texts[2] == "INFO|formatted"


def test_extra_becomes_properties(session: Sink, logger: logging.Logger) -> None:
    logger.info("a", extra={"player": 7, "map": "e1m1"})
    logger.info("b")
    tachy.stop()
    assert [row["properties"] for row in session.rows("log")] == [{"player": "7", "map": "e1m1"}, {}]


def test_what_filters_add_becomes_properties_and_what_formatters_leave_does_not(
    session: Sink, logger: logging.Logger
) -> None:
    def name_player(record: logging.LogRecord) -> bool:
        record.player = 7
        return True

    console = logging.StreamHandler(io.StringIO())
    console.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addFilter(name_player)
    logger.info("one of %d", 2)
    logger.removeFilter(name_player)
    logger.handlers.insert(0, console)
    logger.info("two of %d", 2)
    logger.removeHandler(console)
    tachy.stop()
    rows = session.rows("log")
    assert [(row["msg"], row["properties"]) for row in rows] == [("one of 2", {"player": "7"}), ("two of 2", {})]


def test_properties_beyond_the_recorders_room_stay_in_the_text(sink: Sink) -> None:
    program = """
import logging, tachy
tachy.start(log_ring_bytes=1 << 24)
logger = logging.getLogger("server")
logger.addHandler(tachy.LoggingHandler())
logger.setLevel(logging.INFO)
for index in range(65500):
    tachy.properties({"id": index})
for index in range(65490, 65590):
    logger.info("request", extra={"id": index})
"""
    run(program, sink.url)  # its own process: the recorder's sets are the process's
    rows = sink.rows("log")
    assert len(rows) == 100
    for index, row in enumerate(rows, 65490):
        assert row["properties"] == {"id": str(index)} or row["msg"] == f"request {{'id': {index}}}"
    assert rows[0]["properties"]
    assert not rows[-1]["properties"]


def test_filters_and_levels_hold(session: Sink, logger: logging.Logger) -> None:
    handler = ours(logger)
    handler.setLevel(logging.ERROR)
    logger.info("no")
    logger.error("yes")
    handler.addFilter(lambda record: "not" not in record.getMessage())
    logger.error("not this")
    tachy.stop()
    assert [row["msg"] for row in session.rows("log")] == ["yes"]


def test_what_cannot_be_formatted_is_reported_as_logging_does(
    session: Sink, logger: logging.Logger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = ours(logger)
    record = logger.makeRecord("game.ai", logging.INFO, __file__, 1, "%d", ("not a number",), None)
    handler.handle(record)
    assert "TypeError" in capsys.readouterr().err
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler.handle(record)
    assert capsys.readouterr().err == ""
    # not through the logger: pytest-xdist cannot pass on a captured log with half a character
    handler.handle(logger.makeRecord("game.ai", logging.INFO, __file__, 1, "lone %s", ("\ud800",), None))
    tachy.stop()
    assert [row["msg"] for row in session.rows("log")] == ["lone ?"]


def test_logging_true_attaches_to_the_root_logger_and_leaves_it_as_it_was(sink: Sink) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    tachy.start(sink.url, logging=True)
    logging.getLogger("somewhere").warning("seen")
    tachy.stop()
    assert root.handlers == before
    assert [(row["target"], row["msg"]) for row in sink.rows("log")] == [("somewhere", "seen")]


def test_the_senders_own_requests_are_not_recorded(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    tachy.start(sink.url, logging=True, flush_ms=20)
    for _ in range(5):
        tachy.metric("m", 1)
        assert tachy.flush(10)
    tachy.stop()
    assert len(sink.requests) >= 5
    assert [row["msg"] for row in sink.rows("log")] == []
    assert [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))] == []
    assert logging.getLogger("httpx").filters == []


def test_a_log_in_a_destructor_or_a_trace_function_does_not_lock_up(session: Sink, logger: logging.Logger) -> None:
    class Loud:
        def __del__(self) -> None:
            logger.info("gone")

    for _ in range(100):
        Loud()
    seen = []

    def trace(frame: object, event: str, arg: object) -> None:
        if not seen:
            seen.append(True)
            logger.info("traced")

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        (lambda: None)()
    finally:
        sys.settrace(before)
    tachy.stop()
    texts = [row["msg"] for row in session.rows("log")]
    assert texts.count("gone") == 100
    assert texts.count("traced") == 1
