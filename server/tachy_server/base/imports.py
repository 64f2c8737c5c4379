"""What the server's processes do without, though libraries import it where it is installed."""

from __future__ import annotations

import sys


class _Without:
    """pandas and polars: 50 MB, 0.25 s and threads that nothing here needs."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in ("pandas", "polars"):
            raise ModuleNotFoundError(name, name=name)


def without_dataframes() -> None:
    """From now on pyarrow and DataFusion find neither pandas nor polars."""
    sys.meta_path.insert(0, _Without())
