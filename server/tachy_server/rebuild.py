"""`tachy rebuild`: makes the database of a server again from its object store.

    python -m tachy_server.rebuild --data DIR

Exit code 0 when everything was read, 1 when objects are damaged or it could not be done, 2 for a wrong setting.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tachy_server.base.errors import SettingsError, TachyError
from tachy_server.maintain.rebuilding import rebuild
from tachy_server.opened import add_options, database_of, load_settings, store_of


def parser() -> argparse.ArgumentParser:
    """The command line; docs/cli.md is checked against it."""
    top = argparse.ArgumentParser(
        prog="tachy rebuild", description="Makes a server's database again from its object store."
    )
    add_options(top, store=True)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    try:
        settings = load_settings(parser().parse_args(argv))
        store = store_of(settings)
        with database_of(settings) as base:
            done = rebuild(base, store, int(settings.rewrite_grace * 10**9))
    except TachyError as error:
        print(f"tachy rebuild: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    for one in done.damaged:
        print(f"{one.key} is left out: {one.segment}")
    taken = done.taken
    print(
        f"{len(taken.segments)} segments are there again; {len(taken.replaced)} were replaced and will be removed; "
        f"{len(taken.unneeded)} hold nothing that is not in others, tachy check --mend removes them"
    )
    if done.files:
        print(f"{done.files} files of views will be removed: views are made again from segments")
    return 1 if done.damaged else 0


if __name__ == "__main__":
    sys.exit(main())
