"""`tachy check`: compares a server's objects with its database, and mends what is wrong if that is wanted.

    python -m tachy_server.check --data DIR

Exit code 0 when nothing is wrong or all of it was mended, 1 when something is, 2 for a wrong setting.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from tachy_server.base.errors import SettingsError, TachyError
from tachy_server.formats.reader import Limits
from tachy_server.lake.lake import Lake
from tachy_server.maintain.checking import Checker, Fault
from tachy_server.opened import add_options, database_of, load_settings, store_of

_GRACE: Final = 3600


def parser() -> argparse.ArgumentParser:
    """The command line; docs/cli.md is checked against it."""
    top = argparse.ArgumentParser(prog="tachy check", description="Compares a server's objects with its database.")
    top.add_argument("--mend", action="store_true", help="mend what is wrong; each is said")
    top.add_argument("--blocks", action="store_true", help="read all blocks, and decode them")
    top.add_argument("--json", action="store_true", help="one JSON object per fault, and one at the end")
    top.add_argument(
        "--grace", type=int, default=_GRACE, metavar="N",
        help=f"objects may be without a row for N seconds: {_GRACE}",
    )  # fmt: skip
    add_options(top, store=True)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = parser().parse_args(argv)
    left = 0
    try:
        settings = load_settings(args)
        store = store_of(settings)
        with database_of(settings, 4) as base:
            lake = Lake(base, store, Limits.of(settings))
            try:
                removal = int(settings.rewrite_grace * 10**9)
                checker = Checker(lake, args.grace * 10**9, removal, mend=args.mend, blocks=args.blocks)
                for fault in checker.run():
                    left += fault.mended is None
                    print(json.dumps(asdict(fault)) if args.json else _line(fault), flush=True)
            finally:
                lake.close()
    except TachyError as error:
        print(f"tachy check: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    seen = checker.seen
    if args.json:
        print(json.dumps(asdict(seen) | {"faults": left}))
    else:
        blocks = f", {seen.blocks} blocks" if args.blocks else ""
        print(f"{seen.objects} objects, {seen.segments} segments{blocks}: {left or 'no'} faults{' left' * args.mend}")
        if seen.young:
            print(f"{seen.young} objects without a row are younger than {args.grace} s and may get one")
    return 1 if left else 0


def _line(fault: Fault) -> str:
    return f"{fault.kind} {fault.what}: {fault.reason}" + (f"; {fault.mended}" if fault.mended else "")


if __name__ == "__main__":
    sys.exit(main())
