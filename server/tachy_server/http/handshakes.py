"""TLS for HTTP: connections are accepted here, and are the protocol's when they have shaken hands.

The event loop's own server would do it, but of its connections nobody hears before their handshake is over: whoever
opens many and says nothing could have all the files that this process may open. Here they have a time, and count.

To check: pytest tests/wire/test_handshakes.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

import uvicorn

from tachy_server.access.refusals import Refusals
from tachy_server.base.settings import Settings

_PAUSE_SECONDS = 0.2  # while the system has no more files


class Handshakes:
    """Accepts for ever in `run`; `seconds` is what a handshake may take."""

    def __init__(
        self,
        context: ssl.SSLContext,
        make_protocol: Callable[[], asyncio.Protocol],
        refusals: Refusals,
        seconds: float,
        has_room: Callable[[int], bool],
    ) -> None:
        """`has_room` says of how many handshakes there may be so many, beside the connections that there are."""
        self._context, self._make_protocol, self._refusals = context, make_protocol, refusals
        self._seconds, self._has_room = seconds, has_room
        self._pending: dict[asyncio.Task[None], None] = {}  # the oldest first

    async def run(self, listener: socket.socket) -> None:
        """Until it is cancelled; what has not shaken hands by then is closed."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        try:
            while True:
                try:
                    connection, _ = await loop.sock_accept(listener)
                except OSError:
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                while self._pending and not self._has_room(len(self._pending) + 1):
                    self._forget(next(iter(self._pending)))
                task = loop.create_task(self._shake(loop, connection))
                self._pending[task] = None
                task.add_done_callback(self._forget)
        finally:
            for task in list(self._pending):
                self._forget(task)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._pending.pop(task, None)
        task.cancel()

    async def _shake(self, loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(self._seconds):
                await loop.connect_accepted_socket(self._make_protocol, connection, ssl=self._context)
        except BaseException as error:
            if isinstance(error, TimeoutError):
                self._refusals.count("tls_late")
            elif isinstance(error, ssl.SSLError):
                self._refusals.count("tls")
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
            if not isinstance(error, OSError):  # TimeoutError and SSLError are, and who leaves raises one
                raise


class Server(uvicorn.Server):
    """uvicorn on one listener; with TLS where there is a context."""

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        settings: Settings,
        refusals: Refusals,
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(config)
        self._listener, self._settings, self._refusals, self._context = listener, settings, refusals, context
        self._accepting: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens."""
        if self._context is None:
            await super().startup(sockets=[self._listener])
            return
        await super().startup(sockets=[])
        limits = self._settings
        connections = self.server_state.connections
        handshakes = Handshakes(
            self._context,
            self._protocol,
            self._refusals,
            limits.head_timeout,
            lambda pending: pending + len(connections) <= limits.http_connections,
        )
        self._accepting = asyncio.create_task(handshakes.run(self._listener))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens no more, and lets requests end."""
        if self._accepting is not None:
            self._accepting.cancel()
        self._listener.close()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        kind: type[asyncio.Protocol] = self.config.http_protocol_class
        return kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]
