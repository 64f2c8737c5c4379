"""Arrow FlightSQL on pyarrow.flight: SQL, prepared statements and metadata for ADBC, JDBC and the Micromegas client.

The headers query_range_begin, query_range_end, limit and preserve_dictionary of any call bound what its statements see.
Nobody is asked who he is: any credentials pass. Errors reach a client as one sentence, without a traceback or a path.
To check: pytest tests/wire.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import flight
from tachy_server import flight_metadata as metadata
from tachy_server import flightsql as messages
from tachy_server.connections import drop_connections
from tachy_server.errors import QueryError, StoreError, TachyError
from tachy_server.parameters import bound
from tachy_server.placeholders import number_placeholders
from tachy_server.protobuf import Message, encode
from tachy_server.running import STOPPING, Running, forget_frames
from tachy_server.slices import has_dictionary, pieces
from tachy_server.statement_size import check_statement_size
from tachy_server.statements import MAX_QUERIES, PREPARED_PREFIX, TICKET_PREFIX, Handles, Planned, Prepared, Range
from tachy_server.times import parse_time

if TYPE_CHECKING:
    from tachy_server.query import Query
    from tachy_server.services import Services

log = logging.getLogger(__name__)

READ_ONLY = (
    "This server is read-only over FlightSQL: send SELECT statements here, and events to POST /ingest/v1/batch, "
    "as the SDKs do"
)
_PREPARED = re.compile(rb"/\* tachy:([0-9a-f]{32}) \*/ ")
_ACTIONS = {
    "CreatePreparedStatement": "Plan a statement; takes ActionCreatePreparedStatementRequest.",
    "ClosePreparedStatement": "Forget a prepared statement; takes ActionClosePreparedStatementRequest.",
    "CancelFlightInfo": "Stop the query of a FlightInfo; takes CancelFlightInfoRequest.",
    "CancelQuery": "Stop the query of a FlightInfo; takes ActionCancelQueryRequest.",
    "GetSessionOptions": "The catalog and the schema that names are looked up in; they are fixed.",
    "CloseSession": "Nothing to close: there are no sessions.",
}
_FORBIDDEN_ACTIONS = ("BeginTransaction", "EndTransaction", "BeginSavepoint", "EndSavepoint")


class _Headers(flight.ServerMiddleware):  # type: ignore[misc]
    """The headers of one call; credentials are answered with a token, for drivers that insist on one."""

    def __init__(self, headers: dict[str, list[str | bytes]]) -> None:
        self.headers = headers

    def sending_headers(self) -> dict[str, str]:
        given = self.headers.get("authorization")
        return {"authorization": "Bearer none"} if given and str(given[0]).startswith("Basic ") else {}


class _HeadersFactory(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    def start_call(self, info: flight.CallInfo, headers: dict[str, list[str | bytes]]) -> _Headers:
        return _Headers({name.lower(): values for name, values in headers.items()})


class _Anybody(flight.ServerAuthHandler):  # type: ignore[misc]
    """Lets everybody in, with or without a handshake."""

    def authenticate(self, outgoing: flight.ServerAuthSender, incoming: flight.ServerAuthReader) -> None:
        outgoing.write(b"none")

    def is_valid(self, token: bytes) -> bytes:
        return b""


class FlightServer(flight.FlightServerBase):  # type: ignore[misc]
    """Listens from the moment it is made, on gRPC's own threads; `port` is the one it got (0 takes any free one)."""

    def __init__(self, services: Services, host: str, port: int) -> None:
        if services.engine is None:
            raise QueryError("FlightSQL needs the role query; add it to --role.")
        self._engine = services.engine
        self._planned: Handles[Planned] = Handles()
        self._waiting: deque[Planned] = deque(maxlen=MAX_QUERIES)
        self._prepared: Handles[Prepared] = Handles()
        self._running = Running()
        super().__init__(
            f"grpc://[{host}]:{port}" if ":" in host else f"grpc://{host}:{port}",
            auth_handler=_Anybody(),
            middleware={"headers": _HeadersFactory()},
        )

    def stop(self, timeout: float = 2.0) -> None:
        """Stop running queries and listening; who still does not read after `timeout` seconds loses the connection."""
        self._running.close()
        stopping = threading.Thread(target=self.shutdown, name="tachy-flight-stop", daemon=True)
        stopping.start()
        stopping.join(timeout)
        if stopping.is_alive():
            drop_connections(self.port)
            stopping.join(timeout)

    # --- queries ---------------------------------------------------------------------------------------------------

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """The schema of a command's answer and the ticket for it."""
        with _one_sentence():
            command = self._command(descriptor)
            schema = metadata.schema_of(command)
            if schema is not None:
                ticket = descriptor.command
            else:
                planned = self._plan(command, _range(context))
                assert planned.query is not None
                schema = planned.query.schema
                ticket = messages.pack(messages.TicketStatementQuery(self._keep(planned)))
            endpoint = flight.FlightEndpoint(flight.Ticket(ticket), [])
            return flight.FlightInfo(schema, descriptor, [endpoint], -1, -1)

    def get_schema(self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor) -> flight.SchemaResult:
        """The schema of a command's answer."""
        with _one_sentence():
            command = self._command(descriptor)
            schema = metadata.schema_of(command)
            if schema is None:
                planned = self._plan(command, _range(context))
                assert planned.query is not None
                schema = planned.query.schema
            return flight.SchemaResult(schema)

    def do_get(self, context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.FlightDataStream:
        """The rows of a ticket: one of ours, a packed command, or SQL itself as the Micromegas client sends it."""
        with _one_sentence():
            bounds = _range(context)
            command = messages.unpack_command(ticket.ticket)
            if command is None:
                command = messages.CommandStatementQuery(_utf8(ticket.ticket))
            if metadata.schema_of(command) is not None:
                table = metadata.answer(command, self._engine, preserve_dictionary=bounds.preserve_dictionary)
                return flight.RecordBatchStream(table)
            handle: bytes | None = None
            if isinstance(command, messages.TicketStatementQuery):
                handle = command.statement_handle
                if handle.startswith(TICKET_PREFIX):
                    return self._stream(context, self._take(handle), handle)
                command = messages.CommandStatementQuery(_utf8(handle))
            query = self._plan(command, bounds).query
            assert query is not None
            return self._stream(context, query, handle)

    def _command(self, descriptor: flight.FlightDescriptor) -> Message:
        if descriptor.descriptor_type != flight.DescriptorType.CMD:
            raise QueryError("This server has no paths; send SQL as a CommandStatementQuery.")
        command = messages.unpack_command(descriptor.command)
        return messages.CommandStatementQuery(_utf8(descriptor.command)) if command is None else command

    def _plan(self, command: Message, bounds: Range) -> Planned:
        match command:
            case messages.CommandStatementQuery(query=sql):
                return self._plan_sql(sql, bounds, None)
            case messages.CommandPreparedStatementQuery(prepared_statement_handle=handle):
                prepared = self._find_prepared(handle)
                if prepared is None:
                    return self._plan_sql(_utf8(handle), bounds, None)
                with prepared.lock:
                    parameters = prepared.parameters
                if parameters is None:
                    raise QueryError(f"The statement takes {prepared.count} parameters, and none were bound to it.")
                return self._plan_sql(prepared.sql, bounds, parameters)
            case messages.CommandStatementUpdate() | messages.CommandPreparedStatementUpdate():
                raise QueryError(READ_ONLY)
            case messages.CommandStatementIngest():
                raise QueryError(READ_ONLY)
        raise QueryError(f"A {type(command).__name__} names no rows; send SQL as a CommandStatementQuery.")

    def _plan_sql(self, sql: str, bounds: Range, parameters: tuple[pa.Scalar, ...] | None) -> Planned:
        if parameters is None:
            _, count = number_placeholders(sql)
            if count:
                raise QueryError(f"The statement takes {count} parameters; prepare it and bind them.")
        return Planned(sql, bounds, parameters, self._query(sql, bounds, parameters))

    def _query(self, sql: str, bounds: Range, parameters: tuple[pa.Scalar, ...] | None) -> Query:
        check_statement_size(sql)
        return self._engine.plan(
            sql,
            begin=bounds.begin,
            end=bounds.end,
            limit=bounds.limit,
            parameters=parameters,
            preserve_dictionary=bounds.preserve_dictionary,
        )

    def _keep(self, planned: Planned) -> bytes:
        """A handle for a statement, whose query is kept for a while too."""
        if len(self._waiting) == self._waiting.maxlen:
            with suppress(IndexError):  # another call was faster
                self._waiting.popleft().take()
        self._waiting.append(planned)
        return TICKET_PREFIX + self._planned.add(planned)

    def _take(self, handle: bytes) -> Query:
        """The query of a handle: the one planned with it, the first time; planned anew for whoever comes again."""
        planned = self._planned.get(handle.removeprefix(TICKET_PREFIX))
        return planned.take() or self._query(planned.sql, planned.range, planned.parameters)

    def _stream(self, context: flight.ServerCallContext, query: Query, handle: bytes | None) -> flight.GeneratorStream:
        # A RecordBatchReader would leak the traceback of an error on the way; a GeneratorStream passes Flight's own
        # errors as they are, and carries dictionaries when each batch is a stream of its own.
        nested = has_dictionary(query.schema)

        def batches() -> Iterator[Any]:
            with _one_sentence(), self._running.watch(query, context.is_cancelled, handle) as run:
                try:
                    with closing(_iterate(query)) as source:
                        for batch in source:
                            for piece in pieces(batch):
                                if run.reason is not None:
                                    break
                                table = pa.Table.from_batches([piece]) if nested else piece
                                yield flight.RecordBatchStream(table) if nested else piece
                            if run.reason is not None:
                                break
                except TachyError as error:
                    if run.reason is None:
                        raise
                    forget_frames(error)
                if run.reason is not None:
                    # Not FlightCancelledError: pyarrow's clients turn that into a KeyboardInterrupt of their program.
                    kind = flight.FlightUnavailableError if run.reason == STOPPING else flight.FlightServerError
                    raise kind(run.reason)

        return flight.GeneratorStream(query.schema, batches())

    # --- prepared statements and refusals ---------------------------------------------------------------------------

    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Bind one row of parameters to a prepared statement; anything that would write is refused."""
        with _one_sentence():
            command = self._command(descriptor)
            if not isinstance(command, messages.CommandPreparedStatementQuery):
                raise QueryError(READ_ONLY)
            handle = command.prepared_statement_handle
            table = reader.read_all()
            prepared = self._find_prepared(handle)
            count = 0 if prepared is None else prepared.count
            if table.num_columns != count:
                raise QueryError(f"The statement takes {count} parameters, and {table.num_columns} were bound to it.")
            if prepared is not None:
                if table.num_rows != 1:
                    raise QueryError(f"Bind one row of parameters to a query at a time, not {table.num_rows}.")
                with prepared.lock:
                    prepared.parameters = tuple(bound(column) for column in table.columns)
            writer.write(pa.py_buffer(encode(messages.DoPutPreparedStatementResult(handle))))

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> list[bytes]:
        """One of `list_actions`; bodies may be bare or wrapped in Any."""
        with _one_sentence():
            body = action.body.to_pybytes()
            match action.type:
                case "CreatePreparedStatement":
                    request = messages.unpack(messages.ActionCreatePreparedStatementRequest, body)
                    return [self._prepare(request.query, _range(context))]
                case "ClosePreparedStatement":
                    close = messages.unpack(messages.ActionClosePreparedStatementRequest, body)
                    if match := _PREPARED.match(close.prepared_statement_handle):
                        self._prepared.discard(match[1])
                    return []
                case "CancelFlightInfo":
                    info = messages.unpack(messages.CancelFlightInfoRequest, body).info
                    return [encode(messages.CancelFlightInfoResult(self._cancel(info)))]
                case "CancelQuery":
                    info = messages.unpack(messages.ActionCancelQueryRequest, body).info
                    return [messages.pack(messages.ActionCancelQueryResult(self._cancel(info)))]
                case "GetSessionOptions":
                    options = {"catalog": metadata.CATALOG, "schema": metadata.SCHEMA}
                    return [encode(messages.session_options(options))]
                case "CloseSession":
                    return [encode(messages.CloseSessionResult(messages.CLOSE_STATUS_CLOSED))]
            if action.type in _FORBIDDEN_ACTIONS:
                raise QueryError("This server has no transactions: it is read-only, and every statement stands alone.")
            raise QueryError(f"There is no action {action.type!r}; list_actions names those that there are.")

    def list_actions(self, context: flight.ServerCallContext) -> list[tuple[str, str]]:
        """Names and descriptions."""
        return list(_ACTIONS.items())

    def list_flights(self, context: flight.ServerCallContext, criteria: bytes) -> list[flight.FlightInfo]:
        """None: tables are listed by CommandGetTables."""
        return []

    def do_exchange(self, context: flight.ServerCallContext, *_arguments: object) -> None:
        """Refused."""
        raise flight.FlightServerError(READ_ONLY)

    def _prepare(self, sql: str, bounds: Range) -> bytes:
        numbered, count = number_placeholders(sql)
        query = self._query(numbered, bounds, None)
        handle = sql.encode()
        if count:
            handle = PREPARED_PREFIX + self._prepared.add(Prepared(numbered, count)) + b" */ " + handle
        result = messages.ActionCreatePreparedStatementResult(
            prepared_statement_handle=handle,
            dataset_schema=query.schema.serialize().to_pybytes(),
            parameter_schema=query.parameter_schema.serialize().to_pybytes(),
        )
        return messages.pack(result)

    def _find_prepared(self, handle: bytes) -> Prepared | None:
        """The statement of a handle; None for one without parameters, whose handle is its SQL."""
        match = _PREPARED.match(handle)
        return self._prepared.get(match[1]) if match else None

    def _cancel(self, info: bytes) -> int:
        try:
            tickets = [endpoint.ticket.ticket for endpoint in flight.FlightInfo.deserialize(info).endpoints]
        except (pa.ArrowException, flight.FlightError, OSError):
            raise QueryError("The request holds no FlightInfo to cancel.") from None
        stopped = False
        for ticket in tickets:
            command = messages.unpack_command(ticket)
            if isinstance(command, messages.TicketStatementQuery):
                handle = command.statement_handle
                stopped |= self._running.cancel(handle)
                if handle.startswith(TICKET_PREFIX):
                    self._planned.discard(handle.removeprefix(TICKET_PREFIX))
                    stopped = True
        return messages.CANCEL_STATUS_CANCELLED if stopped else messages.CANCEL_STATUS_NOT_CANCELLABLE


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Errors become Flight's own, whose text is all that a client gets; the unexpected ones go to the log."""
    try:
        yield
    except flight.FlightError:
        raise
    except StoreError as error:
        forget_frames(error)
        raise flight.FlightUnavailableError(_line(error)) from None
    except TachyError as error:
        forget_frames(error)
        raise flight.FlightServerError(_line(error)) from None
    except Exception:
        log.exception("a FlightSQL call failed")
        raise flight.FlightInternalError("The server failed to answer; its log says why") from None


def _line(error: Exception) -> str:
    """One line without its full stop: Arrow goes on with ". Detail: …"."""
    return " ".join(str(error).split()).removesuffix(".")


def _iterate(query: Query) -> Generator[pa.RecordBatch, None, None]:
    yield from query.batches()


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise QueryError("A ticket or command must be a FlightSQL message, or SQL as UTF-8 text.") from None


def _range(context: flight.ServerCallContext) -> Range:
    """What the call's headers ask for. QueryError when one of them cannot be read."""
    headers = context.get_middleware("headers").headers

    def text(name: str) -> str | None:
        values = headers.get(name)
        return str(values[-1]) if values and values[-1] else None

    begin, end, limit = text("query_range_begin"), text("query_range_end"), text("limit")
    if limit is not None and not re.fullmatch(r"\d{1,18}", limit):
        raise QueryError(f"The header limit must be a whole number of rows, 0 or more, not {limit!r}.")
    preserve = (text("preserve_dictionary") or "false").lower()
    if preserve not in ("true", "false", "1", "0"):
        raise QueryError(f"The header preserve_dictionary must be true or false, not {preserve!r}.")
    return Range(
        begin=None if begin is None else parse_time(begin),
        end=None if end is None else parse_time(end),
        limit=None if limit is None else int(limit),
        preserve_dictionary=preserve in ("true", "1"),
    )
