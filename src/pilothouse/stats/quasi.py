"""Designs without randomised people: difference in differences, interrupted series, wedges, and tests they can fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

import numpy as np

from pilothouse.kernel.errors import Invalid
from pilothouse.stats.clusters import CLUSTERS_MIN, cluster_robust, numbered
from pilothouse.stats.effects import Effect, Floats, by_student, finite, welch
from pilothouse.stats.intervals import CONFIDENCE

Passed = Literal["passed", "failed", "no data"]
IMBALANCE_MAX = 0.25
"""Standardised mean difference up to which groups count as alike (Imbens and Rubin 2015; WWC standards)."""
PLACEBO_LEVEL = 0.90
"""Confidence of placebo and trend tests: wider nets than for the effect, since here a miss is the costly error."""
POINTS_BEFORE_MIN, POINTS_AFTER_MIN = 8, 4
MEMORY_MAX, MEMORY_CAP = 0.6, 0.95
"""Correlation of neighbouring points up to which a series' interval is to be believed, and the most that is assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """A test of the design's own assumption, which can fail; no data does not pass."""

    name: str
    status: Passed
    says: str
    value: float | None = None
    p: float | None = None


def balance(name: str, control: Sequence[float] | Floats, treatment: Sequence[float] | Floats) -> Diagnostic:
    """Compare the groups before the start by the standardised mean difference; over `IMBALANCE_MAX` fails.

    The scale is the root of the two variances' mean, so that large samples do not fail for being large.
    """
    a, b = finite(control, "control"), finite(treatment, "treatment")
    label = f"balance: {name}"
    if min(len(a), len(b)) < 2:
        return Diagnostic(name=label, status="no data", says=f"{name}: too few values from before the start")
    scale = sqrt((float(a.var(ddof=1)) + float(b.var(ddof=1))) / 2)
    apart = float(b.mean() - a.mean())
    if not scale:
        return Diagnostic(name=label, status="passed" if apart == 0 else "failed", value=None,
                          says=f"{name}: the groups {'are equal' if apart == 0 else 'differ without any spread'}")
    smd = apart / scale
    return Diagnostic(name=label, status="passed" if abs(smd) <= IMBALANCE_MAX else "failed", value=smd,
                      says=f"{name}: the groups lay {abs(smd):.2f} standard deviations apart before the start"
                           f" (at most {IMBALANCE_MAX})")


def placebo(name: str, estimate: Effect | None, *, bias_max: float) -> Diagnostic:
    """Judge an effect where there can be none: its whole interval must lie within +-`bias_max`.

    Significant: failed. Not significant but too wide to exclude a bias of `bias_max`: no data, because a test that
    could not have seen the bias is not passed. Source of the idea: Bilinski and Hatfield, arXiv 1805.03273.
    """
    if estimate is None or estimate.low is None or estimate.high is None:
        return Diagnostic(name=name, status="no data", says="not enough from before the start to test this")
    says = f"an effect of {estimate.value:.4g} ({estimate.low:.4g} to {estimate.high:.4g}) where there can be none"
    if estimate.low > 0 or estimate.high < 0:
        return Diagnostic(name=name, status="failed", says=says, value=estimate.value, p=estimate.p)
    enough = max(-estimate.low, estimate.high) <= bias_max
    return Diagnostic(name=name, status="passed" if enough else "no data", value=estimate.value, p=estimate.p,
                      says=says if enough else f"{says}: too wide to rule out a bias as large as what is claimed")


def comparable(control: Mapping[str, Sequence[float]], treatment: Mapping[str, Sequence[float]],
               placebo_outcomes: Sequence[str] = (), *, bias_max: float) -> Sequence[Diagnostic]:
    """Test a comparison group chosen, not drawn: balance of every trait, no effect on outcomes from before the start.

    Shapes: trait name to values, each group its own number of people. Passing all makes bias less likely, not absent:
    what was not measured is not tested.
    """
    found = [balance(name, control[name], treatment[name]) for name in sorted(control.keys() & treatment.keys())]
    for name in placebo_outcomes:
        estimate = welch(control[name], treatment[name], confidence=PLACEBO_LEVEL)
        found.append(placebo(f"placebo outcome: {name}", estimate, bias_max=bias_max))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One outcome a unit and period (mean of its observations); `treated` says where the treatment was on."""

    units: tuple[str, ...]
    """Unit of each row: person, team or cluster."""
    clusters: tuple[str, ...]
    periods: tuple[int, ...]
    group: tuple[bool, ...]
    """Whether the row's unit ever gets the treatment."""
    treated: tuple[bool, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        lengths = {len(c) for c in (self.units, self.clusters, self.periods, self.group, self.treated, self.values)}
        if len(lengths) != 1:
            raise Invalid("every row of a panel has unit, cluster, period, group, treatment and value", field="values")


def changes(panel: Panel, before: Sequence[int], after: Sequence[int]) -> Sequence[tuple[str, str, bool, float]]:
    """Return (unit, cluster, group, mean after - mean before) of the units seen in both."""
    seen: dict[str, tuple[list[float], list[float], str, bool]] = {}
    early, late = set(before), set(after)
    for unit, cluster, period, group, value in zip(panel.units, panel.clusters, panel.periods, panel.group,
                                                   panel.values, strict=True):
        held = seen.setdefault(unit, ([], [], cluster, group))
        if period in early:
            held[0].append(value)
        elif period in late:
            held[1].append(value)
    return [(u, c, g, float(np.mean(b) - np.mean(a))) for u, (a, b, c, g) in seen.items() if a and b]


def difference_in_differences(panel: Panel, before: Sequence[int], after: Sequence[int], *,
                              confidence: float = CONFIDENCE) -> Effect | None:
    """Estimate how much more the treated group changed: unit changes compared, by cluster where clusters are shared.

    All treated start together (staggered starts belong to the stepped wedge). Welch on changes where every unit is its
    own cluster, CR2 otherwise; None with too little. Taking one change a unit answers serial correlation: Bertrand,
    Duflo, Mullainathan, QJE 119 (2004). It is causal only if both groups would have moved in parallel.
    """
    found = changes(panel, before, after)
    control = [d for _, _, g, d in found if not g]
    treated = [d for _, _, g, d in found if g]
    if min(len(control), len(treated)) < 2:
        return None
    labels = [c or u for u, c, _, _ in found]
    if len(set(labels)) == len(labels):
        return _renamed(welch(control, treated, confidence=confidence), "difference-in-differences")
    return _by_cluster(found, labels, confidence)


def _by_cluster(found: Sequence[tuple[str, str, bool, float]], labels: Sequence[str], confidence: float
                ) -> Effect | None:
    group = np.array([g for _, _, g, _ in found], np.float64)
    which = numbered(labels)
    apart = min(len(np.unique(which[group == side])) for side in (0, 1))
    if len(np.unique(which)) < CLUSTERS_MIN or apart < 2:
        return None
    design = np.column_stack([np.ones(len(found)), group])
    return cluster_robust(np.array([d for *_, d in found]), design, which, 1, confidence=confidence,
                          method="difference-in-differences-cr2")


def _renamed(effect: Effect | None, method: str) -> Effect | None:
    return None if effect is None else replace(effect, method=method)


def parallel(panel: Panel, before: Sequence[int], *, bias_max: float) -> Sequence[Diagnostic]:
    """Test what difference in differences rests on: equal trends before the start, and no effect at a false start.

    Shapes: periods before the start in order; two at least for the false start, three for the trend.
    """
    periods = sorted(before)
    half = len(periods) // 2
    false_start = difference_in_differences(panel, periods[:half], periods[half:], confidence=PLACEBO_LEVEL) \
        if half else None
    return [placebo("pre-trend", _trend(panel, periods), bias_max=bias_max),
            placebo("placebo date", false_start, bias_max=bias_max)]


def _trend(panel: Panel, periods: Sequence[int]) -> Effect | None:
    """Estimate how far the groups drifted apart over the whole time before the start (the outcome's unit)."""
    if len(periods) < 3:
        return None
    place = {p: i for i, p in enumerate(periods)}
    rows: dict[str, list[tuple[int, float]]] = {}
    about: dict[str, tuple[str, bool]] = {}
    for unit, cluster, period, group, value in zip(panel.units, panel.clusters, panel.periods, panel.group,
                                                   panel.values, strict=True):
        if period in place:
            rows.setdefault(unit, []).append((place[period], value))
            about[unit] = cluster, group
    slopes = [(u, *about[u], _slope(points) * (len(periods) - 1)) for u, points in rows.items() if len(points) >= 2]
    control, treated = [s for *_, g, s in slopes if not g], [s for *_, g, s in slopes if g]
    if min(len(control), len(treated)) < 2:
        return None
    labels = [c or u for u, c, _, _ in slopes]
    if len(set(labels)) == len(labels):
        return welch(control, treated, confidence=PLACEBO_LEVEL)
    return _by_cluster(slopes, labels, PLACEBO_LEVEL)


def _slope(points: Sequence[tuple[int, float]]) -> float:
    x, y = np.array([p for p, _ in points], float), np.array([v for _, v in points])
    spread = float(((x - x.mean()) ** 2).sum())
    return float((x - x.mean()) @ y / spread) if spread else 0.0


def interrupted_series(series: Sequence[float] | Floats, starts_at: int, *, confidence: float = CONFIDENCE
                       ) -> Effect | None:
    """Estimate the mean level after the start minus what the line from before would have given (segmented regression).

    Shapes: equally spaced points in order, `starts_at` of them before. None under 8 before or 4 after.
    Errors remember their neighbour (AR(1)); generalized least squares by statsmodels, Student's t.
    Sources: Wagner et al., J. Clin. Pharm. Ther. 27 (2002); memory's bias after F. H. C. Marriott, J. A. Pope,
    Biometrika 41 (1954), taken from one fitted mean to all fitted columns. Newey and West's errors were tried and held
    the truth in 74 to 85 of 100 series of this length. Above a memory of about .6 this too is narrow: `undisturbed`.
    """
    y = finite(series, "series")
    if starts_at < POINTS_BEFORE_MIN or len(y) - starts_at < POINTS_AFTER_MIN:
        return None
    import statsmodels.api as sm

    design = _segments(len(y), starts_at)
    together = _memory_left(y, design) ** np.abs(np.subtract.outer(np.arange(len(y)), np.arange(len(y))))
    fitted = sm.GLS(y, design, sigma=together).fit()
    se = float(fitted.bse[2])
    if not se > 1e-13 * float(np.abs(y).max(initial=1e-300)):
        return None
    return by_student(float(fitted.params[2]), se, len(y) - design.shape[1] - 1, n=len(y),
                      method="segmented-regression-ar1", confidence=confidence)


def _segments(n: int, starts_at: int) -> Floats:
    """Return level, slope, and the change of both; the change is the one at the middle of the time after the start."""
    t = np.arange(n, dtype=float)
    on = (t >= starts_at).astype(float)
    return np.column_stack([np.ones(n), t, on, on * (t - t[starts_at:].mean())])


def _memory_left(y: Floats, design: Floats) -> float:
    """Return the correlation of neighbouring errors, freed of what fitting took away; 0 to .95."""
    r = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    spread, n, k = float(r @ r), len(y), int(design.shape[1])
    seen = float(r[1:] @ r[:-1]) / spread if spread > 0 else 0.0
    unbiased = (n * seen + k) / (n - k - 2)
    return min(max(unbiased, 0.0), MEMORY_CAP)


def undisturbed(series: Sequence[float], starts_at: int, *, bias_max: float) -> Sequence[Diagnostic]:
    """Test an interrupted series at a false start in the middle of its time before, and its residuals for memory."""
    y = finite(series, "series")[:starts_at]
    middle = starts_at // 2
    early = interrupted_series(y, middle, confidence=PLACEBO_LEVEL) if len(y) >= 2 * POINTS_BEFORE_MIN else None
    return [placebo("placebo date", early, bias_max=bias_max), _memory(y)]


def _memory(y: Floats) -> Diagnostic:
    if len(y) < POINTS_BEFORE_MIN:
        return Diagnostic(name="autocorrelation", status="no data", says=f"under {POINTS_BEFORE_MIN} points before")
    t = np.arange(len(y), dtype=float)
    rho = _memory_left(y, np.column_stack([np.ones(len(y)), t]))
    return Diagnostic(name="autocorrelation", status="passed" if rho <= MEMORY_MAX else "failed", value=rho,
                      says=f"neighbouring points correlate by {rho:.2f} before the start (at most {MEMORY_MAX}: beyond"
                           " it the interval is too narrow)")


def stepped_wedge(panel: Panel, *, confidence: float = CONFIDENCE) -> Effect | None:
    """Estimate the treatment's effect where clusters cross over step by step: cluster and period effects, CR2.

    Shapes: one row a cluster and period (others are averaged first). None below `CLUSTERS_MIN` clusters or where the
    treatment cannot be told from time. Source: Hussey and Hughes, Contemporary Clinical Trials 28 (2007), with fixed
    cluster effects; assumes an effect that neither grows with exposure nor differs by period.
    """
    cells = _cells(panel)
    if len({c for c, _ in cells}) < CLUSTERS_MIN:
        return None
    clusters, periods = sorted({c for c, _ in cells}), sorted({p for _, p in cells})
    rows = [[on, *(float(c == k) for k in clusters), *(float(p == k) for k in periods[1:])]
            for (c, p), (on, _) in cells.items()]
    design, y = np.array(rows), np.array([v for _, v in cells.values()])
    if len(y) <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    which = np.array([clusters.index(c) for c, _ in cells], np.int64)
    return cluster_robust(y, design, which, 0, confidence=confidence, method="stepped-wedge-cr2")


def _cells(panel: Panel) -> Mapping[tuple[str, int], tuple[float, float]]:
    held: dict[tuple[str, int], tuple[float, list[float]]] = {}
    for unit, cluster, period, treated, value in zip(panel.units, panel.clusters, panel.periods, panel.treated,
                                                     panel.values, strict=True):
        held.setdefault((cluster or unit, period), (float(treated), []))[1].append(value)
    return {key: (on, float(np.mean(values))) for key, (on, values) in sorted(held.items())}


def switchback(slots: Sequence[tuple[bool, float]], *, confidence: float = CONFIDENCE) -> Effect | None:
    """Estimate the effect of switching on and off over time slots: Welch on slot means, in order of time.

    Each slot was assigned by chance; its first part (washout) is left out by the caller. None under 4 slots an arm.
    Source: Bojinov, Simchi-Levi, Zhao, Management Science 69 (2023). Slots that are alike within a day make it
    cautious; slots that remember each other make it wrong, which `carry_over` tests.
    """
    on, off = [v for t, v in slots if t], [v for t, v in slots if not t]
    if min(len(on), len(off)) < 4:
        return None
    return _renamed(welch(off, on, confidence=confidence), "switchback-welch")


def carry_over(slots: Sequence[tuple[bool, float]], *, bias_max: float) -> Diagnostic:
    """Test whether the slot before still works in this one: its effect, given this slot's own treatment."""
    if len(slots) < 9:
        return Diagnostic(name="carry-over", status="no data", says="fewer than 9 slots")
    import statsmodels.api as sm

    now, y = np.array([float(t) for t, _ in slots]), np.array([v for _, v in slots])
    design = np.column_stack([np.ones(len(y) - 1), now[1:], now[:-1]])
    if np.linalg.matrix_rank(design) < 3:
        return Diagnostic(name="carry-over", status="no data", says="the treatment alternates or repeats")
    fitted = sm.OLS(y[1:], design).fit()
    if not float(fitted.bse[2]) > 0:
        return Diagnostic(name="carry-over", status="no data", says="slots do not vary")
    lagged = by_student(float(fitted.params[2]), float(fitted.bse[2]), len(y) - 4, n=len(y) - 1, method="lag",
                        confidence=PLACEBO_LEVEL)
    return placebo("carry-over", lagged, bias_max=bias_max)
