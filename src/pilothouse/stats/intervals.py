"""Confidence intervals for means, shares and their differences, with the method named in the result."""

from dataclasses import dataclass
from math import sqrt

from pilothouse.kernel.errors import Invalid
from pilothouse.stats.student import t_quantile, z_quantile
from pilothouse.stats.summary import Summary

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number, how sure we are of it, and how we got it; `low` and `high` bound it at `confidence`."""

    value: float
    low: float
    high: float
    n: int
    method: str
    confidence: float = CONFIDENCE


def mean_interval(sample: Summary, *, confidence: float = CONFIDENCE) -> Estimate | None:
    """Estimate a mean by Student's t.

    Shapes: one sample, n >= 2. Units: the sample's. Errors: Invalid for a confidence outside (0, 1).
    None below two observations, and when all are equal: with no spread there is no standard error to go by, and an
    interval of no width would claim a certainty that two equal readings of a stuck instrument do not give.
    Source: Student, Biometrika 6 (1908). Skewed samples below about 30 are covered less often than promised, and
    observations that depend on each other (one person's, one day's) far less often at any size.
    """
    if sample.variance is None or not sample.varies:
        return None
    half = t_quantile(confidence, sample.n - 1) * sqrt(sample.variance / sample.n)
    return Estimate(value=sample.centre, low=sample.centre - half, high=sample.centre + half, n=sample.n,
                    method="student-t", confidence=confidence)


def difference(before: Summary, after: Summary, *, confidence: float = CONFIDENCE) -> Estimate | None:
    """Estimate mean(after) - mean(before) by Welch's t interval with Satterthwaite's degrees of freedom.

    Shapes: two independent samples, n >= 2 each; any n may differ.
    Units: both in the same unit; the estimate is in that unit, not in percent.
    Errors: Invalid for a confidence outside (0, 1). None, not an exception, when either side is too small to say, and
    when neither varies: the statistic is then something divided by nothing, and no interval can be had from it. Where
    only one side varies, the interval rests on the spread of that side alone. Counts of rare events that are 0
    throughout belong in `proportion_difference`, which does give an interval.
    Source: B. L. Welch, Biometrika 34 (1947); F. E. Satterthwaite, Biometrics Bulletin 2 (1946). Heavy skew below
    about 30 a side makes it too narrow, and so do observations that depend on each other.
    """
    if before.variance is None or after.variance is None or not (before.varies or after.varies):
        return None
    left, right = before.variance / before.n, after.variance / after.n
    value = after.centre - before.centre
    half = t_quantile(confidence, satterthwaite(left, before.n, right, after.n)) * sqrt(left + right)
    return Estimate(value=value, low=value - half, high=value + half, n=before.n + after.n,
                    method="welch-satterthwaite", confidence=confidence)


def satterthwaite(left: float, n_left: int, right: float, n_right: int) -> float:
    """Return the effective degrees of freedom of a sum of two squared standard errors (each variance / n, not both 0).

    Shapes: n >= 2 each; the result lies between the smaller n - 1 and n_left + n_right - 2, and may be a fraction.
    """
    scale = left + right
    # shares of the sum, not raw squares: tiny variances would underflow to a division by zero
    a, b = left / scale, right / scale
    return 1 / (a * a / (n_left - 1) + b * b / (n_right - 1))


def proportion(successes: int, n: int, *, confidence: float = CONFIDENCE) -> Estimate | None:
    """Estimate a share by Wilson's score interval.

    Shapes: 0 <= successes <= n. Units: a fraction in [0, 1]. None when n is 0.
    Errors: Invalid for impossible counts or a confidence outside (0, 1).
    Source: E. B. Wilson, JASA 22 (1927). Assumes independent trials: clustered ones need a wider interval. For shares
    very near 0 or 1 single values of the true share are covered less often than promised (down to about .84 at .95).
    """
    if not 0 <= successes <= n:
        raise Invalid(f"{successes} of {n} is no share; count successes among all trials", field="successes")
    if n == 0:
        return None
    share, z = successes / n, z_quantile(confidence)
    square = z * z
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * sqrt(share * (1 - share) / n + square / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Estimate(value=share, low=low, high=high, n=n, method="wilson", confidence=confidence)


def proportion_difference(before: tuple[int, int], after: tuple[int, int], *, confidence: float = CONFIDENCE
                          ) -> Estimate | None:
    """Estimate share(after) - share(before) by Newcombe's hybrid score interval; each side is (successes, n).

    Shapes: two independent samples of any size. Units: a fraction in [-1, 1]. None when either side is empty.
    Errors: Invalid for impossible counts or a confidence outside (0, 1).
    Source: R. G. Newcombe, Statistics in Medicine 17 (1998), method 10. For independent samples, not for pairs: the
    same cases judged before and after have a narrower interval than this one. Approximate: coverage swings a little
    about what is promised when a side has fewer than about 10.
    """
    one, two = proportion(*before, confidence=confidence), proportion(*after, confidence=confidence)
    if one is None or two is None:
        return None
    value = two.value - one.value
    low = value - sqrt((two.value - two.low) ** 2 + (one.high - one.value) ** 2)
    high = value + sqrt((two.high - two.value) ** 2 + (one.value - one.low) ** 2)
    return Estimate(value=value, low=max(-1.0, low), high=min(1.0, high), n=one.n + two.n, method="newcombe-hybrid",
                    confidence=confidence)
