"""A game written for Micromegas records by its macros, classes and console names what it did there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, build, play

NET = [
    *(
        ["net.connection", f"Player_{verbosity}", {"bits": 308, "direction": "outgoing"}, 1]
        for verbosity in range(1, 5)
    ),
    ["net.object", "Component", {"bits": 20}, 4],
    ["net.object", "Elf", {"bits": 128}, 3],
    ["net.object", "Ogre", {"bits": 128}, 3],
    ["net.object", "Pickup", {"bits": 5}, 3],
    ["net.object", "Sized", {"bits": 7}, 3],
    ["net.property", "Health", {"bits": 20}, 2],
    ["net.property", "Speed", {"bits": 8}, 2],
    ["net.rpc", "ClientRPC", {"bits": 40}, 1],
]
NET_SPANS = sorted(
    [
        *(["connection", f"Player_{v}", f"Player_{v}", True, 0, 308, 1] for v in range(1, 5)),
        *(["object", "Component", f"Player_{v}", True, 2, 20, 2] for v in (3, 4)),
        *(
            ["object", name, f"Player_{v}", True, 1, bits, 1]
            for name, bits in (("Elf", 128), ("Ogre", 128), ("Pickup", 5), ("Sized", 7))
            for v in (2, 3, 4)
        ),
        ["property", "Health", "Player_4", True, 3, 20, 2],
        ["property", "Speed", "Player_4", True, 2, 8, 2],
        ["rpc", "ClientRPC", "Player_4", True, 1, 40, 1],
    ]
)


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_micromegas_macros_record(version: int, config: str, server: Server, tmp_path: Path) -> None:
    game = play(build(version, config), "Micromegas", server.http, tmp_path)
    world = game.said["world"]
    spans = game.ask(
        server,
        "SELECT target, name, count(*) FROM thread_spans WHERE {process} AND target NOT LIKE 'net.%' "
        "AND (target IN ('AI', 'Render') OR target LIKE 'Game.%' OR target LIKE 'Content%') "
        "GROUP BY 1, 2 ORDER BY 1, 2",
    )
    assert spans == sorted(
        [
            ["AI", "Pathfinding", 10],
            ["Content", "/Game/Mesh", 10],
            ["Content.AsyncLoad", "/Game/Mesh", 10],
            ["Game.Actors", "AnActorsTick", 10],
            ["Game.Actors", world, 10],
            ["Render", "DetailedFrame", 5],
            ["Render", world, 5],
        ]
    )
    logs = game.ask(
        server,
        "SELECT target, level, property_get(properties, 'map'), property_get(properties, 'player_id'), "
        "property_get(properties, 'mode'), min(msg), count(*) FROM log_entries "
        "WHERE {process} AND target IN ('Game', 'Game.End') GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2",
    )
    assert logs == [
        ["Game", 2, "Arena", None, None, f"Connection failed: {world}", 8],
        ["Game", 3, None, "12345", None, "Player action recorded", 1],
        ["Game", 4, "Arena", None, None, "healthy", 2],
        ["Game.End", 4, "Arena", None, "coop", "over", 1],
    ]
    metrics = game.ask(
        server,
        "SELECT name, unit, property_get(properties, 'player_id'), count(*), sum(value) FROM measures "
        "WHERE {process} AND target = 'Game' GROUP BY 1, 2, 3 ORDER BY 1, 3",
    )
    assert sorted(metrics, key=str) == sorted(
        [
            ["HealthPercent", "percent", None, 10, 450.0],
            ["Logins", "count", "12345", 1, 2.0],
            ["Logins", "count", None, 1, 3.0],
            ["PlayerCount", "count", None, 10, 30.0],
            ["Wait", "s", "12345", 1, 0.5],
            ["Wait", "s", None, 1, 1.5],
        ],
        key=str,
    )
    aged = game.ask(
        server,
        "SELECT arrow_cast(max(time) - min(time), 'Int64') FROM measures WHERE {process} AND name = 'Logins'",
    )
    assert aged[0][0] >= 20_000_000  # one had a time of its own
    net = game.ask(
        server,
        "SELECT target, name, properties, count(*) FROM thread_spans WHERE {process} AND target LIKE 'net.%' "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2",
    )
    found = [[target, name, json.loads(properties), count] for target, name, properties, count in net]
    assert found == (NET if game.said["net"] else [])
    assert game.said["net"] == (config == "development")
    assert game.said["verbosity"] == 3
    assert "mode = coop" in game.output
    images = game.ask(server, "SELECT name, format, payload_size FROM images WHERE {process}")
    assert images == [["minimap", "image/png", 4]]
    rows = game.ask(
        server,
        "SELECT kind, name, connection_name, is_outgoing, depth, max(bit_size), count(*) FROM net_spans "
        "WHERE {process} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3",
    )
    assert rows == (NET_SPANS if game.said["net"] else [])
