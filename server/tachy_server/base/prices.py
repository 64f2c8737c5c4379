"""What storage, requests and machines cost: a dated file, which the setting `prices` replaces."""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from tachy_server.base.errors import SettingsError

SHIPPED: Final = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars; the months are of 365.25 / 12 days."""

    date: datetime.date
    source: str
    gigabyte_month: float
    put: float
    get: float
    postgres_gigabyte_month: float
    postgres_month: float
    cpu_month: float


def read(path: str) -> Prices:
    """The prices in a file, or those that come with the server. Raises SettingsError."""
    try:
        found = tomllib.loads((Path(path) if path else SHIPPED).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"prices: {path} cannot be read: {error}") from None
    names = {one.name for one in fields(Prices)}
    if found.keys() != names:
        wrong = ", ".join(sorted(found.keys() ^ names))
        raise SettingsError(f"prices: {path} needs exactly {', '.join(sorted(names))}; missing or unknown: {wrong}")
    for name in names - {"date", "source"}:
        if isinstance(found[name], bool) or not isinstance(found[name], int | float) or found[name] < 0:
            raise SettingsError(f"prices: {path}: {name} must be a number of dollars, 0 or more")
    return Prices(**found)
