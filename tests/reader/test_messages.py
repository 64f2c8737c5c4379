"""A log's message is what C's printf would have written; where format and argument disagree, the argument shows."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model import rows
from tests.model.encoder import Process
from tests.reader.decoding import read_logs

libc = ctypes.CDLL(None)
many = settings(max_examples=200, deadline=None)


def messages(*logs: tuple[str, list[rows.Arg]]) -> list[str]:
    process = Process()
    thread = process.thread("main")
    for at, (text, args) in enumerate(logs):
        thread.log(at, text, *args)
    (block,) = process.blocks(codec="none")
    return [message for _, message in read_logs(block.data)]


def message(text: str, *args: rows.Arg) -> str:
    return messages((text, list(args)))[0]


def printf(text: str, value: object) -> str:
    buffer = ctypes.create_string_buffer(4096)
    libc.snprintf(buffer, ctypes.c_size_t(len(buffer)), text.encode(), value)
    return buffer.value.decode(errors="replace")


FLAGS = st.lists(st.sampled_from("-+ #0"), max_size=3).map("".join)
WIDTHS = st.sampled_from(["", "", "1", "5", "12", "40", "200"])
PRECISIONS = st.sampled_from(["", "", ".", ".0", ".1", ".3", ".10", ".60"])
LENGTHS = {"hh": 8, "h": 16, "": 32, "l": 64, "ll": 64, "j": 64, "z": 64, "t": 64}


@many
@given(FLAGS, WIDTHS, PRECISIONS, st.sampled_from(list(LENGTHS)), st.sampled_from("diuoxX"), st.data())
def test_integers_print_as_in_c(f: str, w: str, p: str, length: str, kind: str, data: st.DataObject) -> None:
    bits = max(LENGTHS[length], 32)
    value = data.draw(st.one_of(st.integers(-3, 300), st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)))
    flags = f.replace("#", "") if kind in "diu" else f  # undefined in C with '#'
    text = f"<%{f}{w}{p}{length}{kind}>"
    assert message(text, value) == printf(f"<%{flags}{w}{p}{length}{kind}>", ctypes.c_longlong(value))


@many
@given(FLAGS, WIDTHS, PRECISIONS, st.sampled_from("uoxX"), st.integers(0, (1 << 64) - 1))
def test_unsigned_integers_print_as_in_c(f: str, w: str, p: str, kind: str, value: int) -> None:
    flags = f.replace("#", "") if kind == "u" else f
    assert message(f"%{f}{w}{p}ll{kind}", rows.U64(value)) == printf(
        f"%{flags}{w}{p}ll{kind}", ctypes.c_ulonglong(value)
    )


@many
@given(FLAGS, WIDTHS, PRECISIONS, st.sampled_from(["", "l", "L"]), st.sampled_from("fFeEgGaA"), st.floats())
def test_doubles_print_as_in_c(f: str, w: str, p: str, length: str, kind: str, value: float) -> None:
    assert message(f"%{f}{w}{p}{length}{kind}", value) == printf(f"%{f}{w}{p}{kind}", ctypes.c_double(value))


@many
@given(st.sampled_from(["", "-"]), WIDTHS, PRECISIONS, st.text(st.characters(exclude_characters="\0", codec="utf-8")))
def test_text_prints_as_in_c(f: str, w: str, p: str, value: str) -> None:
    assert message(f"[%{f}{w}{p}s]", value) == printf(f"[%{f}{w}{p}s]", ctypes.c_char_p(value.encode()))


@pytest.mark.parametrize("f", ["", "-"])
@pytest.mark.parametrize("w", ["", "1", "4"])
def test_characters_and_pointers_print_as_in_c(f: str, w: str) -> None:
    for value in (32, 65, 126, 200):
        assert message(f"%{f}{w}c", value) == printf(f"%{f}{w}c", ctypes.c_int(value))
    for value in (0, 1, 0xDEADBEEF, (1 << 64) - 1):
        assert message(f"%{f}{w}p", rows.Pointer(value)) == printf(f"%{f}{w}p", ctypes.c_void_p(value))


def test_several_arguments_and_percent_signs() -> None:
    assert message("%d%% of %s at %.1f, %lu, %c", 50, "it", 2.25, rows.U64(7), 66) == "50% of it at 2.2, 7, B"
    assert message("no arguments") == "no arguments"
    assert message("", "the %d message %s") == "the %d message %s"
    assert message("") == ""
    assert message("%d", 1, 2, 3) == "1"


@pytest.mark.parametrize(
    ("text", "args", "expected"),
    [
        ("%d", ["text"], "text"),
        ("%5d|", ["ab"], "   ab|"),
        ("%s", [42], "42"),
        ("%s", [-1], "-1"),
        ("%.1s", [1234], "1234"),
        ("%s", [2.5], "2.5"),
        ("%f", [3], "3"),
        ("%d", [2.5], "2.5"),
        ("%x", [-1], "ffffffff"),
        ("%llx", [-1], "ffffffffffffffff"),
        ("%d", [1 << 40], str(1 << 40)),
        ("%d", [rows.U64((1 << 64) - 1)], str((1 << 64) - 1)),
        ("%s", [rows.Pointer(16)], "0x10"),
        ("%p", [16], "0x10"),
        ("%u", [rows.Pointer(16)], "16"),
        ("%c", ["text"], "text"),
        ("%lc%lc", [0xE9, 0x1F600], "é😀"),
        ("%lc", [0xD800], "\ufffd\ufffd\ufffd"),
        ("%d and %s", [1], "1 and <missing>"),
        ("%n%d", [1], "%n1"),
        ("%*d", [1], "%*d"),
        ("100%", [], "100%"),
        ("%", [], "%"),
        ("%5", [], "%5"),
        ("% y", [], "% y"),
        ("%lld", [-(1 << 63)], str(-(1 << 63))),
        ("%d", [-(1 << 63)], str(-(1 << 63))),
        ("%s", [b"\xff"], "\ufffd"),
        ("%.1s", ["é"], "\ufffd"),
        ("%s", [b"a\0b"], "a\0b"),
        ("%+#0- d", [5], "+5"),
    ],
)
def test_what_contradicts_or_is_malformed_still_prints(text: str, args: list[rows.Arg], expected: str) -> None:
    assert message(text, *args) == expected


def test_a_field_is_never_wider_than_500() -> None:
    assert len(message("%1000000000d", 1)) == 500
    assert len(message("%.1000000000f", 1.0)) == 502
    assert len(message("%99999999999999999999s", "x")) == 500


@many
@given(st.text("%%%%dsxfcpnlhz*.0195-+# é", max_size=30), st.lists(st.integers(-9, 9), max_size=8))
def test_no_format_harms(text: str, args: list[int]) -> None:
    assert isinstance(message(text or "-", *args), str)


def test_properties_are_json_in_their_order() -> None:
    process = Process()
    thread = process.thread("main")
    thread.message(1, "a", properties={"z": "1", "a": 'q"\\\x02\u00e9'})
    thread.message(2, "b")
    (block,) = process.blocks()
    entries = read_logs(block.data)
    assert [log.properties for log, _ in entries] == [{"z": "1", "a": 'q"\\\x02\u00e9'}, {}]
