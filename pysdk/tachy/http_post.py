"""One HTTP connection, kept alive, for the sender's thread: it blocks that thread alone, see unpatched.py."""

from __future__ import annotations

import base64
import socket
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tachy import unpatched
from tachy.answers import is_local, sentence

CONNECT = 5.0  # seconds
BODY = 1 << 16  # bytes of an answer that are read
PIECE = 1 << 18  # bytes that are sent at once


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one request. The names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    sentence: str


def proxy_of(url: str) -> str | None:
    """The environment's proxy for the address; none for this machine's own."""
    if is_local(url):
        return None
    import urllib.request  # 10 ms

    parts = urllib.parse.urlsplit(url)
    if urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _credentials(parts: urllib.parse.SplitResult) -> str:
    """The value of an Authorization header for what stands before the @; "" when nothing does."""
    if parts.username is None:
        return ""
    pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


class HttpPost:
    """Posts to one address. Its thread's own, but for `interrupt`."""

    def __init__(
        self, url: str, timeout: float, headers: Mapping[str, str], moves: Callable[[], object], ca: str = ""
    ) -> None:
        self._moves = moves  # is called when the server has been reached, and as it takes a body
        self._client = unpatched.module("http.client")
        self._timeout = timeout
        self._headers = dict(headers)
        self._parts = urllib.parse.urlsplit(url)
        if credentials := _credentials(self._parts):
            self._headers.setdefault("authorization", credentials)
        self._target = urllib.parse.quote(self._parts.path, safe="/%:@!$&'()*+,;=~")
        self._proxy = proxy_of(url)
        self._tls: Any = None
        if self._parts.scheme == "https":  # reading the certificates takes 20 ms
            self._tls = unpatched.module("ssl").create_default_context(cafile=ca or None)
            if not ca:
                import certifi

                self._tls.load_verify_locations(certifi.where())
        self._connection: Any = None

    def post(self, body: bytes) -> Answer:
        """The answer, whatever its status. OSError or HTTPException: there was none."""
        if self._connection is not None:
            # a server ends connections that were idle: then it has not seen the request, or does not mind a second
            with suppress(OSError, self._client.HTTPException):
                return self._exchange(body)
            self.close()
        self._connect()
        try:
            return self._exchange(body)
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        host, port = self._parts.hostname, self._parts.port
        target = self._target
        via = None
        if self._proxy is not None:
            via = urllib.parse.urlsplit(self._proxy if "://" in self._proxy else f"http://{self._proxy}")
            if via.scheme != "http":
                raise OSError(f"the proxy {via.scheme}://{via.hostname} is none that speaks HTTP without TLS")
        at = (host, port) if via is None else (via.hostname, via.port or 80)
        limit = min(self._timeout, CONNECT)
        if self._tls is not None:
            connection = self._client.HTTPSConnection(*at, timeout=limit, context=self._tls)
        else:
            connection = self._client.HTTPConnection(*at, timeout=limit)
        extra = {}
        if via is not None:
            credentials = _credentials(via)
            extra = {"Proxy-Authorization": credentials} if credentials else {}
            if self._tls is not None:
                connection.set_tunnel(host, port or 443, extra)
                extra = {}
            else:
                target = f"http://{self._parts.netloc.rpartition('@')[2]}{target}"
                extra["host"] = self._parts.netloc.rpartition("@")[2]
        connection.connect()
        connection.sock.settimeout(self._timeout)
        self._request = (target, {**self._headers, **extra})
        self._connection = connection
        self._moves()

    def _exchange(self, body: bytes) -> Answer:
        connection = self._connection
        target, headers = self._request
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it has read all
            connection.request("POST", target, self._pieces(body), {**headers, "content-length": str(len(body))})
        answer = connection.getresponse()
        text = answer.read(BODY).decode("utf-8", "replace")
        known = {name.lower(): value for name, value in answer.getheaders()}
        if answer.will_close or not answer.isclosed():
            self.close()
        said = sentence(answer.status, answer.reason, known.get("content-type", ""), text)
        return Answer(answer.status, known, said)

    def _pieces(self, body: bytes) -> Iterator[bytes]:
        for begin in range(0, len(body), PIECE):
            yield body[begin : begin + PIECE]
            self._moves()

    def interrupt(self) -> None:
        """From another thread: what the connection waits for fails now."""
        connection = self._connection
        sock = None if connection is None else connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends the connection; the next request makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
