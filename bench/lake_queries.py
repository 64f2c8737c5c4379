"""Questions to a lake of 90 days: metrics and logs of 1,100 processes that run all the time.

    python -m bench.lake_queries [hours]        # bench.lake has the cases; 2,160 hours by default

110 million metrics and 50 million logs, so a process has 46 and 21 an hour, and what is small costs: 2.5 million blocks
of an hour each, or of a day for logs, but for those of the last one. Each question is asked many times, always of
another process, metric and hour.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import tachy
from tachy.client import Connection
from tachy_server.lake.segments import find

from bench.budgets import Cases
from bench.lake_made import DAY, HOUR, SECOND, START, Made, make
from bench.moving import Moving
from bench.shape import new_bucket, object_store
from tests.lake.conftest import dsn_of, lake_of
from tests.model.encoder import Process
from tests.model.records import LOG, METRIC
from tests.serving import Server

PROCESSES = 1_100
HOURS = 90 * 24
METRICS, LOGS = 46, 21  # of a process, an hour
NAMES = 12
VARIANTS = 40
ROUNDS = 60
WARM = 10
S3_HOURS = 24  # whose objects are in the bucket, too
MINUTE = 60 * SECOND
TEXTS = ("player %d entered area %d", "sent %d bytes to peer %d", "asset %d was loaded in %d ms", "save %d took %d ms")


def hours_blocks(seed: int, hours: int = 1) -> list[bytes]:
    """A block of logs and one of metrics, of some hours of a process. One log of fifty is an error."""
    chance, process = random.Random(seed), Process(start_time=START)
    main = process.thread("main")
    for number in range(METRICS * hours):
        at = number * HOUR // METRICS + chance.randrange(HOUR // METRICS)
        main.metric(at, f"value {(number + seed) % NAMES}", round(chance.gauss(16.6, 2.0), 2), unit="ms", target="game")
    for number in range(LOGS * hours):
        at = number * HOUR // LOGS + chance.randrange(HOUR // LOGS)
        values = chance.randrange(10_000), chance.randrange(1_000)
        if chance.random() < 0.02:
            main.log(at, "connection %d timed out after %d ms", *values, level=2, target="game.net")
        else:
            main.log(at, chance.choice(TEXTS), *values, level=4, target="game.world")
    return [block.data for block in process.blocks(codec="zstd", until=hours * HOUR)]


@contextmanager
def months(server: Server, hours: int) -> Iterator[Made]:
    """The lake of this server, which has nothing yet."""
    hour, day = ([hours_blocks(seed, length) for seed in range(VARIANTS)] for length in (1, DAY))
    processes = [Process(exe="game", start_time=START, properties={"build": str(n % 7)}) for n in range(PROCESSES)]
    with lake_of(server.data) as lake:
        moving = [Moving(blocks, processes, HOUR) for blocks in zip(*hour, strict=True)]
        days = [Moving(blocks, processes, DAY * HOUR) for blocks in zip(*day, strict=True)]
        yield make(lake, processes, moving, hours, [one for one in days if one.cls == LOG])


class Questions:
    """Each for a random process, metric and time of the lake's last hours."""

    def __init__(self, made: Made, hours: int) -> None:
        self._made, self._hours, self._chance = made, hours, random.Random(5)

    def metric_of_one(self) -> str:
        begin = self._hour()
        return f"SELECT time, value FROM measures WHERE {self._mine()} AND {self._named()} AND {_in(begin, HOUR)}"

    def metric_of_all(self) -> str:
        begin = self._hour() + self._chance.randrange(HOUR - 5 * MINUTE)
        return f"SELECT time, process_id, value FROM measures WHERE {self._named()} AND {_in(begin, 5 * MINUTE)}"

    def last_errors(self) -> str:
        where = _in(self._made.end - HOUR, HOUR)
        columns = "time, process_id, level, target, msg"
        return f"SELECT {columns} FROM log_entries WHERE level <= 2 AND {where} ORDER BY time DESC LIMIT 200"

    def text_of_all(self) -> str:
        found = f"msg ILIKE '%{self._chance.choice(['Timed Out', 'peer 7', 'AREA 1'])}%'"
        return f"SELECT time, process_id, msg FROM log_entries WHERE {found} AND {_in(self._hour(), HOUR)}"

    def log_of_one(self) -> str:
        return f"SELECT time, level, target, msg FROM log_entries WHERE {self._mine()} ORDER BY time"

    def _hour(self) -> int:
        return self._made.end - self._chance.randrange(1, self._hours + 1) * HOUR

    def _mine(self) -> str:
        return f"process_id = '{self._chance.choice(self._made.process_ids)}'"

    def _named(self) -> str:
        return f"name = 'value {self._chance.randrange(NAMES)}'"


def _in(begin: int, length: int) -> str:
    times = [datetime.fromtimestamp(at / SECOND, UTC).isoformat() for at in (begin, begin + length)]
    return f"time >= TIMESTAMP '{times[0]}' AND time < TIMESTAMP '{times[1]}'"


def asked(connection: Connection, question: Callable[[], str]) -> dict[str, float]:
    """What 19 of 20 do not exceed, and the middle one; `rows` of the last."""
    rows = 0

    def ask() -> None:
        nonlocal rows
        sql = question()
        rows = connection.query(sql).num_rows
        if not rows:
            raise RuntimeError(f"no rows: {sql}")

    (figures,) = timed(ask)
    return figures | {"rows": float(rows)}


def timed(*actions: Callable[[], object]) -> list[dict[str, float]]:
    """Of each, done in turns."""
    taken: list[list[float]] = [[] for _ in actions]
    for _ in range(WARM + ROUNDS):
        for action, times in zip(actions, taken, strict=True):
            begin = time.perf_counter()
            action()
            times.append((time.perf_counter() - begin) * 1e3)
    after = [sorted(times[WARM:]) for times in taken]
    return [{"p95_ms": times[len(times) * 19 // 20], "median_ms": times[len(times) // 2]} for times in after]


def nothing(made: Made) -> dict[str, float]:
    """Five seconds of all processes in which nothing is, of a lake's blocks: what PostgreSQL takes to say so."""
    begin, end = made.end + SECOND, made.end + 6 * SECOND

    def look() -> None:
        with made.lake.snapshot() as snapshot:
            if find(snapshot.select, snapshot.days(begin=begin, end=end), begin=begin, end=end):
                raise RuntimeError("there is something")

    (figures,) = timed(look)
    return figures | {"blocks": float(made.hours * len(made.process_ids))}


def growth(server: Server, made: Made, folder: Path) -> dict[str, float]:
    """A metric of one process, in a lake and in one of a day: how many times as long it takes."""
    with (
        Server(folder / "young", "--role", "ingest,query") as other,
        months(other, DAY) as young,
        tachy.connect(server.flight, url=server.http) as old_connection,
        tachy.connect(other.flight, url=other.http) as young_connection,
    ):
        old, new = (Questions(of, DAY) for of in (made, young))
        aged, fresh = timed(
            lambda: old_connection.query(old.metric_of_one()), lambda: young_connection.query(new.metric_of_one())
        )
    return {"of_a_day": aged["median_ms"] / fresh["median_ms"], "median_ms": aged["median_ms"]}


def local(server: Server, made: Made) -> Cases:
    """From objects in a folder."""
    questions = Questions(made, made.hours)
    with tachy.connect(server.flight, url=server.http) as connection:
        ask = partial(asked, connection)
        return {
            "metric_of_one": ask(questions.metric_of_one) | {"million_rows": made.rows[METRIC] / 1e6},
            "metric_of_all": ask(questions.metric_of_all),
            "last_errors": ask(questions.last_errors) | {"million_rows": made.rows[LOG] / 1e6},
            "text_of_all": ask(questions.text_of_all),
            "log_of_one": ask(questions.log_of_one),
        }


def all_of(server: Server, made: Made, folder: Path) -> Cases:
    """Every question."""
    other = {"nothing": nothing(made), "growth": growth(server, made, folder)}
    return local(server, made) | other | on_s3(server, made, folder)


def on_s3(server: Server, made: Made, folder: Path) -> Cases:
    """A metric of one process by a server with the same PostgreSQL and a bucket, which has the last hours' objects."""
    with object_store() as env:
        name, client = new_bucket(env)
        for key, data in last_objects(made):
            client.put_object(Bucket=name, Key=f"lake/{key}", Body=data)
        options = ["--dsn", dsn_of(server.data), "--store", f"s3://{name}/lake", "--role", "query"]
        with (
            Server(folder / "s3", *options, env=env) as other,
            tachy.connect(other.flight, url=other.http) as connection,
        ):
            return {"metric_of_one_s3": asked(connection, Questions(made, S3_HOURS).metric_of_one)}


def last_objects(made: Made) -> Iterator[tuple[str, bytes]]:
    """Those that queries of the last hours read: also of the hour before, whose last block ends where these begin."""
    begin = made.end - (S3_HOURS + 1) * HOUR
    with made.lake.snapshot() as snapshot:
        keys = [key for key, *_ in find(snapshot.select, snapshot.days(begin=begin), begin=begin)]
    for key in keys:
        yield key, bytes(made.lake.store.read(key, 0, made.lake.store.size(key)))


def main() -> None:
    """Prints."""
    hours = int(sys.argv[1]) if len(sys.argv) > 1 else HOURS
    with (
        tempfile.TemporaryDirectory(prefix="tachy-bench-") as name,
        Server(Path(name) / "data", "--role", "ingest,query") as server,
    ):
        begin = time.perf_counter()
        with months(server, hours) as made:
            print(
                f"{sum(made.rows.values()) / 1e6:.0f} million rows in {time.perf_counter() - begin:.0f} s", flush=True
            )
            for case, figures in all_of(server, made, Path(name)).items():
                print(case, {name: float(f"{figure:.4g}") for name, figure in figures.items()}, flush=True)


if __name__ == "__main__":
    main()
