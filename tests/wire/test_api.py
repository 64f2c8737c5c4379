"""What HTTP clients get: SQL as JSON and Arrow, processes, traces, errors with their status, an end when they leave."""

from __future__ import annotations

import csv
import io
import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tachy_server.base.errors import NotFound, StoreError
from tachy_server.http.stream import STREAM_THREADS

from tests.waiting import until
from tests.wire.fake_engine import OTHER, PROCESS, FakeEngine


def _query(http: httpx.Client, sql: str, **more: object) -> dict[str, Any]:
    answer = http.post("/api/query", json={"sql": sql, **more})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def test_rows_are_arrays_under_a_schema(http: httpx.Client) -> None:
    assert _query(http, "select n, cast(n as varchar) as text from numbers where n < 2 order by n") == {
        "schema": [
            {"name": "n", "type": "int64", "nullable": True},
            {"name": "text", "type": "string", "nullable": True},
        ],
        "rows": [[0, "0"], [1, "1"]],
        "row_count": 2,
    }


def test_no_rows_and_no_columns_are_answers_too(http: httpx.Client) -> None:
    assert _query(http, "select n from numbers where n < 0")["rows"] == []
    many = _query(http, "select n from numbers where n < 5000")
    assert (many["row_count"], len(many["rows"])) == (5_000, 5_000)


def test_every_type_has_its_json(http: httpx.Client) -> None:
    answer = _query(http, "select * from oddities")
    names = [column["name"] for column in answer["schema"]]
    columns = dict(zip(names, zip(*answer["rows"], strict=True), strict=True))
    assert columns["f"] == (1.5, "NaN", "Infinity", "-Infinity", None)
    assert columns["big"] == (2**63 - 1, -(2**63), 0, 1, None)
    assert columns["raw"] == ("AP8=", "", "YWJj", "eA==", None)
    assert columns["at"][:3] == (
        "2027-01-15T08:00:00.000000001Z",
        "1970-01-01T00:00:00.000000000Z",
        "1969-12-31T23:59:59.999999999Z",
    )
    assert columns["local"][:2] == ("2027-01-15T08:00:00.000000", "1970-01-01T00:00:00.000000")
    assert columns["day"][0] == "2026-11-23"
    assert columns["took"] == (1_000_000, 2_000_000, 3_000_000, 4_000_000, None)
    assert columns["cash"][0] == "1.50"
    assert columns["tags"] == (["a", None], [], ["b"], ["c"], None)
    assert columns["pair"][0] == {"x": 1, "y": "NaN"}
    assert columns["pair"][4] is None
    assert columns["yes"] == (True, False, True, False, None)


def test_a_range_and_a_limit_bound_the_rows(http: httpx.Client) -> None:
    begin, end = "2027-01-15T08:00:10Z", 1_800_000_019_000_000_000
    assert _query(http, "select * from log_entries", begin=begin, end=end)["row_count"] == 10
    assert _query(http, "select * from log_entries", begin=begin, end=end, limit=3)["row_count"] == 3


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"format": "arrow"}, {}),
        ({}, {"accept": "application/vnd.apache.arrow.stream"}),
        ({"format": "arrow", "preserve_dictionary": True}, {}),
    ],
)
def test_rows_come_as_an_arrow_stream(http: httpx.Client, body: dict[str, object], headers: dict[str, str]) -> None:
    sql = "select target, msg from log_entries order by time"
    answer = http.post("/api/query", json={"sql": sql, **body}, headers=headers)
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.num_rows == 1_000
    assert pa.types.is_dictionary(table.schema.field("target").type) == ("preserve_dictionary" in body)


def test_a_large_arrow_stream_arrives_whole(http: httpx.Client) -> None:
    answer = http.post("/api/query", json={"sql": "select n from numbers", "format": "arrow"})
    assert pa.ipc.open_stream(answer.content).read_all().num_rows == 10**6


def test_rows_come_as_csv_with_nothing_for_null_and_json_for_lists(http: httpx.Client) -> None:
    sql = "select 1 as n, 'a \"b\", c' as text, null as gone, make_array(1, 2) as list, true as yes, 2.5 as x"
    answer = http.post("/api/query", json={"sql": sql, "format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert rows == [["n", "text", "gone", "list", "yes", "x"], ["1", 'a "b", c', "", "[1,2]", "true", "2.5"]]


def test_rows_come_as_a_parquet_file(http: httpx.Client) -> None:
    answer = http.post("/api/query", json={"sql": "select n from numbers", "format": "parquet"})
    table = pq.read_table(io.BytesIO(answer.content))
    assert sorted(table.column("n").to_pylist()) == list(range(10**6))


def test_a_chart_of_any_sql_is_a_figure(http: httpx.Client) -> None:
    sql = "select '<b>' as what, 3 as many"
    figure = http.post("/api/chart", json={"chart": "result", "sql": sql}).json()
    assert set(figure) == {"data", "layout"}
    assert figure["data"][0]["x"] == ["&lt;b&gt;"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"chart": "pie", "process_id": str(UUID(int=1))}, '"chart" is one of'),
        ({"chart": "result"}, 'needs "sql"'),
        ({"chart": "frames", "process_id": "' or 1=1"}, "must be the UUID of a process"),
        ({"chart": "frames", "process_id": str(UUID(int=1)), "points": 4001}, "from 1 to 4000"),
        ({"chart": "metrics", "process_id": str(UUID(int=1)), "names": []}, "an array of their names"),
        ({"chart": "result", "sql": "select 1", "colour": "red"}, "There is no parameter 'colour'"),
        ({"chart": "result", "sql": "drop table numbers"}, "not supported"),
    ],
)
def test_a_wrong_chart_is_a_400_with_one_sentence(http: httpx.Client, body: dict[str, object], sentence: str) -> None:
    answer = http.post("/api/chart", json=body)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"select 1", "The body must be a JSON object in UTF-8."),
        (b"[]", "The body must be a JSON object."),
        (b"{}", 'The body needs "sql", the text of one SELECT statement.'),
        (b'{"sql": "select 1", "rows": 5}', "There is no parameter 'rows'"),
        (b'{"sql": "select 1", "begin": "yesterday"}', "'yesterday' is not a time"),
        (b'{"sql": "select 1", "begin": true}', "begin must be RFC 3339 text or UTC nanoseconds."),
        (b'{"sql": "select 1", "limit": -1}', "limit must be a whole number, 0 or more."),
        (b'{"sql": "select 1", "format": "xml"}', 'format must be "json", "arrow", "csv" or "parquet".'),
        (b'{"sql": "select 1", "preserve_dictionary": 1}', "preserve_dictionary must be true or false."),
        (b'{"sql": "select nothing"}', "No field named nothing"),
        (b'{"sql": "drop table numbers"}', "not supported"),
    ],
)
def test_a_wrong_query_is_a_400_with_one_sentence(http: httpx.Client, body: bytes, sentence: str) -> None:
    answer = http.post("/api/query", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert sentence in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_query_that_is_too_long_is_a_413(http: httpx.Client) -> None:
    answer = http.post("/api/query", json={"sql": "select '" + "x" * 2_000_000 + "'"})
    assert (answer.status_code, list(answer.json())) == (413, ["error"])


def test_a_bug_is_a_500_that_shows_nothing(http: httpx.Client) -> None:
    answer = http.post("/api/query", json={"sql": "select * from buggy"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "The server failed to answer; its log says why."}


def test_a_query_that_fails_on_its_way_says_so_at_the_end(http: httpx.Client) -> None:
    answer = _query(http, "select * from broken")
    assert answer["rows"] == [[1, "first"]]
    assert answer["error"] == "A block could not be read."


def test_an_arrow_stream_that_fails_on_its_way_is_cut(http: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        http.post("/api/query", json={"sql": "select * from broken", "format": "arrow"})


@pytest.mark.parametrize("form", ["json", "arrow"])
@pytest.mark.parametrize("table", ["endless", "stuck"])
def test_a_query_stops_when_its_client_leaves(http_server: str, engine: FakeEngine, table: str, form: str) -> None:
    body = {"sql": f"select * from {table}", "format": form}
    with httpx.Client(base_url=http_server, timeout=0.5) as client:
        if table == "endless":
            with client.stream("POST", "/api/query", json=body) as answer:
                next(answer.iter_raw())
        else:
            with pytest.raises(httpx.ReadTimeout):
                client.post("/api/query", json=body)
    assert engine.queries[0].finished.wait(5)


def test_a_reader_that_stalls_is_held_back(http: httpx.Client, engine: FakeEngine) -> None:
    with http.stream("POST", "/api/query", json={"sql": "select * from endless"}) as answer:
        next(answer.iter_raw())
        given = -1
        while engine.queries[0].batches_given != given:
            given = engine.queries[0].batches_given
            assert given < 2_000
            time.sleep(0.5)


def test_processes_are_listed_the_newest_first(http: httpx.Client) -> None:
    answer = http.get("/api/processes").json()
    assert [row["process_id"] for row in answer["processes"]] == [OTHER, PROCESS]
    assert answer["processes"][1]["properties"] == {"build": "dev"}
    assert answer["processes"][1]["start_time"] == "2027-01-15T08:00:00.000000000Z"


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"exe": "game.exe"}, [PROCESS]),
        ({"exe": "game.exe", "computer": "rack"}, []),
        ({"username": "bob"}, [OTHER]),
        ({"exe": "x' or '1'='1"}, []),
        ({"limit": "1"}, [OTHER]),
        ({"end": "2027-01-15T08:00:01Z"}, [PROCESS]),
        ({"begin": "2027-01-15T08:14:00Z"}, [PROCESS]),
        ({"begin": "1800000950000000000"}, []),
    ],
)
def test_processes_are_filtered(http: httpx.Client, parameters: dict[str, str], found: list[str]) -> None:
    answer = http.get("/api/processes", params=parameters)
    assert [row["process_id"] for row in answer.json()["processes"]] == found


def test_one_process_comes_with_its_streams(http: httpx.Client) -> None:
    answer = http.get(f"/api/processes/{PROCESS}").json()
    assert answer["exe"] == "game.exe"
    assert [stream["tags"] for stream in answer["streams"]] == [["log"]]
    assert http.get(f"/api/processes/{OTHER}").json()["streams"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/processes/{UUID(int=1)}", 404),
        ("/api/processes/me", 400),
        (f"/api/processes/{PROCESS}?depth=1", 400),
        ("/api/processes?exes=a", 400),
        ("/api/processes?limit=few", 400),
        ("/api/processes?begin=then", 400),
        ("/api/settings?all=1", 400),
        ("/api/stats?all=1", 400),
        (f"/api/processes/{PROCESS}/trace?types=spans", 400),
        (f"/api/processes/{PROCESS}/trace?compressed=1", 400),
        (f"/api/processes/{PROCESS},me/trace", 400),
        (f"/api/processes/{UUID(int=1)}/trace", 404),
    ],
)
def test_what_is_unknown_or_wrong_has_its_status(
    http: httpx.Client, traces: list[dict[str, Any]], path: str, status: int
) -> None:
    answer = http.get(path)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A stand-in for `tachy_server.traces.export`; holds what it was asked."""
    asked: list[dict[str, Any]] = []

    def write_trace(lake: object, ids: Sequence[UUID], **more: Any) -> Iterator[bytes]:
        asked.append({"ids": [str(process_id) for process_id in ids], **more, "ended": threading.Event()})
        if UUID(int=1) in ids:
            raise NotFound("There is no such process.")
        if UUID(int=2) in ids:
            raise StoreError("The store is away.")
        try:
            yield b"first"
            while UUID(int=3) in ids:
                yield b"x" * 65_536
            yield b"last"
        finally:
            asked[-1]["ended"].set()

    monkeypatch.setitem(sys.modules, "tachy_server.traces.export", SimpleNamespace(write_trace=write_trace))
    return asked


def test_a_trace_is_a_download(http: httpx.Client, traces: list[dict[str, Any]]) -> None:
    answer = http.get(f"/api/processes/{PROCESS}/trace")
    assert answer.content == b"firstlast"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == f'attachment; filename="{PROCESS}.perfetto-trace"'
    assert traces[0]["classes"] == ("span", "metric", "log")
    assert (traces[0]["begin"], traces[0]["end"]) == (None, None)


def test_a_head_request_makes_no_trace(http: httpx.Client, traces: list[dict[str, Any]]) -> None:
    answer = http.head(f"/api/processes/{UUID(int=3)}/trace")
    assert (answer.status_code, answer.content) == (200, b"")
    assert traces[0]["ended"].wait(5)


def test_a_trace_of_several_processes_in_a_range(http: httpx.Client, traces: list[dict[str, Any]]) -> None:
    parameters = {"begin": "1970-01-01T00:00:01Z", "end": "5", "types": "log,span"}
    answer = http.get(f"/api/processes/{PROCESS},{OTHER}/trace", params=parameters)
    assert answer.status_code == 200
    del traces[0]["ended"]
    asked = {"begin": 10**9, "end": 5, "classes": ("span", "log"), "compressed": False}
    assert traces == [{"ids": [PROCESS, OTHER]} | asked]


def test_a_trace_while_the_store_is_away_is_a_503(http: httpx.Client, traces: list[dict[str, Any]]) -> None:
    answer = http.get(f"/api/processes/{UUID(int=2)}/trace")
    assert (answer.status_code, answer.json()) == (503, {"error": "The store is away."})
    assert answer.headers["retry-after"] == "1"


def test_a_trace_stops_when_its_client_leaves(http: httpx.Client, traces: list[dict[str, Any]]) -> None:
    with http.stream("GET", f"/api/processes/{UUID(int=3)}/trace") as answer:
        next(answer.iter_raw())
    assert traces[0]["ended"].wait(5)


def test_settings_and_counters(http: httpx.Client) -> None:
    settings = http.get("/api/settings").json()["settings"]
    assert {"name", "type", "value", "default", "help"} <= set(settings[0])
    assert http.get("/api/stats").json() == {"batches": 3}


def test_a_server_without_the_query_role_says_so(services: SimpleNamespace, http: httpx.Client) -> None:
    services.engine = None
    answer = http.post("/api/query", json={"sql": "select 1"})
    assert (answer.status_code, "role query" in answer.json()["error"]) == (404, True)


def test_slow_queries_do_not_hold_up_fast_ones(http_server: str, engine: FakeEngine) -> None:
    statuses: list[int] = []

    def stuck() -> None:
        answer = httpx.post(f"{http_server}/api/query", json={"sql": "select * from stuck"})
        statuses.append(answer.status_code)

    waiting = [threading.Thread(target=stuck) for _ in range(8)]
    for thread in waiting:
        thread.start()
    until(lambda: len(engine.queries) == 8)
    started = time.monotonic()
    assert json.loads(httpx.post(f"{http_server}/api/query", json={"sql": "select 1 as a"}).text)["rows"] == [[1]]
    assert time.monotonic() - started < 2
    for query in engine.queries:
        query.cancel()
    for thread in waiting:
        thread.join()
    assert statuses == [400] * 8, "a query that was cancelled on the server's side is no answer"


def test_nothing_else_waits_for_planning(
    http_server: str, services: SimpleNamespace, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on, plan = threading.Event(), engine.plan
    asked = threading.Semaphore(0)

    def slow(sql: str, **more: Any) -> Any:
        asked.release()
        going_on.wait()
        return plan(sql, **more)

    monkeypatch.setattr(engine, "plan", slow)
    with ThreadPoolExecutor(90) as pool:
        body = {"sql": "select 1 as a"}
        queries = [pool.submit(httpx.post, f"{http_server}/api/query", json=body, timeout=60) for _ in range(45)]
        lists = [pool.submit(httpx.get, f"{http_server}/api/processes", timeout=60) for _ in range(45)]
        for _ in range(STREAM_THREADS):
            asked.acquire()
        assert httpx.get(f"{http_server}/api/stats", timeout=60).json() == {"batches": 3}
        going_on.set()
        assert {answer.result().status_code for answer in queries + lists} == {200}
