"""Automation tests hold spans to a budget that the server is asked about."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, build, play

AWAY = "http://127.0.0.1:9"  # discard: nobody listens there


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_a_budget_is_kept_broken_or_has_no_span(version: int, config: str, server: Server, tmp_path: Path) -> None:
    said = play(build(version, config), "Budget", server.http, tmp_path).said
    assert said["Budget.Kept"] == "passed"
    found = re.fullmatch(r"long: p99 of 5 spans is (\d+\.\d{3}) ms, the budget 1\.000 ms", said["Budget.Broken"])
    assert found, said
    assert float(found[1]) >= 2.0
    assert said["Budget.Missing"] == "never: no such span was recorded"


@pytest.mark.long
def test_a_server_that_is_away_is_a_failure(tmp_path: Path) -> None:
    said = play(build(508, "development"), "Budget", AWAY, tmp_path).said
    assert said["Budget.Kept"] == 'it\'s "short": what was recorded could not be sent'
