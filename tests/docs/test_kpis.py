"""The page on KPIs is true: every command on it runs, in order, in an empty directory."""

import os
import re
import subprocess
import sys
from pathlib import Path

from pilothouse.app.wire import FEEDS_EVERY_S
from pilothouse.doors.console.app import FILE_BYTES_MAX, FORM_BYTES_MAX
from pilothouse.doors.http.operations import BODY_BYTES_MAX
from pilothouse.steps.portfolio.api.samples import PAGE as PAGE_ROWS
from pilothouse.steps.portfolio.api.samples import QUANTILES_MAX

PAGE = Path(__file__).parents[2] / "docs" / "kpis.md"
BLOCKS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = ("handling-time", "rework", "3 rows: 2 taken in 1 batches, 1 without a value", '"version": 1',
            "PILOTHOUSE_SOURCE_TICKETS", '"slot": "2026-03-02"', '"superseded_by": null',
            "batches of samples hashed again")


def test_every_command_on_the_page_works(tmp_path: Path) -> None:
    binary = tmp_path / "bin"
    binary.mkdir()
    (binary / "pilothouse").write_text(f"#!/bin/sh\nexec {sys.executable} -m pilothouse \"$@\"\n", encoding="utf8")
    (binary / "pilothouse").chmod(0o755)
    blocks = BLOCKS.findall(PAGE.read_text(encoding="utf8"))
    assert len(blocks) == 4
    place = tmp_path / "empty"
    place.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith("PILOTHOUSE_")}
    done = subprocess.run(["sh", "-c", "set -eu\n" + "\n".join(blocks)], cwd=place, text=True, capture_output=True,
                          timeout=300, check=False, env={**env, "PATH": f"{binary}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stdout + done.stderr
    for words in EXPECTED:
        assert words in done.stdout, f"the page no longer shows `{words}`:\n{done.stdout}"


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf8")
    for words in (f"{PAGE_ROWS:,} rows a page", f"{QUANTILES_MAX:,} values", f"{FILE_BYTES_MAX // 10**6} MB as a file",
                  f"{FORM_BYTES_MAX // 10**6} MB pasted", f"{BODY_BYTES_MAX // 2**20} MB; gauges"):
        assert words in page, words
    assert FEEDS_EVERY_S <= 60
