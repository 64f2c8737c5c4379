"""The IPython extension, in an IPython of its own against a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.model.encoder import Process
from tests.serving import Server

# Runs a cell per line of stdin (JSON), and says of each whether it went well and what it showed.
SHELL = """
    import contextlib, io, json, sys
    from traitlets.config import Config
    from IPython.core.interactiveshell import InteractiveShell
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    for line in sys.stdin:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            done = shell.run_cell(json.loads(line))
        told = repr(done.result) if done.result is not None else ""
        failed = "" if done.success else repr(done.error_in_exec or done.error_before_exec)
        print(json.dumps({"result": told, "failed": failed, "out": out.getvalue()}), flush=True)
"""


class Notebook:
    def __init__(self, server: Server, env: dict[str, str] | None = None) -> None:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("VSCODE_")}
        env = {**plain, "TACHY_FLIGHT_URL": server.flight, "TACHY_URL": server.http, "NO_COLOR": "1", **(env or {})}
        command = [sys.executable, "-c", textwrap.dedent(SHELL)]
        self.said, said = os.pipe()  # its stderr
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, env=env
        )
        os.close(said)

    def stop(self) -> None:
        self.process.communicate(timeout=30)

    def start(self, cell: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(cell) + "\n")
        self.process.stdin.flush()

    def finish(self) -> dict[str, str]:
        assert self.process.stdout
        told: dict[str, str] = json.loads(self.process.stdout.readline())
        return told

    def run(self, cell: str) -> dict[str, str]:
        self.start(cell)
        return self.finish()


@pytest.fixture(scope="module")
def notebook(server: Server) -> Iterator[Notebook]:
    made = Notebook(server)
    assert made.run("%load_ext tachy.notebook")["failed"] == ""
    yield made
    made.stop()


@pytest.fixture(scope="module")
def game(server: Server) -> str:
    process = Process(exe="noted", start_time=time.time_ns() - 5_000_000_000)
    main = process.thread("main")
    for frame in range(5):
        main.span("tick", frame * 1_000_000, frame * 1_000_000 + 500_000)
        main.frame(frame * 1_000_000 + 600_000, "frame", 1_000_000)
    server.post(process.batch(process.blocks()))
    return str(process.process_id)


def sql(game: str, what: str = "name, count(*) AS calls") -> str:
    return f"SELECT {what} FROM thread_spans WHERE process_id = '{game}' GROUP BY name"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ("", "pandas.DataFrame"),
        ("--as polars", "polars.dataframe.frame.DataFrame"),
        ("--as arrow", "pyarrow.lib.Table"),
    ],
)
def test_a_cell_of_sql_gives_what_was_asked_for(notebook: Notebook, game: str, options: str, kind: str) -> None:
    assert notebook.run(f"%%sql found --begin -10m {options}\n{sql(game)}") == dict.fromkeys(
        ("result", "failed", "out"), ""
    )
    assert kind in notebook.run("type(found)")["result"]
    assert "tick" in notebook.run("found")["result"]


def test_without_a_name_it_is_the_cell_s_result_and_a_line_will_do(notebook: Notebook, game: str) -> None:
    assert "tick" in notebook.run(f"%%sql\n{sql(game)}")["result"]
    assert "tick" in notebook.run(f"%sql {sql(game)}")["result"]


def test_ranges_and_limits_bound_it(notebook: Notebook, game: str) -> None:
    spans = f"SELECT id FROM thread_spans WHERE process_id = '{game}'"
    assert notebook.run(f"%%sql --limit 2 --as arrow\n{spans}")["failed"] == ""
    assert notebook.run(f"%%sql few --limit 2\n{spans}")["failed"] == ""
    assert notebook.run("len(few)")["result"] == "2"
    assert notebook.run(f"%%sql none --end 2020-01-01\n{spans}")["failed"] == ""
    assert notebook.run("len(none)")["result"] == "0"


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("%%sql\nSELECT nothing", "No field named nothing"),
        ("%%sql --as csv\nSELECT 1", "invalid choice"),
        ("%%sql a-b\nSELECT 1", "is no name of a variable"),
        ("%%sql --begin yesterday\nSELECT 1", "yesterday"),
        ("%%sql\n ", "the cell is empty"),
    ],
)
def test_a_mistake_is_one_sentence(notebook: Notebook, cell: str, sentence: str) -> None:
    told = notebook.run(cell)
    assert "UsageError" in told["failed"]
    assert sentence in told["failed"]
    assert "Traceback" not in told["out"]


@pytest.mark.long
def test_ctrl_c_cancels_a_long_query_which_has_said_how_far_it_was(notebook: Notebook) -> None:
    numbers = "(SELECT value FROM generate_series(1, 400000))"
    notebook.start(f"%%sql\nSELECT count(*) FROM {numbers} a, {numbers} b WHERE a.value * b.value % 7 = 3")
    shown = b""
    while b"query: 2 s" not in shown:
        shown += os.read(notebook.said, 4096)
    notebook.process.send_signal(signal.SIGINT)
    began = time.monotonic()
    told = notebook.finish()
    assert time.monotonic() - began < 10
    assert "KeyboardInterrupt" in told["failed"]
    assert notebook.run("%sql SELECT 1 AS one")["failed"] == ""


def test_a_trace_is_a_link_into_the_server_s_own_perfetto(notebook: Notebook, game: str, server: Server) -> None:
    begin, end = "2026-11-23T19:00:00Z", "2026-11-23T19:00:01Z"
    told: Any = notebook.run(f"print(trace('{game}', '{begin}', '{end}'))")["out"]
    assert told.startswith(f"{server.http}/perfetto/#!/viewer?url=")
    assert game in told
    assert "visStart=1795460400000000000" in told
    told = notebook.run(f"trace('{game}')._repr_html_()")["result"]
    assert told.count("<a ") == 1
    assert "Open" in told
    assert "NotFound" in notebook.run("trace('ffffffff-none')")["failed"]


def test_perfetto_is_shown_inside_where_the_server_and_the_notebook_s_host_allow_it(tmp_path: Path) -> None:
    origin = "http://localhost:8888"
    with Server(tmp_path / "data", "--notebooks", origin) as server:
        process = Process()
        process.thread("main").span("tick", 1_000, 2_000)
        assert server.post(process.batch(process.blocks())).status_code == 200
        policy = server.client.get("/perfetto/").headers["content-security-policy"]
        assert f"frame-ancestors 'self' {origin}" in policy
        assert "frame-ancestors 'none'" in server.client.get("/").headers["content-security-policy"]
        shown = "(trace()._repr_html_())"
        for host, frames in (({}, 1), ({"VSCODE_PID": "1"}, 0), ({"TACHY_KEY": "tk_a"}, 0)):
            made = Notebook(server, host)
            made.run("%load_ext tachy.notebook")
            assert made.run(shown)["result"].count("<iframe ") == frames
            made.stop()


def test_charts_are_at_hand(notebook: Notebook, game: str) -> None:
    assert notebook.run(f"%%sql frames --as arrow\n{_frames(game)}")["failed"] == ""
    assert notebook.run("len(charts.frames(frames).data[0].y)")["result"] == "5"


def _frames(game: str) -> str:
    from tachy.charts import queries

    return queries.frames(game)


@pytest.mark.long
def test_another_server_is_named(notebook: Notebook, server: Server) -> None:
    assert notebook.run("%tachy grpc://127.0.0.1:9")["failed"] == ""
    assert "no tachy server answers" in str(notebook.run("%sql SELECT 1"))
    assert notebook.run(f"%tachy {server.flight} --url {server.http}")["failed"] == ""
    assert notebook.run(f"%sql SELECT '{uuid4()}' AS id")["failed"] == ""
