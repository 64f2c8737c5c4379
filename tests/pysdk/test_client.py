"""The client: what is asked arrives, every error is one sentence of our tree, results come in three shapes."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pandas
import polars
import pyarrow as pa
import pytest
import tachy
from pyarrow import flight
from tachy.access import Access

from tests.pysdk.fake_flight import FakeFlight
from tests.pysdk.sink import Sink
from tests.serving import Server

TABLE = pa.table({"n": [1, 2, 3], "t": pa.array(["a", "b", None])})


def test_sql_range_and_limit_arrive() -> None:
    with FakeFlight(lambda sql: TABLE) as fake, tachy.connect(fake.uri) as lake:
        long = "SELECT '" + "x" * 300 + "ж'"
        assert lake.query(long) == TABLE
        lake.query("SELECT 1", datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00.000000001Z", limit=7)
        lake.query("SELECT 1", begin=timedelta(hours=-1))
        (first, bare), (_, given), (_, relative) = fake.asked
    assert first == long
    assert not {"query_range_begin", "query_range_end", "limit"} & bare.keys()
    assert given["query_range_begin"] == "2026-01-02T00:00:00Z"
    assert given["query_range_end"] == "2026-01-02T00:00:00.000000001Z"
    assert given["limit"] == "7"
    assert "query_range_end" not in relative


def test_results_come_as_arrow_pandas_polars_and_batches() -> None:
    with FakeFlight(lambda sql: TABLE) as fake, tachy.connect(fake.uri) as lake:
        assert isinstance(lake.query("q"), pa.Table)
        assert isinstance(lake.query("q", as_="pandas"), pandas.DataFrame)
        assert isinstance(lake.query("q", as_="polars"), polars.DataFrame)
        assert lake.query("q", as_="polars").shape == (3, 2)
        assert pa.Table.from_batches(list(lake.query_stream("q"))) == TABLE
        with pytest.raises(tachy.QueryError, match="'arrow', 'pandas' or 'polars', not 'excel'"):
            lake.query("q", as_="excel")  # type: ignore[call-overload]


def test_the_servers_sentence_comes_through_alone() -> None:
    sentence = "There is no table 'logs': did you mean log_entries?"

    def fail(sql: str) -> pa.Table:
        raise {"flight": flight.FlightServerError, "arrow": pa.ArrowInvalid, "key": flight.FlightInternalError}[sql](
            sentence
        )

    with FakeFlight(fail) as fake, tachy.connect(fake.uri) as lake:
        for kind in ("flight", "key"):
            with pytest.raises(tachy.QueryError) as caught:
                lake.query(kind)
            assert str(caught.value) == sentence
            assert caught.value.__cause__ is None


def test_nobody_there_is_one_sentence_that_says_what_to_do() -> None:
    with tachy.connect("grpc://127.0.0.1:9") as lake, pytest.raises(tachy.ServerUnavailable) as caught:
        lake.query("SELECT 1")
    assert str(caught.value) == (
        "no tachy server answers at grpc://127.0.0.1:9 (Connection refused): "
        "start one with `tachy serve`, or name another"
    )


def test_a_server_that_cannot_answer_now_says_why_itself() -> None:
    def fail(sql: str) -> pa.Table:
        raise flight.FlightUnavailableError("The server is stopping")

    stopping = pytest.raises(tachy.ServerUnavailable, match=r"\AThe server is stopping\Z")
    with FakeFlight(fail) as fake, tachy.connect(fake.uri) as lake, stopping:
        lake.query("SELECT 1")


def test_bad_times_and_addresses_are_told_before_anything_is_asked() -> None:
    with pytest.raises(tachy.SettingsError, match="flight_url must be"):
        tachy.connect("127.0.0.1:50051")
    with tachy.connect("grpc://127.0.0.1:9") as lake:
        with pytest.raises(tachy.QueryError, match="begin: 'soon' is not a time"):
            lake.query("SELECT 1", begin="soon")
        with pytest.raises(tachy.QueryError, match="no time zone"):
            lake.query("SELECT 1", end=datetime(2026, 1, 1))


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeFlight(lambda sql: TABLE) as fake:
        monkeypatch.setenv("TACHY_FLIGHT_URL", fake.uri)
        with tachy.connect() as lake:
            assert lake.query("q").num_rows == 3


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.flight", None)
    with pytest.raises(tachy.MissingExtra, match=r"pip install 'tachy\[notebook\]'"):
        tachy.connect()


def test_processes_are_found_by_id_prefix_and_latest() -> None:
    known = [UUID(int=0xAB << 120 | 1), UUID(int=0xAB << 120 | 2), UUID(int=0xCD << 120)]

    def answer(sql: str) -> pa.Table:
        if "LIKE" in sql:
            prefix = sql.split("'")[1].rstrip("%")
            return pa.table({"process_id": [str(one) for one in known if str(one).startswith(prefix)][:2]})
        return pa.table({"process_id": [str(known[0])]})

    with FakeFlight(answer) as fake, tachy.connect(fake.uri) as lake:
        assert lake.find_process(" CD ") == known[2]
        assert lake.find_process("latest") == known[0]
        whole = uuid4()
        assert lake.find_process(str(whole)) == whole
        for text, said in (("ab", "more than one process"), ("ee", "no process has"), ("x' OR '1", "no process id")):
            with pytest.raises(tachy.NotFound, match=said):
                lake.find_process(text)


@pytest.mark.xdist_group("server")
def test_what_python_records_is_what_sql_counts(server: Server, tmp_path: Path) -> None:
    me = tachy.start(server.http, properties={"map": "e1m1"})
    for index in range(1000):
        with tachy.span("outer"), tachy.span("inner"):
            tachy.metric("index", index, unit="n", properties={"even": index % 2 == 0})
        if index % 10 == 0:
            tachy.log("info", f"index {index}")
    with tachy.async_span("async"):
        pass
    tachy.stop()
    stats = tachy.stats()
    assert stats.dropped == {"log": 0, "metric": 0, "span": 0}
    assert stats.sent == stats.recorded
    with tachy.connect(server.flight, url=server.http) as lake:
        mine = f"WHERE process_id = '{me}'"

        def count(view: str, more: str = "") -> int:
            return int(lake.query(f"SELECT count(*) AS n FROM {view} {mine} {more}").column(0)[0].as_py())

        assert count("log_entries") == stats.recorded["log"] == 100
        assert count("measures") == stats.recorded["metric"] == 1000
        assert count("thread_spans", "AND NOT is_open") + count("async_events") == stats.recorded["span"] == 2002
        assert lake.find_process(str(me)[:13]) == me
        found = lake.processes(1000)
        assert str(me) in found.column("process_id").to_pylist()
        packed = lake.trace(str(me)[:13], str(tmp_path / "t.perfetto-trace"), begin="-1h", compressed=True)
        size = lake.trace(str(me)[:13], str(tmp_path / "t.perfetto-trace"), begin="-1h")
        assert packed < size
        assert size == (tmp_path / "t.perfetto-trace").stat().st_size > 1000
        assert list(tmp_path.iterdir()) == [tmp_path / "t.perfetto-trace"]
        with pytest.raises(tachy.NotFound):
            lake.trace(uuid4(), str(tmp_path / "none"))
        with pytest.raises(tachy.QueryError) as caught:
            lake.query("SELECT nothing FROM nowhere")
        assert "\n" not in str(caught.value)
        assert "Traceback" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "t.perfetto-trace"]


def test_a_trace_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    from tachy.traces import download

    with Sink() as sink, pytest.raises(tachy.QueryError, match="501"):
        download(sink.url, [uuid4()], str(tmp_path / "t"), access=Access())
    with pytest.raises(tachy.ServerUnavailable, match="tachy serve"):
        download("http://127.0.0.1:9", [uuid4()], str(tmp_path / "t"), access=Access())
    assert list(tmp_path.iterdir()) == []
