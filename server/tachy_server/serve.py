"""`tachy serve`: reads the settings, and starts the process that queries run in beside the imports of all the rest.

    python -m tachy_server.serve --data DIR

Exit code 0 after SIGINT or SIGTERM, 1 when something that the server needs is not there, 2 for a wrong setting.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from tachy_server.base import settings as settings_table
from tachy_server.base.errors import SettingsError, TachyError
from tachy_server.base.imports import without_dataframes
from tachy_server.base.settings import Settings
from tachy_server.query.workers.process import ForkServer

_QUERY_PROCESS = "tachy_server.query_process"
parser = settings_table.parser  # as the other commands have one


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    try:
        _serve(settings_table.load(sys.argv[1:] if argv is None else argv, os.environ))
    except SettingsError as error:
        print(f"tachy serve: {error}", file=sys.stderr)
        return 2
    except TachyError as error:
        print(f"tachy serve: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"tachy serve: {error.strerror or error}: {error.filename or 'the server'}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tachy serve: interrupted before it was ready", file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings) -> None:
    gc.disable()  # until all is imported, of which nothing is garbage
    without_dataframes()
    forks = ForkServer(_QUERY_PROCESS)
    try:
        if "query" in settings.role:
            forks.launch()
        from tachy_server import parts

        parts.run(settings, forks)
    finally:
        forks.close()


if __name__ == "__main__":
    sys.exit(main())
