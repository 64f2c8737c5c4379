"""Async spans: parents follow the task, the two halves may be on two threads, misuse is harmless."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
import tachy

from tests.pysdk.sink import Sink


def tree(sink: Sink) -> dict[str, str | None]:
    """Name of each span -> its parent's name; every begin has its end."""
    rows = sink.rows("async")
    names = {row["span_id"]: row["name"] for row in rows}
    begins = [row["span_id"] for row in rows if row["event_type"] == "begin"]
    ends = [row["span_id"] for row in rows if row["event_type"] == "end"]
    assert sorted(begins) == sorted(ends)
    assert len(set(begins)) == len(begins)
    return {row["name"]: names.get(row["parent_span_id"]) for row in rows if row["event_type"] == "begin"}


def test_parents_follow_the_task(session: Sink) -> None:
    async def fetch(name: str) -> None:
        async with tachy.async_span(f"fetch {name}"):
            await asyncio.sleep(0.001)
            with tachy.async_span(f"parse {name}"):
                await asyncio.sleep(0.001)

    @tachy.span("load")
    async def load() -> str:
        await asyncio.gather(fetch("a"), fetch("b"))
        return "done"

    assert asyncio.run(load()) == "done"
    assert inspect.iscoroutinefunction(load)
    tachy.stop()
    assert tree(session) == {
        "load": None,
        "fetch a": "load",
        "fetch b": "load",
        "parse a": "fetch a",
        "parse b": "fetch b",
    }
    assert session.events() == {"span": 10}


def test_parents_can_be_given_and_halves_be_on_two_threads(session: Sink) -> None:
    root = tachy.async_span("root").begin()
    child = tachy.async_span("child", parent=root, target="net").begin()
    with root:  # a second begin does nothing, but makes it current
        orphan = tachy.async_span("orphan", parent=None).begin()
    thread = threading.Thread(target=lambda: (child.end(), orphan.end()), name="ender")
    thread.start()
    thread.join()
    root.end()
    child.end()
    assert root.id != 0
    tachy.stop()
    assert tree(session) == {"root": None, "child": "root", "orphan": None}
    rows = session.rows("async")
    assert {row["thread"] for row in rows if row["event_type"] == "end" and row["name"] == "child"} == {"ender"}
    assert [row["depth"] for row in rows if row["name"] == "child"] == [1, 1]
    assert [row["target"] for row in rows if row["name"] == "child"] == ["net", "net"]
    assert session.events() == {"span": 6}


def test_what_has_ended_is_nobody_s_parent(session: Sink) -> None:
    async def stream(name: str) -> AsyncIterator[int]:
        async with tachy.async_span(name):
            yield 1
            yield 2

    def plain(name: str) -> Iterator[int]:
        with tachy.async_span(name):
            yield 1
            yield 2

    def after(name: str) -> None:
        with tachy.async_span(f"after {name}"):
            pass

    async def main() -> None:
        closed = stream("closed by another task")
        await anext(closed)
        await asyncio.create_task(closed.aclose())  # type: ignore[attr-defined]
        after("closed by another task")
        dropped = stream("dropped")
        await anext(dropped)
        del dropped
        gc.collect()
        await asyncio.sleep(0)  # the loop closes it
        await asyncio.sleep(0.01)
        after("dropped")
        generator = plain("closed in another context")
        next(generator)
        contextvars.Context().run(generator.close)  # type: ignore[attr-defined]
        after("closed in another context")
        generator = plain("closed by another thread")
        next(generator)
        thread = threading.Thread(target=generator.close)  # type: ignore[attr-defined]
        thread.start()
        thread.join()
        after("closed by another thread")
        elsewhere = tachy.async_span("entered in another context")
        contextvars.copy_context().run(elsewhere.__enter__)
        after("entered in another context")
        elsewhere.end()

    asyncio.run(main())
    tachy.stop()
    found = tree(session)
    assert len(found) == 10
    assert set(found.values()) == {None}


def test_spans_that_end_out_of_order_leave_the_others_current(session: Sink) -> None:
    def plain() -> Iterator[int]:
        with tachy.async_span("generator"):
            yield 1

    with tachy.async_span("outer"):
        generator = plain()
        next(generator)
        with tachy.async_span("inner"):
            generator.close()  # type: ignore[attr-defined]
            with tachy.async_span("in inner"):
                pass
        with tachy.async_span("in outer"):
            pass
    with tachy.async_span("in nothing"):
        pass
    tachy.stop()
    assert tree(session) == {
        "outer": None,
        "generator": "outer",
        "inner": "generator",
        "in inner": "inner",
        "in outer": "outer",
        "in nothing": None,
    }


def test_a_task_that_outlives_its_parent_has_the_one_around_it(session: Sink) -> None:
    async def late(ended: asyncio.Event) -> None:
        with tachy.async_span("early child"):
            pass
        await ended.wait()
        with tachy.async_span("late child"):
            pass

    async def main() -> None:
        ended = asyncio.Event()
        with tachy.async_span("request"):
            with tachy.async_span("handler"):
                task = asyncio.create_task(late(ended))
                await asyncio.sleep(0)
            ended.set()
            await task

    asyncio.run(main())
    tachy.stop()
    assert tree(session) == {
        "request": None,
        "handler": "request",
        "early child": "handler",
        "late child": "request",
    }


def test_a_span_that_was_given_and_has_ended_stands_for_its_own_parent(session: Sink) -> None:
    root = tachy.async_span("root").begin()
    child = tachy.async_span("child", parent=root).begin()
    child.end()
    tachy.async_span("of child", parent=child).begin().end()
    root.end()
    tachy.async_span("of nobody", parent=child).begin().end()
    tachy.stop()
    assert tree(session) == {"root": None, "child": "root", "of child": "root", "of nobody": None}


def test_a_dropped_span_is_nobody_s_parent(session: Sink) -> None:
    tachy.async_span("never ended").__enter__()
    gc.collect()
    with tachy.async_span("after"):
        pass
    tachy.stop()
    parents = {row["name"]: row["parent_span_id"] for row in session.rows("async") if row["event_type"] == "begin"}
    assert parents == {"never ended": 0, "after": 0}


def test_what_is_switched_off_does_not_cut_the_tree(session: Sink) -> None:
    tachy.set_category("quiet", "none")
    try:
        with (
            tachy.async_span("outer"),
            tachy.async_span("quiet", target="quiet"),
            tachy.async_span("inner"),
        ):
            pass
    finally:
        tachy.set_category("quiet", None)
    tachy.stop()
    assert tree(session) == {"outer": None, "inner": "outer"}


def test_exceptions_and_cancellation_end_the_span(session: Sink) -> None:
    @tachy.span("fails")
    async def fails() -> None:
        raise KeyError

    @tachy.span("waits")
    async def waits() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        with pytest.raises(KeyError):
            await fails()
        task = asyncio.create_task(waits())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    tachy.stop()
    assert tree(session) == {"fails": None, "waits": None}


def test_async_generators_keep_their_protocol(session: Sink) -> None:
    closed = []

    @tachy.span("ticks")
    async def ticks() -> AsyncIterator[int]:
        try:
            got = yield 1
            assert got is None
            got = yield 2
            assert got == "sent"
            try:
                yield 3
            except KeyError:
                yield 4
        finally:
            closed.append(True)

    async def main() -> None:
        assert inspect.isasyncgenfunction(ticks)
        stream = ticks()
        assert await anext(stream) == 1
        assert await anext(stream) == 2
        assert await stream.asend("sent") == 3  # type: ignore[attr-defined]
        assert await stream.athrow(KeyError()) == 4  # type: ignore[attr-defined]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        early = ticks()
        assert await anext(early) == 1
        await early.aclose()  # type: ignore[attr-defined]
        assert [value async for value in ticks()][:1] == [1]

    with pytest.raises(AssertionError):
        asyncio.run(main())  # the last loop sends None where "sent" is wanted: the error comes through
    assert closed == [True] * 3
    tachy.stop()
    assert session.events() == {"span": 6}


def test_a_span_across_an_await_is_harmless(session: Sink) -> None:
    async def task(name: str, seconds: float) -> None:
        with tachy.span(name):
            await asyncio.sleep(seconds)

    async def main() -> None:
        await asyncio.gather(task("a", 0.01), task("b", 0.02), task("a", 0.03))

    asyncio.run(main())
    with tachy.span("after"):
        pass
    tachy.stop()
    rows = session.rows("span")
    assert len(rows) == tachy.stats().recorded["span"] == 4
    assert rows[-1]["depth"] == 0
