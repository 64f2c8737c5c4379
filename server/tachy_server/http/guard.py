"""Whose requests are answered: what keeps web pages of others from using a browser to talk to a server on loopback.

- DNS rebinding: a page's own name that now means 127.0.0.1 comes as Host, which has to be one of our names.
- Requests of a page of another site come with its Origin, which has to be our own. Those that a browser sends without
  asking us first have the content types of forms, or none: JSON and batches need theirs.

To check: pytest tests/wire/test_guard.py.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from starlette.types import Scope

from tachy_server.base.errors import Denied, TachyError
from tachy_server.base.settings import Settings

WHO = "tachy.who"
"""Where the ASGI scope has who asks (base.who.Who)."""
_PORTS = {"http": 80, "https": 443}


class Refused(TachyError):  # noqa: N818 - an answer
    """The request is answered with this status and sentence; its body is not read."""

    def __init__(
        self, status: int, sentence: str, headers: Mapping[str, str] | None = None, *, reason: str = ""
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers or {}
        self.reason = reason
        """What it is counted as, and limited in rate, where it says that somebody may not."""


def refusal(denied: Denied) -> Refused:
    """What HTTP answers to somebody who may not."""
    if denied.reason == "scope":
        return Refused(403, str(denied))
    if denied.reason == "rate":
        return Refused(429, str(denied), {"retry-after": str(denied.wait)})
    return Refused(401, str(denied), {"www-authenticate": 'Bearer realm="tachy"'})


def credentials(scope: Scope) -> tuple[str, str]:
    """The header Authorization ("" where there is none) and the client's address. Raises Refused for several."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) > 1:
        raise Refused(400, "send one Authorization header")
    client = scope.get("client")
    return given[0].decode("latin-1") if given else "", client[0] if client else ""


class Guard:
    """Knows the server's names. A name of the settings with a dot in front stands for all that end so."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = frozenset(settings.allowed_hosts)
        self._suffixes = tuple(name for name in settings.allowed_hosts if name.startswith("."))
        self._bound = settings.http.host.lower()
        self._knows = functools.lru_cache(1000)(self._is_ours)

    def check(self, scope: Scope) -> None:
        """Raises Refused for a request that was meant for another server, or sent by a page of another site."""
        hosts: list[bytes] = []
        origins: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"host":
                hosts.append(value)
            elif name == b"origin":
                origins.append(value)
            elif name == b"content-encoding" and value.lower() != b"identity":
                raise Refused(415, f"send the body without content-encoding {value.decode('latin-1')}")
        if len(hosts) != 1:
            raise Refused(400, "send one Host header")
        host = hosts[0].decode("latin-1")
        server = scope.get("server")
        if not self._knows(host, server[0] if server else ""):
            sentence = f"this server is not known as {host}: name it in the setting allowed_hosts if it is"
            raise Refused(403, sentence, reason="host")
        for origin in origins:
            if not self._is_own(origin.decode("latin-1"), host):
                sentence = "a page of another site has sent this: name it in the setting allowed_hosts if it may"
                raise Refused(403, sentence, reason="origin")

    def _is_ours(self, host: str, local: str) -> bool:
        name = _split(f"//{host}").hostname or ""
        if name in ("localhost", self._bound) or self._is_allowed(name):
            return True
        address = _address(name)
        return address is not None and (address.is_loopback or address == _address(local))

    def _is_allowed(self, name: str) -> bool:
        return name in self._allowed or name.endswith(self._suffixes)

    def _is_own(self, origin: str, host: str) -> bool:
        """The origin is the server itself, by the name that was used, or a site that the settings name."""
        page, server = _split(origin), _split(f"{origin.partition(':')[0]}://{host}")
        default = _PORTS.get(page.scheme)
        if default is None or not page.hostname:
            return False
        same = page.hostname == server.hostname and (page.port or default) == (server.port or default)
        return same or self._is_allowed(page.hostname)


def check_content_type(headers: Mapping[bytes, bytes], wanted: str) -> None:
    """Raises Refused for a body that does not say what it is, or something else."""
    given = headers.get(b"content-type", b"")
    if given.decode("latin-1").partition(";")[0].strip().lower() != wanted:
        raise Refused(415, f"send the body with Content-Type: {wanted}")


def _split(url: str) -> SplitResult:
    """The parts of a URL; nothing where it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is looked at only now
    except ValueError:
        return urlsplit("")
    return parts


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:  # inet_aton reads what clients resolve by themselves: 127.1
        address = ipaddress.ip_address(name if ":" in name else socket.inet_aton(name))
    except (OSError, ValueError):
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if isinstance(mapped, ipaddress.IPv4Address) else address
