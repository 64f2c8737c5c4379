"""Who asks, and what he may: plain data, which travels with a query to the process that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Scope = Literal["ingest", "query", "control", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("ingest", "query", "control", "admin")


@dataclass(frozen=True, slots=True)
class Who:
    """The holder of a key, by its name and its public half; or everybody, where the server has no keys."""

    name: str
    key_id: str
    scopes: tuple[Scope, ...]
    stamp: Mapping[str, str] = field(default_factory=dict)
    """Properties of the processes that he sends, whatever they say themselves."""
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each property the values that processes may have for him to see them; empty: he sees all."""


EVERYBODY: Final = Who("", "", SCOPES)
