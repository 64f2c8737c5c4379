"""Makes the Unreal plugin as a game takes it: unreal/Tachy with the recorder in one file, as a folder and as a zip.

`python -m tools.unreal [FOLDER]` writes FOLDER/Tachy and FOLDER/Tachy-VERSION.zip (default: build/unreal), the same
bytes for the same sources. The recorder's files have names of their own there: Tachy.h is the plugin's, and many file
systems take tachy.h for the same.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from tools.amalgamate import make_header, make_source, version_of

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "unreal" / "Tachy"
COPYRIGHT = "Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0."
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of every file in the zip


def make_files() -> dict[str, bytes]:
    """The files of the plugin by their paths in it."""
    files = {
        path.relative_to(PLUGIN).as_posix(): path.read_bytes() for path in sorted(PLUGIN.rglob("*")) if path.is_file()
    }
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    header = make_header()
    source = make_source(version_of(header)).replace('#include "tachy.h"', '#include "tachy_core.h"')
    core = {"Public/tachy_core.h": header, "Private/tachy_core.c": source}
    for name, text in core.items():
        files[f"Source/TachyCore/{name}"] = f"/* {COPYRIGHT} */\n{text}".encode()
    return dict(sorted(files.items()))


def write_plugin(folder: Path) -> Path:
    """Writes the plugin into the folder, which is made if need be, and returns the plugin's own.

    What has not changed is not touched, so that nobody compiles it again; what is no part of the plugin is deleted.
    """
    files = make_files()
    target = folder / "Tachy"
    for old in [path for path in target.rglob("*") if path.is_file()]:
        if old.relative_to(target).as_posix() not in files:
            old.unlink()
    for name, content in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if not (target / name).exists() or (target / name).read_bytes() != content:
            (target / name).write_bytes(content)
    with zipfile.ZipFile(folder / f"Tachy-{version_of(make_header())}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(f"Tachy/{name}", LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return target


if __name__ == "__main__":
    print(write_plugin(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "unreal"))
