"""Categories and the server's control text: what is on at each moment, and that any thread may say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native.test_recorder import ADDRESS, THREAD, execute, run


@pytest.mark.parametrize("scenario", ["categories", "categories_full", "classes"])
def test_the_longest_category_decides_what_is_on(scenario: str, tmp_path: Path) -> None:
    run(scenario, tmp_path)


@pytest.mark.parametrize("scenario", ["control", "control_malformed", "control_expires"])
def test_the_server_s_word_is_applied_once_whole_and_for_its_time(scenario: str, tmp_path: Path) -> None:
    run(scenario, tmp_path)


@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD])
@pytest.mark.parametrize("scenario", ["categories", "classes", "control", "control_malformed", "control_races"])
def test_clean_under_sanitizers(scenario: str, sanitizer: str, tmp_path: Path) -> None:
    execute(scenario, tmp_path, sanitizer)
