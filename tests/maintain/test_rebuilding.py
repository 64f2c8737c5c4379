"""PostgreSQL is made again from objects: whatever was stored, merged and killed, every view and table is as it was."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tachy_server.base.errors import StoreError
from tachy_server.formats.block_index import select
from tachy_server.formats.segments import read_whole
from tachy_server.lake.s3_store import S3Store
from tachy_server.lake.store import LocalStore
from tachy_server.maintain import merged
from tachy_server.maintain.rebuilding import Rebuilt, rebuild

from tests.lake.conftest import play
from tests.lake.groups import store_group
from tests.lake.test_store import bucket as bucket
from tests.lake.test_store import s3 as s3
from tests.maintain.conftest import SECOND, START, Killed, World, killed_at, opened
from tests.maintain.test_rewriting import HOUR, damage, later, processes, session
from tests.model.encoder import Process
from tests.serving import Server

GRACE = 900 * SECOND


@contextmanager
def again(server: Server, world: World, now: int) -> Iterator[tuple[World, Rebuilt]]:
    """The same objects with a database that was made from them."""
    with opened(server, world.store) as other:
        yield other, rebuild(other.base, other.store, GRACE, clock=lambda: now)


def compare(before: World, after: World, names: Sequence[str] | None = None) -> None:
    """All rows of views, and these tables (all)."""
    rows, found = before.rows(), after.rows()
    for view in rows:
        assert found[view] == rows[view], view
    kept, there = after.counted()
    assert kept == there
    tables, remade = before.tables(), after.tables()
    for name in tables if names is None else names:
        assert remade[name] == tables[name], name


@pytest.fixture(params=["folder", "s3"])
def anywhere(request: pytest.FixtureRequest, ingest_server: Server, tmp_path: Path) -> Iterator[World]:
    """An empty lake over a folder, and over S3."""
    on_s3 = request.param == "s3"
    store = S3Store(request.getfixturevalue("bucket"), "lake") if on_s3 else LocalStore(tmp_path / "store")
    with opened(ingest_server, store) as made:
        yield made


def test_everything_is_as_it_was(anywhere: World, ingest_server: Server) -> None:
    world = anywhere
    playing = processes(3)
    end = session(world, playing, random.Random(1), 30)
    world.store_group([playing[0].batch([], state="exited"), playing[1].batch([])], end + SECOND)
    with again(ingest_server, world, end) as (other, done):
        compare(world, other)
        assert len(done.taken.segments) == len(world.keys())
    world.rewrite(START + 1300 * SECOND)
    with again(ingest_server, world, end) as (other, _):
        compare(world, other)
    world.rewrite(end + 2 * HOUR)
    with again(ingest_server, world, end) as (other, _):
        compare(world, other)
    world.rewrite(end + 4 * HOUR)
    assert set(world.levels()) == {2}
    assert world.keys("removals") == set()
    with again(ingest_server, world, end) as (other, _):
        compare(world, other)
        with again(ingest_server, other, end) as (third, _):
            compare(other, third)
        with pytest.raises(StoreError, match="already"):
            rebuild(other.base, other.store, GRACE)


def test_of_what_is_merged_twice_the_streams_that_ended_early_come_back(world: World, ingest_server: Server) -> None:
    early, late = processes(2)
    for process, at in ((early, 1), (late, 150), (late, 2000)):
        play(process, later(process))
        world.store_group([process.batch()], START + at * SECOND)
        world.rewrite(START + 700 * SECOND)
    world.rewrite(START + 2 * HOUR)
    assert set(world.levels()) == {2}
    with again(ingest_server, world, START + 2 * HOUR) as (other, _):
        compare(world, other)


def test_ingest_and_merging_go_on_after_it(world: World, ingest_server: Server) -> None:
    playing = processes(2)
    end = session(world, playing, random.Random(2), 20)
    world.rewrite(START + 700 * SECOND)
    with again(ingest_server, world, end) as (other, _):
        play(playing[0], later(playing[0]), 3)
        batch = playing[0].batch()
        for each in (world, other):
            assert each.store_group([batch], end + 5 * SECOND) == 3
            assert each.store_group([batch], end + 6 * SECOND) == 0
            each.rewrite(end + 2 * HOUR)
            assert set(each.levels()) == {2}
        assert {view: other.rows()[view] for view in other.rows()} == world.rows()
        with opened(ingest_server, other.store) as third:  # of two merged by two databases one is taken
            rebuild(third.base, third.store, GRACE, clock=lambda: end)
            assert third.rows() == world.rows()


def test_stamps_and_what_a_process_said_last_come_back(world: World, ingest_server: Server) -> None:
    (process,) = processes(1)
    play(process, 1_000)
    first = process.batch()
    process.description["properties"] = {"map": "two"}
    play(process, later(process))
    second = process.batch()
    store_group(world.base, world.store, [second], START, {"team": "red"})
    store_group(world.base, world.store, [first], START + SECOND, {"team": "red"})
    for _ in range(2):
        with again(ingest_server, world, START) as (other, _done):
            compare(world, other)
            assert json.loads(other.table("processes")[0])["properties"] == {"map": "two", "team": "red"}
        world.rewrite(START + HOUR)


def test_a_damaged_object_costs_only_itself_and_is_said(world: World, ingest_server: Server) -> None:
    playing = processes(1)
    session(world, playing, random.Random(3), 8)
    before = world.lake.select_blocks(0)
    key = sorted(world.keys())[3]
    lost = {row.block_id for row in before if row.segment_key == key}
    damage(world, key, -5)
    with again(ingest_server, world, START) as (other, done):
        assert [one.key for one in done.damaged] == [key]
        assert "hash differs" in str(done.damaged[0].segment)
        found = {row.block_id for row in other.lake.select_blocks(0)}
        assert found == {row.block_id for row in before} - lost
        assert other.keys() == world.keys() - {key}


def test_of_a_rewriting_that_was_committed_a_lost_piece_costs_only_itself(
    world: World, ingest_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged, "_SEGMENT_BYTES", 100)
    playing = processes(3)
    end = session(world, playing, random.Random(4), 10)
    world.rewrite(end + HOUR, grace=0)
    world.rewrite(end + HOUR + SECOND, grace=0)
    pieces = world.keys()
    assert len(pieces) == 9
    for key in pieces:  # the last one, too, which says how many there are
        rest = pieces - {key}
        with opened(ingest_server, Without(world.store.root, key)) as other:
            rebuild(other.base, other.store, GRACE, clock=lambda: end)
            assert other.keys() == rest


class Without(LocalStore):
    """A folder without one of its objects."""

    def __init__(self, root: Path, key: str) -> None:
        super().__init__(root)
        self.key = key

    def objects(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        yield from (one for one in super().objects(prefix) if one[0] != self.key)


def store_or_die(world: World, batches: list[bytes], now: int, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the object is written, or after; what was not acknowledged is sent again, with others."""
    put = world.store.put_new

    def dying(key: str, parts: Any) -> None:
        if step == 2:
            put(key, parts)
        raise Killed

    if step:
        with monkeypatch.context() as patch:
            patch.setattr(world.store, "put_new", dying)
            with suppress(Killed):  # what is sent again writes nothing
                world.store_group(batches[:1], now)
    world.store_group(batches, now + SECOND)


ACTIONS = st.one_of(
    st.tuples(st.just("store"), st.integers(0, 2), st.integers(0, 7)),
    st.tuples(st.just("merge"), st.integers(0, 3), st.integers(1, 40)),
)


@dataclass(frozen=True, slots=True)
class Life:
    """What is done to a lake; `small`: every process has an object of its own when it is merged."""

    actions: list[tuple[str, int, int]]
    seed: int
    small: bool


LIVES = st.builds(Life, st.lists(ACTIONS, min_size=4, max_size=14), st.integers(0, 1 << 16), st.booleans())
OF_OURS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(OF_OURS, max_examples=5)
@given(life=LIVES)
def test_whatever_was_stored_merged_and_killed(
    ingest_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: Life
) -> None:
    live(ingest_server, tmp_path, monkeypatch, life)


@pytest.mark.long
@settings(OF_OURS, max_examples=100)
@given(life=LIVES)
def test_whatever_was_stored_merged_and_killed_in_a_hundred_lives(
    ingest_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: Life
) -> None:
    live(ingest_server, tmp_path, monkeypatch, life)


def live(ingest_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: Life) -> None:
    """A merging in three is killed at some step."""
    chance, now, playing = random.Random(life.seed), START, processes(3)
    store = LocalStore(tmp_path / uuid.uuid4().hex)
    with monkeypatch.context() as patch, opened(ingest_server, store) as world:
        if life.small:
            patch.setattr(merged, "_SEGMENT_BYTES", 100)
        sent: list[bytes] = []
        for action, first, second in life.actions:
            now += chance.choice([20, 200, 700, 2000]) * SECOND
            if action == "store":
                batches = [batch_of(process, chance) for place, process in enumerate(playing) if second >> place & 1]
                if sent and chance.random() < 0.3:
                    batches.append(chance.choice(sent))
                sent += batches
                if batches:
                    store_or_die(world, batches, now, first, monkeypatch)
            elif first:
                world.rewrite(now, grace=chance.choice([0, 1000]))
            else:
                with monkeypatch.context() as dying:
                    killed_at(world, second, dying)
                    with suppress(Killed):
                        world.rewrite(now, grace=chance.choice([0, 1000]))
        check(world, ingest_server, now)


def batch_of(process: Process, chance: random.Random) -> bytes:
    if chance.random() < 0.2:
        return process.batch([], state=chance.choice(["running", "exited"]))
    if chance.random() < 0.3:
        process.description["properties"] = {"n": str(chance.randrange(100))}
    play(process, later(process), chance.randrange(1, 4), seed=chance.randrange(1000))
    return process.batch()


def check(world: World, server: Server, now: int) -> None:
    """What a killed merging left may take the place of what it would have replaced: then it is as if it had lived. An
    object without blocks, of which nobody heard, tells of its time, too.
    """
    left = world.objects() - world.keys() - world.keys("removals")
    ends = [read_whole(bytes(world.store.read(key, 0, world.store.size(key)))) for key in left]
    names: Sequence[str] | None = ("processes", "streams") if any(end.level for end in ends) else None
    if not all(select([end.index]).num_rows for end in ends):
        names = ()
    with again(server, world, now) as (other, _):
        compare(world, other, names)
        assert other.keys("removals") | other.keys() <= world.objects()
        with again(server, world, now) as (third, _):
            assert third.tables() == other.tables()
