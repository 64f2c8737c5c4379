"""Every type that SQL can make reaches clients, announced as it comes, as plain text at every depth, in any size."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pyarrow as pa
import pytest
from pyarrow import flight
from tachy_server.base.message_sizes import MESSAGE_BYTES
from tachy_server.base.settings import Settings
from tachy_server.flight import messages
from tachy_server.flight.messages import ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult
from tachy_server.query.engine import QueryEngine

from tests.query.conftest import World, play
from tests.query.fake_lake import FakeLake, FakeMetadata

DICTIONARY = pa.dictionary(pa.int32(), pa.utf8())
NAMES = [  # expression over a dictionary column, and its type with {} for the column's
    ("target", lambda text: text),
    ("[target]", pa.list_),
    ("[[target]]", lambda text: pa.list_(pa.list_(text))),
    ("array_agg(target)", pa.list_),
    ("named_struct('n', target, 'l', [target])", lambda text: pa.struct({"n": text, "l": pa.list_(text)})),
    ("[named_struct('n', target)]", lambda text: pa.list_(pa.struct({"n": text}))),
    ("map([target], [target])", lambda text: pa.map_(text, text)),
    ("map(['k'], [[target]])", lambda text: pa.map_(pa.utf8(), pa.list_(text))),
    ("arrow_cast([target, target], 'FixedSizeList(2, Dictionary(Int32, Utf8))')", lambda text: pa.list_(text, 2)),
    ("arrow_cast([target], 'LargeList(Dictionary(Int32, Utf8View))')", pa.large_list),
    ("arrow_cast(target, 'Dictionary(Int32, Utf8View)')", lambda text: text),
    ("[arrow_cast(target, 'Dictionary(Int32, LargeUtf8)')]", pa.list_),
]
TEXTS = [
    "string_agg(target, ',')",
    "arrow_cast(target, 'LargeUtf8')",
    "arrow_cast(target, 'Utf8View')",
    "named_struct('n', arrow_cast(target, 'LargeUtf8'))['n']",
]
LARGE = [
    "map(['a'], [value])",
    "map([value], [map(['k'], [[value, value]])])",
    "named_struct('n', value, 't', ['some text', NULL])",
    "[named_struct('n', value, 't', 'some text')]",
    "NULL",
    "[NULL]",
    "cast(value as decimal(30, 3))",
    "interval '1 month 3 days'",
    "arrow_cast([value, value], 'FixedSizeList(2, Int64)')",
    "[value > 3, NULL]",
    "cast('10:00:00' as time)",
    "cast('2026-01-01' as date)",
    "arrow_cast(value, 'Duration(Second)')",
    "arrow_cast('abc', 'Binary')",
    "arrow_cast('abc', 'BinaryView')",
    "arrow_cast(value, 'Float16')",
]


@pytest.fixture(scope="module")
def engine() -> QueryEngine:
    """The real one."""
    lake = FakeLake()
    made = QueryEngine(lake, Settings(), FakeMetadata(lake))
    play(World(lake, made), processes=1, blocks=1)
    return made


@pytest.fixture
def client(uri: str) -> Iterator[flight.FlightClient]:
    with flight.connect(uri) as client:
        yield client


def _answer(client: flight.FlightClient, sql: str, preserve: bool = False) -> tuple[pa.Table, list[int]]:
    """The rows, and the sizes of the messages that they came in."""
    options = flight.FlightCallOptions(headers=[(b"preserve_dictionary", str(preserve).encode())])
    descriptor = flight.FlightDescriptor.for_command(sql.encode())
    info = client.get_flight_info(descriptor, options)
    reader = client.do_get(info.endpoints[0].ticket, options)
    batches = [chunk.data for chunk in reader]
    assert reader.schema == info.schema == client.get_schema(descriptor, options).schema
    body = messages.pack(ActionCreatePreparedStatementRequest(query=sql))
    (result,) = client.do_action(flight.Action("CreatePreparedStatement", body), options)
    prepared = messages.unpack(ActionCreatePreparedStatementResult, result.body.to_pybytes())
    assert pa.ipc.read_schema(pa.py_buffer(prepared.dataset_schema)) == info.schema
    return pa.Table.from_batches(batches, info.schema), [pa.ipc.get_record_batch_size(batch) for batch in batches]


def _untold(kind: pa.DataType) -> str:
    """A type without what says which of its values may be null."""
    return str(kind).replace(" not null", "")


@pytest.mark.parametrize(("expression", "kind"), NAMES, ids=[expression for expression, _ in NAMES])
def test_text_is_plain_at_every_depth_unless_dictionaries_are_asked_for(
    client: flight.FlightClient, http: httpx.Client, expression: str, kind: object
) -> None:
    assert callable(kind)
    sql = f"SELECT {expression} AS x FROM measures"
    plain, _ = _answer(client, sql)
    kept, _ = _answer(client, sql, preserve=True)
    assert _untold(plain.schema.field("x").type) == _untold(kind(pa.utf8()))
    assert _untold(kept.schema.field("x").type) == _untold(kind(DICTIONARY))
    assert "dictionary<" in str(kept.schema)
    assert sorted(map(str, plain["x"].to_pylist())) == sorted(map(str, kept["x"].to_pylist())) != []
    for preserve, table in ((False, plain), (True, kept)):
        body = {"sql": sql, "format": "arrow", "preserve_dictionary": preserve}
        assert pa.ipc.open_stream(http.post("/api/query", json=body).content).schema == table.schema
    answer = http.post("/api/query", json={"sql": sql}).json()
    assert answer["schema"][0]["type"] == str(plain.schema.field("x").type)
    assert answer["row_count"] == plain.num_rows


@pytest.mark.parametrize("expression", TEXTS)
@pytest.mark.parametrize("preserve", [False, True])
def test_large_text_and_views_of_it_are_text(client: flight.FlightClient, expression: str, preserve: bool) -> None:
    table, _ = _answer(client, f"SELECT {expression} AS x FROM measures", preserve)
    assert table.schema.field("x").type == pa.utf8()
    assert "".join(table["x"].to_pylist()).strip(",") == ""


@pytest.mark.parametrize("expression", LARGE)
def test_every_type_comes_whole_in_more_than_one_message(client: flight.FlightClient, expression: str) -> None:
    sql = f"SELECT {expression} AS x, value AS n FROM generate_series(1, 9000) ORDER BY n"
    table, sizes = _answer(client, sql)
    assert table["n"].to_pylist() == list(range(1, 9001))
    assert table["x"].null_count == (9000 if expression == "NULL" else 0)
    assert len(sizes) > 1


@pytest.mark.parametrize(
    "expression", ["t", "[t]", "[t, t]", "map(['a'], [t])", "named_struct('a', t)", "[named_struct('a', [t])]"]
)
def test_rows_of_every_type_are_cut_into_messages_that_clients_take(
    client: flight.FlightClient, expression: str
) -> None:
    sql = f"SELECT {expression} AS x FROM (SELECT repeat('x', 100000 + value) AS t FROM generate_series(1, 60))"
    table, sizes = _answer(client, sql)
    assert table.num_rows == 60
    assert len(sizes) > 2
    assert max(sizes) < MESSAGE_BYTES + 250_000


def test_nested_values_are_json_too(http: httpx.Client) -> None:
    sql = """SELECT map(['a', 'b'], [1, NULL]) AS m, named_struct('n', 'x', 'l', [1, NULL]) AS s, [] AS e,
        [named_struct('m', map([1], ['y']))] AS l, arrow_cast('z', 'Utf8View') AS v, NULL AS o"""
    row = json.loads(http.post("/api/query", json={"sql": sql}).content)["rows"][0]
    assert row == [[["a", 1], ["b", None]], {"n": "x", "l": [1, None]}, [], [{"m": [[1, "y"]]}], "z", None]
