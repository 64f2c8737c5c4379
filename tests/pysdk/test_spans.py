"""Spans: every call is recorded once, nests as the program does, and never gets in its way."""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import pickle
import random
import threading
import weakref
from collections.abc import Iterator

import pytest
import tachy

from tests.pysdk.sink import Sink


def by_name(sink: Sink) -> dict[str, list[dict[str, object]]]:
    out: dict[str, list[dict[str, object]]] = {}
    for row in sink.rows("span"):
        out.setdefault(str(row["name"]), []).append(row)
    return out


@tachy.span("pickled")
def pickled() -> int:
    return 5


class Thing:
    @tachy.span
    def method(self, a: int, *, b: int = 2) -> tuple[object, int, int]:
        """Documented."""
        return self, a, b

    @tachy.span("static")
    @staticmethod
    def static(a: int) -> int:
        return a

    @classmethod
    @tachy.span("class")
    def of_class(cls) -> type:
        return cls

    @property
    @tachy.span("property")
    def value(self) -> int:
        return 7


def test_with_spans_nest_as_the_program_does(session: Sink) -> None:
    with tachy.span("outer", target="game.ai"), tachy.span("inner"):
        pass
    tachy.stop()
    spans = by_name(session)
    outer, inner = spans["outer"][0], spans["inner"][0]
    assert (outer["depth"], inner["depth"]) == (0, 1)
    assert inner["parent"] == outer["id"]
    assert outer["begin"] <= inner["begin"] <= inner["end"] <= outer["end"]
    assert outer["target"] == "game.ai"
    assert inner["target"] == __name__
    assert outer["filename"] == __file__
    assert outer["line"] == inspect.getsourcelines(test_with_spans_nest_as_the_program_does)[1] + 1
    assert outer["thread"] == "MainThread"


def test_with_gives_the_span_and_lets_exceptions_through(session: Sink) -> None:
    def fail() -> None:
        with tachy.span("failing") as span:
            assert span.name == "failing"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with contextlib.ExitStack() as stack:
        assert stack.enter_context(tachy.span("stacked")).name == "stacked"
    tachy.stop()
    assert {name: len(rows) for name, rows in by_name(session).items()} == {"failing": 1, "stacked": 1}


def test_one_place_makes_one_span_and_two_places_two(session: Sink) -> None:
    spans = [tachy.span("same") for _ in range(3)]
    assert spans[0] is spans[1] is spans[2]
    other = tachy.span("same")
    assert other is not spans[0]
    assert other.line != spans[0].line
    names = []
    for index in range(300):
        with tachy.span(f"made {index % 3}") as span:
            names.append(span.name)
    assert names == [f"made {index % 3}" for index in range(300)]
    tachy.stop()
    assert {name: len(rows) for name, rows in by_name(session).items()} == {f"made {i}": 100 for i in range(3)}


def test_begin_and_end_are_a_span(session: Sink) -> None:
    tick = tachy.span("tick")
    outer = tachy.begin(tick)
    inner = tachy.begin(tick)
    tachy.end(inner)
    tachy.end(outer)
    tachy.end(0)
    tachy.stop()
    assert [row["depth"] for row in session.rows("span")] == [1, 0]


def test_wrong_calls_raise_and_say_how_it_is_meant() -> None:
    for call in (lambda: tachy.span(5), lambda: tachy.span(), lambda: tachy.span("a", "b")):  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="span"):
            call()
    with pytest.raises(TypeError, match="str"):
        tachy.span("a", target=5)  # type: ignore[call-overload]
    for args in ("tile", ["tile"], (5,)):
        with pytest.raises(TypeError, match="args is a tuple"):
            tachy.span("a", args=args)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="begin"):
        tachy.begin("a")  # type: ignore[arg-type]
    for scope in (-1, 5000, 2**80):
        with pytest.raises((ValueError, OverflowError)):
            tachy.end(scope)
    with pytest.raises(TypeError, match="decorates functions"):
        tachy.span("a")(Thing)
    with pytest.raises(TypeError):
        type(tachy.span("a"))()


def test_decorated_functions_stay_what_they_were(session: Sink) -> None:
    thing = Thing()
    assert thing.method(1, b=3) == (thing, 1, 3)
    assert Thing.method(thing, 1) == (thing, 1, 2)
    assert Thing.static(4) == thing.static(4) == 4
    assert Thing.of_class() is thing.of_class() is Thing
    assert thing.value == 7
    assert Thing.method.__name__ == "method"
    assert Thing.method.__doc__ == "Documented."
    assert list(inspect.signature(Thing.method).parameters) == ["self", "a", "b"]
    assert pickle.loads(pickle.dumps(pickled)) is pickled
    assert pickle.loads(pickle.dumps(Thing.method)) is Thing.method
    bound = thing.method
    assert bound(9)[1] == 9

    @tachy.span("cached")
    @functools.cache
    def cached(a: int) -> int:
        return a

    assert cached(1) == cached(1) == 1
    assert cached.cache_info().hits == 1
    tachy.stop()
    counts = {name: len(rows) for name, rows in by_name(session).items()}
    assert counts == {"Thing.method": 3, "static": 2, "class": 2, "property": 1, "cached": 2}


def test_bare_decorator_names_the_span_after_the_function(session: Sink) -> None:
    @tachy.span
    def work() -> None: ...

    work()
    tachy.stop()
    row = session.rows("span")[0]
    assert row["name"] == work.__qualname__
    assert row["target"] == __name__
    assert row["filename"] == __file__
    assert row["line"] == inspect.unwrap(work).__code__.co_firstlineno


def test_exceptions_and_recursion_leave_the_stack_right(session: Sink) -> None:
    @tachy.span("down")
    def down(depth: int) -> None:
        if depth == 0:
            raise KeyError("bottom")
        down(depth - 1)

    for _ in range(3):
        with pytest.raises(KeyError):
            down(5)
    with tachy.span("after"):
        pass
    tachy.stop()
    spans = by_name(session)
    assert sorted(int(str(row["depth"])) for row in spans["down"]) == sorted(list(range(6)) * 3)
    assert spans["after"][0]["depth"] == 0
    assert tachy.stats().mismatched == 0


def test_deeper_than_the_stack_is_counted_and_leaves_it_right(session: Sink) -> None:
    span = tachy.span("deep")
    with contextlib.ExitStack() as stack:
        for _ in range(1030):
            stack.enter_context(span)
    with span:
        pass
    tachy.stop()
    stats = tachy.stats()
    assert stats.recorded["span"] == 1031
    assert stats.too_deep == stats.dropped["span"] == 6
    depths = [row["depth"] for row in session.rows("span")]
    assert depths == [*range(1023, -1, -1), 0]
    assert stats.mismatched == 0


def test_wrong_order_is_repaired_and_harmless(session: Sink) -> None:
    a, b = tachy.span("a"), tachy.span("b")
    a.__enter__()
    b.__enter__()
    a.__exit__(None, None, None)
    b.__exit__(None, None, None)
    b.__exit__(None, None, None)
    with tachy.span("c"):
        pass
    tachy.stop()
    spans = by_name(session)
    assert {name: len(rows) for name, rows in spans.items()} == {"a": 1, "b": 1, "c": 1}
    assert spans["c"][0]["depth"] == 0
    assert tachy.stats().mismatched > 0


def test_eight_threads_account_for_every_event(session: Sink) -> None:
    @tachy.span("call")
    def call() -> None:
        with tachy.span("inside"):
            tachy.metric("count", 1)

    def work(number: int) -> None:
        for index in range(2000):
            call()
            if index % 100 == 0:
                tachy.log("info", f"{number} {index}")

    threads = [threading.Thread(target=work, args=(n,), name=f"worker-{n}") for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tachy.stop()
    stats = tachy.stats()
    assert stats.recorded == {"log": 160, "metric": 16000, "span": 32000}
    assert stats.dropped == {"log": 0, "metric": 0, "span": 0}
    assert session.events() == stats.recorded
    names = {row["thread"] for row in session.rows("span")}
    assert names == {f"worker-{n}" for n in range(8)}


@pytest.mark.parametrize("seed", range(5))
def test_any_nesting_arrives_as_it_was(session: Sink, seed: int) -> None:
    rng = random.Random(seed)
    ended: list[tuple[str, int, str | None]] = []  # name, depth, parent's name, in the order of the ends
    names = [f"span {index}" for index in range(5)]
    kept = {name: tachy.span(name) for name in names}

    def run(depth: int, parent: str | None, budget: int) -> None:
        for _ in range(rng.randint(0, 4)):
            name = rng.choice(names)
            way = rng.randint(0, 3)
            if way == 0:
                with kept[name]:
                    inside(depth, name, budget)
            elif way == 1:
                scope = tachy.begin(kept[name])
                inside(depth, name, budget)
                tachy.end(scope)
            elif way == 2:
                kept[name](inside)(depth, name, budget)
            else:
                with contextlib.suppress(KeyError), tachy.span(name):
                    inside(depth, name, budget)
                    raise KeyError
            ended.append((name, depth, parent))

    def inside(depth: int, name: str, budget: int) -> None:
        if budget > 0:
            run(depth + 1, name, budget - 1)

    for _ in range(40):
        run(0, None, 5)
        if rng.random() < 0.2:
            tachy.flush(10)
    tachy.stop()
    rows = session.rows("span")
    by_id = {row["id"]: row["name"] for row in rows}
    assert [(row["name"], row["depth"], by_id.get(row["parent"])) for row in rows] == ended
    assert len(by_id) == len(rows)
    assert tachy.stats().mismatched == 0


def test_a_full_pool_drops_and_counts_and_never_waits(sink: Sink) -> None:
    def work() -> None:
        for index in range(20000):
            with tachy.span("s"):
                tachy.metric("m", index)
                tachy.log("info", "text that takes some room in the pool")

    tachy.start(sink.url, pool_bytes=1 << 16)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tachy.stop()
    stats = tachy.stats()
    told = [row for row in sink.rows("metric") if row["name"] == "tachy.dropped_events"]  # the recorder's own
    assert stats.recorded == {"log": 80000, "metric": 80000 + len(told), "span": 80000}
    for cls, count in stats.dropped.items():
        assert sum(row["value"] for row in told if row["properties"] == {"class": cls}) == count
    assert all(count > 0 for count in stats.dropped.values())
    assert sink.events() == {cls: stats.recorded[cls] - stats.dropped[cls] for cls in stats.recorded} == stats.sent


def test_off_records_nothing_and_breaks_nothing(sink: Sink) -> None:
    @tachy.span
    def work() -> int:
        return 3

    def everything() -> None:
        assert work() == 3
        with tachy.span("off"), tachy.async_span("off"):
            tachy.metric("off", 1.0)
            tachy.frame()
            tachy.log("info", "off")
        tachy.end(tachy.begin(tachy.span("off")))

    everything()
    assert not tachy.flush(0)
    tachy.start(sink.url)
    tachy.stop()
    everything()
    tachy.stop()
    assert sink.events() == {}


def test_start_and_stop_inside_open_spans_are_harmless(sink: Sink) -> None:
    with tachy.span("before"):
        tachy.start(sink.url)
        with tachy.span("during"):
            tachy.stop()
        with tachy.span("off"):
            tachy.start(sink.url)
        with tachy.span("again"):
            pass
    tachy.stop()
    names = [row["name"] for row in sink.rows("span")]
    assert names.count("again") == 1
    assert "off" not in names
    assert "before" not in names


def test_a_decorated_function_can_be_collected(session: Sink) -> None:
    class Payload: ...

    def make() -> weakref.ref[Payload]:
        payload = Payload()

        @tachy.span("short lived")
        def work() -> Payload:
            return payload

        work.myself = work  # type: ignore[attr-defined]
        work()
        return weakref.ref(payload)

    gc.collect()
    found = make()
    gc.collect()
    assert found() is None


def test_code_made_without_end_does_not_keep_memory(session: Sink) -> None:
    for index in range(3000):
        scope: dict[str, object] = {"tachy": tachy}
        exec(f"def f():\n    with tachy.span('made'):\n        return {index}\n", scope)
        assert scope["f"]() == index  # type: ignore[operator]
    tachy.stop()
    assert session.events() == {"span": 3000}


def test_generators_are_async_spans_from_first_to_last_item(session: Sink) -> None:
    @tachy.span("count")
    def count(to: int) -> Iterator[int]:
        got = 0
        for index in range(to):
            got += (yield index) or 0
        return got

    a, b = count(3), count(2)
    assert [next(a), next(b), next(a)] == [0, 0, 1]
    assert a.send(5) == 2  # type: ignore[attr-defined]
    with pytest.raises(StopIteration) as stopped:
        next(a)
    assert stopped.value.value == 5
    b.close()  # type: ignore[attr-defined]
    count(1)  # never begun: no span
    assert inspect.isgeneratorfunction(count)
    tachy.stop()
    events = [(row["event_type"], row["name"]) for row in session.rows("async")]
    assert events == [("begin", "count")] * 2 + [("end", "count")] * 2
