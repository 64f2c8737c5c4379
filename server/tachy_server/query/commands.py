"""Statements that are not queries, as text: which they are, what they say, and who may send them.

    CREATE KEEP RULE name FOR '90 days' [DRY RUN] AS SELECT …
    DROP KEEP RULE name
    SHOW KEEP RULES
    CREATE [OR REPLACE] MATERIALIZED VIEW name [WITH (key = 'value', …)] AS SELECT …
    DROP MATERIALIZED VIEW [IF EXISTS] name
    SHOW MATERIALIZED VIEWS

What runs them is in statements.py. Everything else is DataFusion's, which refuses what is no query.
To check: pytest tests/query/test_commands.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, NoReturn

from tachy_server.base.errors import QueryError
from tachy_server.base.who import Scope
from tachy_server.query.tokens import scan

MAX_NAME: Final = 100
"""Characters."""
_MAX_DAYS: Final = 36_500
_DAYS: Final = {"day": 1, "week": 7, "year": 365}
_LIFE: Final = re.compile(r"\s*(\d{1,5})\s+(day|week|year)s?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CreateKeepRule:
    """Blocks that overlap the rows of `sql` are kept for `days`; a dry run says which they would be."""

    scope: ClassVar[Scope] = "admin"
    name: str
    days: int
    sql: str
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class DropKeepRule:
    """It keeps nothing more."""

    scope: ClassVar[Scope] = "admin"
    name: str


@dataclass(frozen=True, slots=True)
class ShowKeepRules:
    """A row for each."""

    scope: ClassVar[Scope] = "query"


@dataclass(frozen=True, slots=True)
class CreateMaterializedView:
    """A view whose rows, those of `sql`, are stored; `replace`: instead of the one of that name, if there is one."""

    scope: ClassVar[Scope] = "admin"
    name: str
    sql: str
    options: Mapping[str, str] = field(default_factory=dict)
    """By their names in lower case."""
    replace: bool = False
    text: str = field(default="", compare=False)
    """The statement as it was written, without a semicolon at its end."""


@dataclass(frozen=True, slots=True)
class DropMaterializedView:
    """It and its rows go."""

    scope: ClassVar[Scope] = "admin"
    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class ShowMaterializedViews:
    """A row for each."""

    scope: ClassVar[Scope] = "query"


Command = (
    CreateKeepRule
    | DropKeepRule
    | ShowKeepRules
    | CreateMaterializedView
    | DropMaterializedView
    | ShowMaterializedViews
)


def parse(sql: str) -> Command | None:
    """The command that this is, None if it is none. Raises QueryError for one that is not written as it should be."""
    first = _first(sql)
    if first not in ("CREATE", "DROP", "SHOW"):
        return None
    tokens = _Tokens(sql)
    for words, read in _COMMANDS.items():
        if tokens.take(*words):
            command = read(tokens)
            tokens.end()
            return command
    return None


def _first(sql: str) -> str:
    return scan(sql, 0).text.upper()


class _Tokens:
    """A statement, read from its begin to its end."""

    def __init__(self, sql: str) -> None:
        self._sql, self._at = sql, 0

    def take(self, *words: str) -> bool:
        """Whether these words, or marks, come next; they are read then."""
        at = self._at
        for word in words:
            token = scan(self._sql, at)
            if token.kind not in ("word", "mark") or token.text.upper() != word:
                return False
            at = token.end
        self._at = at
        return True

    def need(self, *words: str) -> None:
        """They must come next."""
        if not self.take(*words):
            self._refuse(" ".join(words))

    def name(self) -> str:
        """A name, in lower case unless it is quoted, as everywhere in SQL."""
        token = scan(self._sql, self._at)
        name = token.text[1:-1].replace('""', '"') if token.kind == "name" else token.text.lower()
        if token.kind not in ("name", "word") or not 0 < len(name) <= MAX_NAME or "\0" in name:
            self._refuse(f"a name of at most {MAX_NAME} characters")
        self._at = token.end
        return name

    def text(self, what: str) -> str:
        """A text in quotes."""
        token = scan(self._sql, self._at)
        if token.kind != "text":
            self._refuse(what)
        self._at = token.end
        return token.text[1:-1].replace("''", "'")

    def select(self) -> str:
        """AS and the query that is all of the rest, without a semicolon at its end."""
        self.need("AS")
        first = scan(self._sql, self._at)
        if first.text.upper() not in ("SELECT", "WITH"):
            self._refuse("SELECT")
        last, end = first, scan(self._sql, first.at)
        while end.kind:
            if end.text != ";":
                last = end
            end = scan(self._sql, end.end)
        self._at = last.end
        return self._sql[first.at : self._at]

    @property
    def whole(self) -> str:
        """All of it, without a semicolon at its end."""
        return self._sql.strip().removesuffix(";").rstrip()

    def end(self) -> None:
        """Nothing but semicolons may follow."""
        while self.take(";"):
            pass
        if scan(self._sql, self._at).kind:
            self._refuse("the end of the statement")

    def _refuse(self, expected: str) -> NoReturn:
        token = scan(self._sql, self._at)
        before = " ".join(self._sql[: token.at].split())[-40:]
        found = repr(token.text[:40]) if token.kind else "the end"
        raise QueryError(f"After {before!r} there should be {expected}, and there is {found} (docs/sql.md).")


def _create_keep_rule(tokens: _Tokens) -> Command:
    name = tokens.name()
    tokens.need("FOR")
    life = tokens.text("how long, as '90 days'")
    match = _LIFE.fullmatch(life)
    days = int(match[1]) * _DAYS[match[2].lower()] if match else 0
    if not 0 < days <= _MAX_DAYS:
        raise QueryError(f"A rule keeps FOR '90 days', '12 weeks' or '2 years', at most a hundred, not for {life!r}.")
    dry_run = tokens.take("DRY", "RUN")
    return CreateKeepRule(name, days, tokens.select(), dry_run)


def _create_materialized_view(tokens: _Tokens, *, replace: bool = False) -> Command:
    name = tokens.name()
    options: dict[str, str] = {}
    if tokens.take("WITH"):
        tokens.need("(")
        while True:
            key = tokens.name().lower()
            tokens.need("=")
            if key in options:
                raise QueryError(f"The option {key!r} is given twice.")
            options[key] = tokens.text("a value in quotes")
            if not tokens.take(","):
                break
        tokens.need(")")
    return CreateMaterializedView(name, tokens.select(), options, replace, tokens.whole)


def _drop_materialized_view(tokens: _Tokens) -> Command:
    if_exists = tokens.take("IF", "EXISTS")
    return DropMaterializedView(tokens.name(), if_exists)


_COMMANDS: Final[Mapping[tuple[str, ...], Callable[[_Tokens], Command]]] = {
    ("CREATE", "KEEP", "RULE"): _create_keep_rule,
    ("DROP", "KEEP", "RULE"): lambda tokens: DropKeepRule(tokens.name()),
    ("SHOW", "KEEP", "RULES"): lambda tokens: ShowKeepRules(),
    ("CREATE", "MATERIALIZED", "VIEW"): _create_materialized_view,
    ("CREATE", "OR", "REPLACE", "MATERIALIZED", "VIEW"): lambda tokens: _create_materialized_view(tokens, replace=True),
    ("DROP", "MATERIALIZED", "VIEW"): _drop_materialized_view,
    ("SHOW", "MATERIALIZED", "VIEWS"): lambda tokens: ShowMaterializedViews(),
}
