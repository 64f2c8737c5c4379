"""Programs made up from a seed: threads, nested and lost spans, async spans, logs, metrics, many blocks.

hypothesis draws the seed and the shape, not every action: its own choices make programs that are too short to nest.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st

from tests.model import rows
from tests.model.encoder import Block, Process, Thread
from tests.model.values import Value

NAMES = ["Frame", "Physics", "AI", "Überschrift", "x", ""]
STEPS = [0, 0, 1, 3, 100, 254, 255, 256, 300, 70_000, 5_000_000_000]
KEYS = ["tile", "mesh", "Überschrift", *map(str, range(40))]
PROPERTIES = [None, None, {"map": "e1m1"}, {"map": "e1m1", "quote": 'a "b" \\ \n\x01'}, {"é": ""}]
ACTIONS = ["begin"] * 6 + ["end"] * 3 + ["leaf"] * 4 + ["unwind", "async", "async_end", "log", "metric"] * 2
ACTIONS += ["value", "value", "async_value", "frame", "ticks", "lose", "drift", "block", "block"]


@dataclass
class Program:
    """What was made: blocks of every class in order, and the process."""

    process: Process
    blocks: list[Block] = field(default_factory=list)


class Player:
    """Turns a random source into calls; time only runs forward."""

    def __init__(self, random: Random, *, frequency: int, losses: bool) -> None:
        self.random, self.losses = random, losses
        self.process = Process(frequency=frequency)
        self.threads = [self.process.thread(name) for name in ("main", "wörker", "")]
        self.now = 0
        self.open_async: list[int] = []

    def step(self) -> int:
        self.now += self.random.choice(STEPS)
        return self.now

    def lost(self) -> bool:
        return self.losses and self.random.random() < 0.25

    def integer(self) -> int:
        return self.random.choice([0, -1, 7, 127, 128, 300, -(1 << 63), (1 << 63) - 1, self.random.getrandbits(40)])

    def double(self) -> float:
        return self.random.choice([0.0, -0.0, 1.5, 1e300, float("inf"), self.random.uniform(-1e6, 1e6)])

    def arg(self) -> rows.Arg:
        unsigned = self.random.getrandbits(64)
        text: list[rows.Arg] = ["", "Ünicode", "long " * 100, bytes(range(256)), struct.pack("<Q", unsigned)]
        more: list[rows.Arg] = [self.integer(), rows.U64(unsigned), rows.Pointer(unsigned), self.double()]
        return self.random.choice(more + text)

    def value(self) -> Value:
        numbers: list[Value] = [True, self.integer(), rows.U64(self.random.getrandbits(64)), self.double()]
        return self.random.choice([*numbers, "Ünicode", "", b"\xff\x00", rows.Flow(self.random.randint(0, 3))])

    def act(self, thread: Thread, action: str) -> None:
        pick = self.random.choice
        if action == "begin" and len(thread.stack) < 1024:
            thread.begin(pick(NAMES), self.step(), target=pick(NAMES), file=pick(NAMES), line=pick([0, 7, 255, 70_000]))
        elif action == "end" and thread.stack:
            thread.end(self.step(), lost=self.lost())
        elif action == "unwind":
            for _ in range(min(len(thread.stack), pick([1, 2, 3, 4]))):
                thread.end(self.step(), lost=self.lost())
        elif action == "leaf":
            begin = self.step()
            thread.span(pick(NAMES), begin, self.step())
        elif action == "async":
            parent = pick([0, *self.open_async])
            self.open_async.append(thread.async_begin(self.step(), pick(NAMES), parent=parent))
        elif action == "async_end" and self.open_async:
            thread.async_end(self.step(), self.open_async.pop(pick(range(len(self.open_async)))))
        elif action == "value" and thread.stack:
            thread.value(pick(KEYS), self.value(), depth=pick([-1, -1, 0]))
        elif action == "async_value" and self.open_async:
            thread.async_value(pick(self.open_async), pick(KEYS), self.value())
        elif action == "log":
            args = [self.arg() for _ in range(pick(range(9)))]
            thread.log(self.step(), pick(NAMES), *args, level=pick(range(1, 7)), properties=pick(PROPERTIES))
        elif action == "metric":
            value = pick([self.integer(), self.double()])
            thread.metric(self.step(), pick(NAMES), value, unit=pick(NAMES), properties=pick(PROPERTIES))
        elif action == "frame":
            thread.frame(self.step(), "Game", self.random.getrandbits(40))
        elif action == "ticks":
            thread.metric(self.step(), "wait", self.random.getrandbits(40), ticks=True)
        elif action == "lose" and self.losses:
            thread.lose_logs(self.random.randint(1, 300))
            thread.lose_metrics(self.random.randint(1, 300))


def play(seed: int, length: int, *, losses: bool, codec: str = "zstd") -> Program:
    """The program of a seed: `length` actions on three threads, cut into blocks at random moments."""
    random = Random(seed)
    frequency = random.choice([10**9, 3_000_000_000, 24_000_000])
    player = Player(random, frequency=frequency, losses=losses)
    program = Program(player.process)
    for _ in range(length):
        action = random.choice(ACTIONS)
        if action == "block":
            program.blocks += player.process.blocks(codec=codec)
        elif action == "drift":
            player.process.drift_ns += random.randint(0, 1000)
        else:
            player.act(random.choice(player.threads), action)
    program.blocks += player.process.blocks(codec=codec)
    return program


@st.composite
def programs(draw: st.DrawFn, *, losses: bool | None = None) -> Program:
    """Half of the programs lose nothing, unless `losses` says."""
    lossy = draw(st.booleans()) if losses is None else losses
    codec = draw(st.sampled_from(["none", "zstd", "lz4", "gzip"]))
    return play(draw(st.integers(0, 1 << 32)), draw(st.integers(1, 150)), losses=lossy, codec=codec)
