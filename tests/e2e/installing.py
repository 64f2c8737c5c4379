"""Builds what goes to PyPI from what git tracks, and environments that have it installed and no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None, seconds: float = 900) -> str:
    """Runs a command that knows nothing of the checkout; what it printed. Fails where the command does."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=cwd, env=clean | dict(env or {}), text=True, capture_output=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout


def build(folder: Path) -> dict[str, Path]:
    """The source distribution, and the wheel that is made from it."""
    checkout = folder / "checkout"
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(folder / "tracked.tar", "w") as archive:
        for name in files.decode().split("\0"):
            if name and (ROOT / name).exists():
                archive.add(ROOT / name, name)
    with tarfile.open(folder / "tracked.tar") as archive:
        archive.extractall(checkout, filter="data")
    run([sys.executable, "-m", "build", "--outdir", folder / "dist"], cwd=checkout)
    (sdist,), (wheel,) = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


def environment(folder: Path, wheel: Path) -> Path:
    """The bin/ of an environment with the wheel; what it depends on comes from the environment of the tests."""
    run([sys.executable, "-m", "venv", "--without-pip", folder], cwd=folder.parent)
    python = folder / "bin/python"
    run([sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", wheel], cwd=folder.parent)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"
