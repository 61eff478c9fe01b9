"""The dense index: every permitted row is scanned, so results are exact under any filter; kept as plain arrays.

Full segments are scanned as 8-bit integers first; every row that could still be among the best by the error bound of
that pass is then scored exactly, so the result is that of scanning everything exactly.
"""

import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pilothouse.steps.knowledge.drivers.quantised import Query, Segment
from pilothouse.steps.knowledge.ports import Indexed, Scored, Span, Vectors

GONE = 0
"""The access number of a removed row: no access set has it."""
SPARSE_SHARE = 0.04
"""Below this permitted share the permitted rows are gathered; above it everything is scanned, which reads in order."""
SEGMENT = 16_384
"""Rows quantised together; the last rows, fewer than this, are scanned exactly."""
ROOM_MIN = 1024
ZEROS = 1 << 20
FORMAT = 1
Numbers = npt.NDArray[np.int64]


class ExactVectors:
    """Rows of float32 unit vectors in one mapped file, with row, access and source numbers beside them.

    Rows keep their place in the file; the operating system writes back only what changed. A flush syncs the vectors
    and then replaces `state`: mark and numbers in one file. After a crash the state before counts, whose places may
    already hold newer vectors: only of rows changed since its mark, which the caller replays.
    """

    def __init__(self, directory: Path, dimensions: int, *, segment: int = SEGMENT) -> None:
        self._directory, self._dimensions, self._segment = directory, dimensions, segment
        self._vector_file, self._state_file = directory / "vectors.f32", directory / "state"
        self._lock = threading.Lock()
        self._load()

    def _load(self) -> None:
        """Read what was flushed; an index that cannot be read is an empty one, for it can be filled again."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._mark, self._numbers = self._stated()
        self._count = len(self._numbers)
        self._vectors: Vectors = np.zeros((0, self._dimensions), np.float32)
        if self._count:
            os.truncate(self._vector_file, self._count * self._dimensions * 4)  # what a crash left behind it
            self._map(self._count)
        self._place = {row: at for at, (row, access, _) in enumerate(self._numbers.tolist()) if access != GONE}
        self._free: list[int] = np.flatnonzero(self._numbers[:, 1] == GONE).tolist()
        self._gone: list[int] = []
        self._segments: dict[int, Segment] = {}
        self._quantise()

    def _quantise(self) -> None:
        """Quantise the full segments that are new or have changed."""
        for n in range(self._count // self._segment):
            if n not in self._segments:
                self._segments[n] = Segment(self._vectors[n * self._segment:(n + 1) * self._segment])

    def _stated(self) -> tuple[str, Numbers]:
        try:
            head, _, body = self._state_file.read_bytes().partition(b"\n")
            said = json.loads(head)
            numbers = np.frombuffer(body, np.int64).reshape(said["count"], 3).copy()
            if (said["format"], said["dimensions"]) == (FORMAT, self._dimensions) and self._room() >= len(numbers):
                return str(said["mark"]), numbers
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass
        return "", np.zeros((0, 3), np.int64)

    def _room(self) -> int:
        """Return how many vectors the file has room for."""
        return self._vector_file.stat().st_size // (4 * self._dimensions) if self._vector_file.exists() else 0

    def _map(self, room: int) -> None:
        self._vectors = np.memmap(self._vector_file, np.float32, "r+", shape=(room, self._dimensions))

    @property
    def mark(self) -> str:
        return self._mark

    def add(self, passages: Sequence[Indexed], vectors: Vectors | None) -> None:
        if vectors is None or len(vectors) != len(passages):
            raise ValueError("the dense index takes one vector a passage")
        with self._lock:
            new = sum(p.row not in self._place for p in passages)
            self._grow(self._count + max(0, new - len(self._free)))
            for p, vector in zip(passages, vectors, strict=True):
                at = self._place_of(p.row)
                self._segments.pop(at // self._segment, None)
                self._vectors[at] = vector
                self._numbers[at] = (p.row, p.access, p.source)

    def _place_of(self, row: int) -> int:
        """Return the place of a row: its own, one that a removed row left before the last flush, or a new one."""
        if row not in self._place:
            self._place[row] = self._free.pop() if self._free else self._count
            self._count = max(self._count, self._place[row] + 1)
        return self._place[row]

    def _grow(self, needed: int) -> None:
        """Make room by half as much again; zeros are written, not skipped, so that a full disk is an error here."""
        if needed <= len(self._vectors):
            return
        room = max(needed, len(self._vectors) * 3 // 2, ROOM_MIN)
        with open(self._vector_file, "ab") as file:
            missing = room * self._dimensions * 4 - file.tell()
            for start in range(0, missing, ZEROS):
                file.write(bytes(min(ZEROS, missing - start)))
        numbers = np.zeros((room, 3), np.int64)
        numbers[:self._count] = self._numbers[:self._count]
        self._map(room)
        self._numbers = numbers

    def retag(self, passages: Sequence[Indexed]) -> Sequence[Indexed]:
        with self._lock:
            for p in passages:
                if (at := self._place.get(p.row)) is not None:
                    self._numbers[at] = (p.row, p.access, p.source)
            return [p for p in passages if p.row not in self._place]

    def remove(self, rows: Iterable[int]) -> None:
        with self._lock:
            for row in rows:
                if (at := self._place.pop(row, None)) is not None:
                    self._numbers[at, 1] = GONE
                    self._segments.pop(at // self._segment, None)
                    self._vectors[at] = 0  # the vector of an erased text says something of it
                    self._gone.append(at)

    def flush(self, mark: str) -> None:
        with self._lock:
            if isinstance(self._vectors, np.memmap):
                self._vectors.flush()
            said = {"format": FORMAT, "dimensions": self._dimensions, "mark": mark, "count": self._count}
            _replace(self._state_file, json.dumps(said).encode() + b"\n" + self._numbers[:self._count].tobytes())
            self._mark, self._free, self._gone = mark, self._free + self._gone, []
        self._quantise()  # outside the lock: whoever flushes is the one who changes rows, and searches need not wait

    def search(self, text: str, vector: Vectors | None, *, access: frozenset[int], sources: frozenset[int] | None,
               limit: int, within: Sequence[Span] | None = None) -> Sequence[Scored]:
        """Return the permitted rows nearest to the vector by cosine; ties by row."""
        with self._lock:  # the three belong together; scanning needs no lock, for places do not move
            numbers, vectors = self._numbers[:self._count], self._vectors[:self._count]
            segments = dict(self._segments)
        if vector is None or not access or sources == frozenset() or not len(numbers):
            return ()
        permitted = _among(numbers[:, 1], access - {GONE})
        if sources is not None:
            permitted &= _among(numbers[:, 2], sources)
        if within is not None:
            permitted &= _inside(numbers[:, 0], within)
        places = np.flatnonzero(permitted)
        query = np.asarray(vector, np.float32).reshape(-1)
        if len(places) >= SPARSE_SHARE * len(numbers):
            places = self._possible(vectors, places, segments, query, limit)
        return _best(numbers[places, 0], _products(vectors[places], query), limit)

    def _possible(self, vectors: Vectors, places: Numbers, segments: Mapping[int, Segment], query: Vectors, limit: int
                  ) -> Numbers:
        """Return the places that can be among the best `limit`, judged by approximate scores and their error bound."""
        scores, slack, asked = np.empty(len(vectors), np.float32), 0.0, Query(query)
        for start in range(0, len(vectors), self._segment):
            part = slice(start, start + self._segment)
            if (segment := segments.get(start // self._segment)) is not None:
                scores[part], slack = segment.scores(asked), max(slack, segment.slack(asked))
            else:
                scores[part] = _products(vectors[part], query)
        found = scores[places]
        if len(found) <= limit:
            return places
        line = np.partition(found, len(found) - limit)[len(found) - limit]
        # the exact score of the row at the line is at least line - slack, and any row's at most its own + slack
        possible: Numbers = places[found >= line - 2 * slack - 1e-5]
        return possible

    def purge(self) -> None:
        with self._lock:
            for path in (self._state_file, *self._directory.iterdir()):
                path.unlink(missing_ok=True)
            self._load()


def _products(vectors: Vectors, query: Vectors) -> Vectors:
    """Multiply without BLAS, whose idle threads spin and take the cores from everybody else on small products."""
    found: Vectors = np.einsum("ij,j->i", np.asarray(vectors), query)
    return found


def _among(values: Numbers, wanted: frozenset[int]) -> npt.NDArray[np.bool_]:
    table = np.zeros(int(values.max(initial=0)) + 1, np.bool_)
    table[[w for w in wanted if w < len(table)]] = True
    found: npt.NDArray[np.bool_] = table[values]
    return found


def _inside(rows: Numbers, spans: Sequence[Span]) -> npt.NDArray[np.bool_]:
    if not spans:
        return np.zeros(len(rows), np.bool_)
    ordered = np.array(sorted(spans), np.int64)
    at = np.searchsorted(ordered[:, 0], rows, "right") - 1
    found: npt.NDArray[np.bool_] = (at >= 0) & (rows <= ordered[at, 1])
    return found


def _best(rows: Numbers, scores: npt.NDArray[np.float32], limit: int) -> Sequence[Scored]:
    if len(scores) > limit:
        line = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        keep = np.flatnonzero(scores >= line)  # all ties at the line stay in, so that rows decide between them
        rows, scores = rows[keep], scores[keep]
    order = np.lexsort((rows, -scores))[:limit]
    return [Scored(row=int(rows[i]), score=float(scores[i])) for i in order]


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    with open(new, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
