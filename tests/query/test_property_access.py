"""`properties['k']` and `properties ->> 'k'`: the same as property_get, and nothing else is rewritten."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.base.errors import QueryError
from tachy_server.query.property_access import with_calls

from tests.query.conftest import World


@pytest.mark.parametrize(
    ("written", "planned"),
    [
        ("properties['k']", "property_get(properties, 'k')"),
        ("l.Properties [ 'k' ] = 'x'", "property_get(l.Properties ,  'k' ) = 'x'"),
        ("\"processes.properties\"['k']", "property_get(\"processes.properties\", 'k')"),
        ("properties[$1]", "property_get(properties, $1)"),
        ("properties['a']['b']", "property_get(property_get(properties, 'a'), 'b')"),
        ("jsonb_parse(f(msg, (1)))['k']", "property_get(jsonb_parse(f(msg, (1))), 'k')"),
        ("properties/* [ */['k'] -- ['k'] ->> 'k'", "property_get(properties/* [ */, 'k') -- ['k'] ->> 'k'"),
        ("a->>'k'", "property_get(a,'k')"),
        ("a->>'x'->>'y' = 'z'", "property_get(property_get(a,'x'),'y') = 'z'"),
        ("1 + f(a)->>k.v::int", "1 + property_get(f(a),k.v)::int"),
        ("a->>(b->>'c')", "property_get(a,(property_get(b,'c')))"),
        ("WHERE (a)->>'k' AND (b)->>'k'", "WHERE property_get((a),'k') AND property_get((b),'k')"),
        ("f(properties['k'], a::text->>$2)", "f(property_get(properties, 'k'), property_get(a::text,$2))"),
        ("'it''s'->>lower('K')", "property_get('it''s',lower('K'))"),
        ("properties['a']->>'b'", "property_get(property_get(properties, 'a'),'b')"),
    ],
)
def test_accesses_become_calls(written: str, planned: str) -> None:
    assert with_calls(written) == planned


@pytest.mark.parametrize(
    "sql",
    [
        "entry['key'], list[1], properties[1], ['k'], ARRAY['properties'], properties[f('k')]",
        "'properties[''k''] ->> ', \"a ->> b\", `properties['k']`, e'\\' ->> ', $$properties['k']$$, $x$ ->> $x$",
        "/* properties['k'] /* ->> */ ->> */ 1 -- ->>",
        "x -> 1, 'properties[''k'']",
    ],
)
def test_nothing_else_is_touched(sql: str) -> None:
    assert with_calls(sql) == sql


@pytest.mark.parametrize("sql", ["->> 'k'", "a ->>", "a ->> + 'k'", "SELECT a + ->> 'k'", "(a ->>)"])
def test_an_arrow_between_nothing_is_refused(sql: str) -> None:
    with pytest.raises(QueryError, match="->> stands between"):
        with_calls(sql)


Pair = tuple[str, str]  # as written, and as planned


def chain(start: Pair, rights: list[Pair], keys: list[str]) -> Pair:
    """`start ->> right ->> …`, then subscripts, which are taken of the whole."""
    written, planned = start
    for right, call in rights:
        written, planned = f"{written} ->> {right}", f"property_get({planned}, {call})"
    for key in keys if rights else []:
        written, planned = f"{written}[{key}]", f"property_get({planned}, {key})"
    return written, planned


def subscripted(base: Pair, keys: list[str]) -> Pair:
    written, planned = base
    for key in keys:
        written, planned = f"{written}[{key}]", f"property_get({planned}, {key})"
    return written, planned


def wrapped(before: str, inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    return inner.map(lambda pair: (f"{before}({pair[0]})", f"{before}({pair[1]})"))


def same(*texts: str) -> st.SearchStrategy[Pair]:
    return st.sampled_from([(text, text) for text in texts])


KEYS = st.lists(st.sampled_from(["'k'", "'it''s'", "$1", "$$k$$"]), max_size=2)
VALUES = same("a", "t.a", '"b ->> c"', "'->>'", "$2", "7", "e'\\'['", "properties")


def longer(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    calls = wrapped("f", inner) | wrapped("", inner)
    bases = same("properties", "t.process_properties", '"streams.properties"') | wrapped("jsonb_parse", inner)
    starts = VALUES | calls | st.builds(subscripted, bases, KEYS)
    return st.builds(chain, starts, st.lists(VALUES | calls, max_size=2), KEYS)


@given(st.recursive(VALUES, longer, max_leaves=12))
def test_any_expression_becomes_its_calls(pair: Pair) -> None:
    written, planned = pair
    assert with_calls(written).replace(" ", "") == planned.replace(" ", "")


PIECES = st.sampled_from(
    ["properties", "['k']", "->>", "'k'", "(", ")", "[", "]", ".", ",", "::", "$1", "f", '"a', "/*", "*/", "--\n", " "]
)


@given(st.lists(PIECES).map("".join))
def test_what_is_no_sql_is_refused_or_left_to_datafusion(sql: str) -> None:
    try:
        assert len(with_calls(sql)) >= len(sql.replace("->>", ","))
    except QueryError:
        assert "->>" in sql


@pytest.mark.parametrize("access", ["properties['{}']", "properties ->> '{}'", "l.properties ->> '{}'"])
def test_they_give_what_property_get_gives(world: World, access: str) -> None:
    for name in ("n", "N", "missing"):
        rows = world.rows(
            f"SELECT {access.format(name)} AS one, property_get(properties, '{name}') AS other, properties "
            "FROM log_entries AS l"
        )
        assert rows
        for row in rows:
            assert row["one"] == row["other"] == json.loads(row["properties"]).get(name.lower())


def test_they_filter_group_and_take_parameters(world: World) -> None:
    sql = (
        "SELECT process_properties ->> 'build' AS build, count(*) AS n FROM log_entries "
        "WHERE properties['n'] = '3' AND process_properties['Map'] IN ('e1m1') GROUP BY 1 ORDER BY properties_length("
        "min(process_properties)), process_properties['build']"
    )
    expected = world.rows(
        sql.replace("process_properties ->> 'build'", "property_get(process_properties, 'build')")
        .replace("properties['n']", "property_get(properties, 'n')")
        .replace("process_properties['Map']", "property_get(process_properties, 'Map')")
        .replace("process_properties['build']", "property_get(process_properties, 'build')")
    )
    assert world.rows(sql) == expected == [{"build": "40", "n": 3}, {"build": "41", "n": 3}]
