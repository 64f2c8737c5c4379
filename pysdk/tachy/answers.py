"""What the server's HTTP answers say, and whether a server is this machine's own."""

from __future__ import annotations

import ipaddress
import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx


def is_local(url: str) -> bool:
    """Whether the address is this machine's own, which no proxy could reach.

    Names are `localhost` and what lies under it (RFC 6761); addresses are read in every form that a resolver takes.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(socket.inet_aton(host) if ":" not in host else host)
    except (OSError, ValueError):
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        address = mapped
    return address.is_loopback or address.is_unspecified


def sentence(status: int, reason: str, content_type: str, text: str) -> str:
    """The server's own words: {"error": …}, or the status and the beginning of the body."""
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        # a page is for a browser: somebody else listens there, or stands in between
        said = "" if "html" in content_type else " ".join(text[:200].split())
        return f"{status} {reason}: {said}".rstrip(": ")


def sentence_of(answer: httpx.Response) -> str:
    """The same, of one of httpx's."""
    return sentence(answer.status_code, answer.reason_phrase, answer.headers.get("content-type", ""), answer.text)
