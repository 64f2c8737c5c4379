"""A block waits until it is worth sending; what must not wait does not, and all of it arrives once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native.test_recorder import THREAD, execute, run

SCENARIOS = ["pace_urgent", "pace_storm", "pace_full", "pace_watched", "pace_young"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_is_worth_it_is_sent_and_the_rest_waits(scenario: str, tmp_path: Path) -> None:
    run(scenario, tmp_path)


@pytest.mark.parametrize("scenario", ["pace_storm", "pace_full"])
def test_clean_under_the_thread_sanitizer(scenario: str, tmp_path: Path) -> None:
    execute(scenario, tmp_path, THREAD)
