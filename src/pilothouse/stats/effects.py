"""Effects of a treatment: treatment minus control with interval, standard error and p, the method named in each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pilothouse.kernel.errors import Invalid
from pilothouse.stats.intervals import CONFIDENCE, proportion_difference, satterthwaite
from pilothouse.stats.student import t_quantile

Floats = NDArray[np.float64]
Outcome = Literal["held", "harmed", "not shown", "no data"]
MISMATCH_BELOW = 0.001
"""p under which counts are called mismatched: low, because this check is made again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Treatment minus control in the outcome's unit; what a method cannot give is None, never 0 or NaN."""

    value: float
    low: float | None
    high: float | None
    n: int
    """Units of analysis: persons, clusters' persons or time slots, not raw observations."""
    method: str
    se: float | None = None
    degrees: float | None = None
    p: float | None = None
    """Two-sided, against no effect."""
    confidence: float = CONFIDENCE
    clusters: int = 0
    """Independent clusters behind it; 0 where units are independent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NonInferiority:
    """Whether harm stays within the margin: `bound` is the worst change still compatible, in the better direction."""

    outcome: Outcome
    effect: Effect | None
    """In the better direction: positive is better."""
    bound: float | None
    margin: float
    confidence: float
    """One-sided."""


def finite(values: Sequence[float] | Floats, field: str) -> Floats:
    """Return values as an array; raises Invalid naming the field when one is not a finite number."""
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise Invalid("a value is not a finite number; leave missing observations out", field=field)
    return array


def two_sided(t: float, degrees: float) -> float:
    """Return the two-sided p of Student's t (infinite degrees: normal)."""
    from scipy.special import stdtr

    return float(min(1.0, 2 * stdtr(min(degrees, 1e12), -abs(t))))


def by_student(value: float, se: float, degrees: float, *, n: int, method: str, confidence: float, clusters: int = 0
               ) -> Effect:
    """Return value and standard error (> 0) as an effect with Student's interval."""
    half = t_quantile(confidence, degrees) * se
    return Effect(value=value, low=value - half, high=value + half, n=n, method=method, se=se, degrees=degrees,
                  p=two_sided(value / se, degrees), confidence=confidence, clusters=clusters)


def welch(control: Sequence[float] | Floats, treatment: Sequence[float] | Floats, *, confidence: float = CONFIDENCE
          ) -> Effect | None:
    """Estimate mean(treatment) - mean(control) by Welch's t.

    Shapes: independent units, n >= 2 an arm; None below that and when neither arm varies. Units: the values'.
    Source: B. L. Welch, Biometrika 34 (1947). Checked against scipy. Heavy skew below about 30 an arm makes it narrow.
    """
    a, b = finite(control, "control"), finite(treatment, "treatment")
    if len(a) < 2 or len(b) < 2:
        return None
    left, right = float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b)
    if _flat(a) and _flat(b):
        return None
    return by_student(float(b.mean() - a.mean()), sqrt(left + right), satterthwaite(left, len(a), right, len(b)),
                      n=len(a) + len(b), method="welch", confidence=confidence)


def _flat(sample: Floats) -> bool:
    return bool(np.ptp(sample) <= 1e-13 * np.abs(sample).max(initial=0.0))


def shares(control: tuple[int, int], treatment: tuple[int, int], *, confidence: float = CONFIDENCE) -> Effect | None:
    """Estimate share(treatment) - share(control) by Newcombe's interval; each arm is (successes, n), one trial a unit.

    None when an arm is empty. `se` is the unpooled normal one, p the pooled score test's; at 0 or 1 throughout both
    are None and the interval stands alone.
    """
    held = proportion_difference(control, treatment, confidence=confidence)
    if held is None:
        return None
    (x, n), (y, m) = control, treatment
    a, b, pooled = x / n, y / m, (x + y) / (n + m)
    spread = sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    se = sqrt(a * (1 - a) / n + b * (1 - b) / m)
    return Effect(value=held.value, low=held.low, high=held.high, n=held.n, method=held.method, se=se or None,
                  p=two_sided(held.value / spread, inf) if spread else None, confidence=confidence)


def paired(before: Sequence[float], after: Sequence[float], *, confidence: float = CONFIDENCE) -> Effect | None:
    """Estimate the mean change of the same units by the paired t; None below two units or when all change alike."""
    if len(before) != len(after):
        raise Invalid("before and after are not of the same units; keep the units both have", field="after")
    change = finite(after, "after") - finite(before, "before")
    if len(change) < 2 or _flat(change):
        return None
    return by_student(float(change.mean()), float(change.std(ddof=1)) / sqrt(len(change)), len(change) - 1,
                      n=len(change), method="paired-t", confidence=confidence)


def cuped(outcome: Floats, covariate: Floats) -> tuple[Floats, float]:
    """Return outcomes freed of what a covariate from before the start explains, and the share of variance left.

    Shapes: equally long, all arms together, n >= 3. Y' = Y - theta (X - mean X), theta = Cov(X, Y) / Var(X) over all
    units. Source: Deng, Xu, Kohavi, Walker, WSDM 2013. The covariate must be from before the start: one that the
    treatment moves takes part of the effect away. theta is estimated, which below about 20 units costs more than it
    brings. A covariate without spread changes nothing.
    """
    if len(outcome) != len(covariate):
        raise Invalid("each unit needs its covariate; leave units without one out of both", field="covariate")
    if len(outcome) < 3 or _flat(covariate) or _flat(outcome):
        return outcome, 1.0
    joint = np.cov(covariate, outcome, ddof=1)
    theta = float(joint[0, 1] / joint[0, 0])
    return outcome - theta * (covariate - covariate.mean()), float(1 - joint[0, 1] ** 2 / (joint[0, 0] * joint[1, 1]))


def better(effect: Effect, direction: Literal["lower", "higher"]) -> Effect:
    """Return the effect with positive meaning better."""
    if direction == "higher":
        return effect
    low = None if effect.high is None else -effect.high
    high = None if effect.low is None else -effect.low
    return replace(effect, value=-effect.value, low=low, high=high)


def non_inferior(effect: Effect | None, margin: float, *, confidence: float = CONFIDENCE) -> NonInferiority:
    """Judge a change in the better direction against a margin, one-sided at `confidence`.

    The effect's interval must be the two-sided one at 2 confidence - 1 (one of 95 % gives 97.5 % one-sided), or the
    one-sided sequence. Units: margin > 0, in the outcome's unit. Held: low > -margin. Harmed: high < -margin.
    Errors: Invalid for a margin that is not positive. Source: ICH E9 and E10; the margin must have been registered.
    """
    if not (isfinite(margin) and margin > 0):
        raise Invalid("a margin says how much worse is still acceptable: a positive number in the metric's unit",
                      field="margin")
    if effect is None or effect.low is None or effect.high is None:
        return NonInferiority(outcome="no data", effect=effect, bound=None, margin=margin, confidence=confidence)
    return NonInferiority(outcome=_outcome(effect.low, effect.high, margin), effect=effect, bound=effect.low,
                          margin=margin, confidence=confidence)


def _outcome(low: float, high: float, margin: float) -> Outcome:
    if low > -margin:
        return "held"
    return "harmed" if high < -margin else "not shown"


def mismatch(counts: Sequence[int], expected: Sequence[float]) -> float | None:
    """Return the p of a sample-ratio mismatch: chi-square of counts against expected shares; None when nobody is there.

    Shapes: one count and one share an arm; shares are positive and add up to 1 (within 1e-9). Errors: Invalid naming
    the field. Alarm under `MISMATCH_BELOW`. Source: Fabijan et al., KDD 2019. Below about 5 expected an arm the exact
    multinomial is meant, and p is only a guide.
    """
    if len(counts) != len(expected) or len(counts) < 2:
        raise Invalid("give one count and one expected share for each of two arms or more", field="expected")
    if min(expected) <= 0 or abs(sum(expected) - 1) > 1e-9:
        raise Invalid(f"shares of arms are positive and add up to 1, not {sum(expected):g}", field="expected")
    if min(counts) < 0:
        raise Invalid("an arm cannot hold a negative number of units", field="counts")
    total = sum(counts)
    if not total:
        return None
    from scipy.stats import chisquare

    return float(chisquare(list(counts), [total * share for share in expected]).pvalue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heterogeneity:
    """Effects by part, and whether parts differ more than chance lets them (Cochran's Q)."""

    parts: tuple[tuple[str, Effect | None], ...]
    """Intervals hold together (Bonferroni): all of them at once at the stated confidence."""
    adjusted: tuple[float | None, ...]
    """Holm-adjusted p of each part against no effect, in the same order."""
    q_p: float | None
    """p of no difference between parts; None below two parts that can be estimated."""


def heterogeneity(parts: Sequence[tuple[str, Sequence[float], Sequence[float]]], *, confidence: float = CONFIDENCE
                  ) -> Heterogeneity:
    """Estimate the effect in each part (name, control, treatment) and test whether the parts differ.

    Sources: S. Holm, Scandinavian Journal of Statistics 6 (1979); W. G. Cochran, Biometrics 10 (1954). Q treats the
    standard errors as known: below about 10 units an arm and part it cries too often. Parts chosen after looking do
    not belong here.
    """
    if not parts:
        return Heterogeneity(parts=(), adjusted=(), q_p=None)
    each = 1 - (1 - confidence) / len(parts)
    found = [(name, welch(a, b, confidence=each)) for name, a, b in parts]
    known = [e for _, e in found if e is not None]
    corrected = iter(holm([e.p for e in known if e.p is not None]))
    adjusted = tuple(next(corrected) if e is not None else None for _, e in found)
    return Heterogeneity(parts=tuple(found), adjusted=adjusted, q_p=_cochran(known))


def holm(ps: Sequence[float]) -> Sequence[float]:
    """Return p values corrected for how many there are, by Holm's steps down."""
    if not ps:
        return []
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(list(ps), method="holm")[1]]


def _cochran(effects: Sequence[Effect]) -> float | None:
    if len(effects) < 2:
        return None
    from scipy.special import chdtrc

    weights = np.array([1 / (e.se or inf) ** 2 for e in effects])
    values = np.array([e.value for e in effects])
    centre = float(weights @ values / weights.sum())
    return float(chdtrc(len(effects) - 1, float(weights @ (values - centre) ** 2)))
