"""Inference where people share work: cluster-robust with small-sample correction, or by permutation."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, fsum, sqrt

import numpy as np
from numpy.typing import NDArray

from pilothouse.kernel.errors import Invalid
from pilothouse.stats.effects import Effect, Floats, by_student, finite
from pilothouse.stats.intervals import CONFIDENCE

CLUSTERS_MIN = 6
"""Below this many clusters no robust standard error is to be believed: permutation instead."""
PERMUTATIONS = 20_000
Labels = NDArray[np.int64]


def numbered(labels: Sequence[str]) -> Labels:
    """Return labels as numbers from 0, in sorted order of the labels."""
    return np.unique(np.asarray(labels, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)


def cluster_robust(outcome: Floats, design: Floats, clusters: Labels, at: int, *, confidence: float = CONFIDENCE,
                   method: str = "cluster-robust-cr2") -> Effect | None:
    """Estimate coefficient `at` of least squares with the bias-reduced cluster-robust error CR2.

    Shapes: n outcomes, an n x k design of full rank, n cluster numbers. Interval by Student's t with Bell and
    McCaffrey's degrees of freedom (never above clusters - 1).
    Errors: Invalid below `CLUSTERS_MIN` clusters or when columns depend on each other. None when residuals vanish.
    Sources: R. M. Bell, D. F. McCaffrey, Survey Methodology 28 (2002); G. W. Imbens, M. Kolesár, Review of Economics
    and Statistics 98 (2016). Ours, because statsmodels 0.15 stops at CR1. A coefficient carried by one or two clusters
    has about one degree of freedom: the interval is then honest and useless.
    """
    groups = [np.flatnonzero(clusters == g) for g in np.unique(clusters)]
    if len(groups) < CLUSTERS_MIN:
        raise Invalid(f"{len(groups)} clusters are too few for a cluster-robust error; use the permutation test",
                      field="clusters", need=CLUSTERS_MIN)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise Invalid("columns of the design depend on each other; an arm or a period is empty", field="design")
    bread = np.asarray(np.linalg.inv(design.T @ design), np.float64)
    residuals = outcome - design @ (bread @ (design.T @ outcome))
    influence = design @ bread[:, at]
    weights = [_half_inverse(design[g], bread) @ influence[g] for g in groups]
    variance = sum(float(w @ residuals[g]) ** 2 for w, g in zip(weights, groups, strict=True))
    if sqrt(variance) <= 1e-13 * max(1e-300, float(np.abs(outcome).max(initial=0.0))):
        return None
    degrees = min(_degrees(design, bread, groups, weights), len(groups) - 1.0)
    value = float((bread @ (design.T @ outcome))[at])
    return by_student(value, sqrt(variance), max(degrees, 1.0), n=len(outcome), method=method, confidence=confidence,
                      clusters=len(groups))


def _half_inverse(rows: Floats, bread: Floats) -> Floats:
    """Return (I - H)^(-1/2) of one cluster, by the pseudo-inverse where a cluster has a column to itself."""
    values, vectors = np.linalg.eigh(np.eye(len(rows)) - rows @ bread @ rows.T)
    roots = np.where(values > 1e-10, 1 / np.sqrt(np.maximum(values, 1e-10)), 0.0)
    return np.asarray((vectors * roots) @ vectors.T)


def _degrees(design: Floats, bread: Floats, groups: Sequence[Labels], weights: Sequence[Floats]) -> float:
    """Match the first two moments of the variance estimate, were the errors independent and alike."""
    carried = np.zeros((len(design), len(groups)))
    for column, (g, w) in enumerate(zip(groups, weights, strict=True)):
        carried[g, column] = w
    seen = carried - design @ (bread @ (design.T @ carried))
    gram = seen.T @ seen
    return float(np.trace(gram) ** 2 / (gram ** 2).sum())


def clustered_difference(values: Sequence[float], treated: Sequence[bool], clusters: Sequence[str], *,
                         covariates: Sequence[Sequence[float]] = (), confidence: float = CONFIDENCE) -> Effect | None:
    """Estimate treatment minus control where whole clusters were assigned.

    Shapes: one value, arm and cluster a person; covariates are columns of values from before the start.
    Errors: Invalid below `CLUSTERS_MIN` clusters. None with fewer than two clusters in an arm.
    """
    outcome, arm, which = finite(values, "values"), np.asarray(treated, np.float64), numbered(clusters)
    if min(_clusters_in(which, arm)) < 2:
        return None
    design = np.column_stack([np.ones(len(outcome)), arm, *[np.asarray(c) - np.mean(c) for c in covariates]])
    return cluster_robust(outcome, design, which, 1, confidence=confidence)


def _clusters_in(which: Labels, arm: Floats) -> tuple[int, int]:
    return len(np.unique(which[arm == 0])), len(np.unique(which[arm == 1]))


def permutation(values: Sequence[float], treated: Sequence[bool], clusters: Sequence[str], *, seed: int = 0,
                confidence: float = CONFIDENCE) -> Effect | None:
    """Test treatment minus control of cluster means by who else could have been assigned; gives p and no interval.

    Exact up to `PERMUTATIONS` allocations, else drawn from `seed`. None with an empty arm. With 5 clusters the smallest
    p is .2: no verdict at 5 % can come of it, which is what so few clusters can say. Source: R. A. Fisher, The Design
    of Experiments (1935); scipy's implementation.
    """
    from scipy.stats import permutation_test

    outcome, arm, which = finite(values, "values"), np.asarray(treated, bool), numbered(clusters)
    means = np.array([outcome[which == g].mean() for g in np.unique(which)])
    given = np.array([bool(arm[which == g][0]) for g in np.unique(which)])
    if given.all() or not given.any():
        return None
    found = permutation_test((means[given], means[~given]), lambda x, y, axis: x.mean(axis) - y.mean(axis),
                             vectorized=True, n_resamples=PERMUTATIONS, permutation_type="independent",
                             rng=np.random.default_rng(seed))
    exact = comb(len(means), int(given.sum())) <= PERMUTATIONS
    return Effect(value=float(found.statistic), low=None, high=None, n=len(outcome), p=float(found.pvalue),
                  method="permutation-exact" if exact else "permutation-drawn", confidence=confidence,
                  clusters=len(means))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """A one-way analysis of variance: mean squares between and within groups (units squared)."""

    between: float
    within: float
    groups: int
    n: int
    size: float
    """Typical group size: what the mean square between groups counts the group's variance by."""

    @property
    def f(self) -> float | None:
        return self.between / self.within if self.within > 0 else None


def analysis_of_variance(values: Sequence[float], groups: Sequence[str]) -> Variance | None:
    """Split the variance of values into between and within groups; None without two groups and two values in one.

    Source: R. A. Fisher; size for unequal groups by A. Donner, International Statistical Review 54 (1986). Values are
    taken about the first and added exactly, which keeps ten digits on NIST's sets with up to nine leading digits alike.
    """
    outcome, which = finite(values, "values"), numbered(groups)
    k, n = int(which.max(initial=-1)) + 1, len(outcome)
    if k < 2 or n <= k:
        return None
    # about the first value, where nearby numbers subtract without error; then about the grand mean, which is small
    moved = outcome - outcome[0]
    moved = moved - fsum(moved) / n
    parts = [moved[which == g] for g in range(k)]
    means = [fsum(p) / len(p) for p in parts]
    grand = fsum(moved) / n
    between = fsum(len(p) * (m - grand) ** 2 for p, m in zip(parts, means, strict=True)) / (k - 1)
    within = fsum(fsum((p - m) ** 2) for p, m in zip(parts, means, strict=True)) / (n - k)
    size = (n - sum(len(p) ** 2 for p in parts) / n) / (k - 1)
    return Variance(between=between, within=within, groups=k, n=n, size=size)


def intraclass(values: Sequence[float], clusters: Sequence[str]) -> float | None:
    """Return the intraclass correlation by analysis of variance (0 when negative); None without two people anywhere."""
    v = analysis_of_variance(values, clusters)
    if v is None:
        return None
    total = v.between + (v.size - 1) * v.within
    return max(0.0, (v.between - v.within) / total) if total > 0 else None
