"""Runs the statements that are not queries (commands.py), in a worker, as it runs queries.

Planning one checks all that can be checked and changes nothing: clients plan as often as they like. Running it may
change something, and is done once: what runs it begins no command again whose worker has ended (workers/run.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from tachy_server.query import commands, keep_rules
from tachy_server.query.command_runs import Context, Planned
from tachy_server.query.materialized import changes

PLANS: Final[Mapping[type, Callable[[Any, Context], Planned]]] = {
    commands.CreateKeepRule: keep_rules.create,
    commands.DropKeepRule: keep_rules.drop,
    commands.ShowKeepRules: keep_rules.show,
    commands.CreateMaterializedView: changes.plan_create,
    commands.DropMaterializedView: changes.plan_drop,
    commands.ShowMaterializedViews: changes.plan_show,
}
"""What plans each kind of command."""


def plan(command: commands.Command, context: Context) -> Planned:
    """Ready to be run, once. Raises QueryError."""
    return PLANS[type(command)](command, context)


def batches(planned: Planned) -> Iterator[pa.RecordBatch]:
    """Run it; its rows."""
    yield from planned.run().cast(planned.schema).to_batches()
