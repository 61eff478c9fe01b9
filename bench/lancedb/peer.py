"""LanceDB beside us: the same passages and vectors in, its hybrid ranking out; runs in an environment of its own.

    python peer.py FOLDER     # reads passages.json, vectors.npy, queries.json, queries.npy; writes ranked.json

Full-text search with English stemming on the text that is embedded, exact vectors, and LanceDB's default fusion (RRF).
"""

import json
import sys
import tempfile
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import FTS
from lancedb.rerankers import RRFReranker

DEPTH = 100


def main(folder: Path) -> None:
    texts, vectors = json.loads((folder / "passages.json").read_text()), np.load(folder / "vectors.npy")
    queries, asked = json.loads((folder / "queries.json").read_text()), np.load(folder / "queries.npy")
    with tempfile.TemporaryDirectory() as home:
        width = vectors.shape[1]
        table = lancedb.connect(home).create_table("passages", pa.table({
            "row": pa.array(range(len(texts)), pa.int64()), "text": pa.array(texts),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), width)}))
        table.create_index("text", config=FTS(language="English", stem=True, remove_stop_words=True,
                                              ascii_folding=True))
        ranked = [_ranked(table, text, vector) for text, vector in zip(queries, asked, strict=True)]
    (folder / "ranked.json").write_text(json.dumps({"version": lancedb.__version__, "ranked": ranked}))


def _ranked(table, text, vector):
    found = (table.search(query_type="hybrid", vector_column_name="vector", fts_columns="text").vector(vector)
             .text(text).distance_type("cosine").rerank(RRFReranker()).limit(DEPTH))
    return [int(r["row"]) for r in found.to_list()]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
