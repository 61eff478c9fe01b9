"""Two rankings into one: reciprocal rank fusion, ties by row, near-identical passages once."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from pilothouse.text.numerals import facts

FUSION_K = 60
"""Damping of reciprocal ranks. Source: Cormack, Clarke, Buettcher, SIGIR 2009."""
DEPTH_MIN = 50
SAME_SHARE = 0.9
"""Share of common three-word runs from which two passages say the same, if their figures agree too."""


def depth(limit: int) -> int:
    """Return how deep each ranking is asked for, so that fusion has something to fuse."""
    return max(DEPTH_MIN, 4 * limit)


def fuse(rankings: Sequence[Sequence[int]]) -> tuple[tuple[int, float], ...]:
    """Return (row, score) best first by the sum of 1 / (60 + rank) over the rankings that hold a row."""
    total: dict[int, float] = {}
    for ranking in rankings:
        for rank, row in enumerate(ranking, start=1):
            total[row] = total.get(row, 0.0) + 1.0 / (FUSION_K + rank)
    return tuple(sorted(total.items(), key=lambda x: (-x[1], x[0])))


def gathered(parts: Sequence[Sequence[tuple[int, float]]]) -> tuple[tuple[int, ...], ...]:
    """Return the rankings that some fused parts add: the best of each part first, then the second of each, and so on.

    Counted twice, as what was fused from two: so that parts weigh as much as the two rankings of everything.
    """
    if not parts:
        return ()
    depths = zip_longest(*([row for row, _ in p] for p in parts))
    merged = tuple(row for level in depths for row in level if row is not None)
    return (merged, merged)


def distinct(texts: Mapping[int, str], limit: int) -> tuple[int, ...]:
    """Return the first `limit` rows, without those that only repeat one before them.

    Two passages with different figures are never the same: the one number that changed is what is asked about.
    """
    kept: list[int] = []
    runs: dict[int, frozenset[tuple[str, ...]]] = {}
    for row, text in texts.items():
        mine = _runs_of(text)
        if not any(_share(mine, runs[n]) >= SAME_SHARE and facts(texts[n]) == facts(text) for n in kept):
            kept.append(row)
            runs[row] = mine
        if len(kept) == limit:
            break
    return tuple(kept)


def _share(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _runs_of(text: str) -> frozenset[tuple[str, ...]]:
    """Return the runs of three words, parted at blanks alone: this runs for every passage of every query."""
    words = text.lower().split()
    return frozenset(zip(words, words[1:], words[2:], strict=False)) or frozenset((tuple(words),))
