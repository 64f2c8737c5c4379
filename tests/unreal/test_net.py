"""What net drivers count is in SQL, once a second, on servers and clients, by the engine's database and without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, build, play


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
