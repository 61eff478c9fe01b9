"""Gates: only evidence moves a use case, only other hands decide, and a fault anywhere changes nothing."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.kernel.call import Call
from pilothouse.kernel.decision import Condition
from pilothouse.kernel.errors import Conflict, Denied, Invalid
from pilothouse.kernel.store import Database, Reader
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import (
    FreezeRequest,
    GateFact,
    GateRequest,
    Kpi,
    Proposal,
    SampleBatch,
    Standing,
    UseCase,
    UseCaseRef,
    Verdict,
)
from pilothouse.steps.portfolio.errors import (
    BaselineFrozenAlready,
    Deferred,
    GateNotReady,
    LikelyDuplicate,
    Prohibited,
    SameHands,
)
from pilothouse.steps.portfolio.migrations import MIGRATIONS
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock, call_as, person
from pilothouse.testing.faults import fail_every_statement

T = TypeVar("T")
IDEA = Proposal(title="Summarise complaints", problem="Agents read every complaint twice before they answer it.",
                outcome="speed", unit_of_work="complaint handled")
OWNER, SPONSOR = call_as(person("olga", "owner")), call_as(person("bo", "sponsor"))


@dataclass
class Desk:
    """A portfolio on a real file, and the shortest way to a use case with evidence."""

    database: LedgerDatabase
    portfolio: Portfolio

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    async def proposed(self, **more: Any) -> UseCase:
        u = await self.portfolio.propose(OWNER, replace(IDEA, **more))
        await self.portfolio.define_kpi(OWNER, Kpi(use_case_id=u.id, slug="minutes", title="Minutes", unit="min",
                                                   shape="mean", better="lower", least_change=3.0, kill_below=0.5))
        return u

    async def measured(self, u: UseCase, period: Any, *values: float) -> None:
        await self.portfolio.measure(OWNER, SampleBatch(use_case_id=u.id, kpi="minutes", period=period, values=values,
                                                        source="ticket system"))

    async def frozen(self, **more: Any) -> UseCase:
        u = await self.proposed(**more)
        await self.measured(u, "baseline", 10.0, 11.0, 9.0, 10.5, 9.5)
        await self.portfolio.freeze_baseline(OWNER, FreezeRequest(use_case_id=u.id, kpi="minutes"))
        return u

    async def decide(self, u: UseCase, verdict: Verdict, who: Call = SPONSOR, **more: Any) -> Any:
        asked = GateRequest(use_case_id=u.id, verdict=verdict, reason="seen", **more)
        return await self.portfolio.decide_gate(who, asked)

    async def piloting(self, **more: Any) -> UseCase:
        u = await self.frozen(**more)
        await self.decide(u, "go")
        return u

    async def stage(self, u: UseCase) -> str:
        return (await self.portfolio.standing(OWNER, UseCaseRef(use_case=u.id))).stage


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    mint = CountingMint()
    database = SqliteDatabase(tmp_path / "p.db", clock=StillClock(), mint=mint, keys=PlainKeys())
    asyncio.run(database.migrate(MIGRATIONS))
    yield Desk(database, Portfolio(database=database, mint=mint))
    database.close()


def test_a_gate_moves_only_on_evidence_and_by_other_hands(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.piloting()
        with pytest.raises(GateNotReady, match="no evidence"):
            await desk.decide(u, "go")
        await desk.measured(u, "current", 4.0, 5.0, 4.5, 5.5, 4.0)
        with pytest.raises(SameHands):
            await desk.decide(u, "go", who=OWNER)
        decided = await desk.decide(u, "go")
        assert (decided.was, decided.now, decided.recommended) == ("pilot", "limited", "go")
        assert await desk.stage(u) == "limited"

    desk.run(story())


def test_an_interval_that_contains_the_bar_holds_and_a_person_may_not_be_more_generous(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.piloting()
        await desk.measured(u, "current", 7.5, 6.5, 7.0, 8.0, 5.5)
        gate = await desk.portfolio.assess_gate(SPONSOR, UseCaseRef(use_case=u.id))
        assert (gate.recommended, gate.results[0].status) == ("hold", "straddles")
        with pytest.raises(GateNotReady):
            await desk.decide(u, "go")
        assert (await desk.decide(u, "hold")).now == "pilot"

    desk.run(story())


def test_a_kill_criterion_recommends_kill_and_a_kill_retires_at_once(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.piloting()
        await desk.measured(u, "current", 10.4, 10.6, 10.5, 10.5, 10.45, 10.55)
        gate = await desk.portfolio.assess_gate(SPONSOR, UseCaseRef(use_case=u.id))
        assert gate.recommended == "kill"
        await desk.decide(u, "kill")
        assert await desk.stage(u) == "retired"

    desk.run(story())


class OpenFact:
    """A step that offers one mandatory fact which is not covered."""

    step = "people"

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        return (GateFact(name="RACI", step="people", status="exposed", says="nobody is accountable"),)


class FailingFacts:
    """A step that cannot say."""

    step = "oversight"

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        raise Conflict("no policy is in force")


@pytest.mark.parametrize("plug", [OpenFact(), FailingFacts()])
def test_a_fact_that_is_open_or_unknown_holds_the_gate(desk: Desk, plug: Any) -> None:
    async def story() -> None:
        u = await desk.frozen()
        desk.portfolio.gate_facts.plug(plug)
        assert (await desk.portfolio.assess_gate(SPONSOR, UseCaseRef(use_case=u.id))).recommended == "hold"

    desk.run(story())


def test_conditions_with_a_date_make_a_go_conditional(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.frozen()
        decided = await desk.decide(u, "conditional go", conditions=(Condition(text="train all", due="2026-05-01"),))
        assert (decided.now, decided.recommended) == ("pilot", "conditional go")

    desk.run(story())


def test_a_frozen_baseline_changes_only_as_a_new_version_with_a_reason(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.frozen()
        with pytest.raises(BaselineFrozenAlready):
            await desk.portfolio.freeze_baseline(OWNER, FreezeRequest(use_case_id=u.id, kpi="minutes"))
        await desk.measured(u, "baseline", 12.0, 13.0)
        again = await desk.portfolio.freeze_baseline(OWNER, FreezeRequest(use_case_id=u.id, kpi="minutes",
                                                                         reason="the export lacked two teams"))
        assert (again.version, again.n) == (2, 7)

    desk.run(story())


def test_the_same_batch_twice_is_one_batch(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        await desk.measured(u, "baseline", 1.0, 2.0)
        before = await desk.database.read(lambda r: r.size())
        await desk.measured(u, "baseline", 1.0, 2.0)
        assert await desk.database.read(lambda r: r.size()) == before

    desk.run(story())


def test_intake_stops_the_prohibited_defers_the_exposed_and_shows_the_duplicate(desk: Desk) -> None:
    async def story() -> None:
        await desk.proposed()
        with pytest.raises(Prohibited):
            await desk.portfolio.propose(OWNER, replace(IDEA, title="Rank citizens", purpose="social scoring"))
        with pytest.raises(Deferred):
            await desk.portfolio.propose(OWNER, replace(IDEA, title="Chat with the public", audience="customers",
                                                        problem="Customers wait in the phone queue for an hour."))
        with pytest.raises(LikelyDuplicate) as seen:
            await desk.portfolio.propose(OWNER, replace(IDEA, title="Summarise complaints faster"))
        assert seen.value.facts["join"] == "summarise-complaints"

    desk.run(story())


@pytest.mark.parametrize(("purpose", "data", "audience", "tier"), [
    ("hiring", (), "employees", "high"), ("", ("health",), "employees", "high"),
    ("", ("personal",), "employees", "limited"), ("", (), "employees", "minimal")])
def test_the_risk_tier_follows_from_purpose_data_and_audience(desk: Desk, purpose: str, data: tuple[str, ...],
                                                             audience: Any, tier: str) -> None:
    asked = replace(IDEA, purpose=purpose, data_classes=data, audience=audience)
    assert desk.run(desk.portfolio.triage(OWNER, asked)).risk_tier == tier


def test_a_decision_belongs_to_a_person(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.frozen()
        with pytest.raises(Denied, match="only a person"):
            await desk.decide(u, "go", who=call_as(person("bot", "sponsor", kind="agent")))

    desk.run(story())


def test_values_that_cannot_be_evidence_are_named(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        with pytest.raises(Invalid) as seen:
            await desk.measured(u, "baseline", 1.0, float("nan"))
        assert seen.value.facts["field"] == "values[1]"

    desk.run(story())


def test_a_gate_decision_survives_a_fault_at_every_statement(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.frozen()

        async def act(database: Database) -> None:
            await Portfolio(database=database, mint=CountingMint()).decide_gate(
                SPONSOR, GateRequest(use_case_id=u.id, verdict="go", reason="seen"))

        async def check() -> None:
            decided = await desk.database.read(lambda r: r.entries(kinds=("portfolio.gate_decided",)))
            assert len(decided) == (1 if await desk.stage(u) == "pilot" else 0)

        assert await fail_every_statement(desk.database, act, check) > 5

    desk.run(story())
