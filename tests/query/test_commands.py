"""Statements that are not queries are recognised however they are written, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.base.errors import QueryError
from tachy_server.query.commands import (
    Command,
    CreateKeepRule,
    CreateMaterializedView,
    DropKeepRule,
    DropMaterializedView,
    ShowKeepRules,
    ShowMaterializedViews,
    parse,
)

SELECT = "SELECT process_id FROM log_entries WHERE msg = 'a;b' -- why\n AND level < 3"
WRITTEN: list[tuple[str, Command]] = [
    (f"CREATE KEEP RULE crashes FOR '90 days' AS {SELECT}", CreateKeepRule("crashes", 90, SELECT)),
    (f"create keep Rule Crashes for '2 WEEKS' dry run as {SELECT} ; ;", CreateKeepRule("crashes", 14, SELECT, True)),
    (
        '/* CREATE TABLE */ CREATE -- a\n KEEP RULE "Bob\'s ""own"" -- rule" FOR \'1 year\' AS WITH x AS (SELECT 1) '
        "SELECT * FROM x /* AS */",
        CreateKeepRule('Bob\'s "own" -- rule', 365, "WITH x AS (SELECT 1) SELECT * FROM x"),
    ),
    ("CREATE KEEP RULE dry FOR '1 day' AS SELECT ';' ;", CreateKeepRule("dry", 1, "SELECT ';'")),
    ("DROP KEEP RULE crashes", DropKeepRule("crashes")),
    ("  show keep rules;", ShowKeepRules()),
    (f"CREATE MATERIALIZED VIEW v AS {SELECT}", CreateMaterializedView("v", SELECT)),
    (
        f"CREATE OR REPLACE MATERIALIZED VIEW \"V\" WITH (Every = '1 hour', keep='it''s') AS {SELECT}",
        CreateMaterializedView("V", SELECT, {"every": "1 hour", "keep": "it's"}, True),
    ),
    ("DROP MATERIALIZED VIEW IF EXISTS v", DropMaterializedView("v", True)),
    ('DROP MATERIALIZED VIEW "if"', DropMaterializedView("if")),
    ("/* nested /* */ */ SHOW MATERIALIZED VIEWS", ShowMaterializedViews()),
]


@pytest.mark.parametrize(("sql", "command"), WRITTEN)
def test_a_command_says_what_it_means(sql: str, command: Command) -> None:
    assert parse(sql) == command


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "-- CREATE KEEP RULE",
        "SELECT 'CREATE KEEP RULE a'",
        "'CREATE' KEEP RULE a",
        '"SHOW" KEEP RULES',
        "/* SHOW KEEP RULES",
        "SHOW TABLES",
        "CREATE TABLE keep (rule int)",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE keep",
        "EXPLAIN SHOW KEEP RULES",
        "SHOWKEEP RULES",
    ],
)
def test_everything_else_is_none(sql: str) -> None:
    assert parse(sql) is None


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE KEEP RULE", "a name"),
        ("CREATE KEEP RULE '' FOR '1 day' AS SELECT 1", "a name"),
        ("CREATE KEEP RULE \"\" FOR '1 day' AS SELECT 1", "a name"),
        (f"DROP KEEP RULE {'n' * 101}", "a name"),
        ("CREATE KEEP RULE a AS SELECT 1", "FOR"),
        ("CREATE KEEP RULE a FOR 90 AS SELECT 1", "how long"),
        ("CREATE KEEP RULE a FOR '90' AS SELECT 1", "'90 days'"),
        ("CREATE KEEP RULE a FOR '0 days' AS SELECT 1", "'90 days'"),
        ("CREATE KEEP RULE a FOR '101 years' AS SELECT 1", "'90 days'"),
        ("CREATE KEEP RULE a FOR '1 day' AS DELETE FROM logs", "SELECT"),
        ("CREATE KEEP RULE a FOR '1 day' AS", "SELECT, and there is the end"),
        ("DROP KEEP RULE a b", "the end of the statement"),
        ("SHOW KEEP RULES WHERE 1", "the end of the statement"),
        ("CREATE MATERIALIZED VIEW v WITH (a = 1) AS SELECT 1", "a value in quotes"),
        ("CREATE MATERIALIZED VIEW v WITH (a = '1' b = '2') AS SELECT 1", ")"),
        ("CREATE MATERIALIZED VIEW v WITH (a = '1', A = '2') AS SELECT 1", "twice"),
        ("CREATE OR REPLACE MATERIALIZED VIEW", "a name"),
    ],
)
def test_a_wrong_one_is_refused_with_what_was_expected(sql: str, said: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse(sql)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


WORDS = "CREATE DROP SHOW KEEP RULE RULES MATERIALIZED VIEW VIEWS IF EXISTS FOR AS SELECT DRY RUN WITH OR REPLACE"
MARKS = ("a", "'1 day'", '"q"', "(", ")", "=", ",", ";", "'", '"', "/*", "*/", "--", "\n", " ")
PIECES = st.sampled_from([*WORDS.split(), *MARKS])


@given(st.lists(PIECES | st.text(max_size=5), max_size=20), st.sampled_from(["", " "]))
def test_any_text_is_a_command_or_none_or_refused(pieces: list[str], between: str) -> None:
    sql = between.join(pieces)
    try:
        command = parse(sql)
    except QueryError:
        return
    assert command is None or parse(f"/* first */ {sql} -- last") == command
