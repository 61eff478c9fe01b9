"""How good a ranking is against what should have been found: recall, average precision, nDCG."""

from collections.abc import Mapping, Sequence, Set
from math import inf, log2

from pilothouse.kernel.errors import Invalid


def recall(ranked: Sequence[str], relevant: Set[str], depth: int) -> float | None:
    """Return the share of the relevant found in the first `depth`; None when nothing is relevant.

    Shapes: `ranked` best first, each item once; depth >= 1. Units: a fraction. Errors: Invalid for another depth or an
    item ranked twice. With more relevant items than `depth` even a perfect ranking stays below 1.
    """
    return len(relevant & set(_top(ranked, depth))) / len(relevant) if relevant else None


def average_precision(ranked: Sequence[str], relevant: Set[str], depth: int | None = None) -> float | None:
    """Return the mean, over all relevant items, of the precision at their ranks (0 for those not found).

    Shapes: `ranked` best first, each item once. Units: a fraction. None when nothing is relevant.
    Errors: Invalid for a depth below 1 or an item ranked twice.
    Source: Buckley and Voorhees, SIGIR 2000. Its mean over queries is MAP. Items nobody judged count as irrelevant, so
    that a system unlike those that were judged looks worse than it is; the same goes for every measure here.
    """
    if not relevant:
        return None
    found, total = 0, 0.0
    for rank, item in enumerate(_top(ranked, depth), start=1):
        if item in relevant:
            found += 1
            total += found / rank
    return total / len(relevant)


def ndcg(ranked: Sequence[str], gains: Mapping[str, float], depth: int) -> float | None:
    """Return the discounted gain of the first `depth` over that of the best possible order.

    Shapes: `gains` are at least 0; an item without one gains nothing. Units: a fraction. None when nothing gains.
    Errors: Invalid for a negative or infinite gain, a depth below 1 or an item ranked twice.
    Source: Järvelin and Kekäläinen, ACM TOIS 20 (2002), with the gain itself and 1 / log2(rank + 1).
    """
    if not all(0 <= g < inf for g in gains.values()):
        raise Invalid("a gain is negative or no number; use 0 for what should not be found", field="gains")
    found = _discounted([gains.get(item, 0.0) for item in _top(ranked, depth)])
    best = _discounted(sorted(gains.values(), reverse=True)[:depth])
    return min(1.0, found / best) if best else None


def reciprocal_rank(ranked: Sequence[str], relevant: Set[str], depth: int | None = None) -> float | None:
    """Return 1 / rank of the first relevant item, 0 when none is found; None when nothing is relevant.

    Shapes: `ranked` best first, each item once. Units: a fraction. Errors: Invalid for a depth below 1 or an item
    ranked twice. Looks at one item only: it moves by a half when that one slips from first to second.
    """
    if not relevant:
        return None
    return next((1 / rank for rank, item in enumerate(_top(ranked, depth), start=1) if item in relevant), 0.0)


def _top(ranked: Sequence[str], depth: int | None) -> Sequence[str]:
    if len(set(ranked)) != len(ranked):
        raise Invalid("an item is ranked twice; keep its best rank", field="ranked")
    if depth is not None and depth < 1:
        raise Invalid(f"a ranking has no depth {depth}; ask for 1 or more", field="depth")
    return ranked[:depth]


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / log2(rank + 1) for rank, gain in enumerate(gains, start=1))
