"""The command `tachy`, which asks and steers a server. docs/cli.md describes every command and option; a test compares.

Exit codes: 0 done, 1 it failed (one sentence on stderr says why), 2 wrong arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from tachy import access, progress, rows
from tachy.errors import MissingExtra, QueryError, TachyError
from tachy.settings import LEVELS, resolve
from tachy.version import VERSION

if TYPE_CHECKING:
    from uuid import UUID

    import pyarrow as pa

    from tachy.client import Connection, Stream
    from tachy.recovery import Recovery

FORMATS = ("table", "csv", "json", "arrow")
_OF_THE_SERVER = ("serve", "keys")
TIMES = "RFC 3339 (2026-11-23T19:00:00Z), or a distance from now (-10m, -1h30m)"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line; docs/cli.md is checked against it."""
    top = _Parser(
        prog="tachy", description="Telemetry of games and engines: the server, and questions about what it has."
    )
    top.add_argument("--version", action="version", version=f"tachy {VERSION}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)

    commands.add_parser("serve", help="run the server (needs the extra [server]); tachy serve --help", add_help=False)
    commands.add_parser(
        "keys", help="make, list and revoke keys of a server on this machine; tachy keys --help", add_help=False
    )

    query = commands.add_parser("query", help="ask SQL and print the result")
    query.add_argument("sql", metavar="SQL", help="the question; - reads it from stdin")
    _range(query)
    query.add_argument("--limit", type=_whole, metavar="N", help="at most N rows (no limit)")
    query.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help="table (default), csv, json: one object per line, arrow: IPC stream",
    )
    query.add_argument("--rows", type=_whole, default=100, metavar="N", help="rows that a table shows, 0 for all (100)")
    query.add_argument("-o", "--output", metavar="FILE", help="write here instead of to stdout")
    _uri(query)

    trace = commands.add_parser("trace", help="download a Perfetto trace")
    trace.add_argument(
        "process", nargs="+", metavar="PROCESS_ID", help="id, the beginning of one, or latest; several make one trace"
    )
    trace.add_argument("-o", "--output", metavar="FILE", required=True, help="the trace; - is stdout")
    _range(trace)
    _url(trace)
    _uri(trace)

    _control_options(commands.add_parser("control", help="tell a process what to record"))

    mark = commands.add_parser("mark", help="make a process's flight recorder send its spans around now")
    _process(mark)
    mark.add_argument("reason", metavar="REASON", help="why, in a few words")
    _url(mark)
    _uri(mark)

    recover = commands.add_parser("recover", help="send, list or delete what programs left in their session folder")
    recover.add_argument("folder", metavar="DIR", help="the session folder (TACHY_SESSION_FOLDER, /dev/shm/tachy-UID)")
    recover.add_argument(
        "--timeout", type=_whole, default=60, metavar="N", help="give up after N seconds; the rest stays there (60)"
    )
    what = recover.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="only say what lies there: for which server, whose, how old")
    what.add_argument(
        "--delete", action="store_true", help="delete it, of programs that are gone, instead of sending it"
    )
    recover.add_argument(
        "--older-than", type=_whole, default=0, metavar="N", help="--list and --delete: only what is N seconds old (0)"
    )
    _url(recover)

    logs = commands.add_parser("logs", help="print the latest log lines, and follow them")
    logs.add_argument("-f", "--follow", action="store_true", help="go on with lines as they arrive, until Ctrl-C")
    logs.add_argument("--level", choices=LEVELS, help="the least important level that is shown")
    logs.add_argument("--process", metavar="PROCESS_ID", help="only of this one: id, the beginning of it, or latest")
    logs.add_argument("--limit", type=_whole, default=100, metavar="N", help="the latest N lines (100)")
    _range(logs)
    _uri(logs)
    logs.set_defaults(refuse=logs.error)

    _url(commands.add_parser("status", help="say whether the server is ready, and what it has done"))

    page = commands.add_parser("open", help="open the server's page in the browser")
    page.add_argument("process", nargs="?", metavar="PROCESS_ID", help="at this process; id, its beginning, or latest")
    _url(page)
    _uri(page)

    processes = commands.add_parser("processes", help="list the latest processes")
    processes.add_argument("--limit", type=_whole, default=20, metavar="N", help="at most N (20)")
    _uri(processes)
    return top


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
    command.add_argument("--seconds", type=_whole, metavar="N", help="for so long (until the process ends)")
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


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments and arguments[0] in _OF_THE_SERVER:
            return _run_server_command(arguments[0], arguments[1:])
        args = parser().parse_args(_joined(arguments))
        code = _COMMANDS[args.command](args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # who read our output has seen enough; Python must not notice once more when it closes stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _interrupted()
    except (TachyError, OSError) as error:
        sys.stderr.write(f"tachy: {error}\n")
        return 1


def _joined(arguments: list[str]) -> list[str]:
    """`--begin -10m` as `--begin=-10m`: argparse would take the value for an option."""
    out: list[str] = []
    for argument in arguments:
        if out and out[-1] in ("--begin", "--end") and argument.startswith("-") and argument[1:2].isdigit():
            out[-1] += f"={argument}"
        else:
            out.append(argument)
    return out


def _interrupted() -> int:
    """Ends at once: a thread may still wait in the network, and the interpreter's end would wait for it or crash."""
    sys.stderr.write("\n")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(130)


def _run_server_command(name: str, arguments: list[str]) -> int:
    try:
        command: Any = importlib.import_module(f"tachy_server.{name}")
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"the server is not installed (no module {error.name}): pip install 'tachy[server]'"
        ) from None
    return int(command.main(arguments) or 0)


def _connect(args: argparse.Namespace) -> Connection:
    from tachy.client import connect

    return connect(args.uri, url=getattr(args, "url", None))


def _query(args: argparse.Namespace) -> int:
    sql = sys.stdin.read() if args.sql == "-" else args.sql
    if not sql.strip():
        raise QueryError("the question is empty: give SQL as the argument, or on stdin with -")
    binary = args.format == "arrow"
    if binary and args.output is None and sys.stdout.isatty():
        raise QueryError("an Arrow stream is not for a terminal: redirect it, or give -o FILE")
    limit = args.limit
    if limit is None and args.format == "table" and args.rows:
        limit = args.rows + 1  # one more, to know whether there are more
    state = progress.Progress("query")

    def work() -> None:
        with _connect(args) as lake, lake.open(sql, args.begin, args.end, limit=limit) as stream:
            batches = _counted(stream, state, args)
            if binary:
                _write_arrow(stream, batches, args.output)
            elif args.output is None:
                _write_text(stream.schema.names, batches, args, sys.stdout)
            else:
                with open(args.output, "w", encoding="utf-8", newline="") as file:
                    _write_text(stream.schema.names, batches, args, file)

    progress.run(work, state)
    return 0


def _counted(stream: Stream, state: progress.Progress, args: argparse.Namespace) -> Iterator[pa.RecordBatch]:
    streaming = args.format != "table" and args.output is None and sys.stdout.isatty()
    for batch in stream:
        state.rows += batch.num_rows
        state.bytes += batch.nbytes
        state.quiet = streaming
        yield batch


def _write_text(names: list[str], batches: Iterator[pa.RecordBatch], args: argparse.Namespace, out: TextIO) -> None:
    if args.format == "csv":
        rows.write_csv(names, batches, out)
    elif args.format == "json":
        rows.write_json(names, batches, out)
    else:
        rows.write_table(names, batches, out, args.rows)


def _write_arrow(stream: Stream, batches: Iterator[pa.RecordBatch], output: str | None) -> None:
    import pyarrow as pa

    file: Any = sys.stdout.buffer if output is None else open(output, "wb")  # noqa: SIM115 - stdout stays open
    try:
        with pa.ipc.new_stream(file, stream.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    finally:
        if output is not None:
            file.close()


def _trace(args: argparse.Namespace) -> int:
    from tachy.traces import download

    state = progress.Progress("trace")

    def count(size: int) -> None:
        state.bytes = size

    def work() -> int:
        ids = _process_ids(args, args.process)
        return download(
            resolve("url", args.url), ids, args.output, args.begin, args.end, access=access.resolve(), progress=count
        )

    size = progress.run(work, state)
    if args.output != "-":
        sys.stderr.write(f"{args.output}: {progress.size_text(size)}; open it at https://ui.perfetto.dev\n")
    return 0


def _process_ids(args: argparse.Namespace, texts: Sequence[str]) -> list[UUID]:
    """The processes meant. A whole id needs no question, and so no pyarrow."""
    from tachy.client import process_id

    ids = [process_id(text) for text in texts]
    if None in ids:
        with _connect(args) as lake:
            ids = [lake.find_process(text) for text in texts]
    return [one for one in ids if one is not None]


def _control(args: argparse.Namespace) -> int:
    from tachy import steering

    wanted = {"level": args.level, "categories": dict(args.categories), "mode": args.mode}
    wanted = {name: value for name, value in wanted.items() if value}
    if args.clear and (wanted or args.seconds is not None):
        args.refuse("--clear stands alone")
    if args.seconds is not None:
        if not wanted:
            args.refuse("--seconds needs --level, --category or --mode")
        wanted["seconds"] = args.seconds

    def work() -> dict[str, Any]:
        (process,) = _process_ids(args, [args.process])
        url = resolve("url", args.url)
        if args.clear:
            return steering.delete_control(url, process, access.resolve())
        if wanted:
            return steering.put_control(url, process, wanted, access.resolve())
        return steering.get_control(url, process, access.resolve())

    print(steering.sentence(progress.run(work, progress.Progress("control"))))
    return 0


def _mark(args: argparse.Namespace) -> int:
    from tachy import steering

    def work() -> None:
        (process,) = _process_ids(args, [args.process])
        steering.mark(resolve("url", args.url), process, args.reason, access.resolve())

    progress.run(work, progress.Progress("mark"))
    return 0


def _recover(args: argparse.Namespace) -> int:
    from tachy import session_folder
    from tachy.recovery import recover

    if args.list or args.delete:
        found = session_folder.delete(args.folder, args.older_than) if args.delete else session_folder.look(args.folder)
        found = [one for one in found if one.age >= args.older_than]
        sys.stdout.write(session_folder.table(found))
        return 0

    def work() -> Recovery:
        mine = access.resolve()
        return recover(args.folder, resolve("url", args.url), args.timeout, mine.key, mine.ca)

    print(progress.run(work, progress.Progress("recover")))
    return 0


def _logs(args: argparse.Namespace) -> int:
    from tachy import watching

    if args.follow and (args.begin or args.end):
        args.refuse("--follow has no --begin and no --end: it shows what arrives")

    def work() -> None:
        with _connect(args) as lake:
            process = lake.find_process(args.process) if args.process else None
            if args.follow:
                watching.follow(lake, sys.stdout, process, args.level, args.limit)
            watching.logs(lake, sys.stdout, process, args.level, args.begin, args.end, args.limit)

    if args.follow:
        work()  # which ends by Ctrl-C
    else:
        progress.run(work, progress.Progress("logs"))
    return 0


def _status(args: argparse.Namespace) -> int:
    from tachy import watching
    from tachy.access import resolve as access

    ready, lines = watching.status(resolve("url", args.url), access())
    print("\n".join(lines))
    return 0 if ready else 1


def _open(args: argparse.Namespace) -> int:
    from tachy import watching
    from tachy.access import resolve as access

    process = _process_ids(args, [args.process])[0] if args.process else None
    print(watching.open_page(resolve("url", args.url), access(), process))
    return 0


def _processes(args: argparse.Namespace) -> int:
    def work() -> pa.Table:
        with _connect(args) as lake:
            return lake.processes(args.limit)

    table = progress.run(work, progress.Progress("processes"))
    rows.write_table(table.schema.names, table.to_batches(), sys.stdout, 0)
    return 0


_COMMANDS = {
    "query": _query,
    "trace": _trace,
    "control": _control,
    "mark": _mark,
    "recover": _recover,
    "logs": _logs,
    "status": _status,
    "open": _open,
    "processes": _processes,
}


if __name__ == "__main__":
    sys.exit(main())
