"""Sending what killed programs left: the command `tachy recover`.

A program does the same at its start, for what others with the same server left in the same folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tachy.errors import NotFound, ServerUnavailable
from tachy.recorder import ffi, lib
from tachy.settings import without_credentials
from tachy.stats import stats


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found in a folder. Sessions of processes that are gone, how many of them were killed while they
    recorded, batches to send, events (of all classes) saved out of their memory, sessions of processes that run or are
    just being recovered, and such that cannot be read.
    """

    sessions: int
    crashed: int
    batches: int
    events: int
    busy: int
    unreadable: int

    def __str__(self) -> str:
        said = f"{_count(self.sessions, 'session')}, {self.crashed} of them killed: {self.events} events saved"
        if self.busy:
            said += f"; {_count(self.busy, 'session')} of programs that run, or that somebody recovers just now"
        if self.unreadable:
            said += f"; {_count(self.unreadable, 'session')} that cannot be read (damaged, or another version's)"
        return said


def recover(folder: str | os.PathLike[str], url: str, timeout: float, key: str = "", ca: str = "") -> Recovery:
    """Takes over what processes that are gone left in `folder`, and sends it to the server at `url`.

    Returns when the server has all of it. NotFound: no such folder. ServerUnavailable: some of it was not taken within
    `timeout` seconds; it stays in the folder. Not while a session of this process runs.
    """
    from tachy.sender import Sender

    found = ffi.new("tachy_recovery *")
    if not Path(folder).is_dir() or lib.tachy_recover(os.fsencode(folder), found) != 0:
        raise NotFound(f"there is no folder {os.fspath(folder)} that could be read")
    result = Recovery(found.sessions, found.crashed, found.batches, sum(found.events), found.busy, found.unreadable)
    if result.batches == 0:
        return result
    sender = Sender(url, min(timeout, 30.0), key, ca)
    sender.start()
    taken = sender.wait(timeout)
    lib.tachy_stop(0)  # gives back what the server has not taken
    if not taken:
        waiting = result.batches - stats().recovered_batches
        server = without_credentials(url)
        raise ServerUnavailable(
            f"{server} did not take {_count(waiting, 'batch')} of {result.batches}: still in {folder}"
        )
    return result


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}{'es' if what.endswith('ch') else 's'}"
