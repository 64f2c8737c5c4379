"""The server's settings: the fields of `Settings` are the one table of names, types, defaults and help.

Everything else is derived from it: the options of `tachy serve`, the TACHY_* environment, the TOML file of --config,
/api/settings and docs/settings.md (`python -m tachy_server.base.settings` prints that page). To add a setting, add a
field.
"""
# ruff: noqa: RUF009 - _row makes dataclasses.field(…)

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from tachy_server.base.errors import SettingsError

ROLES = ("ingest", "query", "maintain")
PARQUET = ("log_entries", "measures")

# TACHY_* variables that clients read; a machine may have them set when it runs a server too.
CLIENT_VARIABLES = frozenset(
    {
        "TACHY_BLOCK_BYTES",
        "TACHY_CA",
        "TACHY_EXIT_TIMEOUT",
        "TACHY_FINSTRUMENT_SESSION",
        "TACHY_FLIGHT_AFTER_MS",
        "TACHY_FLIGHT_BEFORE_MS",
        "TACHY_FLIGHT_ON_ERROR",
        "TACHY_FLIGHT_URL",
        "TACHY_FLUSH_MS",
        "TACHY_FRAME_BUDGET_US",
        "TACHY_KEY",
        "TACHY_LEVEL",
        "TACHY_LOGGING",
        "TACHY_MODE",
        "TACHY_OUTBOX_BYTES",
        "TACHY_PARENT_PROCESS_ID",
        "TACHY_REPORT",
        "TACHY_SEND_TIMEOUT",
        "TACHY_SESSION_FOLDER",
        "TACHY_POOL_BYTES",
        "TACHY_SPOOL_BYTES",
        "TACHY_SPOOL_SECONDS",
        "TACHY_STOP_TIMEOUT_MS",
        "TACHY_URL",
    }
)


class Address(NamedTuple):
    """Where to listen. Port 0 lets the operating system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of setting: what it is called in help, how text becomes a value, how a value becomes text."""

    name: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535 or not host:
        raise ValueError("write HOST:PORT, as in 127.0.0.1:9000")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def _size(text: str) -> int:
    number = text.rstrip("BbIiKkMmGg ").strip()
    unit = text[len(number) :].strip().upper()
    if not number.isdecimal() or unit not in _UNITS:
        raise ValueError("write a number of bytes, as in 67108864 or 64MiB")
    return int(number) * _UNITS[unit]


def _show_size(size: int) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("write a whole number, 0 or more")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError("write a number, 0 or more")
    return value


def _path(text: str) -> Path:
    if not text:
        raise ValueError("write the name of a folder; `.` is the current one")
    return Path(text).expanduser()


def _roles(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in names if name not in ROLES]
    if unknown or not names:
        raise ValueError(f"write some of {', '.join(ROLES)}, with commas between them")
    return tuple(role for role in ROLES if role in names)


def _parquet_views(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if any(name not in PARQUET for name in names):
        raise ValueError(f"write {' or '.join(PARQUET)}, or both with a comma between them")
    return names


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if any(not re.fullmatch(r"https?://[\w.-]+(:\d+)?", origin) for origin in origins):
        raise ValueError("write origins, as in http://localhost:8888,https://notebooks.example.com")
    return origins


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if any(not re.fullmatch(r"[\w.:-]+", name) or name == "." for name in names):
        raise ValueError("write names without ports, as in tachy.example.com,.internal")
    return names


def _proxied(text: str) -> tuple[str, ...]:
    names = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if any(name not in ("tls", "keys") for name in names):
        raise ValueError("write tls, keys, or both with a comma between them")
    return names


TEXT = Kind("text", str)
PROXIED = Kind("tls, keys", _proxied, ",".join)
PARQUET_VIEWS = Kind("views", _parquet_views, ",".join)
ORIGINS = Kind("origins", _origins, ",".join)
NAMES = Kind("names", _names, ",".join)
PATH = Kind("folder", _path)
ADDRESS = Kind("host:port", _address)
SIZE = Kind("bytes", _size, _show_size)
COUNT = Kind("count", _count)
SECONDS = Kind("seconds", _number, lambda value: f"{value:g}")
DAYS = Kind("days", _number, lambda value: f"{value:g}")
MILLISECONDS = Kind("milliseconds", _number, lambda value: f"{value:g}")
ROLE_LIST = Kind("roles", _roles, ",".join)


def default_data_folder() -> Path:
    """Where this operating system keeps a user's data."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "tachy"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "tachy"
    return Path(os.environ.get("XDG_DATA_HOME", "") or Path.home() / ".local" / "share") / "tachy"


def _row(kind: Kind, default: Any, text: str, *, default_text: str = "") -> Any:
    metadata = {"kind": kind, "help": text, "default_text": default_text}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """One value per setting; the fields' order is the order of the help."""

    data: Path = _row(
        PATH,
        default_data_folder,
        "Folder that the server keeps everything in, unless --dsn and --store say otherwise.",
        default_text="~/.local/share/tachy, or what the system uses for it",
    )
    dsn: str = _row(
        TEXT,
        "",
        "PostgreSQL to use, as postgresql://…; empty: one of our own, in the data folder.",
        default_text="ours",
    )
    store: str = _row(
        TEXT,
        "",
        "Object store: a folder, or s3://bucket/prefix (AWS_* variables hold credentials and endpoint).",
        default_text="DATA/store",
    )
    store_connect_seconds: float = _row(SECONDS, 5.0, "How long a connection to an S3 store may take.")
    store_read_seconds: float = _row(SECONDS, 10.0, "How long the next bytes of an S3 store's answer may take.")
    store_seconds: float = _row(SECONDS, 30.0, "How long a request to an S3 store is tried again when it fails.")
    http: Address = _row(ADDRESS, Address("127.0.0.1", 9000), "Where HTTP listens; port 0 lets the system choose.")
    allowed_hosts: tuple[str, ...] = _row(
        NAMES,
        (),
        "Names and addresses, with commas between them, by which clients reach HTTP, besides localhost and the one it "
        "listens on; `.example.com` allows all that end so. Web pages of these sites may use it too.",
        default_text="none",
    )
    notebooks: tuple[str, ...] = _row(
        ORIGINS,
        (),
        "Origins of notebooks, with commas between them, that may show the server's Perfetto inside their pages: "
        "`http://localhost:8888`.",
        default_text="none",
    )
    flight: Address = _row(
        ADDRESS, Address("127.0.0.1", 50051), "Where Arrow FlightSQL listens; port 0 lets the system choose."
    )
    tls_certificate: str = _row(
        TEXT,
        "",
        "File of the certificate (PEM) of both ports, the server's own first; SIGHUP reads it again. Empty: no TLS.",
        default_text="none",
    )
    tls_key: str = _row(TEXT, "", "File of its private key (PEM, not encrypted).", default_text="none")
    behind_proxy: tuple[str, ...] = _row(
        PROXIED,
        (),
        "What a proxy in front of the server does for it: `tls`, `keys` (it asks who comes), or both. Only then may "
        "the server listen beyond loopback without.",
        default_text="nothing",
    )
    role: tuple[str, ...] = _row(
        ROLE_LIST,
        ROLES,
        "What this server does: ingest, query, maintain (merge small blocks into large ones, drop the replaced).",
    )
    commit_wait: float = _row(
        MILLISECONDS,
        0.0,
        "How long a batch waits for others that can be made durable together with it; 0: as its store needs it, 2 in a "
        "folder, 1000 on S3.",
    )
    max_batch_bytes: int = _row(SIZE, 64 << 20, "Largest batch that is accepted.")
    block_rows: int = _row(
        COUNT,
        1 << 24,
        "Most rows of a block; a batch with a larger one is refused. Reading one takes up to 52 bytes for each of its "
        "rows, its bytes decompressed, and some 150 MiB; in a trace, some 100 bytes for each of a thread's spans.",
    )
    block_raw_bytes: int = _row(
        SIZE, 256 << 20, "Largest block when it is decompressed; a batch with a larger one is refused."
    )
    block_expansion: int = _row(
        COUNT, 1000, "How many times its stored bytes a block may be when it is decompressed, if that is above 64 MiB."
    )
    ingest_queue_bytes: int = _row(SIZE, 256 << 20, "Batches held in memory; more than that have to wait, then 503.")
    ingest_queue_wait: float = _row(SECONDS, 10.0, "How long a batch waits for room in the queue before it gets 503.")
    body_timeout: float = _row(
        SECONDS, 30.0, "How long a request's body may come more slowly than body_rate, or pause, before it gets 408."
    )
    body_rate: int = _row(SIZE, 4 << 10, "Least bytes per second of a body, over body_timeout; 0: any.")
    body_seconds: float = _row(SECONDS, 600.0, "How long the whole of a body may take before it gets 408.")
    head_timeout: float = _row(
        SECONDS, 20.0, "How long a client may take for the handshake of TLS, and for the line and headers of a request."
    )
    http_connections: int = _row(
        COUNT, 2000, "HTTP connections at once; beyond that, the one that has waited longest for a request is closed."
    )
    rewrite_seconds: float = _row(
        SECONDS,
        600.0,
        "The blocks of so much time are merged into large ones once it is over, then those of an hour, and those of a "
        "day's logs as far as they are small; 0: never.",
    )
    rewrite_grace: float = _row(
        SECONDS,
        900.0,
        "How long objects whose blocks were merged stay for queries that have begun to read them; more than "
        "query_seconds.",
    )
    parquet_views: tuple[str, ...] = _row(
        PARQUET_VIEWS,
        (),
        "Which of log_entries and measures are also kept as Parquet files, for DuckDB and others; the server does not "
        "read these. The same on all servers of a lake.",
        default_text="none",
    )
    keep_logs: float = _row(
        DAYS,
        0.0,
        "How long logs stay after the day on which they came; 0: for ever. Queries of rules can keep some longer "
        "(docs/sql.md).",
    )
    keep_metrics: float = _row(DAYS, 0.0, "The same of metrics.")
    keep_spans: float = _row(DAYS, 0.0, "The same of spans.")
    snapshot_days: float = _row(
        DAYS,
        1.0,
        "How long readers of the catalog can ask for views as they were; files that were replaced stay as long.",
    )
    workers: int = _row(COUNT, 2, "Processes that plan and run queries; at least 1.")
    query_memory: int = _row(
        SIZE,
        1 << 30,
        "Memory that one of these processes may take beyond what it has at rest: then its query is refused. Operators "
        "that can spill to disk do so from half of it on.",
    )
    query_seconds: float = _row(SECONDS, 300.0, "How long one query may take.")
    plan_seconds: float = _row(SECONDS, 30.0, "How long the planning of a statement may take.")
    lazy_block_limit: int = _row(
        COUNT, 20_000, "Blocks that one query on a lazy view may decode before it is refused; 0: as many as it likes."
    )
    query_log_days: float = _row(DAYS, 30.0, "How long the view query_log keeps a query.")
    query_cache: int = _row(SIZE, 256 << 20, "Memory for decoded blocks, of all these processes together; 0: none.")
    prices: str = _row(
        TEXT,
        "",
        "TOML file of what storage, requests and machines cost, for lake_usage and tachy cost; empty: list prices.",
        default_text="the server's",
    )
    lost_after: float = _row(SECONDS, 300.0, "How long a running process may be silent before it is called lost.")
    connections: int = _row(COUNT, 16, "Connections to PostgreSQL for queries and requests.")

    def as_rows(self) -> list[dict[str, str]]:
        """Name, type, default, value, help of every setting, as text; a password in the dsn is left out."""
        result: list[dict[str, str]] = []
        for row in rows():
            value = row.kind.show(getattr(self, row.name))
            if row.name == "dsn" and value:
                value = hide_password(value)
            result.append(
                {"name": row.name, "type": row.kind.name, "default": row.default, "value": value, "help": row.help}
            )
        return result


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, as help, /api/settings and the docs show it."""

    name: str
    kind: Kind
    help: str
    default: str

    @property
    def option(self) -> str:
        """--its-name."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """TACHY_ITS_NAME."""
        return "TACHY_" + self.name.upper()


def rows() -> list[Row]:
    """The table."""
    table: list[Row] = []
    for entry in fields(Settings):
        kind: Kind = entry.metadata["kind"]
        default = entry.metadata["default_text"] or kind.show(entry.default)
        table.append(Row(entry.name, kind, entry.metadata["help"], default))
    return table


def hide_password(dsn: str) -> str:
    """The connection string without what must not be printed."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    try:
        parts = conninfo_to_dict(dsn)
    except Exception:
        return "(not readable)"
    return make_conninfo(
        "", **{name: str(part) for name, part in parts.items() if part is not None and name != "password"}
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}; `tachy serve --help` lists the settings")


def parser() -> argparse.ArgumentParser:
    """The options of `tachy serve`; values come out as text, absent ones as None."""
    result = _Parser(
        prog="tachy serve",
        description="Start the server: ingest over HTTP, SQL over FlightSQL and HTTP, traces for Perfetto.",
        epilog="Every setting can also be given as TACHY_NAME in the environment or as a line of the --config file.",
        allow_abbrev=False,
    )
    result.add_argument("--config", metavar="FILE", help="TOML file with settings.")
    for row in rows():
        text = f"{row.help} [{row.default}]".replace("%", "%%")
        result.add_argument(row.option, dest=row.name, metavar=row.kind.name.upper(), help=text)
    return result


def load(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Settings from the command line, else the environment, else the file of --config, else the defaults.

    Raises SettingsError for what is unknown or cannot be read.
    """
    table = {row.name: row for row in rows()}
    arguments, extra = parser().parse_known_args(list(argv))
    if extra:
        raise SettingsError(_unknown(extra[0], [row.option for row in table.values()], "option"))
    config = arguments.config or environ.get("TACHY_CONFIG")
    texts: dict[str, tuple[str, str]] = {}
    if config:
        for key, value in _read_file(Path(config).expanduser()).items():
            name = key.replace("-", "_")
            if name not in table:
                raise SettingsError(_unknown(key, list(table), "setting") + f" ({config})")
            texts[name] = (_toml_text(value), f"{key} in {config}")
    variables = {row.variable: row for row in table.values()}
    for variable, value in environ.items():
        if variable in variables:
            texts[variables[variable].name] = (value, variable)
        elif variable.startswith("TACHY_") and variable not in CLIENT_VARIABLES | {"TACHY_CONFIG"}:
            raise SettingsError(_unknown(variable, list(variables), "environment variable"))
    for name, row in table.items():
        given = getattr(arguments, name)
        if given is not None:
            texts[name] = (given, row.option)
    values: dict[str, Any] = {}
    for name, (text, origin) in texts.items():
        try:
            values[name] = table[name].kind.parse(text)
        except ValueError as error:
            raise SettingsError(f"{origin}: {text!r} does not do: {error}") from None
    return Settings(**values)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None


def _toml_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)


def _unknown(name: str, known: list[str], what: str) -> str:
    close = difflib.get_close_matches(name.split("=")[0], known, n=1)
    hint = f"did you mean {close[0]}?" if close else "`tachy serve --help` lists what there is"
    return f"there is no {what} {name.split('=')[0]}: {hint}"


def page() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings of the server",
        "",
        "Given to `tachy serve` as `--option VALUE`, or in the environment as `TACHY_…`, or as `name = value` in the",
        "TOML file that `--config` (or `TACHY_CONFIG`) names; the first of these wins. Unknown names are errors.",
        "",
        "| setting | type | default | what it is |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{row.name}` | {row.kind.name} | {row.default} | {row.help} |" for row in rows()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
