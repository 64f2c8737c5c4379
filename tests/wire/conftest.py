"""Servers to talk to: FlightSQL and HTTP over the fake engine, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from tachy_server.flight import FlightServer
from tachy_server.settings import Address, Settings

from tests.wire.fake_engine import FakeEngine


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def services(engine: FakeEngine) -> SimpleNamespace:
    settings = Settings(flight=Address("127.0.0.1", 0), http=Address("127.0.0.1", 0))
    return SimpleNamespace(settings=settings, lake=None, ingest=None, engine=engine, stats=lambda: {"batches": 3})


@pytest.fixture
def flight_server(services: SimpleNamespace) -> Iterator[FlightServer]:
    server = FlightServer(services, "127.0.0.1", 0)
    yield server
    server.stop()


@pytest.fixture
def uri(flight_server: FlightServer) -> str:
    return f"grpc://127.0.0.1:{flight_server.port}"
