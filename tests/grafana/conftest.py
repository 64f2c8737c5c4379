"""A lake that has something for every panel."""

from __future__ import annotations

import textwrap

import httpx
import pytest

from tests.pysdk.programs import run
from tests.serving import Server
from tests.waiting import until

GAME = """
    import os, sys, time, tachy
    tachy.start(properties={{"build": "{build}"}})
    for frame in range(50):
        with tachy.span("tick", target="game"):
            time.sleep({seconds})
        tachy.metric("speed", frame, unit="m/s")
        tachy.frame()
    for level in ("info", "warn", "error"):
        tachy.log(level, "it's " + level, target="game")
    tachy.metric("tachy.dropped_events", 3, unit="events", properties={{"class": "span"}})
    tachy.stop()
"""


@pytest.fixture(scope="session")
def fleet(server: Server) -> Server:
    """Two builds have run, and one query has failed."""
    for build, seconds in (("grafana-1", 0.001), ("grafana-2", 0.002)):
        run(textwrap.dedent(GAME).format(build=build, seconds=seconds), server.http)
    failed = {"sql": "SELECT CAST(msg AS BIGINT) FROM log_entries"}
    logged = {"sql": "SELECT 1 FROM query_log WHERE outcome = 'failed'"}
    httpx.post(f"{server.http}/api/query", json=failed)
    until(lambda: httpx.post(f"{server.http}/api/query", json=logged).json()["rows"])
    return server
