"""Values on spans: given to the open span, at its begin, and by a decorator from the arguments of the call."""

from __future__ import annotations

import asyncio
import decimal
import enum
import gc
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import numpy as np
import pytest
import tachy
from tachy_server.formats import reader

from tests.model import columns as c
from tests.model.decoder import Reader
from tests.pysdk.sink import Sink


class Color(enum.Enum):
    RED = 1


class Number(enum.IntEnum):
    SEVEN = 7


class Unprintable:
    def __str__(self) -> str:
        raise ZeroDivisionError


def found(sink: Sink, kind: str = "span") -> list[tuple[str, dict[str, Any]]]:
    """Names and values of the spans, in the order of their ends."""
    tachy.stop()
    return [(row["name"], row["properties"]) for row in sink.rows(kind) if row.get("event_type") != "begin"]


def test_a_span_gets_values_while_it_is_open(session: Sink) -> None:
    span = tachy.span("bake")
    span["early"] = 1
    with span as s:
        s["tile"] = 12
        s["tile"] = 13
        with tachy.span("inner") as inner:
            s["of the outer"] = "text"
            inner["share"] = 0.5
    span["late"] = 1
    assert found(session) == [("inner", {"share": 0.5}), ("bake", {"tile": 13, "of the outer": "text"})]


def test_recursion_gives_values_to_the_innermost(session: Sink) -> None:
    def descend(depth: int) -> None:
        with tachy.span("level") as s:
            if depth:
                descend(depth - 1)
            s["depth"] = depth

    descend(3)
    assert [values["depth"] for _, values in found(session)] == [0, 1, 2, 3]


def test_values_of_every_type(session: Sink) -> None:
    values: dict[str, object] = {
        "least": -(2**63), "most": 2**64 - 1, "beyond": 2**64, "far beyond": 10**400, "float": 0.1, "yes": True,
        "text": "Ünicode \ud800", "long": "x" * 300, "none": None, "color": Color.RED, "seven": Number.SEVEN,
        "numpy": np.int32(-3), "numpy float": np.float32(0.5), "decimal": decimal.Decimal("1.5"), "list": [1],
        "unprintable": Unprintable(),
    }  # fmt: skip
    with tachy.span("all") as s:
        for key, value in values.items():
            s[key] = value
    assert found(session) == [
        (
            "all",
            {
                "least": -(2**63), "most": 2**64 - 1, "beyond": 2.0**64, "far beyond": "Infinity", "float": 0.1,
                "yes": True, "text": "Ünicode ?", "long": "x" * 237 + "… [of 300 bytes]", "color": "Color.RED",
                "seven": 7, "numpy": -3, "numpy float": 0.5, "decimal": 1.5, "list": "[1]",
                "unprintable": "<unprintable Unprintable object>",
            },
        )
    ]  # fmt: skip


def test_keywords_are_values_from_the_begin(session: Sink) -> None:
    for tile in range(3):
        with tachy.span("bake", target="terrain", tile=tile, biome="alpine") as s:
            s["done"] = True
            assert (s.name, s.target) == ("bake", "terrain")
    scope = tachy.begin(tachy.span("begun", at=1))
    tachy.end(scope)
    bake = {"biome": "alpine", "done": True}
    assert found(session) == [("bake", {"tile": tile, **bake}) for tile in range(3)] + [("begun", {"at": 1})]


def test_one_place_with_values_is_one_site(session: Sink) -> None:
    for tile in range(100):
        with tachy.span("bake", tile=tile):
            pass
    before = tachy.stats().sites
    for tile in range(100):
        with tachy.span("bake", tile=tile):
            pass
    tachy.flush()
    assert tachy.stats().sites <= before + 2


def test_flows_lead_through_spans(session: Sink) -> None:
    with tachy.span("submit") as s:
        s.flow(7)
        s.flow(-1)
    with tachy.span("run") as s:
        s.flow(7)
        with pytest.raises(TypeError, match="flow"):
            s.flow("7")  # type: ignore[arg-type]
    assert found(session) == [("submit", {"flow": [7, 2**64 - 1]}), ("run", {"flow": 7})]


def test_a_decorator_shows_arguments(session: Sink) -> None:
    @tachy.span("bake", args=("tile", "mode", "where"), level=3)
    def bake(tile: int, mode: str = "fast", *rest: int, where: str | None = None, **more: int) -> int:
        return tile + len(rest) + len(more)

    @tachy.span(args=("tile",), target="terrain")
    def named(tile: int) -> None: ...

    class Thing:
        @tachy.span("method", args=("x",))
        def method(self, x: int) -> int:
            return x

        @tachy.span("static", args=("x",))
        @staticmethod
        def static(x: int) -> int:
            return x

    assert bake(1) == 1
    assert bake(2, "slow", 5, where="here", other=1) == 4
    assert bake(mode="slow", tile=3) == 3
    named(4)
    assert Thing().method(5) == Thing().method(x=5) == Thing.static(5) == 5
    with pytest.raises(TypeError):
        bake()  # type: ignore[call-arg]
    assert [(name.rpartition(".")[2], values) for name, values in found(session)] == [
        ("bake", {"level": 3, "tile": 1, "mode": "fast"}),
        ("bake", {"level": 3, "tile": 2, "mode": "slow", "where": "here"}),
        ("bake", {"level": 3, "tile": 3, "mode": "slow"}),
        ("named", {"tile": 4}),
        ("method", {"x": 5}),
        ("method", {"x": 5}),
        ("static", {"x": 5}),
        ("bake", {"level": 3, "mode": "fast"}),
    ]


@pytest.mark.parametrize("name", ["rest", "more", "other"])
def test_a_decorator_refuses_what_is_no_parameter(name: str) -> None:
    with pytest.raises(TypeError, match=f"no parameter '{name}'"):

        @tachy.span("bake", args=(name,))
        def bake(tile: int, *rest: int, **more: int) -> None: ...


def test_async_spans_have_values_on_any_thread(session: Sink) -> None:
    async def download() -> None:
        async with tachy.async_span("download", url="a") as s:
            s["bytes"] = 1
            s.flow(7)
            s["bytes"] = 2
        s["late"] = 1

    asyncio.run(download())
    span = tachy.async_span("load", path="a.png")
    span["early"] = 1
    span.begin()
    thread = threading.Thread(target=span.__setitem__, args=("ok", True))
    thread.start()
    thread.join()
    span.end()
    assert found(session, "async") == [
        ("download", {"url": "a", "bytes": 2, "flow": 7}),
        ("load", {"path": "a.png", "ok": True}),
    ]


def test_decorated_coroutines_and_generators_show_arguments(session: Sink) -> None:
    @tachy.span("coroutine", args=("x", "y"), level=3)
    async def coroutine(x: int, *, y: int = 2) -> int:
        return x + y

    @tachy.span("generator", args=("x",))
    def generator(x: int) -> Generator[int]:
        yield x

    @tachy.span("async generator", args=("x",))
    async def async_generator(x: int) -> AsyncGenerator[int]:
        yield x

    async def everything() -> list[int]:
        return [await coroutine(1), await coroutine(x=1, y=3), *[i async for i in async_generator(4)]]

    assert asyncio.run(everything()) == [3, 4, 4]
    assert list(generator(5)) == [5]
    assert found(session, "async") == [
        ("coroutine", {"level": 3, "x": 1, "y": 2}),
        ("coroutine", {"level": 3, "x": 1, "y": 3}),
        ("async generator", {"x": 4}),
        ("generator", {"x": 5}),
    ]


def test_wrong_values_raise_and_say_how_it_is_meant(session: Sink) -> None:
    with tachy.span("a") as s:
        with pytest.raises(TypeError, match="str"):
            s[5] = 1  # type: ignore[index]
        with pytest.raises(TypeError, match="stays"):
            del s["a"]  # type: ignore[attr-defined]
    assert found(session) == [("a", {})]


def test_a_value_that_interrupts_ends_the_span(session: Sink) -> None:
    class Interrupting:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    @tachy.span("called", args=("x",))
    def called(x: object) -> None: ...

    enter: list[Callable[[], object]] = [
        tachy.span("entered", x=Interrupting()).__enter__,
        lambda: tachy.begin(tachy.span("begun", x=Interrupting())),
        lambda: called(Interrupting()),
    ]
    for call in enter:
        with pytest.raises(KeyboardInterrupt):
            call()
    with tachy.span("after"):
        pass
    tachy.stop()
    assert [(row["name"], row["depth"]) for row in session.rows("span")] == [
        ("entered", 0), ("begun", 0), ("called", 0), ("after", 0),
    ]  # fmt: skip


def test_values_are_not_kept(session: Sink) -> None:
    class Thing: ...

    @tachy.span("called", args=("x",))
    def called(x: object) -> None: ...

    thing = Thing()
    gone = weakref.ref(thing)
    with tachy.span("bake", thing=thing) as s:
        s["other"] = thing
    called(thing)
    asynchronous = tachy.async_span("load", thing=thing).begin()
    del thing, s
    gc.collect()
    assert gone() is None
    asynchronous.end()


def test_spans_with_values_leave_nothing_to_the_garbage_collector(session: Sink) -> None:
    def all_forms() -> None:
        with tachy.span("bake", tile=1) as s:
            s["other"] = 2

    spans = {type(tachy.span("bake")), type(tachy.span("bake", tile=1))}
    all_forms()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(100):
            all_forms()
        gc.collect()
        left = [one for one in gc.garbage if type(one) in spans]  # other threads may leave what they like
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []


def test_blocks_without_values_have_no_byte_for_them(session: Sink) -> None:
    def columns() -> set[int]:
        tachy.flush()
        batches, session.batches[:] = list(session.batches), []
        found: set[int] = set()
        for batch in batches:
            for offset, _, block in reader.check_batch(batch).blocks:
                if block.cls == 3:
                    stored = batch[offset + block.header_size : offset + block.header_size + block.stored_size]
                    body = Reader(reader.decompress(block.codec, stored, block.raw_size))
                    found |= body.uints.keys() | body.doubles.keys() | body.texts.keys()
        return found

    with tachy.span("bake"), tachy.async_span("load"):
        pass
    without = columns()
    with tachy.span("bake") as span:
        span["tile"] = 12
    assert columns() - without == {c.SPAN_VALUE_OWNER, c.SPAN_VALUE_SITE, c.SPAN_VALUE_TYPE, c.SPAN_VALUE_INT}
    assert {column for column in without if column >= c.SPAN_VALUE_OWNER} == set()


def test_without_a_session_nothing_happens() -> None:
    with tachy.span("bake", tile=1) as s:
        s["tile"] = 12
        s.flow(7)
    span = tachy.async_span("load", tile=1).begin()
    span["tile"] = 12
    span.flow(7)
    span.end()
