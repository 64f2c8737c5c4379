"""Another plugin that does what Sentry's does is in the same process, installed before our session or after."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import build, play

WHERE = [(508, "development"), pytest.param(503, "editor", marks=pytest.mark.long)]


@pytest.mark.parametrize(("version", "config"), WHERE)
@pytest.mark.parametrize("scene", ["SentryFirst", "SentryLast"])
def test_both_hear_everything_once_and_the_crash_too(
    scene: str, version: int, config: str, server: Server, tmp_path: Path
) -> None:
    dead = play(build(version, config), scene, server.http, tmp_path, code=-11)
    assert {name: dead.said[name] for name in ("heard", "ensures", "stuck", "chain")} == {
        "heard": 20,
        "ensures": 1,
        "stuck": 1,
        "chain": 1,
    }
    assert play(build(version, config), "Recover", server.http, tmp_path).said["recovered"] >= 1
    logs = dead.ask(
        server,
        "SELECT target, level, count(*) FROM log_entries WHERE {process} "
        "AND target IN ('LogBeside', 'LogSentry', 'ensure', 'crash') GROUP BY 1, 2 ORDER BY 1",
    )
    assert logs == [["LogBeside", 3, 20], ["LogSentry", 5, 20], ["crash", 1, 1], ["ensure", 2, 1]]
    assert dead.ask(server, "SELECT end_state FROM processes WHERE {process}") == [["crashed"]]
