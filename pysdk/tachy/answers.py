"""The server's HTTP answers, as the sender and the trace download read them."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import httpx


def is_local(url: str) -> bool:
    """Whether the address is this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def sentence_of(answer: httpx.Response) -> str:
    """The server's own words: {"error": …}, or the status and the beginning of the body."""
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        # a page is for a browser: somebody else listens there, or stands in between
        page = "html" in answer.headers.get("content-type", "")
        text = "" if page else " ".join(answer.text[:200].split())
        return f"{answer.status_code} {answer.reason_phrase}: {text}".rstrip(": ")
