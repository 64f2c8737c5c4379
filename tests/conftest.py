"""Fixtures that all parts' tests share."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import serving
from tests.serving import Server

# How long an example takes says more of what else the machine does.
hypothesis.settings.register_profile("short", deadline=None, max_examples=30)
hypothesis.settings.register_profile("long", deadline=None)

# Tests compare rows by the million: looking for garbage every 700 of them took most of their time.
gc.set_threshold(200_000, 20, 20)


def pytest_configure(config: pytest.Config) -> None:
    """Fewer examples of properties in the short tier."""
    hypothesis.settings.load_profile("short" if config.option.markexpr == "not long" else "long")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a module that has fixtures of its own go to one xdist worker, which makes them once. What a mark
    xdist_group says stays."""
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("xdist_group") is None:
            made = [each for each in item._fixtureinfo.name2fixturedefs.values() if each[-1].scope == "module"]
            if made:
                item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fails where xdist would scatter groups without a word, as 3.8 does with pytest 9.2."""
    if getattr(session.config.option, "loadgroup", False):
        for item in session.items:
            if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
                raise pytest.UsageError("this pytest-xdist does not know the groups of this pytest")


@pytest.fixture(scope="session", autouse=True)
def _one_postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Servers copy what a first one has made, one for all of xdist's workers, where there are any."""
    base = tmp_path_factory.getbasetemp()
    serving.keep_postgres((base.parent if hasattr(request.config, "workerinput") else base) / "kept")


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
