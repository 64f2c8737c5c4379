"""`tachy completion` in real shells: what Tab offers."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tachy import cli

OFFERED = [
    ("tachy sta", "status"),
    ("tachy query --form", "--format"),
    ("tachy logs --level wa", "warn"),
    ("tachy completion z", "zsh"),
    ("tachy serve --store-r", "--store-read-seconds"),
    ("tachy check --me", "--mend"),
    ("tachy keys create --sc", "--scopes"),
]


def script(shell: str) -> str:
    command = [sys.executable, "-m", "tachy.cli", "completion", shell]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("typed", "offered"), OFFERED)
def test_bash_completes(typed: str, offered: str, tmp_path: Path) -> None:
    (tmp_path / "tachy.bash").write_text(script("bash"))
    words = " ".join(typed.split())
    asked = (
        f"source {tmp_path}/tachy.bash; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
        'COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}; '
        "f=$(complete -p tachy | sed 's/.*-F \\([^ ]*\\).*/\\1/'); $f tachy; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(["bash", "--norc", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert offered in [line.strip() for line in done.stdout.splitlines()]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes(tmp_path: Path) -> None:
    (tmp_path / "_tachy").write_text(script("zsh"))
    shell, terminal = pty.fork()
    if shell == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "PS1": "", "HOME": str(tmp_path)})
    try:
        os.write(terminal, f"fpath=({tmp_path} $fpath); autoload -U compinit; compinit -u -D; echo re''ady\n".encode())
        read_until(terminal, "ready")
        for typed, offered in OFFERED:
            os.write(terminal, f"{typed}\t".encode())
            read_until(terminal, offered + " ")
            os.write(terminal, b"\x15")  # Ctrl-U: an empty line again
    finally:
        os.kill(shell, 9)
        os.waitpid(shell, 0)
        os.close(terminal)


def read_until(terminal: int, text: str) -> None:
    """What the terminal shows, until this is there."""
    shown, deadline = "", time.monotonic() + 60
    while text not in re.sub(r"[\x07\x08\r]|\x1b\[[^a-zA-Z]*[a-zA-Z]", "", shown):
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_every_command_is_offered(shell: str) -> None:
    made = script(shell)
    assert [command for command in cli._COMMANDS if not re.search(rf"\b{command}\b", made)] == []
