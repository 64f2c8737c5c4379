"""LoggingHandler: what the program logs is recorded, once, with its place; what cannot be formatted breaks nothing."""

from __future__ import annotations

import copy
import inspect
import io
import logging
import logging.handlers
import pickle
import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

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
    formatted, failed, where = sorted(row["msg"] for row in session.rows("log"))  # on a busy machine some come late
    assert failed.startswith("it failed\nTraceback")
    assert failed.endswith("ZeroDivisionError: division by zero")
    assert where.startswith("where\nStack (most recent call last)")
    assert formatted == "INFO|formatted"


def test_extra_becomes_properties(session: Sink, logger: logging.Logger) -> None:
    logger.info("a", extra={"player": 7, "map": "e1m1"})
    logger.info("b")
    tachy.stop()
    properties = {row["msg"]: row["properties"] for row in session.rows("log")}
    assert properties == {"a": {"player": "7", "map": "e1m1"}, "b": {}}


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
    properties = {row["msg"]: row["properties"] for row in session.rows("log")}
    assert properties == {"one of 2": {"player": "7"}, "two of 2": {}}


def test_properties_beyond_the_recorders_room_stay_in_the_text(sink: Sink) -> None:
    program = """
import logging, tachy
tachy.start()
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


def _times_and_threads(sink: Sink) -> dict[str, tuple[float, str]]:
    return {row["msg"]: (row["time"] / 1e9, row["thread"]) for row in sink.rows("log")}


def test_late_records_keep_their_time_and_their_thread(session: Sink) -> None:
    handler = tachy.LoggingHandler()
    log = logging.getLogger("late")
    log.propagate = False
    log.setLevel(logging.DEBUG)
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    made: dict[str, tuple[float, float, str]] = {}

    def say(text: str) -> None:
        before = time.time()
        log.info("%s", text)
        made[text] = (before, time.time(), threading.current_thread().name)

    memory = logging.handlers.MemoryHandler(1000, flushLevel=logging.ERROR, target=handler)
    queued = logging.handlers.QueueHandler(waiting)
    log.addHandler(memory)
    say("buffered here")
    worker = threading.Thread(target=say, args=("buffered on a worker",), name="worker")
    worker.start()
    worker.join()
    log.removeHandler(memory)
    log.addHandler(queued)
    say("queued here")
    for number in range(2):
        worker = threading.Thread(target=say, args=(f"queued on worker {number}",), name=f"worker {number}")
        worker.start()
        worker.join()
    log.removeHandler(queued)
    time.sleep(0.2)  # so that "now" would be wrong
    memory.flush()
    listener = logging.handlers.QueueListener(waiting, handler)
    listener.start()
    listener.stop()
    log.addHandler(handler)
    say("direct")
    log.removeHandler(handler)
    tachy.stop()
    found = _times_and_threads(session)
    assert {text: name for text, (_, name) in found.items()} == {text: name for text, (*_, name) in made.items()}
    for text, (before, after, _) in made.items():
        assert before - 0.005 < found[text][0] < after + 0.005, text
    assert tachy.stats().clock_backwards == 0


def test_what_was_made_before_the_session_is_dated_to_its_start(session: Sink) -> None:
    handler = tachy.LoggingHandler()
    fields = {"name": "late", "levelno": logging.INFO}
    for more in (
        {"msg": "old", "created": 1.0, "threadName": None},
        {"msg": "from the future", "created": time.time() + 1e6},
        {"msg": "timeless", "created": "noon"},
    ):
        handler.handle(logging.makeLogRecord(fields | more))
    tachy.stop()
    now = time.time()
    found = _times_and_threads(session)
    assert found.keys() == {"old", "from the future", "timeless"}
    assert all(now - 60 < moment <= now for moment, _ in found.values())


def test_many_names_share_one_stream_and_sessions_follow_each_other(sink: Sink) -> None:
    """In a process of its own, whose names last as long as it."""
    run(
        """
        import logging, tachy
        handler = tachy.LoggingHandler()
        for session in range(2):
            tachy.start()
            for number in range(100):
                fields = {"name": "late", "levelno": logging.INFO, "msg": f"{session} {number}"}
                handler.handle(logging.makeLogRecord(fields | {"thread": 1, "threadName": f"t{number}"}))
            tachy.stop()
            assert tachy.stats().sent["log"] == 100
        """,
        sink.url,
    )
    found = _times_and_threads(sink)
    assert len(found) == 200
    names = {name for _, name in found.values()}
    assert "other threads" in names
    assert len(names) <= 32


def _raise_and_log(logger: logging.Logger, **more: Any) -> None:
    try:
        raise KeyError("what went wrong")
    except KeyError:
        logger.error("it broke", exc_info=True, **more)


class _OwnQueue(logging.handlers.QueueHandler):
    """As multiprocessing's recipes have it: args are kept, the traceback is text."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        logging.Formatter().format(record)
        left = copy.copy(record)
        left.exc_info = None
        return left


class _Captured(logging.handlers.SocketHandler):
    def __init__(self) -> None:
        super().__init__("127.0.0.1", 1)
        self.sent: list[bytes] = []

    def send(self, s: bytes) -> None:
        self.sent.append(s)


@pytest.mark.parametrize("way", ["direct", "queue", "own queue", "socket"])
def test_tracebacks_arrive_as_the_standard_handler_prints_them(way: str, session: Sink) -> None:
    log = logging.getLogger("broken")
    log.propagate = False
    printed = io.StringIO()
    standard = logging.StreamHandler(printed)
    standard.terminator = "\0"
    ours = tachy.LoggingHandler()
    waiting: queue.Queue[Any] = queue.Queue()
    socket = _Captured()
    handlers: dict[str, logging.Handler] = {
        "direct": ours,
        "queue": logging.handlers.QueueHandler(waiting),
        "own queue": _OwnQueue(waiting),
        "socket": socket,
    }
    log.handlers = [handlers[way], standard] if way != "direct" else [ours, standard]
    _raise_and_log(log)
    _raise_and_log(log, stack_info=True)
    log.error("nothing", exc_info=(None, None, None))
    log.error("plain")
    log.handlers = []
    while not waiting.empty():
        ours.handle(waiting.get())
    for sent in socket.sent:
        ours.handle(logging.makeLogRecord(pickle.loads(sent[4:])))
    tachy.stop()
    said = [row["msg"] for row in session.rows("log")]
    assert sorted(said) == sorted(printed.getvalue().split("\0")[:-1])
    assert printed.getvalue().count("Traceback (most recent call last):") == 2
    assert printed.getvalue().count("Stack (most recent call last):") == 1
