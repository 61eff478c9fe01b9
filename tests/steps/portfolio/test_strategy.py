"""Strategy: objectives add up what is measured and never twice; learnings come back to whoever proposes next."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.errors import Conflict, Denied, Invalid, Missing
from pilothouse.kernel.operation import NoFields
from pilothouse.stats.intervals import Estimate
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.api.strategy import Strategy
from pilothouse.steps.portfolio.contracts import (
    CriterionResult,
    FreezeRequest,
    Kpi,
    Proposal,
    SampleBatch,
    UseCase,
    UseCaseId,
)
from pilothouse.steps.portfolio.contracts.strategy import (
    Contribution,
    LearningEvidence,
    LearningQuery,
    NewLearning,
    NewObjective,
    ObjectiveLink,
)
from pilothouse.steps.portfolio.logic import realising
from pilothouse.steps.portfolio.migrations import MIGRATIONS
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock, call_as, person

OWNER, SPONSOR = call_as(person("olga", "owner")), call_as(person("bo", "sponsor"))
FASTER = NewObjective(slug="faster", title="Answer faster", statement="Customers wait half as long by the summer.")


class Room:
    """A portfolio with its strategy on a real file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self.database, mint = database, CountingMint()
        self.portfolio = Portfolio(database=database, mint=mint)
        self.strategy = Strategy(database=database, mint=mint, portfolio=self.portfolio)

    async def use_case(self, slug: str = "desk", *, volume: float | None = 100.0, measured: bool = True,
                       words: str = "Agents read every complaint twice.") -> UseCase:
        u = await self.portfolio.propose(OWNER, Proposal(
            title=f"Help with {slug}", problem=words, outcome="speed", unit_of_work="case", slug=slug,
            volume_per_month=volume, join_anyway="different desk"))
        await self.portfolio.define_kpi(OWNER, Kpi(use_case_id=u.id, slug="minutes", title="Minutes", unit="min",
                                                   shape="mean", better="lower", least_change=1.0))
        for period, values in (("baseline", (10.0, 11.0, 9.0)), ("current", (5.0, 6.0, 4.0))):
            if measured:
                await self.portfolio.measure(OWNER, SampleBatch(use_case_id=u.id, kpi="minutes", period=period,  # type: ignore[arg-type]
                                                                values=values, source="tickets"))
            if measured and period == "baseline":
                await self.portfolio.freeze_baseline(OWNER, FreezeRequest(use_case_id=u.id, kpi="minutes"))
        return u


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    database = SqliteDatabase(tmp_path / "s.db", clock=StillClock(), mint=CountingMint(), keys=PlainKeys())
    asyncio.run(database.migrate(MIGRATIONS))
    yield Room(database)
    database.close()


def test_an_objective_realises_measured_improvement_times_volume_times_share(room: Room) -> None:
    async def story() -> None:
        await room.use_case()
        await room.strategy.define_objective(SPONSOR, FASTER)
        made = await room.strategy.link_objective(SPONSOR, ObjectiveLink(objective="faster", use_case="desk",
                                                                         kpi="minutes", share=0.5))
        assert made.contributions[0].per_month == pytest.approx(5.0 * 100 * 0.5)
        [sum_of] = made.realised
        assert (sum_of.unit, sum_of.counted, sum_of.left_out, sum_of.grade) == ("min", 1, 0, "E2")
        assert sum_of.low < sum_of.per_month < sum_of.high

    asyncio.run(story())


def test_no_effect_counts_twice_over_all_objectives(room: Room) -> None:
    async def story() -> None:
        await room.use_case()
        await room.strategy.define_objective(SPONSOR, FASTER)
        await room.strategy.define_objective(SPONSOR, NewObjective(slug="cheaper", title="Spend less",
                                                                   statement="The desk costs a tenth less."))
        link = ObjectiveLink(objective="faster", use_case="desk", kpi="minutes", share=0.7)
        await room.strategy.link_objective(SPONSOR, link)
        with pytest.raises(Conflict, match="at most 30%"):
            await room.strategy.link_objective(SPONSOR, ObjectiveLink(objective="cheaper", use_case="desk",
                                                                      kpi="minutes", share=0.4))
        await room.strategy.link_objective(SPONSOR, ObjectiveLink(objective="cheaper", use_case="desk", kpi="minutes",
                                                                  share=0.3))
        await room.strategy.link_objective(SPONSOR, link)
        gone = await room.strategy.link_objective(SPONSOR, ObjectiveLink(objective="faster", use_case="desk",
                                                                         kpi="minutes", share=0.0))
        assert gone.contributions == () and gone.realised == ()
        told = await room.database.read(lambda r: r.entries(kinds=("portfolio.objective_linked",)))
        assert len(told) == 3, "what changes nothing is not recorded"

    asyncio.run(story())


def test_what_is_not_measured_is_missing_and_not_zero(room: Room) -> None:
    async def story() -> None:
        await room.use_case("desk")
        await room.use_case("new", measured=False)
        await room.use_case("unknown", volume=None)
        await room.strategy.define_objective(SPONSOR, FASTER)
        for slug in ("desk", "new", "unknown"):
            await room.strategy.link_objective(SPONSOR, ObjectiveLink(objective="faster", use_case=slug, kpi="minutes"))
        [found] = await room.strategy.objectives(SPONSOR, NoFields())
        assert {c.slug: c.per_month is None for c in found.contributions} == {"desk": False, "new": True,
                                                                            "unknown": True}
        assert (found.realised[0].counted, found.realised[0].left_out) == (1, 2)

    asyncio.run(story())


def _contribution(value: float | None, unit: str) -> Contribution:
    kpi = Kpi(use_case_id=UseCaseId("u"), slug="k", title="K", unit=unit, shape="mean", better="higher",
              least_change=0.0)
    estimate = None if value is None else Estimate(value=value, low=value - 1, high=value + 1, n=9, method="test")
    result = CriterionResult(kpi=kpi, baseline=None, estimate=estimate, grade="E2", status="met", n_current=9,
                             period="")
    held = Contribution(use_case_id=UseCaseId("u"), slug="u", title="U", stage="pilot", share=1.0, result=result,
                        per_month=value, low=None if value is None else value - 1,
                        high=None if value is None else value + 1)
    return held


@given(st.lists(st.tuples(st.one_of(st.none(), st.floats(-1e6, 1e6)), st.sampled_from(["min", "EUR"])), max_size=8))
def test_units_are_never_mixed_and_every_contribution_is_counted_or_left_out(parts: list[tuple[Any, str]]) -> None:
    found = realising.realised([_contribution(v, u) for v, u in parts])
    for r in found:
        known = [v for v, u in parts if u == r.unit and v is not None]
        assert r.counted == len(known) and r.counted + r.left_out == sum(u == r.unit for _, u in parts)
        assert r.per_month == pytest.approx(sum(known))
        assert r.low <= r.per_month + 1e-6 and r.per_month <= r.high + 1e-6


def test_a_learning_is_shown_to_the_next_submitter_with_what_speaks_for_and_against_it(room: Room) -> None:
    async def story() -> None:
        u = await room.use_case()
        learnt = await room.strategy.record_learning(OWNER, NewLearning(
            statement="Complaint summaries save nothing while agents read every complaint twice anyway.",
            use_case="desk", entries=(1,)))
        again = await room.strategy.record_learning(OWNER, NewLearning(
            statement="Complaint summaries save nothing  while agents read every complaint twice anyway.",
            use_case="desk", entries=(1,)))
        assert again == learnt
        against = LearningEvidence(learning=learnt.id, stance="contradicts", use_case="desk", entries=(2,),
                                   note="Measured again in the north")
        await room.strategy.test_learning(SPONSOR, against)
        tested = await room.strategy.test_learning(SPONSOR, against)
        assert [(e.stance, e.slug) for e in tested.evidence] == [("supports", "desk"), ("contradicts", "desk")]
        triage = await room.portfolio.triage(OWNER, Proposal(
            title="Shorten complaints", problem="Agents read a complaint twice before they answer.", outcome="speed",
            unit_of_work="complaint", volume_per_month=10.0, current_cost_eur=2.0))
        assert [(x.id, x.supports, x.contradicts) for x in triage.learnings] == [(learnt.id, 1, 1)]
        assert triage.work_eur_year == 240.0
        assert [g.stage for g in triage.gates] == ["idea", "pilot", "limited", "scaled"]
        assert "name a benefit owner" in triage.open_points and "count the monthly volume" not in triage.open_points
        assert await room.strategy.learnings(OWNER, LearningQuery(text="parking garage visitors")) == ()
        assert len(await room.strategy.learnings(OWNER, LearningQuery())) == 1
        assert u.benefit_owner == ""

    asyncio.run(story())


def test_what_does_not_fit_is_refused_by_field(room: Room) -> None:
    async def story() -> None:
        await room.use_case()
        await room.strategy.define_objective(SPONSOR, FASTER)
        for new, field in ((NewObjective(slug="No Slug", title="Abc", statement="x" * 20), "slug"),
                           (NewObjective(slug="a", title="A", statement="x" * 20), "title"),
                           (NewObjective(slug="a", title="Abc", statement="short"), "statement"),
                           (NewObjective(slug="a", title="Abc", statement="x" * 20, due="soon"), "due")):
            with pytest.raises(Invalid) as refused:
                await room.strategy.define_objective(SPONSOR, new)
            assert refused.value.facts["field"] == field
        for learning, field in ((NewLearning(statement="short"), "statement"),
                                (NewLearning(statement="x" * 20, entries=(9999,)), "entries[0]"),
                                (NewLearning(statement="x" * 20, entries=tuple(range(51))), "entries")):
            with pytest.raises(Invalid) as refused:
                await room.strategy.record_learning(OWNER, learning)
            assert refused.value.facts["field"] == field
        with pytest.raises(Missing):
            await room.strategy.link_objective(SPONSOR, ObjectiveLink(objective="none", use_case="desk", kpi="minutes"))
        with pytest.raises(Missing):
            await room.strategy.link_objective(SPONSOR, ObjectiveLink(objective="faster", use_case="desk", kpi="none"))
        with pytest.raises(Invalid):
            await room.strategy.link_objective(SPONSOR, ObjectiveLink(objective="faster", use_case="desk",
                                                                      kpi="minutes", share=1.5))
        with pytest.raises(Denied):
            await room.strategy.define_objective(call_as(person("eve", "employee"), access=RoleRulings()), FASTER)

    asyncio.run(story())
