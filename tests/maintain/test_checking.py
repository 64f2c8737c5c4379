"""Every fault that is planted is found and said; what was mended is a lake that nothing is wrong with."""

from __future__ import annotations

import random
from collections.abc import Callable
from uuid import UUID

import pytest
from tachy_server.maintain.checking import Checker, Fault

from tests.maintain.conftest import SECOND, START, Killed, World, killed_at
from tests.maintain.test_rebuilding import compare, store_or_die
from tests.maintain.test_rewriting import HOUR, check_whole, damage, processes, session


def check(world: World, *, mend: bool = False, blocks: bool = True, grace: int = 0) -> list[Fault]:
    """An object that was just written is as old as the grace, without one."""
    return list(Checker(world.lake, grace * SECOND, 900 * SECOND, mend=mend, blocks=blocks).run())


def some_key(world: World) -> str:
    return sorted(world.keys())[3]


def execute(world: World, statement: str, *arguments: object) -> None:
    with world.lake.connection() as connection:
        connection.execute(statement.encode(), arguments or None)


def remove_object(world: World) -> None:
    world.store.remove(some_key(world))


def damage_end(world: World) -> None:
    damage(world, some_key(world), -5)


def cut(world: World) -> None:
    path = world.store.root / some_key(world)
    path.write_bytes(path.read_bytes()[:-100])


def cut_in_half(world: World) -> None:
    path = world.store.root / some_key(world)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def damage_block(world: World) -> None:
    row = world.lake.select_blocks(1)[3]
    damage(world, row.segment_key, row.offset + row.size - 9)


def copy_without_row(world: World) -> None:
    key = some_key(world)
    copied = key.replace(".tseg", "0.tseg")
    world.store.put_new(copied, [world.store.read(key, 0, world.store.size(key))])


def no_segment(world: World) -> None:
    world.store.put_new("segments/2025-06-15/nothing.tseg", [b"nothing"])


def drop_row(world: World) -> None:
    execute(world, "DELETE FROM segments WHERE key = %s", some_key(world))


def other_size(world: World) -> None:
    execute(world, "UPDATE segments SET size = size + 8 WHERE key = %s", some_key(world))


def other_index(world: World) -> None:
    execute(
        world, "UPDATE segments SET block_index = (SELECT block_index FROM segments WHERE key = %s) WHERE key = %s",
        sorted(world.keys())[4], some_key(world),
    )  # fmt: skip


def no_index(world: World) -> None:
    execute(world, "UPDATE segments SET block_index = 'index' WHERE key = %s", some_key(world))


def nothing_left(world: World) -> None:
    damage_end(world)
    no_index(world)


def no_object_and_no_index(world: World) -> None:
    no_index(world)
    remove_object(world)


def other_times(world: World) -> None:
    execute(world, "UPDATE segments SET end_time = begin_time, level = 2 WHERE key = %s", some_key(world))


def to_be_removed(world: World) -> None:
    execute(world, "INSERT INTO removals VALUES (%s, 0)", some_key(world))


def no_process(world: World) -> None:
    execute(world, "DELETE FROM processes WHERE exe = 'game1'")


def no_streams(world: World) -> None:
    execute(world, "DELETE FROM streams WHERE class = 2")


def unknown_blocks(world: World) -> None:
    execute(world, "UPDATE processes SET log_blocks = log_blocks - '{[1,3)}'::int8multirange")


def too_many_blocks(world: World) -> None:
    execute(world, "UPDATE processes SET span_blocks = span_blocks + '{[1000,2000)}'::int8multirange")


def other_days(world: World) -> None:
    execute(world, "UPDATE block_days SET begin_time = end_time")


def other_count(world: World) -> None:
    execute(world, "UPDATE block_counts SET streams = streams + 1")


def late_process(world: World) -> None:
    execute(world, "UPDATE processes SET insert_time = insert_time + 86400000000000")


LOSSES = [remove_object, cut_in_half, damage_block, nothing_left, no_object_and_no_index]
"""What cannot be had again from what there is, or not all of it."""
REPLACED = [damage_end, cut]
"""Every block can still be read, and lies in another object afterwards."""
FAULTS: list[tuple[Callable[[World], None], str]] = [
    (remove_object, "hole"), (damage_end, "damaged"), (cut, "damaged"),
    (cut_in_half, "damaged"), (nothing_left, "damaged"), (no_object_and_no_index, "hole"), (no_index, "row"),
    (damage_block, "block"),
    (copy_without_row, "orphan"), (no_segment, "orphan"), (drop_row, "orphan"), (other_size, "row"),
    (other_index, "row"), (other_times, "row"), (to_be_removed, "removal"), (no_process, "process"),
    (no_streams, "stream"), (unknown_blocks, "process"), (too_many_blocks, "process"), (other_days, "day"),
    (other_count, "count"), (late_process, "process"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "kind"), FAULTS, ids=[plant.__name__ for plant, _ in FAULTS])
def test_each_fault_is_found_and_mended(world: World, plant: Callable[[World], None], kind: str) -> None:
    end = session(world, processes(2), random.Random(1), 8)
    before, tables = world.rows(), world.tables()
    assert check(world) == []
    plant(world)
    found = check(world)
    assert kind in {fault.kind for fault in found}
    assert [fault.mended for fault in found] == [None] * len(found)
    mended = check(world, mend=True)
    assert kind in {fault.kind for fault in mended}
    assert all(fault.mended for fault in mended)
    assert check(world) == []
    if plant in LOSSES:
        rows = world.rows()
        assert all(set(rows[view]) <= set(before[view]) for view in rows)
        kept, there = world.counted()
        assert kept == there
    else:
        check_whole(world, before)
        assert plant in REPLACED or world.tables() == tables
    world.rewrite(end + HOUR)
    assert check(world) == []


@pytest.mark.parametrize("plant", LOSSES)
def test_what_was_lost_is_stored_again_when_it_is_sent_again(world: World, plant: Callable[[World], None]) -> None:
    sent: list[tuple[bytes, int]] = []
    store = world.store_group

    def keeping(batches: list[bytes], now: int) -> int:
        sent.extend((batch, now) for batch in batches)
        return store(batches, now)

    world.store_group = keeping  # type: ignore[method-assign]
    session(world, processes(2), random.Random(2), 8)
    before = world.rows()
    plant(world)
    check(world, mend=True)
    assert sum(store([batch], now + HOUR) for batch, now in sent) > 0
    check_whole(world, before)
    assert check(world) == []


def test_kills_leave_nothing_but_orphans_which_mending_removes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    playing = processes(2)
    end = session(world, playing, random.Random(3), 20)
    store_or_die(world, [playing[0].batch([])], end, 2, monkeypatch)
    step = 8
    while True:
        with monkeypatch.context() as dying:
            killed_at(world, step, dying)
            try:
                world.rewrite(end + HOUR)
            except Killed:
                step += 1
            else:
                break
    before = world.rows()
    assert {fault.kind for fault in check(world, blocks=False)} == {"orphan"}
    assert check(world, grace=3600) == []
    assert all(fault.mended for fault in check(world, mend=True))
    assert check(world) == []
    assert world.objects() == world.keys() | world.keys("removals")
    check_whole(world, before)


def test_an_older_database_learns_what_it_has_missed(world: World) -> None:
    """As after a backup was restored: all that came since then is in objects that no row names."""
    playing = processes(2)
    end = session(world, playing, random.Random(4), 10)
    before, tables = world.rows(), world.tables()
    late = START + 300 * SECOND
    execute(world, "DELETE FROM segments WHERE insert_time >= %s", late)
    execute(world, "DELETE FROM streams")
    execute(world, "UPDATE processes SET state = 'exited', version = 0, properties = '{}', last_update_time = %s", late)
    check(world, mend=True)
    assert check(world) == []
    check_whole(world, before)
    assert world.tables() == tables
    assert world.store_group([playing[0].batch([])], end) == 0


def test_it_harms_nothing_that_comes_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two objects that are listed a batch is stored, or segments are merged and removed."""
    playing = processes(2)
    end = session(world, playing, random.Random(5), 12)
    listed = world.store.objects
    chance = random.Random(6)

    def busy(prefix: str = "") -> object:
        for one in list(listed(prefix)):
            yield one
            session(world, playing[:1], chance, 1)
            world.rewrite(end + HOUR, grace=0)

    monkeypatch.setattr(world.store, "objects", busy)
    found = check(world, mend=True)
    monkeypatch.undo()
    assert [fault for fault in found if fault.kind != "orphan"] == []
    assert check(world) == []
    kept, there = world.counted()
    assert kept == there


def test_a_process_that_only_describes_itself_is_no_fault(world: World) -> None:
    (process,) = processes(1)
    world.store_group([process.batch([], state="exited")], START)
    assert check(world) == []
    assert UUID(str(process.process_id)) == process.process_id
    compare(world, world)
