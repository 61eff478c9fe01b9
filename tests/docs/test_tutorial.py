"""The tutorial is true: every command on the page runs, in order, in an empty directory."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCKS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = ("API key", "2 added", "2 unchanged", "five days of annual leave", "do not answer", '"recommended": "hold"',
            "whole:", "backup in copy")


def test_every_command_of_the_tutorial_works(tmp_path: Path) -> None:
    binary = tmp_path / "bin"
    binary.mkdir()
    (binary / "pilothouse").write_text(f"#!/bin/sh\nexec {sys.executable} -m pilothouse \"$@\"\n", encoding="utf8")
    (binary / "pilothouse").chmod(0o755)
    blocks = BLOCKS.findall(PAGE.read_text(encoding="utf8"))
    assert len(blocks) >= 6
    script = "set -eu\n" + "\n".join(blocks)
    place = tmp_path / "empty"
    place.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith("PILOTHOUSE_")}
    done = subprocess.run(["sh", "-c", script], cwd=place, text=True, capture_output=True, timeout=300, check=False,
                          env={**env, "PATH": f"{binary}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stdout + done.stderr
    for words in EXPECTED:
        assert words in done.stdout, f"the tutorial no longer shows `{words}`:\n{done.stdout}"
