"""The part of JSONPath that telemetry needs: `$`, `.name`, `["name"]`, `[n]`, `[*]`, `.*`, `..name`."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from tachy_server.base.errors import QueryError

_STEP: Final = re.compile(
    r"""\.\.(?P<deep>\w[\w-]*|\*)|\.(?P<name>\w[\w-]*|\*)|\[\s*(?P<at>-?\d+|\*)\s*\]"""
    r"""|\[\s*(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*\]"""
)


@functools.lru_cache(256)
def parse(path: str) -> tuple[tuple[str, str | int], ...]:
    """The steps of a path: (kind, name or index). Raises QueryError."""
    if not path.startswith("$"):
        raise QueryError(f"the JSON path {path!r} must begin with $")
    steps: list[tuple[str, str | int]] = []
    offset = 1
    while offset < len(path):
        match = _STEP.match(path, offset)
        if match is None:
            raise QueryError(f"the JSON path {path!r} is not understood at {path[offset:]!r}")
        if match["deep"] is not None:
            steps.append(("deep", match["deep"]))
        elif match["name"] is not None:
            steps.append(("name", match["name"]) if match["name"] != "*" else ("all", ""))
        elif match["at"] is not None:
            steps.append(("at", int(match["at"])) if match["at"] != "*" else ("all", ""))
        else:
            quoted = match["quoted"]
            text = quoted if quoted[0] == '"' else '"' + quoted[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
            steps.append(("name", json.loads(text)))
        offset = match.end()
    return tuple(steps)


def select(value: Any, path: str) -> list[Any]:
    """Everything in a JSON value that the path names, in order."""
    found = [value]
    for kind, key in parse(path):
        found = [inner for outer in found for inner in _step(outer, kind, key)]
    return found


def _step(value: Any, kind: str, key: str | int) -> Iterator[Any]:
    match kind, value:
        case "name", dict() if key in value:
            yield value[key]
        case "at", list() if isinstance(key, int) and -len(value) <= key < len(value):
            yield value[key]
        case "all", dict():
            yield from value.values()
        case "all", list():
            yield from value
        case "deep", _:
            for inner in _descendants(value):
                yield from _step(inner, "all" if key == "*" else "name", key)


def _descendants(value: Any) -> Iterator[Any]:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _descendants(inner)
