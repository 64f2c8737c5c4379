"""A small game on paper: frames, jobs, loading, counters and logs of two processes, for traces that people look at."""

from __future__ import annotations

import math
import random
import uuid

from tests.model.encoder import Process
from tests.perfetto.fake_lake import FakeLake

MS = 1_000_000


def play(frames: int = 120, *, seed: int = 1) -> tuple[FakeLake, list[Process]]:
    """A client and its server, a block of every class per 16 frames, stored in a lake."""
    rng = random.Random(seed)
    lake = FakeLake()
    client = Process(
        "/opt/games/Arena/ArenaClient", process_id=uuid.UUID(int=seed * 2), properties={"build": "1042", "map": "e1m1"}
    )
    server = Process("C:\\Arena\\ArenaServer.exe", process_id=uuid.UUID(int=seed * 2 + 1), parent=client.process_id)
    main, render, net = client.thread("Main"), client.thread("Render"), client.thread("Network")
    workers = [client.thread(f"Worker {i}") for i in range(3)]
    tick = server.thread("Tick")
    loop = "src/engine/loop.cpp"
    main.begin("Level e1m1", 1 * MS, target="game", file="src/game/level.cpp", line=31)
    loads: list[int] = []
    at = 2 * MS
    for i in range(frames):
        length = int((14 + 3 * math.sin(i / 9) + (20 if i % 37 == 36 else 0)) * MS)
        main.begin("Frame", at, target="engine", file=loop, line=40)
        for name, line, begin, end in (("Input", 44, 0, 3), ("Simulate", 51, 4, 55), ("Submit", 77, 60, 95)):
            main.begin(name, at + length * begin // 100, target="engine", file=loop, line=line)
            if name == "Simulate":
                main.span("Physics", at + length * 6 // 100, at + length * 30 // 100, target="physics")
                main.span("Animation", at + length * 32 // 100, at + length * 50 // 100, target="animation")
            main.end(at + length * end // 100)
        main.end(at + length)
        render.begin("Render", at + length // 3, target="render")
        render.span("Shadows", at + length * 4 // 10, at + length * 5 // 10, target="render")
        render.span("Opaque", at + length * 5 // 10, at + length * 9 // 10, target="render")
        render.end(at + length)
        for worker in workers:
            begin = at + rng.randint(1, 40) * length // 100
            worker.span("Job", begin, begin + rng.randint(5, 55) * length // 100, target="jobs")
        net.span("Poll", at + length // 2, at + length // 2 + MS, target="net")
        tick.span("Tick", at + MS, at + length - MS, target="server")
        main.frame(at + length, "Frame", length)
        main.metric(at + length, "memory", 512 + 3 * i + rng.randint(0, 40), unit="MB", target="engine")
        main.metric(at + length, "draw calls", 1200 + int(300 * math.sin(i / 7)), unit="count", target="render")
        if i % 10 == 3:
            load = main.async_begin(at, f"stream chunk {i}", target="streaming")
            read = net.async_begin(at + 2 * MS, "read", parent=load, target="streaming")
            decode = workers[0].async_begin(at + 5 * MS, "decode", parent=load, target="streaming")
            net.async_end(at + 30 * MS, read)
            workers[1].async_end(at + 44 * MS, decode)
            loads.append(load)
        if len(loads) > 1:
            main.async_end(at + 10 * MS, loads.pop(0))
        if i % 25 == 10:
            main.log(at + 5 * MS, "player %s scored %d", "ada", i, target="game", properties={"team": "red"})
        if i % 37 == 36:
            main.log(at + length - MS, "slow frame: %.1f ms", length / MS, level=3, target="engine")
        at += length
        if i % 16 == 15:
            lake.store(client, client.blocks())
            lake.store(server, server.blocks())
    lake.store(client, client.blocks())
    lake.store(server, server.blocks())
    return lake, [client, server]
