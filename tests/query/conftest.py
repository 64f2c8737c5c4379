"""An engine over a lake in memory, and a game's worth of events in it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

os.environ.setdefault("TOKIO_WORKER_THREADS", "16")

import pyarrow as pa
import pytest
from tachy_server.base.settings import Settings
from tachy_server.query.engine import QueryEngine

from tests.model.encoder import Process
from tests.model.records import Block
from tests.query.fake_lake import FakeLake, FakeMetadata


@dataclass
class World:
    """A lake, its engine, and what was recorded, as the model says it."""

    lake: FakeLake
    engine: QueryEngine
    processes: list[Process] = field(default_factory=list)
    blocks: list[tuple[Process, Block]] = field(default_factory=list)

    def send(self, process: Process, **options: Any) -> None:
        blocks = process.blocks(**options)
        self.blocks += [(process, block) for block in blocks]
        self.lake.add(process.batch(blocks))

    def query(self, sql: str, **options: Any) -> pa.Table:
        query = self.engine.plan(sql, **options)
        return pa.Table.from_batches(list(query.batches()), query.schema)

    def rows(self, sql: str, **options: Any) -> list[dict[str, Any]]:
        """Times come as nanoseconds."""
        table = self.query(sql, **options)
        columns = [
            column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in table.columns
        ]
        result: list[dict[str, Any]] = pa.table(columns, names=table.column_names).to_pylist()
        return result

    def value(self, sql: str, **options: Any) -> Any:
        return next(iter(self.rows(sql, **options)[0].values()))

    def of(self, kind: str) -> list[tuple[Process, Any]]:
        """All events of a kind: spans, logs, metrics, async_events; spans that are open come with `open_spans`."""
        return [(process, event) for process, block in self.blocks for event in getattr(block, kind)]


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world() -> MakeWorld:
    """Makes empty worlds; the arguments are settings."""

    def make(**settings: Any) -> World:
        lake = FakeLake()
        return World(lake, QueryEngine(lake, Settings(**settings), FakeMetadata(lake)))

    return make


def play(world: World, processes: int = 2, blocks: int = 3, seed: int = 1) -> None:
    """Frames with jobs inside on two threads, logs, metrics, async loads; one span stays open over several blocks."""
    chance = random.Random(seed)
    for number in range(processes):
        process = Process(exe=f"game{number}", properties={"build": str(40 + number), "Map": "e1m1"})
        world.processes.append(process)
        main, worker = process.thread("main"), process.thread("worker")
        at = 1_000
        main.begin("Session", at, target="game", file="main.cpp", line=1)
        loads: list[int] = []
        for index in range(blocks):
            for frame in range(10):
                at += chance.randrange(100, 1_000)
                main.begin("Frame", at, target="loop", file="loop.cpp", line=10)
                for _ in range(chance.randrange(4)):
                    main.span(chance.choice(["Physics", "Draw", "Sound"]), at + 10, at + 20, target="work")
                    at += 30
                at += 50
                main.end(at)
                worker.span("Job", at - 40, at - 5, target="jobs")
                main.log(at, "frame %d took %f", frame, 1.5, level=chance.randrange(2, 6), properties={"n": str(frame)})
                main.metric(at, "fps", 60.0 + frame, unit="Hz")
                worker.metric(at, "queue", frame, unit="jobs")
            loads.append(main.async_begin(at + 1, "load"))
            if index:
                worker.async_end(at + 5, loads.pop(0))
            at += 1_000
            world.send(process, codec=chance.choice(["zstd", "lz4", "gzip", "none"]))


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """Two games, three blocks of each class each."""
    made = make_world()
    play(made)
    return made


def ids(processes: Sequence[Process]) -> list[str]:
    return [str(process.process_id) for process in processes]


def message(log: Any) -> str:
    """The text of a log."""
    text: str = log.format % log.args
    return text
