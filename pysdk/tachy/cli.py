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
from typing import TYPE_CHECKING, Any, TextIO

from tachy import access, progress, rows
from tachy.arguments import OF_THE_SERVER, joined, parser
from tachy.errors import MissingExtra, QueryError, TachyError
from tachy.settings import resolve

if TYPE_CHECKING:
    from uuid import UUID

    import pyarrow as pa

    from tachy.client import Connection, Stream
    from tachy.recovery import Recovery


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments and arguments[0] in OF_THE_SERVER:
            return _run_server_command(arguments[0], arguments[1:])
        args = parser().parse_args(joined(arguments))
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


def _interrupted() -> int:
    """Ends at once: a thread may still wait in the network, and the interpreter's end would wait for it or crash."""
    sys.stderr.write("\n")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(130)


def _run_server_command(name: str, arguments: list[str]) -> int:
    return int(_server_command(name).main(arguments) or 0)


def _server_command(name: str) -> Any:
    try:
        return importlib.import_module(f"tachy_server.{name}")
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"the server is not installed (no module {error.name}): pip install 'tachy[server]'"
        ) from None


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
        url, compressed = resolve("url", args.url), args.compressed
        who = access.resolve()
        return download(url, ids, args.output, args.begin, args.end, access=who, progress=count, compressed=compressed)

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


def _top(args: argparse.Namespace) -> int:
    from tachy import top

    with _connect(args) as lake:
        top.run(lake, lake.find_process(args.process))
    return 0


def _cost(args: argparse.Namespace) -> int:
    from tachy import watching

    print("\n".join(watching.cost(resolve("url", args.url), access.resolve(), args.events_per_second, args.days)))
    return 0


def _completion(args: argparse.Namespace) -> int:
    import shtab

    whole = parser()
    with suppress(MissingExtra):  # of a server that is not installed only the names of its commands
        for name in OF_THE_SERVER:
            whole.commands().choices[name] = _server_command(name).parser()
    print(shtab.complete(whole, shell=args.shell))
    return 0


def _status(args: argparse.Namespace) -> int:
    from tachy import watching

    ready, lines = watching.status(resolve("url", args.url), access.resolve())
    print("\n".join(lines))
    return 0 if ready else 1


def _open(args: argparse.Namespace) -> int:
    from tachy import watching

    process = _process_ids(args, [args.process])[0] if args.process else None
    print(watching.open_page(resolve("url", args.url), access.resolve(), process))
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
    "top": _top,
    "completion": _completion,
    "cost": _cost,
    "status": _status,
    "open": _open,
    "processes": _processes,
}


if __name__ == "__main__":
    sys.exit(main())
