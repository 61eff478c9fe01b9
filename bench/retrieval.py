"""How well hybrid retrieval ranks, against BM25 and the embedder alone: MAP and nDCG@10 on the Vaswani queries.

Sketch before measuring: 11,429 abstracts of about 60 tokens cost the int8 embedder some 3 ms each, so the run takes a
minute. On such a small, wordy collection stemmed BM25 is strong (MAP near .27); fusing in the embedder's ranking should
add a few points of both measures, and with 40 queries the paired interval of that difference will be wide.

    python bench/retrieval.py [--data ../shared/data] [--seed 1]
"""

import argparse
import gzip
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pilothouse.stats.ranking import average_precision, ndcg
from pilothouse.stats.resampling import bootstrap, paired_bootstrap
from pilothouse.steps.knowledge.drivers.exact_vectors import ExactVectors
from pilothouse.steps.knowledge.drivers.minilm import load
from pilothouse.steps.knowledge.drivers.tantivy_index import TantivyIndex
from pilothouse.steps.knowledge.logic.ranking import FUSION_K, fuse
from pilothouse.steps.knowledge.ports import Embedder, Indexed

ROOT = Path(__file__).parents[1]
DEPTH = 1000
ACCESS = frozenset({1})
FLOORS = {"nDCG@10": 0.466, "MAP": 0.283}
REFERENCE = "The floors are for these 40 queries; published figures for all 93 queries are not comparable with them."
Way = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Documents and queries by id, and which documents are relevant to which query."""

    documents: Mapping[str, str]
    queries: Mapping[str, str]
    relevant: Mapping[str, frozenset[str]]


def vaswani(folder: Path) -> Collection:
    """Read the collection as it lies in the evaluation data."""
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf8") as lines:
        documents = {d["id"]: d["text"] for d in map(json.loads, lines)}
    queries = {q["id"]: q["text"] for q in map(json.loads, (folder / "queries.jsonl").read_text().splitlines())}
    judged = [line.split() for line in (folder / "qrels.txt").read_text().splitlines()]
    relevant = {q: frozenset(d for query, _, d, grade in judged if query == q and int(grade) > 0) for q in queries}
    return Collection(documents=documents, queries=queries, relevant=relevant)


def ways(collection: Collection, home: Path, embedder: Embedder) -> Mapping[str, Way]:
    """Index the collection as the server does, and return each way of ranking it."""
    ids = list(collection.documents)
    passages = [Indexed(row=n, access=1, source=1, title="", heading="", body=collection.documents[i])
                for n, i in enumerate(ids)]
    lexical, dense = TantivyIndex(home / "lexical"), ExactVectors(home / "dense", embedder.dimensions)
    started = time.perf_counter()
    lexical.add(passages, None)
    lexical.flush("1")
    indexed = time.perf_counter()
    dense.add(passages, embedder.embed([p.body for p in passages]))
    dense.flush("1")
    done = time.perf_counter()
    print(f"{len(ids)} documents: lexical index {indexed - started:.1f} s, vectors {done - indexed:.1f} s")

    def by_words(text: str) -> list[int]:
        return [s.row for s in lexical.search(text, None, access=ACCESS, sources=None, limit=DEPTH)]

    def by_meaning(text: str) -> list[int]:
        vector = embedder.embed([text])
        return [s.row for s in dense.search(text, vector, access=ACCESS, sources=None, limit=DEPTH)]

    def both(text: str) -> list[int]:
        return [row for row, _ in fuse([by_words(text), by_meaning(text)])][:DEPTH]

    def named(way: Callable[[str], list[int]]) -> Way:
        return lambda text: [ids[row] for row in way(text)]

    return {"bm25": named(by_words), "dense": named(by_meaning), "hybrid": named(both)}


def measured(collection: Collection, way: Way) -> Mapping[str, list[float]]:
    """Return each measure, query by query."""
    found: dict[str, list[float]] = {"nDCG@10": [], "MAP": []}
    for query, text in collection.queries.items():
        relevant, ranked = collection.relevant[query], way(text)
        precision, gain = average_precision(ranked, relevant), ndcg(ranked, dict.fromkeys(relevant, 1.0), 10)
        if precision is not None and gain is not None:
            found["MAP"].append(precision)
            found["nDCG@10"].append(gain)
    return found


def report(scores: Mapping[str, Mapping[str, list[float]]], seed: int) -> bool:
    """Print the table with its intervals; returns whether the hybrid holds its floors."""
    print(f"\n{'':8} {'measure':8} {'mean':>6}  {'95 % interval':16} difference to bm25, paired bootstrap")
    for way, measures in scores.items():
        for name, values in measures.items():
            own, apart = bootstrap(values, seed=seed), paired_bootstrap(scores["bm25"][name], values, seed=seed)
            assert own is not None
            assert apart is not None
            difference = "" if way == "bm25" else f"{apart.value:+.4f}  [{apart.low:+.4f}, {apart.high:+.4f}]"
            print(f"{way:8} {name:8} {own.value:6.4f}  [{own.low:.4f}, {own.high:.4f}] {difference}")
    held = {name: sum(values) / len(values) >= FLOORS[name] for name, values in scores["hybrid"].items()}
    print(f"\nqueries: {len(scores['hybrid']['MAP'])}, fusion k = {FUSION_K}, depth {DEPTH}, seed {seed}")
    for name, ok in held.items():
        print(f"hybrid {name}: floor {FLOORS[name]:.3f} {'held' if ok else 'MISSED'}")
    print(REFERENCE)
    return all(held.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        embedder = load(Path(directory))
        if embedder is None:
            raise SystemExit("the embedder's weights are not installed; see requirements-dev.lock")
        collection = vaswani(asked.data / "vaswani")
        found = ways(collection, Path(directory), embedder)
        scores = {name: measured(collection, way) for name, way in found.items()}
    if not report(scores, asked.seed):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
