"""Arrow FlightSQL over gRPC: SQL, prepared statements and metadata for ADBC, JDBC and the Micromegas client.

The headers query_range_begin, query_range_end, limit and preserve_dictionary of any call bound what its statements see.
A key may come as bearer token, or as the password of Basic, which is answered with that token. Errors reach a client
as a gRPC status and one sentence.
To check: pytest tests/wire.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from google.protobuf.message import Message

from tachy_server.access.limits import visible_to
from tachy_server.base.errors import Cancelled, NotFound, QueryError, StoreError
from tachy_server.base.settings import Address
from tachy_server.base.times import parse_time
from tachy_server.flight import data, messages, metadata, service
from tachy_server.flight.messages import decode, encode
from tachy_server.flight.statements import (
    MAX_QUERIES,
    PREPARED_PREFIX,
    TICKET_PREFIX,
    Handles,
    Planned,
    Prepared,
    Range,
    bound,
)
from tachy_server.query import commands
from tachy_server.query.placeholders import number_placeholders
from tachy_server.query.statement_size import MAX_STATEMENT_BYTES, check_statement_size

if TYPE_CHECKING:
    from tachy_server.flight.service import Call
    from tachy_server.query.workers.run import Run
    from tachy_server.services import Services

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
    "SetSessionOptions": "Takes the only catalog and the only schema; says of any other option what is wrong with it.",
    "GetSessionOptions": "The catalog and the schema that names are looked up in; they are fixed.",
    "CloseSession": "Nothing to close: there are no sessions.",
}
_SESSION = {"catalog": metadata.CATALOG, "schema": metadata.SCHEMA}
_FORBIDDEN_ACTIONS = ("BeginTransaction", "EndTransaction", "BeginSavepoint", "EndSavepoint")


class FlightServer:
    """Listens from the moment it is made; `port` is the one it got (0 takes any free one)."""

    def __init__(self, services: Services, host: str, port: int) -> None:
        if services.engine is None:
            raise QueryError("FlightSQL needs the role query; add it to --role.")
        self._engine = services.engine
        self._planned: Handles[Planned] = Handles()
        self._waiting: deque[Planned] = deque(maxlen=MAX_QUERIES)
        self._prepared: Handles[Prepared] = Handles()
        settings, address = services.settings, Address(host, port)
        self._service = service.Server(self, address, services.door, services.certificate, settings.head_timeout)
        self.port = self._service.port
        self.calls = self._service.calls
        """Names of the calls that there are."""

    def stop(self, timeout: float = 2.0) -> None:
        """Stop running queries and listening; who still does not read after `timeout` seconds loses the connection."""
        self._engine.cancel_all(StoreError("The server is stopping."))
        self._service.stop(timeout)

    # --- queries ---------------------------------------------------------------------------------------------------

    def get_flight_info(self, call: Call, request: bytes) -> bytes:
        """The schema of a command's answer and the ticket for it."""
        descriptor = decode(messages.FlightDescriptor, request)
        command = self._command(descriptor)
        schema = metadata.schema_of(command)
        if schema is not None:
            given, ticket = _schema_bytes(schema), descriptor.cmd
        else:
            planned = self._plan(call, command, _range(call), "wait")
            assert planned.query is not None
            given = planned.query.schema_bytes
            ticket = messages.pack(messages.TicketStatementQuery(statement_handle=self._keep(planned)))
        endpoint = messages.FlightEndpoint(ticket=messages.Ticket(ticket=ticket))
        counts = {"total_records": -1, "total_bytes": -1}
        return encode(messages.FlightInfo(schema=given, flight_descriptor=descriptor, endpoint=[endpoint], **counts))

    def get_schema(self, call: Call, request: bytes) -> bytes:
        """The schema of a command's answer."""
        command = self._command(decode(messages.FlightDescriptor, request))
        schema = metadata.schema_of(command)
        if schema is not None:
            return encode(messages.SchemaResult(schema=_schema_bytes(schema)))
        query = self._plan(call, command, _range(call), "end").query
        assert query is not None
        return encode(messages.SchemaResult(schema=query.schema_bytes))

    def do_get(self, call: Call, request: bytes) -> Iterator[bytes]:
        """The rows of a ticket: one of ours, a packed command, or SQL itself as the Micromegas client sends it."""
        ticket = decode(messages.Ticket, request).ticket
        bounds = _range(call)
        command = messages.unpack_command(ticket)
        if command is None:
            command = messages.CommandStatementQuery(query=_utf8(ticket))
        if metadata.schema_of(command) is not None:
            table = metadata.answer(command, self._engine, preserve_dictionary=bounds.preserve_dictionary)
            return data.write(table.schema, table.to_batches())
        handle: bytes | None = None
        if isinstance(command, messages.TicketStatementQuery):
            handle = command.statement_handle
            if handle.startswith(TICKET_PREFIX):
                return self._stream(call, self._take(call, handle), handle)
            command = messages.CommandStatementQuery(query=_utf8(handle))
        query = self._plan(call, command, bounds, "run").query
        assert query is not None
        return self._stream(call, query, handle)

    def _command(self, descriptor: Any) -> Any:
        if descriptor.type != messages.CMD:
            raise QueryError("This server has no paths; send SQL as a CommandStatementQuery.")
        command = messages.unpack_command(descriptor.cmd)
        return messages.CommandStatementQuery(query=_utf8(descriptor.cmd)) if command is None else command

    def _plan(self, call: Call, command: Any, bounds: Range, then: str) -> Planned:
        match command:
            case messages.CommandStatementQuery(query=sql):
                return self._plan_sql(call, sql, bounds, None, then)
            case messages.CommandPreparedStatementQuery(prepared_statement_handle=handle):
                prepared = self._find_prepared(handle)
                if prepared is None:
                    return self._plan_sql(call, _utf8(handle), bounds, None, then)
                with prepared.lock:
                    parameters = prepared.parameters
                if parameters is None:
                    raise QueryError(f"The statement takes {prepared.count} parameters, and none were bound to it.")
                return self._plan_sql(call, prepared.sql, bounds, parameters, then)
            case messages.CommandStatementUpdate() | messages.CommandPreparedStatementUpdate():
                raise QueryError(READ_ONLY)
            case messages.CommandStatementIngest():
                raise QueryError(READ_ONLY)
        raise QueryError(f"A {type(command).__name__} names no rows; send SQL as a CommandStatementQuery.")

    def _plan_sql(
        self, call: Call, sql: str, bounds: Range, parameters: tuple[pa.Scalar, ...] | None, then: str
    ) -> Planned:
        check_statement_size(sql)
        if parameters is None:
            _, count = number_placeholders(sql)
            if count:
                raise QueryError(f"The statement takes {count} parameters; prepare it and bind them.")
        return Planned(sql, bounds, parameters, self._query(call, sql, bounds, parameters, then), call.who.key_id)

    def _query(self, call: Call, sql: str, bounds: Range, parameters: tuple[pa.Scalar, ...] | None, then: str) -> Run:
        command = commands.parse(sql)
        if command is not None:
            call.check(command.scope)
        return self._engine.plan(
            sql,
            command=command,
            begin=bounds.begin,
            end=bounds.end,
            limit=bounds.limit,
            parameters=parameters,
            preserve_dictionary=bounds.preserve_dictionary,
            visible=visible_to(call.who),
            asked=call.asked,
            form="flight",
            then=then,
            when_over=call.when_over,
        )

    def _keep(self, planned: Planned) -> bytes:
        """A handle for a statement, whose query is kept for a while too."""
        if len(self._waiting) == self._waiting.maxlen:
            with suppress(IndexError):  # another call was faster
                oldest = self._waiting.popleft().take()
                if oldest is not None:
                    oldest.close()
        self._waiting.append(planned)
        return TICKET_PREFIX + self._planned.add(planned)

    def _take(self, call: Call, handle: bytes) -> Run:
        """The query of a handle: the one planned with it, the first time; planned anew for whoever comes again."""
        planned = self._planned.get(handle.removeprefix(TICKET_PREFIX))
        if planned.key_id != call.who.key_id:
            raise NotFound("This statement handle is another key's; send the statement again.")
        query = planned.take()
        if query is None and commands.parse(planned.sql) is not None:
            raise NotFound("This statement was run, which is done once; send it again.")
        return query or self._query(call, planned.sql, planned.range, planned.parameters, "run")

    def _stream(self, call: Call, query: Run, handle: bytes | None) -> Iterator[bytes]:
        """The rows, as the worker has encoded them."""
        query.handle = handle
        call.when_over(lambda: query.cancel(Cancelled("The client went away.")))
        yield from query.chunks()

    # --- prepared statements and refusals ---------------------------------------------------------------------------

    def do_put(self, call: Call, requests: Iterator[bytes]) -> Iterator[bytes]:
        """Bind one row of parameters to a prepared statement; anything that would write is refused."""
        first = next(requests, b"")
        descriptor = decode(messages.FlightData, first).flight_descriptor
        command = self._command(descriptor)
        if not isinstance(command, messages.CommandPreparedStatementQuery):
            raise QueryError(READ_ONLY)
        handle = command.prepared_statement_handle
        table = data.read(chain([first], requests), 2 * MAX_STATEMENT_BYTES)
        prepared = self._find_prepared(handle)
        count = 0 if prepared is None else prepared.count
        if table.num_columns != count:
            raise QueryError(f"The statement takes {count} parameters, and {table.num_columns} were bound to it.")
        if prepared is not None:
            if table.num_rows != 1:
                raise QueryError(f"Bind one row of parameters to a query at a time, not {table.num_rows}.")
            with prepared.lock:
                prepared.parameters = tuple(bound(column) for column in table.columns)
        result = messages.DoPutPreparedStatementResult(prepared_statement_handle=handle)
        yield encode(messages.PutResult(app_metadata=encode(result)))

    def do_action(self, call: Call, request: bytes) -> Iterator[bytes]:
        """One of `list_actions`; bodies may be bare or wrapped in Any."""
        action = decode(messages.Action, request)
        for body in self._act(call, action.type, action.body):
            yield encode(messages.Result(body=body))

    def _act(self, call: Call, name: str, body: bytes) -> list[bytes]:
        match name:
            case "CreatePreparedStatement":
                request = messages.unpack(messages.ActionCreatePreparedStatementRequest, body)
                return [self._prepare(call, request.query, _range(call))]
            case "ClosePreparedStatement":
                close = messages.unpack(messages.ActionClosePreparedStatementRequest, body)
                if match := _PREPARED.match(close.prepared_statement_handle):
                    self._prepared.discard(match[1])
                return []
            case "CancelFlightInfo":
                info = messages.unpack(messages.CancelFlightInfoRequest, body).info
                return [encode(messages.CancelFlightInfoResult(status=self._cancel(info)))]
            case "CancelQuery":
                info = decode(messages.FlightInfo, messages.unpack(messages.ActionCancelQueryRequest, body).info)
                return [messages.pack(messages.ActionCancelQueryResult(result=self._cancel(info)))]
            case "SetSessionOptions":
                return [encode(_refused(decode(messages.SetSessionOptionsRequest, body)))]
            case "GetSessionOptions":
                return [encode(_session_options())]
            case "CloseSession":
                return [encode(messages.CloseSessionResult(status=messages.CLOSE_STATUS_CLOSED))]
        if name in _FORBIDDEN_ACTIONS:
            raise QueryError("This server has no transactions: it is read-only, and every statement stands alone.")
        raise QueryError(f"There is no action {name!r}; list_actions names those that there are.")

    def list_actions(self, call: Call, request: bytes) -> Iterator[bytes]:
        """Names and descriptions."""
        return (encode(messages.ActionType(type=name, description=text)) for name, text in _ACTIONS.items())

    def list_flights(self, call: Call, request: bytes) -> Iterator[bytes]:
        """None: tables are listed by CommandGetTables."""
        return iter(())

    def do_exchange(self, call: Call, requests: Iterator[bytes]) -> Iterator[bytes]:
        """Refused."""
        raise QueryError(READ_ONLY)

    def handshake(self, call: Call, requests: Iterator[bytes]) -> Iterator[bytes]:
        """Nothing more to say: who comes this far has sent a key, or needs none."""
        return iter([encode(messages.HandshakeResponse(payload=b"none"))])

    def _prepare(self, call: Call, sql: str, bounds: Range) -> bytes:
        check_statement_size(sql)
        numbered, count = number_placeholders(sql)
        query = self._query(call, numbered, bounds, None, "end")
        handle = sql.encode()
        if count:
            handle = PREPARED_PREFIX + self._prepared.add(Prepared(numbered, count)) + b" */ " + handle
        result = messages.ActionCreatePreparedStatementResult(
            prepared_statement_handle=handle,
            dataset_schema=query.schema_bytes,
            parameter_schema=query.parameter_schema_bytes,
        )
        return messages.pack(result)

    def _find_prepared(self, handle: bytes) -> Prepared | None:
        """The statement of a handle; None for one without parameters, whose handle is its SQL."""
        match = _PREPARED.match(handle)
        return self._prepared.get(match[1]) if match else None

    def _cancel(self, info: Any) -> int:
        tickets = [endpoint.ticket.ticket for endpoint in info.endpoint]
        if not tickets:
            raise QueryError("The request holds no FlightInfo to cancel.")
        stopped = False
        for ticket in tickets:
            command = messages.unpack_command(ticket)
            if isinstance(command, messages.TicketStatementQuery):
                handle = command.statement_handle
                for run in self._engine.running():
                    if run.handle == handle:
                        run.cancel(Cancelled("The query was cancelled."))
                        stopped = True
                if handle.startswith(TICKET_PREFIX):
                    self._planned.discard(handle.removeprefix(TICKET_PREFIX))
                    stopped = True
        return messages.CANCEL_STATUS_CANCELLED if stopped else messages.CANCEL_STATUS_NOT_CANCELLABLE


def _refused(request: Any) -> Message:
    """What SetSessionOptions says of each option: there is one catalog and one schema, and nothing else to set."""
    refused: dict[str, int] = {}
    for entry in request.session_options:
        value = messages.given(entry.value, "string_value")
        reset = value is None and not entry.value.ByteSize()  # of a type that is no text there is something unknown
        if entry.key not in _SESSION:
            refused[entry.key] = messages.OPTION_INVALID_NAME
        elif not reset and value != _SESSION[entry.key]:
            refused[entry.key] = messages.OPTION_INVALID_VALUE
    errors = [
        messages.SetSessionOptionsEntry(key=key, value=messages.SetSessionOptionsError(value=error))
        for key, error in refused.items()
    ]
    return messages.SetSessionOptionsResult(errors=errors)


def _session_options() -> Message:
    options = [
        messages.SessionOption(key=key, value=messages.SessionOptionValue(string_value=value))
        for key, value in _SESSION.items()
    ]
    return messages.GetSessionOptionsResult(session_options=options)


def _schema_bytes(schema: pa.Schema) -> bytes:
    return bytes(schema.serialize().to_pybytes())


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise QueryError("A ticket or command must be a FlightSQL message, or SQL as UTF-8 text.") from None


def _range(call: Call) -> Range:
    """What the call's headers ask for. QueryError when one of them cannot be read."""

    def text(name: str) -> str | None:
        return str(call.headers.get(name) or "") or None

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
