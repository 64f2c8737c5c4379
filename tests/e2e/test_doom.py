"""A real game, from Debian's source package: what the recorder counted is what SQL counts, to the event."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
@pytest.mark.xdist_group("demo")
def test_doom_is_counted_to_the_event(tmp_path: Path) -> None:
    env = {**os.environ, "DEMO_OUT": str(tmp_path / "doom")}
    env.pop("DEMO_SERVE", None)
    done = subprocess.run(
        ["make", "demo-doom"], cwd=ROOT, env=env, text=True, capture_output=True, check=False, timeout=1800
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "doom/report.json").read_text())
    assert report["events_recorded"] > 20_000_000
    kept = report["events_recorded"] - report["events_dropped"]
    assert kept == report["events_queryable"] == report["spans_in_trace"]
