"""Where a server may listen: beyond this machine only with keys and TLS, unless a proxy in front of it has them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from tachy_server.base.errors import SettingsError
from tachy_server.base.settings import Address, Settings


def check_binding(settings: Settings, *, has_keys: bool) -> None:
    """Raises SettingsError for a port that others could reach without what it needs."""
    ports = {"http": settings.http}
    if "query" in settings.role:
        ports["flight"] = settings.flight
    for name, address in ports.items():
        if is_loopback(address):
            continue
        if not has_keys and "keys" not in settings.behind_proxy:
            raise SettingsError(
                f"{name} would listen on {address}, where others reach it, and there are no keys: make one with "
                "`tachy keys create`, listen on 127.0.0.1, or give --behind-proxy keys if a proxy asks who comes"
            )
        if not settings.tls_certificate and "tls" not in settings.behind_proxy:
            raise SettingsError(
                f"{name} would listen on {address}, where others reach it, and without TLS keys would travel in the "
                "clear: give --tls-certificate and --tls-key, listen on 127.0.0.1, or give --behind-proxy tls if a "
                "proxy has TLS"
            )


def is_loopback(address: Address) -> bool:
    """Whether only this machine reaches it, by all addresses that the name has."""
    try:
        found: Iterable[str] = {str(entry[4][0]) for entry in socket.getaddrinfo(*address, type=socket.SOCK_STREAM)}
    except OSError:
        return False  # listening there will say what is wrong with it
    return all(ipaddress.ip_address(text.partition("%")[0]).is_loopback for text in found)
