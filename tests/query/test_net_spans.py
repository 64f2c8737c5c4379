"""net_spans against a plain stack, whatever the nesting, the blocks and the spans of others in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tachy_server.base.errors import QueryError

from tests.model.encoder import Process, Thread
from tests.query.conftest import MakeWorld, World

COLUMNS = (
    "span_id, parent_span_id, depth, kind, name, connection_name, is_outgoing, begin_bits, end_bits, bit_size, "
    "begin_time, end_time"
)
ALL = f"SELECT {COLUMNS} FROM net_spans"


@dataclass
class Scope:
    """An open scope of the model: what will be its row."""

    row: dict[str, Any]
    bits: int
    traffic: bool
    children: list[Scope] = field(default_factory=list)


def finish(scope: Scope, above: list[Scope], rows: list[dict[str, Any]]) -> None:
    """Rows of a scope and what is in it, by Micromegas's rules, once all of it has ended."""
    around = [one for one in above if one.traffic]
    kept = scope.traffic and (scope.bits > 0 or (scope.row["kind"] == "connection" and _holds(scope)))
    if kept:
        connections = [one for one in [*around, scope] if one.row["kind"] == "connection"]
        parent = around[-1] if around else None
        begin = parent.row.get("used", 0) if parent else 0
        scope.row |= {
            "parent_span_id": parent.row["span_id"] if parent else -1,
            "depth": len(around),
            "connection_name": connections[-1].row["name"] if connections else "",
            "is_outgoing": connections[-1].row["outgoing"] if connections else False,
            "begin_bits": begin,
            "end_bits": begin + scope.bits,
            "bit_size": scope.bits,
        }
        if parent:
            parent.row["used"] = begin + scope.bits
        rows.append(scope.row)
    for child in scope.children:
        finish(child, [*above, scope] if kept else above, rows)


def _holds(scope: Scope) -> bool:
    return any((child.traffic and child.bits > 0) or _holds(child) for child in scope.children)


def scope_at(chance: Random, thread: Thread, at: list[int], depth: int, world: World) -> Scope:
    kind = chance.choice(["connection", "object", "object", "property", "rpc", "other"])
    name, outgoing = chance.choice("abc"), chance.random() < 0.5
    at[0] += chance.choice([0, 1, 1000])
    begin = at[0]
    thread.begin(name, begin, target=kind if kind == "other" else f"net.{kind}")
    scope = Scope({"span_id": thread.begun, "kind": kind, "name": name, "outgoing": outgoing}, 0, kind != "other")
    if chance.random() < 0.1:
        world.send(thread.process)  # cuts a block here
    for _ in range(chance.randrange(4) if depth < 5 else 0):
        scope.children.append(scope_at(chance, thread, at, depth + 1, world))
        at[0] += chance.choice([0, 1])
    scope.bits = chance.choice([0, 1, 8, 300])
    if scope.traffic and chance.random() < 0.9:
        thread.value("bits", scope.bits)
    elif scope.traffic:
        scope.bits = 0
    if kind == "connection":
        thread.value("direction", "outgoing" if outgoing else "incoming")
    at[0] += 1
    thread.end(at[0])
    scope.row |= {"begin_time": begin, "end_time": at[0]}
    return scope


def expected(roots: list[Scope]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for root in roots:
        finish(root, [], rows)
    return rows


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_scopes_are_those_of_a_plain_stack(seed: int, make_world: MakeWorld) -> None:
    chance, world = Random(seed), make_world()
    process = Process("game")
    world.processes.append(process)
    at = [1_000]
    for number in range(2):
        thread = process.thread(f"net{number}")
        roots = [scope_at(chance, thread, at, 0, world) for _ in range(chance.randrange(6))]
        world.send(process)
        found = world.rows(
            f"{ALL} WHERE stream_id IN (SELECT stream_id FROM thread_spans WHERE thread_name = 'net{number}')"
        )
        own = world.rows(f"SELECT id, begin, \"end\" FROM thread_spans WHERE thread_name = 'net{number}'")
        times = {row["id"]: row for row in own}
        wanted = expected(roots)
        for row in wanted:
            del row["outgoing"]
            row.pop("used", None)
            row |= {"begin_time": times[row["span_id"]]["begin"], "end_time": times[row["span_id"]]["end"]}
        assert sorted(found, key=by_id) == sorted(wanted, key=by_id)


def by_id(row: dict[str, Any]) -> int:
    number: int = row["span_id"]
    return number


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """Two processes, a block per packet: a connection with two objects, 10 s apart; then one that is still open."""
    world = make_world()
    for name in ("server", "client"):
        process = Process(name)
        world.processes.append(process)
        thread = process.thread("net")
        for packet in range(4):
            at = packet * 10_000_000_000
            thread.begin(f"player{packet}", at, target="net.connection")
            for number, bits in ((1, 100), (2, 20)):
                thread.begin(f"pawn{number}", at + number * 1_000_000, target="net.object")
                thread.value("bits", bits)
                if packet < 3:
                    thread.end(at + number * 1_000_000 + 500_000)
            if packet < 3:
                thread.value("bits", 120)
                thread.value("direction", "outgoing")
                thread.end(at + 5_000_000)
            else:
                thread.end(at + 5_000_000)
            world.send(process)
    return world


def test_times_and_processes_select_the_blocks_and_bits_count_from_before_the_range(world: World) -> None:
    process = world.processes[0].process_id
    begin = world.value(f"SELECT min(begin_time) FROM net_spans WHERE name = 'pawn2' AND process_id = '{process}'")
    later = begin + 10_000_000_000
    world.lake.reads.clear()
    sql = "SELECT name, connection_name, is_outgoing, begin_bits, end_bits FROM net_spans"
    rows = world.rows(
        f"{sql} WHERE process_id = '{process}' AND begin_time >= to_timestamp_nanos({later}) AND "
        f"begin_time <= to_timestamp_nanos({later + 1_000_000_000})"
    )
    assert [list(row.values()) for row in rows] == [["pawn2", "player1", True, 100, 120]]
    assert len(world.lake.reads) == 2  # and the process's newest, which says what is open
    ranged = world.rows(f"{sql} WHERE process_id = '{process}' ORDER BY span_id", begin=later, end=later)
    assert [list(row.values()) for row in ranged] == [
        ["player1", "player1", True, 0, 120],
        ["pawn2", "player1", True, 100, 120],
    ]
    assert world.value("SELECT count(DISTINCT process_id) FROM net_spans") == 2


def test_what_is_open_is_no_row_but_names_the_connection(world: World) -> None:
    process = world.processes[1].process_id
    rows = world.rows(
        f"SELECT name, depth, connection_name, kind FROM net_spans WHERE process_id = '{process}' "
        "AND connection_name = 'player3'"
    )
    assert rows == [{"name": "pawn2", "depth": 2, "connection_name": "player3", "kind": "object"}]


def test_view_instance_and_an_empty_process(world: World) -> None:
    process = world.processes[0].process_id
    assert world.value(f"SELECT count(*) FROM view_instance('net_spans', '{process}')") == 10
    world.send(Process("idle"))
    assert world.value("SELECT count(*) FROM net_spans WHERE kind = 'rpc'") == 0


def test_too_many_blocks_are_refused_by_the_view_s_name(make_world: MakeWorld) -> None:
    world = make_world(lazy_block_limit=1)
    process = Process("game")
    for at in (1_000, 2_000):
        process.thread("main").span("x", at, at + 1)
        world.send(process)
    with pytest.raises(QueryError, match="net_spans: this query needs more than 1 blocks"):
        world.rows("SELECT * FROM net_spans")
