"""Who we are to a server, and whose certificates we trust: what every question to it carries."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tachy import settings
from tachy.answers import is_local
from tachy.errors import QueryError, ServerUnavailable

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Access:
    """key: tk_…, or none; ca: a file of certificates (PEM), or the system's."""

    key: str = field(default="", repr=False)
    ca: str = ""

    def headers(self) -> dict[str, str]:
        """Of HTTP and of Flight."""
        return {"authorization": f"Bearer {self.key}"} if self.key else {}

    def certificates(self) -> bytes | None:
        """As gRPC takes them; None: the system's. OSError where the file cannot be read."""
        if not self.ca:
            return None
        with open(self.ca, "rb") as file:
            return file.read()

    @contextmanager
    def http(self, url: str, timeout: httpx.Timeout | float) -> Iterator[httpx.Client]:
        """A client whose requests are relative to the server's address. A key counts more than a user in it.

        What httpx raises inside becomes ServerUnavailable, where nobody could be reached, or QueryError.
        """
        import httpx

        shown = settings.without_credentials(url)
        try:
            with httpx.Client(
                base_url=shown if self.key else url,
                headers=self.headers(),
                verify=ssl.create_default_context(cafile=self.ca) if self.ca else True,
                timeout=timeout,
                trust_env=not is_local(url),
            ) as client:
                yield client
        except httpx.ConnectError as error:
            raise ServerUnavailable(
                f"no tachy server answers at {shown} ({error}): start one with `tachy serve`, "
                "or name another with --url"
            ) from None
        except httpx.HTTPError as error:
            raise QueryError(f"the server has not answered: {type(error).__name__} {error}".strip()) from None


def resolve(key: str | None = None, ca: str | None = None) -> Access:
    """What is given, else what the environment says: TACHY_KEY, TACHY_CA."""
    return Access(settings.resolve("key", key), settings.resolve("ca", ca))
