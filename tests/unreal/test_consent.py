"""The player's word: nothing leaves before it, everything after, and nothing remains once he takes it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, Played, build, play
from tests.unreal.proxy import Proxy

REQUIRED = "[/Script/Tachy.TachySettings]\nbRequireConsent=True\n"
NOBODY = "http://127.0.0.1:1"


def said(game: Played, server: Server) -> int:
    count: int = game.ask(server, "SELECT count(*) FROM log_entries WHERE {process} AND target = 'Consent'")[0][0]
    return count


def left(folder: Path) -> list[str]:
    """What lies in the project but what the test put there."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != "Engine.ini")


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_nothing_leaves_and_nothing_is_written_before_consent(
    version: int, config: str, server: Server, tmp_path: Path
) -> None:
    with Proxy(server.http) as proxy:
        game = play(build(version, config), "ConsentAsked", proxy.url, tmp_path, ini=REQUIRED)
    assert (game.said["before"], game.said["flushed"]) == ("100", 0)
    assert "once the player has agreed" in game.output
    assert "dies with the program" in game.output
    assert (proxy.requests, said(game, server), left(tmp_path)) == ([], 0, [])


def test_consent_covers_what_was_recorded_before_it_and_later_starts(server: Server, tmp_path: Path) -> None:
    built = build(508, "development")
    game = play(built, "ConsentGiven", server.http, tmp_path, ini=REQUIRED)
    assert (game.said["kept"], game.said["after"], game.said["flushed"]) == (1, "110", 1)
    assert (said(game, server), left(tmp_path)) == (15, ["consent.txt"])
    later = play(built, "ConsentAsked", server.http, tmp_path, ini=REQUIRED)
    assert (later.said["before"], later.said["flushed"], said(later, server)) == ("110", 1, 10)
    assert "survives a crash" in later.output


def test_what_is_taken_back_is_deleted_and_holds_until_it_is_given_again(server: Server, tmp_path: Path) -> None:
    built = build(508, "development")
    waits = play(built, "ConsentAsked", NOBODY, tmp_path)  # its server is away: its batches stay in the folder
    assert waits.said["flushed"] == 0
    assert any(name.endswith(".batch") for name in left(tmp_path))
    with Proxy(server.http, busy=1000) as proxy:  # another server, which takes nothing
        game = play(built, "ConsentRevoked", proxy.url, tmp_path, ini=REQUIRED)
    assert (game.said["kept"], game.said["after"], game.said["started"]) == (1, "101", 0)
    assert "tachy: off: the player has refused" in game.output
    assert left(tmp_path) == ["consent.txt"]
    with Proxy(server.http) as proxy:
        silent = play(built, "ConsentAsked", proxy.url, tmp_path)  # not required any more: his word holds
    assert (silent.said["before"], proxy.requests, left(tmp_path)) == ("001", [], ["consent.txt"])
    again = play(built, "ConsentGivenAgain", server.http, tmp_path, ini=REQUIRED)
    assert (again.said["before"], again.said["kept"], again.said["flushed"]) == ("101", 1, 1)
    assert said(again, server) == 3
    ids = [waits.said["process_id"], game.said["first"], silent.said["process_id"]]
    assert [said(Played({"process_id": each}, "", 0), server) for each in ids] == [0, 0, 0]


def test_where_nobody_can_be_asked_nobody_need_be(server: Server, tmp_path: Path) -> None:
    game = play(build(508, "development"), "ConsentAsked", server.http, tmp_path, "-server", ini=REQUIRED)
    assert (game.said["before"], game.said["flushed"], said(game, server)) == ("000", 1, 10)
