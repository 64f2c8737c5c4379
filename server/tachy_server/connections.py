"""The server's own TCP connections, which gRPC does not let Python close: a stream to a client that does not read would
keep a stopping server waiting for ever.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat


def drop_connections(port: int) -> None:
    """Shut down every connection that this process has on one of its ports. Does nothing where /dev/fd is missing."""
    try:
        names = os.listdir("/dev/fd")
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError):  # closed meanwhile, or not connected
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                _drop(int(name), port)


def _drop(descriptor: int, port: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.family in (socket.AF_INET, socket.AF_INET6) and connection.getsockname()[1] == port:
            connection.shutdown(socket.SHUT_RDWR)
