"""LanceDB and an HNSW of faiss under a filter: vectors, labels and queries in, rows and times out.

    python filtered.py FOLDER     # reads vectors.npy, labels.npy, queries.npy, asked.json; writes found.json

LanceDB: its default vector index (IVF-PQ) with its prefilter, and without an index (a flat scan with prefilter).
HNSW: M = 16, ef = 200, the best 200 neighbours first and the filter after, as vector stores without filters do.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import faiss
import lancedb
import numpy as np
import pyarrow as pa

K, OVERFETCH = 10, 20


def main(folder: Path) -> None:
    vectors, labels = np.load(folder / "vectors.npy", mmap_mode="r"), np.load(folder / "labels.npy")
    queries, asked = np.load(folder / "queries.npy"), json.loads((folder / "asked.json").read_text())
    found = {"version": lancedb.__version__}
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        table = lancedb.connect(home).create_table("passages", pa.table({
            "row": pa.array(range(len(vectors)), pa.int64()), "label": pa.array(labels, pa.int32()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])}))
        table.create_scalar_index("label")
        found["lancedb flat"] = {"built_s": time.perf_counter() - began, **ask(asked, queries, lance(table))}
        began = time.perf_counter()
        table.create_index(metric="cosine")
        found["lancedb ivf-pq"] = {"built_s": time.perf_counter() - began, **ask(asked, queries, lance(table))}
    began = time.perf_counter()
    index = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 200, K * OVERFETCH
    index.add(np.asarray(vectors))
    found["hnsw, filter after"] = {"built_s": time.perf_counter() - began, **ask(asked, queries, post(index, labels))}
    (folder / "found.json").write_text(json.dumps(found))


def lance(table):
    def way(query, below):
        said = table.search(query).distance_type("cosine").where(f"label < {below}", prefilter=True)
        return [int(r["row"]) for r in said.select(["row"]).limit(K).to_list()]
    return way


def post(index, labels):
    def way(query, below):
        _, near = index.search(query[None], K * OVERFETCH)
        return [int(n) for n in near[0] if labels[n] < below][:K]
    return way


def ask(asked, queries, way):
    way(queries[0], asked[0])
    rows, taken = {}, {}
    for below in asked:
        rows[below], taken[below] = [], []
        for query in queries:
            began = time.perf_counter()
            rows[below].append(way(query, below))
            taken[below].append(time.perf_counter() - began)
    return {"rows": rows, "taken": taken}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
