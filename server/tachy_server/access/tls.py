"""The certificate of both ports, which may be read again while the server runs.

To check: pytest tests/access/test_tls.py.
"""

from __future__ import annotations

import ssl
import threading
from pathlib import Path
from typing import Any, Final

import grpc

from tachy_server.base.errors import SettingsError

_OLDEST: Final = ssl.TLSVersion.TLSv1_2


class Certificate:
    """Of the files `certificate` (PEM: the server's own, then those that lead to its authority) and `key` (PEM)."""

    def __init__(self, certificate: str, key: str) -> None:
        """Raises SettingsError when they cannot be used."""
        self._files = Path(certificate).expanduser(), Path(key).expanduser()
        self._lock = threading.Lock()
        self._told = 0  # the version that gRPC has
        self._version = 0
        self.context: Final = _context()
        """For HTTP: connections that come after a `reload` have the new certificate."""
        self.reload()

    def reload(self) -> None:
        """Reads the files again. Raises SettingsError, and stays with what was, when they cannot be used."""
        certificate, key = self._files
        try:
            pair = key.read_bytes(), certificate.read_bytes()
            for context in (_context(), self.context):  # one that does not match must not spoil what serves
                context.load_cert_chain(certificate, key, password=_refuse_password)
        except ssl.SSLError as error:
            reason = error.reason or str(error)
            raise SettingsError(f"{certificate} and {key} are no certificate and its key: {reason}") from None
        except (OSError, ValueError) as error:
            raise SettingsError(f"cannot use {certificate} and {key}: {error}") from None
        with self._lock:
            self._pair = pair
            self._version += 1

    def for_grpc(self) -> Any:
        """Credentials of gRPC, which ask for the newest at each handshake."""
        with self._lock:
            self._told = self._version
            first = grpc.ssl_server_certificate_configuration([self._pair])
        return grpc.dynamic_ssl_server_credentials(first, self._newest)

    def _newest(self) -> Any:
        with self._lock:
            if self._told == self._version:
                return None
            self._told = self._version
            return grpc.ssl_server_certificate_configuration([self._pair])


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _OLDEST
    context.set_alpn_protocols(["http/1.1"])
    return context


def _refuse_password() -> str:
    raise ValueError("the key is encrypted, and nobody is there to type its password")
