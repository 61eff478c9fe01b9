"""The demo's experiments: two pilots over whole teams, one of which is rightly found not to work, and one that runs."""

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pilothouse.steps.portfolio.contracts import UseCaseId
from pilothouse.steps.portfolio.contracts.experiments import (
    ExperimentAct,
    GuardrailMetric,
    Member,
    Observation,
    ObservationBatch,
    PersonRef,
    Registration,
)

if TYPE_CHECKING:
    from pilothouse.app.demo.history import Scene

Tree = Mapping[str, Any]
Told = tuple[datetime, str, Callable[["Scene"], Awaitable[object]]]
Week = Callable[..., datetime]
CASES_A_WEEK = 4
TEAM_SPREAD = 0.1
"""Standard deviation between teams as a share of the one between cases."""


def experiment_steps(org: Tree, week: Week) -> Iterator[Told]:
    """Yield every step of the organisation's experiments in order: from registration to conclusion, or until today."""
    for x in org.get("experiments", ()):
        u = next(u for u in org["use_cases"] if u["slug"] == x["use_case"])
        first, last = x["weeks"]
        yield week(org, first, hours=2), f"register {x['slug']}", _register(org, week, u, x)
        yield week(org, first, hours=3), f"start {x['slug']}", _act(u, x, "start")
        for number in range(first, x.get("seen_until", last) + 1):
            yield week(org, number, hours=104), f"observe {x['slug']}", _observe(org, week, u, x, number)
            if x.get("monitoring") == "sequential":
                yield week(org, number, hours=105), f"look at {x['slug']}", _act(u, x, "look")
        if "seen_until" not in x:
            yield week(org, last + 1, hours=1), f"conclude {x['slug']}", _act(u, x, "conclude")


def members(x: Tree) -> Sequence[Member]:
    """Return simulated people, in teams or one by one: they are nobody in the directory."""
    if "people" in x:
        return [Member(person=f"{x['slug']}-{n}") for n in range(x["people"])]
    return [Member(person=f"{x['slug']}-{team}-{n}", cluster=f"team-{team:02d}")
            for team in range(1, x["teams"] + 1) for n in range(1, x["people_a_team"] + 1)]


def _seen(x: Tree, number: int) -> Sequence[Member]:
    """Return whom a week observes: everybody, or those who came in it."""
    if "people_a_week" not in x:
        return members(x)
    first = (number - x["weeks"][0]) * x["people_a_week"]
    return members(x)[first:first + x["people_a_week"]]


def _register(org: Tree, week: Week, u: Tree, x: Tree) -> Callable[["Scene"], Awaitable[object]]:
    first, last = x["weeks"]

    async def act(scene: "Scene") -> None:
        everybody = tuple(members(x))
        await scene.assembled.platform.experiments.register(await scene.as_(u["owner"]), Registration(
            use_case_id=await _id(scene, u), slug=x["slug"], hypothesis=x["hypothesis"],
            design=x.get("design", "cluster randomised"), monitoring=x.get("monitoring", "fixed"),
            primary=x["primary"], least_effect=x["least_effect"], members=everybody, planned_n=len(everybody),
            guardrails=tuple(GuardrailMetric(kpi=g["kpi"], margin=g["margin"]) for g in x["guardrails"]),
            starts_on=week(org, first).date().isoformat(), stop_rule=x["stop_rule"],
            ends_on=(week(org, last) + timedelta(days=6)).date().isoformat()))

    return act


async def _id(scene: "Scene", u: Tree) -> UseCaseId:
    portfolio = scene.assembled.platform.portfolio
    return (await scene.assembled.database.read(lambda r: portfolio.standing_in(r, u["slug"]))).use_case_id


def _act(u: Tree, x: Tree, name: str) -> Callable[["Scene"], Awaitable[object]]:
    async def act(scene: "Scene") -> None:
        operation = getattr(scene.assembled.platform.experiments, name)
        await operation(await scene.as_(u["owner"]), ExperimentAct(
            use_case_id=await _id(scene, u), experiment=x["slug"], note="Simulated history of the demo."))

    return act


def _observe(org: Tree, week: Week, u: Tree, x: Tree, number: int) -> Callable[["Scene"], Awaitable[object]]:
    async def act(scene: "Scene") -> None:
        call, id = await scene.as_(u["owner"]), await _id(scene, u)
        arms = {_lot(m): (await scene.assembled.platform.experiments.assignment(call, PersonRef(
            use_case=id, experiment=x["slug"], person=m.person))).arm for m in _drawn(x, number)}
        for kpi in (k for k in u["kpis"] if k["slug"] in (x["primary"], *(g["kpi"] for g in x["guardrails"]))):
            await scene.assembled.platform.experiments.observe(call, ObservationBatch(
                use_case_id=id, experiment=x["slug"], kpi=kpi["slug"], source="case system export (simulated)",
                key=f"week-{number}", observations=_values(org, week, x, kpi, number, arms)))

    return act


def _lot(m: Member) -> str:
    """Return what a lot was drawn for: the team, or the person."""
    return m.cluster or m.person


def _drawn(x: Tree, number: int) -> Sequence[Member]:
    """Return one person for each lot that a week observes."""
    return tuple({_lot(m): m for m in _seen(x, number)}.values())


def _values(org: Tree, week: Week, x: Tree, kpi: Tree, number: int, arms: Mapping[str, str]
            ) -> tuple[Observation, ...]:
    """Draw each person's cases of one week; the same week gives the same values, whoever asks and how often."""
    rng = random.Random(f"{org['simulation']['seed']} {x['slug']} {kpi['slug']} {number}")  # noqa: S311  # a simulation
    day = (week(org, number) + timedelta(days=3)).date().isoformat()
    cases = CASES_A_WEEK if "teams" in x else 1
    return tuple(Observation(person=m.person, day=day, value=_value(rng, x, kpi, m, arms[_lot(m)]))
                 for m in _seen(x, number) for _ in range(cases))


def _value(rng: random.Random, x: Tree, kpi: Tree, m: Member, arm: str) -> float:
    truth = kpi["truth"]
    mean = truth["baseline_mean"] + (truth["effect"] if arm == "treatment" else 0.0)
    if kpi["kind"] == "proportion":
        return float(rng.random() < mean)
    team = random.Random(f"{x['slug']} {m.cluster}").gauss(0, TEAM_SPREAD) if m.cluster else 0.0  # noqa: S311  # a simulation
    return float(round(max(0.2, rng.gauss(mean + team * truth["baseline_sd"], truth["baseline_sd"])), 2))
