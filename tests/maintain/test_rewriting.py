"""Small blocks become large ones, and every view says what it said; whatever breaks off in between."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest
from tachy_server.base.errors import ConflictError, FormatError
from tachy_server.formats.segments import read_segment
from tachy_server.lake.segments import find
from tachy_server.maintain import rewriting

from tests.lake.conftest import play
from tests.maintain.conftest import SECOND, START, Killed, World, killed_at
from tests.model.encoder import Process

HOUR = 3600 * SECOND
DAY = 24 * HOUR


def later(process: Process) -> int:
    return process.latest - process.start_ticks + 1_000


def session(world: World, processes: list[Process], chance: random.Random, minutes: int, every: int = 60) -> int:
    """They play for some minutes, in groups that come every so many seconds; returns when the last one came."""
    now = START
    for now in range(START, START + minutes * 60 * SECOND, every * SECOND):
        batches = []
        for process in processes:
            if chance.random() < 0.9:
                play(process, later(process), chance.randrange(1, 4), seed=chance.randrange(1000))
                thread = process.threads[0]
                if chance.random() < 0.5:
                    thread.async_end(process.latest + 10, thread.async_begin(process.latest + 5, "load"))
                batches.append(process.batch())
        if batches:
            world.store_group(batches, now)
    return now


def processes(count: int) -> list[Process]:
    return [Process(exe=f"game{number}", properties={"n": str(number)}) for number in range(count)]


def check_whole(world: World, before: dict[str, list[str]]) -> None:
    found = world.rows()
    for view in before:
        assert found[view] == before[view], view
    kept, there = world.counted()
    assert kept == there


def test_minutes_and_hours_become_large_blocks_and_nothing_else_changes(world: World) -> None:
    playing = processes(3)
    end = session(world, playing, random.Random(1), 60)
    before, blocks = world.rows(), world.counted()
    assert world.rewrite(START + 601 * SECOND) == 0, "a group of the last moment may still be on its way"
    assert world.rewrite(START + 631 * SECOND) == 10
    assert world.levels() == [0] * 50 + [1]
    check_whole(world, before)
    assert world.rewrite(end + 660 * SECOND) == 50 + 6
    assert world.levels() == [2, 2, 2], "one for each class"
    check_whole(world, before)
    assert world.counted()[0] < blocks[0] / 20
    for key in sorted(world.keys()):
        fragments = list(read_segment(bytes(world.store.read(key, 0, world.store.size(key)))))
        assert {fragment.process_id for fragment in fragments} == {process.process_id for process in playing}
    assert world.rewrite(end + 660 * SECOND) == 0


def test_small_ones_of_logs_become_one_when_their_day_is_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    playing, day = processes(3), START // DAY * DAY
    for part in range(16):
        for process in playing:
            play(process, later(process), 3)
        world.store_group([process.batch() for process in playing], day + part * HOUR // 2)
    before = world.rows()
    assert world.rewrite(day + 10 * HOUR) == 16
    assert world.levels() == [2] * 24
    with world.lake.connection() as connection:
        connection.execute("UPDATE segments SET keep = 9 WHERE insert_time / %s %% 24 = 0", (HOUR,))
        connection.execute("UPDATE segments SET covered = '{7}' WHERE insert_time / %s %% 24 = 7", (HOUR,))
    assert world.rewrite(day + DAY) == 0, "the day is just over"
    with monkeypatch.context() as large:
        large.setattr(rewriting, "_SMALL", 10)
        assert world.rewrite(day + DAY + 60 * SECOND) == 0, "none is small"
    assert world.rewrite(day + DAY + 60 * SECOND) == 6
    assert world.levels() == [2] * 18 + [3], "but what is kept for longer, and what other views cover"
    check_whole(world, before)
    assert world.rewrite(day + DAY + HOUR) == 0


def test_a_class_is_looked_for_in_segments_that_have_it(world: World) -> None:
    end = session(world, processes(2), random.Random(8), 10)

    def found() -> list[set[str]]:
        with world.lake.snapshot() as snapshot:
            return [{key for key, *_ in find(snapshot.select, snapshot.days(), cls=cls)} for cls in (1, 2, 3)]

    assert found() == [world.keys()] * 3
    world.rewrite(end + HOUR)
    world.store_group([processes(1)[0].batch()], end + 2 * HOUR)
    world.rewrite(end + 4 * HOUR)
    logs, metrics, spans = found()
    assert [len(logs), len(metrics), len(spans)] == [1, 1, 1]
    assert logs | metrics | spans < world.keys()


def test_what_was_replaced_is_read_by_who_selected_it_and_then_removed(world: World) -> None:
    (process,) = playing = processes(1)
    end = session(world, playing, random.Random(2), 10)
    selected = world.lake.select_blocks(3, process_ids=[process.process_id])
    old = world.keys()
    merged = end + HOUR
    assert world.rewrite(merged, grace=1000) == len(old)
    assert all(not isinstance(data, FormatError) for _, data in world.lake.read_blocks(selected))
    assert world.objects() == old | world.keys()
    assert world.keys("removals") == old
    world.rewrite(merged + 999 * SECOND)
    assert world.objects() == old | world.keys()
    world.rewrite(merged + 1001 * SECOND)
    assert world.objects() == world.keys()
    assert world.keys("removals") == set()


def test_what_is_sent_again_is_known_after_it_was_merged(world: World) -> None:
    (process,) = playing = processes(1)
    play(process, 1_000)
    batch, blocks = process.batch(), process.batch([])
    world.store_group([batch], START)
    end = session(world, playing, random.Random(3), 10)
    before = world.rows()
    world.rewrite(end + HOUR)
    assert world.store_group([batch], end + 2 * SECOND) == 0
    assert world.store_group([blocks], end + 3 * SECOND) == 0
    check_whole(world, before)


def test_other_content_under_a_number_that_was_not_merged_is_still_a_conflict(world: World) -> None:
    ids = [uuid.uuid4() for _ in range(2)]

    def said(process_id: uuid.UUID, text: str) -> bytes:
        process = Process(process_id=process_id)
        process.thread("main").message(1_000, text)
        return process.batch()

    for number, process_id in enumerate(ids):
        world.store_group([said(process_id, "one")], START + number * SECOND)
    world.rewrite(START + HOUR)
    assert world.levels() == [1]
    assert world.store_group([said(ids[0], "one")], START + HOUR) == 0
    with pytest.raises(ConflictError):
        world.store_group([said(ids[0], "two")], START + HOUR)


def damage(world: World, key: str, at: int) -> None:
    path = world.store.root / key
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("lose", ["damage", "remove"])
def test_what_cannot_be_read_stays_as_it_is_and_comes_again_when_it_is_sent(world: World, lose: str) -> None:
    (process,) = processes(1)
    batches = []
    for number in range(6):
        play(process, later(process), 3)
        batches.append(process.batch())
        world.store_group([batches[-1]], START + number * 60 * SECOND)
    before = world.rows()
    row = world.lake.select_blocks(1, process_ids=[process.process_id])[2]
    if lose == "damage":
        damage(world, row.segment_key, row.offset + row.size - 9)
    else:
        world.store.remove(row.segment_key)
    lost = world.rows()
    assert lost["log_entries"] != before["log_entries"]
    world.rewrite(START + HOUR)
    assert world.levels() == ([1] if lose == "damage" else [0, 1])
    assert world.rows() == lost
    assert world.store_group([batches[2]], START + 400 * SECOND) == (1 if lose == "damage" else 3)
    check_whole(world, before)
    world.rewrite(START + 2 * HOUR)
    check_whole(world, before)


def test_a_batch_that_comes_meanwhile_is_there_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    playing = processes(2)
    end = session(world, playing, random.Random(4), 10)
    put = world.store.put_new
    came: list[int] = []

    def slow(key: str, parts: Any) -> None:
        put(key, parts)
        if not came:
            came.append(1)
            play(playing[0], later(playing[0]), 2)
            world.store_group([playing[0].batch()], end)

    monkeypatch.setattr(world.store, "put_new", slow)
    world.rewrite(START + 631 * SECOND)
    monkeypatch.undo()
    before = world.rows()
    assert world.levels() == [0, 1]
    world.rewrite(end + 2 * HOUR)
    assert set(world.levels()) == {2}
    check_whole(world, before)


def test_two_at_the_same_time_do_not_take_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    end = session(world, processes(2), random.Random(5), 10)
    before = world.rows()
    put = world.store.put_new
    others: list[int] = []

    def meanwhile(key: str, parts: Any) -> None:
        if not others:
            others.append(-1)
            others[0] = world.rewrite(end + HOUR)
        put(key, parts)

    monkeypatch.setattr(world.store, "put_new", meanwhile)
    assert world.rewrite(end + HOUR) == 10
    assert others == [0]
    check_whole(world, before)


@pytest.mark.parametrize("level", [2, 3])
def test_killed_at_every_step_it_leaves_the_lake_as_it_was_or_as_it_will_be(
    world: World, monkeypatch: pytest.MonkeyPatch, level: int
) -> None:
    if level == 2:
        end = session(world, processes(2), random.Random(6), 30, every=300)
    else:
        end = session(world, processes(2), random.Random(6), 300, every=1800)
        world.rewrite(end + HOUR)
        end += DAY
    before = world.rows()
    step = 1
    while True:
        killed_at(world, step, monkeypatch)
        try:
            world.rewrite(end + HOUR + step, grace=0)
        except Killed:
            monkeypatch.undo()
            check_whole(world, before)
            assert world.keys() <= world.objects()
            step += 1
        else:
            monkeypatch.undo()
            break
    assert step > 10
    world.rewrite(end + 2 * HOUR, grace=0)
    check_whole(world, before)
    assert max(world.levels()) == level
    assert len(world.levels()) == (3 if level == 2 else 1 + 2 * 5)
    assert world.keys("removals") == set()
