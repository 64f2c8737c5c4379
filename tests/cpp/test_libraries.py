"""One recorder per process: a program and its libraries each link tachy, and every event arrives once."""

from __future__ import annotations

import functools
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.cpp.builds import HERE, cmake, installed, run
from tests.pysdk.sink import Sink

STATIC, SHARED = "sdk", "sdk_shared"
MIXES = {  # how the program and its two libraries link tachy
    "all-static": (STATIC, STATIC, STATIC),
    "static-shared": (STATIC, SHARED, STATIC),
    "shared-static": (SHARED, STATIC, SHARED),
    "all-shared": (SHARED, SHARED, SHARED),
}
BUILDS = ["package", pytest.param("subdirectory", marks=pytest.mark.long)]
FRAMES = 1000


@functools.cache
def build(how: str) -> Path:
    prefix = [f"-DCMAKE_PREFIX_PATH={installed()}"] if how == "package" else []
    return cmake(f"libraries-{how}", HERE / "libraries", f"-DHOW={how}", *prefix)


def program(how: str, mix: str) -> Path:
    return build(how) / "_".join(["app", *MIXES[mix]])


def check_one_process(sink: Sink) -> None:
    assert len({head.process_id for head in sink.heads()}) == 1


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("how", BUILDS)
def test_every_event_arrives_once_in_one_process_whichever_library_recorded_it(how: str, mix: str) -> None:
    with Sink() as sink:
        output = run([program(how, mix), "frames", str(FRAMES)], env={"TACHY_URL": sink.url})
        assert output == ""
        check_one_process(sink)
        expected = Counter({"app": FRAMES, "liba": FRAMES, "libb": FRAMES})
        for kind in ("span", "log", "metric"):
            assert Counter(row["target"] for row in sink.rows(kind)) == expected, kind
        numbers = [str(frame) for frame in range(FRAMES) for _ in expected]
        assert sorted(row["msg"] for row in sink.rows("log")) == sorted(numbers)
        inner = Counter(row["depth"] for row in sink.rows("span") if row["target"] != "app")
        assert inner == {1: 2 * FRAMES}  # in the frame of the same thread, whichever copies are on the stack


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("how", BUILDS)
def test_sessions_of_several_libraries_are_one_which_ends_with_the_last(how: str, mix: str) -> None:
    with Sink() as sink:
        assert run([program(how, mix), "parts"], env={"TACHY_URL": sink.url}) == ""
        check_one_process(sink)
        frames = [str(frame) for frame in range(20) for _ in ("app", "liba", "libb")]
        assert sorted(row["msg"] for row in sink.rows("log")) == sorted(frames)


@pytest.mark.parametrize("plugin", [STATIC, SHARED])
@pytest.mark.parametrize("mix", ["all-static", "all-shared"])
def test_a_plugin_that_is_loaded_where_another_one_was_records_under_its_own_names(mix: str, plugin: str) -> None:
    """Two builds in turns, at one address; on a thread that lives on, one that ends, and one that is new each time."""
    rounds = 20
    folder = build("package")
    builds = [str(folder / f"libplugin{number}_{plugin}.so") for number in (1, 2)]
    with Sink() as sink:
        output = run([program("package", mix), "reload", *builds, str(rounds)], env={"TACHY_URL": sink.url})
        assert output == "1 addresses\n"
        check_one_process(sink)
        said = Counter((row["target"], row["msg"]) for row in sink.rows("log") if row["target"].startswith("plugin"))
        numbers = [(turn, n) for turn in range(rounds) for n in (2 * turn, 2 * turn + 1, -1 - turn)]
        assert said == Counter((f"plugin{turn % 2 + 1}", f"build {turn % 2 + 1} says {n}") for turn, n in numbers)
        names = Counter(row["name"] for row in sink.rows("span"))
        assert (names["plugin 1"], names["plugin 2"]) == (3 * rounds / 2, 3 * rounds / 2)
        metrics = Counter(row["name"] for row in sink.rows("metric"))
        assert (metrics["of build 1"], metrics["of build 2"]) == (3 * rounds / 2, 3 * rounds / 2)
        assert Counter(row["target"] for row in sink.rows("span"))["liba"] == rounds


PYTHON = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
import tachy
if sys.argv[2] == "first":
    assert library.a_begin() == 0
tachy.start()
if sys.argv[2] == "second":
    assert library.a_begin() == 6  # TACHY_JOINED
for n in range(100):
    with tachy.span("outer"):
        library.a_work(n)
if sys.argv[2] != "never":
    library.a_end()
with tachy.span("last"):
    library.a_work(100)
tachy.stop()
assert tachy.stats().recorded["span"] == 202, tachy.stats()
"""


@pytest.mark.parametrize("session", ["never", "first", "second"])
@pytest.mark.parametrize("kind", [STATIC, SHARED])
def test_python_and_a_library_in_cpp_share_a_process(kind: str, session: str) -> None:
    """Whether the library has a session of its own, before Python's or after it, or none."""
    with Sink() as sink:
        library = build("package") / f"liba_{kind}.so"
        assert run([sys.executable, "-c", PYTHON, library, session], env={"TACHY_URL": sink.url}) == ""
        check_one_process(sink)
        spans = Counter((row["name"], row["depth"]) for row in sink.rows("span"))
        assert spans == {("outer", 0): 100, ("last", 0): 1, ("a_work", 1): 101}
        assert len(sink.rows("metric")) == 101
