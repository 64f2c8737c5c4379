"""The whole way over the wire, on a real server: batches in, answers out over ADBC, plain Flight and HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import adbc_driver_manager
import psutil
import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi
from pyarrow import flight

from tests.model.encoder import Process
from tests.perfetto.readback import thread_slices
from tests.serving import Server
from tests.waiting import until

FRAMES = 500
MICROSECOND = 1_000


def _play(exe: str) -> Process:
    process = Process(exe=exe, properties={"build": "7"})
    for name in ("main", "render"):
        thread = process.thread(name)
        for frame in range(FRAMES):
            at = (frame * 100 + 1) * MICROSECOND
            thread.begin("Frame", at, target="loop", file="loop.cpp", line=10)
            thread.begin("Work", at + 10 * MICROSECOND, target="loop")
            thread.end(at + 20 * MICROSECOND)
            thread.end(at + 90 * MICROSECOND)
            if frame % 10 == 0:
                thread.log(at + 95 * MICROSECOND, "frame %d", frame, level=4)
                thread.metric(at + 96 * MICROSECOND, "fps", 60.0)
    return process


@pytest.fixture(scope="module")
def game(server: Server) -> Process:
    process = _play("wire-game")
    answer = server.post(process.batch())
    assert answer.status_code == 200, answer.text
    return process


@pytest.fixture
def connection(server: Server) -> Iterator[dbapi.Connection]:
    with dbapi.connect(server.flight, autocommit=True) as connection:
        yield connection


def _fetch(connection: dbapi.Connection, sql: str, parameters: tuple[Any, ...] | None = None) -> pa.Table:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


def _query(server: Server, sql: str, **more: object) -> dict[str, Any]:
    answer = server.client.post("/api/query", json={"sql": sql, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_what_was_sent_is_there_at_once(connection: dbapi.Connection, game: Process) -> None:
    counts = {
        view: _fetch(connection, f"SELECT count(*) AS n FROM {view} WHERE process_id = ?", (str(game.process_id),))
        for view in ("thread_spans", "log_entries", "measures")
    }
    assert {view: table["n"][0].as_py() for view, table in counts.items()} == {
        "thread_spans": 2 * 2 * FRAMES,
        "log_entries": 2 * FRAMES // 10,
        "measures": 2 * FRAMES // 10,
    }


def test_parameters_are_typed_by_the_plan(connection: dbapi.Connection, game: Process) -> None:
    sql = "SELECT count(*) AS n FROM log_entries WHERE process_id = ? AND level <= ? AND msg = ?"
    with connection.cursor() as cursor:
        schema = cursor.adbc_prepare(sql)
    assert schema is not None
    assert schema.names == ["$1", "$2", "$3"]
    assert schema.field("$2").type == pa.int32()
    assert _fetch(connection, sql, (str(game.process_id), 4, "frame 10")).to_pydict() == {"n": [2]}


def test_every_table_that_is_listed_can_be_read_and_has_the_schema_it_says(connection: dbapi.Connection) -> None:
    [catalog] = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
    tables = {
        (schema["db_schema_name"], table["table_name"])
        for schema in catalog["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
    }
    assert {("public", name) for name in ("log_entries", "measures", "thread_spans", "processes")} <= tables
    shown = _fetch(connection, "SELECT table_schema, table_name FROM information_schema.tables").to_pylist()
    assert {(row["table_schema"], row["table_name"]) for row in shown} == tables
    for schema, name in tables:
        listed = connection.adbc_get_table_schema(name, db_schema_filter=schema)
        with connection.cursor() as cursor:
            assert cursor.adbc_execute_schema(f"SELECT * FROM {catalog['catalog_name']}.{schema}.{name}") == listed


def test_all_columns_of_all_tables_are_listed(connection: dbapi.Connection) -> None:
    [catalog] = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    listed = {
        (schema["db_schema_name"], table["table_name"], column["column_name"])
        for schema in catalog["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
        for column in table["table_columns"]
    }
    shown = _fetch(connection, "SELECT table_schema, table_name, column_name FROM information_schema.columns")
    assert {tuple(row.values()) for row in shown.to_pylist()} <= listed


def test_dictionaries_leave_decoded_or_kept(server: Server, connection: dbapi.Connection, game: Process) -> None:
    sql = f"SELECT name, target, properties FROM thread_spans WHERE process_id = '{game.process_id}'"
    plain = _fetch(connection, sql)
    assert not any(pa.types.is_dictionary(column.type) for column in plain.schema)
    with flight.connect(server.flight) as client:
        options = flight.FlightCallOptions(headers=[(b"preserve_dictionary", b"true")])
        kept = client.do_get(flight.Ticket(sql.encode()), options).read_all()
    assert all(pa.types.is_dictionary(column.type) for column in kept.schema)
    assert sorted(kept["name"].to_pylist()) == sorted(plain["name"].to_pylist())


def test_headers_and_parameters_bound_the_range_alike(server: Server, game: Process) -> None:
    sql = f"SELECT count(*) AS n FROM log_entries WHERE process_id = '{game.process_id}'"
    begin, end = game.start_time, game.start_time + 10_000 * MICROSECOND
    headers = [(b"query_range_begin", str(begin).encode()), (b"query_range_end", str(end).encode())]
    with flight.connect(server.flight) as client:
        over_flight = client.do_get(flight.Ticket(sql.encode()), flight.FlightCallOptions(headers=headers)).read_all()
    assert over_flight["n"].to_pylist() == [20]
    assert _query(server, sql, begin=begin, end=end)["rows"] == [[20]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nothing FROM log_entries",
        "SELECT * FROM no_such_view",
        "SELEKT 1",
        "DROP TABLE processes",
        "INSERT INTO processes VALUES (1)",
        "SET datafusion.execution.batch_size = 1",
        "COPY processes TO '/tmp/x.parquet'",
        "SELECT * FROM '/etc/passwd'",
        "SELECT 1; SELECT 2",
        "SELECT CAST('a' AS INT) FROM processes",
        "",
    ],
)
def test_what_cannot_be_answered_is_one_sentence_on_every_way(server: Server, game: Process, sql: str) -> None:
    answer = server.client.post("/api/query", json={"sql": sql})
    assert answer.status_code == 400
    sentences = [answer.json()["error"]]
    with dbapi.connect(server.flight, autocommit=True) as connection, pytest.raises(adbc_driver_manager.Error) as adbc:
        _fetch(connection, sql)
    sentences.append(str(adbc.value))
    with flight.connect(server.flight) as client, pytest.raises(pa.ArrowInvalid) as plain:
        client.do_get(flight.Ticket(sql.encode())).read_all()
    sentences.append(str(plain.value).split(" gRPC client")[0])
    for sentence in sentences:
        assert sentence
        assert "\n" not in sentence
        assert not any(word in sentence for word in ("Traceback", ".py", "site-packages", "/work"))


def test_http_and_flight_give_the_same_rows(server: Server, connection: dbapi.Connection, game: Process) -> None:
    sql = f"SELECT * FROM thread_spans WHERE process_id = '{game.process_id}' ORDER BY stream_id, id LIMIT 100"
    over_flight = _fetch(connection, sql)
    answer = server.client.post("/api/query", json={"sql": sql, "format": "arrow"})
    assert pa.ipc.open_stream(answer.content).read_all() == over_flight
    as_json = _query(server, sql)
    assert [column["name"] for column in as_json["schema"]] == over_flight.schema.names
    durations = over_flight.schema.get_field_index("duration")
    assert [row[durations] for row in as_json["rows"]] == over_flight["duration"].to_pylist()


def test_processes_are_found_over_http(server: Server, game: Process) -> None:
    found = server.client.get("/api/processes", params={"exe": "wire-game"}).json()["processes"]
    assert str(game.process_id) in [row["process_id"] for row in found]
    one = server.client.get(f"/api/processes/{game.process_id}").json()
    assert one["properties"]["build"] == "7"
    assert len(one["streams"]) == 6
    before = server.client.get("/api/processes", params={"exe": "wire-game", "end": str(game.start_time - 1)}).json()
    assert str(game.process_id) not in [row["process_id"] for row in before["processes"]]


def test_a_trace_is_downloaded_whole(server: Server, game: Process, tmp_path: Path) -> None:
    answer = server.client.get(f"/api/processes/{game.process_id}/trace", params={"types": "span"})
    assert answer.status_code == 200
    path = tmp_path / "trace.perfetto-trace"
    path.write_bytes(answer.content)
    assert thread_slices(path) == 2 * 2 * FRAMES


def test_a_trace_of_two_processes_has_the_spans_of_both(server: Server, game: Process, tmp_path: Path) -> None:
    other = _play("wire-server")
    assert server.post(other.batch()).status_code == 200
    answer = server.client.get(f"/api/processes/{game.process_id},{other.process_id}/trace")
    path = tmp_path / "trace.perfetto-trace"
    path.write_bytes(answer.content)
    assert thread_slices(path) == 2 * 2 * 2 * FRAMES


def test_unknown_processes_are_not_found(server: Server) -> None:
    nobody = "00000000-0000-4000-8000-000000000001"
    for path in (f"/api/processes/{nobody}", f"/api/processes/{nobody}/trace"):
        answer = server.client.get(path)
        assert (answer.status_code, list(answer.json())) == (404, ["error"])


def test_settings_and_counters_are_shown(server: Server, game: Process) -> None:
    settings = {row["name"]: row["value"] for row in server.client.get("/api/settings").json()["settings"]}
    assert settings["data"] == str(server.data)
    stats = server.client.get("/api/stats").json()
    assert stats["uptime_seconds"] > 0


def test_eight_readers_at_once_get_all_their_rows(server: Server, game: Process) -> None:
    sql = f"SELECT id, name FROM thread_spans WHERE process_id = '{game.process_id}'"

    def read(_at: int) -> int:
        with flight.connect(server.flight) as client:
            return sum(client.do_get(flight.Ticket(sql.encode())).read_all().num_rows for _ in range(5))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [5 * 2 * 2 * FRAMES] * 8


def _processes(server: Server) -> list[psutil.Process]:
    """The server's own, and those that run queries."""
    front = psutil.Process(server.pid)
    found = [front]
    for child in front.children(recursive=True):
        with suppress(psutil.Error):
            found += [child] if "tachy_server" in " ".join(child.cmdline()) else []
    return found


def _busy(server: Server, seconds: float) -> float:
    """Processor seconds that the server uses in a while."""
    times = {}
    for process in _processes(server):
        with suppress(psutil.Error):
            times[process] = process.cpu_times()
    time.sleep(seconds)
    used = 0.0
    for process, before in times.items():
        with suppress(psutil.Error):
            after = process.cpu_times()
            used += (after.user + after.system) - (before.user + before.system)
    return used


def _memory(server: Server) -> int:
    """Bytes that its processes have for themselves."""
    return sum(process.memory_full_info().uss for process in _processes(server))


def _endless(game: Process) -> str:
    spans = f"(SELECT id FROM thread_spans WHERE process_id = '{game.process_id}')"
    return f"SELECT a.id + b.id + c.id AS n FROM {spans} a CROSS JOIN {spans} b CROSS JOIN {spans} c"


@pytest.mark.parametrize("rows", ["many", "one, at the end"])
@pytest.mark.parametrize("way", ["flight", "http"])
def test_a_query_stops_when_its_client_is_killed(server: Server, game: Process, way: str, rows: str) -> None:
    sql = _endless(game) if rows == "many" else "SELECT sum(value) AS n FROM generate_series(1, 1000000000000) s(value)"
    if way == "flight":
        answer = f"flight.connect({server.flight!r}).do_get(flight.Ticket({sql.encode()!r}))"
        code = f"from pyarrow import flight\nfor _ in {answer}: pass"
    else:
        answer = f"httpx.stream('POST', {server.http + '/api/query'!r}, json={{'sql': {sql!r}}})"
        answer = answer.removesuffix(")") + ", timeout=60)"
        code = f"import httpx\nwith {answer} as answer:\n    for _ in answer.iter_raw(): pass"
    child = subprocess.Popen([sys.executable, "-c", code])
    try:
        until(lambda: _busy(server, 0.2) >= 0.05 or child.poll() is not None, lambda: "the query never ran")
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()
    until(lambda: _busy(server, 0.3) <= 0.1, lambda: "the query goes on without its client", 10)


def test_a_reader_that_stalls_is_held_back_with_bounded_memory(server: Server, game: Process) -> None:
    with flight.connect(server.flight) as client:
        reader = client.do_get(flight.Ticket(_endless(game).encode()))
        reader.read_chunk()
        time.sleep(1)
        before = _memory(server)
        time.sleep(2)
        assert _memory(server) - before < 64 << 20
        assert reader.read_chunk().data.num_rows > 0
        reader.cancel()


def test_queries_leave_nothing_behind(server: Server, game: Process) -> None:
    with flight.connect(server.flight) as client:

        def ask(times: int) -> int:
            for _ in range(times):
                client.do_get(flight.Ticket(b"select 1")).read_all()
            return _memory(server)

        before = ask(300)
        assert ask(1_000) - before < 40 << 20


@pytest.mark.parametrize("value", ["1 / (level - level)", "CAST(msg AS INT)"])
def test_an_error_before_the_first_rows_is_the_calls(server: Server, game: Process, value: str) -> None:
    """Grafana and others look for errors there, and take a stream that breaks off after its schema for no data."""
    sql = f"SELECT {value} FROM log_entries WHERE process_id = '{game.process_id}'"
    with flight.connect(server.flight) as client:
        info = client.get_flight_info(flight.FlightDescriptor.for_command(sql.encode()))
        with pytest.raises(pa.ArrowInvalid, match=r"Divide by zero|Cannot cast"):
            client.do_get(info.endpoints[0].ticket)  # nothing is read of it
    for form in ("json", "arrow"):
        answer = server.client.post("/api/query", json={"sql": sql, "format": form})
        assert (answer.status_code, list(answer.json())) == (400, ["error"])


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "flightsql.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
def test_the_examples_of_the_documentation_run(server: Server, game: Process, code: str) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code.replace("grpc://127.0.0.1:50051", server.flight)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 0, result.stderr


def test_the_docs_question_about_dropped_events_is_answered(server: Server) -> None:
    process = Process(exe="lossy", start_time=time.time_ns())
    thread = process.thread("tachy")
    for at, (name, lost) in enumerate([("span", 100), ("log", 1), ("span", 11)]):
        thread.metric(at, "tachy.dropped_events", lost, unit="events", properties={"class": name})
    assert server.post(process.batch()).status_code == 200
    page = (Path(__file__).resolve().parents[2] / "docs" / "sql.md").read_text()
    sql = re.search(r"^```sql\n(SELECT p\.exe.*?)^```", page, re.M | re.S)[1]  # type: ignore[index]
    mine = [row for row in _query(server, sql)["rows"] if row[1] == str(process.process_id)]
    assert mine == [["lossy", str(process.process_id), "span", 111.0], ["lossy", str(process.process_id), "log", 1.0]]
