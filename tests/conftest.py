"""Fixtures that all parts' tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import Server


@pytest.fixture(autouse=True)
def _no_session_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs keep nothing in files, and so wait for a server at their end, however busy the machine is."""
    monkeypatch.setenv("TACHY_SESSION_FOLDER", "-")


@pytest.fixture
def session_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the programs of the test leave what they could not send."""
    folder = tmp_path_factory.mktemp("session")
    monkeypatch.setenv("TACHY_SESSION_FOLDER", str(folder))
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with all roles, one per xdist worker; its data are shared by the session's tests."""
    with Server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running
