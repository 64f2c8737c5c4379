"""The command line of `tachy`: its commands and their options. docs/cli.md describes every one; a test compares."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from tachy.settings import LEVELS
from tachy.version import VERSION

FORMATS = ("table", "csv", "json", "arrow")
SHELLS = ("bash", "zsh")
TIMES = "RFC 3339 (2026-11-23T19:00:00Z), or a distance from now (-10m, -1h30m)"
OF_THE_SERVER = {
    "serve": "run the server (needs the extra [server])",
    "keys": "make, list and revoke keys of a server on this machine",
    "rebuild": "make a server's database again from its objects",
    "check": "compare a server's objects with its database",
}
Commands = Any  # argparse's own name for them is private


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


class Parser(_Parser):
    """Its help is one screen: a line for each command."""

    def format_help(self) -> str:
        """In the place of argparse's, which has headings and breaks lines."""
        lines = [f"  {one.dest:<12}{one.help}\n" for one in self.commands()._choices_actions]
        after = f"{self.prog} COMMAND --help says more of each.\n"
        return "\n".join((self.format_usage(), f"{self.description}\n", "".join(lines), after))

    def commands(self) -> argparse._SubParsersAction[_Parser]:
        """What add_subparsers made."""
        return next(action for action in self._actions if isinstance(action, argparse._SubParsersAction))


def parser() -> Parser:
    """The whole command line; docs/cli.md is checked against it."""
    top = Parser(
        prog="tachy", description="Telemetry of games and engines: the server, and questions about what it has."
    )
    top.add_argument("--version", action="version", version=f"tachy {VERSION}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)

    for name, does in OF_THE_SERVER.items():
        commands.add_parser(name, help=does, add_help=False)
    _asking(commands)
    _steering(commands)
    _watching(commands)
    return top


def _asking(commands: Commands) -> None:
    query = commands.add_parser("query", help="ask SQL and print the result")
    query.add_argument("sql", metavar="SQL", help="the question; - reads it from stdin")
    _range(query)
    query.add_argument("--limit", type=whole, metavar="N", help="at most N rows (no limit)")
    query.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help="table (default), csv, json: one object per line, arrow: IPC stream",
    )
    query.add_argument("--rows", type=whole, default=100, metavar="N", help="rows that a table shows, 0 for all (100)")
    query.add_argument("-o", "--output", metavar="FILE", help="write here instead of to stdout")
    _uri(query)

    trace = commands.add_parser("trace", help="download a Perfetto trace")
    trace.add_argument(
        "process", nargs="+", metavar="PROCESS_ID", help="id, the beginning of one, or latest; several make one trace"
    )
    trace.add_argument("-o", "--output", metavar="FILE", required=True, help="the trace; - is stdout")
    trace.add_argument(
        "--compressed", action="store_true", help="a quarter as large, made more slowly; Perfetto opens it as it is"
    )
    _range(trace)
    _url(trace)
    _uri(trace)


def _steering(commands: Commands) -> None:
    _control_options(commands.add_parser("control", help="tell a process what to record"))

    mark = commands.add_parser("mark", help="make a process's flight recorder send its spans around now")
    _process(mark)
    mark.add_argument("reason", metavar="REASON", help="why, in a few words")
    _url(mark)
    _uri(mark)

    recover = commands.add_parser("recover", help="send, list or delete what programs left in their session folder")
    recover.add_argument("folder", metavar="DIR", help="the session folder (TACHY_SESSION_FOLDER, /dev/shm/tachy-UID)")
    recover.add_argument(
        "--timeout", type=whole, default=60, metavar="N", help="give up after N seconds; the rest stays there (60)"
    )
    what = recover.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="only say what lies there: for which server, whose, how old")
    what.add_argument(
        "--delete", action="store_true", help="delete it, of programs that are gone, instead of sending it"
    )
    recover.add_argument(
        "--older-than", type=whole, default=0, metavar="N", help="--list and --delete: only what is N seconds old (0)"
    )
    _url(recover)


def _watching(commands: Commands) -> None:
    logs = commands.add_parser("logs", help="print the latest log lines, and follow them")
    logs.add_argument("-f", "--follow", action="store_true", help="go on with lines as they arrive, until Ctrl-C")
    logs.add_argument("--level", choices=LEVELS, help="the least important level that is shown")
    logs.add_argument("--process", metavar="PROCESS_ID", help="only of this one: id, the beginning of it, or latest")
    logs.add_argument("--limit", type=whole, default=100, metavar="N", help="the latest N lines (100)")
    _range(logs)
    _uri(logs)
    logs.set_defaults(refuse=logs.error)

    cost = commands.add_parser("cost", help="reckon what a month of a lake costs, from this one's figures")
    cost.add_argument("--events-per-second", type=whole, metavar="N", help="of all programs (what this lake has got)")
    cost.add_argument("--days", type=whole, default=90, metavar="N", help="how long events are kept (90)")
    _url(cost)

    completion = commands.add_parser("completion", help="print what makes a shell complete this command")
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help=" or ".join(SHELLS))

    _url(commands.add_parser("status", help="say whether the server is ready, and what it has done"))

    page = commands.add_parser("open", help="open the server's page in the browser")
    page.add_argument("process", nargs="?", metavar="PROCESS_ID", help="at this process; id, its beginning, or latest")
    _url(page)
    _uri(page)

    watch = commands.add_parser("top", help="watch what a process does (needs the extra [top])")
    watch.add_argument(
        "process", nargs="?", default="latest", metavar="PROCESS_ID", help="id, its beginning, or latest"
    )
    _uri(watch)

    processes = commands.add_parser("processes", help="list the latest processes")
    processes.add_argument("--limit", type=whole, default=20, metavar="N", help="at most N (20)")
    _uri(processes)


def _range(command: argparse.ArgumentParser) -> None:
    command.add_argument("--begin", metavar="TIME", help=f"nothing before: {TIMES}")
    command.add_argument("--end", metavar="TIME", help="nothing after; the same")


def _control_options(command: argparse.ArgumentParser) -> None:
    _process(command)
    command.add_argument("--level", choices=LEVELS, help="the least important level of logs and spans with a level")
    command.add_argument(
        "--category",
        dest="categories",
        action="append",
        type=_category,
        default=[],
        metavar="NAME=LEVEL",
        help="the same for a category and what is under it; none switches all of it off; may be repeated",
    )
    command.add_argument("--mode", choices=("all", "flight"), help="flight: spans stay in memory until a trigger")
    command.add_argument("--seconds", type=whole, metavar="N", help="for so long (until the process ends)")
    command.add_argument("--clear", action="store_true", help="back to the process's own configuration")
    _url(command)
    _uri(command)
    command.set_defaults(refuse=command.error)


def _process(command: argparse.ArgumentParser) -> None:
    command.add_argument("process", metavar="PROCESS_ID", help="id, the beginning of one, or latest")


def _category(text: str) -> tuple[str, str]:
    name, _, level = text.rpartition("=")
    if not name or level not in (*LEVELS, "none"):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=LEVEL with one of {', '.join(LEVELS)}, none")
    return name, level


def _url(command: argparse.ArgumentParser) -> None:
    command.add_argument("--url", help="HTTP port of the server (TACHY_URL, or http://127.0.0.1:9000)")


def _uri(command: argparse.ArgumentParser) -> None:
    command.add_argument("--uri", help="FlightSQL port of the server (TACHY_FLIGHT_URL, or grpc://127.0.0.1:50051)")


def whole(text: str) -> int:
    """A number of the command line."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def joined(arguments: list[str]) -> list[str]:
    """`--begin -10m` as `--begin=-10m`: argparse would take the value for an option."""
    out: list[str] = []
    for argument in arguments:
        if out and out[-1] in ("--begin", "--end") and argument.startswith("-") and argument[1:2].isdigit():
            out[-1] += f"={argument}"
        else:
            out.append(argument)
    return out
