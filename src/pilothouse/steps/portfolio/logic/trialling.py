"""Analyses: a registration, lots and observations in; effect, checks, grade and verdict out."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from pilothouse.stats import effects, quasi
from pilothouse.stats.clusters import CLUSTERS_MIN, clustered_difference, permutation
from pilothouse.stats.effects import MISMATCH_BELOW, Effect, NonInferiority
from pilothouse.stats.quasi import Diagnostic, Panel
from pilothouse.stats.sequences import lower_sequence, sequence
from pilothouse.steps.portfolio.contracts import Grade, Kpi
from pilothouse.steps.portfolio.contracts.experiments import (
    Altered,
    Analysis,
    Assignment,
    Check,
    Design,
    Effects,
    GuardrailResult,
    Member,
    Observation,
    Registration,
    StratumEffect,
    VerdictOfPilot,
)
from pilothouse.steps.portfolio.logic.registering import DRAWN

MISSING_MAX = 0.2
"""Share of people without any observation beyond which an arm may have been left by the ones it did not suit."""
BROKEN_BELOW = 0.001
"""p under which groups drawn by lot differ too much before the start to have been drawn by lot."""
GRADES: tuple[Grade, ...] = ("E0", "E1", "E2", "E3", "E4")
COSTS: Mapping[Altered, int] = {"assignment": 2, "metric": 1, "analysis": 1, "stop rule": 1, "treatment": 1}
"""Grades that a recorded departure takes away; the others take none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Everything an analysis reads."""

    registration: Registration
    kpis: Mapping[str, Kpi]
    assigned: Mapping[str, Assignment]
    observations: Mapping[str, Sequence[Observation]]
    """By KPI."""
    ended_on: str
    """Last day that counts: the registered one, or the day it was stopped."""
    altered: Sequence[Altered] = ()
    final: bool = True

    @property
    def people(self) -> Mapping[str, Member]:
        return {m.person: m for m in self.registration.members}


def analyse(t: Trial) -> Analysis:
    """Say what a trial shows: the effect only when the registration lets it be seen."""
    r = t.registration
    seen = observed(t, r.primary)
    shown = t.final or r.monitoring == "sequential"
    effect = estimate(t, r.primary, r.confidence) if shown else None
    checks = [*_integrity(t, seen), *(_diagnostics(t, effect) if shown else ())]
    guardrails = tuple(_guardrail(t, g.kpi, g.margin) for g in r.guardrails) if shown else ()
    verdict, why = _verdict(t, effect, guardrails, checks) if shown else _hidden()
    strata, differ = _strata(t) if shown else ((), None)
    arms = [t.assigned[p].arm for p in seen.after]
    return Analysis(
        experiment=r.slug, verdict=verdict, grade=grade(t, checks), why=why, guardrails=guardrails, final=t.final,
        effect=_effects(t, r.primary, effect), checks=tuple(_check(c) for c in checks), strata=strata,
        strata_differ_p=differ, people_control=arms.count("control"), people_treatment=arms.count("treatment"),
        left_out=seen.left_out)


def _hidden() -> tuple[VerdictOfPilot, tuple[str, ...]]:
    return "inconclusive", ("it runs as registered with a fixed analysis: effects are shown at its end, because whoever"
                            " looks early and often finds effects that are not there",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Values by person before the start and in the treatment period, and how many lay in neither."""

    before: Mapping[str, Sequence[tuple[str, float]]]
    after: Mapping[str, Sequence[tuple[str, float]]]
    left_out: int


def observed(t: Trial, kpi: str) -> Seen:
    """Sort the observations of one KPI by person and period; each is (day, value)."""
    before: dict[str, list[tuple[str, float]]] = defaultdict(list)
    after: dict[str, list[tuple[str, float]]] = defaultdict(list)
    left_out = 0
    for o in t.observations.get(kpi, ()):
        if o.person not in t.assigned or o.day > t.ended_on:
            left_out += 1
        else:
            (before if o.day < t.registration.starts_on else after)[o.person].append((o.day, o.value))
    return Seen(before=before, after=after, left_out=left_out)


def _mean(values: Sequence[tuple[str, float]]) -> float:
    return sum(v for _, v in values) / len(values)


def estimate(t: Trial, kpi: str, confidence: float, *, one_sided: bool = False) -> Effect | None:
    """Estimate treatment minus control of one KPI as its design asks; None where there is too little to say."""
    seen = observed(t, kpi)
    by_design: Mapping[Design, Callable[[], Effect | None]] = {
        "randomised": lambda: _people(t, kpi, seen, confidence, one_sided=one_sided),
        "cluster randomised": lambda: _teams(t, kpi, seen, confidence),
        "stepped wedge": lambda: quasi.stepped_wedge(panel(t, seen), confidence=confidence),
        "switchback": lambda: quasi.switchback(slots(t, seen), confidence=confidence),
        "difference in differences": lambda: _did(t, seen, confidence),
        "interrupted time series": lambda: quasi.interrupted_series(*series(t, seen), confidence=confidence),
        "before and after": lambda: _before_after(seen, confidence)}
    return by_design[t.registration.design]()


def _people(t: Trial, kpi: str, seen: Seen, confidence: float, *, one_sided: bool) -> Effect | None:
    r = t.registration
    if _one_trial_each(t, kpi, seen) and r.monitoring == "fixed" and not _adjusts(t, kpi):
        return effects.shares(*(_counts(t, seen, arm) for arm in ("control", "treatment")), confidence=confidence)
    control, treatment = _arms(t, kpi, seen)
    if r.monitoring == "sequential":
        method = lower_sequence if one_sided else sequence
        return method(control, treatment, horizon=max(r.planned_n, 4),
                      confidence=(1 + confidence) / 2 if one_sided else confidence)
    return effects.welch(control, treatment, confidence=confidence)


def _one_trial_each(t: Trial, kpi: str, seen: Seen) -> bool:
    return t.kpis[kpi].shape == "proportion" and all(len(v) == 1 for v in seen.after.values())


def _counts(t: Trial, seen: Seen, arm: str) -> tuple[int, int]:
    values = [v[0][1] for p, v in seen.after.items() if t.assigned[p].arm == arm]
    return round(sum(values)), len(values)


def _adjusts(t: Trial, kpi: str) -> bool:
    return t.registration.cuped and kpi == t.registration.primary


def _arms(t: Trial, kpi: str, seen: Seen) -> tuple[effects.Floats, effects.Floats]:
    """Return each person's mean by arm, freed of what their time before the start explains where that is registered."""
    people = sorted(seen.after)
    values = np.array([_mean(seen.after[p]) for p in people])
    if _adjusts(t, kpi) and people:
        values, _ = effects.cuped(values, _history(seen, people))
    treated = np.array([t.assigned[p].arm == "treatment" for p in people], bool)
    return values[~treated], values[treated]


def _history(seen: Seen, people: Sequence[str]) -> effects.Floats:
    """Return each person's mean before the start; the mean of all for those without: it adjusts nothing for them."""
    known = [_mean(seen.before[p]) for p in people if seen.before.get(p)]
    typical = float(np.mean(known)) if known else 0.0
    return np.array([_mean(seen.before[p]) if seen.before.get(p) else typical for p in people])


def _teams(t: Trial, kpi: str, seen: Seen, confidence: float) -> Effect | None:
    people = sorted(seen.after)
    values = [_mean(seen.after[p]) for p in people]
    treated = [t.assigned[p].arm == "treatment" for p in people]
    teams = [t.assigned[p].cluster for p in people]
    if len(set(teams)) < CLUSTERS_MIN:
        return permutation(values, treated, teams, confidence=confidence) if values else None
    covariates = [_history(seen, people).tolist()] if _adjusts(t, kpi) and any(map(seen.before.get, people)) else []
    if covariates and len(set(covariates[0])) == 1:
        covariates = []
    return clustered_difference(values, treated, teams, covariates=covariates, confidence=confidence)


def _period(t: Trial, day: str) -> int:
    """Return the number of the period a day lies in; the first of the treatment is 0, those before are negative."""
    apart = (date.fromisoformat(day) - date.fromisoformat(t.registration.starts_on)).days
    return apart // t.registration.step_days


def panel(t: Trial, seen: Seen) -> Panel:
    """Return person and period means; a cell counts as treated when its period began on or after the crossing."""
    cells: dict[tuple[str, int], list[float]] = defaultdict(list)
    for part in (seen.before, seen.after):
        for person, values in part.items():
            for day, value in values:
                cells[person, _period(t, day)].append(value)
    keys = sorted(cells)
    at = [t.assigned[p] for p, _ in keys]
    return Panel(units=tuple(p for p, _ in keys), clusters=tuple(a.cluster for a in at),
                 periods=tuple(n for _, n in keys), group=tuple(a.arm == "treatment" for a in at),
                 treated=tuple(bool(a.from_day) and n >= _period(t, a.from_day)
                               for a, (_, n) in zip(at, keys, strict=True)),
                 values=tuple(float(np.mean(cells[k])) for k in keys))


def slots(t: Trial, seen: Seen) -> Sequence[tuple[bool, float]]:
    """Return (treatment on, mean) of each time slot, in order, without its first `wash_days`."""
    r, cells = t.registration, defaultdict[int, list[float]](list)
    on = {_period(t, day) for a in t.assigned.values() for day in a.slots_on}
    for values in seen.after.values():
        for day, value in values:
            into = (date.fromisoformat(day) - date.fromisoformat(r.starts_on)).days % r.step_days
            if into >= r.wash_days:
                cells[_period(t, day)].append(value)
    return [(n in on, float(np.mean(cells[n]))) for n in sorted(cells)]


def series(t: Trial, seen: Seen) -> tuple[Sequence[float], int]:
    """Return period means of everybody in order, and how many of them lie before the start; nothing if one is missing.

    A gap would make neighbours of points that are none, and the errors that allow for neighbours wrong.
    """
    cells: dict[int, list[float]] = defaultdict(list)
    for part in (seen.before, seen.after):
        for values in part.values():
            for day, value in values:
                cells[_period(t, day)].append(value)
    numbers = sorted(cells)
    if numbers and numbers[-1] - numbers[0] + 1 > len(numbers):
        return [], 0
    return [float(np.mean(cells[n])) for n in numbers], sum(n < 0 for n in numbers)


def _did(t: Trial, seen: Seen, confidence: float) -> Effect | None:
    rows = panel(t, seen)
    before, after = _times(rows)
    return quasi.difference_in_differences(rows, before, after, confidence=confidence)


def _times(rows: Panel) -> tuple[Sequence[int], Sequence[int]]:
    numbers = sorted(set(rows.periods))
    return [n for n in numbers if n < 0], [n for n in numbers if n >= 0]


def _before_after(seen: Seen, confidence: float) -> Effect | None:
    both = sorted(seen.before.keys() & seen.after.keys())
    return effects.paired([_mean(seen.before[p]) for p in both], [_mean(seen.after[p]) for p in both],
                          confidence=confidence)


def _integrity(t: Trial, seen: Seen) -> Sequence[Diagnostic]:
    """Check what lots promise: who is observed is who was drawn."""
    r = t.registration
    found = [_completeness(t, seen)]
    if r.design in ("randomised", "cluster randomised"):
        found.insert(0, sample_ratio(t, seen))
        found.extend(_alike_before(t, seen))
    return found


def sample_ratio(t: Trial, seen: Seen) -> Diagnostic:
    """Hold the observed units' arms against those drawn; a mismatch blocks the verdict."""
    teams = t.registration.design == "cluster randomised"
    drawn = {(a.cluster if teams else a.person): a.arm for a in t.assigned.values()}
    there = {(t.assigned[p].cluster if teams else p) for p in seen.after}
    arms = ("control", "treatment")
    shares = [sum(arm == a for arm in drawn.values()) / len(drawn) for a in arms]
    counts = [sum(drawn[u] == a for u in there) for a in arms]
    p = effects.mismatch(counts, shares)
    if p is None:
        return Diagnostic(name="sample ratio", status="no data", says="nobody was observed yet")
    return Diagnostic(name="sample ratio", status="failed" if p < MISMATCH_BELOW else "passed", p=p,
                      says=f"{counts[0]} in control and {counts[1]} in treatment were observed where"
                           f" {sum(counts) * shares[0]:.1f} and {sum(counts) * shares[1]:.1f} were due")


def _completeness(t: Trial, seen: Seen) -> Diagnostic:
    missing = 1 - len(seen.after) / len(t.assigned)
    if not t.final:
        return Diagnostic(name="missing people", status="passed", value=missing,
                          says=f"{missing:.0%} of the people were not observed yet")
    return Diagnostic(name="missing people", status="failed" if missing > MISSING_MAX else "passed", value=missing,
                      says=f"{missing:.0%} of the people have no observation (at most {MISSING_MAX:.0%})")


def _alike_before(t: Trial, seen: Seen) -> Sequence[Diagnostic]:
    """Compare arms drawn by lot before the start: so large a difference does not come by lot."""
    people = sorted(p for p in seen.before if seen.before[p])
    before = t.registration.primary
    held = replace(t, observations={before: t.observations.get(before, ())}, registration=replace(
        t.registration, monitoring="fixed", cuped=False))
    moved = Seen(before={}, after={p: seen.before[p] for p in people}, left_out=0)
    if t.registration.design == "randomised":
        found = _people(held, before, moved, t.registration.confidence, one_sided=False)
    else:
        found = _teams(held, before, moved, t.registration.confidence) if people else None
    if found is None or found.p is None:
        return ()
    return [Diagnostic(name="alike before the start", status="failed" if found.p < BROKEN_BELOW else "passed",
                       value=found.value, p=found.p,
                       says=f"the arms lay {found.value:.4g} apart before the start")]


def _diagnostics(t: Trial, effect: Effect | None) -> Sequence[Diagnostic]:
    """Test what a design without people drawn by lot rests on."""
    seen, r = observed(t, t.registration.primary), t.registration
    bias_max = max(abs(effect.value) if effect else 0.0, r.least_effect)
    if r.design == "difference in differences":
        rows = panel(t, seen)
        return [*quasi.parallel(rows, _times(rows)[0], bias_max=bias_max), *_comparable(t, seen)]
    if r.design == "interrupted time series":
        return quasi.undisturbed(*series(t, seen), bias_max=bias_max)
    if r.design == "switchback":
        return [quasi.carry_over(slots(t, seen), bias_max=bias_max)]
    if r.design == "before and after":
        return [Diagnostic(name="comparison group", status="failed", says="everybody got the treatment: whatever else"
                           " changed at the same time is counted as its effect")]
    return []


def _comparable(t: Trial, seen: Seen) -> Sequence[Diagnostic]:
    people = t.people
    values: dict[str, dict[bool, list[float]]] = defaultdict(lambda: {False: [], True: []})
    for p, before in seen.before.items():
        values[f"{t.registration.primary} before"][t.assigned[p].arm == "treatment"].append(_mean(before))
    for m in people.values():
        for trait in m.traits:
            values[trait.name][m.arm == "treatment"].append(trait.value)
    return [quasi.balance(name, arms[False], arms[True]) for name, arms in sorted(values.items())] or [
        Diagnostic(name="balance", status="no data", says="nothing is known of the groups before the start")]


def grade(t: Trial, checks: Sequence[Diagnostic]) -> Grade:
    """Return the evidence grade: by design, less what failed, was not testable, or departed from the registration."""
    r = t.registration
    level = 4 if r.design in DRAWN else 2 if r.design == "before and after" else 3
    if any(c.status == "failed" for c in checks):
        level = 2
    elif any(c.status == "no data" for c in checks):
        level -= 1
    level -= max((COSTS.get(a, 0) for a in _departures(t)), default=0)
    return GRADES[max(level, 2)]


def _departures(t: Trial) -> Sequence[Altered]:
    early = t.registration.monitoring == "fixed" and t.final and t.ended_on < t.registration.ends_on
    return [*t.altered, "stop rule"] if early else list(t.altered)


def _guardrail(t: Trial, kpi: str, margin: float) -> GuardrailResult:
    confidence = t.registration.confidence
    found = estimate(t, kpi, 2 * confidence - 1, one_sided=True)
    held: NonInferiority = effects.non_inferior(
        effects.better(found, t.kpis[kpi].better) if found else None, margin, confidence=confidence)
    return GuardrailResult(kpi=kpi, margin=margin, outcome=held.outcome, bound=held.bound, confidence=confidence,
                           effect=_effects(t, kpi, found))


def _verdict(t: Trial, effect: Effect | None, guardrails: Sequence[GuardrailResult], checks: Sequence[Diagnostic]
             ) -> tuple[VerdictOfPilot, tuple[str, ...]]:
    """Apply the one table, worst news first: blocked, no data, failure, inconclusive, success."""
    if broken := [c.says for c in checks if c.name == "sample ratio" and c.status == "failed"]:
        return "blocked", (f"sample-ratio mismatch: {broken[0]}; find out who went missing before anything else",)
    if effect is None:
        return "no data", ("too little was observed to estimate an effect",)
    if harmed := [f"{g.kpi} got worse by more than {g.margin:g}" for g in guardrails if g.outcome == "harmed"]:
        return "failure", tuple(harmed)
    moved = effects.better(effect, t.kpis[t.registration.primary].better)
    verdict, why = _on_primary(t, moved)
    doubts = tuple(f"{g.kpi}: {g.outcome}; its margin of {g.margin:g} is not shown to be kept" for g in guardrails
                   if g.outcome != "held")
    if verdict == "success" and doubts:
        return "inconclusive", doubts
    return verdict, (why,)


def _on_primary(t: Trial, moved: Effect) -> tuple[VerdictOfPilot, str]:
    least = t.registration.least_effect
    if moved.low is None or moved.high is None:
        sure = moved.p is not None and moved.p <= 1 - moved.confidence and moved.value > 0
        return ("success", "the permutation test finds it better") if sure else (
            "inconclusive", f"{moved.clusters} teams are too few for an interval")
    if moved.high < least:
        return "failure", f"an improvement of {least:g} or more is ruled out"
    if moved.low > 0:
        return "success", "the whole interval lies on the better side, and every guardrail is held"
    return "inconclusive", f"the interval holds both no improvement and one of {least:g}"


def _strata(t: Trial) -> tuple[tuple[StratumEffect, ...], float | None]:
    """Return effects by stratum where people were drawn one by one and there are two strata or more."""
    seen, r = observed(t, t.registration.primary), t.registration
    names = sorted({t.assigned[p].stratum for p in seen.after})
    if r.design != "randomised" or len(names) < 2 or r.monitoring != "fixed":
        return (), None
    parts = [(s, *_arms(t, r.primary, replace(seen, after={
        p: v for p, v in seen.after.items() if t.assigned[p].stratum == s}))) for s in names]
    found = effects.heterogeneity([(s, a.tolist(), b.tolist()) for s, a, b in parts], confidence=r.confidence)
    rows = [StratumEffect(stratum=name, value=e.value if e else None, low=e.low if e else None,
                          high=e.high if e else None, p=p)
            for (name, e), p in zip(found.parts, found.adjusted, strict=True)]
    return tuple(rows), found.q_p


def _effects(t: Trial, kpi: str, e: Effect | None) -> Effects | None:
    if e is None:
        return None
    return Effects(kpi=kpi, unit=t.kpis[kpi].unit, value=e.value, low=e.low, high=e.high, p=e.p, n=e.n,
                   clusters=e.clusters, method=e.method, confidence=e.confidence,
                   period=f"{t.registration.starts_on} to {t.ended_on}")


def _check(d: Diagnostic) -> Check:
    return Check(name=d.name, status=d.status, says=d.says, value=d.value, p=d.p)
