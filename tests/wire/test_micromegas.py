"""The Micromegas client (Python package and commands, version 0.32) works here unchanged."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.model.encoder import Process
from tests.serving import Server
from tests.wire.micromegas_venv import micromegas_venv

SESSION = Path(__file__).with_name("micromegas_session.py")
MILLISECOND = 1_000_000


class Recorded(NamedTuple):
    """What the server was given: a process, and a range around its events."""

    process_id: str
    begin: str
    end: str


@pytest.fixture(scope="module")
def recorded(server: Server) -> Recorded:
    process = Process(exe="arena", properties={"build": "1234"})
    main = process.thread("main")
    main.begin("Frame", 1 * MILLISECOND, target="loop", file="loop.cpp", line=10)
    main.begin("Physics", 2 * MILLISECOND, target="loop")
    main.end(3 * MILLISECOND)
    main.end(4 * MILLISECOND)
    main.log(5 * MILLISECOND, "hit %s with %d points", "orc", 12, level=4)
    main.message(6 * MILLISECOND, "it went wrong", level=2)
    main.metric(7 * MILLISECOND, "ammo", 12, unit="rounds")
    answer = server.post(process.batch())
    assert answer.status_code == 200, answer.text
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=process.start_time // 1_000)
    return Recorded(str(process.process_id), start.isoformat(), (start + timedelta(seconds=1)).isoformat())


@pytest.fixture(scope="module")
def bin_folder() -> Path:
    return micromegas_venv()


def _run(command: list[str | Path], **environment: str) -> str:
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(command, capture_output=True, text=True, env=plain | environment, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def seen(
    server: Server, recorded: Recorded, bin_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the client saw, in one session."""
    folder = tmp_path_factory.mktemp("micromegas")
    output = _run([bin_folder / "python", SESSION, server.flight, *recorded, folder])
    return dict(json.loads(output.splitlines()[-1]))


def test_queries_give_data_frames_within_a_range(seen: dict[str, Any]) -> None:
    assert seen["logs"] == ["hit orc with 12 points", "it went wrong"]
    assert seen["log_types"]["time"] == "datetime64[ns, UTC]"
    assert seen["log_types"]["level"] == "int32"
    assert seen["logs_after_the_end"] == 0
    assert seen["range_as_text"] == 2


def test_queries_stream(seen: dict[str, Any]) -> None:
    assert seen["measures"] == [{"name": "ammo", "value": 12.0}]


def test_prepared_statements_tell_their_query_and_schema(seen: dict[str, Any]) -> None:
    assert seen["prepared_query"] == "SELECT time, level, msg FROM log_entries WHERE level <= 3"
    assert seen["prepared_schema"] == {"time": "timestamp[ns, tz=UTC]", "level": "int32", "msg": "string"}
    assert seen["prepared_rows"] >= 1


def test_processes_are_found(seen: dict[str, Any]) -> None:
    assert seen["process"]["rows"] == 1
    assert seen["process"]["exe"] == "arena"
    assert {"process_id", "username", "computer", "start_time", "properties"} <= set(seen["process"]["columns"])
    assert seen["no_process"] is True
    assert seen["property"] == "1234"


def test_streams_blocks_and_spans_are_found(seen: dict[str, Any]) -> None:
    assert seen["stream_tags"] == ["cpu", "log", "metrics"]
    assert seen["cpu_streams"] == 1
    assert seen["blocks"]["rows"] == 1
    assert {"block_id", "begin_time", "payload_size", "processes.exe", "streams.tags"} <= set(seen["blocks"]["columns"])
    assert seen["spans"] == ["Frame", "Physics"]
    assert {"id", "parent", "depth", "begin", "end", "duration", "name"} <= set(seen["span_columns"])


def test_traces_are_written(seen: dict[str, Any]) -> None:
    assert seen["trace_bytes"] > 100


def test_dictionaries_are_kept_where_the_client_asks(seen: dict[str, Any]) -> None:
    assert seen["kept_dictionary"].startswith("dictionary<values=string")
    assert seen["kept_frame"] == 2


def test_partitions_are_made_made_again_and_retired(seen: dict[str, Any]) -> None:
    made, again, both = seen["partitions"]
    assert (made > 0, again > 0, both, seen["retired"]) == (True, True, 0, 0)
    assert seen["incompatible"] == 0


def test_errors_are_sentences(seen: dict[str, Any]) -> None:
    errors = seen["errors"]
    assert "nothing" in errors["sql"]
    assert "nowhere" in errors["stream"]
    assert errors["prepare"] is not None
    assert "POST /ingest/v1/batch" in errors["ingest"]
    assert not any("Traceback" in text or ".py" in text for text in errors.values())


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_its_command_prints_rows(
    server: Server, recorded: Recorded, bin_folder: Path, tmp_path: Path, form: str
) -> None:
    sql = f"SELECT msg, level FROM log_entries WHERE process_id = '{recorded.process_id}' ORDER BY time"
    bounds = ["--begin", recorded.begin, "--end", recorded.end]
    command: list[str | Path] = [bin_folder / "micromegas-query", sql, *bounds, "--format", form]
    output = _run(command, MICROMEGAS_ANALYTICS_URI=server.flight, HOME=str(tmp_path))
    assert "hit orc with 12 points" in output
    if form == "json":
        assert json.loads(output)[1] == {"msg": "it went wrong", "level": 2}


def test_its_command_without_a_range_sees_everything(server: Server, bin_folder: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [bin_folder / "micromegas-query", "SELECT 1 AS a", "--all", "--format", "csv"]
    assert _run(command, MICROMEGAS_ANALYTICS_URI=server.flight, HOME=str(tmp_path)).split() == ["a", "1"]


def test_its_command_keeps_views_as_files_say(server: Server, bin_folder: Path, tmp_path: Path) -> None:
    def views(*arguments: str) -> str:
        command: list[str | Path] = [bin_folder / "micromegas-views", *arguments]
        return _run(command, MICROMEGAS_ANALYTICS_URI=server.flight, HOME=str(tmp_path))

    file = tmp_path / "arena_logs.sql"
    file.write_text(
        "-- of arenas\nCREATE OR REPLACE MATERIALIZED VIEW arena_logs AS\n"
        "SELECT time, count(*) AS logs FROM log_entries WHERE exe = 'arena' GROUP BY time;\n"
    )
    here = ("--dir", str(tmp_path))
    assert "Plan: 1 to create, 0 to update, 0 to drop" in views("plan", *here)
    assert "arena_logs: created" in views("apply", "--auto-approve", *here)
    assert "No changes. 1 unchanged." in views("plan", *here)
    assert "FROM log_entries WHERE exe = 'arena'" in views("show", "arena_logs")
    file.write_text(file.read_text().replace("'arena'", "'arenas'"))
    assert "0 to create, 1 to update, 0 to drop" in views("plan", *here)
    assert "1 updated" in views("apply", "--auto-approve", *here)
    listed = {row["name"]: row["status"] for row in json.loads(views("list", "--format", "json", *here))}
    assert listed["arena_logs"] == "unchanged"
    file.unlink()
    (tmp_path / "other.sql").write_text("CREATE MATERIALIZED VIEW other AS SELECT time FROM log_entries")
    assert "1 to drop" in views("plan", "arena_logs", "--prune", *here)
    assert "arena_logs: dropped" in views("apply", "arena_logs", "--prune", "--auto-approve", *here)
