"""Everything at once for ten minutes: ingest, merging, files of views, expiry, queries and DuckDB, one of two
maintenance processes killed again and again; no event is ever missing or there twice.

A day passes in some seconds. Every event has a number, its process's next one, so what a query sees of a process is
right if the numbers have no hole and no double, end where some batch ended, and begin where a day's life began; and
what it sees of one view at its moment has to end where it ends in all others.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from tachy_server.base.settings import PARQUET, Settings
from tachy_server.formats.reader import LOG, METRIC, SPAN
from tachy_server.lake.database import day_of
from tachy_server.lake.lake import Lake
from tachy_server.lake.store import LocalStore
from tachy_server.maintain.lives import Expirer
from tachy_server.maintain.rewriting import LATE, Rewriter
from tachy_server.maintain.rules import Rules
from tachy_server.query import statements
from tachy_server.query.command_runs import Context
from tachy_server.query.commands import parse
from tachy_server.query.engine import QueryEngine
from tachy_server.views.tables import Stop

from tests.lake.duck import attached
from tests.maintain.conftest import SECOND, START, Killed, World, killed_at, opened
from tests.maintain.conftest import ingest_server as ingest_server
from tests.maintain.test_checking import check
from tests.model.encoder import Process
from tests.serving import Server

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
DAY = 86_400 * SECOND
DAY_TAKES = min(20.0, SECONDS / 6)  # seconds
SLOT = DAY // 4
GRACE = int(60 / DAY_TAKES * DAY)  # a minute of real time: no query takes so long
LIVES = {LOG: 3.0, METRIC: 2.0, SPAN: 1.0}
VIEWS = {"log_entries": LOG, "measures": METRIC, "thread_spans": SPAN}
STATS = ("log_stats", "measure_stats", "span_stats")
AT_ONCE = 5  # events of a class in a batch
PROCESSES = 4
LOOK = """
SELECT 'measures' AS view, name, count(*) AS n, min(value) AS lo, max(value) AS hi, sum(value) AS total
FROM measures GROUP BY 2
UNION ALL SELECT 'log_entries', target, count(*), min(n), max(n), sum(n)
FROM (SELECT target, CAST(substr(msg, 3) AS DOUBLE) AS n FROM log_entries) GROUP BY 2
UNION ALL SELECT 'thread_spans', name, count(*), min(id) - 1, max(id) - 1, sum(id) - count(*)
FROM thread_spans GROUP BY 2
UNION ALL SELECT 'measure_stats', name, sum(count), min(min), max(max), sum(sum) FROM measure_stats GROUP BY 2
UNION ALL SELECT 'log_stats', target, sum(count), NULL, NULL, NULL FROM log_stats GROUP BY 2
UNION ALL SELECT 'span_stats', name, sum(count), NULL, NULL, sum(total) FROM span_stats GROUP BY 2
"""
MINE = """CREATE MATERIALIZED VIEW mine AS
SELECT name, date_bin(INTERVAL '1 hour', time) AS hour, count(*) AS n, min(value) AS lo, max(value) AS hi,
    sum(value) AS total FROM measures GROUP BY 1, 2"""
LOOK_AT_MINE = """SELECT name, sum(n) AS n, min(lo) AS lo, max(hi) AS hi, sum(total) AS total FROM mine GROUP BY name
UNION ALL SELECT 'all', count(*), 0, 0, 0 FROM measures"""


@dataclass
class Sender:
    """A process, and of its batches the first numbers of each day."""

    process: Process
    begun: int = 0
    stored: int = 0
    days: dict[date, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.process.process_id)

    def batch(self, now: int) -> bytes:
        thread = self.process.threads[0] if self.process.threads else self.process.thread("main")
        at = max(now - START, self.process.latest - self.process.start_ticks)
        for number in range(self.begun, self.begun + AT_ONCE):
            at += 100
            thread.metric(at, self.name, float(number))
            thread.log(at, "n %d", number, target=self.name)
            thread.span(self.name, at, at + 10)
        self.days.setdefault(day_of(now), self.begun)
        self.begun += AT_ONCE
        return self.process.batch()

    def begins(self, first: date) -> int:
        """The first number that came on that day or later."""
        return min((number for day, number in dict(self.days).items() if day >= first), default=self.begun)


@dataclass
class Soak:
    """The lake, and what has been done to it."""

    world: World
    senders: list[Sender] = field(default_factory=lambda: [Sender(Process(start_time=START)) for _ in range(PROCESSES)])
    over: threading.Event = field(default_factory=threading.Event)
    done: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = Settings(rewrite_seconds=SLOT / SECOND, parquet_views=PARQUET)
        self.began = time.monotonic()
        self._lock = threading.Lock()

    def now(self) -> int:
        return START + int((time.monotonic() - self.began) / DAY_TAKES * DAY)

    def count(self, what: str, times: int = 1) -> None:
        with self._lock:
            self.done[what] = self.done.get(what, 0) + times

    def send(self, some: list[Sender]) -> None:
        """One group after the other."""
        while not self.over.wait(0.05):
            now = self.now()
            self.world.store_group([sender.batch(now) for sender in some], now)
            for sender in some:
                sender.stored = sender.begun
            self.count("groups")

    def maintain(self, lake: Lake) -> None:
        """As the role does, once."""
        engine = QueryEngine(lake, self.settings)
        rewriter = Rewriter(lake, SLOT / SECOND, GRACE / SECOND, clock=self.now)
        expirer = Expirer(lake, rewriter, LIVES, GRACE, Rules(self.ask, LATE, clock=self.now), clock=self.now)
        filled = False

        def fill() -> None:
            nonlocal filled
            while not self.over.is_set() and engine.materializer(lake).step(self.now()):
                self.count("steps")
            filled = not self.over.is_set()

        rewriter.run(fill)
        if filled:
            self.count("dropped", expirer.run())
        for name, number in rewriter.stats().items():
            self.count(name, number)

    def maintain_well(self) -> None:
        while not self.over.wait(0.1):
            self.maintain(self.world.lake)

    def maintain_and_die(self) -> None:
        """Somewhere in the midst, which a lake and a store of its own have to bear."""
        chance = random.Random(1)
        while not self.over.wait(0.1):
            lake = Lake(self.world.base, LocalStore(self.world.store.root))
            with pytest.MonkeyPatch.context() as dying:
                killed_at(World(lake.database, lake, lake.store), chance.randrange(1, 400), dying)
                with suppress(Killed):
                    self.maintain(lake)
                    self.count("survived")
            self.count("lives")
            lake.close()

    def first_days(self, now: int) -> dict[int, date]:
        """Of each class the first day that is not over."""
        return {cls: day_of(now - LATE - int(life * DAY)) for cls, life in LIVES.items()}

    def dropped(self) -> dict[int, date]:
        """Of each class the last day that is gone."""
        with self.world.lake.connection() as connection:
            return dict(connection.execute("SELECT class, last_day FROM expired").fetchall())

    def ask(self, sql: str, begin: int | None = None, end: int | None = None) -> pa.Table:
        query = QueryEngine(self.world.lake, self.settings).plan(sql, begin=begin, end=end)
        return pa.Table.from_batches(list(query.batches()), query.schema)

    def look(self) -> None:
        """Every view at one moment."""
        stored, dropped = {one.name: one.stored for one in self.senders}, self.dropped()
        rows = self.ask(LOOK).to_pylist()
        begun, last = {one.name: one.begun for one in self.senders}, self.first_days(self.now())
        ends: dict[str, dict[str, int]] = {}
        for row in rows:
            count, name, view = int(row["n"]), row["name"], row["view"]
            if view in STATS:
                ends.setdefault(name, {})[view] = count
                totals = {"measure_stats": count * (count - 1) // 2, "span_stats": 10 * count}
                assert view not in totals or row["total"] == totals[view], row
                continue
            low, high = int(row["lo"]), int(row["hi"])
            assert (count, row["total"]) == (high - low + 1, (low + high) * count // 2), row
            ends.setdefault(name, {})[view] = high + 1
            sender = next(one for one in self.senders if one.name == name)
            cls = VIEWS[view]
            assert low in dict(sender.days).values(), (row, sender.days)
            assert sender.begins(dropped.get(cls, date.min) + timedelta(1)) <= low <= sender.begins(last[cls]), (
                row,
                sender.days,
            )
        for name, found in ends.items():
            end = max(found.values())
            assert set(found.values()) == {end}, (name, found)
            assert stored[name] <= end <= begun[name], (name, end)
            assert end % AT_ONCE == 0
        self.count("looks")

    def look_all_the_time(self) -> None:
        while not self.over.is_set():
            self.look()

    def make_and_drop(self) -> None:
        """A view of a user's, which is looked at while it is filled."""
        while not self.over.is_set():
            self.run(MINE)
            for _ in range(8):
                if self.over.wait(DAY_TAKES / 10):
                    break
                rows = {row["name"]: row for row in self.ask(LOOK_AT_MINE).to_pylist()}
                assert rows.pop("all")["n"] <= sum(int(row["n"]) for row in rows.values())
                for row in rows.values():
                    count, low, high = int(row["n"]), int(row["lo"]), int(row["hi"])
                    assert (count, row["total"]) == (high - low + 1, (low + high) * count // 2), row
                self.count("looks at mine")
            self.run("DROP MATERIALIZED VIEW mine")

    def run(self, statement: str) -> None:
        command = parse(statement)
        assert command is not None
        engine = QueryEngine(self.world.lake, self.settings)
        statements.plan(command, Context(engine, self.world.lake, Stop(), "", self.world.lake.visible)).run()

    def read_by_duckdb(self) -> None:
        """Files of events and files of sums have the same events at every snapshot."""
        while not self.over.wait(0.2):
            with attached(self.world.base.dsn, self.world.store.name) as lake:
                tables = {name for (name,) in lake.execute("SHOW TABLES").fetchall()}
                if not {"measures", "measure_stats", "log_stats"} <= tables:
                    continue
                lake.execute("BEGIN")
                seen = lake.execute("SELECT name, count(*), count(DISTINCT value) FROM measures GROUP BY 1").fetchall()
                sums = lake.execute("SELECT name, sum(count)::BIGINT FROM measure_stats GROUP BY 1").fetchall()
                lake.execute("COMMIT")
                assert all(count == different for _, count, different in seen)
                assert {name: count for name, count, _ in seen} == dict(sums)
                self.count("looks by DuckDB")


@contextmanager
def all_at_once(soak: Soak, work: list[Callable[[], None]]) -> Iterator[None]:
    """Until the block ends, or one of them fails."""

    def until_over(one: Callable[[], None]) -> None:
        try:
            one()
        finally:
            soak.over.set()

    with ThreadPoolExecutor(len(work)) as pool:
        running = [pool.submit(until_over, one) for one in work]
        yield
        soak.over.set()
    for one in running:
        one.result()


@pytest.mark.long
def test_everything_at_once(ingest_server: Server, tmp_path: Path) -> None:
    with opened(ingest_server, LocalStore(tmp_path / "store")) as world:
        soak = Soak(world)
        first, second = soak.senders[::2], soak.senders[1::2]
        work = [
            lambda: soak.send(first), lambda: soak.send(second), soak.maintain_well, soak.maintain_and_die,
            soak.look_all_the_time, soak.make_and_drop, soak.read_by_duckdb,
        ]  # fmt: skip
        with all_at_once(soak, work):
            soak.over.wait(SECONDS)
        soak.over.clear()
        soak.look()
        assert {fault.kind for fault in check(world, mend=True)} <= {"orphan"}, "objects of who was killed"
        assert check(world) == []
        soak.maintain(world.lake)
        soak.look()
        happened = {"looks", "looks at mine", "looks by DuckDB", "lives", "dropped", "rewritten_segments", "steps"}
        assert {what for what in happened if not soak.done.get(what)} == set()
