"""All roles together: what was ingested is there for SQL at once, and everything stops in order."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.lake.conftest import game
from tests.serving import Server, computing


def count(server: Server, view: str, process_id: object) -> int:
    """Rows of a view that belong to the process."""
    sql = f"SELECT count(*) AS n FROM {view} WHERE process_id = '{process_id}'"
    answer = server.client.post("/api/query", json={"sql": sql})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["rows"][0][0])


def test_what_was_acknowledged_is_visible_to_the_next_query(server: Server) -> None:
    for _ in range(5):
        process = game(10)
        assert server.post(process.batch()).json()["status"] == "stored"
        assert count(server, "thread_spans", process.process_id) == 20
        assert count(server, "log_entries", process.process_id) == 20
        assert count(server, "measures", process.process_id) == 20


def test_it_survives_a_kill_with_its_data_and_stops_in_order(tmp_path: Path) -> None:
    process = game(10)
    with Server(tmp_path / "data") as server:
        server.post(process.batch())
        server.kill()
        server.start()
        assert count(server, "thread_spans", process.process_id) == 20
        begin = time.monotonic()
        children = psutil.Process(server.pid).children(recursive=True)
        assert server.stop() == 0
        assert time.monotonic() - begin < 15
        assert computing(children) == []


def test_importing_the_parts_has_no_side_effects(tmp_path: Path) -> None:
    script = (
        "import importlib, pkgutil, threading, tachy_server as all\n"
        "for module in pkgutil.walk_packages(all.__path__, 'tachy_server.'): importlib.import_module(module.name)\n"
        "assert threading.active_count() == 1"
    )
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
    }
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, env=env, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
