"""What net drivers count is in SQL, once a second, on servers and clients, by the engine's database and without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, VERSIONS, build, play

CONFIGS = [
    pytest.param(version, config, marks=() if (version, config) == (508, "development") else pytest.mark.long)
    for version in VERSIONS
    for config in ("development", "shipping")
]


@pytest.mark.parametrize(("version", "config"), CONFIGS)
def test_an_engine_built_from_source_has_net_scopes(version: int, config: str, server: Server, tmp_path: Path) -> None:
    """Verbosity 0: nothing, 1: connections, 2 and 3: objects (there are only root ones), 4: everything."""
    game = play(build(version, config), "NetScopes", server.http, tmp_path)
    rows = game.ask(
        server,
        "SELECT connection_name, is_outgoing, kind, name, depth, begin_bits, end_bits FROM net_spans "
        "WHERE {process} ORDER BY begin_time, span_id",
    )
    connection = ["connection", 0, 0, 120]
    pawn, door = ["object", "Pawn", 1, 0, 96], ["object", "Door", 1, 96, 100]
    properties = ["property", "Health", 2, 0]
    expected = []
    for verbosity, name in enumerate(["PlayerB", "PlayerC", "PlayerD", "PlayerE"], 1):
        found = [[connection[0], name, *connection[1:]]]
        if verbosity >= 2:
            found.append(pawn)
        if verbosity == 4:
            found.append([*properties, 96])
        if verbosity >= 2:
            found.append(door)
        if verbosity == 4:
            found += [[*properties, 4], ["rpc", "ClientJump", 1, 100, 120]]
        expected += [[name, verbosity % 2 == 0, *row] for row in found]
    assert rows == expected


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_net_drivers_are_measured_once_a_second(version: int, config: str, server: Server, tmp_path: Path) -> None:
    game = play(build(version, config), "Net", server.http, tmp_path)
    rows = game.ask(
        server,
        "SELECT property_get(properties, 'map'), property_get(properties, 'role'), name, unit, count(*), min(value), "
        "max(value) FROM measures WHERE {process} AND target = 'Net' GROUP BY 1, 2, 3, 4",
    )
    both = [
        ("InRate", "bytes/s", 1000),
        ("OutRate", "bytes/s", 2000),
        ("InPackets", "1/s", 30),
        ("OutPackets", "1/s", 60),
        ("InPacketsLost", "1/s", 1),
        ("OutPacketsLost", "1/s", 2),
    ]
    server_only = [("NumClients", "1", 3), *([("AverageJitterInMS", "ms", 3.5)] if version >= 507 else [])]
    client_only = [("Ping", "ms", 40), ("AverageJitterInMS", "ms", 3.5)]
    expected = [
        *(["Arena", "server", name, unit, 5, value, value] for name, unit, value in [*both, *server_only]),
        *(["Hall", "client", name, unit, 2, value, value] for name, unit, value in [*both, *client_only]),
    ]
    assert sorted([*row[:5], *(round(value, 4) for value in row[5:])] for row in rows) == sorted(expected)
