"""How many, how long and how likely: sample size, power and duration before anything is measured."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from typing import Literal

import numpy as np

from pilothouse.kernel.errors import Invalid
from pilothouse.stats.sequences import UNITS_MIN, width
from pilothouse.stats.student import z_quantile

UNITS_MAX = 10_000_000
PATHS = 20_000
"""Simulated paths of the sequential test: Monte-Carlo error of a power near .8 is .003."""
Kind = Literal["mean", "proportion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be detected; means in their own unit, shares as fractions."""

    kind: Kind
    change: float
    """Smallest effect worth acting on, positive (the outcome's unit)."""
    sd: float | None = None
    """Standard deviation of one unit (means)."""
    share: float | None = None
    """Share without the treatment (proportions)."""
    upward: bool = True
    """Whether the treatment raises the share (proportions only: their spread depends on where they end)."""
    power: float = 0.8
    confidence: float = 0.95
    ratio: float = 1.0
    """Units in treatment for one in control."""
    variance_left: float = 1.0
    """Share of variance a covariate leaves: 1 - r² with CUPED."""

    def __post_init__(self) -> None:
        _positive("change", self.change, "the smallest effect worth acting on")
        _positive("ratio", self.ratio, "units in treatment for one in control")
        for name, value in (("power", self.power), ("confidence", self.confidence)):
            if not 0 < value < 1:
                raise Invalid("choose between 0 and 1, such as 0.8 or 0.95", field=name)
        if not 0 < self.variance_left <= 1:
            raise Invalid("the share of variance that is left lies above 0 and up to 1", field="variance_left")
        if self.kind == "mean":
            _positive("sd", self.sd, "the standard deviation, from a baseline of two samples or more")
        else:
            self._check_shares()

    def _check_shares(self) -> None:
        if self.share is None or not 0 <= self.share <= 1:
            raise Invalid("give the share without the treatment, from 0 to 1", field="share")
        if not 0 <= self.share + self.signed <= 1:
            raise Invalid(f"a share of {self.share:g} cannot move by {self.change:g}", field="change")

    @property
    def signed(self) -> float:
        return self.change if self.upward else -self.change

    @property
    def spreads(self) -> tuple[float, float]:
        """Variance of one unit in control and in treatment."""
        if self.kind == "mean":
            each = (self.sd or 0.0) ** 2 * self.variance_left
            return each, each
        a = self.share or 0.0
        b = a + self.signed
        return a * (1 - a) * self.variance_left, b * (1 - b) * self.variance_left


def _positive(field: str, value: float | None, what: str) -> None:
    if value is None or not (isfinite(value) and value > 0):
        raise Invalid(f"{what} must be a positive number", field=field)


def error(q: Question, n: float) -> float:
    """Return the standard error of the difference with n units in control and ratio x n in treatment."""
    a, b = q.spreads
    return sqrt(a / n + b / (n * q.ratio))


def power_of(q: Question, n: float) -> float:
    """Return the power of the two-sided test with n units in control: noncentral t, normal for shares."""
    return _student_power(q.change / error(q, n), n * (1 + q.ratio) - 2, q.confidence, shares=q.kind == "proportion")


def _student_power(shift: float, degrees: float, confidence: float, *, shares: bool = False) -> float:
    from scipy.stats import nct, norm

    if shares or degrees > 1e5:
        z = z_quantile(confidence)
        return float(norm.sf(z - shift) + norm.cdf(-z - shift))
    from pilothouse.stats.student import t_quantile

    t = t_quantile(confidence, max(degrees, 1.0))
    low = float(nct.cdf(-t, degrees, shift))
    return float(nct.sf(t, degrees, shift)) + (low if isfinite(low) else 0.0)


def smallest(enough: Callable[[int], bool], *, at_least: int = 2, field: str = "change") -> int:
    """Return the smallest whole number from which a growing condition holds; Invalid beyond `UNITS_MAX`."""
    high = at_least
    while not enough(high):
        high *= 2
        if high > UNITS_MAX:
            raise Invalid(f"more than {UNITS_MAX} units would be needed; look for a larger effect", field=field)
    low = max(at_least, high // 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def units_needed(q: Question) -> int:
    """Return units in control (treatment: ratio times that) for the asked power of the two-sided test."""
    return smallest(lambda n: power_of(q, n) >= q.power)


def non_inferiority_power(q: Question, n: float, margin: float, *, change: float = 0.0) -> float:
    """Return the power to show a one-sided bound above -margin when the true change (better direction) is `change`."""
    from scipy.stats import nct

    from pilothouse.stats.student import t_quantile

    _positive("margin", margin, "how much worse is still acceptable")
    degrees = max(n * (1 + q.ratio) - 2, 1.0)
    return float(nct.sf(t_quantile(2 * q.confidence - 1, degrees), degrees, (margin + change) / error(q, n)))


def units_for_non_inferiority(q: Question, margin: float) -> int:
    """Return units in control to show no harm beyond the margin, if there is none."""
    return smallest(lambda n: non_inferiority_power(q, n, margin) >= q.power, field="margin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """How people come in teams."""

    size: float
    """Mean people in a cluster, at least 1."""
    intraclass: float
    """Intraclass correlation of the outcome, 0 to 1."""
    variation: float = 0.0
    """Coefficient of variation of cluster sizes (sd over mean); 0 for equal teams."""

    def __post_init__(self) -> None:
        if not self.size >= 1:
            raise Invalid("a team has at least one person", field="cluster_size")
        if not 0 <= self.intraclass <= 1:
            raise Invalid("an intraclass correlation lies between 0 and 1", field="intraclass")
        if not self.variation >= 0:
            raise Invalid("a variation of team sizes is 0 or more", field="size_variation")

    @property
    def design_effect(self) -> float:
        """Variance inflation over independent people: 1 + ((1 + cv²) m - 1) ICC.

        Source: S. M. Eldridge, D. Ashby, S. Kerry, International Journal of Epidemiology 35 (2006).
        """
        return 1 + ((1 + self.variation ** 2) * self.size - 1) * self.intraclass


def cluster_power(q: Question, clusters: int, teams: Clusters) -> float:
    """Return the power with so many clusters in control; degrees of freedom are clusters - 2, not people - 2."""
    se = error(q, clusters * teams.size) * sqrt(teams.design_effect)
    return _student_power(q.change / se, max(clusters * (1 + q.ratio) - 2, 1), q.confidence)


def clusters_needed(q: Question, teams: Clusters) -> int:
    """Return clusters in control for the asked power (at least three, so that both arms make six)."""
    return smallest(lambda k: cluster_power(q, k, teams) >= q.power, at_least=3)


def sequential_power(q: Question, n: int, looks: int) -> float:
    """Return the power of the confidence sequence over equally spaced looks up to n units in control.

    By simulated Brownian paths (seeded, `PATHS` of them), because the crossing at any of several looks has no closed
    form; the horizon of the sequence is the planned end.
    """
    if looks < 1:
        raise Invalid("look at least once", field="looks")
    shares = np.arange(1, looks + 1) / looks
    total = n * (1 + q.ratio)
    drift = q.change / error(q, n)
    draw = np.random.Generator(np.random.Philox(20_250)).normal(size=(PATHS, looks))
    path = np.cumsum(draw * sqrt(1 / looks), axis=1) + drift * shares
    bars = np.array([width(total * s, total, 1 - q.confidence) * sqrt(s) for s in shares])
    seen = n * min(1.0, q.ratio) * shares >= UNITS_MIN
    return float((path[:, seen] >= bars[seen]).any(axis=1).mean())


def units_for_sequence(q: Question, looks: int) -> int:
    """Return units in control at the last look for the asked power of the sequential test."""
    return smallest(lambda n: sequential_power(q, n, looks) >= q.power, at_least=UNITS_MIN)


def days_needed(units: int, *, per_day: float, least: int = 7) -> int:
    """Return days until so many units were seen at so many a day; a week at least, whole weeks, for weekday effects."""
    _positive("per_day", per_day, "units seen a day")
    return ceil(max(units / per_day, least) / 7) * 7
