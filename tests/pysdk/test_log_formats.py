"""LoggingHandler leaves formatting to the reader where that makes no difference: the text is Python's to the letter."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import tachy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tachy_server.formats import reader

from tests.pysdk.sink import LOG, Sink


class Quiet(tachy.LoggingHandler):
    """Counts what cannot be formatted."""

    failures = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        self.failures += 1


@pytest.fixture
def handler(session: Sink) -> Iterator[Quiet]:
    handler = Quiet()
    yield handler
    handler.close()


LOGGERS = (f"logger {number}" for number in itertools.count())  # a place of a logger has one format for good


def log(handler: tachy.LoggingHandler, line: int, text: str, args: tuple[Any, ...], logger: str = "") -> None:
    record = logging.LogRecord(logger or next(LOGGERS), logging.INFO, __file__, line, text, args, None)
    handler.handle(record)


def formats_sent(sink: Sink) -> bytes:
    """The bodies of all log blocks, in which the strings of their sites lie."""
    found = b""
    for batch in sink.batches:
        for offset, _, block in reader.check_batch(batch).blocks:
            if block.cls == LOG:
                begin = offset + block.header_size
                found += reader.decompress(block.codec, batch[begin : begin + block.stored_size], block.raw_size)
    return found


INTS = st.one_of(st.integers(-20, 300), st.integers(-(2**65), 2**65), st.just(-(2**63)), st.just(2**63 - 1))
FLOATS = st.one_of(st.floats(), st.floats(-1000, 1000), st.sampled_from([-0.0, 0.5, 1e300, 1e-7]))
TEXTS = st.one_of(st.text(alphabet="abc \x00", max_size=20), st.text(max_size=10))
OTHERS = st.one_of(
    st.none(), st.booleans(), st.lists(st.integers(), max_size=2), st.sampled_from(["\ud800", "x" * 1030])
)
WANTED = {
    "diu": st.one_of(INTS, INTS, INTS, FLOATS),
    "xXo": st.one_of(INTS, INTS, INTS, st.booleans()),
    "eEfFgG": st.one_of(FLOATS, FLOATS, FLOATS, INTS),
    "s": st.one_of(TEXTS, TEXTS, INTS, FLOATS, OTHERS),
    "ra": st.one_of(TEXTS, OTHERS),
    "c": st.one_of(st.integers(0, 0x10FFFF), st.characters()),
}
FLAGS = st.sampled_from(["", "", "", "", "-", "0", "+", " ", "-0", "+0", "- ", "#", "#0", "00"])
WIDTHS = st.sampled_from(["", "", "", "", "1", "5", "20", "64", "65"])
PRECISIONS = st.sampled_from(["", "", "", "", ".", ".0", ".1", ".3", ".20", ".21", ".60"])
LENGTHS = st.sampled_from(["", "", "", "", "", "", "l", "h"])
LITERALS = st.sampled_from(["", " ", "%%", "a", "é", "100%% \x00", "% ", "%"])


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, tuple[Any, ...]]:
    """A format and its arguments, nearly always as many as it wants and of the types that it wants."""
    text = ""
    args: list[Any] = []
    for _ in range(draw(st.sampled_from([1, 1, 1, 1, 2, 2, 3, 8, 9]))):
        kinds = draw(st.sampled_from(list(WANTED)))
        text += draw(LITERALS) if draw(st.integers(0, 3)) == 0 else "-"
        text += f"%{draw(FLAGS)}{draw(WIDTHS)}{draw(PRECISIONS)}{draw(LENGTHS)}{draw(st.sampled_from(kinds))}"
        args.append(draw(WANTED[kinds]))
    return text, tuple(args)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(said=st.lists(messages(), min_size=20, max_size=60))
def test_the_text_is_pythons(session: Sink, handler: Quiet, said: list[tuple[str, tuple[Any, ...]]]) -> None:
    session.batches.clear()
    handler.failures = 0
    expected = {}
    logger = next(LOGGERS)
    for line, (text, args) in enumerate(said, 1):
        with contextlib.suppress(Exception):
            # half a character is sent as "?"
            message = logging.LogRecord("", 0, "", 0, text, args, None).getMessage()
            expected[line] = message.encode("utf-8", "replace").decode()
        log(handler, line, text, args, logger)
    assert tachy.flush(10)
    found = {row["line"]: row["msg"] for row in session.rows("log")}
    assert found == expected
    assert handler.failures == len(said) - len(expected)


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("%d of %i", (3, -(2**63))),
        ("tile %s: %s", ("e1m1", 7)),
        ("%05d|%-5d|%+d|% d", (-3, 4, 5, 6)),
        ("%x %08X %o", (255, 2**63 - 1, 8)),
        ("%.2f %8.3e %g 100%%", (2.5, -1e300, 1e-7)),
        ("%-10s|%10s", ("left", 12)),
        ("größe %s", ("ñ",)),
    ],
)
def test_formats_of_plain_numbers_and_texts_travel_once(session: Sink, text: str, args: tuple[Any, ...]) -> None:
    handler = tachy.LoggingHandler()
    logger = next(LOGGERS)
    for _ in range(100):
        log(handler, 1, text, args, logger)
    tachy.stop()
    assert [row["msg"] for row in session.rows("log")] == [text % args] * 100
    body = formats_sent(session)
    assert body.count(text.encode()) == 1
    assert (text % args).encode() not in body


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("%r", ("x",)),
        ("%d", (True,)),
        ("%d", (2**63,)),
        ("%x", (-1,)),
        ("%s", (0.1,)),
        ("%f", (float("nan"),)),
        ("%5s", ("é",)),
        ("%.1s", ("ab",)),
        ("%(a)s", ({"a": 1},)),
        ("%65d", (1,)),
        ("%d" * 9, tuple(range(9))),
        ("x" * 300 + "%d", (1,)),
    ],
)
def test_what_c_would_print_otherwise_is_formatted_at_once(session: Sink, text: str, args: tuple[Any, ...]) -> None:
    log(tachy.LoggingHandler(), 1, text, args)
    tachy.stop()
    message = logging.LogRecord("", 0, "", 0, text, args, None).getMessage()
    assert [row["msg"] for row in session.rows("log")] == [message]
    assert message.encode() in formats_sent(session)


def test_formats_made_at_run_time_make_no_sites(session: Sink) -> None:
    handler = tachy.LoggingHandler()
    log(handler, 7, "first", (), "own")
    tachy.flush(10)
    before = tachy.stats().sites
    for number in range(50):
        log(handler, 7, f"format {number}: %d", (number,), "own")
    tachy.stop()
    assert [row["msg"] for row in session.rows("log")] == ["first"] + [f"format {n}: {n}" for n in range(50)]
    assert tachy.stats().sites == before + 1


def test_extra_travels_with_a_format(session: Sink) -> None:
    handler = tachy.LoggingHandler()
    record = logging.LogRecord("formats", logging.INFO, __file__, 1, "%d", (5,), None)
    record.__dict__.update(player=7, message="5", asctime="today")
    handler.handle(record)
    tachy.stop()
    assert [(row["msg"], row["properties"]) for row in session.rows("log")] == [("5", {"player": "7"})]


def test_a_program_may_replace_get_message_or_the_record(session: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    class Braces(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802 - logging's name
            return str(self.msg).format(*self.args)

    handler = tachy.LoggingHandler()
    handler.handle(Braces("formats", logging.INFO, __file__, 1, "{} of {}", (1, 2), None))
    monkeypatch.setattr(logging.LogRecord, "getMessage", lambda record: f"<{record.msg}>")
    log(handler, 2, "%d", (1,))
    tachy.stop()
    assert [row["msg"] for row in session.rows("log")] == ["1 of 2", "<%d>"]


def test_a_subclass_may_have_an_emit_of_its_own(session: Sink) -> None:
    class Louder(tachy.LoggingHandler):
        def emit(self, record: logging.LogRecord) -> None:
            record.msg = f"he {record.msg}"
            super().emit(record)

    log(Louder(), 1, "said %s", ("it",))
    tachy.stop()
    assert [row["msg"] for row in session.rows("log")] == ["he said it"]
