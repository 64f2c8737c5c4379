"""What a limited key may see: processes whose properties have certain values, as a condition of PostgreSQL.

The condition is all that a query, a trace or a list is told (lake/visible.py); it travels with a query as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from psycopg import sql

from tachy_server.base.who import Who
from tachy_server.lake.visible import EVERYTHING, Visible


def visible_to(who: Who) -> Visible:
    """Everything, or what his key is limited to."""
    return Visible(condition(who.only)) if who.only else EVERYTHING


def condition(only: Mapping[str, Sequence[str]]) -> str:
    """SQL over `processes AS p`: each property has one of its values. `@>` compares texts exactly."""
    return " AND ".join(
        "(" + " OR ".join(f"p.properties @> {_literal({name: value})}::jsonb" for value in values) + ")"
        for name, values in sorted(only.items())
    )


def _literal(value: Mapping[str, str]) -> str:
    return sql.Literal(json.dumps(value)).as_string(None)
