"""A sink, and a session that sends to it; whatever a test leaves running is stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import tachy

from tests.pysdk.sink import Sink


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("TACHY_") and name != "TACHY_SESSION_FOLDER"]:
        monkeypatch.delenv(name)
    yield
    tachy.stop(0)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


@pytest.fixture
def session(sink: Sink) -> Sink:
    """A started session; `tachy.stop()` delivers everything to the sink that is returned."""
    tachy.start(sink.url, properties={"build": "test"})
    return sink
