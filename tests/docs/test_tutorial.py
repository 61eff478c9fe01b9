"""The pages are true: every command on them runs, in order, in an empty directory."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = {
    "tutorial.md": ("API key", "2 added", "2 unchanged", "five days of annual leave", "do not answer",
                    '"recommended": "hold"', "whole:", "backup in copy"),
    "how-to/keep-the-programme-as-code.md": (
        "5 of 5 to change; nothing was applied", "5 of 5 changed", "0 of 5 changed", "least_change: 5.0 -> 8.0",
        "refused: exit code 2"),
    "how-to/erase-a-person.md": ("under legal hold", "refused: exit code 5", "nothing is left", "whole:", "[erased]"),
    "how-to/hand-over-to-an-auditor.md": ("texts left sealed", "texts in clear", "whole:", "found: exit code 1"),
    "how-to/connect-a-source.md": ("+ connections branch rules", "0 of 1 changed", '"items": 2', '"problem": ""',
                                   "grey safe of the branch", "rules/1.md"),
}


def test_every_page_of_commands_is_run() -> None:
    pages = {str(p.relative_to(DOCS)) for p in DOCS.rglob("*.md") if BLOCKS.search(p.read_text(encoding="utf8"))}
    assert pages - {"kpis.md"} == set(EXPECTED)  # its commands run in test_kpis.py, with the services they speak to


@pytest.mark.parametrize("page", EXPECTED)
def test_every_command_of_the_page_works(page: str, tmp_path: Path) -> None:
    binary = tmp_path / "bin"
    binary.mkdir()
    (binary / "pilothouse").write_text(f"#!/bin/sh\nexec {sys.executable} -m pilothouse \"$@\"\n", encoding="utf8")
    (binary / "pilothouse").chmod(0o755)
    (binary / "python3").symlink_to(sys.executable)
    blocks = BLOCKS.findall((DOCS / page).read_text(encoding="utf8"))
    assert len(blocks) >= 3
    script = "set -eu\n" + "\n".join(blocks)
    place = tmp_path / "empty"
    place.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith("PILOTHOUSE_")}
    done = subprocess.run(["sh", "-c", script], cwd=place, text=True, capture_output=True, timeout=300, check=False,
                          env={**env, "PATH": f"{binary}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stdout + done.stderr
    for words in EXPECTED[page]:
        assert words in done.stdout, f"{page} no longer shows `{words}`:\n{done.stdout}\n{done.stderr}"
