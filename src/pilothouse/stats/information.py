"""What information is worth before a decision to do or to leave: perfect, about one input, or about a group of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
REDRAWS = 40
GRID = 2000
"""Points of the regressor at which the fitted mean is valued while its error is estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """The expected gain from knowing something before deciding, with the standard error of the estimate."""

    value: float
    error: float


def evpi(net: Floats) -> Worth:
    """Return the expected value of perfect information: E[max(net, 0)] - max(E[net], 0).

    Shapes: one net benefit a draw; doing nothing is worth 0. Units: money of `net`. Never negative.
    Source: H. Raiffa, R. Schlaifer, Applied Statistical Decision Theory (1961). It is the smaller of the expected
    loss avoided and the expected gain missed, and its error is that side's Monte Carlo error.
    """
    side = np.maximum(net, 0) if net.mean() <= 0 else np.maximum(-net, 0)
    return Worth(value=float(side.mean()), error=float(side.std(ddof=1) / np.sqrt(len(side))))


def evppi(known: Floats, nets: Floats, *, seed: int) -> tuple[Worth, ...]:
    """Return the expected value of knowing `known` exactly: E[max(g, 0)] - max(E[g], 0), g = E[net | known].

    Shapes: (draws,) for one input, (draws, k) for terms that only one group's inputs enter; `nets` (draws, sides),
    each side a decision of its own. Units: money of `nets`.
    Estimator: g is fitted by least squares on powers 1 to 3 of each standardised column; the cash model is linear in
    every amount, so that g is linear in most and a cubic follows the rest (the adoption's half time).
    Error: standard deviation over redrawn coefficients, b ~ N(b^, V); the estimate can only err upwards near 0, so a
    value within two errors of 0 says "nothing found". Source: regression estimator of M. Strong, J. E. Oakley,
    A. Brennan, Medical Decision Making 34 (2014), with a polynomial in place of their splines.
    """
    columns = known[:, None] if known.ndim == 1 else known
    spread = columns.std(axis=0)
    columns = columns[:, spread > 0]
    if not columns.shape[1]:
        return tuple(Worth(value=0.0, error=0.0) for _ in range(nets.shape[1]))
    basis = _powers((columns - columns.mean(axis=0)) / spread[spread > 0])
    gram = np.asarray(np.linalg.pinv(basis.T @ basis), np.float64)
    return tuple(_valued(basis, gram, np.ascontiguousarray(nets[:, i]), seed) for i in range(nets.shape[1]))


def _valued(basis: Floats, gram: Floats, net: Floats, seed: int) -> Worth:
    """Value the fitted mean of one side; its error rests on a part of the rows, the value on all."""
    coefficients = gram @ (basis.T @ net)
    fitted = basis @ coefficients
    residual = net - fitted
    covariance = gram * float(residual @ residual) / max(1, len(net) - basis.shape[1])
    drawn = np.random.Generator(np.random.Philox(seed)).multivariate_normal(coefficients, covariance, REDRAWS)
    redrawn = basis[:: max(1, len(basis) // GRID)] @ drawn.T
    return Worth(value=_gain(fitted), error=float(np.std([_gain(g) for g in redrawn.T], ddof=1)))


def _powers(standard: Floats) -> Floats:
    ones = np.ones((len(standard), 1))
    square = standard * standard  # a product, since numpy's power is ten times slower
    return np.concatenate([ones, standard, square, square * standard], axis=1)


def _gain(expected: Floats) -> float:
    """Return E[max(g, 0)] - max(E[g], 0), 0 at the least, of fitted means over draws."""
    return max(0.0, float(np.maximum(expected, 0).mean()) - max(float(expected.mean()), 0.0))


def quantiles(values: Floats, at: Sequence[float]) -> tuple[float | None, ...]:
    """Return quantiles of draws in which NaN means `never` and lies above every number; None where that is reached."""
    known = np.sort(values[~np.isnan(values)])
    places = [max(0, int(np.ceil(p * len(values))) - 1) for p in at]
    return tuple(float(known[i]) if i < len(known) else None for i in places)
