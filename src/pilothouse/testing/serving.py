"""A real server in a process of its own, begun by `init` and fed by `ingest`, for tests and benchmarks."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STARTED = re.compile(r"Pilothouse answers at (\S+)")
KEY = re.compile(r"API key (\S+)")
COMMAND_S = 7200
"""Longest a command may take: benchmarks ingest a hundred thousand passages with one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers: where, and its process id."""

    address: str
    pid: int

    def memory_mb(self) -> tuple[float, float] | None:
        """Return resident memory now and at its highest, in MB; None where the system does not tell."""
        status = Path(f"/proc/{self.pid}/status")
        if not status.exists():
            return None
        kb = {name: int(value.split()[0]) for name, _, value in
              (line.partition(":") for line in status.read_text().splitlines()) if name in ("VmRSS", "VmHWM")}
        return kb["VmRSS"] / 1024, kb["VmHWM"] / 1024


def command(*words: str, home: Path, **env: str) -> str:
    """Run a command of ours on a workspace and return what it printed; raises with its error output if it fails."""
    done = subprocess.run([sys.executable, "-m", "pilothouse", *words], text=True, capture_output=True, check=False,
                          timeout=COMMAND_S, env=_environment(home, env))
    if done.returncode:
        raise RuntimeError(f"pilothouse {words[0]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def begun(home: Path, **env: str) -> str:
    """Make a workspace and return its administrator's API key."""
    found = KEY.search(command("init", str(home), "--name", "Ada Lovelace", home=home, **env))
    assert found is not None
    return found.group(1)


@contextmanager
def running(home: Path, **env: str) -> Iterator[Running]:
    """Serve a workspace on a free port while the block lasts."""
    process = subprocess.Popen([sys.executable, "-m", "pilothouse", "serve", "--home", str(home), "--port", "0"],
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(home, env))
    try:
        yield Running(address=_answers_at(process), pid=process.pid)
    finally:
        process.terminate()
        process.wait(60)


def _answers_at(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := STARTED.search(line):
            threading.Thread(target=process.communicate, daemon=True).start()  # keep its pipes empty
            return found.group(1)
    raise RuntimeError(process.stderr.read() if process.stderr else "the server said nothing")


def _environment(home: Path, env: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "PILOTHOUSE_HOME": str(home), "PILOTHOUSE_PORT": "0", **env}
