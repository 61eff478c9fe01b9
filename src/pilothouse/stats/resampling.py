"""Intervals by resampling, repeatable from a seed: what a difference between two ways over the same cases may be."""

from collections.abc import Sequence

import numpy as np

from pilothouse.kernel.errors import Invalid
from pilothouse.stats.intervals import CONFIDENCE, Estimate

RESAMPLES = 10_000
CELLS_AT_ONCE = 4_000_000
"""Indices drawn at a time, so that many cases cost time and not memory."""


def bootstrap(values: Sequence[float], *, seed: int, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
              ) -> Estimate | None:
    """Estimate a mean by the percentile bootstrap over cases.

    Shapes: one finite value a case, n >= 2; seed >= 0. Units: the values'. None below two cases.
    Errors: Invalid for a value that is not finite, a negative seed, no resamples or a confidence outside (0, 1).
    Source: B. Efron, Annals of Statistics 7 (1979); indices from Philox, so that a seed gives the same interval on any
    machine with the same numpy. Below about 20 cases it is narrower than promised; cases that are all equal give no
    width, which says only that these cases do not disagree.
    """
    if seed < 0 or resamples < 1 or not 0 < confidence < 1:
        raise Invalid("resampling needs a seed from 0, 1 resample or more and a confidence between 0 and 1",
                      seed=seed, resamples=resamples, confidence=confidence)
    sample = np.asarray(values, np.float64)
    if not np.isfinite(sample).all():
        raise Invalid("a value is not a finite number; leave missing cases out", field="values")
    if len(sample) < 2:
        return None
    means = _means(sample, seed, resamples)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value=float(sample.mean()), low=float(low), high=float(high), n=len(sample),
                    method="percentile-bootstrap", confidence=confidence)


def paired_bootstrap(before: Sequence[float], after: Sequence[float], *, seed: int, resamples: int = RESAMPLES,
                     confidence: float = CONFIDENCE) -> Estimate | None:
    """Estimate mean(after) - mean(before) over the same cases: whole cases are drawn, so what they share cancels.

    Shapes: equally long, case by case in the same order, n >= 2. Units: the values'. None below two cases; raises
    Invalid when the lengths differ. Source and limits: those of `bootstrap`, on the differences.
    """
    if len(before) != len(after):
        raise Invalid(f"{len(before)} cases before and {len(after)} after are no pairs; keep the cases both have",
                      field="after")
    pairs = np.asarray(after, np.float64) - np.asarray(before, np.float64)
    return bootstrap(pairs.tolist(), seed=seed, resamples=resamples, confidence=confidence)


def _means(sample: "np.ndarray[tuple[int], np.dtype[np.float64]]", seed: int, resamples: int
           ) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    draw = np.random.Generator(np.random.Philox(seed))
    at_once = max(1, CELLS_AT_ONCE // len(sample))
    return np.concatenate([sample[draw.integers(0, len(sample), (min(at_once, resamples - start), len(sample)))].mean(1)
                           for start in range(0, resamples, at_once)])
