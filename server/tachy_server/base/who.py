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


@dataclass(frozen=True, slots=True)
class Asked:
    """How a query came: who sent it, whether he may look after the server, and what else is known of its `origin`:
    client_ip, and what the client says of itself. Without an origin the server asks itself.
    """

    name: str = ""
    admin: bool = False
    origin: Mapping[str, str] = field(default_factory=dict)


BY_ITSELF: Final = Asked()
_SAID: Final = {"agent": "x-client-agent", "entrypoint": "x-client-entrypoint", "session": "x-client-session"}


def asked(who: Who, address: str, headers: Mapping[str, str | bytes]) -> Asked:
    """By a client, over HTTP or Flight; the headers' names are in lower case."""
    origin = {"client_ip": address, "client": str(headers.get("x-client-type") or headers.get("user-agent") or "")}
    origin |= {name: str(headers[header]) for name, header in _SAID.items() if header in headers}
    return Asked(who.name, "admin" in who.scopes, origin)
