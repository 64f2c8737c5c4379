"""Becomes PostgreSQL (or initdb): run as a script of its own, in a fresh interpreter, by the supervisor.

    python -I -S child.py PARENT UID GID REACH SIGNAL PROGRAM ARGUMENT…

Gives up root for UID and GID (-1: stays who it is), asks the kernel for SIGNAL when PARENT dies, and executes PROGRAM.
With REACH 1 the child keeps CAP_DAC_OVERRIDE: PostgreSQL insists on not being root, and an unprivileged user cannot
reach a data folder or a Python environment below, say, /root, whose permissions are none of our business. Where the
kernel has no PDEATHSIG (macOS) this process stays and watches its parent instead.

It imports nothing of the project: forking a server that has threads is not safe, starting a small script is.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def _prctl(option: int, argument: int, more: int = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(argument), ctypes.c_ulong(more), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _keep_reach() -> None:
    """CAP_DAC_OVERRIDE, and nothing else, survives the change of user and the exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    bit = 1 << _CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE)


def _drop(uid: int, gid: int, *, reach: bool) -> None:
    if reach:
        # Capabilities outlive setuid(), and count in access() too, by which initdb looks for its programs.
        _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if reach:
        _keep_reach()


def _watch(parent: int, number: int, command: list[str]) -> int:
    """Run the command as a child and pass signals on; `number` when the parent is gone. Returns its exit code."""
    child = subprocess.Popen(command)
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(name, lambda received, _frame: child.send_signal(received))
    told = False
    while (code := child.poll()) is None:
        if os.getppid() != parent and not told:
            child.send_signal(number)
            told = True
        time.sleep(0.2)
    return code


def main() -> int:
    """Only returns where it had to stay, or did not become anything."""
    parent, uid, gid, reach, number = map(int, sys.argv[1:6])
    command = sys.argv[6:]
    os.umask(0o077)
    if uid >= 0:
        _drop(uid, gid, reach=bool(reach))
    if sys.platform != "linux":
        return _watch(parent, number, command)
    _prctl(_PR_SET_PDEATHSIG, number)  # after the change of user, which would clear it
    if os.getppid() == parent:
        os.execv(command[0], command)
    return 1


if __name__ == "__main__":
    sys.exit(main())
