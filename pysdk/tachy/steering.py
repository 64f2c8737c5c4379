"""What recorders are told by the server: GET, PUT and DELETE /api/processes/{id}/control, POST …/mark.

A process hears it with the answer to its next batch. docs/http.md says what the keys mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tachy.access import Access
from tachy.errors import NotFound, QueryError

TIMEOUT = 30.0  # seconds


def get_control(url: str, process_id: UUID, access: Access) -> dict[str, Any]:
    """What is in force: version, level, categories, mode, seconds. Raises NotFound, ServerUnavailable, QueryError."""
    return _ask(url, access, "GET", f"{process_id}/control")


def put_control(url: str, process_id: UUID, control: Mapping[str, Any], access: Access) -> dict[str, Any]:
    """Puts `control` (level, categories, mode, seconds; each may be absent) in the place of what is in force."""
    return _ask(url, access, "PUT", f"{process_id}/control", control)


def delete_control(url: str, process_id: UUID, access: Access) -> dict[str, Any]:
    """Gives the recorder back to its own configuration."""
    return _ask(url, access, "DELETE", f"{process_id}/control")


def mark(url: str, process_id: UUID, reason: str, access: Access) -> dict[str, Any]:
    """Makes the flight recorder ship its spans around now."""
    return _ask(url, access, "POST", f"{process_id}/mark", {"reason": reason})


def sentence(control: Mapping[str, Any]) -> str:
    """What is in force, for people."""
    said = [f"level {control['level']}"] if control["level"] else []
    said += [f"{name} {level}" for name, level in control["categories"].items()]
    said += [f"mode {control['mode']}"] if control["mode"] else []
    if not said:
        return "nothing is in force: the recorder follows its own configuration"
    seconds = control["seconds"]
    until = "until the process ends" if seconds is None else f"for {seconds} s"
    return f"in force {until}: {', '.join(said)}"


def _ask(url: str, access: Access, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    from tachy.answers import sentence_of

    content = None if body is None else json.dumps(body).encode()  # ASCII: what is no UTF-8, the server refuses
    with access.http(url, TIMEOUT) as http:
        headers = {"content-type": "application/json"}
        answer = http.request(method, f"api/processes/{path}", content=content, headers=headers)
    if not answer.is_success:
        raise (NotFound if answer.status_code == 404 else QueryError)(sentence_of(answer))
    return dict(answer.json())
