"""Every sample of docs/ runs, with what is installed and no checkout. (docs/cpp.md's: tests/cpp/test_docs.py.)"""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import installing
from tests.model.encoder import Process
from tests.serving import Server
from tools import pictures

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
THE_PROCESS = uuid.UUID("5ca1ab1e-0000-4000-8000-00000000000a")  # the one that the pages ask about
ENOUGH = """
import tachy

tachy.start()
for number in range(120_000):  # as many events as a bill is reckoned from
    with tachy.span("much"):
        pass
    if number % 20_000 == 0:
        tachy.flush(30)
tachy.stop(30)
"""
pytestmark = pytest.mark.xdist_group("distributions")


def samples(page: str, language: str) -> list[str]:
    """The fenced samples of a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def of(language: str) -> list[tuple[str, int]]:
    """The samples of a language: page and number."""
    pages = sorted(path.name for path in DOCS.glob("*.md") if path.name != "cpp.md")
    return [(page, number) for page in pages for number in range(len(samples(page, language)))]


class Reader:
    """Somebody who has installed tachy, runs its server, and types what the pages say."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        self.bin = installing.environment(folder / "environment", wheel)
        self.server = Server(folder / "data", python=self.bin / "python")

    def play(self, process_id: uuid.UUID) -> None:
        """A process starts, and runs on as the latest."""
        process = Process(process_id=process_id, start_time=time.time_ns() - 1_000_000)
        main = process.thread("main")
        main.span("Frame", 1_000, 2_000)
        main.message(1_500, "hello")
        main.metric(1_600, "speed", 3.5)
        assert self.server.post(process.batch(process.blocks())).status_code == 200

    def type(self, command: list[str | Path], cwd: Path) -> str:
        (cwd / ".curlrc").write_text("fail-with-body\n")
        env = {
            "HOME": str(cwd),
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "TACHY_URL": self.server.http,
            "TACHY_FLIGHT_URL": self.server.flight,
        }
        return installing.run(command, cwd=cwd, env=env, seconds=120)

    def here(self, text: str, cwd: Path) -> str:
        """A sample with the addresses and folders of this test."""
        text = text.replace("127.0.0.1:9000", self.server.http.removeprefix("http://"))
        text = text.replace("127.0.0.1:50051", self.server.flight.split("//")[1])
        text = text.replace("/home/me/.local/share/tachy", str(self.server.data))
        return text.replace("/dev/shm/tachy-1000", str(cwd))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, distributions: dict[str, Path]) -> Iterator[Reader]:
    made = Reader(tmp_path_factory.mktemp("reader"), distributions["wheel"])
    with made.server:
        made.play(THE_PROCESS)
        made.type(["python", "-c", ENOUGH], tmp_path_factory.mktemp("enough"))
        yield made


@pytest.mark.parametrize(("page", "number"), of("python"))
def test_python_samples_run(page: str, number: int, reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(reader.here(samples(page, "python")[number], tmp_path))
    reader.type(["python", "sample.py"], tmp_path)


@pytest.mark.parametrize(("page", "number"), of("sh"))
def test_shell_samples_run(page: str, number: int, reader: Reader, tmp_path: Path) -> None:
    reader.play(uuid.uuid4())
    (tmp_path / "hitches.sql").write_text("SELECT name, duration FROM thread_spans WHERE duration > 50000000")
    said = reader.type(["sh", "-ec", reader.here(samples(page, "sh")[number], tmp_path)], tmp_path)
    files = [path for path in tmp_path.iterdir() if path.name not in (".curlrc", "hitches.sql")]
    assert said or files, "a sample shows something, or leaves a file"


@pytest.mark.parametrize(("page", "number"), of("sql"))
def test_queries_run(page: str, number: int, reader: Reader) -> None:
    reader.server.client.post("/api/query", json={"sql": samples(page, "sql")[number]}).raise_for_status()


@pytest.mark.parametrize(("page", "number"), of("json"))
def test_json_samples_are_json(page: str, number: int) -> None:
    json.loads(samples(page, "json")[number])


def test_every_sample_is_of_a_kind_that_is_tried() -> None:
    for page in DOCS.glob("*.md"):
        languages = set(re.findall(r"^```(\w+)$", page.read_text(), re.MULTILINE))
        assert languages <= {"python", "sh", "sql", "json", "cpp", "cmake", "mermaid"}, page.name
        assert not re.search(r"^\n    (SELECT|curl|import|tachy|#include)", page.read_text(), re.MULTILINE), page.name


PAGES = [
    "README.md",
    "HACKING.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(f"docs/{path.name}" for path in DOCS.glob("*.md")),
]


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_files_that_are_there(page: str) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    suffixes = {Path(name).suffix for name in tracked} - {""}
    for name in re.findall(r"`([\w*./-]+)`", (ROOT / page).read_text()):
        if Path(name).suffix in suffixes or ("/" in name.strip("/") and name.endswith("/")):
            wanted = name.strip("/") + ("/*" if name.endswith("/") else "")
            assert any(fnmatch.fnmatch(f"/{path}", f"*/{wanted}") for path in tracked), name


@pytest.mark.parametrize("page", PAGES)
def test_pages_wrap_at_120(page: str) -> None:
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    assert [line for line in text.splitlines() if len(line) > 120 and not line.startswith("|")] == []


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", ".github/workflows/*.yml"),
        ("github-issue-forms", ".github/ISSUE_TEMPLATE/[!c]*.yml"),
        ("github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
    ],
)
def test_what_a_fork_needs_is_of_its_schema(schema: str, files: str) -> None:
    found = sorted(ROOT.glob(files))
    assert found
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, found)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_pictures_are_drawn_from_the_figures_that_lie_there(tmp_path: Path) -> None:
    figures = json.loads(pictures.FIGURES.read_text())
    pictures.draw(figures, tmp_path)
    assert [one.name for one in tmp_path.iterdir() if one.read_bytes() != (DOCS / one.name).read_bytes()] == []
    dollars = pictures.cost(figures["lake"])["dollars"]
    page = (DOCS / "cost.md").read_text()
    assert f"\n${dollars:,.0f} a month" in page
    for items in pictures.peers(figures["lake"]).values():
        assert f"| {sum(items.values()):,.0f} |" in page


def test_pages_link_to_what_is_there() -> None:
    for page in [*ROOT.glob("*.md"), *DOCS.glob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page.read_text()):
            assert (page.parent / link).exists(), (page.name, link)
    pages = {path.name for path in DOCS.glob("*.md")} - {"README.md"}
    assert pages <= set(re.findall(r"\]\(([\w]+\.md)\)", (DOCS / "README.md").read_text()))
