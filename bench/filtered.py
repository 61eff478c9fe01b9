"""Recall under permissions, from half of the passages to one in ten thousand: ours, LanceDB, HNSW filtered after.

Vectors are drawn (seeded): 256 cluster centres with noise around them, 384 dimensions, unit length; queries likewise.
So the numbers are of scanning and filtering, not of anybody's texts. Each passage gets a label from 0 to 9,999; a
reader who may read one share of everything may read the labels below it. Recall at 10 is against exact inner products
over the permitted rows; where fewer than 10 are permitted, against all of them.

Sketch before measuring: 100 thousand vectors are 154 MB as floats and 38 MB as bytes, so a scan takes 3 ms on one core
and a million 30; where less than 4 % is permitted those rows are gathered, 1.5 KB each. An HNSW that fetches 200 and
filters after keeps 2 at 1 %, and nothing at .01 %.

    make bench/lancedb/.venv/.ready
    python bench/filtered.py [--sizes 100000 1000000] [--queries 50] [--seed 1] [--ours]
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from pilothouse.steps.knowledge.drivers.exact_vectors import ExactVectors
from pilothouse.steps.knowledge.ports import Indexed, Vectors

ROOT = Path(__file__).parents[1]
PEER = ROOT / "bench/lancedb/.venv/bin/python"
LABELS, K, WIDTH, CENTRES, NOISE, BATCH = 10_000, 10, 384, 256, 0.05, 20_000
BELOW = (5_000, 1_000, 100, 10, 1)


def drawn(draw: np.random.Generator, centres: Vectors, count: int) -> Vectors:
    """Return unit vectors around the centres."""
    found = centres[draw.integers(0, CENTRES, count)] + NOISE * draw.standard_normal((count, WIDTH)).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def exact(vectors: Vectors, labels: Vectors, queries: Vectors, below: int) -> list[list[int]]:
    """Return the truth: the permitted rows nearest to each query."""
    may = np.flatnonzero(labels < below)
    scores = queries @ vectors[may].T
    return [[int(may[n]) for n in np.argsort(-each, kind="stable")[:K]] for each in scores]


def ours(home: Path, vectors: Vectors, labels: Vectors, queries: Vectors) -> Mapping[str, Any]:
    """Fill the server's own index, open it again, and ask; memory is what the index adds once opened and asked."""
    began = time.perf_counter()
    index = ExactVectors(home, WIDTH)
    for start in range(0, len(vectors), BATCH):
        part = range(start, min(start + BATCH, len(vectors)))
        index.add([Indexed(row=n, access=int(labels[n]) + 1, source=1, title="", heading="", body="") for n in part],
                  vectors[start:start + BATCH])
    index.flush("1")
    built, disk = time.perf_counter() - began, sum(f.stat().st_size for f in home.iterdir()) / 1e6
    del index
    before, began = psutil.Process().memory_info().rss, time.perf_counter()
    index = ExactVectors(home, WIDTH)
    opened, rows, taken = time.perf_counter() - began, {}, {}
    for below in BELOW:
        access = frozenset(range(1, below + 1))
        rows[below], taken[below] = [], []
        for query in queries:
            began = time.perf_counter()
            found = index.search("", query, access=access, sources=None, limit=K)
            taken[below].append(time.perf_counter() - began)
            rows[below].append([s.row for s in found])
    memory = (psutil.Process().memory_info().rss - before) / 1e6
    print(f"ours: built in {built:.1f} s, opened in {opened:.2f} s, {disk:.0f} MB on disk, {memory:.0f} MB more"
          " resident (pages of the mapped file included)")
    return {"built_s": built, "rows": rows, "taken": taken}


def peers(folder: Path, vectors: Vectors, labels: Vectors, queries: Vectors) -> Mapping[str, Any]:
    if not PEER.exists():
        print("peers are not compared: run make bench/lancedb/.venv/.ready")
        return {}
    for name, array in (("vectors", vectors), ("labels", labels), ("queries", queries)):
        np.save(folder / f"{name}.npy", array)
    (folder / "asked.json").write_text(json.dumps(BELOW))
    subprocess.run([PEER, ROOT / "bench/lancedb/filtered.py", folder], check=True)
    found: Mapping[str, Any] = json.loads((folder / "found.json").read_text())
    return found


def recall(found: Sequence[Sequence[int]], truth: Sequence[Sequence[int]]) -> float:
    return sum(len(set(f) & set(t)) / len(t) for f, t in zip(found, truth, strict=True)) / len(truth)


def measure(size: int, queries: int, seed: int, alone: bool) -> None:
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((CENTRES, WIDTH)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors, asked = drawn(draw, centres, size), drawn(draw, centres, queries)
    labels = np.arange(size) % LABELS
    draw.shuffle(labels)
    truth = {below: exact(vectors, labels, asked, below) for below in BELOW}
    print(f"\n{size:,} drawn vectors (seed {seed}), {queries} queries")
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "index").mkdir()
        ways = {"ours": ours(Path(home) / "index", vectors, labels, asked)}
        if not alone:
            ways |= {k: v for k, v in peers(Path(home), vectors, labels, asked).items() if k != "version"}
    print(f"{'':20} {'built s':>8}  " + "  ".join(f"{below / LABELS:>24.2%}" for below in BELOW))
    for name, way in ways.items():
        cells = []
        for below in BELOW:
            rows = way["rows"].get(below, way["rows"].get(str(below)))
            taken = 1000 * np.array(way["taken"].get(below, way["taken"].get(str(below))))
            cells.append(f"{recall(rows, truth[below]):.3f} {np.median(taken):7.1f} {np.quantile(taken, .99):8.1f} ms")
        print(f"{name:20} {way['built_s']:8.1f}  " + "  ".join(f"{c:>24}" for c in cells))
    print("each cell: recall@10, p50 and p99 of one query after another")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ours", action="store_true", help="without the peers, whose building takes minutes")
    asked = parser.parse_args()
    for size in asked.sizes:
        measure(size, asked.queries, asked.seed, asked.ours)


if __name__ == "__main__":
    main()
