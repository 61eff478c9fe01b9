"""Experiments: frozen before data, reproducible lots, effects shown when registered, grades that can drop."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.postgres.database import PostgresDatabase
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.errors import Denied, Invalid
from pilothouse.kernel.store import Database
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.api.experiments import ExperimentEffects, Experiments
from pilothouse.steps.portfolio.contracts import FreezeRequest, Kpi, Proposal, SampleBatch, UseCase
from pilothouse.steps.portfolio.contracts.experiments import (
    Analysis,
    Departure,
    Experiment,
    ExperimentAct,
    ExperimentRef,
    ExperimentResult,
    ExperimentsQuery,
    GuardrailMetric,
    Member,
    Observation,
    ObservationBatch,
    PersonRef,
    PlanRequest,
    Registration,
    Trait,
)
from pilothouse.steps.portfolio.errors import (
    DataArrivedFirst,
    ExperimentFrozen,
    ExperimentNotReady,
    NoSuchExperiment,
)
from pilothouse.steps.portfolio.logic import allotting, registering, trialling
from pilothouse.steps.portfolio.logic.trialling import Trial
from pilothouse.steps.portfolio.migrations import MIGRATIONS
from pilothouse.testing.fakes import EPOCH, CountingMint, PlainKeys, StillClock, call_as, person
from pilothouse.testing.faults import fail_every_statement
from pilothouse.testing.postgres import fresh_address

T = TypeVar("T")
OLGA = person("olga", "owner")
OWNER = call_as(OLGA)
START, END = "2026-03-10", "2026-04-06"
LATER = call_as(OLGA, at=EPOCH + timedelta(days=60))
MINUTES = Kpi(use_case_id="", slug="minutes", title="Minutes", unit="min", shape="mean",  # type: ignore[arg-type]
              better="lower", least_change=1.0)
ERRORS = replace(MINUTES, slug="errors", title="Errors", unit="{error}")
SOLVED = replace(MINUTES, slug="solved", title="Solved", unit="share", shape="proportion", better="higher",
                 least_change=0.05)


def people(n: int, teams: int = 0, **more: Any) -> tuple[Member, ...]:
    return tuple(Member(person=f"p{i:03d}", cluster=f"t{i % teams:02d}" if teams else "", **more) for i in range(n))


def registration(**more: Any) -> Registration:
    plain: dict[str, Any] = {
        "use_case_id": "", "slug": "pilot", "hypothesis": "Drafts save agents minutes a complaint.",
        "design": "randomised", "primary": "minutes", "guardrails": (), "least_effect": 1.0, "members": people(80),
        "starts_on": START, "ends_on": END, "planned_n": 80, "stop_rule": "It runs four weeks, to the end."}
    return Registration(**{**plain, **more})


@dataclass
class Desk:
    """A portfolio and its experiments on a real file."""

    database: LedgerDatabase
    portfolio: Portfolio
    experiments: Experiments
    use_case: UseCase

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    async def registered(self, **more: Any) -> Experiment:
        return await self.experiments.register(OWNER, registration(**{"use_case_id": self.use_case.id, **more}))

    def act(self, note: str = "") -> ExperimentAct:
        return ExperimentAct(use_case_id=self.use_case.id, experiment="pilot", note=note)

    @property
    def ref(self) -> ExperimentRef:
        return ExperimentRef(use_case=self.use_case.id, experiment="pilot")

    async def arms(self, n: int) -> Mapping[str, str]:
        found = {}
        for m in people(n):
            found[m.person] = (await self.experiments.assignment(OWNER, PersonRef(
                use_case=self.use_case.id, experiment="pilot", person=m.person))).arm
        return found

    async def observed(self, values: Mapping[str, float], day: str = "2026-03-20", kpi: str = "minutes") -> Any:
        return await self.experiments.observe(LATER, ObservationBatch(
            use_case_id=self.use_case.id, experiment="pilot", kpi=kpi, source="ticket system",
            observations=tuple(Observation(person=p, day=day, value=v) for p, v in values.items())))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    mint = CountingMint()
    yield from desk_on(SqliteDatabase(tmp_path / "p.db", clock=StillClock(), mint=mint, keys=PlainKeys()), mint)


@pytest.fixture
def desk_on_postgres() -> Iterator[Desk]:
    mint = CountingMint()
    yield from desk_on(PostgresDatabase(fresh_address(), clock=StillClock(), mint=mint, keys=PlainKeys()), mint)


def desk_on(database: LedgerDatabase, mint: CountingMint) -> Iterator[Desk]:
    async def build() -> Desk:
        await database.migrate(MIGRATIONS)
        portfolio = Portfolio(database=database, mint=mint)
        u = await portfolio.propose(OWNER, Proposal(
            title="Summarise complaints", problem="Agents read every complaint twice before they answer it.",
            outcome="speed", unit_of_work="complaint handled"))
        for kpi in (MINUTES, ERRORS, SOLVED):
            await portfolio.define_kpi(OWNER, replace(kpi, use_case_id=u.id))
        return Desk(database, portfolio, Experiments(database=database, mint=mint), u)

    yield asyncio.run(build())
    database.close()


def test_a_pilot_runs_from_plan_to_a_graded_verdict_that_anyone_can_recompute(desk: Desk) -> None:
    async def story() -> ExperimentResult:
        e = await desk.registered(guardrails=(GuardrailMetric(kpi="errors", margin=0.5),))
        await desk.experiments.start(OWNER, desk.act())
        arms, draw = await desk.arms(80), np.random.default_rng(3)
        await desk.observed({p: float(draw.normal(20 - 4 * (arm == "treatment"), 3)) for p, arm in arms.items()})
        await desk.observed({p: float(draw.normal(2, 0.5)) for p in arms}, kpi="errors")
        result = await desk.experiments.conclude(LATER, desk.act("shown to the board"))
        assert (e.digest, result.verdict, result.grade) == (result.digest, "success", "E4")
        assert await desk.experiments.conclude(LATER, desk.act()) == result
        assert await desk.experiments.result(OWNER, desk.ref) == result
        return result

    result = desk.run(story())
    assert result.effect is not None
    assert result.effect.high is not None
    assert -6 < result.effect.value < -2
    assert result.effect.high < 0
    assert (result.effect.unit, result.effect.n, result.effect.method) == ("min", 80, "welch")
    assert [g.outcome for g in result.analysis.guardrails] == ["held"]
    kinds = [x.kind for x in desk.run(desk.database.read(lambda r: r.entries()))]
    assert kinds[-5:] == ["portfolio.experiment_registered", "portfolio.experiment_moved",
                          "portfolio.observations_accepted", "portfolio.observations_accepted",
                          "portfolio.experiment_concluded"]


def test_what_a_pilot_found_takes_the_place_of_a_guess_in_the_business_case(desk: Desk) -> None:
    async def story() -> None:
        await desk.registered()
        await desk.experiments.start(OWNER, desk.act())
        arms, draw = await desk.arms(80), np.random.default_rng(3)
        await desk.observed({p: float(draw.normal(20 - 4 * (arm == "treatment"), 3)) for p, arm in arms.items()})
        effects, id = ExperimentEffects(), desk.use_case.id
        slug = desk.ref.experiment
        assert await desk.database.read(lambda r: effects.measurement(r, id, slug, "2027-01-01")) is None
        result = await desk.experiments.conclude(LATER, desk.act())
        found = await desk.database.read(lambda r: effects.measurement(r, id, slug, "2027-01-01"))
        assert found is not None and result.effect is not None and result.effect.low is not None
        assert (found.mean, found.grade, found.unit) == (-result.effect.value, "E4", "min")
        assert found.entries == (result.seq,)
        assert found.mean - 1.96 * found.sd == pytest.approx(-(result.effect.high or 0.0), abs=0.05)
        assert await desk.database.read(lambda r: effects.measurement(r, id, "another", "2027-01-01")) is None

    desk.run(story())


def test_a_pilot_runs_on_postgres_too(desk_on_postgres: Desk) -> None:
    desk = desk_on_postgres

    async def story() -> None:
        await desk.registered(guardrails=(GuardrailMetric(kpi="errors", margin=0.5),))
        await desk.experiments.start(OWNER, desk.act("go"))
        arms, draw = await desk.arms(80), np.random.default_rng(3)
        values = {p: float(draw.normal(20 - 4 * (arm == "treatment"), 3)) for p, arm in arms.items()}
        await desk.observed(values)
        assert (await desk.observed(values)).repeated
        departure = Departure(use_case_id=desk.use_case.id, experiment="pilot", altered="other", reason="A holiday.")
        assert await desk.experiments.deviate(LATER, departure) == await desk.experiments.deviate(LATER, departure)
        await desk.experiments.look(LATER, desk.act())
        await desk.experiments.stop(call_as(OLGA, at=EPOCH + timedelta(days=60)), desk.act())
        result = await desk.experiments.conclude(LATER, desk.act())
        assert (result.verdict, result.grade) == ("inconclusive", "E4")
        assert [e.status for e in await desk.experiments.list_experiments(OWNER, ExperimentsQuery(
            use_case=desk.use_case.slug))] == ["concluded"]

    desk.run(story())


def test_the_registration_is_frozen_and_the_same_twice_is_one(desk: Desk) -> None:
    async def story() -> None:
        first = await desk.registered()
        assert await desk.registered() == first
        with pytest.raises(ExperimentFrozen) as refused:
            await desk.registered(primary="errors")
        assert refused.value.facts["field"] == "slug"
        entry = (await desk.database.read(lambda r: r.entries()))[-1]
        assert entry.body["digest"] == first.digest
        assert "minutes a complaint" not in str(entry.body)

    desk.run(story())


def test_a_kpi_turned_round_after_the_registration_does_not_turn_the_verdict(desk: Desk) -> None:
    async def story() -> None:
        await desk.registered()
        await desk.experiments.start(OWNER, desk.act())
        await desk.portfolio.define_kpi(OWNER, replace(MINUTES, use_case_id=desk.use_case.id, better="higher"))
        arms, draw = await desk.arms(80), np.random.default_rng(3)
        await desk.observed({p: float(draw.normal(20 - 4 * (arm == "treatment"), 3)) for p, arm in arms.items()})
        assert (await desk.experiments.conclude(LATER, desk.act())).verdict == "success"

    desk.run(story())


def test_a_registration_after_data_arrived_is_refused_with_field_and_entry(desk: Desk) -> None:
    async def story() -> None:
        await desk.portfolio.measure(OWNER, SampleBatch(
            use_case_id=desk.use_case.id, kpi="minutes", period="current", values=(3.0, 4.0), source="tickets",
            starts_on="2026-03-11", ends_on="2026-03-12"))
        with pytest.raises(DataArrivedFirst) as refused:
            await desk.registered()
        assert refused.value.facts["field"] == "starts_on"
        assert isinstance(refused.value.facts["entry"], int)
        await desk.registered(starts_on="2026-03-13")

    desk.run(story())


REFUSED: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("starts_on", {"starts_on": "2026-02-01"}), ("starts_on", {"starts_on": "20260310"}),
    ("ends_on", {"ends_on": "2026-03-01"}), ("treatment_share", {"treatment_share": 1.0}),
    ("treatment_share", {"treatment_share": 0.01}), ("least_effect", {"least_effect": -1.0}),
    ("least_effect", {"least_effect": float("nan")}), ("primary", {"primary": "unknown"}),
    ("guardrails[0].margin", {"guardrails": (GuardrailMetric(kpi="errors", margin=-0.5),)}),
    ("guardrails[0].kpi", {"guardrails": (GuardrailMetric(kpi="minutes", margin=0.5),)}),
    ("guardrails[0].kpi", {"guardrails": (GuardrailMetric(kpi="no", margin=0.5),)}),
    ("members", {"members": people(1)}), ("members[1].person", {"members": (people(1)[0], people(1)[0])}),
    ("design", {"members": people(80, teams=8)}), ("members[0].cluster", {"design": "cluster randomised"}),
    ("members", {"design": "cluster randomised", "members": people(80, teams=2)}),
    ("members", {"design": "difference in differences"}), ("members", {"members": people(80, arm="control")}),
    ("monitoring", {"design": "cluster randomised", "members": people(80, teams=8), "monitoring": "sequential"}),
    ("step_days", {"design": "switchback"}), ("members", {
        "design": "stepped wedge", "members": people(80, teams=4)}),
    ("planned_n", {"planned_n": 1}), ("confidence", {"confidence": 95.0}), ("hypothesis", {"hypothesis": "better"}),
    ("stop_rule", {"stop_rule": ""}), ("slug", {"slug": "A Pilot"}),
)


@pytest.mark.parametrize(("field", "more"), REFUSED)
def test_a_registration_that_cannot_be_analysed_is_refused_by_field(desk: Desk, field: str, more: Mapping[str, Any]
                                                                    ) -> None:
    with pytest.raises(Invalid) as refused:
        desk.run(desk.registered(**more))
    assert refused.value.facts["field"] == field


def test_people_who_share_a_team_are_drawn_one_by_one_only_for_a_reason(desk: Desk) -> None:
    e = desk.run(desk.registered(members=people(80, teams=8), individual_despite_teams="They answer separate queues."))
    assert e.registration.individual_despite_teams == "They answer separate queues."


def test_a_fixed_analysis_shows_no_effect_before_its_end_and_every_look_is_recorded(desk: Desk) -> None:
    async def story() -> None:
        await desk.registered()
        with pytest.raises(ExperimentNotReady):
            await desk.experiments.look(OWNER, desk.act())
        await desk.experiments.start(OWNER, desk.act())
        await desk.observed(dict.fromkeys(await desk.arms(80), 3.0))
        early = call_as(OLGA, at=EPOCH + timedelta(days=20))
        look = await desk.experiments.look(early, desk.act())
        assert (look.number, look.analysis.effect, look.analysis.final) == (1, None, False)
        assert look.analysis.people_control + look.analysis.people_treatment == 80
        with pytest.raises(ExperimentNotReady):
            await desk.experiments.conclude(early, desk.act())
        await desk.experiments.look(early, desk.act())
        assert [x.number for x in await desk.experiments.looks(OWNER, desk.ref)] == [1, 2]

    desk.run(story())


def test_a_sequential_analysis_shows_its_interval_at_every_look(desk: Desk) -> None:
    async def story() -> None:
        await desk.registered(monitoring="sequential")
        await desk.experiments.start(OWNER, desk.act())
        draw, arms = np.random.default_rng(1), await desk.arms(80)
        await desk.observed({p: float(draw.normal(20 - 6 * (a == "treatment"), 3)) for p, a in arms.items()})
        look = await desk.experiments.look(call_as(OLGA, at=EPOCH + timedelta(days=20)), desk.act())
        assert look.analysis.effect is not None
        assert look.analysis.effect.method == "asymptotic-confidence-sequence"
        assert (look.analysis.verdict, look.analysis.final) == ("success", False)

    desk.run(story())


def test_stopping_a_fixed_analysis_early_costs_a_grade_and_so_do_deviations(desk: Desk) -> None:
    async def story() -> None:
        await desk.registered()
        await desk.experiments.start(OWNER, desk.act())
        draw, arms = np.random.default_rng(3), await desk.arms(80)
        await desk.observed({p: float(draw.normal(20, 3)) for p in arms}, day="2026-03-12")
        early = call_as(OLGA, at=EPOCH + timedelta(days=11))
        await desk.experiments.stop(early, desk.act("budget cut"))
        assert (await desk.experiments.stop(early, desk.act())).status == "stopped"
        assert (await desk.experiments.look(early, desk.act())).analysis.grade == "E3"
        moved = Departure(use_case_id=desk.use_case.id, experiment="pilot", altered="assignment",
                          reason="Three people changed teams.")
        first = await desk.experiments.deviate(early, moved)
        assert await desk.experiments.deviate(early, moved) == first
        assert [d.reason for d in await desk.experiments.deviations(OWNER, desk.ref)] == [moved.reason]
        assert (await desk.experiments.conclude(early, desk.act())).grade == "E2"
        with pytest.raises(ExperimentNotReady):
            await desk.observed({"p001": 3.0})

    desk.run(story())


def test_a_sample_ratio_mismatch_blocks_the_verdict(desk: Desk) -> None:
    async def story() -> None:
        await desk.registered()
        await desk.experiments.start(OWNER, desk.act())
        draw, arms = np.random.default_rng(3), await desk.arms(80)
        kept = [p for p, a in arms.items() if a == "control" or p < "p020"]
        await desk.observed({p: float(draw.normal(20, 3)) for p in kept})
        result = await desk.experiments.conclude(LATER, desk.act())
        assert (result.verdict, result.grade) == ("blocked", "E2")
        assert "mismatch" in result.analysis.why[0]

    desk.run(story())


def test_nobody_observed_is_no_data_and_not_a_zero(desk: Desk) -> None:
    async def story() -> None:
        await desk.registered()
        await desk.experiments.start(OWNER, desk.act())
        result = await desk.experiments.conclude(LATER, desk.act())
        assert (result.verdict, result.effect, result.grade) == ("no data", None, "E2")

    desk.run(story())


def test_observations_of_strangers_of_the_future_or_before_the_start_are_refused(desk: Desk) -> None:
    async def story() -> None:
        await desk.registered()
        await desk.observed({"p001": 3.0}, day="2026-03-01")
        for values, more, field in (({"p001": 3.0}, {}, "observations[0].day"),
                                    ({"zoe": 3.0}, {"day": "2026-03-01"}, "observations[0].person"),
                                    ({"p001": float("inf")}, {"day": "2026-03-01"}, "observations[0].value"),
                                    ({"p001": 1.0}, {"day": "2027-03-01"}, "observations[0].day"),
                                    ({"p001": 1.0}, {"kpi": "solved"}, "kpi")):
            with pytest.raises(Invalid) as refused:
                await desk.observed(values, **more)
            assert refused.value.facts["field"] == field
        again = await desk.observed({"p001": 3.0}, day="2026-03-01")
        assert (again.repeated, again.n) == (True, 1)
        with pytest.raises(NoSuchExperiment):
            await desk.experiments.assignment(OWNER, PersonRef(use_case=desk.use_case.id, experiment="pilot",
                                                               person="zoe"))

    desk.run(story())


def test_an_employee_may_neither_register_nor_learn_who_is_in_which_arm(desk: Desk) -> None:
    employee = call_as(person("eve", "employee"), access=RoleRulings())
    with pytest.raises(Denied):
        desk.run(desk.experiments.register(employee, registration(use_case_id=desk.use_case.id)))
    desk.run(desk.registered())
    with pytest.raises(Denied):
        desk.run(desk.experiments.assignment(employee, PersonRef(use_case=desk.use_case.id, experiment="pilot",
                                                                 person="p001")))


def test_no_row_of_an_experiment_holds_a_persons_id(desk: Desk) -> None:
    async def story() -> str:
        await desk.registered(members=(Member(person="pr_mara"), *people(20)))
        await desk.observed({"pr_mara": 3.0}, day="2026-03-01")
        tables = ("experiment", "experiment_members", "experiment_batch")
        return str([await desk.database.read(lambda r, t=table: r.rows(f"select * from {t}")) for table in tables])

    assert "pr_mara" not in desk.run(story())


ACTS: Mapping[str, Callable[[Experiments, Desk], Coroutine[Any, Any, Any]]] = {
    "register": lambda x, d: x.register(OWNER, registration(use_case_id=d.use_case.id)),
    "start": lambda x, d: x.start(OWNER, d.act("go")),
    "observe": lambda x, d: x.observe(LATER, ObservationBatch(
        use_case_id=d.use_case.id, experiment="pilot", kpi="minutes", source="tickets", observations=tuple(
            Observation(person=m.person, day="2026-03-20", value=float(i % 7)) for i, m in enumerate(people(80))))),
    "look": lambda x, d: x.look(LATER, d.act()),
    "conclude": lambda x, d: x.conclude(LATER, d.act("done")),
}


def test_a_fault_at_any_statement_leaves_rows_and_ledger_telling_the_same_story(desk: Desk) -> None:
    counted = {"portfolio.experiment_registered": "experiment", "portfolio.observations_accepted": "experiment_batch",
               "portfolio.experiment_looked_at": "experiment_look", "portfolio.experiment_concluded":
               "experiment_result"}

    async def agree() -> None:
        entries = await desk.database.read(lambda r: r.entries())
        for kind, table in counted.items():
            rows = await desk.database.read(lambda r, t=table: r.rows(f"select count(*) as n from {t}"))
            assert rows[0]["n"] == sum(e.kind == kind for e in entries), table

    async def story() -> None:
        for name, act in ACTS.items():
            def tried(database: Database, act: Any = act) -> Coroutine[Any, Any, Any]:
                return act(Experiments(database=database, mint=CountingMint()), desk)  # type: ignore[no-any-return]

            assert await fail_every_statement(desk.database, tried, agree) > 2, name

    desk.run(story())


def test_a_plan_says_how_many_teams_and_refuses_a_spread_it_does_not_have(desk: Desk) -> None:
    async def story() -> None:
        ask = PlanRequest(use_case_id=desk.use_case.id, kpi="minutes", least_effect=2.0)
        with pytest.raises(Invalid) as refused:
            await desk.experiments.plan(OWNER, ask)
        assert refused.value.facts["field"] == "sd"
        await desk.portfolio.measure(OWNER, SampleBatch(
            use_case_id=desk.use_case.id, kpi="minutes", period="baseline", source="tickets",
            values=(10.0, 14.0, 18.0, 10.0, 14.0, 18.0)))
        await desk.portfolio.freeze_baseline(OWNER, FreezeRequest(use_case_id=desk.use_case.id, kpi="minutes"))
        alone = await desk.experiments.plan(OWNER, replace(ask, design="randomised", people_per_day=10.0, margin=2.0))
        teams = await desk.experiments.plan(OWNER, ask)
        peeking = await desk.experiments.plan(OWNER, replace(ask, design="randomised", monitoring="sequential",
                                                             looks=10))
        assert alone.people < peeking.people < 2.2 * alone.people
        assert alone.people < teams.people
        assert (alone.teams, alone.days, alone.people_for_margin is not None) == (0, 14, True)
        assert min(alone.power, teams.power, peeking.power) >= 0.8
        for more in ({"power": 1.2}, {"sd": -1.0}, {"intraclass": 2.0}, {"cluster_size": 0.0}, {"least_effect": 0.0}):
            with pytest.raises(Invalid):
                await desk.experiments.plan(OWNER, replace(ask, **more))

    desk.run(story())


# Designs, as pure functions of a trial.


def tried(r: Registration, values: Callable[[str, Any, int], float | None], days: Sequence[int], **more: Any
          ) -> Analysis:
    """Analyse made observations: `values` gives one for (person, assignment, day from the start) or None."""
    assigned = allotting.allot(r, "seed")
    start = date.fromisoformat(r.starts_on)
    found = [Observation(person=p, day=(start + timedelta(days=d)).isoformat(), value=v)
             for p, a in assigned.items() for d in days if (v := values(p, a, d)) is not None]
    return trialling.analyse(Trial(registration=r, kpis={"minutes": MINUTES, "solved": SOLVED, "errors": ERRORS},
                                   assigned=assigned, observations={r.primary: found},
                                   ended_on=r.ends_on, **more))


def treated(a: Any, r: Registration, day: int) -> bool:
    on = (date.fromisoformat(r.starts_on) + timedelta(days=day)).isoformat()
    return bool(a.from_day) and on >= a.from_day


def test_lots_are_the_same_every_time_differ_by_seed_and_are_even_in_each_stratum() -> None:
    members = tuple(Member(person=f"p{i}", stratum=f"s{i % 5}") for i in range(203))
    r = registration(members=members)
    one, other = allotting.allot(r, "a"), allotting.allot(r, "b")
    assert allotting.allot(replace(r, members=members[::-1]), "a") == one
    assert allotting.digest(one) != allotting.digest(other)
    for s in range(5):
        arms = [a.arm for a in one.values() if a.stratum == f"s{s}"]
        assert abs(arms.count("treatment") - len(arms) / 2) <= 1


def test_whole_teams_are_in_one_arm_and_the_verdict_counts_teams() -> None:
    r = registration(design="cluster randomised", members=people(120, teams=12))
    assigned = allotting.allot(r, "seed")
    assert all(len({a.arm for a in assigned.values() if a.cluster == t}) == 1
               for t in {a.cluster for a in assigned.values()})
    draw = np.random.default_rng(4)
    moods = {t: draw.normal(0, 1) for t in sorted({a.cluster for a in assigned.values()})}
    found = tried(r, lambda p, a, d: moods[a.cluster] + float(draw.normal(20 - 5 * (a.arm == "treatment"), 2)), (3,))
    assert found.effect is not None
    assert (found.effect.method, found.effect.clusters, found.grade) == ("cluster-robust-cr2", 12, "E4")
    assert found.verdict == "success"


def test_fewer_than_six_teams_get_a_permutation_test_that_cannot_say_success() -> None:
    r = registration(design="cluster randomised", members=people(50, teams=5))
    draw = np.random.default_rng(4)
    found = tried(r, lambda p, a, d: float(draw.normal(20 - 9 * (a.arm == "treatment"), 1)), (3,))
    assert found.effect is not None
    assert (found.effect.method, found.effect.low, found.verdict) == ("permutation-exact", None, "inconclusive")


def test_cuped_narrows_the_interval_by_what_the_past_explains() -> None:
    draw = np.random.default_rng(7)
    moods = {f"p{i:03d}": draw.normal(0, 3) for i in range(80)}

    def value(p: str, a: Any, d: int) -> float:
        return float(moods[p] + draw.normal(20 - 2 * (treated(a, r, d)), 1))

    r = registration()
    values = {(p.person, d): 0.0 for p in r.members for d in (-3, 3)}
    assigned = allotting.allot(r, "seed")
    values = {(p, d): value(p, assigned[p], d) for p, d in values}
    plain = tried(r, lambda p, a, d: values[p, d], (-3, 3)).effect
    adjusted = tried(replace(r, cuped=True), lambda p, a, d: values[p, d], (-3, 3)).effect
    assert plain is not None
    assert adjusted is not None
    assert adjusted.high is not None
    assert adjusted.low is not None
    assert plain.high is not None
    assert plain.low is not None
    assert adjusted.high - adjusted.low < 0.6 * (plain.high - plain.low)
    assert adjusted.low < -2 < adjusted.high


def test_a_share_is_compared_by_newcombes_interval() -> None:
    r = registration(primary="solved", least_effect=0.1, members=people(300))
    draw = np.random.default_rng(2)
    found = tried(r, lambda p, a, d: float(draw.random() < 0.5 + 0.3 * (a.arm == "treatment")), (3,))
    assert found.effect is not None
    assert (found.effect.method, found.verdict) == ("newcombe-hybrid", "success")


def test_effects_by_stratum_are_adjusted_for_their_number() -> None:
    r = registration(members=tuple(Member(person=f"p{i}", stratum="north" if i % 2 else "south") for i in range(120)))
    draw = np.random.default_rng(2)
    found = tried(r, lambda p, a, d: float(draw.normal(
        20 - 8 * (a.arm == "treatment" and a.stratum == "north"), 2)), (3,))
    north, south = found.strata
    assert (north.stratum, south.stratum) == ("north", "south")
    assert north.p is not None and north.p < 0.001 < (south.p or 0)
    assert found.strata_differ_p is not None and found.strata_differ_p < 0.001


def chosen(n: int = 200) -> Registration:
    return registration(design="difference in differences", members=tuple(
        Member(person=f"p{i:03d}", arm="treatment" if i % 2 else "control") for i in range(n)))


BEFORE_AND_AFTER = (-28, -21, -14, -7, 0, 7, 14, 21)


def test_parallel_trends_earn_e3_and_the_effect_is_found() -> None:
    draw, r = np.random.default_rng(11), chosen()
    found = tried(r, lambda p, a, d: float(draw.normal(20 + d / 20 - 4 * treated(a, r, d), 1)), BEFORE_AND_AFTER)
    assert found.effect is not None
    assert found.effect.low is not None and found.effect.high is not None
    assert found.effect.low < -4 < found.effect.high
    assert (found.grade, found.verdict) == ("E3", "success"), found.checks


def test_groups_that_were_drifting_apart_fail_the_pre_trend_and_lose_their_grade() -> None:
    draw, r = np.random.default_rng(11), chosen()
    found = tried(r, lambda p, a, d: float(draw.normal(20 - d / 7 * (a.arm == "treatment"), 1)), BEFORE_AND_AFTER)
    assert {c.name: c.status for c in found.checks}["pre-trend"] == "failed"
    assert found.grade == "E2"


def test_groups_that_were_not_alike_fail_balance_and_lose_their_grade() -> None:
    draw, r = np.random.default_rng(11), chosen()
    unlike = replace(r, members=tuple(replace(m, traits=(
        Trait(name="years", value=float(i % 7 + 9 * (m.arm == "treatment"))),)) for i, m in enumerate(r.members)))
    found = tried(unlike, lambda p, a, d: float(draw.normal(20 - 4 * treated(a, r, d), 1)), BEFORE_AND_AFTER)
    assert {c.name: c.status for c in found.checks}["balance: years"] == "failed"
    assert found.grade == "E2"


def test_one_period_before_cannot_test_trends_and_so_cannot_earn_e3() -> None:
    draw, r = np.random.default_rng(11), chosen()
    found = tried(r, lambda p, a, d: float(draw.normal(20 - 4 * treated(a, r, d), 1)), (-7, 0, 7))
    assert {c.name: c.status for c in found.checks}["pre-trend"] == "no data"
    assert found.grade == "E2"


def test_before_and_after_is_never_more_than_e2_and_says_why() -> None:
    draw, r = np.random.default_rng(5), registration(design="before and after")
    found = tried(r, lambda p, a, d: float(draw.normal(20 - 4 * treated(a, r, d), 1)), (-7, 7))
    assert found.effect is not None
    assert (found.grade, found.effect.method) == ("E2", "paired-t")
    assert [c.name for c in found.checks if c.status == "failed"] == ["comparison group"]


def test_an_interrupted_series_earns_e3_only_without_a_false_start() -> None:
    draw = np.random.default_rng(6)
    r = registration(design="interrupted time series", members=people(4), step_days=1, least_effect=2.0)
    days = range(-40, 28)
    clean = tried(r, lambda p, a, d: float(draw.normal(20 + 0.05 * d - 5 * (d >= 0), 1)), days)
    disturbed = tried(r, lambda p, a, d: float(draw.normal(20 - 5 * (d >= -20), 1)), days)
    assert clean.effect is not None
    assert clean.effect.low is not None and clean.effect.high is not None
    assert clean.effect.low < -5 < clean.effect.high
    assert (clean.grade, clean.verdict) == ("E3", "success"), clean.checks
    assert disturbed.grade == "E2"


def test_a_stepped_wedge_tells_the_effect_from_time() -> None:
    draw = np.random.default_rng(8)
    r = registration(design="stepped wedge", members=people(96, teams=12), step_days=7, ends_on="2026-04-20")
    moods = {f"t{i:02d}": draw.normal(0, 1) for i in range(12)}
    found = tried(r, lambda p, a, d: moods[a.cluster] + float(draw.normal(30 - d / 7 - 5 * treated(a, r, d), 1)),
                  range(0, 42, 7))
    assert found.effect is not None
    assert found.effect.low is not None and found.effect.high is not None
    assert found.effect.low < -5 < found.effect.high
    assert (found.effect.method, found.grade, found.verdict) == ("stepped-wedge-cr2", "E4", "success")


def test_a_switchback_is_read_by_slots_and_carry_over_costs_the_grade() -> None:
    draw = np.random.default_rng(9)
    r = registration(design="switchback", members=people(5), step_days=1, ends_on="2026-05-08", least_effect=2.0)
    slots = set(allotting.slots_on(r, "seed"))
    start = date.fromisoformat(r.starts_on)

    def on(d: int) -> bool:
        return (start + timedelta(days=d)).isoformat() in slots

    clean = tried(r, lambda p, a, d: float(draw.normal(20 - 4 * on(d), 1)), range(60))
    sticky = tried(r, lambda p, a, d: float(draw.normal(20 - 4 * on(d) - 3 * on(d - 1), 1)), range(60))
    assert len(slots) == 30
    assert (clean.grade, clean.verdict) == ("E4", "success"), clean.checks
    assert sticky.grade == "E2"


def test_an_effect_too_small_to_matter_is_a_failure_and_a_wide_interval_is_inconclusive() -> None:
    draw, r = np.random.default_rng(1), registration(members=people(400), least_effect=3.0)
    small = tried(r, lambda p, a, d: float(draw.normal(20 - 1 * treated(a, r, d), 2)), (3,))
    assert small.verdict == "failure"
    r = registration(members=people(12), least_effect=3.0)
    wide = tried(r, lambda p, a, d: float(draw.normal(20 - 1 * treated(a, r, d), 4)), (3,))
    assert wide.verdict == "inconclusive"


def test_a_harmed_guardrail_is_a_failure_and_one_not_shown_is_never_a_success() -> None:
    draw = np.random.default_rng(1)
    r = registration(guardrails=(GuardrailMetric(kpi="errors", margin=0.5),))
    assigned = allotting.allot(r, "seed")

    def of(change: float, sd: float) -> Analysis:
        day = "2026-03-20"
        primary = [Observation(person=p, day=day, value=float(draw.normal(20 - 5 * (a.arm == "treatment"), 2)))
                   for p, a in assigned.items()]
        errors = [Observation(person=p, day=day, value=float(draw.normal(2 + change * (a.arm == "treatment"), sd)))
                  for p, a in assigned.items()]
        return trialling.analyse(Trial(
            registration=r, kpis={"minutes": MINUTES, "errors": ERRORS}, assigned=assigned, ended_on=END,
            observations={"minutes": primary, "errors": errors}))

    assert (of(0, 0.4).verdict, of(0.4, 2).verdict, of(2, 0.5).verdict) == ("success", "inconclusive", "failure")


def test_a_digest_binds_everything_but_the_erasable_texts() -> None:
    r = registering.pseudonymised(registration(), "exp_1")
    held = registering.digest(r)
    assert registering.digest(replace(r, hypothesis="erased")) == held
    for more in ({"least_effect": 1.1}, {"primary": "errors"}, {"members": r.members[1:]}, {"ends_on": "2026-04-07"},
                 {"guardrails": (GuardrailMetric(kpi="errors", margin=1.0),)}, {"monitoring": "sequential"}):
        assert registering.digest(replace(r, **more)) != held
