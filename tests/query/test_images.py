"""Images are joined from their parts when all of these are there, and are no row otherwise."""

from __future__ import annotations

import base64
import re
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tachy_server.views import images
from tachy_server.views.images import SIZE_MAX

from tests.model.encoder import Process, Thread
from tests.query.conftest import MakeWorld, World

PART = 300


def parts_of(number: int, data: bytes, name: str = "shot", kind: str = "image/jpeg") -> list[str]:
    pieces = [data[at : at + PART] for at in range(0, len(data), PART)]
    return [
        f"{number} {part} {len(pieces)} {len(data)} {kind} {name}\n{base64.b64encode(piece).decode()}"
        for part, piece in enumerate(pieces)
    ]


def log(thread: Thread, at: int, text: str) -> None:
    thread.log(at, "%s", text, target="tachy.image")


def shown(world: World, where: str = "", **options: object) -> list[tuple[str, bytes]]:
    return [(row["name"], row["data"]) for row in world.rows(f"SELECT * FROM images {where}", **options)]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_whole_images_and_no_others_are_rows(seed: int, make_world: MakeWorld) -> None:
    """Parts in order, cut into blocks anywhere, some of them lost, doubled or damaged; plain logs in between."""
    chance, world = Random(seed), make_world()
    process = Process("game")
    thread, main = process.thread("images"), process.thread("main")
    at, whole, logs = 1_000, [], 0
    for number in range(1, 8):
        data = chance.randbytes(chance.choice([1, 299, 300, 301, 5_000]))
        parts = parts_of(number, data, name=f"of {number}")
        fate = chance.choice(["whole", "whole", "lost", "doubled", "damaged", "cut"])
        place = chance.randrange(len(parts))
        if fate == "lost":
            del parts[place]
        elif fate == "doubled" and len(parts) > 1:
            parts.insert(place, parts[place])
        elif fate == "damaged":
            parts[place] = parts[place][:-4] + "!" + parts[place][-3:]
        elif fate == "cut":
            parts[place] = parts[place][:-4]
        else:
            whole.append((f"of {number}", data))
        if fate == "doubled" and place in (0, len(parts) - 2) and len(parts) > 2:
            whole.append((f"of {number}", data))  # the first part begins it anew; after the last it is whole
        for part in parts:
            log(thread, at, part)
            if chance.random() < 0.2:
                main.log(at, "an ordinary log")
                logs += 1
            if chance.random() < 0.3:
                world.send(process)
        at += 1_000
    world.send(process)
    assert sorted(shown(world)) == sorted(whole)
    assert world.value("SELECT count(*) FROM log_entries") == logs
    assert world.value("SELECT count(*) FROM log_entries WHERE target = 'tachy.image'") == 0
    sizes = world.rows("SELECT payload_size FROM images")
    assert sorted(row["payload_size"] for row in sizes) == sorted(len(data) for _, data in whole)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 0 1 3 image/png x",
        "1 0 1 3 image/png x\nnot base64",
        "1 1 1 3 image/png x\nAAAA",
        "1 0 0 0 image/png x\n",
        "-1 0 1 3 image/png x\nAAAA",
        "1 0 1 4 image/png x\nAAAA",
        f"1 0 1 {SIZE_MAX + 1} image/png x\nAAAA",
        "99999999999999999999999 0 1 3 image/png x\nAAAA",
        "1 0 1 3 image/png two\nlines\nAAAA",
    ],
)
def test_what_is_no_part_is_no_image(text: str, make_world: MakeWorld) -> None:
    world, process = make_world(), Process("game")
    log(process.thread("images"), 1_000, text)
    log(process.thread("images"), 2_000, "2 0 1 3 image/png x\nAAAA")
    world.send(process)
    assert shown(world) == [("x", b"\0\0\0")]


def test_what_waits_for_its_parts_is_bounded(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PENDING_MAX", 1_000)
    world, process = make_world(), Process("game")
    thread = process.thread("images")
    first, second = parts_of(1, bytes(600)), parts_of(2, bytes(900))
    for part in (first[0], second[0], second[1], first[1], second[2]):
        log(thread, 1_000, part)
    world.send(process)
    assert shown(world) == [("shot", bytes(900))]


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """Two processes with an image each second, its parts in three blocks; blocks without any between them."""
    world = make_world()
    for name in ("one", "two"):
        process = Process(name, username="somebody")
        world.processes.append(process)
        thread, main = process.thread("images"), process.thread("main")
        for number in (1, 2, 3):
            at = number * 1_000_000_000
            for part in parts_of(number, bytes([number]) * 700, name=f"{name} {number}"):
                log(thread, at, part)
                world.send(process)
            main.log(at + 1_000, "between")
            world.send(process)
    return world


def test_times_and_processes_select_the_blocks(world: World) -> None:
    times = {row["name"]: row["time"] for row in world.rows("SELECT name, time FROM images")}
    assert len(world.lake.reads) == 18  # those without a part are not read
    world.lake.reads.clear()
    process = world.processes[1].process_id
    where = f"WHERE process_id = '{process}' AND time = to_timestamp_nanos({times['two 2']})"
    assert shown(world, where) == [("two 2", b"\2" * 700)]
    assert len(world.lake.reads) == 3
    ranged = shown(world, begin=times["one 1"], end=times["one 1"] + 1)
    assert sorted(name for name, _ in ranged) == ["one 1", "two 1"]


def test_a_row_says_where_it_comes_from(world: World) -> None:
    (row,) = world.rows("SELECT * FROM images WHERE name = 'one 3'")
    process = world.processes[0]
    assert (row["process_id"], row["exe"], row["username"]) == (str(process.process_id), "one", "somebody")
    assert (row["format"], row["payload_size"]) == ("image/jpeg", 700)
    assert re.fullmatch(r"[0-9a-f-]{36}", row["block_id"])
    assert row["insert_time"] > row["time"]
    again = shown(world, f"WHERE block_id = '{row['block_id']}'")
    assert again == [("one 3", b"\3" * 700)]
    streams = world.rows("SELECT stream_id FROM images WHERE stream_id = '" + row["stream_id"] + "'")
    assert len(streams) == 3


def test_images_are_in_no_trace_and_in_no_parsed_block(world: World) -> None:
    (row,) = world.rows("SELECT block_id FROM images WHERE name = 'one 1'")
    assert world.rows(f"SELECT * FROM parse_block('{row['block_id']}')") == []
