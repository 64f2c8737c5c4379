"""What the server tells a recorder to do: levels, categories, a mode, for a time; and marks (docs/http.md, "Control").

Data and rules only: control_table.py keeps controls, ingest.py sends them with the answers to batches.
To check: pytest tests/lake/test_control.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from tachy_server.base.errors import QueryError

HEADER: Final = "tachy-control"
LEVELS: Final = ("fatal", "error", "warn", "info", "debug", "trace")
MODES: Final = ("all", "flight")
MAX_CATEGORIES: Final = 64  # recorders refuse a control with more, or with longer names (docs/format.md)
MAX_CATEGORY_BYTES: Final = 128
MAX_SECONDS: Final = 365 * 86_400
MAX_CONTROL_BYTES: Final = 4096
MAX_MARK_BYTES: Final = 1024
_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Control:
    """What a recorder does instead of what its own configuration says; empty: nothing."""

    level: str | None = None
    categories: Mapping[str, str] = field(default_factory=dict)
    mode: str | None = None

    def pairs(self) -> list[str]:
        """As the header has it: key=value of everything that is said."""
        result = [f"level={self.level}"] if self.level else []
        result += [f"level.{_encoded(name)}={level}" for name, level in self.categories.items()]
        return [*result, f"mode={self.mode}"] if self.mode else result

    def as_json(self) -> dict[str, Any]:
        """As a request has it, every key present."""
        return {"level": self.level, "categories": dict(self.categories), "mode": self.mode}


@dataclass(frozen=True, slots=True)
class Issued:
    """A process's newest control. `expires` is UTC nanoseconds, None: never; `mark` is a reason."""

    version: int
    control: Control
    expires: int | None
    mark: str | None

    @staticmethod
    def from_row(row: Mapping[str, Any]) -> Issued:
        """A row of the table controls."""
        return Issued(row["version"], Control(**row["settings"]), row["expires"], row["mark"])

    def header(self, now: int) -> str:
        """The value of the header. What has expired is said by the version alone: back to the own configuration."""
        control, seconds = self._in_force(now)
        pairs = [f"version={self.version}"]
        if seconds is not None:
            pairs.append(f"seconds={seconds}")
        pairs += control.pairs()
        if self.mark is not None:
            pairs.append(f"mark={_encoded(self.mark)}")
        return "; ".join(pairs)

    def as_json(self, now: int) -> dict[str, Any]:
        """What is in force, as the routes answer it."""
        control, seconds = self._in_force(now)
        return {"version": self.version, **control.as_json(), "seconds": seconds}

    def _in_force(self, now: int) -> tuple[Control, int | None]:
        """The control and the seconds that are left of it, rounded up."""
        if self.expires is None or not self.control.pairs():
            return self.control, None
        left = -((now - self.expires) // _SECOND)
        return (self.control, left) if left > 0 else (Control(), None)


NOTHING: Final = Issued(0, Control(), None, None)
"""For a process that was never told anything."""


def parse_control(body: Mapping[str, Any]) -> tuple[Control, int | None]:
    """The control and its seconds, from a request whose keys are known. Raises QueryError."""
    level = _one_of("level", body.get("level"), LEVELS)
    mode = _one_of("mode", body.get("mode"), MODES)
    categories = body.get("categories")
    if categories is None:
        categories = {}
    if not isinstance(categories, dict):
        raise QueryError('categories must be an object of levels, as in {"net": "debug"}.')
    if len(categories) > MAX_CATEGORIES:
        raise QueryError(f"There may be {MAX_CATEGORIES} categories, not {len(categories)}.")
    for name, value in categories.items():
        _check_category(name)
        if _one_of(f"the level of category {name}", value, (*LEVELS, "none")) is None:
            raise QueryError(f"Category {name} has no level; leave it out, or give one.")
    seconds = body.get("seconds")
    if seconds is not None and (type(seconds) is not int or not 1 <= seconds <= MAX_SECONDS):
        raise QueryError(f"seconds must be a whole number from 1 to {MAX_SECONDS}.")
    control = Control(level, categories, mode)
    if len("; ".join(control.pairs())) > MAX_CONTROL_BYTES:
        raise QueryError(f"The categories are too long: their header would be over {MAX_CONTROL_BYTES} bytes.")
    return control, seconds


def parse_mark(body: Mapping[str, Any]) -> str:
    """The reason, from a request whose keys are known. Raises QueryError."""
    reason = body.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise QueryError('The body needs "reason", a text that says why.')
    _check_text("reason", reason)
    if len(_encoded(reason)) > MAX_MARK_BYTES:
        raise QueryError(f"The reason is too long: it may have {MAX_MARK_BYTES} bytes when it is percent-encoded.")
    return reason


def _encoded(text: str) -> str:
    return quote(text, safe="")  # leaves letters, digits and -_.~ as they are


def _one_of(name: str, value: object, known: tuple[str, ...]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in known:
        raise QueryError(f"{name} must be one of {', '.join(known)}.")
    return value


def _check_category(name: str) -> None:
    _check_text("the name of a category", name)
    if not all(part.strip() for part in name.split(".")):
        raise QueryError(f"{name!r} is not the name of a category: it has an empty part.")
    if len(name.encode()) > MAX_CATEGORY_BYTES:
        raise QueryError(f"The name of a category may have {MAX_CATEGORY_BYTES} bytes, not {len(name.encode())}.")


def _check_text(what: str, text: str) -> None:
    """PostgreSQL cannot keep NUL; half a surrogate pair, which JSON may name, has no UTF-8."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise QueryError(f"{what} must be text without NUL and halves of surrogate pairs.")
