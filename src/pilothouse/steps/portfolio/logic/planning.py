"""Plans: what must be detected and how people work together in; how many, how long and how sure out."""

from collections import Counter
from dataclasses import replace
from datetime import date
from math import ceil
from statistics import fmean, pstdev

from pilothouse.kernel.errors import Invalid
from pilothouse.stats import power
from pilothouse.stats.power import Clusters, Question
from pilothouse.steps.portfolio.contracts import Baseline, Kpi
from pilothouse.steps.portfolio.contracts.experiments import Experiment, Plan, PlanRequest, PowerCurve, PowerPoint

SAMPLES_MIN = 2
DAYS_OBSERVED_MIN = 7
CURVE_POINTS = 24
CURVE_REACH = 2.0
"""The curve runs from no effect to so many times the smallest one worth acting on."""


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


def curve(e: Experiment, baseline: Baseline | None, entry: int) -> PowerCurve | None:
    """Return what an experiment can find as registered, or None where no lot is drawn or no spread is known.

    People are counted as planned, half-filled teams as they are; a covariate is left out, so that with one the power
    is higher than shown. Teams are assumed as alike as a plan assumes.
    """
    r = e.registration
    kpi = next(k for k in e.metrics if k.slug == r.primary)
    if r.design not in ("randomised", "cluster randomised") or baseline is None or not baseline.sd:
        return None
    size, variation = _teams(e)
    request = PlanRequest(use_case_id=r.use_case_id, kpi=kpi.slug, least_effect=r.least_effect, design=r.design,
                          monitoring=r.monitoring, power=r.power, confidence=r.confidence, cluster_size=size,
                          size_variation=variation)
    steps = [r.least_effect * CURVE_REACH * i / CURVE_POINTS for i in range(1, CURVE_POINTS + 1)]
    points = tuple(PowerPoint(effect=x, power=_power(e, replace(request, least_effect=x), kpi, baseline))
                   for x in steps if _is_possible(x, kpi, baseline))
    return PowerCurve(kpi=kpi.slug, unit=kpi.unit, least_effect=r.least_effect, points=points, assumed_sd=baseline.sd,
                      at_least_effect=_power(e, request, kpi, baseline), baseline_version=baseline.version,
                      entry=entry, says=_assumed(e, request, baseline))


def _teams(e: Experiment) -> tuple[float, float]:
    """Return the mean of the registered teams' sizes and their variation (sd over mean); one person without teams."""
    sizes = list(Counter(m.cluster for m in e.registration.members if m.cluster).values()) or [1]
    return fmean(sizes), pstdev(sizes) / fmean(sizes)


def _is_possible(effect: float, kpi: Kpi, baseline: Baseline) -> bool:
    moved = baseline.mean + (effect if kpi.better == "higher" else -effect)
    return kpi.shape != "proportion" or 0 <= moved <= 1


def _power(e: Experiment, request: PlanRequest, kpi: Kpi, baseline: Baseline) -> float:
    r = e.registration
    q = replace(question(request, kpi, baseline), ratio=r.treatment_share / (1 - r.treatment_share))
    control = r.planned_n * (1 - r.treatment_share)
    if r.design == "cluster randomised":
        teams = Clusters(size=request.cluster_size, intraclass=request.intraclass, variation=request.size_variation)
        return power.cluster_power(q, max(1, round(control / request.cluster_size)), teams)
    if r.monitoring == "sequential":
        return power.sequential_power(q, max(1, round(control)), _weekly_looks(r.starts_on, r.ends_on))
    return power.power_of(q, control)


def _weekly_looks(first: str, last: str) -> int:
    return max(1, ceil(((date.fromisoformat(last) - date.fromisoformat(first)).days + 1) / 7))


def _assumed(e: Experiment, request: PlanRequest, baseline: Baseline) -> tuple[str, ...]:
    r = e.registration
    told = [f"{r.planned_n} people as planned, {r.treatment_share:.0%} of them treated",
            f"standard deviation {baseline.sd:g} of the frozen baseline, version {baseline.version}"]
    if r.design == "cluster randomised":
        told.append(f"teams of {request.cluster_size:g} people on average, {request.intraclass:g} of the variance"
                    " between teams")
    if r.monitoring == "sequential":
        told.append(f"{_weekly_looks(r.starts_on, r.ends_on)} weekly looks")
    return tuple(told)
