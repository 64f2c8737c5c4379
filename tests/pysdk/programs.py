"""Programs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap


def run(program: str, url: str, *, seconds: float = 30, code: int = 0) -> str:
    """Runs a program with TACHY_URL; returns what it prints.

    At its end it waits for the server, however busy the machine is.
    """
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "error", "-c", textwrap.dedent(program)],
        env={**os.environ, "TACHY_URL": url, "TACHY_EXIT_TIMEOUT": "60"},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout
