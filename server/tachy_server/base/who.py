"""Who asks, and what he may: plain data, which travels with a query to the process that runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Scope = Literal["ingest", "query", "control", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("ingest", "query", "control", "admin")


@dataclass(frozen=True, slots=True)
class Who:
    """The holder of a key, by its name and its public half; or everybody, where the server has no keys."""

    name: str
    key_id: str
    scopes: tuple[Scope, ...]


EVERYBODY: Final = Who("", "", SCOPES)
