"""The role maintain: a thread that looks now and then for what is to be done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from tachy_server.base.errors import TachyError
from tachy_server.base.settings import Settings
from tachy_server.formats.reader import LOG, METRIC, SPAN
from tachy_server.lake.database import one_line
from tachy_server.lake.lake import Lake
from tachy_server.maintain.expiring import expire
from tachy_server.maintain.lives import Expirer
from tachy_server.maintain.rewriting import LATE, Rewriter
from tachy_server.maintain.rules import Ask, Rules

_LOOK_SECONDS: Final = 30.0
_JOIN_SECONDS: Final = 20.0
_SECOND: Final = 10**9
_DAY: Final = 86_400 * _SECOND


class Maintenance:
    """Runs from its making to its close()."""

    def __init__(self, settings: Settings, lake: Lake, ask: Ask, materialize: Callable[[], str]) -> None:
        """`ask` runs the queries of keep rules; `materialize` does what is due next for materialized views, and says it
        in words, none when nothing is.
        """
        self._stop = threading.Event()
        self._lake, self._grace = lake, int(settings.rewrite_grace * _SECOND)
        self._snapshots = int(settings.snapshot_days * _DAY)
        self._rewriter = Rewriter(lake, settings.rewrite_seconds, settings.rewrite_grace, stopped=self._stop.is_set)
        lives = {LOG: settings.keep_logs, METRIC: settings.keep_metrics, SPAN: settings.keep_spans}
        self._expirer = Expirer(lake, self._rewriter, lives, self._grace, Rules(ask, LATE))
        self._pause = min(_LOOK_SECONDS, max(0.1, settings.rewrite_seconds / 10 or _LOOK_SECONDS))
        self._materialize = materialize
        self._steps = 0
        self._filled = False
        self._said: set[str] = set()
        self._wrong: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="maintain", daemon=True)
        self._thread.start()

    def stats(self) -> dict[str, int]:
        """What was done since the start."""
        dropped = self._expirer.dropped
        return self._rewriter.stats() | {
            "materialized_steps": self._steps,
            "dropped_segments": dropped.segments,
            "dropped_blocks": dropped.blocks,
        }

    def close(self) -> None:
        """Ends it; what is being rewritten is finished first, unless that takes long: then it stays as it was."""
        self._stop.set()
        self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            try:
                self._rewriter.run(self._fill)
                if self._filled:  # what is dropped before is in no file
                    self._expirer.run()
                expire(self._lake, self._snapshots, self._grace, time.time_ns())
            except TachyError as error:
                self._say(str(error))
            except Exception as error:  # the lake is as it was; the next try is made all the same
                self._say(f"{type(error).__name__}: {one_line(error)}")
            self._said, self._wrong = self._wrong, set()

    def _fill(self) -> None:
        """The files of materialized views, as far as they can be now: without them the views are as whole."""
        self._filled = False
        try:
            while not self._stop.is_set() and self._materialize():
                self._steps += 1
            self._filled = not self._stop.is_set()
        except TachyError as error:
            self._say(f"materialized views, without which nothing is dropped: {error}")

    def _say(self, reason: str) -> None:
        """Once, as long as it stays so."""
        if reason not in self._said | self._wrong:
            print(f"tachy: maintenance: {reason}", flush=True)
        self._wrong.add(reason)
