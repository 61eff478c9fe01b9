"""The dense index: every permitted row is scanned, so results are exact under any filter; kept as plain arrays."""

import json
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pilothouse.steps.knowledge.ports import Indexed, Scored, Vectors

GONE = 0
"""The access number of a removed row: no access set has it."""
SPARSE_SHARE = 0.3
"""Below this permitted share the permitted rows are gathered first; above it the whole matrix is one product."""


class ExactVectors:
    """Rows of float32 unit vectors in one growing file, with row, access and source numbers beside them.

    A flush writes vectors, then numbers, then the mark that says how many rows of both count; a crash in between
    leaves rows that do not count, and they are written again.
    """

    def __init__(self, directory: Path, dimensions: int) -> None:
        self._directory, self._dimensions = directory, dimensions
        self._lock = threading.Lock()
        self._load()

    def _load(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._mark_file = self._directory / "mark.json"
        held = json.loads(self._mark_file.read_text()) if self._mark_file.exists() else {}
        self._mark, count = str(held.get("mark", "")), int(held.get("count", 0))
        self._vectors: npt.NDArray[np.float32] = self._read("vectors.f32", np.float32, count, self._dimensions)
        numbers = self._read("numbers.i64", np.int64, count, 3)
        self._numbers: npt.NDArray[np.int64] = numbers
        self._count = count
        self._place = {int(row): i for i, row in enumerate(numbers[:, 0])}

    def _read(self, name: str, kind: "type[np.float32] | type[np.int64]", count: int, width: int) -> "npt.NDArray[Any]":
        path = self._directory / name
        if not count or not path.exists():
            return np.zeros((0, width), kind)
        return np.fromfile(path, kind, count * width).reshape(count, width)

    @property
    def mark(self) -> str:
        return self._mark

    def add(self, passages: Sequence[Indexed], vectors: Vectors | None) -> None:
        if vectors is None or len(vectors) != len(passages):
            raise ValueError("the dense index takes one vector a passage")
        with self._lock:
            self._grow(self._count + sum(p.row not in self._place for p in passages))
            for p, vector in zip(passages, vectors, strict=True):
                at = self._place.setdefault(p.row, self._count)
                self._count = max(self._count, at + 1)
                self._vectors[at] = vector
                self._numbers[at] = (p.row, p.access, p.source)

    def retag(self, passages: Sequence[Indexed]) -> Sequence[Indexed]:
        with self._lock:
            held = {p.row: at for p in passages
                    if (at := self._place.get(p.row)) is not None and self._numbers[at, 1] != GONE}
            for p in passages:
                if p.row in held:
                    self._numbers[held[p.row]] = (p.row, p.access, p.source)
        return [p for p in passages if p.row not in held]

    def _grow(self, needed: int) -> None:
        """Make room by half as much again, so that appending stays cheap."""
        if needed <= len(self._vectors):
            return
        room = max(needed, len(self._vectors) * 3 // 2, 1024)
        vectors, numbers = np.zeros((room, self._dimensions), np.float32), np.zeros((room, 3), np.int64)
        vectors[:self._count], numbers[:self._count] = self._vectors[:self._count], self._numbers[:self._count]
        self._vectors, self._numbers = vectors, numbers

    def remove(self, rows: Iterable[int]) -> None:
        with self._lock:
            for row in rows:
                if (at := self._place.get(row)) is not None:
                    self._numbers[at, 1] = GONE
                    self._vectors[at] = 0

    def flush(self, mark: str) -> None:
        with self._lock:
            for name, array in (("vectors.f32", self._vectors), ("numbers.i64", self._numbers)):
                _replace(self._directory / name, np.ascontiguousarray(array[:self._count]).data.cast("B"))
            _replace(self._mark_file, json.dumps({"mark": mark, "count": self._count}).encode())
            self._mark = mark

    def search(self, text: str, vector: Vectors | None, *, access: frozenset[int], sources: frozenset[int] | None,
               limit: int) -> Sequence[Scored]:
        """Return the permitted rows nearest to the vector by cosine; ties by row."""
        if vector is None or not access or sources == frozenset() or not self._count:
            return ()
        numbers, vectors, count = self._numbers, self._vectors, self._count
        permitted = _among(numbers[:count, 1], access - {GONE})
        if sources is not None:
            permitted &= _among(numbers[:count, 2], sources)
        rows = np.flatnonzero(permitted)
        if not len(rows):
            return ()
        query = np.asarray(vector, np.float32).reshape(-1)
        scores = vectors[rows] @ query if len(rows) < SPARSE_SHARE * count else (vectors[:count] @ query)[rows]
        return _best(numbers[rows, 0], scores, limit)

    def purge(self) -> None:
        with self._lock:
            for path in self._directory.iterdir():
                path.unlink()
            self._load()


def _among(values: npt.NDArray[np.int64], wanted: frozenset[int]) -> npt.NDArray[np.bool_]:
    table = np.zeros(max(int(values.max(initial=0)), max(wanted, default=0)) + 1, np.bool_)
    table[list(wanted)] = True
    return table[values]


def _best(rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float32], limit: int) -> Sequence[Scored]:
    if len(scores) > limit:
        line = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        keep = np.flatnonzero(scores >= line)  # all ties at the line stay in, so that rows decide between them
        rows, scores = rows[keep], scores[keep]
    order = np.lexsort((rows, -scores))[:limit]
    return [Scored(row=int(rows[i]), score=float(scores[i])) for i in order]


def _replace(path: Path, content: "bytes | memoryview") -> None:
    new = path.with_name(path.name + ".new")
    with open(new, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
