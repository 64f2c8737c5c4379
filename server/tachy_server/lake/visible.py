"""Which processes somebody may see. Every selection of blocks and of metadata asks this, and nothing else does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Visible:
    """Processes for which `condition` holds: SQL of PostgreSQL over `processes AS p`, its values written into it."""

    condition: str | None = None
    """None: all of them."""

    def conditions(self, process_id: str) -> list[str]:
        """What a row must satisfy whose process is `process_id`, an expression: nothing, or one condition."""
        if self.condition is None:
            return []
        return [f"{process_id} IN (SELECT p.process_id FROM processes AS p WHERE {self.condition})"]


EVERYTHING: Final = Visible()
