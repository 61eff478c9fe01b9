"""The demo's experiments can be registered as written, and end with the verdicts they are told for."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilothouse.app.demo import experiments, history
from pilothouse.steps.portfolio.contracts import Kpi, UseCaseId
from pilothouse.steps.portfolio.contracts.experiments import Analysis, GuardrailMetric, Registration
from pilothouse.steps.portfolio.logic import allotting, registering, trialling
from pilothouse.steps.portfolio.logic.trialling import Trial

ORGANISATION: dict[str, Any] = yaml.safe_load(
    (Path(history.__file__).parent / "organisation.yaml").read_text(encoding="utf8"))
TOLD = {x["slug"]: x for x in ORGANISATION["experiments"]}


def kpis_of(u: dict[str, Any]) -> dict[str, Kpi]:
    return {k["slug"]: Kpi(use_case_id=UseCaseId("uc"), slug=k["slug"], title=k["title"], unit=k["unit"],
                           shape=k["kind"], better="lower" if k["direction"] == "down" else "higher",
                           least_change=abs(k["target_delta"])) for k in u["kpis"]}


def concluded(x: dict[str, Any], seed: str) -> Analysis:
    u = next(u for u in ORGANISATION["use_cases"] if u["slug"] == x["use_case"])
    kpis = kpis_of(u)
    first, last = x["weeks"]
    starts = history.week(ORGANISATION, first).date().isoformat()
    r = Registration(
        use_case_id=UseCaseId("uc"), slug=x["slug"], hypothesis=x["hypothesis"], design="cluster randomised",
        primary=x["primary"], guardrails=tuple(GuardrailMetric(**g) for g in x["guardrails"]),
        least_effect=x["least_effect"], members=tuple(experiments.members(x)), starts_on=starts,
        ends_on=(history.week(ORGANISATION, last) + timedelta(days=6)).date().isoformat(), planned_n=60,
        stop_rule=x["stop_rule"])
    registering.check(r, kpis, starts)
    assigned = allotting.allot(r, seed)
    arms = {a.cluster: a.arm for a in assigned.values()}
    seen = {k["slug"]: [o for n in range(first, last + 1) for o in experiments._values(
        ORGANISATION, history.week, x, k, n, arms)] for k in u["kpis"]}
    return trialling.analyse(Trial(registration=r, kpis=kpis, assigned=assigned, observations=seen, ended_on=r.ends_on))


def interim(x: dict[str, Any], seed: str, until: int) -> Analysis:
    """Return what a look at the end of week `until` says of an experiment that observes people as they come."""
    u = next(u for u in ORGANISATION["use_cases"] if u["slug"] == x["use_case"])
    kpis = kpis_of(u)
    first, last = x["weeks"]
    r = Registration(
        use_case_id=UseCaseId("uc"), slug=x["slug"], hypothesis=x["hypothesis"], design="randomised",
        monitoring="sequential", primary=x["primary"], least_effect=x["least_effect"],
        guardrails=tuple(GuardrailMetric(**g) for g in x["guardrails"]), members=tuple(experiments.members(x)),
        starts_on=history.week(ORGANISATION, first).date().isoformat(), planned_n=x["people"],
        stop_rule=x["stop_rule"], ends_on=(history.week(ORGANISATION, last) + timedelta(days=6)).date().isoformat())
    registering.check(r, kpis, r.starts_on)
    assigned = allotting.allot(r, seed)
    arms = {p: a.arm for p, a in assigned.items()}
    seen = {k["slug"]: [o for n in range(first, until + 1) for o in experiments._values(
        ORGANISATION, history.week, x, k, n, arms)] for k in u["kpis"]}
    return trialling.analyse(Trial(registration=r, kpis=kpis, assigned=assigned, observations=seen,
                                   ended_on=r.ends_on, final=False))


@pytest.mark.parametrize(("slug", "verdict"), [("drafts-by-team", "success"), ("finder-by-branch", "failure")])
def test_an_experiment_of_the_demo_ends_as_it_is_told(slug: str, verdict: str) -> None:
    for seed in ("a", "b", "c"):
        found = concluded(TOLD[slug], seed)
        assert (found.verdict, found.grade) == (verdict, "E4"), found.why


def test_an_experiment_is_registered_before_the_first_sample_of_its_period() -> None:
    for x in TOLD.values():
        told = list(experiments.experiment_steps(ORGANISATION, history.week))
        mine = [name for _, name, _ in told if name.endswith(x["slug"])]
        assert mine[0].startswith("register")
        assert mine[-1].startswith("look at" if "seen_until" in x else "conclude")


def test_an_experiment_that_runs_one_by_one_shows_its_effect_only_after_some_weeks_and_then_for_good() -> None:
    x = TOLD["cases-one-by-one"]
    for seed in ("a", "b"):
        seen = [interim(x, seed, until).effect for until in (28, 31, 37)]
        assert seen[0] is None or seen[0].high is None or seen[0].high > 0
        assert seen[-1] is not None and seen[-1].high is not None and seen[-1].high < 0
