"""Fixtures that all parts' tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with all roles, one per xdist worker; its data are shared by the session's tests."""
    with Server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running
