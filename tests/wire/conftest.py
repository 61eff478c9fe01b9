"""A real server in a process of its own: a workspace made by `init`, documents by `ingest`, everything over HTTP."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

STARTED = re.compile(r"Pilothouse answers at (\S+)")
KEY = re.compile(r"API key (\S+)")
DOCUMENTS = {
    "leave.md": "---\ntitle: Leave Policy\nversion: 2\neffective: 2026-01-01\n---\n# Leave Policy\n\n## Carry over\n\n"
                "Employees may carry over five days of annual leave until the end of March.\n\n## Sick leave\n\n"
                "A doctor's note is needed from the fourth day of sickness.\n",
    "travel.md": "# Travel Policy\n\n## Trains\n\nTrains are booked in second class. First class needs approval above "
                 "four hours.\n",
}


@dataclass(frozen=True)
class Served:
    """A running server: where it answers, the administrator's key, and its workspace."""

    address: str
    key: str
    home: Path

    def cli(self, *words: str, expect: int = 0) -> str:
        """Run a command beside the server and return what it printed."""
        done = run(*words, home=self.home)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr


def run(*words: str, home: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "pilothouse", *words], text=True, capture_output=True, timeout=180,
                          check=False, env={**os.environ, "PILOTHOUSE_HOME": str(home), "PILOTHOUSE_PORT": "0", **env})


def start(home: Path) -> "tuple[subprocess.Popen[str], str]":
    """Start a server on a free port; returns the process and its address."""
    process = subprocess.Popen([sys.executable, "-m", "pilothouse", "serve", "--home", str(home), "--port", "0"],
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if found := STARTED.search(line):
            threading.Thread(target=process.communicate, daemon=True).start()  # keep its pipes empty
            return process, found.group(1)
    raise AssertionError(process.stderr.read() if process.stderr else "the server said nothing")


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace with its own documents, and the administrator's key."""
    home = tmp_path_factory.mktemp("served") / "workspace"
    made = run("init", str(home), "--name", "Ada", "--password", "correct horse battery", home=home)
    assert made.returncode == 0, made.stderr
    folder = home.parent / "documents"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf8")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 not really")
    taken = run("ingest", str(folder), home=home)
    assert taken.returncode == 0, taken.stderr
    assert "2 added" in taken.stdout and "kept out" in taken.stdout
    found = KEY.search(made.stdout)
    assert found is not None
    return home, found.group(1)


@pytest.fixture(scope="session")
def served(workspace: tuple[Path, str]) -> Iterator[Served]:
    home, key = workspace
    process, address = start(home)
    yield Served(address=address, key=key, home=home)
    process.terminate()
    process.wait(30)
