"""A workspace of many passages, made once under a cache folder and copied for each run.

Each passage is three sentences of the Vaswani abstracts drawn together under a heading of their words, so that words
are distributed as people write them; the questions are the collection's own. 100 thousand take some minutes to embed.
"""

import gzip
import json
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).parents[1] / ".." / "shared" / "data" / "vaswani"
CACHE = Path(__file__).parent / "out" / "corpus"
SECTIONS = 100
SEED = 7


def workspace(passages: int, home: Path) -> tuple[Path, str]:
    """Return a workspace with about this many passages, copied to `home`, and the API key of its administrator."""
    kept = CACHE / str(passages)
    if not (kept / "key").exists():
        shutil.rmtree(kept, ignore_errors=True)
        _make(kept, passages)
    shutil.copytree(kept / "home", home)
    return home, (kept / "key").read_text()


def questions() -> list[str]:
    """Return the collection's queries as questions."""
    return [json.loads(line)["text"] for line in (DATA / "queries.jsonl").read_text().splitlines()]


def _make(kept: Path, passages: int) -> None:
    _write(kept / "documents", passages)
    made = _run("init", str(kept / "home"), "--name", "Bench")
    _run("ingest", str(kept / "documents"), "--source", "abstracts", "--home", str(kept / "home"))
    (kept / "key").write_text(made.split("API key ")[1].split()[0])


def _write(folder: Path, passages: int) -> None:
    rng, sentences = random.Random(SEED), _sentences()
    folder.mkdir(parents=True)
    for n in range(passages // SECTIONS):
        parts = [f"# Collection {n}\n"]
        for _ in range(SECTIONS):
            said = rng.sample(sentences, 3)
            parts.append(f"## {' '.join(said[0].split()[:5])}\n\n{' '.join(said)}\n")
        (folder / f"{n:05}.md").write_text("\n".join(parts), encoding="utf8")


def _sentences() -> list[str]:
    with gzip.open(DATA / "corpus.jsonl.gz", "rt", encoding="utf8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    found = (" ".join(s.split()) for text in texts for s in re.split(r"(?<=\.)\s+", text))
    return [f"{s.capitalize().rstrip(' .')}." for s in found if 6 <= len(s.split()) <= 30]


def _run(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "pilothouse", *words], text=True, capture_output=True, check=True)
    return done.stdout
