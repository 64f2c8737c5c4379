"""`tachy keys`: makes, lists and revokes keys, in the database of a server that runs or does not.

    python -m tachy_server.keys create NAME --scopes ingest --data DIR

Whoever may read the data folder's socket, or has the dsn, may: there is no other authority. Exit codes as of `tachy`.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from tachy_server.access import key_table
from tachy_server.access.keys import Key
from tachy_server.base.errors import SettingsError, TachyError
from tachy_server.base.times import parse_time
from tachy_server.base.who import SCOPES, Scope
from tachy_server.lake.database import Connection
from tachy_server.opened import add_options, database_of, load_settings

_SECONDS = {"h": 3600, "d": 86400}
_NAME = re.compile(r"\w[\w .@:/-]{0,99}")
_HEAD = ("id", "name", "scopes", "state", "created", "expires", "last used", "stamp", "only")


def parser() -> argparse.ArgumentParser:
    """The command line; docs/cli.md is checked against it."""
    top = argparse.ArgumentParser(prog="tachy keys", description="Keys of a server: who may send, ask, steer it.")
    actions = top.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a key and print it, once")
    create.add_argument("name", metavar="NAME", help="whose it is; shown in lists and logs")
    create.add_argument(
        "--scopes", type=_scopes, required=True, metavar="SCOPES", help=f"what it may: some of {','.join(SCOPES)}"
    )
    create.add_argument(
        "--expires", type=_expiry, metavar="TIME", help="90d, 12h from now, or RFC 3339; without it, never"
    )
    create.add_argument(
        "--stamp",
        type=_property,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a property of every process that it sends, whatever that says itself; may be repeated",
    )
    create.add_argument(
        "--only",
        type=_property,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="it sees no processes but those with this property; several values of one name: with any of them",
    )
    actions.add_parser("list", help="all keys, without their secrets")
    revoke = actions.add_parser("revoke", help="end keys, within two seconds")
    revoke.add_argument("key", metavar="ID", help="the id, or the name, of which it ends all")
    for action in actions.choices.values():
        add_options(action)
    return top


def _scopes(text: str) -> tuple[Scope, ...]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names or any(name not in SCOPES for name in names):
        raise argparse.ArgumentTypeError(f"{text!r}: some of {','.join(SCOPES)}, with commas between them")
    return tuple(scope for scope in SCOPES if scope in names)


def _property(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _expiry(text: str) -> int:
    now = time.time_ns()
    match = re.fullmatch(r"(\d{1,6})([hd])", text)
    try:
        expires = now + int(match[1]) * _SECONDS[match[2]] * 10**9 if match else parse_time(text)
    except TachyError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if expires <= now:
        raise argparse.ArgumentTypeError(f"{text} is over already")
    return expires


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = parser().parse_args(argv)
    try:
        if args.action == "create" and not _NAME.fullmatch(args.name):
            raise SettingsError(f"{args.name!r} is no name: write letters, digits and some of . @ : / - up to 100")
        if args.action == "create" and args.only and "admin" in args.scopes:
            raise SettingsError("a key for admin sees the whole server: give one with --only other scopes")
        with database_of(load_settings(args)) as base, base.connection() as connection:
            _run(connection, args)
    except TachyError as error:
        print(f"tachy keys: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    return 0


def _run(connection: Connection, args: argparse.Namespace) -> None:
    if args.action == "create":
        first = not key_table.read(connection)
        only: dict[str, list[str]] = {}
        for name, value in args.only:
            only.setdefault(name, []).append(value)
        print(key_table.create(connection, args.name, args.scopes, args.expires, dict(args.stamp), only))
        print("This is shown once: nobody can look it up.", file=sys.stderr)
        if first:
            print("It is the first one: from now on the server answers nobody without a key.", file=sys.stderr)
    elif args.action == "list":
        rows = [_HEAD, *map(_row, key_table.read(connection))]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    else:
        for key_id in key_table.revoke(connection, args.key):
            print(f"revoked {key_id}")


def _row(key: Key) -> tuple[str, ...]:
    state = key.state(time.time_ns())
    times = (_time(key.created), _time(key.expires), _time(key.last_used))
    stamp = " ".join(f"{name}={value}" for name, value in key.stamp.items())
    only = " ".join(f"{name}={value}" for name, values in key.only.items() for value in values)
    return (key.key_id, key.name, ",".join(key.scopes), state, *times, stamp or "-", only or "-")


def _time(nanoseconds: int | None) -> str:
    if nanoseconds is None:
        return "never"
    return f"{datetime.fromtimestamp(nanoseconds // 10**9, UTC):%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    sys.exit(main())
