"""How Pilothouse grows: ingest, search, disk and memory at more and more passages, and verification of more entries.

One workspace grows through the sizes by the command line and is served after each; 50 words a passage, 20 passages a
file. The first 11,429 passages are real abstracts (Vaswani) where the evaluation data lies beside the project; what
goes beyond, and everything without that data, is drawn by a seeded generator word by word, from the real words'
frequencies or from a made-up vocabulary. Drawn text has the right length and skew but no sense, so it times search and
says nothing of its quality.

Sketch before measuring: the embedder takes some 3 ms for 50 words, so 1,000 passages cost 5 s and 100,000 some 5
minutes, words alone a tenth of that; exact search over 100,000 vectors of 384 bytes reads 38 MB, 10 ms. A passage takes
about 1.5 KB in each of database and indexes. Verifying hashes 3 microseconds an entry.

    python bench/growth.py [--passages 1000 10000 100000] [--entries 10000 100000 1000000] [--lexical]
                           [--data ../shared/data] [--seed 1]
    python bench/growth.py --passages 200 --entries 1000 --lexical     # seconds
"""

import argparse
import asyncio
import gzip
import http.client
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

from ledger import TABLES, grow

from pilothouse.backends.checkpointing import Checkpointer
from pilothouse.backends.checkpoints import CheckpointLog
from pilothouse.backends.keys import KeyRing
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.backends.system import RandomMint, SystemClock
from pilothouse.testing.serving import begun, command, running

ROOT = Path(__file__).parents[1]
PASSAGES_A_FILE, WORDS_A_PASSAGE, WORDS_A_QUERY = 20, 50, 6
SEARCHES, ANSWERS = 200, 40
SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One row of the table; memory is None where the system does not tell."""

    passages: int
    added: int
    ingest_s: float
    opened_s: float
    search_ms: tuple[float, float]
    answer_ms: tuple[float, float]
    database_mb: float
    indexes_mb: float
    lake_mb: float
    memory_mb: tuple[float, float] | None


def texts(data: Path, seed: int) -> Iterator[str]:
    """Yield texts without end: the real ones first, then drawn ones."""
    real = _abstracts(data / "vaswani" / "corpus.jsonl.gz")
    yield from real
    draw = random.Random(seed)
    words, weights = zip(*_frequencies(real, draw), strict=True)
    while True:
        yield " ".join(draw.choices(words, weights, k=WORDS_A_PASSAGE))


def _abstracts(file: Path) -> list[str]:
    if not file.exists():
        return []
    with gzip.open(file, "rt", encoding="utf8") as lines:
        return [json.loads(line)["text"] for line in lines]


def _frequencies(real: Sequence[str], draw: random.Random) -> list[tuple[str, float]]:
    """Return words with how often each is drawn: as counted, or by Zipf's law over 20,000 made-up ones."""
    if real:
        return list(Counter(word for text in real for word in text.split()).items())
    return [("".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))), 1 / rank) for rank in range(1, 20_001)]


def write(folder: Path, passages: Sequence[str]) -> None:
    """Write passages as Markdown files, each under a heading of its own so that it stays one passage."""
    folder.mkdir()
    for n in range(0, len(passages), PASSAGES_A_FILE):
        sections = [f"## Section {n + i}\n\n{text}\n" for i, text in enumerate(passages[n:n + PASSAGES_A_FILE])]
        (folder / f"{n:07d}.md").write_text(f"# Report {n}\n\n" + "\n".join(sections), encoding="utf8")


class Asker:
    """Asks one server over one kept connection."""

    def __init__(self, address: str, key: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=120)
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def milliseconds(self, path: str, body: object) -> float:
        began = time.perf_counter()
        self._connection.request("POST", path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {said[:300]!r}")
        return 1000 * (time.perf_counter() - began)

    def close(self) -> None:
        self._connection.close()


def asked(passages: Sequence[str], seed: int, many: int) -> list[str]:
    """Return queries of a few words in a row out of passages that are there."""
    draw, found = random.Random(seed), []
    for text in draw.choices(passages, k=many):
        words = text.split()
        start = draw.randrange(max(1, len(words) - WORDS_A_QUERY))
        found.append(" ".join(words[start:start + WORDS_A_QUERY]))
    return found


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Return p50 and p95."""
    cut = quantiles(values, n=20)
    return cut[9], cut[18]


def megabytes(*paths: Path) -> float:
    files = [f for p in paths for f in ([p] if p.is_file() else p.rglob("*"))]
    return sum(f.stat().st_size for f in files if f.is_file()) / 1e6


def step(home: Path, key: str, folder: Path, texts_held: Sequence[str], added: int, seed: int, env: dict[str, str]
         ) -> Measured:
    """Take in one folder more, serve the workspace, and measure."""
    began = time.perf_counter()
    command("ingest", str(folder), "--source", folder.name, home=home, **env)
    taken = time.perf_counter()
    with running(home, **env) as server:
        opened = time.perf_counter()
        asker = Asker(server.address, key)
        for query in asked(texts_held, seed + 1, 10):  # warm
            asker.milliseconds("/api/v1/retrievals", {"text": query})
        searches = [asker.milliseconds("/api/v1/retrievals", {"text": q}) for q in asked(texts_held, seed, SEARCHES)]
        answers = [asker.milliseconds("/v1/chat/completions", {"model": "trial", "messages": [
            {"role": "user", "content": q}]}) for q in asked(texts_held, seed, ANSWERS)]
        asker.close()
        memory = server.memory_mb()
    return Measured(passages=len(texts_held), added=added, ingest_s=taken - began, opened_s=opened - taken,
                    search_ms=percentiles(searches), answer_ms=percentiles(answers), memory_mb=memory,
                    database_mb=megabytes(*home.glob("pilothouse.db*")), indexes_mb=megabytes(home / "indexes"),
                    lake_mb=megabytes(home / "lake"))


def passages_table(scratch: Path, sizes: Sequence[int], data: Path, seed: int, env: dict[str, str]) -> None:
    """Print a row for each size."""
    home, source, held = scratch / "workspace", texts(data, seed), list[str]()
    real = len(_abstracts(data / "vaswani" / "corpus.jsonl.gz"))
    print(f"passages: the first {min(real, max(sizes)):,} are real abstracts, the rest drawn (seed {seed}); "
          f"{'words alone' if env else 'words and the embedder where it is installed'}")
    print(f"{'passages':>9} {'added':>8} {'ingest s':>9} {'a second':>9} {'opens s':>8} {'search p50, p95 ms':>19} "
          f"{'answer p50, p95 ms':>19} {'db MB':>7} {'index MB':>9} {'lake MB':>8} {'memory, peak MB':>16}")
    key = begun(home, **env)
    for n, size in enumerate(sizes):
        more = list(islice(source, size - len(held)))
        held += more
        write(scratch / f"part-{n}", more)
        _print(step(home, key, scratch / f"part-{n}", held, len(more), seed, env))


def _print(m: Measured) -> None:
    memory = f"{m.memory_mb[0]:8.0f} {m.memory_mb[1]:7.0f}" if m.memory_mb else "no data"
    print(f"{m.passages:9,} {m.added:8,} {m.ingest_s:9.1f} {m.added / m.ingest_s:9.0f} {m.opened_s:8.1f} "
          f"{m.search_ms[0]:10.1f} {m.search_ms[1]:8.1f} {m.answer_ms[0]:10.1f} {m.answer_ms[1]:8.1f} "
          f"{m.database_mb:7.1f} {m.indexes_mb:9.1f} {m.lake_mb:8.1f} {memory:>16}", flush=True)


def ledger_table(home: Path, sizes: Sequence[int]) -> None:
    """Grow a signed ledger through the sizes, and time the whole command `pilothouse verify` on it each time."""
    print(f"\n{'entries':>9} {'verify s':>9} {'a second':>10} {'db MB':>7}")
    for size in sizes:
        asyncio.run(_grown(home, size))
        began = time.perf_counter()
        said = command("verify", str(home), home=home)
        taken = time.perf_counter() - began
        if f"whole: {size} entries" not in said:
            raise RuntimeError(f"the ledger of {size} entries does not verify: {said}")
        print(f"{size:9,} {taken:9.2f} {size / taken:10,.0f} {megabytes(*home.glob('pilothouse.db*')):7.1f}",
              flush=True)


async def _grown(home: Path, size: int) -> None:
    keys = KeyRing(home / "keys", clock=SystemClock())
    database = SqliteDatabase(home / "pilothouse.db", clock=SystemClock(), mint=RandomMint(), keys=keys)
    try:
        await database.migrate((TABLES,))
        checkpointer = Checkpointer(database, CheckpointLog(home / "checkpoints"), keys)
        await grow(database, size)
        checkpointer.close()
    finally:
        database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, nargs="*", default=[1_000, 10_000, 100_000], metavar="SIZE")
    parser.add_argument("--entries", type=int, nargs="*", default=[10_000, 100_000, 1_000_000], metavar="SIZE")
    parser.add_argument("--lexical", action="store_true", help="retrieve by words alone, without the embedder")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, help="where the workspaces are made; a temporary one if absent")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.directory) as directory:
        if chosen.passages:
            passages_table(Path(directory), sorted(chosen.passages), chosen.data, chosen.seed,
                           {"PILOTHOUSE_EMBEDDER": "none"} if chosen.lexical else {})
        if chosen.entries:
            (home := Path(directory) / "ledger").mkdir()
            ledger_table(home, sorted(chosen.entries))


if __name__ == "__main__":
    main()
