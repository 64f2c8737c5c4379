"""Who records, where it goes and as whom; sessions that the game starts; the background; children."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, Played, build, play
from tests.unreal.proxy import Proxy

SECTION = "[/Script/Tachy.TachySettings]\n"
NOBODY = "http://127.0.0.1:1"
COUNTS = """
    SELECT (SELECT count(*) FROM thread_spans WHERE {process} AND target = 'Session') AS spans,
           (SELECT count(*) FROM log_entries WHERE {process} AND target = 'Session') AS logs,
           (SELECT count(*) FROM measures WHERE {process} AND target = 'Session') AS metrics
"""


def counts(game: Played, server: Server) -> list[int]:
    return game.ask(server, COUNTS)[0]


@pytest.mark.parametrize(
    ("config", "ini", "arguments", "records"),
    [
        ("development", "", [], True),
        ("development", "bRecord=False", ["-Tachy"], False),
        ("development", "", ["-NoTachy", "-Tachy"], False),
        ("development", "bInGame=False", [], False),
        ("development", "bInGame=False", ["-Tachy"], True),
        ("development", "bInGame=False", ["-server"], True),
        ("development", "bInServer=False", ["-server"], False),
        ("development", "bAutoStart=False", [], False),
        ("development", "", ["-run=Cook"], False),
        ("development", "", ["-run=Cook", "-Tachy"], True),
        pytest.param("editor", "bInEditor=False\nbSpansInEditor=True", [], False, marks=pytest.mark.long),
        pytest.param("editor", "bInEditor=False", ["-game"], True, marks=pytest.mark.long),
        pytest.param("shipping", "bInShipping=False", [], False, marks=pytest.mark.long),
        pytest.param("shipping", "", [], True, marks=pytest.mark.long),
    ],
)
def test_programs_record_as_their_settings_say(
    config: str, ini: str, arguments: list[str], records: bool, server: Server, tmp_path: Path
) -> None:
    game = play(build(508, config), "Session", server.http, tmp_path, *arguments, ini=SECTION + ini)
    assert counts(game, server) == ([5, 5, 5] if records else [0, 0, 0])
    assert ("tachy: on: " in game.output) == records
    warnings = [line for line in game.output.splitlines() if "LogTachy: Warning" in line or "LogTachy: Error" in line]
    assert warnings == []


@pytest.mark.parametrize("url", ["argument", "variable", "ini"])
def test_the_command_line_wins_over_the_environment_and_that_over_the_ini(
    url: str, server: Server, tmp_path: Path
) -> None:
    order = ["argument", "variable", "ini"]
    urls = {name: server.http + "/" if name == url else NOBODY for name in order[order.index(url) :]}
    game = play(
        build(508, "development"),
        "Session",
        urls.get("argument", ""),
        tmp_path,
        ini=f"{SECTION}Url={urls.get('ini', '')}\nKey=of the ini",
        environment={"TACHY_URL": urls["variable"]} if "variable" in urls else {},
    )
    assert counts(game, server) == [5, 5, 5]


def test_the_editor_may_have_a_server_of_its_own_and_records_no_spans(server: Server, tmp_path: Path) -> None:
    ini = f"{SECTION}Url={NOBODY}\nEditorUrl={server.http}"
    editor = play(build(503, "editor"), "Session", "", tmp_path, ini=ini)
    assert counts(editor, server) == [0, 5, 5]
    game = play(build(503, "editor"), "Session", "", tmp_path, "-game", ini=f"{SECTION}Url={server.http}")
    assert counts(game, server) == [5, 5, 5]


def test_children_know_their_parent(server: Server, tmp_path: Path) -> None:
    parent = "01234567-89ab-4def-8123-456789abcdef"
    environment = {"TACHY_PARENT_PROCESS_ID": parent}
    game = play(build(508, "development"), "Session", server.http, tmp_path, environment=environment)
    assert game.said["inherited"] == game.said["process_id"]
    assert game.ask(server, "SELECT parent_process_id FROM processes WHERE {process}") == [[parent]]


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_a_game_starts_sessions_with_its_own_login(version: int, config: str, server: Server, tmp_path: Path) -> None:
    with Proxy(server.http) as proxy:
        game = play(
            build(version, config),
            "StartedByGame",
            NOBODY,
            tmp_path,
            ini=f"{SECTION}bAutoStart=False\nKey=of-the-settings\nbSpansInEditor=True",
            environment={"SCENE_URL": proxy.url, "TACHY_PARENT_PROCESS_ID": ""},
        )
    said = game.said
    assert (said["started"], said["flushed"], said["flushed_again"], said["signed_here"]) == (1, 1, 1, 1)
    assert said["asked"] >= 3
    tickets = [request for request in proxy.requests if "x-ticket" in request]
    keys = [request for request in proxy.requests if request.get("authorization") == "Bearer of-the-settings"]
    assert tickets
    assert keys
    assert len(tickets) + len(keys) == len(proxy.requests)
    assert all(request["x-ticket"] == f"{request['content-length']} bytes" for request in tickets)
    assert counts(game, server) == [1, 1, 1]
    first = Played({"process_id": said["first"]}, "", 0)
    assert counts(first, server) == [4, 4, 4]
    assert first.ask(server, "SELECT property_get(properties, 'flavour') FROM processes WHERE {process}") == [
        ["strawberry"]
    ]
    assert game.ask(server, "SELECT parent_process_id FROM processes WHERE {process}") == [[None]]
    both = f"process_id IN ('{said['first']}', '{said['process_id']}')"
    assert game.ask(server, f"SELECT count(*) FROM log_entries WHERE {both} AND target = 'LogSessionScene'") == [[0]]
    if config != "shipping":
        assert "signing for" in game.output


def test_before_the_background_it_is_tried_again_at_once(server: Server, tmp_path: Path) -> None:
    told = tmp_path / "told"
    with Proxy(server.http, busy=1, told=told) as proxy:
        game = play(build(508, "development"), "Background", proxy.url, tmp_path, environment={"SCENE_FILE": str(told)})
    assert game.said["flushed"] == 1  # the server had asked for a minute
    assert counts(game, server) == [3, 3, 3]
    assert game.said["blocked"] < 1
