"""Which materialized views there are: those that come with the server, and those that users have made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tachy_server.base.errors import QueryError
from tachy_server.lake.materialized import MaterializedView
from tachy_server.lake.segments import Chosen
from tachy_server.query.commands import CreateMaterializedView, parse
from tachy_server.query.materialized.apart import Inputs
from tachy_server.query.materialized.built_in import AS_FILES, STATEMENTS
from tachy_server.query.materialized.definition import Definition
from tachy_server.query.tokens import quoted


@dataclass(frozen=True, slots=True)
class Stored:
    """A view; `statement` is the same for all that mean the same, `text` as somebody wrote it; `table_id`: of its table
    in the catalog; None: it has no files yet.
    """

    definition: Definition
    statement: str
    text: str
    table_id: int | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.definition.name

    @property
    def inputs(self) -> Inputs:
        """What its rows are made of: its files, and all segments that they do not cover."""
        return Inputs() if self.table_id is None else Inputs(self.table_id, Chosen(uncovered=self.table_id))

    @property
    def table(self) -> int:
        """Of a view that has files."""
        assert self.table_id is not None
        return self.table_id


Known = Mapping[str, Stored]


def of_command(command: CreateMaterializedView) -> Stored:
    """What a statement makes."""
    options = ", ".join(f"{quoted(name)} = {_text(value)}" for name, value in sorted(command.options.items()))
    clause = f" WITH ({options})" if options else ""
    statement = f"CREATE MATERIALIZED VIEW {quoted(command.name)}{clause} AS\n{command.sql}"
    definition = Definition(command.name, command.sql, **command.options)
    return Stored(definition, statement, command.text)


def defined(statement: str) -> Stored:
    """The same of a statement's text. Raises QueryError."""
    command = parse(statement)
    if not isinstance(command, CreateMaterializedView):
        raise QueryError(f"this makes no materialized view: {statement}")
    return of_command(command)


def _text(value: str) -> str:
    escaped = value.replace("'", "''")
    return f"'{escaped}'"


BUILT_IN: Final[Known] = {view.name: view for view in map(defined, STATEMENTS)}
FOR_OTHERS: Final[Known] = {name: defined(statement) for name, statement in AS_FILES.items()}
"""Files of views that the server itself reads from blocks."""


def everything(rows: Iterable[MaterializedView]) -> dict[str, Stored]:
    """By name. The server's own are there before they have files, and again when this version makes another one."""
    found = dict(BUILT_IN)
    for row in rows:
        ours, there = BUILT_IN.get(row.name), replace(defined(row.definition), table_id=row.table_id)
        if ours is None or ours.statement == there.statement:
            found[row.name] = there
    return found
