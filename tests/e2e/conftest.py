"""Fixtures of the tests of everything together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import installing


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`sdist` and `wheel`. Tests that use it are of the xdist group "distributions", so they are built once."""
    return installing.build(tmp_path_factory.mktemp("distributions"))
