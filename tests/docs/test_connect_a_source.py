"""The page on connecting sources is true: every command on it runs, in order, in an empty directory."""

import os
import re
import subprocess
import sys
from pathlib import Path

from pilothouse.backends.running import LONGEST_WAIT_S, TRIES
from pilothouse.steps.knowledge.contracts.connections import KINDS
from pilothouse.steps.knowledge.drivers import parsing, pdf, reaching, tesseract, xlsx

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "connect-a-source.md"
BLOCKS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = ("+ connections branch rules", "0 of 1 changed", '"fetched": 2', '"problem": ""', "grey safe of the branch",
            "rules/1.md")


def test_every_command_on_the_page_works(tmp_path: Path) -> None:
    binary = tmp_path / "bin"
    binary.mkdir()
    (binary / "pilothouse").write_text(f"#!/bin/sh\nexec {sys.executable} -m pilothouse \"$@\"\n", encoding="utf8")
    (binary / "pilothouse").chmod(0o755)
    (binary / "python3").symlink_to(sys.executable)
    blocks = BLOCKS.findall(PAGE.read_text(encoding="utf8"))
    assert len(blocks) == 3
    place = tmp_path / "empty"
    place.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith("PILOTHOUSE_")}
    done = subprocess.run(["bash", "-c", "set -eu\n" + "\n".join(blocks)], cwd=place, text=True, capture_output=True,
                          timeout=300, check=False, env={**env, "PATH": f"{binary}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stdout + done.stderr
    for words in EXPECTED:
        assert words in done.stdout, f"the page no longer shows `{words}`:\n{done.stdout}"
    assert "sqlite:///" not in done.stdout


def test_the_kinds_and_limits_on_the_page_are_those_of_the_code() -> None:
    page = " ".join(PAGE.read_text(encoding="utf8").split())
    assert all(f"| `{kind}` |" in page for kind in KINDS)
    for words in (f"up to {parsing.FILE_BYTES_MAX >> 20} MB a file", f"{xlsx.ROWS_MAX:,} filled rows",
                  f"{xlsx.COLUMNS_MAX} columns", f"{tesseract.SECONDS_MAX:.0f} seconds",
                  f"{pdf.OCR_PAGES_MAX} pages a file",
                  f"up to {reaching.WAIT_S_MAX:.0f} seconds on the spot", f"tried {TRIES} times"):
        assert words in page, words
    assert LONGEST_WAIT_S == 300
