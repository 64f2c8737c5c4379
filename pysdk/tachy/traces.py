"""Downloading Perfetto traces: GET /api/processes/{ids}/trace, streamed to a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import BinaryIO
from uuid import UUID

from tachy.access import Access
from tachy.errors import NotFound, QueryError
from tachy.times import TimeLike, format_time, parse_time

STALLED = 120.0  # seconds without a byte; the server decodes while it streams


def _parameters(begin: TimeLike | None, end: TimeLike | None, compressed: bool) -> dict[str, str]:
    given = {"begin": begin, "end": end}
    try:
        times = {name: format_time(parse_time(value)) for name, value in given.items() if value is not None}
    except ValueError as error:
        raise QueryError(str(error)) from None
    return times | ({"compressed": "true"} if compressed else {})


def download(
    url: str,
    process_ids: Sequence[UUID],
    path: str,
    begin: TimeLike | None = None,
    end: TimeLike | None = None,
    *,
    access: Access,
    progress: Callable[[int], None] | None = None,
    compressed: bool = False,
) -> int:
    """Writes the trace of the processes to `path` ("-": stdout). Returns its size in bytes.

    The file appears when it is complete. Raises NotFound for a process that the lake does not know, ServerUnavailable,
    QueryError with the server's sentence, OSError when the file cannot be written.
    """
    parameters = _parameters(begin, end, compressed)
    if path == "-":
        return _fetch(url, access, process_ids, parameters, sys.stdout.buffer, progress)
    partial = f"{path}.part"
    try:
        with open(partial, "wb") as file:
            size = _fetch(url, access, process_ids, parameters, file, progress)
        os.replace(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.remove(partial)
        raise
    return size


def _fetch(
    url: str,
    access: Access,
    process_ids: Sequence[UUID],
    parameters: dict[str, str],
    file: BinaryIO,
    progress: Callable[[int], None] | None,
) -> int:
    import httpx

    from tachy.answers import sentence_of

    address = f"api/processes/{','.join(map(str, process_ids))}/trace"
    size = 0
    with access.http(url, httpx.Timeout(STALLED, connect=10.0)) as http:
        try:
            with http.stream("GET", address, params=parameters) as answer:
                if not answer.is_success:
                    answer.read()
                    kind = NotFound if answer.status_code == 404 else QueryError
                    raise kind(sentence_of(answer))
                for chunk in answer.iter_bytes():
                    file.write(chunk)
                    size += len(chunk)
                    if progress is not None:
                        progress(size)
        except httpx.ConnectError:
            raise
        except httpx.HTTPError as error:
            failure = f"the trace broke off after {size:,} bytes: {type(error).__name__} {error}"
            raise QueryError(failure.strip()) from None
    return size
