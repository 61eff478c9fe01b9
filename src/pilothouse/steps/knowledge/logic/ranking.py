"""Rankings by words and by meaning into one: convex combination of normalised scores, near-identical passages once."""

from collections.abc import Mapping, Sequence

from pilothouse.text.numerals import facts

MEANING_SHARE = 0.6
"""Weight of meaning against words, from the range that S. Bruch, S. Gai, A. Ingber (ACM TOIS 42, 2023) find robust."""
DEPTH_MIN = 100
SAME_SHARE = 0.9
"""Share of common three-word runs from which two passages say the same, if their figures agree too."""
Ranking = Sequence[tuple[int, float]]
"""Rows with their scores, best first."""


def depth(limit: int) -> int:
    """Return how deep each ranking is asked for, so that fusion has something to fuse."""
    return max(DEPTH_MIN, 4 * limit)


def blend(words: Ranking, meaning: Ranking) -> Mapping[int, float]:
    """Return each row's score in [0, 1]: both rankings scaled to [0, 1] and added by weight; absent counts as 0.

    Without any ranking by meaning, words count whole.
    """
    share = MEANING_SHARE if meaning else 0.0
    by_words, by_meaning = _scaled(words), _scaled(meaning)
    return {row: (1 - share) * by_words.get(row, 0.0) + share * by_meaning.get(row, 0.0)
            for row in by_words.keys() | by_meaning.keys()}


def _scaled(ranking: Ranking) -> Mapping[int, float]:
    scores = [score for _, score in ranking]
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return {row: (score - low) / (high - low) if high > low else 1.0 for row, score in ranking}


def ordered(everywhere: Mapping[int, float], parts: Sequence[Mapping[int, float]]) -> tuple[tuple[int, float], ...]:
    """Return (row, score) best first, ties by row; what a part holds counts there as well as everywhere.

    Each part is scaled by itself, so that the best of every part stand beside each other.
    """
    total = dict(everywhere)
    for part in parts:
        for row, score in part.items():
            total[row] = total.get(row, 0.0) + score
    return tuple(sorted(total.items(), key=lambda x: (-x[1], x[0])))


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
