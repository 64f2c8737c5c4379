"""The version, which is the recorder's: native/include/tachy/tachy.h. A test compares it with pyproject.toml's."""

from __future__ import annotations

from tachy.recorder import version

VERSION = version
