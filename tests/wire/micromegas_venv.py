"""A virtual environment with the Micromegas client, made once and kept in build/: its pins conflict with ours."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

VERSION = "0.32.0"
FOLDER = Path(__file__).resolve().parents[2] / "build" / "venv-micromegas"
_AWAY = re.compile(r"Failed to establish a new connection|Connection to .* timed out|name resolution|ProxyError", re.I)


def micromegas_venv() -> Path:
    """The environment's bin folder. Skips the test when it is not there and no package registry can be reached."""
    FOLDER.parent.mkdir(exist_ok=True)
    done = FOLDER / f"micromegas-{VERSION}"
    with (FOLDER.parent / "venv-micromegas.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            _make()
            done.touch()
    return FOLDER / "bin"


def _make() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(FOLDER)], check=True)
    python = str(FOLDER / "bin" / "python")
    for installer in (["uv", "pip", "install", "--python", python], ["pip", "--python", python, "install"]):  # as make
        command = [sys.executable, "-m", *installer, "--quiet", f"micromegas=={VERSION}"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return
    if _AWAY.search(result.stderr):
        pytest.skip("no package registry can be reached, to install the Micromegas client from")
    raise AssertionError(result.stderr)
