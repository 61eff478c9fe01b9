"""Twenty quarterly reports end to end: taken in by the command line, asked through the openai SDK, against BM25 alone.

Which filing must be found: a question about one filing has that one; a question that spans filings has those that its
reference answer names as sources (all of that company's where it names none). Recall at k is the share of them among
the filings of the first k passages; a question that spans four can reach .25 at most at k = 1, which the table's
ceiling says. The data names neither page nor passage, so recall of the gold passage cannot be measured here. The
reference answers were written by a model and reviewed: a smoke set, not a test of answers' truth.

Sketch before measuring: every filing of one company reads like the others and "2023 Q3" stands mostly in the title,
so the first passage should be from the right filing for about half of the questions about one, among ten for most.

    python bench/filings.py [--data ../shared/data] [--limit 195] [--seed 1]
"""

import argparse
import csv
import json
import re
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from statistics import median
from typing import Any

import openai

from pilothouse.stats.resampling import bootstrap, paired_bootstrap
from pilothouse.testing.serving import begun, command, running

ROOT = Path(__file__).parents[1]
DEPTHS = (1, 5, 10)
NAMED = re.compile(r"20\d\d Q[1-4] [A-Z]{4}\.pdf")
SPANS = "Multi-Doc RAG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, the filings that hold its answer, and whether it spans several by its kind."""

    text: str
    gold: frozenset[str]
    spans: bool
    about: str
    """What kind of passage holds the answer: Table or Text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the server said to one question: whether it answered, from which filings, and after how long."""

    answered: bool
    cited: frozenset[str]
    seconds: float


def questions(folder: Path) -> list[Asked]:
    """Read the questions with their gold filings."""
    filings = sorted(p.name for p in (folder / "docs").glob("*.pdf"))
    with open(folder / "qna_data.csv", encoding="utf-8-sig") as file:
        return [_asked(row, filings) for row in csv.DictReader(file)]


def _asked(row: Mapping[str, str], filings: Sequence[str]) -> Asked:
    about = {name for name in filings if fnmatch(name, row["Source Docs"])}
    sources = row["Answer"].rpartition("SOURCE(S):")[2]
    named = about & set(NAMED.findall(sources))
    return Asked(text=row["Question"], gold=frozenset(named or about), spans=row["Question Type"] == SPANS,
                 about=row["Source Chunk Type"])


def retrieved(address: str, key: str, asked: Asked) -> tuple[list[str], str]:
    """Return the filings of the first ten passages, best first, and by which kind of retrieval."""
    body = json.dumps({"text": asked.text, "limit": max(DEPTHS)}).encode()
    request = urllib.request.Request(f"{address}/api/v1/retrievals", data=body, method="POST", headers={
        "authorization": f"Bearer {key}", "content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        found = json.load(answer)
    return [Path(p["path"]).name for p in found["passages"]], found["mode"]


def answered(client: openai.OpenAI, asked: Asked) -> Answered:
    """Ask as any program written for OpenAI would."""
    began = time.perf_counter()
    done = client.chat.completions.create(model="trial", messages=[{"role": "user", "content": asked.text}])
    ours: Any = (done.model_extra or {})["pilothouse"]
    return Answered(answered=ours["answered"], cited=frozenset(Path(c["path"]).name for c in ours["citations"]),
                    seconds=time.perf_counter() - began)


def recall(asked: Asked, filings: Sequence[str], depth: int) -> float:
    return len(asked.gold & set(filings[:depth])) / len(asked.gold)


def ceiling(asked: Sequence[Asked], depth: int) -> float:
    """Return the best mean recall that any ranking can reach: k passages hold at most k filings."""
    return sum(min(1.0, depth / len(a.gold)) for a in asked) / len(asked)


def table(asked: Sequence[Asked], ranked: Mapping[str, Sequence[Sequence[str]]], seed: int) -> None:
    """Print recall at each depth for each way, with the paired difference to BM25 alone."""
    kinds: Mapping[str, Callable[[Asked], bool]] = {
        "one filing": lambda a: not a.spans, "  from text": lambda a: not a.spans and a.about == "Text",
        "  from tables": lambda a: not a.spans and a.about == "Table", "several filings": lambda a: a.spans}
    print(f"\n{'gold filings found':16} {'n':>4} {'k':>3} {'ceiling':>8}  {'BM25':22} {'hybrid':22} difference, paired")
    for name, wanted in kinds.items():
        chosen = [n for n, a in enumerate(asked) if wanted(a)]
        for depth in DEPTHS if len(chosen) > 1 else ():
            found = {way: [recall(asked[n], filings[n], depth) for n in chosen] for way, filings in ranked.items()}
            apart = paired_bootstrap(found["lexical"], found["hybrid"], seed=seed)
            assert apart is not None
            best = ceiling([asked[n] for n in chosen], depth)
            print(f"{name:18} {len(chosen):4} {depth:3} {best:8.2f}  {_shown(found['lexical'], seed):22} "
                  f"{_shown(found['hybrid'], seed):22} {apart.value:+.3f} [{apart.low:+.3f}, {apart.high:+.3f}]")


def _shown(values: Sequence[float], seed: int) -> str:
    mean = bootstrap(values, seed=seed)
    assert mean is not None
    return f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]"


def answers(asked: Sequence[Asked], given: Sequence[Answered]) -> None:
    """Print how much was answered, how often from a gold filing alone, and how fast."""
    for name, spans in (("one filing", False), ("several filings", True)):
        pairs = [(a, g) for a, g in zip(asked, given, strict=True) if a.spans is spans]
        told = [(a, g) for a, g in pairs if g.answered]
        some = sum(bool(a.gold & g.cited) for a, g in told)
        only = sum(g.cited <= a.gold for a, g in told)
        print(f"asked about {name}: {len(told)} of {len(pairs)} answered, of these {some} cite a gold filing and "
              f"{only} cite no other")
    print(f"answer through the SDK: p50 {1000 * median(g.seconds for g in given):.0f} ms, one after another")


def measure(folder: Path, home: Path, limit: int, seed: int) -> None:
    """Take in, serve, ask and rank; then serve the same workspace without its embedder, and rank again."""
    asked = questions(folder)[:limit]
    key = begun(home)
    print(command("ingest", str(folder / "docs"), "--source", "filings", home=home).strip())
    ranked: dict[str, list[list[str]]] = {}
    with running(home) as server:
        client = openai.OpenAI(base_url=server.address + "/v1", api_key=key, max_retries=0)
        given = [answered(client, a) for a in asked]
        _rank(server.address, key, asked, ranked)
    with running(home, PILOTHOUSE_EMBEDDER="none") as server:
        _rank(server.address, key, asked, ranked)
    if set(ranked) != {"hybrid", "lexical"}:
        raise SystemExit("the embedder's weights are not installed, so there is nothing to compare; see README")
    table(asked, ranked, seed)
    answers(asked, given)


def _rank(address: str, key: str, asked: Sequence[Asked], ranked: dict[str, list[list[str]]]) -> None:
    for a in asked:
        filings, mode = retrieved(address, key, a)
        ranked.setdefault(mode, []).append(filings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--limit", type=int, default=195, help="ask the first so many questions only")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    folder = chosen.data / "docugami"
    if not folder.is_dir():
        print(f"the filings are not at {folder}: give the evaluation data's folder by --data")
        return
    with tempfile.TemporaryDirectory() as directory:
        measure(folder, Path(directory) / "workspace", chosen.limit, chosen.seed)


if __name__ == "__main__":
    main()
