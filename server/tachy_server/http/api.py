"""The HTTP routes but ingest's: SQL as JSON or Arrow, processes, controls, traces, settings, counters (docs/http.md).

Every answer that is not 2xx is {"error": "one sentence"}. Parameters that a route does not know are errors.
To check: pytest tests/wire/test_api.py.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tachy_server.access.door import Door
from tachy_server.access.limits import visible_to
from tachy_server.base import prices
from tachy_server.base.bodies import Disconnected, MemoryBudget
from tachy_server.base.errors import Cancelled, NotFound, QueryError, StoreError
from tachy_server.base.times import parse_time
from tachy_server.base.who import Asked, Scope, Who, asked
from tachy_server.http import bill, figures
from tachy_server.http.guard import WHO, check_content_type
from tachy_server.http.stream import Left, ThreadStream, error_answer, in_stream_thread
from tachy_server.lake import control_table
from tachy_server.lake.control import Control, Issued, parse_control, parse_mark
from tachy_server.lake.database import Connection
from tachy_server.query import commands
from tachy_server.query.statement_size import check_statement_size

if TYPE_CHECKING:
    from tachy_server.query.workers.pool import Workers
    from tachy_server.query.workers.run import Run
    from tachy_server.services import Services

MAX_QUERY_BODY = 1 << 20
_BODIES = 64 << 20  # of all requests at once
DEFAULT_PROCESSES = 100
ARROW_STREAM = "application/vnd.apache.arrow.stream"
TRACE_CLASSES = ("span", "metric", "log")
PROCESS_FILTERS = ("exe", "username", "computer")

Handler = Callable[[Request], Awaitable[Response]]


def routes(services: Services) -> list[BaseRoute]:
    """The routes; those that need the query engine answer 404 where the role query is missing."""
    api = _Api(services)
    table: list[tuple[Scope, str, str, Handler]] = [
        ("query", "POST", "/api/query", api.query),
        ("query", "POST", "/api/chart", api.chart),
        ("query", "GET", "/api/cost", api.cost),
        ("query", "GET", "/api/processes", api.processes),
        ("query", "GET", "/api/processes/{process_id}", api.process),
        ("query", "GET", "/api/processes/{process_ids}/trace", api.trace),
        ("control", "GET", "/api/processes/{process_id}/control", api.control),
        ("control", "PUT", "/api/processes/{process_id}/control", api.put_control),
        ("control", "DELETE", "/api/processes/{process_id}/control", api.delete_control),
        ("control", "POST", "/api/processes/{process_id}/mark", api.mark),
        ("admin", "GET", "/api/queries", api.queries),
        ("admin", "DELETE", "/api/queries/{id}", api.cancel_query),
        ("admin", "GET", "/api/settings", api.settings),
        ("admin", "GET", "/api/stats", api.stats),
    ]
    return [
        Route(path, _guarded(handler, scope, services.door), methods=[method]) for scope, method, path, handler in table
    ]


def _guarded(handler: Handler, scope: Scope, door: Door) -> Handler:
    """The handler, for those who may."""

    async def guarded(request: Request) -> Response:
        try:
            door.check(request.scope[WHO], scope, _address(request))
            return await handler(request)
        except Disconnected:
            return Response()  # to nobody
        except Exception as error:
            return error_answer(error)

    return guarded


class _Api:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._budget = MemoryBudget(_BODIES)

    async def _json_body(self, request: Request) -> dict[str, Any]:
        """Raises what Share.read does, Refused and QueryError."""
        check_content_type(dict(request.scope["headers"]), "application/json")
        with self._budget.share() as share:
            return _json_object(await share.read(request.receive, self._services.settings, MAX_QUERY_BODY))

    def _engine(self) -> Workers:
        engine = self._services.engine
        if engine is None:
            raise NotFound("This server does not have the role query; ask one that has.")
        return engine

    async def query(self, request: Request) -> Response:
        """POST /api/query."""
        engine, who = self._engine(), _who(request)
        _only(request.query_params, ())
        body = await self._json_body(request)
        _only(body, ("sql", "begin", "end", "limit", "format", "preserve_dictionary"))
        sql = body.get("sql")
        if not isinstance(sql, str) or not sql.strip():
            raise QueryError('The body needs "sql", the text of one SELECT statement.')
        check_statement_size(sql)
        preserve = body.get("preserve_dictionary", False)
        if not isinstance(preserve, bool):
            raise QueryError("preserve_dictionary must be true or false.")
        form = _format(body.get("format"), request.headers.get("accept", ""))
        begin, end, limit = _time(body, "begin"), _time(body, "end"), _count(body, "limit")
        command = commands.parse(sql)
        if command is not None:
            self._services.door.check(who, command.scope, _address(request))
        return _stream(
            lambda left: engine.plan(
                sql,
                command=command,
                begin=begin,
                end=end,
                limit=limit,
                preserve_dictionary=preserve and form == "arrow",
                form=form,
                then="run",
                when_over=left.then,
                asked=_asked(request),
                visible=visible_to(who),
            ),
            _FORMATS[form],
        )

    async def chart(self, request: Request) -> Response:
        """POST /api/chart."""
        engine, who = self._engine(), _who(request)
        _only(request.query_params, ())
        body = await self._json_body(request)
        _only(body, figures.KEYS)
        begin, end = _time(body, "begin"), _time(body, "end")
        chart = figures.parse(body, begin, end)
        return _stream(
            lambda left: engine.chart(
                chart,
                chart.sql,
                begin=begin,
                end=end,
                when_over=left.then,
                asked=_asked(request),
                visible=visible_to(who),
            ),
            "application/json",
        )

    async def cost(self, request: Request) -> Response:
        """GET /api/cost."""
        engine, given = self._engine(), request.query_params
        _only(given, ("events_per_second", "days"))
        rate, days = _positive(given, "events_per_second"), _positive(given, "days")
        (row,) = await in_stream_thread(_rows, engine, _who(request), bill.MEASURED, [])
        lake = bill.measured(row, rate, bill.DAYS if days is None else days)
        return JSONResponse(bill.bill(lake, prices.read(self._services.settings.prices)))

    async def queries(self, request: Request) -> Response:
        """GET /api/queries."""
        _only(request.query_params, ())
        return JSONResponse({"queries": [run.as_json() for run in self._engine().running()]})

    async def cancel_query(self, request: Request) -> Response:
        """DELETE /api/queries/{id}."""
        _only(request.query_params, ())
        text = request.path_params["id"]
        for run in self._engine().running():
            if str(run.number) == text:
                await to_thread.run_sync(run.cancel, Cancelled("The query was cancelled."))
                return JSONResponse(run.as_json())
        raise NotFound(f"No query {text!r} is running.")

    async def processes(self, request: Request) -> Response:
        """GET /api/processes."""
        engine = self._engine()
        given = request.query_params
        _only(given, (*PROCESS_FILTERS, "begin", "end", "limit"))
        conditions: list[str] = []
        parameters: list[pa.Scalar] = []

        def where(condition: str, value: pa.Scalar) -> None:
            parameters.append(value)
            conditions.append(condition.format(f"${len(parameters)}"))

        for name in PROCESS_FILTERS:
            if name in given:
                where(f"{name} = {{}}", pa.scalar(given[name]))
        begin, end = _time(given, "begin"), _time(given, "end")
        if begin is not None:
            where("coalesce(last_update_time, start_time) >= {}", pa.scalar(begin, pa.timestamp("ns", tz="UTC")))
        if end is not None:
            where("start_time <= {}", pa.scalar(end, pa.timestamp("ns", tz="UTC")))
        limit = _count(given, "limit")
        sql = "SELECT * FROM processes"
        if conditions:
            sql += " WHERE " + " AND ".join(conditions)
        sql += f" ORDER BY insert_time DESC, start_time DESC LIMIT {DEFAULT_PROCESSES if limit is None else limit}"
        rows = await in_stream_thread(_rows, engine, _who(request), sql, parameters)
        return JSONResponse({"processes": [_with_properties(row) for row in rows]})

    async def process(self, request: Request) -> Response:
        """GET /api/processes/{process_id}."""
        engine = self._engine()
        _only(request.query_params, ())
        process_id = _uuid(request.path_params["process_id"])
        parameters = [pa.scalar(str(process_id))]
        who, sql = _who(request), "SELECT * FROM processes WHERE process_id = $1"
        found = await in_stream_thread(_rows, engine, who, sql, parameters)
        if not found:
            raise NotFound(f"There is no process {process_id}.")
        sql = "SELECT * FROM streams WHERE process_id = $1 ORDER BY stream_id"
        streams = await in_stream_thread(_rows, engine, who, sql, parameters)
        return JSONResponse(_with_properties(found[0]) | {"streams": [_with_properties(row) for row in streams]})

    async def trace(self, request: Request) -> Response:
        """GET /api/processes/{process_ids}/trace."""
        engine, who, given = self._engine(), _who(request), request.query_params
        _only(given, ("begin", "end", "types", "compressed"))
        ids = list(dict.fromkeys(_uuid(text) for text in request.path_params["process_ids"].split(",")))
        begin, end, classes = _time(given, "begin"), _time(given, "end"), _classes(given.get("types"))
        name = str(ids[0]) if len(ids) == 1 else f"{ids[0]}-and-{len(ids) - 1}-more"
        return _stream(
            lambda left: engine.trace(
                process_ids=ids,
                begin=begin,
                end=end,
                classes=classes,
                compressed=_flag(given, "compressed"),
                when_over=left.then,
                asked=_asked(request),
                visible=visible_to(who),
            ),
            "application/octet-stream",
            {"content-disposition": f'attachment; filename="{name}.perfetto-trace"'},
        )

    async def control(self, request: Request) -> Response:
        """GET /api/processes/{process_id}/control."""
        _only(request.query_params, ())
        process_id = _uuid(request.path_params["process_id"])
        return await self._issued(request, process_id, lambda connection: control_table.get(connection, process_id))

    async def put_control(self, request: Request) -> Response:
        """PUT /api/processes/{process_id}/control."""
        _only(request.query_params, ())
        process_id = _uuid(request.path_params["process_id"])
        body = await self._json_body(request)
        _only(body, ("level", "categories", "mode", "seconds"))
        control, seconds = parse_control(body)
        return await self._issued(
            request, process_id, lambda connection: control_table.put(connection, process_id, control, seconds)
        )

    async def delete_control(self, request: Request) -> Response:
        """DELETE /api/processes/{process_id}/control."""
        _only(request.query_params, ())
        process_id = _uuid(request.path_params["process_id"])
        return await self._issued(
            request, process_id, lambda connection: control_table.put(connection, process_id, Control(), None)
        )

    async def mark(self, request: Request) -> Response:
        """POST /api/processes/{process_id}/mark."""
        _only(request.query_params, ())
        process_id = _uuid(request.path_params["process_id"])
        body = await self._json_body(request)
        _only(body, ("reason",))
        reason = parse_mark(body)
        return await self._issued(
            request, process_id, lambda connection: control_table.mark(connection, process_id, reason)
        )

    async def _issued(self, request: Request, process_id: UUID, work: Callable[[Connection], Issued]) -> Response:
        """What a process that he may see has been told, after the work. Needs PostgreSQL and no role."""
        visible = visible_to(request.scope[WHO])

        def run() -> Issued:
            with self._services.lake.connection() as connection:
                control_table.check_visible(connection, process_id, visible)
                return work(connection)

        return JSONResponse((await to_thread.run_sync(run)).as_json(time.time_ns()))

    async def settings(self, request: Request) -> Response:
        """GET /api/settings."""
        _only(request.query_params, ())
        return JSONResponse({"settings": self._services.settings.as_rows()})

    async def stats(self, request: Request) -> Response:
        """GET /api/stats."""
        _only(request.query_params, ())
        return JSONResponse(await to_thread.run_sync(self._services.stats))


# --- answers


def _stream(ask: Callable[[Left], Run], media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """What a worker makes; it ends when the client leaves."""
    left = Left()

    def chunks() -> Generator[bytes, None, None]:
        run = ask(left)
        left.then(lambda: run.cancel(Cancelled("The client went away.")))
        yield from run.chunks()

    return ThreadStream(chunks(), left, media_type, headers)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _who(request: Request) -> Who:
    who: Who = request.scope[WHO]
    return who


def _asked(request: Request) -> Asked:
    return asked(_who(request), _address(request), request.headers)


def _rows(engine: Workers, who: Who, sql: str, parameters: list[pa.Scalar]) -> list[dict[str, Any]]:
    run = engine.plan(
        sql, parameters=parameters or None, asked=Asked(who.name), visible=visible_to(who), form="json", then="run"
    )
    answer = json.loads(b"".join(run.chunks()))
    if "error" in answer:
        raise StoreError(answer["error"])
    names = [column["name"] for column in answer["schema"]]
    return [dict(zip(names, row, strict=True)) for row in answer["rows"]]


def _with_properties(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its properties as a JSON object instead of the text of one."""
    text = row.get("properties")
    return row | {"properties": json.loads(text)} if isinstance(text, str) and text else row


# --- parameters


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise QueryError("The body must be a JSON object in UTF-8.") from None
    if not isinstance(body, dict):
        raise QueryError("The body must be a JSON object.")
    return body


def _only(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            names = f"the known ones are {', '.join(known)}" if known else "there are none here"
            raise QueryError(f"There is no parameter {name!r}; {names}.")


def _time(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise QueryError(f"{name} must be RFC 3339 text or UTC nanoseconds.")
    return parse_time(str(value))


def _count(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    text = "" if isinstance(value, bool) else str(value)
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise QueryError(f"{name} must be a whole number, 0 or more.")
    return int(text)


def _positive(given: Mapping[str, Any], name: str) -> float | None:
    if name not in given:
        return None
    try:
        value = float(given[name])
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise QueryError(f"{name} must be a number, 0 or more.")
    return value


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise QueryError(f"{text!r} is not the UUID of a process.") from None


def _classes(text: str | None) -> tuple[str, ...]:
    if text is None:
        return TRACE_CLASSES
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in TRACE_CLASSES:
            raise QueryError(f"{name!r} is not a type of event; types takes {', '.join(TRACE_CLASSES)}.")
    return tuple(name for name in TRACE_CLASSES if name in names)


def _flag(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name, "false")
    if text not in ("true", "false"):
        raise QueryError(f"{text!r} is neither true nor false; {name} takes one of them.")
    return text == "true"


_FORMATS: Mapping[str, str] = {
    "json": "application/json",
    "arrow": ARROW_STREAM,
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


def _format(given: object, accept: str) -> str:
    if given is None:
        return "arrow" if ARROW_STREAM in accept else "json"
    if not isinstance(given, str) or given not in _FORMATS:
        raise QueryError('format must be "json", "arrow", "csv" or "parquet".')
    return given
