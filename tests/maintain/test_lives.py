"""What is over is gone from every view at once, class by class and day by day; everything else is as it was."""

from __future__ import annotations

import contextlib
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tachy_server.base.errors import StoreError
from tachy_server.base.settings import Settings
from tachy_server.formats.reader import LOG, METRIC, SPAN
from tachy_server.lake import keep_rules
from tachy_server.lake.store import LocalStore
from tachy_server.maintain.lives import Expirer
from tachy_server.maintain.rewriting import LATE, Rewriter
from tachy_server.maintain.rules import Rules
from tachy_server.query.engine import QueryEngine

from tests.maintain.conftest import SECOND, START, Killed, World, killed_at, opened
from tests.maintain.test_checking import check
from tests.maintain.test_rebuilding import again
from tests.model.encoder import Process
from tests.serving import Server

HOUR = 3600 * SECOND
DAY = 24 * HOUR
EVENTS = {"log_entries": LOG, "measures": METRIC, "thread_spans": SPAN}
GRACE = 900 * SECOND


def expire(world: World, now: int, lives: dict[int, float]) -> int:
    engine = QueryEngine(world.lake, Settings())

    def ask(sql: str, begin: int, end: int) -> pa.Table:
        query = engine.plan(sql, begin=begin, end=end)
        return pa.Table.from_batches(list(query.batches()), query.schema)

    def clock() -> int:
        return now

    rewriter = Rewriter(world.lake, 600, GRACE // SECOND, clock=clock)
    rules = Rules(ask, LATE, clock=clock)
    return Expirer(world.lake, rewriter, lives, GRACE, rules, clock=clock).run()


def keep(world: World, name: str, days: int, sql: str) -> None:
    with world.lake.connection() as connection:
        assert keep_rules.add(connection, keep_rules.Rule(name, days, sql, START, "test"))


def play(process: Process, classes: tuple[int, ...] = (LOG, METRIC, SPAN), *, slow: bool = False) -> bytes:
    """The metric `slow` lies between the first and the last event of every class."""
    thread, at = process.threads[0] if process.threads else process.thread("main"), process.latest - process.start_ticks
    for step in range(3):
        at += 1_000
        if SPAN in classes:
            thread.span(f"span{step}", at, at + 10)
        if slow and step == 1:
            thread.metric(at + 15, "slow", 1.0)
        if LOG in classes:
            thread.log(at + 20, "log %d", at)
        if METRIC in classes:
            thread.metric(at + 30, "metric", float(at), unit="n")
    return process.batch()


def counts(world: World) -> dict[tuple[str, UUID], int]:
    """Rows of each view by process."""
    found: dict[tuple[str, UUID], int] = {}
    rows = world.rows()
    for view in EVENTS:
        for row in rows[view]:
            key = (view, UUID(str(eval(row, {"nan": 0})["process_id"])))
            found[key] = found.get(key, 0) + 1
    return found


def usage(world: World) -> list[dict[str, Any]]:
    """By executable, class and rule."""
    query = QueryEngine(world.lake, Settings()).plan(
        "SELECT exe, class, rule, sum(events) AS events FROM lake_usage JOIN processes USING (process_id) "
        "GROUP BY 1, 2, 3"
    )
    rows: list[dict[str, Any]] = pa.Table.from_batches(list(query.batches()), query.schema).to_pylist()
    return rows


def whole(world: World) -> None:
    kept, there = world.counted()
    assert kept == there
    assert check(world) == []


def test_a_class_goes_when_its_life_is_over_and_the_others_stay(world: World) -> None:
    (process,) = [Process()]
    batches = [play(process) for _ in range(40)]
    for number, batch in enumerate(batches[:20]):
        world.store_group([batch], START + number * 60 * SECOND)
    for number, batch in enumerate(batches[20:]):
        world.store_group([batch], START + DAY + number * 60 * SECOND)
    before = world.rows()
    world.rewrite(START + DAY + 3 * HOUR)
    assert {view: world.rows()[view] for view in EVENTS} == {view: before[view] for view in EVENTS}
    assert len(world.keys()) == 2 * 3
    lives: dict[int, float] = {LOG: 10, METRIC: 0, SPAN: 1}
    assert expire(world, START + DAY, lives) == 0
    assert expire(world, START + 2 * DAY + HOUR, lives) == 1
    after = world.rows()
    assert len(after["thread_spans"]) == len(before["thread_spans"]) // 2
    assert (after["log_entries"], after["measures"]) == (before["log_entries"], before["measures"])
    assert expire(world, START + 12 * DAY, lives) == 3
    after = world.rows()
    assert (after["thread_spans"], after["log_entries"], after["measures"]) == ([], [], before["measures"])
    whole(world)


def test_a_day_goes_at_once_or_stays(world: World) -> None:
    """Of what is merged and has the class alone nothing goes while somebody is at what came late."""
    process = Process()
    batches = [play(process) for _ in range(3)]
    for number, batch in enumerate(batches[:2]):
        world.store_group([batch], START + number * SECOND)
    world.rewrite(START + 3 * HOUR)
    merged = world.keys()
    world.store_group([batches[2]], START + 4 * HOUR)
    (late,) = world.keys() - merged
    lives: dict[int, float] = {LOG: 10, METRIC: 10, SPAN: 1}
    before = world.rows()
    with world.lake.connection() as other, other.transaction():
        other.execute("SELECT FROM segments WHERE key = %s FOR UPDATE", [late])
        assert expire(world, START + 5 * DAY, lives) == 0
        assert world.rows() == before
        assert world.table("expired") == []
    assert expire(world, START + 5 * DAY, lives) == 2
    after = world.rows()
    assert after["thread_spans"] == []
    assert {view: after[view] for view in ("log_entries", "measures")} == {
        view: before[view] for view in ("log_entries", "measures")
    }
    whole(world)


def test_objects_go_when_no_query_can_read_them_and_nothing_comes_again(world: World) -> None:
    process = Process()
    batch, blocks = play(process), process.batch([])
    world.store_group([batch], START)
    old = world.keys()
    lives: dict[int, float] = {LOG: 1, METRIC: 1, SPAN: 1}
    now = START + 5 * DAY
    assert expire(world, now, lives) == 1
    assert world.objects() == old
    assert counts(world) == {}
    assert world.store_group([batch], now) == 0
    assert world.store_group([blocks], now) == 0
    world.rewrite(now + GRACE + SECOND)
    assert not old & world.objects()
    assert counts(world) == {}
    whole(world)
    assert world.store_group([play(process)], now) > 0
    assert len(world.rows()["log_entries"]) == 3


def test_what_was_never_merged_is_split(world: World) -> None:
    process = Process()
    world.store_group([play(process)], START)
    before = world.rows()
    assert expire(world, START + 5 * DAY, {SPAN: 1}) == 1
    after = world.rows()
    assert after["thread_spans"] == []
    assert [after[view] for view in ("log_entries", "measures")] == [
        before[view] for view in ("log_entries", "measures")
    ]
    whole(world)


@pytest.mark.parametrize("step", range(1, 16))
def test_killed_at_any_step_it_is_done_the_next_time(
    world: World, step: int, monkeypatch: pytest.MonkeyPatch, ingest_server: Server
) -> None:
    for number in range(3):
        world.store_group([play(Process())], START + number * SECOND)
    before, now = counts(world), START + 5 * DAY
    with monkeypatch.context() as patched:
        killed_at(world, step, patched)
        with contextlib.suppress(Killed):
            expire(world, now, {SPAN: 1, LOG: 2})
    found = counts(world)
    assert all(found[key] == number for key, number in before.items() if key[0] == "measures" or key in found)
    with again(ingest_server, world, now) as (rebuilt, _):
        expire(rebuilt, now, {SPAN: 1, LOG: 2})
        assert counts(rebuilt) == {key: number for key, number in before.items() if key[0] == "measures"}
    expire(world, now, {SPAN: 1, LOG: 2})
    assert counts(world) == {key: number for key, number in before.items() if key[0] == "measures"}


def test_a_rule_keeps_whole_processes_and_ranges_of_others_for_its_days(world: World) -> None:
    crashed, slow, plain = games = [Process(exe=name) for name in ("crashed", "slow", "plain")]
    for minute in range(6):
        for game in games:
            thread = game.threads[0] if game.threads else game.thread("main")
            if game is slow and minute == 3:
                at = game.latest - game.start_ticks
                thread.span("slow", at + 1, at + 30)
                thread.metric(at + 20, "slow", 1.0)
        world.store_group([play(game) for game in games], START + minute * 60 * SECOND)
    before = counts(world)
    keep(world, "crashes", 30, "SELECT process_id FROM processes WHERE exe = 'crashed'")
    keep(world, "slow", 20, 'SELECT process_id, time AS "begin", time AS "end" FROM measures WHERE name = \'slow\'')
    lives: dict[int, float] = {LOG: 10, METRIC: 1, SPAN: 1}
    assert expire(world, START + 3 * DAY, lives) == 12
    found = counts(world)
    for view in ("measures", "thread_spans"):
        assert found[view, crashed.process_id] == before[view, crashed.process_id]
        assert 0 < found[view, slow.process_id] < before[view, slow.process_id], "the block of its slow moment"
        assert (view, plain.process_id) not in found
    keeping = {("crashed", "crashes"), ("slow", "slow")}
    used = {(row["exe"], row["class"], row["rule"]): row["events"] for row in usage(world)}
    assert {(exe, rule) for exe, cls, rule in used if cls != "log"} == keeping
    assert {(exe, rule) for exe, cls, rule in used if cls == "log"} == {
        (exe, None) for exe in ("crashed", "slow", "plain")
    }
    assert used["crashed", "metric", "crashes"] == before["measures", crashed.process_id]
    with world.lake.connection() as connection:
        keep_rules.remove(connection, "slow")
    assert {row["rule"] for row in usage(world)} == {None, "crashes", ""}
    whole(world)
    assert expire(world, START + 4 * DAY, lives) == 0
    assert expire(world, START + 11 * DAY + HOUR, lives) == 6
    assert counts(world)["log_entries", crashed.process_id] == before["log_entries", crashed.process_id]
    whole(world)
    assert expire(world, START + 40 * DAY, lives) > 0
    assert counts(world) == {}
    whole(world)


def test_nothing_is_dropped_while_a_rule_has_no_answer(world: World) -> None:
    world.store_group([play(Process())], START)
    before = counts(world)
    keep(world, "broken", 30, "SELECT process_id FROM nothing")
    with pytest.raises(StoreError, match="keep rule broken"):
        expire(world, START + 3 * DAY, {LOG: 1, METRIC: 1, SPAN: 1})
    assert counts(world) == before


@dataclass
class Piece:
    """The rows of a view that came with a batch; `number` is the batch's. Rows that a rule keeps go after `until`."""

    view: str
    exe: str
    process: Process
    day: int
    number: int
    slow: bool
    rows: int
    until: int | None = None


@dataclass
class Model:
    """What is there while rules come and go. A rule for slow moments keeps the `near` pieces: those of the same batch,
    or, where blocks were merged, all of the process and day that are a block by then.
    """

    near: Callable[[Piece], tuple[object, ...]]
    pieces: list[Piece] = field(default_factory=list)
    whole: dict[str, set[UUID]] = field(default_factory=dict)
    slow: dict[str, set[tuple[object, ...]]] = field(default_factory=dict)

    def expire(self, now: int, lives: dict[int, float], rules: dict[str, tuple[int, str]]) -> None:
        for name, (_, exe) in rules.items():
            told = self.whole.setdefault(name, set()), self.slow.setdefault(name, set())
            told[0].update(piece.process.process_id for piece in self.pieces if exe == piece.exe)
            told[1].update(self.near(piece) for piece in self.pieces if not exe and piece.slow)
        for piece in list(self.pieces):
            life, today = lives[EVENTS[piece.view]], now // DAY
            if piece.until is None and life and (piece.day + 1) * DAY + life * DAY <= now - LATE:
                keeping = [
                    days for name, (days, _) in rules.items()
                    if (piece.process.process_id in self.whole[name] or self.near(piece) in self.slow[name])
                    and days >= today - piece.day
                ]  # fmt: skip
                piece.until = piece.day + max(keeping) if keeping else -1
            if piece.until is not None and piece.until < today:
                self.pieces.remove(piece)

    def counts(self) -> Counter[tuple[str, UUID]]:
        found: Counter[tuple[str, UUID]] = Counter()
        for piece in self.pieces:
            found[piece.view, piece.process.process_id] += piece.rows
        return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 32))
def test_rules_keep_what_plain_models_keep(
    ingest_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Late events, rules that come and go, merges, and kills. Two models: of blocks as they came, and as they are after
    everything of a day was merged; what is there lies between, and is the first where nothing was.
    """
    chance = random.Random(seed)
    lives = {cls: chance.choice([0.0, 1.0, 2.0, 4.0]) for cls in (LOG, METRIC, SPAN)}
    games = [(name, Process(exe=name)) for name in ("crashed", "other", "other")]
    rules: dict[str, tuple[int, str]] = {}
    least = Model(lambda piece: (piece.process.process_id, piece.number))
    most = Model(lambda piece: (piece.process.process_id, piece.day))
    merging = chance.random() < 0.5
    with opened(ingest_server, LocalStore(tmp_path / str(seed))) as world:
        now = START
        for number in range(chance.randrange(5, 25)):
            now += chance.choice([60 * SECOND, 700 * SECOND, 2 * HOUR, DAY])
            match chance.choice(["store", "store", "store", "rule", "expire"]):
                case "store":
                    (name, game), slow = chance.choice(games), chance.random() < 0.2
                    classes = tuple(cls for cls in EVENTS.values() if chance.random() < 0.7) or (LOG,)
                    world.store_group([play(game, classes, slow=slow)], now)
                    for view, cls in EVENTS.items():
                        rows = 3 * (cls in classes) + (slow and cls == METRIC)
                        for model in (least, most) if rows else ():
                            model.pieces.append(
                                Piece(view, name, game, now // DAY, number, slow and cls == METRIC, rows)
                            )
                case "rule" if len(rules) == 3:
                    name = chance.choice(list(rules))
                    with world.lake.connection() as connection:
                        assert keep_rules.remove(connection, name)
                    del rules[name]
                case "rule":
                    name, exe, days = f"rule {number}", chance.choice(["crashed", ""]), chance.choice([3, 5, 9])
                    sql = (
                        f"SELECT process_id FROM processes WHERE exe = '{exe}'"
                        if exe
                        else ('SELECT process_id, time AS "begin", time AS "end" FROM measures WHERE name = \'slow\'')
                    )
                    keep(world, name, days, sql)
                    rules[name] = days, exe
                case "expire":
                    if merging:
                        world.rewrite(now)
                    with monkeypatch.context() as dying, contextlib.suppress(Killed, StoreError):
                        killed_at(world, chance.randrange(1, 60), dying)
                        expire(world, now, lives)
                    expire(world, now, lives)
                    least.expire(now, lives, rules)
                    most.expire(now, lives, rules)
                    world.base.ensure_days()
                    found = counts(world)
                    assert least.counts() <= Counter(found) <= most.counts()
                    assert merging or found == least.counts()
        found = counts(world)
        check(world, mend=True)  # objects that a kill has left
        assert counts(world) == found
        whole(world)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 32))
def test_views_show_what_a_plain_model_has(ingest_server: Server, tmp_path: Path, seed: int) -> None:
    """The model: of each process and class the days on which events came, and how many."""
    chance = random.Random(seed)
    lives = {cls: chance.choice([0.0, 1.0, 2.0, 4.0]) for cls in (LOG, METRIC, SPAN)}
    processes = [Process() for _ in range(3)]
    model: dict[tuple[str, UUID], list[int]] = {}
    with opened(ingest_server, LocalStore(tmp_path / str(seed))) as world:
        now = START
        for _ in range(chance.randrange(5, 25)):
            now += chance.choice([60 * SECOND, 700 * SECOND, 2 * HOUR, DAY])
            process = chance.choice(processes)
            classes = tuple(cls for cls in (LOG, METRIC, SPAN) if chance.random() < 0.7) or (LOG,)
            world.store_group([play(process, classes)], now)
            for view, cls in EVENTS.items():
                if cls in classes:
                    model.setdefault((view, process.process_id), []).extend([now // DAY] * 3)
            if chance.random() < 0.5:
                world.rewrite(now)
            if chance.random() < 0.5:
                expire(world, now, lives)
                for key, days in model.items():
                    life = lives[EVENTS[key[0]]]
                    days[:] = [day for day in days if not life or (day + 1) * DAY + life * DAY > now - LATE]
                assert counts(world) == {key: len(days) for key, days in model.items() if days}
        whole(world)
        assert all(json.loads(row)["keep"] is None for row in world.table("segments"))
