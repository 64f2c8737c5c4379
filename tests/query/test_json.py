"""JSON in SQL: what native code finds in texts is what Python's own JSON and a plain walk find."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.base.errors import QueryError
from tachy_server.formats import json_values
from tachy_server.query.functions import FUNCTIONS

NAMES = ["a", "b", "A", "é", "with space", 'q"uote', "0"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
NAME = st.sampled_from(NAMES) | st.text(max_size=3)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAME, inner, max_size=12), max_leaves=25)
Walk = Callable[[Any, Any], list[Any]]
"""What a path, or the rest of one, finds from a value on in a document."""
ITEMS: Any = {
    "items": [{"k": "tree", "size": 4}, {"k": "tree"}, {"k": "rock", "size": 2, "n": None}, {"k": "rock", "b": True}],
    "min": 3,
}


def call(name: str, text: str | None, *keys: str) -> Any:
    """A function of one value."""
    function = next(function for function in FUNCTIONS if function.name == name)
    arrays = [pa.array([one], pa.utf8()).dictionary_encode() for one in (text, *keys)]
    found = function.call(*arrays)
    found.validate(full=True)
    assert found.type == function.result
    return found[0].as_py()


def loaded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def strict(text: str) -> Any:
    """As RFC 8259 has it: no NaN, no Infinity."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


@given(VALUES, st.booleans())
def test_a_text_comes_back_compact_and_its_parts_too(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=1)
    assert call("jsonb_parse", text) == dumped(value)
    assert call("jsonb_as_string", text) == (value if isinstance(value, str) else None)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    assert call("jsonb_as_f64", text) == (value if number else None)
    whole = number and value == int(value) and -(2**63) <= value < 2**63
    assert call("jsonb_as_i64", text) == (int(value) if whole else None)
    members = value if isinstance(value, dict) else None
    elements = value if isinstance(value, list) else None
    assert call("jsonb_object_keys", text) == (None if members is None else list(members))
    assert call("jsonb_array_length", text) == (None if elements is None else len(elements))
    assert call("jsonb_elements", text) == (None if elements is None else [dumped(one) for one in elements])
    pairs = members if elements is None else {str(at): one for at, one in enumerate(elements)}
    entries = None if pairs is None else [{"key": key, "value": dumped(one)} for key, one in pairs.items()]
    assert call("jsonb_entries", text) == entries
    plain = None if members is None else [one if isinstance(one, str) else dumped(one) for one in members.values()]
    found = call("properties_to_array", text)
    assert found == (None if plain is None else [{"key": k, "value": v} for k, v in zip(members, plain, strict=True)])
    assert call("properties_length", text) == (None if members is None else len(members))
    for key in (*NAMES, *(members or ()), *map(str, range(len(elements or ())))):
        got = pairs[key] if pairs is not None and key in pairs else ...
        assert call("jsonb_get", text, key) == (None if got is ... else dumped(got))


@given(VALUES, st.data())
def test_damaged_text_is_none_where_it_is_no_json(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value)
    at, to = sorted(data.draw(st.integers(0, len(text))) for _ in range(2))
    text = text[:at] + data.draw(st.text('[]{}",:\\u0d8eEtfnl-+. 1\n\x01', max_size=4)) + text[to:]
    try:
        expected = strict(text)
    except ValueError:
        assert call("jsonb_parse", text) is None
        return
    found = strict(call("jsonb_parse", text))
    assert found == expected or "\\u" in text  # half a pair of surrogates is a character of its own to Python


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" [ 1 , { } , [ ] ] ", "[1,{},[]]"),
        ('{"a":1,"b":2,"a":3}', '{"b":2,"a":3}'),
        ('{"a":{"x":[1]},"\\u0061":2}', '{"a":2}'),
        ("{" + ",".join(f'"k{n % 20}":{n}' for n in range(40)) + "}", dumped({f"k{n}": n + 20 for n in range(20)})),
        (r'"\ud83d\ude00 \ud83d \ude00 \ud83dx"', '"😀 � � �x"'),
        (r'"\u0000\u001f\b\f\n\r\t\"\\\/"', r'"\u0000\u001f\b\f\n\r\t\"\\/"'),
        ("1e400", "1e400"),
        ("12345678901234567890123", "12345678901234567890123"),
        *((text, None) for text in ("", " ", "[1,]", '{"a":1,}', "{a:1}", "[1 2]", "1 2", "NaN", "-", "01", "1.")),
        *((text, None) for text in ('"\\ud83d\\ud8"', '"\\x"', '"', '"\\', '"\t"', "tru", "[" * 9, "]", ",", '{"a"}')),
        ("[}", None),
    ],
)
def test_what_is_json_and_how_it_is_written(text: str, expected: str | None) -> None:
    assert call("jsonb_parse", text) == expected


def test_members_are_found_in_any_case_but_exact_ones_first() -> None:
    assert call("property_get", '{"Map": "e1m1", "mAp": 2}', "map") == "e1m1"
    assert call("property_get", '{"Map": "e1m1", "map": 2}', "map") == "2"
    assert call("property_get", '{"Map": "e1m1"}', "Mop") is None
    assert call("jsonb_get", '{"Map": 1}', "map") is None
    assert call("jsonb_as_i64", "9007199254740993") == 2**53 + 1
    assert call("jsonb_as_i64", "-9223372036854775809") is None


def test_rows_of_a_slice_with_nulls_and_a_key_each() -> None:
    texts = pa.array(["", '{"a":1}', None, '{"b":[2]}', '{"a":{}}'])[1:]
    keys = pa.array(["a", "a", "b", None])
    get = next(function for function in FUNCTIONS if function.name == "jsonb_get")
    assert get.call(texts.dictionary_encode(), keys.dictionary_encode()).to_pylist() == ["1", None, "[2]", None]
    assert json_values.select(texts, json_values.path()).first().to_pylist() == texts.to_pylist()
    assert json_values.numbers(pa.array(["0", "1.5", None, "7"])[1:], pa.int64()).to_pylist() == [None, None, 7]


# Paths ---------------------------------------------------------------------------------------------------------------


def children(value: Any) -> Iterator[Any]:
    yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def descendants(value: Any) -> Iterator[Any]:
    yield value
    for child in children(value):
        yield from descendants(child)


def member(name: str) -> Walk:
    return lambda value, _: [value[name]] if isinstance(value, dict) and name in value else []


def element(at: int) -> Walk:
    return lambda value, _: [value[at]] if isinstance(value, list) and -len(value) <= at < len(value) else []


def everywhere(step: Walk) -> Walk:
    return lambda value, root: [found for inner in descendants(value) for found in step(inner, root)]


def chained(steps: list[Walk], from_root: bool = False) -> Walk:
    def walk(value: Any, root: Any) -> list[Any]:
        found = [root if from_root else value]
        for step in steps:
            found = [one for outer in found for one in step(outer, root)]
        return found

    return walk


COMPARES = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt}
COMPARES |= {">=": operator.ge, "<>": operator.ne}


def compared(sign: str, one: Any, other: Any) -> bool:
    kinds = {float if type(value) is int else type(value) for value in (one, other)}
    if kinds in ({float}, {str}):
        return bool(COMPARES[sign](one, other))
    return sign in ("==", "!=", "<>") and (kinds == {bool} or type(None) in kinds) and bool(COMPARES[sign](one, other))


@st.composite
def step(draw: st.DrawFn, tests: bool) -> tuple[str, Walk]:
    """A step as text, and what it finds."""
    kind = draw(st.sampled_from(["name", "quoted", "at", "all", "deep", "deep all", *["filter"] * tests]))
    name, at = draw(NAME), draw(st.integers(-3, 3))
    if kind == "filter":
        text, holds = draw(condition(2))
        return f" ? ({text})", lambda value, root: [value] if holds(value, root) else []
    return {
        "name": (".a", member("a")),
        "quoted": (f"[{json.dumps(name)}]", member(name)),
        "at": (f"[{at}]", element(at)),
        "all": (draw(st.sampled_from(["[*]", ".*"])), lambda value, _: list(children(value))),
        "deep": ("..b", everywhere(member("b"))),
        "deep all": ("..*", everywhere(lambda value, _: list(children(value)))),
    }[kind]


@st.composite
def operand(draw: st.DrawFn) -> tuple[str, Walk]:
    if draw(st.booleans()):
        value = draw(SCALARS)
        return json.dumps(value), lambda *_: [value]
    steps = draw(st.lists(step(tests=False), max_size=2))
    root = draw(st.booleans())
    return "@$"[root] + "".join(text for text, _ in steps), chained([walk for _, walk in steps], root)


@st.composite
def condition(draw: st.DrawFn, depth: int) -> tuple[str, Callable[[Any, Any], bool]]:
    kind = draw(st.sampled_from(["compare", "exists", *["not", "&&", "||"] * bool(depth)]))
    if kind == "not":
        text, holds = draw(condition(depth - 1))
        return f"!({text})", lambda value, root: not holds(value, root)
    if kind in ("&&", "||"):
        parts = draw(st.lists(condition(depth - 1), min_size=2, max_size=3))
        whole = all if kind == "&&" else any
        return f" {kind} ".join(f"({text})" for text, _ in parts), lambda value, root: whole(
            one(value, root) for _, one in parts
        )
    (left, one), (right, other) = draw(operand()), draw(operand())
    if kind == "exists":
        return f"exists({left})", lambda value, root: bool(one(value, root))
    sign = draw(st.sampled_from(sorted(COMPARES)))
    return f"{left} {sign} {right}", lambda value, root: any(
        compared(sign, a, b) for a in one(value, root) for b in other(value, root)
    )


@given(VALUES, st.lists(step(tests=True), max_size=4))
def test_a_path_finds_what_a_walk_finds(value: Any, steps: list[tuple[str, Walk]]) -> None:
    path = "$" + "".join(text for text, _ in steps)
    expected = [dumped(one) for one in chained([walk for _, walk in steps])(value, value)]
    text = json.dumps(value)
    assert call("jsonb_path_elements", text, path) == expected
    assert call("jsonb_path_query", text, path) == f"[{','.join(expected)}]"
    assert call("jsonb_path_query_first", text, path) == (expected[0] if expected else None)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ('$.items[*] ? (@.k == "tree").size', [4]),
        ("$.items[*]?(@.size>=$.min||!exists(@.size)).k", ["tree", "tree", "rock"]),
        ("$.items[*] ? (@.size > 1) ? (@.size < 3.5).k", ["rock"]),
        ('$.items[*] ? (@.k == "rock" && ( @.b == true || @.size != 2 )).k', ["rock"]),
        ("$.items[*] ? (@.n == null).size", [2]),
        ("$.items[*] ? (@.b != null).k", ["rock"]),
        ("$.items[*] ? (@.b == 1)", []),
        ('$.items[*] ? (@.size == "4")', []),
        ('$.items[*] ? (!(@.k <> "tree")).k', ["tree", "tree"]),
        ("$ ? (exists(@.items[*] ? (@.size <= 2))).min", [3]),
        ("$.items[*] ? ($.items[*].size == @.size).size", [4, 2]),
        ("$.items ? (@ == @)", []),
        ("$['items'][-1]['b']", [True]),
        (" $", None),
        ("$.items[?(@.k == 1)]", None),
        ("$ ? (@.k = 1)", None),
        ("$ ? (@.k == 1", None),
        ("$ ? ()", None),
        ("$ ? (@.k == 1) .", None),
        ("$ ? (1)", None),
        ('$["\\q"]', None),
    ],
)
def test_paths_select_and_filter(path: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(QueryError, match="JSON path"):
            call("jsonb_path_elements", dumped(ITEMS), path)
    else:
        assert call("jsonb_path_elements", dumped(ITEMS), path) == [dumped(one) for one in expected]


def test_what_is_deep_or_long_overflows_nothing() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert call("jsonb_parse", deep) == deep
    assert call("jsonb_path_query_first", "3", "$ ? (" + " && ".join(["@ == 3"] * 20_000) + ")") == "3"
    with pytest.raises(QueryError, match="too many parentheses"):
        call("jsonb_path_query", "3", "$ ? " + "(" * 3000)
