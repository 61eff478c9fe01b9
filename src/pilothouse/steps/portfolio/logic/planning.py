"""Plans: what must be detected and how people work together in; how many, how long and how sure out."""

from collections import Counter
from datetime import date
from functools import lru_cache
from math import ceil
from statistics import fmean, pstdev

from pilothouse.kernel.errors import Invalid
from pilothouse.stats import power
from pilothouse.stats.power import Clusters, Question
from pilothouse.steps.portfolio.contracts import Baseline, Kpi
from pilothouse.steps.portfolio.contracts.experiments import (
    Experiment,
    Plan,
    PlanRequest,
    PowerCurve,
    PowerPoint,
    Registration,
)

SAMPLES_MIN = 2
DAYS_OBSERVED_MIN = 7
CURVE_POINTS = 24
CURVE_REACH = 2.0
"""The curve runs from no effect to so many times the smallest one worth acting on."""
SPREAD_STEPS = 20
"""Halvings of six powers of ten: a spread to about one part in a hundred thousand."""
CURVES_KEPT = 64
INTRACLASS = 0.05
"""Share of variance between teams that a plan assumes unless it is told a measured one."""


def plan(request: PlanRequest, kpi: Kpi, baseline: Baseline | None) -> Plan:
    """Return people, teams and days; raises Invalid naming what is missing or cannot be."""
    if request.design not in ("randomised", "cluster randomised"):
        raise Invalid("plans are made for designs with people or teams drawn by lot; the others need the spread of"
                      " whole periods, which one baseline does not show", field="design")
    if request.monitoring == "sequential" and request.design != "randomised":
        raise Invalid("looking at any time is possible only where people are drawn one by one", field="monitoring")
    q = question(request, kpi, baseline)
    if request.design == "cluster randomised":
        return _by_team(request, q)
    return _by_person(request, q)


def question(request: PlanRequest, kpi: Kpi, baseline: Baseline | None) -> Question:
    """Return what is to be detected, with the spread of the baseline unless another is given."""
    if not -1 < request.covariate_correlation < 1:
        raise Invalid("a correlation lies between -1 and 1", field="covariate_correlation")
    left = 1 - request.covariate_correlation ** 2
    if kpi.shape == "proportion":
        if baseline is None:
            raise Invalid("freeze a baseline first: the spread of a share depends on the share", field="kpi")
        return Question(kind="proportion", change=request.least_effect, share=baseline.mean, variance_left=left,
                        upward=kpi.better == "higher", power=request.power, confidence=request.confidence)
    return Question(kind="mean", change=request.least_effect, sd=_spread(request, baseline), variance_left=left,
                    power=request.power, confidence=request.confidence)


def _spread(request: PlanRequest, baseline: Baseline | None) -> float:
    if request.sd is not None:
        return request.sd
    if baseline is None:
        raise Invalid("freeze a baseline first, or give the standard deviation between people", field="sd")
    if baseline.n < SAMPLES_MIN or baseline.sd is None:
        raise Invalid(f"a baseline of {baseline.n} observation has no spread; measure {SAMPLES_MIN} or more",
                      field="sd")
    return baseline.sd


def _by_person(request: PlanRequest, q: Question) -> Plan:
    if request.monitoring == "sequential":
        n = power.units_for_sequence(q, request.looks)
        reached = power.sequential_power(q, n, request.looks)
    else:
        n = power.units_needed(q)
        reached = power.power_of(q, n)
    return _plan(request, q, people=2 * n, teams=0, reached=reached, effect=1.0,
                 says=(f"{n} people in each arm",))


def _by_team(request: PlanRequest, q: Question) -> Plan:
    teams = Clusters(size=request.cluster_size, intraclass=request.intraclass, variation=request.size_variation)
    each = power.clusters_needed(q, teams)
    says = (f"{each} teams of about {request.cluster_size:g} in each arm",
            f"people in one team are alike, so {teams.design_effect:.2f} times as many are needed as one by one")
    return _plan(request, q, people=ceil(2 * each * request.cluster_size), teams=2 * each,
                 reached=power.cluster_power(q, each, teams), effect=teams.design_effect, says=says)


def _plan(request: PlanRequest, q: Question, *, people: int, teams: int, reached: float, effect: float,
          says: tuple[str, ...]) -> Plan:
    days = None if request.people_per_day is None else power.days_needed(
        people, per_day=request.people_per_day, least=DAYS_OBSERVED_MIN)
    margin = None if request.margin is None else ceil(
        2 * power.units_for_non_inferiority(q, request.margin) * effect)
    control, _ = q.spreads
    return Plan(people=people, teams=teams, days=days, power=reached, design_effect=effect,
                people_for_margin=margin, assumed_sd=(control / q.variance_left) ** 0.5, says=says)


def curve(e: Experiment) -> PowerCurve | None:
    """Return what a registration promises, by size of the true effect, or None where no lot is drawn.

    The registration says how many people find the smallest effect worth acting on with which power; from that follows
    how far people's averages may spread, and from the spread the chance to find any other effect. Shares are taken as
    means. Teams are as alike as a plan assumes by default; a sequential analysis is looked at every week.
    """
    kpi = next(k for k in e.metrics if k.slug == e.registration.primary)
    return _curve(e.registration, kpi) if e.registration.design in ("randomised", "cluster randomised") else None


@lru_cache(maxsize=CURVES_KEPT)
def _curve(r: Registration, kpi: Kpi) -> PowerCurve | None:
    """Return the curve; kept, since a sequential analysis is simulated for each point and a registration is frozen."""
    if (spread := _spread_promised(r)) is None:
        return None
    steps = [r.least_effect * CURVE_REACH * i / CURVE_POINTS for i in range(1, CURVE_POINTS + 1)]
    return PowerCurve(kpi=kpi.slug, unit=kpi.unit, least_effect=r.least_effect, spread=spread, says=_counted(r),
                      points=tuple(PowerPoint(effect=x, power=_power(r, x, spread)) for x in steps))


def _spread_promised(r: Registration) -> float | None:
    """Return the standard deviation at which the promised power is just reached; None if none does, by halving."""
    low, high = r.least_effect * 1e-3, r.least_effect * 1e3
    if _power(r, r.least_effect, low) < r.power or _power(r, r.least_effect, high) > r.power:
        return None
    for _ in range(SPREAD_STEPS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if _power(r, r.least_effect, middle) >= r.power else (low, middle)
    return low


def _power(r: Registration, effect: float, sd: float) -> float:
    ratio = r.treatment_share / (1 - r.treatment_share)
    q = Question(kind="mean", change=effect, sd=sd, power=r.power, confidence=r.confidence, ratio=ratio)
    control = r.planned_n * (1 - r.treatment_share)
    if r.design == "cluster randomised":
        teams = _teams(r)
        return power.cluster_power(q, max(1, round(control / teams.size)), teams)
    if r.monitoring == "sequential":
        return power.sequential_power(q, max(1, round(control)), _weekly_looks(r.starts_on, r.ends_on))
    return power.power_of(q, max(1.0, control))


def _teams(r: Registration) -> Clusters:
    """Return the registered teams' mean size and its variation (sd over mean)."""
    sizes = list(Counter(m.cluster for m in r.members if m.cluster).values()) or [1]
    return Clusters(size=fmean(sizes), variation=pstdev(sizes) / fmean(sizes), intraclass=INTRACLASS)


def _weekly_looks(first: str, last: str) -> int:
    return max(1, ceil(((date.fromisoformat(last) - date.fromisoformat(first)).days + 1) / 7))


def _counted(r: Registration) -> tuple[str, ...]:
    told = [f"{r.planned_n} people, {r.treatment_share:.0%} of them treated"]
    if r.design == "cluster randomised":
        teams = _teams(r)
        told.append(f"teams of {teams.size:g} on average, {teams.intraclass:g} of the variance between teams")
    if r.monitoring == "sequential":
        told.append(f"{_weekly_looks(r.starts_on, r.ends_on)} weekly looks")
    return tuple(told)
