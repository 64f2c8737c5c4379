"""The Micromegas client logs in as it does elsewhere: with a provider of tokens, and with its static headers."""

from __future__ import annotations

import json
import os
import subprocess

from tests.access.test_keys_command import data, first, locked
from tests.serving import Server
from tests.wire.micromegas_venv import micromegas_venv

__all__ = ["data", "first", "locked"]

PROGRAM = """
import json, sys, warnings
from micromegas.flightsql.client import FlightSQLClient

warnings.simplefilter("ignore")
uri, key = sys.argv[1:]

class Provider:
    def get_token(self):
        return key

def ask(**access):
    try:
        return FlightSQLClient(uri, **access).query("SELECT 41 AS a")["a"].tolist()
    except Exception as error:
        return str(error)

print(json.dumps([ask(auth_provider=Provider()), ask(headers={"authorization": f"Bearer {key}"}), ask()]))
"""


def test_the_micromegas_client_logs_in(locked: Server, first: str) -> None:
    python = micromegas_venv() / "python"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", PROGRAM, locked.flight, first], capture_output=True, text=True, env=env, timeout=120, check=True
    )
    provided, static, nobody = json.loads(done.stdout)
    assert provided == static == [41]
    assert "This server needs a key" in nobody
