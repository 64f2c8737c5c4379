"""All parts of a server: started in order, stopped in the reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from types import FrameType

import pyarrow as pa
import uvicorn
import uvloop

from tachy_server.access.binding import check_binding
from tachy_server.access.door import WatchedDoor
from tachy_server.access.tls import Certificate
from tachy_server.base.errors import SettingsError, StoreError
from tachy_server.base.settings import Address, Settings
from tachy_server.base.who import Asked
from tachy_server.formats.reader import Limits
from tachy_server.http import handshakes
from tachy_server.http.api import routes
from tachy_server.http.app import make_app
from tachy_server.http.protocol import GRACE_SECONDS, make_config
from tachy_server.ingest.ingest import Ingest
from tachy_server.lake import catalog
from tachy_server.lake.database import Database, create_database
from tachy_server.lake.lake import Lake
from tachy_server.lake.store import open_store
from tachy_server.lake.visible import EVERYTHING
from tachy_server.maintain.service import Maintenance
from tachy_server.postgres.supervisor import DataFolder, Postgres
from tachy_server.query.workers.pool import Workers
from tachy_server.query.workers.process import ForkServer
from tachy_server.services import Services

# The event loop and the ingest thread hand the interpreter to each other all the time; with the default of 5 ms they
# wait for it. With two such threads, 0.5 ms gave 20 % more batches per second, 0.1 ms fewer again.
_SWITCH_SECONDS = 0.0005
_PARTITION_SECONDS = 3600.0
_OTHER_FILES = 1000  # FlightSQL's connections, PostgreSQL's, objects, the libraries' own


def run(settings: Settings, forks: ForkServer) -> None:
    """Serves until SIGINT or SIGTERM. Raises TachyError when it cannot start."""
    if settings.workers < 1:
        raise SettingsError("workers must be at least 1; a server that runs no queries has --role ingest")
    if settings.rewrite_seconds and settings.rewrite_grace < settings.query_seconds:
        raise SettingsError("rewrite_grace must be at least query_seconds: queries read what they have selected")
    if settings.max_batch_bytes > settings.ingest_queue_bytes:
        raise SettingsError("ingest_queue_bytes must be at least max_batch_bytes")
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise SettingsError("tls_certificate and tls_key belong together: give both, or none")
    certificate = Certificate(settings.tls_certificate, settings.tls_key) if settings.tls_certificate else None
    _allow_files(settings.http_connections + _OTHER_FILES)
    begin = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    sys.setswitchinterval(_SWITCH_SECONDS)
    with ExitStack() as stack:
        folder = DataFolder(settings.data)
        stack.callback(folder.close)
        listener = _listen(settings.http, "http")
        stack.callback(listener.close)
        services = _start(settings, folder, stack, certificate, forks)
        host, port = listener.getsockname()[:2]
        services.http_url = f"http{'s' if certificate else ''}://{Address(host, port)}"
        _run_http(services, listener, begin, folder, stack)
    print("tachy: stopped", flush=True)


def _allow_files(number: int) -> None:
    """The usual limit of 1,024 open files is for programs that use select(): clients that only connect would use it up,
    and then no batch could be written.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        if hard != resource.RLIM_INFINITY and hard < number:
            least = max(0, hard - _OTHER_FILES)
            raise SettingsError(
                f"http_connections needs {number} open files and the system allows {hard}: "
                f"raise its limit (ulimit -n), or give --http-connections {least}"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _start(
    settings: Settings, folder: DataFolder, stack: ExitStack, certificate: Certificate | None, forks: ForkServer
) -> Services:
    """Everything behind HTTP; `stack` ends it in the reverse order."""
    postgres: Postgres | None = None
    dsn = settings.dsn
    if not dsn:
        postgres = Postgres(folder)
        stack.callback(postgres.stop)
        postgres.start()
        dsn = postgres.dsn
        create_database(dsn)
    base = Database(dsn, settings.connections)
    stack.callback(base.close)
    base.ensure_days()
    lake = Lake(base, open_store(settings, folder.path / "store"), Limits.of(settings))
    stack.callback(lake.close)
    with base.connection() as connection:
        catalog.locate(connection, lake.store.name)
    door = WatchedDoor(base)
    stack.callback(door.close)
    check_binding(settings, has_keys=door.needs_keys)
    services = Services(settings=settings, lake=lake, door=door, certificate=certificate, postgres=postgres)
    if "query" in settings.role:
        services.engine = _start_query(services, folder, stack, forks)
    if "ingest" in settings.role:
        services.ingest = Ingest(settings, base, lake.store)
        stack.callback(services.ingest.close)
    if "maintain" in settings.role:
        workers = _own_queries(services, folder, stack, forks)
        services.maintenance = Maintenance(
            settings, lake, lambda *given: _ask(workers(), *given), lambda: workers().materialize()
        )
        stack.callback(services.maintenance.close)
    return services


def _start_query(services: Services, folder: DataFolder, stack: ExitStack, forks: ForkServer) -> Workers:
    from tachy_server.flight.server import FlightServer

    services.engine = engine = Workers(services.settings, services.lake.database, folder.path, forks)
    stack.callback(engine.close)
    address = services.settings.flight
    _listen(address, "flight").close()  # it says why it cannot, which gRPC does not
    server = FlightServer(services, address.host, address.port)
    stack.callback(server.stop)
    services.flight_uri = f"grpc{'+tls' if services.certificate else ''}://{Address(address.host, server.port)}"
    engine.wait()
    return engine


def _own_queries(services: Services, folder: DataFolder, stack: ExitStack, forks: ForkServer) -> Callable[[], Workers]:
    """What runs queries of the server's own: its workers; where the role query is missing, one that is made when it is
    first needed.
    """
    own: list[Workers] = []

    def close() -> None:
        for pool in own:
            pool.close()

    stack.callback(close)

    def workers() -> Workers:
        if services.engine is None and not own:
            settings = replace(services.settings, workers=1)
            own.append(Workers(settings, services.lake.database, folder.path, forks))
            own[0].wait()
        return services.engine or own[0]

    return workers


def _ask(workers: Workers, sql: str, begin: int, end: int) -> pa.Table:
    run = workers.plan(sql, asked=Asked("maintain"), form="arrow", then="run", begin=begin, end=end, visible=EVERYTHING)
    return pa.ipc.open_stream(b"".join(run.chunks())).read_all()


def _listen(address: Address, name: str) -> socket.socket:
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
        listener.listen(2048)
    except OSError as error:
        raise StoreError(f"cannot listen on {address}: {error.strerror}; give another --{name}") from None
    return listener


class _HttpServer(handshakes.Server):
    """Its signals are ours, and it says when it serves."""

    def __init__(
        self, config: uvicorn.Config, listener: socket.socket, services: Services, ready: asyncio.Event
    ) -> None:
        tls = services.certificate.context if services.certificate else None
        super().__init__(config, listener, services.settings, services.door.refusals, tls)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready.set()


def _run_http(services: Services, listener: socket.socket, begin: float, folder: DataFolder, stack: ExitStack) -> None:
    app = make_app(services, routes(services))
    config = make_config(services.settings, app, app.batches)
    config.load()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(services, config, listener, begin, folder, stack))


async def _serve(
    services: Services,
    config: uvicorn.Config,
    listener: socket.socket,
    begin: float,
    folder: DataFolder,
    stack: ExitStack,
) -> None:
    ready = asyncio.Event()
    server = _HttpServer(config, listener, services, ready)

    def stop() -> None:
        if server.should_exit:
            server.force_exit = True
            return
        server.should_exit = True
        print("tachy: stopping, what has been received is made durable first", flush=True)
        if server.server_state.tasks or (services.ingest is not None and services.ingest.bodies.used):
            print(f"tachy: open requests have {GRACE_SECONDS} s to end; a second signal ends them now", flush=True)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, _reload, services)
    partitions = asyncio.create_task(_keep_partitions(services))
    serving = asyncio.create_task(server.serve())
    await ready.wait()
    file = folder.path / "server.json"
    gc.freeze()  # what has been imported is there for ever: nobody looks through it again
    gc.enable()
    _announce(services, folder, begin)
    try:
        await serving
    finally:
        file.unlink(missing_ok=True)
        partitions.cancel()


def _reload(services: Services) -> None:
    """What SIGHUP asks for."""
    if services.certificate is None:
        print("tachy: SIGHUP: there is no certificate to be read again", flush=True)
        return
    try:
        services.certificate.reload()
    except SettingsError as error:
        print(f"tachy: SIGHUP: {error}; the certificate stays as it was", flush=True)
    else:
        print("tachy: SIGHUP: new connections get the certificate as it is now", flush=True)


async def _keep_partitions(services: Services) -> None:
    """The days' partitions exist before they are needed; if this fails, ingest makes them when it needs them."""
    while True:
        await asyncio.sleep(_PARTITION_SECONDS)
        with contextlib.suppress(StoreError):
            await asyncio.to_thread(services.lake.database.ensure_days)


def _announce(services: Services, folder: DataFolder, begin: float) -> None:
    """server.json, for the command line and for tests; and a few lines for people."""
    content = {"pid": os.getpid(), "http": services.http_url, "flight": services.flight_uri}
    file = folder.path / "server.json"
    scratch = file.with_suffix(".json.new")
    scratch.write_text(json.dumps(content) + "\n", encoding="utf-8")
    scratch.replace(file)
    print(f"tachy: data in {folder.path}")
    print(f"tachy: HTTP on {services.http_url}, FlightSQL on {services.flight_uri or 'no port: no role query'}")
    if not services.door.needs_keys:
        print("tachy: no keys: whoever reaches these ports may do everything; `tachy keys create` makes one")
    print(f"tachy: ready in {time.monotonic() - begin:.1f} s", flush=True)
