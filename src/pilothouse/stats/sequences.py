"""Always-valid inference: intervals that may be looked at any time, and the p that goes with them."""

from math import exp, inf, log, sqrt

import numpy as np

from pilothouse.kernel.errors import Invalid
from pilothouse.stats.effects import Effect, Floats, finite
from pilothouse.stats.intervals import CONFIDENCE

UNITS_MIN = 20
"""Units an arm below which the sequence says nothing: it rests on the variance being known well enough."""


def mixing(horizon: float, alpha: float) -> float:
    """Return rho, with which the sequence is narrowest at `horizon` units.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, Annals of Statistics 52 (2024), arXiv 2103.06476, eq. 161 of
    version 7, in its closed approximation.
    """
    return sqrt((-2 * log(alpha) + log(1 - 2 * log(alpha))) / horizon)


def width(n: float, horizon: float, alpha: float) -> float:
    """Return the two-sided half-width in standard errors after n units."""
    grown = n * mixing(horizon, alpha) ** 2
    return sqrt(2 * (grown + 1) / grown * log(sqrt(grown + 1) / alpha))


def one_sided_width(n: float, horizon: float, alpha: float) -> float:
    """Return the distance of the one-sided bound in standard errors after n units; rho is taken at 2 alpha."""
    grown = n * mixing(horizon, 2 * alpha) ** 2
    return sqrt(2 * (grown + 1) / grown * log(1 + sqrt(grown + 1) / (2 * alpha)))


def sequence_p(value: float, se: float, n: float, horizon: float, alpha: float) -> float:
    """Return the always-valid p against no effect at one look; over looks the smallest one counts."""
    grown = n * mixing(horizon, alpha) ** 2
    exponent = grown / (grown + 1) * (value / se) ** 2 / 2
    return min(1.0, sqrt(grown + 1) * exp(-min(exponent, 700.0)))


def sequence(control: Floats, treatment: Floats, *, horizon: int, confidence: float = CONFIDENCE) -> Effect | None:
    """Estimate treatment minus control by an asymptotic confidence sequence: valid at every look at once.

    Shapes: independent units, at least `UNITS_MIN` an arm, else None. `horizon`: units of both arms together at which
    the decision is expected (>= 4); a bad guess costs width, not validity.
    Limits: asymptotic. With heavy tails the early looks are too sure; past several horizons it stays valid but wide.
    Source: see `mixing`. For bounded outcomes at very small n an empirical-Bernstein sequence would be exact and wider.
    """
    if horizon < 4:
        raise Invalid("expect a decision at 4 units or more", field="horizon")
    a, b = finite(control, "control"), finite(treatment, "treatment")
    if min(len(a), len(b)) < UNITS_MIN:
        return None
    se, n, alpha = _se(a, b), len(a) + len(b), 1 - confidence
    if not se:
        return None
    value = float(b.mean() - a.mean())
    half = width(n, horizon, alpha) * se
    return Effect(value=value, low=value - half, high=value + half, n=n, method="asymptotic-confidence-sequence",
                  se=se, degrees=None, p=sequence_p(value, se, n, horizon, alpha), confidence=confidence)


def lower_sequence(control: Floats, treatment: Floats, *, horizon: int, confidence: float = CONFIDENCE
                   ) -> Effect | None:
    """Return the effect with one-sided bounds, each valid at every look: for non-inferiority while peeking.

    `low` and `high` are each one-sided at `confidence`; together they hold at 2 confidence - 1.
    """
    held = sequence(control, treatment, horizon=horizon, confidence=confidence)
    if held is None or held.se is None:
        return None
    half = one_sided_width(held.n, horizon, 1 - confidence) * held.se
    return Effect(value=held.value, low=held.value - half, high=held.value + half, n=held.n, se=held.se,
                  method="one-sided-confidence-sequence", confidence=confidence)


def _se(a: Floats, b: Floats) -> float:
    se = sqrt(float(a.var(ddof=1)) / len(a) + float(b.var(ddof=1)) / len(b))
    scale = max(float(np.abs(a).max()), float(np.abs(b).max()))
    return se if se > 1e-14 * scale and se < inf else 0.0
