"""Student's t: how many standard errors wide an interval of a given confidence must be."""

from collections.abc import Iterator
from math import exp, expm1, isfinite, lgamma, log, log1p, pi
from statistics import NormalDist

from pilothouse.kernel.errors import Invalid

EXPANDED_FROM = 1000.0
"""Degrees of freedom from which three terms of the expansion about the normal quantile are right to 1e-9."""
TERMS_MAX = 10_000


def t_quantile(confidence: float, degrees: float) -> float:
    """Return the half-width, in standard errors, of the two-sided interval of Student's t.

    Shapes: `degrees` >= 1, fractional too. Units: standard errors.
    Errors: Invalid for a confidence outside (0, 1) or fewer degrees.
    Source: tail by the incomplete beta function's continued fraction (DLMF 8.17.22), Newton steps in logarithms;
    many degrees by Abramowitz and Stegun 26.7.5. Checked to 1e-9 for confidences from .5 to .9999; beyond that the
    digits of 1 - confidence are what limits it.
    """
    if not degrees >= 1:
        raise Invalid(f"Student's t needs 1 degree of freedom or more, not {degrees:g}", field="degrees")
    z = z_quantile(confidence)
    return _expanded(z, degrees) if degrees >= EXPANDED_FROM else _solved(z, (1 - confidence) / 2, degrees)


def z_quantile(confidence: float) -> float:
    """Return the half-width, in standard errors, of the two-sided normal interval; Invalid unless it lies in (0, 1)."""
    if not 0 < confidence < 1:
        raise Invalid(f"no confidence is {confidence:g}; choose between 0 and 1, such as 0.95", field="confidence")
    return -NormalDist().inv_cdf((1 - confidence) / 2)


def _expanded(z: float, v: float) -> float:
    s = z * z
    terms = ((s + 1) / 4,
             ((5 * s + 16) * s + 3) / 96,
             (((3 * s + 19) * s + 17) * s - 15) / 384)
    return z * (1 + sum(term / v ** power for power, term in enumerate(terms, start=1)))


def _solved(start: float, tail: float, v: float) -> float:
    """Find t with P(T > t) = tail; log P is concave in log t, so that Newton's steps cannot leave the root behind."""
    t = start
    for _ in range(60):
        fraction = _fraction(v / 2, 0.5, 1 / (1 + t * t / v))
        step = (_log_density(t, v) + log(t / v) + log(fraction) - log(tail)) * fraction / v
        t *= exp(step)
        if abs(expm1(step)) < 1e-14:
            break
    assert isfinite(t)
    return t


def _log_density(t: float, v: float) -> float:
    return lgamma((v + 1) / 2) - lgamma(v / 2) - log(v * pi) / 2 - (v + 1) / 2 * log1p(t * t / v)


def _fraction(a: float, b: float, x: float) -> float:
    """Evaluate 1/(1 + d1/(1 + d2/(1 + ...))) by Lentz's method as changed by Thompson and Barnett."""
    value, upper, lower = 1.0, 1.0, 0.0
    for d in _coefficients(a, b, x):
        lower = 1 / (1 + d * lower)
        upper = 1 + d / upper
        value *= upper * lower
        if abs(upper * lower - 1) < 1e-15:
            break
    return 1 / value


def _coefficients(a: float, b: float, x: float) -> Iterator[float]:
    for m in range(TERMS_MAX):
        yield -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        yield (m + 1) * (b - m - 1) * x / ((a + 2 * m + 1) * (a + 2 * m + 2))
