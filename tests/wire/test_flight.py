"""What plain Flight clients get: answers, bounds from headers, one-sentence errors, and an end when they leave."""

from __future__ import annotations

import gc
import re
import resource
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import cast

import pyarrow as pa
import pytest
from google.protobuf.message import Message
from pyarrow import flight
from tachy_server.flight import messages
from tachy_server.flight.messages import decode, encode
from tachy_server.flight.server import FlightServer
from tachy_server.flight.statements import MAX_QUERIES
from tachy_server.services import Services

from tests.waiting import until
from tests.wire.fake_engine import FakeEngine


@pytest.fixture
def client(uri: str) -> Iterator[flight.FlightClient]:
    with flight.connect(uri) as client:
        yield client


def _options(**headers: str) -> flight.FlightCallOptions:
    return flight.FlightCallOptions(headers=[(name.encode(), value.encode()) for name, value in headers.items()])


def _descriptor(command: Message) -> flight.FlightDescriptor:
    return flight.FlightDescriptor.for_command(messages.pack(command))


def _ask(client: flight.FlightClient, command: Message, **headers: str) -> pa.Table:
    info = client.get_flight_info(_descriptor(command), _options(**headers))
    table = client.do_get(info.endpoints[0].ticket, _options(**headers)).read_all()
    assert table.schema == info.schema
    assert client.get_schema(_descriptor(command), _options(**headers)).schema == info.schema
    return table


def _sql(client: flight.FlightClient, sql: str, **headers: str) -> pa.Table:
    return _ask(client, messages.CommandStatementQuery(query=sql), **headers)


def _action(client: flight.FlightClient, name: str, body: bytes) -> list[bytes]:
    return [result.body.to_pybytes() for result in client.do_action(flight.Action(name, body))]


def test_flight_info_has_the_real_schema(client: flight.FlightClient) -> None:
    table = _sql(client, "select n, n * 0.5 as half from numbers where n < 3")
    assert table.to_pydict() == {"n": [0, 1, 2], "half": [0.0, 0.5, 1.0]}


def test_a_ticket_may_be_sql_itself(client: flight.FlightClient) -> None:
    assert client.do_get(flight.Ticket(b"\nselect 7 as a")).read_all().to_pydict() == {"a": [7]}
    ticket = messages.pack(messages.TicketStatementQuery(statement_handle=b"select 8 as a"))
    assert client.do_get(flight.Ticket(ticket)).read_all().to_pydict() == {"a": [8]}


def test_a_descriptor_may_be_sql_itself(client: flight.FlightClient) -> None:
    info = client.get_flight_info(flight.FlightDescriptor.for_command(b"select 9 as a"))
    assert client.do_get(info.endpoints[0].ticket).read_all().to_pydict() == {"a": [9]}


def test_a_ticket_can_be_redeemed_again(client: flight.FlightClient, engine: FakeEngine) -> None:
    info = client.get_flight_info(_descriptor(messages.CommandStatementQuery(query="select 1 as a")))
    planned = len(engine.queries)
    for _ in range(3):
        assert client.do_get(info.endpoints[0].ticket).read_all().to_pydict() == {"a": [1]}
    assert len(engine.queries) == planned + 2, "the first DoGet runs what GetFlightInfo planned"


def test_headers_bound_time_and_rows(client: flight.FlightClient) -> None:
    sql = "select time from log_entries"
    begin, end = "2027-01-15T08:00:10Z", "2027-01-15T09:00:19.5+01:00"
    assert _sql(client, sql, query_range_begin=begin, query_range_end=end).num_rows == 10
    assert _sql(client, sql, query_range_begin=begin, query_range_end=end, limit="4").num_rows == 4
    assert _sql(client, sql, limit="0").num_rows == 0


def test_dictionaries_are_decoded_unless_they_are_asked_for(client: flight.FlightClient) -> None:
    sql = "select target, msg from log_entries order by time"
    plain = _sql(client, sql)
    kept = _sql(client, sql, preserve_dictionary="true")
    assert plain.schema.field("target").type == pa.string()
    assert kept.schema.field("target").type == pa.dictionary(pa.int32(), pa.string())
    assert kept["target"].cast(pa.string()).to_pylist() == plain["target"].to_pylist()


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"query_range_begin": "yesterday"}, "'yesterday' is not a time"),
        ({"limit": "-1"}, "The header limit must be a whole number"),
        ({"preserve_dictionary": "maybe"}, "must be true or false"),
    ],
)
def test_a_header_that_cannot_be_read_is_an_error(
    client: flight.FlightClient, headers: dict[str, str], sentence: str
) -> None:
    with pytest.raises(pa.ArrowInvalid, match=sentence):
        client.do_get(flight.Ticket(b"select 1"), _options(**headers)).read_all()


_FAILURES: dict[str, Callable[[flight.FlightClient], object]] = {
    "planning": lambda client: _sql(client, "select nothing from nowhere"),
    "a ticket": lambda client: client.do_get(flight.Ticket(b"select nothing from nowhere")).read_all(),
    "on the way": lambda client: client.do_get(flight.Ticket(b"select * from broken")).read_all(),
    "a bug": lambda client: client.do_get(flight.Ticket(b"select * from buggy")).read_all(),
    "not text": lambda client: client.do_get(flight.Ticket(b"\xff\xfe")).read_all(),
    "an unknown handle": lambda client: client.do_get(
        flight.Ticket(messages.pack(messages.TicketStatementQuery(statement_handle=b"\x00tachy:gone")))
    ).read_all(),
    "a write": lambda client: _sql(client, "create table t (a int)"),
    "an update": lambda client: _ask(client, messages.CommandStatementUpdate(query="delete from log_entries")),
    "an upload": lambda client: _put(client, messages.CommandStatementIngest(table="processes")),
    "an update put": lambda client: _put(client, messages.CommandStatementUpdate(query="delete from log_entries")),
    "an action": lambda client: _action(client, "MakeCoffee", b""),
    "a transaction": lambda client: _action(client, "BeginTransaction", b""),
    "a broken action": lambda client: _action(client, "CreatePreparedStatement", b"\xff\xff\xff"),
    "a path": lambda client: client.get_flight_info(flight.FlightDescriptor.for_path("a", "b")),
    "an exchange": lambda client: _exchange(client),
    "an unbound parameter": lambda client: _sql(client, "select ? as a"),
}


def _put(client: flight.FlightClient, command: Message) -> None:
    writer, _reader = client.do_put(_descriptor(command), pa.schema([("a", pa.int64())]))
    with writer:
        writer.write_batch(pa.record_batch({"a": [1]}))


def _exchange(client: flight.FlightClient) -> None:
    writer, reader = client.do_exchange(flight.FlightDescriptor.for_command(b"x"))
    with writer:
        writer.done_writing()
        reader.read_all()


@pytest.mark.parametrize("what", _FAILURES)
def test_errors_are_one_sentence_without_traceback_or_path(client: flight.FlightClient, what: str) -> None:
    with pytest.raises((pa.ArrowException, flight.FlightError)) as caught:
        _FAILURES[what](client)
    text = str(caught.value)
    assert "Traceback" not in text
    assert "Detail: Failed" not in text
    assert not re.search(r"\.py|/work|site-packages|File \"", text), text
    assert "\n" not in text.split(" Detail: ")[0]


def test_a_query_that_fails_on_its_way_gives_its_first_rows_and_then_the_error(client: flight.FlightClient) -> None:
    reader = client.do_get(flight.Ticket(b"select * from broken"))
    assert reader.read_chunk().data.num_rows == 1
    with pytest.raises(pa.ArrowInvalid, match=r"A block could not be read\."):
        reader.read_chunk()


def test_writing_is_refused_with_the_way_to_do_it(client: flight.FlightClient) -> None:
    with pytest.raises(pa.ArrowInvalid, match=r"read-only over FlightSQL.*POST /ingest/v1/batch"):
        _put(client, messages.CommandStatementIngest(table="processes"))


@pytest.mark.parametrize("wrapped", [True, False], ids=["in Any, as JDBC sends it", "bare, as pyarrow sends it"])
def test_prepared_statements_take_parameters(client: flight.FlightClient, wrapped: bool) -> None:
    send = messages.pack if wrapped else encode
    sql = "select count(*) as n from numbers where n between ? and ?"
    request = messages.ActionCreatePreparedStatementRequest(query=sql)
    [answer] = _action(client, "CreatePreparedStatement", send(request))
    result = messages.unpack(messages.ActionCreatePreparedStatementResult, answer)
    assert pa.ipc.read_schema(pa.py_buffer(result.dataset_schema)).names == ["n"]
    assert pa.ipc.read_schema(pa.py_buffer(result.parameter_schema)).names == ["$1", "$2"]
    query = messages.CommandPreparedStatementQuery(prepared_statement_handle=result.prepared_statement_handle)

    with pytest.raises(pa.ArrowInvalid, match="takes 2 parameters, and none were bound"):
        client.get_flight_info(_descriptor(query))
    for low, high in ((10, 19), (5, 5)):
        row = pa.record_batch({"a": [low], "b": [high]})
        writer, metadata = client.do_put(_descriptor(query), row.schema)
        with writer:
            writer.write_batch(row)
            writer.done_writing()
            bound = decode(messages.DoPutPreparedStatementResult, metadata.read().to_pybytes())
        assert bound.prepared_statement_handle == result.prepared_statement_handle
        assert _ask(client, query).to_pydict() == {"n": [high - low + 1]}

    close = messages.ActionClosePreparedStatementRequest(prepared_statement_handle=result.prepared_statement_handle)
    assert _action(client, "ClosePreparedStatement", send(close)) == []
    with pytest.raises(KeyError, match="unknown or has expired"):
        client.get_flight_info(_descriptor(query))


@pytest.mark.parametrize("rows", [pa.record_batch({"a": [1, 2]}), pa.record_batch({"a": [1], "b": [2]})])
def test_what_cannot_be_bound_is_refused(client: flight.FlightClient, rows: pa.RecordBatch) -> None:
    request = messages.ActionCreatePreparedStatementRequest(query="select ? as n")
    [answer] = _action(client, "CreatePreparedStatement", encode(request))
    handle = messages.unpack(messages.ActionCreatePreparedStatementResult, answer).prepared_statement_handle
    query = messages.CommandPreparedStatementQuery(prepared_statement_handle=handle)
    writer, metadata = client.do_put(_descriptor(query), rows.schema)

    def bind() -> None:
        with writer:
            writer.write_batch(rows)
            writer.done_writing()
            metadata.read()

    with pytest.raises(pa.ArrowInvalid, match=r"Bind one row|takes 1 parameters, and 2 were"):
        bind()


def test_a_prepared_statement_without_parameters_holds_nothing_in_the_server(
    client: flight.FlightClient, flight_server: FlightServer
) -> None:
    request = messages.ActionCreatePreparedStatementRequest(query="select 5 as a")
    [answer] = _action(client, "CreatePreparedStatement", encode(request))
    handle = messages.unpack(messages.ActionCreatePreparedStatementResult, answer).prepared_statement_handle
    assert handle == b"select 5 as a"
    query = messages.CommandPreparedStatementQuery(prepared_statement_handle=handle)
    assert _ask(client, query).to_pydict() == {"a": [5]}
    assert len(flight_server._prepared) == 0


def test_metadata_lists_what_sql_sees(client: flight.FlightClient) -> None:
    assert _ask(client, messages.CommandGetCatalogs()).to_pydict() == {"catalog_name": ["tachy"]}
    schemas = _ask(client, messages.CommandGetDbSchemas()).to_pydict()
    assert schemas["db_schema_name"] == ["public", "information_schema"]
    assert _ask(client, messages.CommandGetDbSchemas(db_schema_filter_pattern="pub%")).num_rows == 1
    assert _ask(client, messages.CommandGetDbSchemas(catalog="other")).num_rows == 0
    assert _ask(client, messages.CommandGetTableTypes()).to_pydict() == {"table_type": ["TABLE", "VIEW"]}
    from_metadata = _ask(client, messages.CommandGetTables()).select(["db_schema_name", "table_name"]).to_pylist()
    from_sql = _sql(client, "select table_schema as db_schema_name, table_name from information_schema.tables")
    assert sorted(map(str, from_metadata)) == sorted(map(str, from_sql.to_pylist()))


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("log_entries", ["log_entries"]),
        ("log%", ["log_entries"]),
        ("l_g_entries", ["log_entries"]),
        (r"log\_entries", ["log_entries"]),
        (r"log\%", []),
        ("LOG%", []),
        ("%ss%s", ["processes"]),
        ("", []),
    ],
)
def test_tables_are_filtered_as_like_does(client: flight.FlightClient, pattern: str, names: list[str]) -> None:
    command = messages.CommandGetTables(db_schema_filter_pattern="public", table_name_filter_pattern=pattern)
    assert _ask(client, command)["table_name"].to_pylist() == names


def test_tables_are_filtered_by_type_and_come_with_schemas(client: flight.FlightClient) -> None:
    views = _ask(client, messages.CommandGetTables(table_types=("VIEW",)))
    assert set(views["db_schema_name"].to_pylist()) == {"information_schema"}
    tables = _ask(client, messages.CommandGetTables(table_types=("TABLE",), include_schema=True))
    assert len(tables) > 3
    for row in tables.to_pylist():
        schema = pa.ipc.read_schema(pa.py_buffer(row["table_schema"]))
        assert schema == _sql(client, f"select * from {row['table_name']} limit 0").schema


@pytest.mark.parametrize("given", ["TABLE", "table", "BASE TABLE", "base table", " Table "])
def test_table_types_are_known_by_the_names_that_clients_use(client: flight.FlightClient, given: str) -> None:
    expected = _ask(client, messages.CommandGetTables(table_types=("TABLE",)))
    assert expected.num_rows > 3
    assert _ask(client, messages.CommandGetTables(table_types=(given,))) == expected
    assert _ask(client, messages.CommandGetTables(table_types=(given, "view"))) == _ask(
        client, messages.CommandGetTables()
    )
    assert _ask(client, messages.CommandGetTables(table_types=("SEQUENCE",))).num_rows == 0


def test_views_come_before_the_schema_that_describes_them(client: flight.FlightClient) -> None:
    schemas = _ask(client, messages.CommandGetTables())["db_schema_name"].to_pylist()
    assert schemas == sorted(schemas, reverse=True)
    assert schemas[0] == "public"


def test_columns_say_their_type_in_sql(client: flight.FlightClient) -> None:
    def of(schema: pa.Schema, fact: str) -> dict[str, str]:
        key = f"ARROW:FLIGHT:SQL:{fact}".encode()
        return {field.name: field.metadata[key].decode() for field in schema if key in (field.metadata or {})}

    command = messages.CommandGetTables(table_name_filter_pattern="oddities", include_schema=True)
    [row] = _ask(client, command).to_pylist()
    told = pa.ipc.read_schema(pa.py_buffer(row["table_schema"]))
    answered = _sql(client, "select * from oddities").schema
    types = {"f": "DOUBLE", "big": "BIGINT", "raw": "VARBINARY", "at": "TIMESTAMP", "day": "DATE", "yes": "BOOLEAN"}
    types |= {"local": "TIMESTAMP", "took": "INTERVAL", "cash": "DECIMAL", "tags": "ARRAY", "pair": "STRUCT"}
    for schema in (told, answered):
        assert of(schema, "TYPE_NAME") == types
        assert of(schema, "PRECISION") == {"cash": "9"}
        assert set(of(schema, "IS_READ_ONLY").values()) == {"1"}
    assert set(of(told, "TABLE_NAME").values()) == {"oddities"}
    assert of(answered, "TABLE_NAME") == {}


def _cancelling(info: flight.FlightInfo) -> bytes:
    return encode(messages.CancelFlightInfoRequest(info=decode(messages.FlightInfo, info.serialize())))


def _text_options(**options: str | None) -> bytes:
    entries = []
    for name, value in options.items():
        inner = messages.SessionOptionValue(string_value=value)
        entries.append(messages.SessionOption(key=name, value=inner))
    return encode(messages.SetSessionOptionsRequest(session_options=entries))


@pytest.mark.parametrize(
    ("options", "errors"),
    [
        ({"catalog": "tachy"}, {}),
        ({"catalog": "tachy", "schema": "public"}, {}),
        ({"catalog": None}, {}),
        ({"catalog": "other", "schema": "public"}, {"catalog": messages.OPTION_INVALID_VALUE}),
        ({"schema": "information_schema"}, {"schema": messages.OPTION_INVALID_VALUE}),
        ({"color": "blue", "catalog": "tachy"}, {"color": messages.OPTION_INVALID_NAME}),
    ],
)
def test_session_options_are_taken_for_what_they_can_mean(
    client: flight.FlightClient, options: dict[str, str | None], errors: dict[str, int]
) -> None:
    [answer] = _action(client, "SetSessionOptions", _text_options(**options))
    assert {entry.key: entry.value.value for entry in decode(messages.SetSessionOptionsResult, answer).errors} == errors


def test_sql_info_is_a_dense_union_that_can_be_asked_for_in_part(client: flight.FlightClient) -> None:
    everything = _ask(client, messages.CommandGetSqlInfo())
    everything.validate(full=True)
    info = dict(zip(everything["info_name"].to_pylist(), everything["value"].to_pylist(), strict=True))
    assert (info[0], info[3], info[4], info[8], info[504]) == ("tachy", True, True, 0, '"')
    part = _ask(client, messages.CommandGetSqlInfo(info=(3, 99_999, 0)))
    assert part.to_pydict() == {"info_name": [3, 0], "value": [True, "tachy"]}


def test_there_are_types_and_no_keys(client: flight.FlightClient) -> None:
    assert _ask(client, messages.CommandGetXdbcTypeInfo()).num_rows > 10
    assert _ask(client, messages.CommandGetXdbcTypeInfo(data_type=12))["type_name"].to_pylist() == ["VARCHAR"]
    for command in (
        messages.CommandGetPrimaryKeys(table="log_entries"),
        messages.CommandGetImportedKeys(table="log_entries"),
        messages.CommandGetExportedKeys(table="log_entries"),
        messages.CommandGetCrossReference(pk_table="a", fk_table="b"),
    ):
        assert _ask(client, command).num_rows == 0


def test_anybody_may_come_in(client: flight.FlightClient) -> None:
    assert client.authenticate_basic_token("anyone", "anything") == (b"authorization", b"Bearer none")
    client.authenticate(_Nobody())
    assert _sql(client, "select 1 as a").num_rows == 1


class _Nobody(flight.ClientAuthHandler):  # type: ignore[misc]
    def authenticate(self, outgoing: flight.ClientAuthSender, incoming: flight.ClientAuthReader) -> None:
        assert incoming.read() == b"none"

    def get_token(self) -> bytes:
        return b""


def test_actions_are_listed_and_no_flights(client: flight.FlightClient) -> None:
    names = {action.type for action in client.list_actions()}
    assert {"CreatePreparedStatement", "ClosePreparedStatement", "CancelFlightInfo"} <= names
    assert list(client.list_flights()) == []
    assert decode(messages.CloseSessionResult, _action(client, "CloseSession", b"")[0]).status == 1


@pytest.mark.parametrize("name", ["CancelFlightInfo", "CancelQuery"])
def test_a_running_query_is_cancelled_by_its_flight_info(
    client: flight.FlightClient, engine: FakeEngine, name: str
) -> None:
    info = client.get_flight_info(_descriptor(messages.CommandStatementQuery(query="select * from stuck")))
    [query] = engine.queries
    with ThreadPoolExecutor(1) as pool:
        rows = pool.submit(lambda: client.do_get(info.endpoints[0].ticket).read_all())
        time.sleep(0.2)
        assert not rows.done()
        if name == "CancelFlightInfo":
            [answer] = _action(client, name, _cancelling(info))
            assert decode(messages.CancelFlightInfoResult, answer).status == messages.CANCEL_STATUS_CANCELLED
        else:
            [answer] = _action(client, name, messages.pack(messages.ActionCancelQueryRequest(info=info.serialize())))
            assert messages.unpack(messages.ActionCancelQueryResult, answer).result == messages.CANCEL_STATUS_CANCELLED
        with pytest.raises(flight.FlightServerError, match="The query was cancelled"):
            rows.result(5)
    assert query.finished.is_set()


def test_an_endless_query_that_is_cancelled_does_not_look_complete(
    client: flight.FlightClient, services: SimpleNamespace
) -> None:
    info = client.get_flight_info(_descriptor(messages.CommandStatementQuery(query="select * from endless")))
    reader = client.do_get(info.endpoints[0].ticket)
    reader.read_chunk()
    _action(client, "CancelFlightInfo", _cancelling(info))
    with pytest.raises(flight.FlightServerError, match="The query was cancelled"):  # not a KeyboardInterrupt
        reader.read_all()
    assert len(services.engine.running()) == 0


def test_a_query_stops_when_its_client_cancels(
    client: flight.FlightClient, engine: FakeEngine, services: SimpleNamespace
) -> None:
    reader = client.do_get(flight.Ticket(b"select * from endless"))
    until(lambda: len(services.engine.running()) == 1)
    reader.cancel()
    assert engine.queries[0].finished.wait(2)
    until(lambda: len(services.engine.running()) == 0)


def test_a_query_stops_when_its_deadline_passes(client: flight.FlightClient, engine: FakeEngine) -> None:
    with pytest.raises(flight.FlightTimedOutError):
        client.do_get(flight.Ticket(b"select * from stuck"), flight.FlightCallOptions(timeout=0.3)).read_all()
    assert engine.queries[0].finished.wait(2)


@pytest.mark.parametrize("table", ["endless", "stuck"])
def test_a_query_stops_when_its_client_is_killed(uri: str, engine: FakeEngine, table: str) -> None:
    get = f"flight.connect({uri!r}).do_get(flight.Ticket(b'select * from {table}'))"
    code = f"from pyarrow import flight; {get}.read_all()"
    child = subprocess.Popen([sys.executable, "-c", code])
    try:
        until(lambda: engine.queries)
        time.sleep(0.2)
        assert not engine.queries[0].finished.is_set()
    finally:
        child.kill()
        child.wait()
    assert engine.queries[0].finished.wait(5)


def test_a_reader_that_stalls_is_held_back(client: flight.FlightClient, engine: FakeEngine) -> None:
    reader = client.do_get(flight.Ticket(b"select * from endless"))
    reader.read_chunk()
    given = -1
    deadline = time.monotonic() + 8
    while engine.queries[0].batches_given != given:  # until nothing more is taken for a while
        assert time.monotonic() < deadline, "a stalled reader still takes rows"
        given = engine.queries[0].batches_given
        time.sleep(0.5)
    assert given * 8_192 * 17 < 32 << 20, "bytes that wait for a reader that does not read"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    time.sleep(0.5)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss == before
    for _ in range(given):
        reader.read_chunk()
    assert engine.queries[0].batches_given > given, "and goes on when it reads again"
    reader.cancel()


def test_eight_readers_at_once_get_all_their_rows(uri: str) -> None:
    def read(at: int) -> int:
        with flight.connect(uri) as client:
            table = client.do_get(flight.Ticket(f"select n from numbers where n % 8 = {at}".encode())).read_all()
            return sum(table["n"].to_pylist())

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(read, range(8))) == sum(range(10**6))


def test_a_stopping_server_ends_its_streams(services: SimpleNamespace) -> None:
    server = FlightServer(cast(Services, services), "127.0.0.1", 0)
    with flight.connect(f"grpc://127.0.0.1:{server.port}") as client, ThreadPoolExecutor(2) as pool:
        reading = pool.submit(lambda: client.do_get(flight.Ticket(b"select * from stuck")).read_all())
        until(lambda: len(services.engine.running()) == 1)
        stopping = pool.submit(server.stop)
        with pytest.raises(flight.FlightUnavailableError, match="The server is stopping"):
            reading.result(5)
        stopping.result(5)


def test_a_stopping_server_does_not_wait_for_a_reader_that_stalls(services: SimpleNamespace) -> None:
    server = FlightServer(cast(Services, services), "127.0.0.1", 0)
    with flight.connect(f"grpc://127.0.0.1:{server.port}") as client:
        reader = client.do_get(flight.Ticket(b"select * from endless"))
        reader.read_chunk()
        time.sleep(0.5)
        started = time.monotonic()
        server.stop(timeout=1)
        assert time.monotonic() - started < 3
        until(lambda: len(services.engine.running()) == 0)
        with pytest.raises(flight.FlightUnavailableError):
            reader.read_all()


def test_planned_queries_that_nobody_fetches_are_bounded(client: flight.FlightClient, engine: FakeEngine) -> None:
    command = _descriptor(messages.CommandStatementQuery(query="select * from endless"))
    infos = [client.get_flight_info(command) for _ in range(300)]
    alive = [weakref.ref(query) for query in engine.queries]
    engine.queries.clear()
    gc.collect()
    assert sum(query() is not None for query in alive) == MAX_QUERIES
    first = client.do_get(infos[0].endpoints[0].ticket)
    assert first.read_chunk().data.num_rows > 0, "its statement is still known, and is planned again"
    first.cancel()
