"""How robust a ranking is: over all the weights a board might have meant, how often is one thing before another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pilothouse.kernel.errors import Invalid

Floats: TypeAlias = NDArray[np.float64]
DRAWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Things in order of their mean score, and how sure that order is."""

    order: tuple[int, ...]
    """Indices of the things, best first."""
    first: tuple[float, ...]
    """Share of draws in which each thing comes first; ties are shared."""
    mean: tuple[float, ...]


def weights(concentration: Sequence[float], *, seed: int, draws: int = DRAWS) -> Floats:
    """Return draws of weights that add to 1, from a Dirichlet: (1, …, 1) knows nothing, larger numbers say more.

    Errors: Invalid for a concentration that is not positive. Source: the multi-criteria use of Dirichlet weights is
    SMAA, R. Lahdelma, J. Hokkanen, P. Salminen, European Journal of Operational Research 106 (1998).
    """
    if not all(c > 0 for c in concentration):
        raise Invalid("a criterion's weight is positive; leave the criterion out to ignore it", field="weights")
    drawn: Floats = np.random.Generator(np.random.Philox(seed)).dirichlet(list(concentration), draws)
    return drawn


def weighted(scores: Floats, drawn: Floats) -> Floats:
    """Return each thing's weighted score in each draw, (draws, things).

    Shapes: `scores` (things, criteria), or (draws, things, criteria) where the scores themselves are uncertain;
    `drawn` (draws, criteria). Units: scores of one criterion share a scale, 0 to 1, more is better.
    """
    total: Floats = drawn @ scores.T if scores.ndim == 2 else np.einsum("dtc,dc->dt", scores, drawn)
    return total


def ranked(each: Floats) -> Ranking:
    """Rank things by the mean of their scores in each draw, (draws, things)."""
    best = each == each.max(axis=1, keepdims=True)
    first = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    mean = each.mean(axis=0)
    return Ranking(order=tuple(int(i) for i in np.argsort(-mean, kind="stable")), mean=tuple(map(float, mean)),
                   first=tuple(map(float, first)))


def beats(each: Floats, one: int, other: int) -> float:
    """Return the share of draws in which one thing scores above another; ties count half."""
    return float(((each[:, one] > each[:, other]) + 0.5 * (each[:, one] == each[:, other])).mean())


def flips(leader: Mapping[str, float], runner: Mapping[str, float], weight: Mapping[str, float]
          ) -> Mapping[str, float]:
    """Return, for each criterion that could turn the order, the weight (0 to 1) at which it does.

    The other weights keep their proportions. A criterion is left out when no weight of it turns the order.
    """
    found = {}
    for name in weight:
        own = leader[name] - runner[name]
        rest_weight = 1.0 - weight[name]
        if rest_weight <= 0:
            continue
        others = sum(weight[k] / rest_weight * (leader[k] - runner[k]) for k in weight if k != name)
        if own == others:
            continue
        turns = others / (others - own)
        if 0 <= turns <= 1:
            found[name] = turns
    return found
