"""How long a body may take to come, and whose bytes may be in memory."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message
from tachy_server.base.bodies import BusyError, Disconnected, MemoryBudget, Share, TooLarge, TooSlow
from tachy_server.base.settings import Settings

Receive = Callable[[], Awaitable[Message]]


def sending(*parts: bytes, pause: float = 0.0) -> Receive:
    """A client that sends these, with pauses between them, and ends its body after the last."""
    left = list(parts)

    async def receive() -> Message:
        await asyncio.sleep(pause)
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    return receive


def trickling(pause: float) -> Receive:
    """A client that sends a byte now and then, for ever."""

    async def receive() -> Message:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": b"x", "more_body": True}

    return receive


class Held:
    """A client that sends what it is told to."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()

    def send(self, part: bytes, *, more: bool = True) -> None:
        self._messages.put_nowait({"type": "http.request", "body": part, "more_body": more})

    def leave(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})

    async def __call__(self) -> Message:
        return await self._messages.get()


async def read(budget: MemoryBudget, receive: Receive, limit: int = 1 << 30, **settings: float) -> bytes:
    with budget.share() as share:
        return await share.read(receive, Settings(**settings), limit)  # type: ignore[arg-type]


async def held(budget: MemoryBudget, size: int) -> None:
    """Returns once so much of the room is taken."""
    async with asyncio.timeout(60):
        while budget.used != size:
            await asyncio.sleep(0.001)


def test_a_body_that_pauses_too_long_is_too_slow() -> None:
    budget = MemoryBudget(1000)
    with pytest.raises(TooSlow, match=r"0\.1 s"):
        asyncio.run(read(budget, Held(), body_timeout=0.1))
    assert budget.used == 0


def test_a_body_that_trickles_is_too_slow() -> None:
    budget = MemoryBudget(1000)
    with pytest.raises(TooSlow, match="1000 bytes/s"):
        asyncio.run(read(budget, trickling(0.01), body_timeout=0.3, body_rate=1000))
    assert budget.used == 0


def test_a_body_has_a_total_time() -> None:
    with pytest.raises(TooSlow, match=r"within 0\.3 s"):
        asyncio.run(read(MemoryBudget(1 << 20), trickling(0.01), body_seconds=0.3, body_rate=1))


def test_a_body_that_comes_at_the_least_rate_may_take_long() -> None:
    parts = [b"x" * 100] * 20
    assert asyncio.run(read(MemoryBudget(5000), sending(*parts, pause=0.01), body_timeout=5, body_rate=20)) == b"".join(
        parts
    )


def test_waiting_for_room_is_not_the_clients_slowness() -> None:
    async def run() -> bytes:
        budget = MemoryBudget(1000)
        with budget.share() as busy:
            assert await busy.read(sending(b"x" * 1000), Settings(), 1000)
            waiting = asyncio.create_task(read(budget, sending(b"y" * 1000), body_timeout=0.2, body_seconds=0.2))
            await asyncio.sleep(0.5)
            assert not waiting.done()
        return await waiting

    assert asyncio.run(run()) == b"y" * 1000


def test_room_is_taken_as_bytes_come_and_given_back_however_it_ends() -> None:
    async def run() -> None:
        budget = MemoryBudget(1000)
        client = Held()
        reading = asyncio.create_task(read(budget, client))
        for size in (10, 20, 30):
            client.send(b"x" * 10)
            await held(budget, size)
        client.leave()
        with pytest.raises(Disconnected):
            await reading
        assert budget.used == 0
        with pytest.raises(TooLarge, match="100 bytes"):
            await read(budget, sending(b"x" * 60, b"x" * 60), limit=100)
        assert budget.used == 0
        reading = asyncio.create_task(read(budget, client))
        client.send(b"x")
        await held(budget, 1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert budget.used == 0

    asyncio.run(run())


def test_a_full_room_is_waited_for_in_order_and_then_refused() -> None:
    async def run() -> None:
        budget = MemoryBudget(1000)
        with budget.share() as share:  # whole, and being made durable: it is not sent away
            await share.read(sending(b"x" * 900), Settings(), 1000)
            first = asyncio.create_task(read(budget, sending(b"a" * 500)))
            await asyncio.sleep(0)
            second = asyncio.create_task(read(budget, sending(b"b" * 10), ingest_queue_wait=0.1))
            with pytest.raises(BusyError, match="again later"):
                await second
            assert not first.done()
        assert await first == b"a" * 500
        assert budget.used == 0

    asyncio.run(run())


def test_who_finds_no_room_sends_the_largest_body_away_that_does_not_come_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tachy_server.base.bodies._STALLED", 0.2)

    async def run() -> None:
        budget = MemoryBudget(1000)
        clients = [Held() for _ in range(3)]
        reading = [asyncio.create_task(read(budget, client)) for client in clients]
        for client, size in zip(clients, (300, 500, 200), strict=True):
            client.send(b"x" * size)
        await held(budget, 1000)
        assert await read(budget, sending(b"y" * 100), ingest_queue_wait=60) == b"y" * 100
        with pytest.raises(BusyError, match="does not come on"):
            await reading[1]
        for client, task, size in zip(clients, reading, (301, 0, 201), strict=True):
            if size:
                client.send(b"x", more=False)
                assert len(await task) == size
        assert budget.used == 0

    asyncio.run(run())


def test_nobody_is_sent_away_whose_going_makes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small bodies have stalled, large ones have just come on: it is waited for the large ones to stall, too."""
    monkeypatch.setattr("tachy_server.base.bodies._STALLED", 0.2)
    monkeypatch.setattr("tachy_server.base.bodies._PROGRESS", 100)

    async def run() -> None:
        budget = MemoryBudget(1000)
        small, large = [Held() for _ in range(4)], [Held() for _ in range(2)]
        tasks = [asyncio.create_task(read(budget, client)) for client in (*small, *large)]
        for client in small:
            client.send(b"x")
        await held(budget, 4)
        await asyncio.sleep(0.3)
        for client in large:
            client.send(b"x" * 498)
        await held(budget, 1000)
        assert await read(budget, sending(b"y" * 100), ingest_queue_wait=60) == b"y" * 100
        for client in (*small, *large):
            client.send(b"x", more=False)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results[:4] == [b"xx"] * 4
        assert sum(isinstance(result, BusyError) for result in results[4:]) == 1
        assert budget.used == 0

    asyncio.run(run())


def test_no_more_are_sent_away_than_make_room_for_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tachy_server.base.bodies._STALLED", 0.1)

    async def run() -> None:
        budget = MemoryBudget(1000)
        clients = [Held() for _ in range(10)]
        tasks = [asyncio.create_task(read(budget, client)) for client in clients]
        for client in clients:
            client.send(b"x" * 100)
        await held(budget, 1000)
        reads = [read(budget, sending(b"y" * 5), ingest_queue_wait=60) for _ in range(20)]
        assert await asyncio.gather(*reads) == [b"y" * 5] * 20
        for client in clients:
            client.send(b"x", more=False)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(result, BusyError) for result in results) == 1
        assert budget.used == 0

    asyncio.run(run())


def test_bodies_that_fill_the_room_and_wait_for_more_do_not_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tachy_server.base.bodies._STALLED", 0.1)

    async def run() -> None:
        budget = MemoryBudget(1000)
        parts = [b"x" * 50] * 12
        tasks = [asyncio.create_task(read(budget, sending(*parts), ingest_queue_wait=60)) for _ in range(4)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert b"".join(parts) in results
        assert all(result == b"".join(parts) or isinstance(result, BusyError) for result in results)
        assert budget.used == 0

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_body_in_tiny_pieces_takes_little_more_than_its_bytes() -> None:
    pieces = 20_000

    async def receive() -> Message:
        nonlocal pieces
        pieces -= 1
        return {"type": "http.request", "body": pieces.to_bytes(2), "more_body": pieces > 0}

    async def run() -> int:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        assert len(await read(MemoryBudget(1 << 20), receive)) == 40_000
        return tracemalloc.get_traced_memory()[1] - before

    try:
        assert asyncio.run(run()) < 400_000  # as objects of their own: 900 KB
    finally:
        tracemalloc.stop()


def test_a_share_that_took_nothing_gives_nothing_back() -> None:
    budget = MemoryBudget(10)
    with Share(budget):
        pass
    assert budget.used == 0
