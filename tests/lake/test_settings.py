"""One table of settings feeds the command line, the environment, the file and the docs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tachy import settings as sdk
from tachy_server.base import settings
from tachy_server.base.errors import SettingsError
from tachy_server.base.settings import Address, Settings, load


def test_defaults() -> None:
    loaded = load([], {})
    assert loaded == Settings()
    assert loaded.http == Address("127.0.0.1", 9000)
    assert loaded.flight == Address("127.0.0.1", 50051)
    assert loaded.role == ("ingest", "query", "maintain")


def test_the_command_line_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tachy.toml"
    file.write_text('http = "127.0.0.1:1"\nmax-batch-bytes = "1MiB"\nquery_seconds = 1.5\nrole = ["query", "ingest"]\n')
    environ = {"TACHY_HTTP": "127.0.0.1:2", "TACHY_MAX_BATCH_BYTES": "2 MiB", "TACHY_CONFIG": str(file), "HOME": "/"}
    loaded = load(["--http", "127.0.0.1:3"], environ)
    assert loaded.http.port == 3
    assert loaded.max_batch_bytes == 2 << 20
    assert loaded.query_seconds == 1.5
    assert loaded.role == ("ingest", "query")


@pytest.mark.parametrize(
    ("argv", "environ", "hint"),
    [
        (["--htpp", "x:1"], {}, "--http"),
        (["--htpp=x:1"], {}, "--http"),
        ([], {"TACHY_STROE": "x"}, "TACHY_STORE"),
        (["--http", "nowhere"], {}, "HOST:PORT"),
        (["--http", "127.0.0.1:70000"], {}, "HOST:PORT"),
        (["--max-batch-bytes", "many"], {}, "bytes"),
        (["--role", "ingest,dance"], {}, "ingest, query, maintain"),
        (["--role", ""], {}, "ingest, query, maintain"),
        (["--query-seconds", "-1"], {}, "0 or more"),
        (["--query-seconds", "soon"], {}, "--query-seconds: 'soon' does not do: write a number"),
        (["--data", ""], {}, "name of a folder"),
        ([], {"TACHY_DATA": ""}, "TACHY_DATA"),
        (["--config", "/nonexistent.toml"], {}, "/nonexistent.toml"),
        (["--http"], {}, "--http"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(argv: list[str], environ: dict[str, str], hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(argv, environ)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_line_of_the_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "tachy.toml"
    file.write_text("htpp = 1\n")
    with pytest.raises(SettingsError, match="did you mean http"):
        load(["--config", str(file)], {})


def test_what_clients_have_in_their_environment_is_no_error() -> None:
    load([], dict.fromkeys(settings.CLIENT_VARIABLES, "x"))
    assert {setting.variable for setting in sdk.SETTINGS} <= settings.CLIENT_VARIABLES


def test_rows_do_not_show_passwords() -> None:
    shown = load(["--dsn", "postgresql://me:secret@db/tachy"], {}).as_rows()
    assert [row["name"] for row in shown] == [row.name for row in settings.rows()]
    assert "secret" not in str(shown)
    assert "host=db" in str(shown)


def test_every_setting_has_help_and_a_line_in_the_page() -> None:
    page = settings.page()
    for row in settings.rows():
        assert row.help.endswith(".")
        assert f"`{row.name}`" in page


def test_the_page_in_docs_is_that_of_the_table() -> None:
    file = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
    assert file.read_text(encoding="utf-8") == settings.page(), (
        "python -m tachy_server.base.settings > docs/settings.md"
    )


def test_help_lists_every_option() -> None:
    text = settings.parser().format_help()
    for row in settings.rows():
        assert row.option in text
