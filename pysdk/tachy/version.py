"""The version: of the installed distribution, which pyproject.toml names once."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("tachy")
except PackageNotFoundError:  # used from a folder, not installed
    VERSION = "0.0.0+source"
