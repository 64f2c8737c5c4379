"""What the server's parts find each other through."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tachy_server.access.door import Door
from tachy_server.access.tls import Certificate
from tachy_server.base.errors import StoreError
from tachy_server.base.settings import Settings
from tachy_server.ingest.ingest import Ingest
from tachy_server.lake.lake import Lake
from tachy_server.maintain.service import Maintenance
from tachy_server.postgres.supervisor import Postgres

if TYPE_CHECKING:
    from tachy_server.query.workers.pool import Workers


@dataclass
class Services:
    """One running server. `ingest`, `engine` and `maintenance` are None without their roles; `postgres` with --dsn."""

    settings: Settings
    lake: Lake
    door: Door
    certificate: Certificate | None = None
    ingest: Ingest | None = None
    engine: Workers | None = None
    maintenance: Maintenance | None = None
    postgres: Postgres | None = None
    http_url: str = ""
    flight_uri: str = ""
    started: float = field(default_factory=time.time)

    def stats(self) -> dict[str, Any]:
        """What has been done since the start, as JSON can say it."""
        result: dict[str, Any] = {"uptime_seconds": round(time.time() - self.started, 3)}
        result["refusals"] = self.door.refusals.stats()
        if self.engine is not None:
            result |= self.engine.stats()
        if self.ingest is not None:
            result["ingest"] = self.ingest.stats()
        if self.maintenance is not None:
            result["maintain"] = self.maintenance.stats()
        if self.postgres is not None:
            result["postgres"] = {"pid": self.postgres.pid, "restarts": self.postgres.restarts}
        return result

    def problems(self) -> dict[str, str]:
        """What keeps the server from doing its work now, by part; empty when it is ready. Blocks for a moment."""
        checks = {"postgres": self.lake.database.check, "store": self.lake.store.check}
        if self.ingest is not None:
            checks["ingest"] = self.ingest.check
        found: dict[str, str] = {}
        for part, check in checks.items():
            try:
                check()
            except StoreError as error:
                found[part] = str(error)
        return found
