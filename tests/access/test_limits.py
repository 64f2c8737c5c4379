"""A limited key sees its processes and no others: in every view, table function, trace and list, which come from the
app itself. And a stamp is on every process that a key sends, and on nobody else's.
"""

from __future__ import annotations

import ast
import base64
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import flight
from tachy_server.access.limits import condition
from tachy_server.formats.reader import LOG, METRIC, SPAN, block_id, stream_id
from tachy_server.http import api
from tachy_server.lake.database import connect
from tachy_server.postgres.supervisor import dsn_of
from tachy_server.query import commands, table_functions
from tachy_server.query.administration import ADMINISTRATION
from tachy_server.query.table_functions import TABLE_FUNCTIONS
from tachy_server.views.declarations import VIEWS

from tests.access.test_doors import LOCKS, NOTHING
from tests.access.test_keys_command import bearer, command
from tests.model.encoder import Process
from tests.serving import BATCH_HEADERS, Server
from tests.waiting import until

MARKS = {"alpha": "belongs-to-alpha", "beta": "belongs-to-beta"}
MILLISECOND = 1_000_000
PACKAGE = Path(__file__).resolve().parents[2] / "server" / "tachy_server"
JSON = {"content-type": "application/json"}


class Locked:
    """A server, its keys by name, and a process of either team."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.keys: dict[str, str] = {}
        self.processes: dict[str, uuid.UUID] = {}

    def make(self, name: str, *options: str) -> None:
        self.keys[name] = command("create", name, *options, data=self.server.data)[0]

    def note_errors(self) -> None:
        """Rows for block_errors, which a query that reads the block well takes away."""
        with psycopg.connect(dsn_of(self.server.data.absolute()), autocommit=True) as connection:
            for team, process_id in self.processes.items():
                values = (block_id(process_id, LOG, 0), process_id, LOG, f"a reason of {MARKS[team]}", 1)
                insert = "INSERT INTO block_errors VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
                connection.execute(insert, values)

    def post(self, key: str, batch: bytes) -> httpx.Response:
        headers = BATCH_HEADERS | bearer(self.keys[key])
        return self.server.client.post("/ingest/v1/batch", content=batch, headers=headers)

    def sql(self, key: str, sql: str) -> httpx.Response:
        return self.server.client.post("/api/query", json={"sql": sql}, headers=bearer(self.keys[key]))

    def rows(self, key: str, sql: str) -> list[list[Any]]:
        answer = self.sql(key, sql)
        assert answer.status_code == 200, (sql, answer.text)
        assert "error" not in answer.json(), (sql, answer.text)
        rows: list[list[Any]] = answer.json()["rows"]
        return rows

    def names(self, team: str) -> list[str]:
        """All by which something of the team's process could be known."""
        process = self.processes[team]
        ids = [block_id(process, cls, number) for cls in (LOG, METRIC, SPAN) for number in (0, 1)]
        streams = [stream_id(process, cls, 1) for cls in (LOG, METRIC, SPAN)]
        return [MARKS[team], *map(str, [process, *ids, *streams])]


def recorded(team: str, process: Process | None = None) -> Process:
    """Something for every view; its mark is in all of it."""
    mark = MARKS[team]
    process = process or Process(exe=mark, properties={"team": "of its own word", "mark": mark})
    thread = process.threads[0] if process.threads else process.thread(mark)
    thread.log(1 * MILLISECOND, mark)
    thread.metric(2 * MILLISECOND, mark, 1)
    thread.begin(mark, 3 * MILLISECOND)
    thread.async_end(5 * MILLISECOND, thread.async_begin(4 * MILLISECOND, mark))
    thread.end(6 * MILLISECOND)
    thread.begin(mark, 7 * MILLISECOND, target="net.object")
    thread.value("bits", 8)
    thread.end(8 * MILLISECOND)
    if len(process.threads) == 1:
        image = base64.b64encode(mark.encode()).decode()
        process.thread("images").log(
            9 * MILLISECOND, "%s", f"1 0 1 {len(mark)} image/png {mark}\n{image}", target="tachy.image"
        )
    return process


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    data = tmp_path_factory.mktemp("limits") / "data"
    with Server(data) as server:
        made = Locked(server)
        for team in MARKS:
            made.make(f"send {team}", "--scopes", "ingest", "--stamp", f"team={team}")
        made.make("send", "--scopes", "ingest")
        made.make("alpha", "--scopes", "query,control", "--only", "team=alpha", "--only", "team=none")
        made.make("all", "--scopes", "query,control")
        made.make("admin", "--scopes", "query,admin")
        server.stop()
        server.start()  # it has read them
        for team in MARKS:
            process = recorded(team)
            made.processes[team] = process.process_id
            assert made.post(f"send {team}", process.batch()).status_code == 200
        of_beta = f"FROM log_entries WHERE msg = '{MARKS['beta']}'"
        hourly = f"SELECT date_bin(INTERVAL '1 hour', time) AS hour, msg, count(*) AS n {of_beta} GROUP BY hour, msg"
        made.rows("admin", f"CREATE KEEP RULE beta FOR '1 day' AS SELECT process_id {of_beta}")
        made.rows("admin", f"CREATE MATERIALIZED VIEW beta AS {hourly}")
        yield made


def test_the_page_shows_what_a_key_is_limited_to(locked: Locked) -> None:
    listed = command("list", data=locked.server.data)[0]
    assert "team=alpha team=none" in listed
    assert (
        "a key for admin sees the whole server"
        in command("create", "x", "--scopes", "admin,query", "--only", "a=b", data=locked.server.data, code=2)[1]
    )


def test_stamps_are_on_processes_whatever_they_say(locked: Locked) -> None:
    said = {row[0]: json.loads(row[1]) for row in locked.rows("all", "SELECT exe, properties FROM processes")}
    for team, mark in MARKS.items():
        assert said[mark] == {"team": team, "mark": mark}


CALLS: dict[str, Callable[[str], list[str]]] = {
    # of every table function what could show something of a process, given its id
    "view_instance": lambda process: [
        *[f"view_instance('{view}', '{process}')" for view in ("log_entries", "measures", "async_events")],
        f"view_instance('thread_spans', '{stream_id(uuid.UUID(process), SPAN, 1)}')",
    ],
    "process_spans": lambda process: [f"process_spans('{process}', 'both')"],
    "perfetto_trace_chunks": lambda process: [f"perfetto_trace_chunks('{process}', 'all', NULL, NULL)"],
    "call_tree": lambda process: [f"call_tree('{process}', NULL, NULL)"],
    "span_self_time": lambda process: [f"span_self_time('{process}', NULL, NULL)"],
    "utilization": lambda process: [f"utilization('{process}', INTERVAL '1 second')"],
    "parse_block": lambda process: [
        f"parse_block('{block_id(uuid.UUID(process), cls, 0)}')" for cls in (LOG, METRIC, SPAN)
    ],
    "list_view_sets": lambda process: ["list_view_sets()"],
    "list_partitions": lambda process: ["list_partitions()"],
    "expand_histogram": lambda process: [
        f"expand_histogram((SELECT make_histogram(0.0, 10.0, 2, value) FROM measures WHERE process_id = '{process}'))"
    ],
    "jsonb_each": lambda process: [f"jsonb_each((SELECT properties FROM processes WHERE process_id = '{process}'))"],
    "jsonb_array_elements": lambda process: [
        f"jsonb_array_elements((SELECT '[' || properties || ']' FROM processes WHERE process_id = '{process}'))"
    ],
}
OF_NOBODY = {"list_partitions", "list_view_sets"}


def test_the_functions_that_read_the_lake_are_these() -> None:
    """Of those that give one value; test_a_limited_key_gets_no_bytes_of_others has its attack."""
    assert {signature.partition("(")[0] for signature, _ in table_functions.DOCS} == {"get_payload"}


def test_every_table_function_is_attacked() -> None:
    """Those for admins alone show nothing to others (tests/query/test_administration.py)."""
    listing = {function.name for function in ADMINISTRATION if "For admin" not in function.doc}
    assert CALLS.keys() == {function.name for function in TABLE_FUNCTIONS} | listing


def test_a_limited_key_sees_no_files_of_views(locked: Locked) -> None:
    assert locked.rows("alpha", "SELECT * FROM list_partitions()") == []


def test_a_limited_key_sees_nothing_of_what_is_of_no_process(locked: Locked) -> None:
    until(lambda: locked.rows("all", "SELECT * FROM query_log"))
    assert locked.rows("alpha", "SELECT * FROM query_log") == []


@pytest.mark.parametrize("view", sorted(VIEWS.keys() - {"query_log"}))
def test_a_limited_key_finds_nothing_of_others_in_a_view(view: str, locked: Locked) -> None:
    locked.note_errors()
    others, own = locked.names("beta"), locked.names("alpha")
    everything = locked.sql("all", f"SELECT * FROM {view}").text
    shown = locked.sql("alpha", f"SELECT * FROM {view}").text
    assert any(name in everything for name in others)
    assert any(name in shown for name in own)
    assert not any(name in shown for name in others)
    columns = VIEWS[view].schema.names
    for column in {"process_id", "block_id", "stream_id"} & {*columns}:
        for name in others[1:]:
            assert locked.rows("alpha", f"SELECT * FROM {view} WHERE {column} = '{name}'") == []
    begin, end = "'1970-01-01T00:00:00Z'", "'2200-01-01T00:00:00Z'"
    column = VIEWS[view].time[0]
    ranged = locked.sql("alpha", f"SELECT * FROM {view} WHERE {column} BETWEEN {begin} AND {end}").text
    assert not any(name in ranged for name in others)
    assert locked.rows("all", f"SELECT count(*) FROM {view}") > locked.rows("alpha", f"SELECT count(*) FROM {view}")
    joined = f"SELECT * FROM processes p LEFT JOIN {view} v ON p.process_id = v.process_id OR true"
    assert not any(name in locked.sql("alpha", joined).text for name in others)


@pytest.mark.parametrize("name", CALLS)
def test_a_limited_key_finds_nothing_of_others_in_a_table_function(name: str, locked: Locked) -> None:
    for call in CALLS[name](str(locked.processes["alpha"])):
        if name not in OF_NOBODY:
            assert locked.rows("alpha", f"SELECT * FROM {call}") == locked.rows("all", f"SELECT * FROM {call}") != []
    for call in CALLS[name](str(locked.processes["beta"])):
        shown = locked.sql("alpha", f"SELECT * FROM {call}")
        if name in OF_NOBODY:
            assert shown.text == locked.sql("all", f"SELECT * FROM {call}").text
            continue
        assert locked.rows("all", f"SELECT * FROM {call}") != []
        assert shown.status_code == 400 or shown.json()["rows"] == []
        assert MARKS["beta"] not in shown.text


@pytest.mark.parametrize("cls", [LOG, METRIC, SPAN])
def test_a_limited_key_gets_no_bytes_of_others(cls: int, locked: Locked) -> None:
    for team in ("alpha", "beta"):
        process = locked.processes[team]
        ids = f"'{process}', '{stream_id(process, cls, 1)}', '{block_id(process, cls, 0)}'"
        stored = locked.rows("all", f"SELECT get_payload({ids})")
        assert stored != [[None]]
        assert locked.rows("alpha", f"SELECT get_payload({ids})") == (stored if team == "alpha" else [[None]])


def test_traces_and_lists_have_the_same_limit(locked: Locked) -> None:
    client, headers = locked.server.client, bearer(locked.keys["alpha"])
    own, other = locked.processes["alpha"], locked.processes["beta"]
    listed = client.get("/api/processes", headers=headers).text
    assert str(own) in listed
    assert str(other) not in listed
    assert client.get("/api/processes", params={"exe": MARKS["beta"]}, headers=headers).json() == {"processes": []}
    assert client.get(f"/api/processes/{own}", headers=headers).status_code == 200
    assert client.get(f"/api/processes/{own}/trace", headers=headers).status_code == 200
    for path in (f"{other}", f"{other}/trace", f"{own},{other}/trace", f"{other},{own}/trace"):
        answer = client.get(f"/api/processes/{path}", headers=headers)
        assert (answer.status_code, MARKS["beta"] in answer.text) == (404, False)


LISTS = ("SHOW KEEP RULES", "SHOW MATERIALIZED VIEWS")


def test_lists_of_what_is_of_no_process_are_empty(locked: Locked) -> None:
    """What admins have written names processes, and what is counted is everybody's."""
    listing = {command for command in get_args(commands.Command) if command.scope == "query"}
    assert {type(commands.parse(sql)) for sql in LISTS} == listing
    for sql in LISTS:
        assert MARKS["beta"] in locked.sql("all", sql).text
        assert locked.rows("alpha", sql) == []


def test_a_view_that_users_have_made_has_the_same_limit(locked: Locked) -> None:
    assert locked.rows("all", "SELECT msg FROM beta") == [[MARKS["beta"]]]
    assert locked.rows("alpha", "SELECT msg FROM beta") == []


def test_what_the_catalog_says_of_itself_names_nobody(locked: Locked) -> None:
    tables = locked.rows("all", "SELECT table_name FROM information_schema.tables WHERE table_schema <> 'public'")
    assert len(tables) > 4
    for (table,) in tables:
        assert MARKS["beta"] not in locked.sql("alpha", f"SELECT * FROM information_schema.{table}").text


def test_the_cost_is_of_what_a_key_may_see(locked: Locked) -> None:
    said = {}
    for key in ("alpha", "all"):
        ((events,),) = locked.rows(key, "SELECT sum(events) FROM lake_usage")
        said[key] = locked.server.client.get("/api/cost", headers=bearer(locked.keys[key])).json()["error"]
        assert f"has {events} events" in said[key]
    assert said["alpha"] != said["all"]


def test_every_question_over_http_is_attacked() -> None:
    """By the tests of this file: SQL, charts, costs, lists; and what is of one process."""
    asking = {path for (_, path), scope in LOCKS.items() if scope == "query" and "{process_id" not in path}
    assert asking == {"/api/query", "/api/chart", "/api/cost", "/api/processes"}


def test_charts_have_the_same_limit(locked: Locked) -> None:
    def chart(key: str, **what: object) -> str:
        answer = locked.server.client.post("/api/chart", json=what, headers=bearer(locked.keys[key]))
        assert answer.status_code == 200, answer.text
        return answer.text

    other, sql = str(locked.processes["beta"]), "SELECT exe, 1 AS n FROM processes"
    asked = [{"chart": name, "process_id": other} for name in ("frames", "heatmap", "top")]
    asked += [{"chart": "metrics", "process_id": other, "names": [MARKS["beta"]]}, {"chart": "result", "sql": sql}]
    assert any(MARKS["beta"] in chart("all", **what) for what in asked)
    assert not any(MARKS["beta"] in chart("alpha", **what) for what in asked if what["chart"] != "metrics")
    nobody = str(uuid.uuid4())
    for what in asked[:-1]:
        assert chart("alpha", **what) == chart("all", **what | {"process_id": nobody})


def test_every_question_that_a_door_passes_on_says_who_may_see_what() -> None:
    """A schema, of the catalog's own tables, is all that is planned without."""
    for room in ("http", "flight"):
        for source in sorted((PACKAGE / room).glob("*.py")):
            for node in ast.walk(ast.parse(source.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "plan":
                    named = {keyword.arg for keyword in node.keywords}
                    assert "visible" in named or ast.unparse(node) == "engine.plan(sql)", (source.name, node.lineno)


def test_every_route_with_a_process_is_closed_for_others(locked: Locked) -> None:
    client, headers = locked.server.client, bearer(locked.keys["alpha"])
    own, other = (str(locked.processes[team]) for team in MARKS)
    nobody = str(uuid.uuid4())
    seen = 0
    for route in api.routes(NOTHING):  # type: ignore[arg-type]
        path = str(getattr(route, "path", ""))
        if "{process_id" not in path:
            continue
        for method in getattr(route, "methods", ()) - {"HEAD"}:
            body = {"reason": "why"} if path.endswith("mark") else {"level": "info"}
            sent: dict[str, Any] = {"headers": headers}
            if method in ("PUT", "POST"):
                sent = {"headers": headers | JSON, "content": json.dumps(body)}
            answers = {}
            for name, process in (("own", own), ("other", other), ("nobody", nobody)):
                address = path.replace("{process_id}", process).replace("{process_ids}", process)
                answers[name] = client.request(method, address, **sent)
            assert answers["own"].status_code == 200, (method, path, answers["own"].text)
            assert answers["other"].status_code == answers["nobody"].status_code == 404, (method, path)
            assert answers["other"].text.replace(other, "X") == answers["nobody"].text.replace(nobody, "X")
            seen += 1
    assert seen >= 6


def test_flight_has_the_same_limit_and_tickets_are_their_keys(locked: Locked) -> None:
    def options(key: str) -> flight.FlightCallOptions:
        return flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {locked.keys[key]}".encode())])

    sql = b"SELECT process_id FROM processes"
    with flight.connect(locked.server.flight) as client:
        seen = client.do_get(flight.Ticket(sql), options("alpha")).read_all()["process_id"].to_pylist()
        assert str(locked.processes["alpha"]) in seen
        assert str(locked.processes["beta"]) not in seen
        descriptor = flight.FlightDescriptor.for_command(sql)
        ticket = client.get_flight_info(descriptor, options("all")).endpoints[0].ticket
        with pytest.raises(KeyError, match="another key's"):
            client.do_get(ticket, options("alpha")).read_all()
        assert client.do_get(ticket, options("all")).read_all().num_rows >= 2


def test_nobody_gets_his_stamp_onto_another_s_process(locked: Locked) -> None:
    """Nor his events, where both have one. Sent again by a key without, a process keeps what it has."""
    theirs = recorded("beta")
    assert locked.post("send beta", theirs.batch()).status_code == 200
    taken = recorded("beta", theirs)
    answer = locked.post("send alpha", taken.batch())
    assert answer.status_code == 409, answer.text
    assert "came with the stamp of another key" in answer.json()["error"]
    assert locked.rows("alpha", f"SELECT * FROM processes WHERE process_id = '{theirs.process_id}'") == []

    plain = Process(exe="without a stamp", properties={"own": "1"})
    plain.thread("t").log(1, "first")
    assert locked.post("send", plain.batch()).status_code == 200
    plain.threads[0].log(2 * MILLISECOND, "second")
    plain.description["properties"] = {"own": "2"}
    assert locked.post("send alpha", plain.batch()).status_code == 200
    of_plain = f"SELECT properties FROM processes WHERE process_id = '{plain.process_id}'"
    assert [json.loads(row[0]) for row in locked.rows("all", of_plain)] == [{"own": "1"}]
    assert locked.rows("alpha", of_plain) == []

    stamped = Process(exe="with a stamp", properties={"own": "1"})
    stamped.thread("t").log(1, "first")
    assert locked.post("send alpha", stamped.batch()).status_code == 200
    for key, value in (("send alpha", "2"), ("send", "3")):
        stamped.threads[0].log(int(value) * MILLISECOND, "next")
        stamped.description["properties"] = {"own": value, "team": "beta"}
        assert locked.post(key, stamped.batch()).status_code == 200
        of_stamped = f"SELECT properties FROM processes WHERE process_id = '{stamped.process_id}'"
        assert [json.loads(row[0]) for row in locked.rows("alpha", of_stamped)] == [{"own": value, "team": "alpha"}]


_text = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)


@given(
    only=st.dictionaries(_text.filter(bool), st.lists(_text, min_size=1, max_size=3), min_size=1, max_size=3),
    properties=st.dictionaries(_text, _text, max_size=3),
    same=st.booleans(),
)
def test_the_condition_is_what_a_dictionary_says(
    locked: Locked, only: dict[str, list[str]], properties: dict[str, str], same: bool
) -> None:
    """Whatever stands in names and values: they are data, never SQL."""
    if same:
        properties = properties | {name: values[-1] for name, values in only.items()}
    expected = all(properties.get(name) in values for name, values in only.items())
    query = f"SELECT {condition(only)} FROM (SELECT %s::jsonb AS properties) AS p".replace("%", "%%").replace(
        "%%s", "%s"
    )
    with connect(dsn_of(Path(locked.server.data).absolute())) as connection:
        (found,) = connection.execute(query.encode(), (json.dumps(properties),)).fetchone() or (None,)
    assert found == expected
