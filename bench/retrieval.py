"""How well retrieval ranks, on three sets, beside BM25 alone and LanceDB's hybrid with the same vectors.

- vaswani: 11,429 abstracts, 40 queries with judged relevance.
- clapnq: 200 encyclopaedia passages with titles, the 100 answerable questions; the one right passage is relevant.
- filings: 20 quarterly reports of five companies (4,585 passages), 195 questions. The data names the right filings and
  no passages, so filings are ranked: each counts once, at its first passage.

Ours is what the server does: words and meaning blended, and the documents that a question names ranked once more by
themselves. `rrf` is what it did before: reciprocal rank fusion of the same two rankings. Sketch before measuring: the
int8 embedder costs 3 ms for an abstract and 30 for a page, so the run takes four minutes. On vaswani stemmed BM25 is
strong and all hybrids lie close; on the filings, which read alike, a ranking that heeds company and quarter should win
by far.

    make bench/lancedb/.venv/.ready        # the peer's environment, from its own lock
    python bench/retrieval.py [--data ../shared/data] [--seed 1] [--sets vaswani clapnq filings]
"""

import argparse
import asyncio
import gzip
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filings import questions

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.stats.ranking import average_precision, ndcg
from pilothouse.stats.resampling import bootstrap, paired_bootstrap
from pilothouse.steps.knowledge.api.indexing import Indexing
from pilothouse.steps.knowledge.contracts import Query
from pilothouse.steps.knowledge.contracts.matching import Card
from pilothouse.steps.knowledge.drivers.exact_vectors import ExactVectors
from pilothouse.steps.knowledge.drivers.minilm import load
from pilothouse.steps.knowledge.drivers.parsing import FileParser
from pilothouse.steps.knowledge.drivers.tantivy_cards import TantivyCards
from pilothouse.steps.knowledge.drivers.tantivy_index import TantivyIndex
from pilothouse.steps.knowledge.logic import chunking, matching
from pilothouse.steps.knowledge.ports import Embedder, Indexed, Vectors
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock

ROOT = Path(__file__).parents[1]
PEER = ROOT / "bench/lancedb/.venv/bin/python"
LIMIT, DEPTH, RRF_K = 25, 100, 60
ACCESS = frozenset({1})
FLOORS = {"vaswani": 0.466}
Way = Callable[[int, str], Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Passages, the document (by number) of each, documents' paths and titles, and questions with what is relevant."""

    name: str
    passages: Sequence[Indexed]
    document: Sequence[int]
    paths: Sequence[str]
    titles: Sequence[str]
    questions: Sequence[str]
    relevant: Sequence[frozenset[int]]
    """Documents that are relevant to each question."""


def vaswani(folder: Path) -> Collection:
    with gzip.open(folder / "vaswani/corpus.jsonl.gz", "rt", encoding="utf8") as lines:
        documents = {d["id"]: d["text"] for d in map(json.loads, lines)}
    asked = [json.loads(line) for line in (folder / "vaswani/queries.jsonl").read_text().splitlines()]
    judged = [line.split() for line in (folder / "vaswani/qrels.txt").read_text().splitlines()]
    number = {name: n for n, name in enumerate(documents)}
    relevant = [frozenset(number[d] for q, _, d, grade in judged if q == a["id"] and int(grade) > 0) for a in asked]
    return _single("vaswani", [("", text) for text in documents.values()], [a["text"] for a in asked], relevant)


def clapnq(folder: Path) -> Collection:
    held, asked, relevant = [], [], []
    for part in ("answerable", "unanswerable"):
        with gzip.open(folder / f"clapnq/{part}.jsonl.gz", "rt", encoding="utf8") as lines:
            for record in map(json.loads, lines):
                held.append((record["passages"][0]["title"], record["passages"][0]["text"]))
                if part == "answerable":
                    asked.append(record["input"])
                    relevant.append(frozenset({len(held) - 1}))
    return _single("clapnq", held, asked, relevant)


def _single(name: str, held: Sequence[tuple[str, str]], asked: Sequence[str], relevant: Sequence[frozenset[int]]
            ) -> Collection:
    """Return a collection of documents of one passage each."""
    passages = [Indexed(row=n, access=1, source=1, title=t, heading="", body=b) for n, (t, b) in enumerate(held)]
    return Collection(name=name, passages=passages, document=range(len(held)), paths=[""] * len(held),
                      titles=[t for t, _ in held], questions=asked, relevant=relevant)


def filings(folder: Path) -> Collection:
    passages: list[Indexed] = []
    document, paths, titles = [], [], []
    for n, file in enumerate(sorted((folder / "docugami/docs").glob("*.pdf"))):
        parsed = FileParser().parse(file.name, file.read_bytes())
        paths.append(file.name)
        titles.append(parsed.title)
        for piece in chunking.chunk(parsed):
            passages.append(Indexed(row=len(passages), access=1, source=1, title=parsed.title,
                                    heading=" > ".join(piece.heading), body=piece.text))
            document.append(n)
    asked = questions(folder / "docugami")
    return Collection(name="filings", passages=passages, document=document, paths=paths, titles=titles,
                      questions=[a.text for a in asked],
                      relevant=[frozenset(paths.index(g) for g in a.gold) for a in asked])


def ways(c: Collection, home: Path, embedder: Embedder) -> Mapping[str, Way]:
    """Index a collection as the server does, and return each way of ranking it."""
    lexical, dense = TantivyIndex(home / "lexical"), ExactVectors(home / "dense", embedder.dimensions)
    cards = TantivyCards(home / "cards")
    texts = [" · ".join(part for part in (p.title, p.heading, p.body) if part) for p in c.passages]
    started = time.perf_counter()
    vectors, asked = embedder.embed(texts), embedder.embed(c.questions)
    print(f"\n{c.name}: {len(texts)} passages, {len(c.questions)} questions, vectors in "
          f"{time.perf_counter() - started:.0f} s")
    lexical.add(c.passages, None)
    dense.add(c.passages, vectors)
    cards.add(_cards(c))
    for index in (lexical, dense, cards):
        index.flush("1")
    indexing = Indexing(database=SqliteDatabase(home / "p.db", clock=StillClock(), mint=CountingMint(),
                                                keys=PlainKeys()),
                        lexical=lexical, dense=dense, embedder=embedder, catalogue=cards)

    def words(text: str) -> list[int]:
        return [s.row for s in lexical.search(text, None, access=ACCESS, sources=None, limit=DEPTH)]

    def meaning(n: int) -> list[int]:
        return [s.row for s in dense.search("", asked[n], access=ACCESS, sources=None, limit=DEPTH)]

    def ours(text: str) -> list[int]:
        found = asyncio.run(indexing.search(Query(text=text, limit=LIMIT), ACCESS, None))
        return [s.row for s in found]

    found: dict[str, Way] = {"bm25": lambda n, text: words(text), "dense": lambda n, text: meaning(n),
                             "rrf": lambda n, text: rrf([words(text), meaning(n)]), "ours": lambda n, text: ours(text)}
    if peer := lancedb(home, texts, vectors, c.questions, asked):
        found["lancedb"] = lambda n, text: peer[n]
    return found


def _cards(c: Collection) -> list[Card]:
    rows: dict[int, list[Indexed]] = {}
    for p, document in zip(c.passages, c.document, strict=True):
        rows.setdefault(document, []).append(p)
    return [Card(first_row=held[0].row, last_row=held[-1].row, access=1, source=1,
                 names=matching.names_of(c.titles[n], c.paths[n], [p.body for p in held]),
                 periods=matching.periods_of(c.titles[n], c.paths[n]),
                 day=matching.day_of(matching.periods_of(c.titles[n], c.paths[n]), "")) for n, held in rows.items()]


def rrf(rankings: Sequence[Sequence[int]]) -> list[int]:
    """Reciprocal rank fusion. Source: Cormack, Clarke, Buettcher, SIGIR 2009."""
    total: dict[int, float] = {}
    for ranking in rankings:
        for rank, row in enumerate(ranking, start=1):
            total[row] = total.get(row, 0.0) + 1 / (RRF_K + rank)
    return sorted(total, key=lambda row: (-total[row], row))


def lancedb(home: Path, texts: Sequence[str], vectors: Vectors, asked: Sequence[str], queries: Vectors
            ) -> list[list[int]]:
    """Return the peer's rankings, or nothing where its environment is not there."""
    if not PEER.exists():
        print("LanceDB is not compared: run make bench/lancedb/.venv/.ready")
        return []
    (home / "passages.json").write_text(json.dumps(texts))
    (home / "queries.json").write_text(json.dumps(list(asked)))
    np.save(home / "vectors.npy", vectors)
    np.save(home / "queries.npy", queries)
    subprocess.run([PEER, ROOT / "bench/lancedb/peer.py", home], check=True)
    said = json.loads((home / "ranked.json").read_text())
    print(f"peer: LanceDB {said['version']}, hybrid, RRF")
    ranked: list[list[int]] = said["ranked"]
    return ranked


def measured(c: Collection, way: Way) -> Mapping[str, list[float]]:
    """Return each measure, question by question; a document counts at its first passage."""
    found: dict[str, list[float]] = {"nDCG@10": [], "recall@10": [], "MAP": []}
    for n, text in enumerate(c.questions):
        ranked = [str(d) for d in dict.fromkeys(c.document[row] for row in way(n, text))]
        relevant = frozenset(map(str, c.relevant[n]))
        gain, precision = ndcg(ranked, dict.fromkeys(relevant, 1.0), 10), average_precision(ranked, relevant)
        if gain is not None and precision is not None:
            found["nDCG@10"].append(gain)
            found["recall@10"].append(len(relevant & set(ranked[:10])) / min(10, len(relevant)))
            found["MAP"].append(precision)
    return found


def report(scores: Mapping[str, Mapping[str, list[float]]], seed: int) -> None:
    """Print the table with intervals, and ours against each."""
    print(f"{'':8} {'measure':10} {'mean':>6}  {'95 % interval':16} ours less this, paired bootstrap")
    for way, measures in scores.items():
        for name, values in measures.items():
            own, apart = bootstrap(values, seed=seed), paired_bootstrap(values, scores["ours"][name], seed=seed)
            assert own is not None
            assert apart is not None
            difference = "" if way == "ours" else f"{apart.value:+.4f}  [{apart.low:+.4f}, {apart.high:+.4f}]"
            print(f"{way:8} {name:10} {own.value:6.4f}  [{own.low:.4f}, {own.high:.4f}] {difference}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sets", nargs="*", default=["vaswani", "clapnq", "filings"])
    asked = parser.parse_args()
    readers = {"vaswani": vaswani, "clapnq": clapnq, "filings": filings}
    missed = [name for name in asked.sets if not measure(readers[name](asked.data), asked.seed)]
    if missed:
        raise SystemExit(f"a floor was missed: {', '.join(missed)}")


def measure(c: Collection, seed: int) -> bool:
    """Measure one collection; returns whether its floor holds."""
    with tempfile.TemporaryDirectory() as directory:
        embedder = load(Path(directory))
        if embedder is None:
            raise SystemExit("the embedder's weights are not installed; see requirements-dev.lock")
        scores = {name: measured(c, way) for name, way in ways(c, Path(directory), embedder).items()}
    report(scores, seed)
    gains = scores["ours"]["nDCG@10"]
    return sum(gains) / len(gains) >= FLOORS.get(c.name, 0.0)


if __name__ == "__main__":
    main()
