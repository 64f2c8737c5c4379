"""Servers to talk to: FlightSQL and HTTP over the fake engine, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
import uvicorn
from tachy_server.access.door import Door
from tachy_server.base.settings import Address, Settings
from tachy_server.flight.server import FlightServer
from tachy_server.http.api import routes
from tachy_server.http.app import make_app
from tachy_server.services import Services

from tests.wire.fake_engine import FakeEngine
from tests.wire.in_process import InProcess


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def services(engine: FakeEngine) -> SimpleNamespace:
    settings = Settings(flight=Address("127.0.0.1", 0), http=Address("127.0.0.1", 0))
    return SimpleNamespace(
        settings=settings,
        lake=None,
        door=Door(list),
        certificate=None,
        ingest=None,
        engine=InProcess(engine),
        stats=lambda: {"batches": 3},
        problems=dict,
    )


@pytest.fixture
def flight_server(services: SimpleNamespace) -> Iterator[FlightServer]:
    server = FlightServer(cast(Services, services), "127.0.0.1", 0)
    yield server
    server.stop()


@pytest.fixture
def uri(flight_server: FlightServer) -> str:
    return f"grpc://127.0.0.1:{flight_server.port}"


@pytest.fixture
def http_server(services: SimpleNamespace) -> Iterator[str]:
    """The URL of an HTTP server on these services."""
    app = make_app(cast(Services, services), routes(cast(Services, services)))
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def http(http_server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=http_server, timeout=20) as client:
        yield client
