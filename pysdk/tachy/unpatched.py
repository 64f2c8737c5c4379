"""The standard library's modules as they are on disk: what gevent, eventlet and their like put into the modules that
everybody shares is not in ours.

A thread of ours has to be the system's, and its sockets have to block it and nothing else, also in a program whose own
threads are greenlets.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any

# What blocks, or starts threads, and what is built on that. Everything else is shared with the program.
_OWN = frozenset(("_thread", "http.client", "socket", "ssl"))
_modules: dict[str, ModuleType] = {}


def module(name: str) -> Any:
    """Our copy of one of the modules in _OWN."""
    found = _modules.get(name)
    if found is None:
        spec = importlib.machinery.BuiltinImporter.find_spec(name)
        if spec is None:
            shared = importlib.util.find_spec(name)
            assert shared is not None
            spec = importlib.util.spec_from_file_location(f"{__name__}.{name}", shared.origin)
        assert spec is not None
        assert spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        found.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
        if spec.name != name:
            sys.modules[spec.name] = found  # enum looks there for the module whose constants it makes
        spec.loader.exec_module(found)
        _modules[name] = found
    return found


def _import(name: str, *arguments: Any, **more: Any) -> Any:
    return module(name) if name in _OWN else builtins.__import__(name, *arguments, **more)
