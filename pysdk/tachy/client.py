"""Asking the lake: `tachy.connect().query(sql)` over Arrow FlightSQL, traces over HTTP.

Needs pyarrow, which the extra [notebook] brings; it is imported by `connect`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload
from uuid import UUID

from tachy import access, aside, settings
from tachy.answers import is_local
from tachy.errors import MissingExtra, NotFound, QueryError, ServerUnavailable
from tachy.flightsql import cancel_info, statement
from tachy.times import TimeLike, format_time, parse_time

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

Progress = Callable[[int], None]  # bytes so far

CANCEL_TIMEOUT = 5.0  # seconds

# What Arrow puts behind a message. A traceback comes from servers other than ours.
_DETAIL = re.compile(r"\. Detail: (?:[A-Za-z]+|Python exception: .*)\Z", re.DOTALL)
_UNREACHED = "Flight returned "  # Arrow's words when it was not a server that answered
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _flight() -> Any:
    try:
        import pyarrow.flight
    except ImportError as error:
        raise MissingExtra(f"queries need pyarrow ({error}): pip install 'tachy[notebook]'") from None
    return pyarrow.flight


def time_argument(name: str, value: TimeLike | None) -> int | None:
    """UTC nanoseconds of a query's bound; QueryError for what is no time."""
    if value is None:
        return None
    try:
        return parse_time(value)
    except ValueError as error:
        raise QueryError(f"{name}: {error}") from None


def sentence(error: BaseException) -> str:
    """The server's own sentence, out of what gRPC and pyarrow put around it."""
    text = re.split(r"\. (?:gRPC client debug context|Client context): ", str(error).strip())[0]
    text = _DETAIL.sub("", text)
    return " ".join(text.split()) or type(error).__name__


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    """Turns what pyarrow raises into our tree."""
    flight = _flight()
    import pyarrow as pa

    try:
        yield
    except (flight.FlightUnavailableError, flight.FlightTimedOutError) as error:
        said = sentence(error)
        if not said.startswith(_UNREACHED):  # the server's own words: it is stopping, or its store is away
            raise ServerUnavailable(said) from None
        why = said.rsplit(": ", 1)[-1].rstrip("]")
        raise ServerUnavailable(
            f"no tachy server answers at {uri} ({why}): start one with `tachy serve`, or name another"
        ) from None
    except (pa.ArrowException, flight.FlightError, OSError, KeyError, ValueError) as error:
        raise QueryError(sentence(error)) from None


def process_id(text: str) -> UUID | None:
    """The UUID, if the text is a whole one."""
    text = text.strip().lower()
    return UUID(text) if _UUID.fullmatch(text) else None


class Connection:
    """To one server. A context manager; may be shared by threads. Made by `tachy.connect`."""

    def __init__(self, uri: str, url: str, given: access.Access) -> None:
        flight = _flight()
        self.uri = uri
        self.url = url
        self._access = given
        self._headers = [(name.encode(), value.encode()) for name, value in given.headers().items()]
        with _explained(uri):
            # a proxy of the environment is for the network, not for this machine
            self._client = flight.FlightClient(
                uri,
                tls_root_certs=given.certificates(),
                generic_options=[("grpc.enable_http_proxy", int(not is_local(uri)))],
            )

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; queries that run fail."""
        self._client.close()

    def open(
        self, sql: str, begin: TimeLike | None = None, end: TimeLike | None = None, *, limit: int | None = None
    ) -> Stream:
        """Starts a query. Returns its stream: a schema, and record batches as the server makes them."""
        first, last = time_argument("begin", begin), time_argument("end", end)
        headers = list(self._headers)
        if first is not None:
            headers.append((b"query_range_begin", format_time(first).encode()))
        if last is not None:
            headers.append((b"query_range_end", format_time(last).encode()))
        if limit is not None:
            headers.append((b"limit", str(limit).encode()))
        flight = _flight()
        options = flight.FlightCallOptions(headers=headers)
        infos: list[Any] = []
        given_up: list[bool] = []

        def start() -> Stream:
            info = self._client.get_flight_info(flight.FlightDescriptor.for_command(statement(sql)), options)
            if len(info.endpoints) != 1:
                raise QueryError(f"the server answered with {len(info.endpoints)} parts where one was expected")
            infos.append(info)
            if given_up:
                raise QueryError("the query was given up")
            stream = Stream(self._client.do_get(info.endpoints[0].ticket, options), self.uri)
            if given_up:
                stream.cancel()
            return stream

        def cancel() -> None:
            """The stream is the server's still: it has not begun to answer."""
            action = flight.Action("CancelFlightInfo", cancel_info(infos[0].serialize()))
            quick = flight.FlightCallOptions(timeout=CANCEL_TIMEOUT, headers=self._headers)
            for _ in self._client.do_action(action, quick):
                pass

        def give_up() -> None:
            given_up.append(True)
            if infos:
                aside.leave(cancel)

        with _explained(self.uri):
            return aside.run(start, give_up)

    def query_stream(
        self, sql: str, begin: TimeLike | None = None, end: TimeLike | None = None, *, limit: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The record batches of a query's result, as they arrive. Arguments and errors as in `query`."""
        with self.open(sql, begin, end, limit=limit) as stream:
            yield from stream

    @overload
    def query(
        self,
        sql: str,
        begin: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        limit: int | None = None,
        as_: Literal["arrow"] = "arrow",
    ) -> pa.Table: ...
    @overload
    def query(
        self,
        sql: str,
        begin: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        limit: int | None = None,
        as_: Literal["pandas"],
    ) -> pandas.DataFrame: ...
    @overload
    def query(
        self,
        sql: str,
        begin: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        limit: int | None = None,
        as_: Literal["polars"],
    ) -> polars.DataFrame: ...
    def query(
        self,
        sql: str,
        begin: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        limit: int | None = None,
        as_: Literal["arrow", "pandas", "polars"] = "arrow",
    ) -> Any:
        """Answers SQL.

        begin, end: what the views are narrowed to, in addition to the SQL's own conditions; anything that
        `tachy.times.parse_time` takes. limit: the most rows that are returned. as_: "arrow" for a pyarrow.Table,
        "pandas" or "polars" for a DataFrame. Raises QueryError with the server's sentence, ServerUnavailable when
        nobody answers, MissingExtra when the library asked for is not installed.
        """
        if as_ not in ("arrow", "pandas", "polars"):
            raise QueryError(f"as_ is 'arrow', 'pandas' or 'polars', not {as_!r}")
        with self.open(sql, begin, end, limit=limit) as stream:
            table = stream.read_all()
        if as_ == "arrow":
            return table
        try:
            if as_ == "pandas":
                return table.to_pandas()
            import polars
        except ImportError as error:
            raise MissingExtra(f"as_={as_!r} needs {as_} ({error}): pip install {as_}") from None
        return polars.from_arrow(table)

    def processes(self, limit: int = 50) -> pa.Table:
        """The latest processes, newest first: process_id, start_time, exe, computer, username, end_state."""
        return self.query(
            "SELECT process_id, start_time, exe, computer, username, end_state FROM processes "
            f"ORDER BY insert_time DESC, start_time DESC LIMIT {int(limit)}"
        )

    def find_process(self, text: str) -> UUID:
        """The process whose id is `text`, or begins with it, or the latest one for "latest". NotFound otherwise."""
        whole = process_id(text)
        if whole is not None:
            return whole
        text = text.strip().lower()
        if text == "latest":
            found = self.query("SELECT process_id FROM processes ORDER BY insert_time DESC, start_time DESC LIMIT 1")
            if found.num_rows == 0:
                raise NotFound("the lake has no processes yet")
            return UUID(str(found.column(0)[0]))
        if not re.fullmatch(r"[0-9a-f-]{1,36}", text):
            raise NotFound(f"{text!r} is no process id: `tachy processes` lists them")
        found = self.query(f"SELECT process_id FROM processes WHERE process_id LIKE '{text}%' LIMIT 2")
        if found.num_rows != 1:
            many = "more than one process" if found.num_rows else "no process"
            raise NotFound(f"{many} has an id that begins with {text}: `tachy processes` lists them")
        return UUID(str(found.column(0)[0]))

    def trace(
        self,
        process_ids: str | UUID | Sequence[str | UUID],
        path: str,
        begin: TimeLike | None = None,
        end: TimeLike | None = None,
        *,
        progress: Progress | None = None,
        compressed: bool = False,
    ) -> int:
        """Writes the Perfetto trace of one or several processes, on one clock, to a file. Returns its size in bytes.

        `compressed` is a quarter of that, made more slowly: Perfetto opens it as it is.
        """
        from tachy.traces import download

        ids = [process_ids] if isinstance(process_ids, str | UUID) else list(process_ids)
        found = [one if isinstance(one, UUID) else self.find_process(one) for one in ids]
        who = self._access
        return download(self.url, found, path, begin, end, access=who, progress=progress, compressed=compressed)


class Stream:
    """A running query: `schema`, iteration over record batches, `read_all`, `cancel`. A context manager."""

    def __init__(self, reader: Any, uri: str) -> None:
        self._reader = reader
        self._uri = uri
        with _explained(uri):
            self.schema: pa.Schema = reader.schema

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.cancel()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            with _explained(self._uri):
                chunk = aside.run(self._read_chunk, self.cancel)
                if chunk is None:
                    return
            yield chunk

    def _read_all(self) -> pa.Table:
        import pyarrow as pa

        # not the reader's read_all, which interrupts the whole program when it is cancelled
        return pa.Table.from_batches(list(iter(self._read_chunk, None)), self.schema)

    def _read_chunk(self) -> pa.RecordBatch | None:
        try:
            return self._reader.read_chunk().data
        except StopIteration:
            return None

    def read_all(self) -> pa.Table:
        """The rest of the result."""
        with _explained(self._uri):
            return aside.run(self._read_all, self.cancel)

    def cancel(self) -> None:
        """Tells the server that nobody waits any more."""
        self._reader.cancel()


def connect(
    uri: str | None = None, *, url: str | None = None, token: str | None = None, ca: str | None = None
) -> Connection:
    """A connection to the server's FlightSQL port.

    uri: grpc://127.0.0.1:50051 by default, or the environment's TACHY_FLIGHT_URL; grpc+tls://… for TLS. url: the
    server's HTTP port, for traces; TACHY_URL, or http://127.0.0.1:9000. token: a key of the server; TACHY_KEY. ca: a
    file of certificates (PEM) to trust in the place of the system's; TACHY_CA. Nothing is sent yet.
    """
    given = access.resolve(token, ca)
    return Connection(settings.resolve("flight_url", uri), settings.resolve("url", url), given)
