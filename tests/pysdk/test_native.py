"""The C part: no leaks, no warnings, exact counts while sessions come and go, types that hold."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import tachy

from tests.pysdk.sink import Sink

ROOT = Path(__file__).resolve().parents[2]


@tachy.span("leak")
def decorated(*args: object, **kwargs: object) -> object:
    return args, kwargs


def test_nothing_leaks(session: Sink) -> None:
    def with_name() -> None:
        with tachy.span("x"):
            pass

    def made_names() -> None:
        with tachy.span(f"x{time.monotonic_ns() % 7}", target="t"):
            pass

    def fail() -> None:
        for bad in (
            lambda: tachy.metric("a", "b"),
            lambda: tachy.metric("a", 1, properties=5),  # type: ignore[arg-type]
            lambda: tachy.span(5),  # type: ignore[call-overload]
            lambda: tachy.log("loud", "x"),
            lambda: tachy.metric("a", 1, colour=5),  # type: ignore[call-arg]
            lambda: tachy.end(-1),
        ):
            try:
                bad()
            except (TypeError, ValueError, OverflowError):
                continue
            raise AssertionError

    def made_decorator() -> None:
        tachy.span("made")(lambda: None)()

    calls: list[Callable[[], object]] = [
        with_name,
        made_names,
        fail,
        made_decorator,
        lambda: decorated(1, b=2),
        lambda: tachy.metric("m", 2**70, unit="u", target="t", properties={"k": "v", "n": 1}),
        lambda: tachy.metric("m\ud800", 1.5),
        lambda: tachy.log("info", "text\ud800", properties={"k": "v"}),
        lambda: tachy.properties({"a": 1}),
        lambda: tachy.async_span("a").begin().end(),
        lambda: tachy.begin(tachy.span("unbalanced")) and tachy.end(1),
        tachy.frame,
    ]
    for call in calls:
        growth = []
        for _ in range(3):
            gc.collect(1)
            before = sys.getallocatedblocks()
            for _ in range(150):
                call()
            gc.collect(1)
            growth.append(sys.getallocatedblocks() - before)
        assert min(growth) < 20, call


def test_counts_are_exact_while_sessions_come_and_go(sink: Sink) -> None:
    go_on = True

    @tachy.span("call")
    def work(number: int) -> None:
        with tachy.span("inside"):
            tachy.metric("m", number)
        tachy.log("info", "x")

    def loop(number: int) -> None:
        while go_on:
            for _ in range(20):
                work(number)
            time.sleep(0.002)

    threads = [threading.Thread(target=loop, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    told: Counter[str] = Counter()
    try:
        for _ in range(6):
            tachy.start(sink.url, flush_ms=20)
            time.sleep(0.05)
            tachy.stop(20)
            stats = tachy.stats()
            assert stats.sent == {cls: stats.recorded[cls] - stats.dropped[cls] for cls in stats.recorded}
            told.update(stats.sent)
    finally:
        go_on = False
        for thread in threads:
            thread.join()
    assert told["span"] > 1000
    assert sink.events() == told
    assert len(sink.rows("span")) == told["span"]
    assert len(sink.rows("log")) == told["log"]


def test_threads_come_and_go_without_losing_events(session: Sink) -> None:
    def work() -> None:
        with tachy.span("short"):
            tachy.metric("m", 1)

    for _ in range(100):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    tachy.stop()
    assert session.events() == {"span": 400, "metric": 400}
    assert tachy.stats().dropped == {"log": 0, "metric": 0, "span": 0}


def test_the_sources_compile_without_warnings() -> None:
    sources = sorted((ROOT / "pysdk/native").glob("*.c"))
    include = sysconfig.get_paths()["include"]
    command = ["cc", "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-DTACHY_STATIC"]
    command += ["-isystem", include, "-I", str(ROOT / "native/include"), *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_of_the_recorder_is_visible_to_other_modules() -> None:
    from tachy import _native

    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", _native.__file__], capture_output=True, text=True, check=True
    )
    assert [line.split()[-1] for line in symbols.stdout.splitlines()] == ["PyInit__native"]


def test_types_hold_under_strict_mypy(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        """
import tachy

@tachy.span
def plain(a: int, *, b: str = "") -> float:
    return a + len(b)

@tachy.span("named", target="t")
async def waits(a: int) -> str:
    async with tachy.async_span("inner") as span:
        return f"{a} {span.id}"

class Thing:
    @tachy.span
    def method(self, a: int) -> bytes:
        with tachy.span("x") as span:
            tachy.metric("m", 1.5, unit=span.name, properties={"a": a})
        return b""

reveal_type(plain(1, b=""))
reveal_type(waits)
reveal_type(Thing().method(1))
reveal_type(tachy.start(properties={"a": 1}))
plain("wrong")
tachy.metric("m", 1, colour=2)
"""
    )
    # what only the query client's signatures name takes mypy ten seconds
    big = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\n" for name in ("pandas", "polars", "pyarrow", "httpx"))
    (tmp_path / "mypy.ini").write_text(big)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path), "program.py"],
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT / "pysdk"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line.split(": ", 1)[1] for line in done.stdout.splitlines() if line.startswith("program.py:")]
    assert [line for line in said if line.startswith("note: Revealed")] == [
        'note: Revealed type is "float"',
        'note: Revealed type is "def (a: int) -> typing.Coroutine[Any, Any, str]"',
        'note: Revealed type is "bytes"',
        'note: Revealed type is "uuid.UUID"',
    ]
    errors = [line for line in said if line.startswith("error")]
    assert len(errors) == 2
    assert 'incompatible type "str"; expected "int"' in errors[0]
    assert 'Unexpected keyword argument "colour"' in errors[1]


@pytest.mark.long
def test_recording_is_clean_under_address_and_undefined_sanitizers(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "pysdk", tmp_path / "pysdk", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copytree(ROOT / "native", tmp_path / "native")
    env = {
        **os.environ,
        "TACHY_CFLAGS": "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1",
        "LDFLAGS": "-fsanitize=address,undefined",
    }
    subprocess.run([sys.executable, str(tmp_path / "pysdk/build_native.py")], env=env, check=True, capture_output=True)
    libraries = [
        subprocess.run(["cc", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    env |= {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # CPython keeps what it has at its end
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "pysdk"), str(ROOT / "server"), str(ROOT)]),
    }
    tests = [f"tests/pysdk/test_{name}.py" for name in ("spans", "metrics", "async_spans", "logging", "sender", "life")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "runtime error" not in done.stdout + done.stderr
