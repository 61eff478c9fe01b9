"""The board: quorum and dissent, decisions bound to what was seen, conditions with dates, kill criteria that fire."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.call import Call
from pilothouse.kernel.decision import Condition
from pilothouse.kernel.errors import Conflict, Denied, Invalid, Missing
from pilothouse.kernel.operation import NoFields
from pilothouse.kernel.store import Database
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.api.board import Board
from pilothouse.steps.portfolio.contracts import (
    FreezeRequest,
    GateRequest,
    Kpi,
    Proposal,
    SampleBatch,
    UseCase,
    UseCaseRef,
)
from pilothouse.steps.portfolio.contracts.deciding import DecisionRef, GatePolicy, MetCondition
from pilothouse.steps.portfolio.errors import GateNotReady, SameHands
from pilothouse.steps.portfolio.jobs import open_decisions
from pilothouse.steps.portfolio.migrations import MIGRATIONS
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock, call_as, person
from pilothouse.testing.faults import fail_every_statement

OWNER, SPONSOR, RISK = (call_as(person("olga", "owner")), call_as(person("bo", "sponsor")),
                        call_as(person("rita", "risk")))
BEFORE, BETTER, WORSE = (10.0, 11.0, 9.0, 10.5, 9.5), (4.0, 5.0, 4.5, 5.5, 4.0), (10.1, 10.9, 9.2, 10.4, 9.6)


class Room:
    """A portfolio with its board on a real file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self.database = database
        self.portfolio = Portfolio(database=database, mint=CountingMint())
        self.board = Board(database=database, portfolio=self.portfolio)

    async def piloting(self, *, high: bool = False) -> UseCase:
        u = await self.portfolio.propose(OWNER, Proposal(
            title="Summarise complaints", problem="Agents read every complaint twice before they answer it.",
            outcome="speed", unit_of_work="complaint handled", data_classes=("health",) if high else ()))
        await self.portfolio.define_kpi(OWNER, Kpi(use_case_id=u.id, slug="minutes", title="Minutes", unit="min",
                                                   shape="mean", better="lower", least_change=3.0, kill_below=2.0))
        await self.measured(u, "baseline", *BEFORE)
        await self.portfolio.freeze_baseline(OWNER, FreezeRequest(use_case_id=u.id, kpi="minutes"))
        await self.vote(u, "go", SPONSOR)
        if high:
            await self.vote(u, "go", RISK)
        return u

    async def measured(self, u: UseCase, period: Any, *values: float, grade: Any = "E2") -> None:
        await self.portfolio.measure(OWNER, SampleBatch(use_case_id=u.id, kpi="minutes", period=period, values=values,
                                                        source="ticket system", grade=grade))

    async def vote(self, u: UseCase, verdict: Any, who: Call, reason: str = "seen", **more: Any) -> Any:
        return await self.portfolio.decide_gate(who, GateRequest(use_case_id=u.id, verdict=verdict, reason=reason,
                                                                 **more))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    database = SqliteDatabase(tmp_path / "b.db", clock=StillClock(), mint=CountingMint(), keys=PlainKeys())
    asyncio.run(database.migrate(MIGRATIONS))
    yield Room(database)
    database.close()


def later(call: Call, days: int) -> Call:
    return call_as(call.principal, at=call.at + timedelta(days=days))


def test_high_risk_needs_two_people_for_a_go_and_one_for_caution(room: Room) -> None:
    async def story() -> None:
        u = await room.piloting(high=True)
        await room.measured(u, "current", *BETTER)
        first = await room.vote(u, "go", SPONSOR)
        assert (first.status, first.votes_missing, first.now) == ("waiting", 1, "pilot")
        again = await room.vote(u, "go", SPONSOR)
        assert (again.status, again.votes_missing) == ("waiting", 1), "voting twice is one vote"
        assert [o.cause for o in await room.board.open_decisions(SPONSOR, NoFields())] == ["votes wanted"]
        decided = await room.vote(u, "go", RISK)
        assert (decided.status, decided.now) == ("decided", "limited")
        assert await room.board.open_decisions(SPONSOR, NoFields()) == ()
        assert (await room.vote(u, "hold", RISK)).status == "decided"

    asyncio.run(story())


def test_dissent_is_kept_beside_the_decision_and_no_entry_holds_it_in_clear(room: Room) -> None:
    async def story() -> None:
        u = await room.piloting(high=True)
        await room.portfolio.measure(OWNER, SampleBatch(use_case_id=u.id, kpi="minutes", period="current",
                                                        values=BETTER, source="ticket system"))
        await room.board.set_gate_policy(call_as(person("ada", "administrator")), GatePolicy(
            stage="pilot", risk_tier="high", quorum=2, grade_min="E1", valid_days=90))
        await room.vote(u, "conditional go", SPONSOR, conditions=(Condition(text="Train the desk", due="2026-12-01"),))
        await room.vote(u, "conditional go", call_as(person("sam", "sponsor")), "zebra reason", dissent=("A giraffe",),
                        conditions=(Condition(text="Hire an ostrich", due="2027-01-01"),))
        made = (await room.portfolio.decisions(SPONSOR, UseCaseRef(use_case=u.id)))[0]
        assert made.dissent == ("A giraffe",)
        assert made.conditions == (Condition(text="Hire an ostrich", due="2027-01-01"),)
        held = await room.database.read(lambda r: repr([e.body for e in r.entries(limit=1000)]))
        assert not {"zebra", "giraffe", "ostrich"} & set(held.replace("'", " ").split())

    asyncio.run(story())


def test_a_vote_against_becomes_the_decisions_dissent(room: Room) -> None:
    async def story() -> None:
        u = await room.piloting(high=True)
        await room.board.set_gate_policy(call_as(person("ada", "administrator")), GatePolicy(
            stage="pilot", risk_tier="high", quorum=2, grade_min="E1", valid_days=90))
        await room.measured(u, "current", *BETTER)
        when = Condition(text="Train the desk", due="2026-12-01")
        await room.vote(u, "go", SPONSOR, "all clear to me")
        await room.vote(u, "conditional go", RISK, conditions=(when,))
        decided = await room.vote(u, "conditional go", call_as(person("sam", "sponsor")), conditions=(when,))
        assert decided.status == "decided"
        made = (await room.portfolio.decisions(SPONSOR, UseCaseRef(use_case=u.id)))[0]
        assert made.dissent == ("pr_bo voted go: all clear to me",)

    asyncio.run(story())


def test_a_vote_is_bound_to_the_evidence_that_was_seen(room: Room) -> None:
    async def story() -> None:
        u = await room.piloting()
        await room.measured(u, "current", *BETTER)
        seen = (await room.portfolio.assess_gate(SPONSOR, UseCaseRef(use_case=u.id))).digest
        await room.measured(u, "current", 4.1, 4.4)
        with pytest.raises(Conflict, match="evidence changed"):
            await room.vote(u, "go", SPONSOR, digest=seen)
        now = (await room.portfolio.assess_gate(SPONSOR, UseCaseRef(use_case=u.id))).digest
        assert (await room.vote(u, "go", SPONSOR, digest=now)).digest == now

    asyncio.run(story())


def test_evidence_under_the_gates_grade_holds(room: Room) -> None:
    async def story() -> None:
        u = await room.piloting()
        await room.measured(u, "current", *BETTER, grade="E0")
        gate = await room.portfolio.assess_gate(SPONSOR, UseCaseRef(use_case=u.id))
        assert gate.recommended == "hold" and "grade E0" in gate.why[0]
        with pytest.raises(GateNotReady):
            await room.vote(u, "go", SPONSOR)

    asyncio.run(story())


def test_conditions_hold_the_next_gate_until_other_hands_confirm_them(room: Room) -> None:
    async def story() -> None:
        u = await room.piloting()
        await room.measured(u, "current", *BETTER)
        due = later(SPONSOR, 30).at.date().isoformat()
        made = await room.vote(u, "conditional go", SPONSOR, conditions=(Condition(text="Train the desk", due=due),))
        gate = await room.portfolio.assess_gate(SPONSOR, UseCaseRef(use_case=u.id))
        assert gate.recommended == "hold" and any("Conditions" in w for w in gate.why)
        overdue = await room.board.open_decisions(later(SPONSOR, 40), NoFields())
        assert [o.cause for o in overdue] == ["condition overdue"]
        met = MetCondition(use_case_id=u.id, gate_seq=made.seq, number=0, note="Course list seen")
        with pytest.raises(Denied):
            await room.board.meet_condition(OWNER, met)
        first = await room.board.meet_condition(SPONSOR, met)
        assert await room.board.meet_condition(RISK, met) == first, "confirmed twice is confirmed once"
        assert await room.board.open_decisions(later(SPONSOR, 40), NoFields()) == ()
        assert (await room.portfolio.assess_gate(SPONSOR, UseCaseRef(use_case=u.id))).recommended == "go"
        with pytest.raises(Missing):
            await room.board.meet_condition(SPONSOR, MetCondition(use_case_id=u.id, gate_seq=1, number=9, note="x"))

    asyncio.run(story())


@pytest.mark.parametrize(("verdict", "conditions", "field"), [
    ("conditional go", (), "conditions"),
    ("go", (Condition(text="Train the desk", due="2027-01-01"),), "conditions"),
    ("conditional go", (Condition(text="x", due="2027-01-01"),), "conditions[0].text"),
    ("conditional go", (Condition(text="Train the desk", due="soon"),), "conditions[0].due"),
    ("conditional go", (Condition(text="Train the desk", due="2020-01-01"),), "conditions[0].due"),
    ("conditional go", (Condition(text="Train the desk", due="2027-01-01"),) * 11, "conditions"),
])
def test_conditions_that_bind_nobody_are_refused_by_field(room: Room, verdict: Any, conditions: Any, field: str
                                                          ) -> None:
    async def story() -> None:
        u = await room.piloting()
        await room.measured(u, "current", *BETTER)
        with pytest.raises(Invalid) as refused:
            await room.vote(u, verdict, SPONSOR, conditions=conditions)
        assert refused.value.facts["field"] == field

    asyncio.run(story())


def test_a_go_expires_and_asks_to_be_looked_at_again(room: Room) -> None:
    async def story() -> None:
        u = await room.piloting()
        made = (await room.portfolio.decisions(SPONSOR, UseCaseRef(use_case=u.id)))[0]
        assert made.expires_at == (SPONSOR.at + timedelta(days=730)).date().isoformat()
        assert await room.board.open_decisions(later(SPONSOR, 730), NoFields()) == ()
        late = await room.board.open_decisions(later(SPONSOR, 731), NoFields())
        assert [o.cause for o in late] == ["decision expired"]

    asyncio.run(story())


def test_a_kill_criterion_that_fires_opens_a_decision_once_and_the_owner_cannot_make_it(room: Room) -> None:
    async def story() -> None:
        u = await room.piloting()
        await room.measured(u, "current", *WORSE, *WORSE, *WORSE)
        entries = await room.database.read(lambda r: r.entries(kinds=("portfolio.samples_accepted",)))
        system = call_as(person("system", "system"))
        await open_decisions(room.board, system, entries)
        await open_decisions(room.board, system, entries)
        opened = await room.database.read(lambda r: r.entries(kinds=("portfolio.decision_opened",)))
        assert len(opened) == 1 and opened[0].body["recommended"] == "kill"
        assert [o.cause for o in await room.board.open_decisions(SPONSOR, NoFields())] == ["kill criterion"]
        with pytest.raises((SameHands, Denied)):
            await room.vote(u, "kill", OWNER)
        assert (await room.vote(u, "kill", SPONSOR)).now == "retired"
        assert await room.board.open_decisions(SPONSOR, NoFields()) == ()

    asyncio.run(story())


def test_the_record_of_a_decision_shows_the_evidence_as_it_was_seen(room: Room) -> None:
    async def story() -> None:
        u = await room.piloting()
        await room.measured(u, "current", *BETTER)
        seen = await room.portfolio.assess_gate(SPONSOR, UseCaseRef(use_case=u.id))
        made = await room.vote(u, "go", SPONSOR)
        await room.measured(u, "current", *WORSE)
        paper = await room.board.decision(SPONSOR, DecisionRef(use_case=u.id, seq=made.seq))
        assert paper.assessment == seen and paper.decided is not None and paper.decided.digest == seen.digest
        assert [v.by for v in paper.votes] == ["pr_bo"]
        assert (await room.board.board_paper(SPONSOR, UseCaseRef(use_case=u.id))).assessment.stage == "limited"
        with pytest.raises(Missing):
            await room.board.decision(SPONSOR, DecisionRef(use_case=u.id, seq=0))

    asyncio.run(story())


def test_a_fault_at_any_statement_of_the_deciding_vote_leaves_it_undecided(room: Room) -> None:
    async def story() -> None:
        u = await room.piloting(high=True)
        await room.measured(u, "current", *BETTER)
        await room.vote(u, "go", SPONSOR)

        async def act(database: Database) -> None:
            await Portfolio(database=database, mint=CountingMint()).decide_gate(
                RISK, GateRequest(use_case_id=u.id, verdict="go", reason="seen"))

        async def check() -> None:
            stage = (await room.portfolio.standing(OWNER, UseCaseRef(use_case=u.id))).stage
            made = [d.now for d in await room.portfolio.decisions(SPONSOR, UseCaseRef(use_case=u.id))]
            votes = await room.database.read(lambda r: r.entries(kinds=("portfolio.gate_voted",)))
            told = (stage, made, len(votes))
            assert told in (("pilot", ["pilot"], 3), ("limited", ["limited", "pilot"], 4))

        assert await fail_every_statement(room.database, act, check) > 15

    asyncio.run(story())


def test_the_rules_of_a_gate_can_be_changed_within_limits_and_are_recorded(room: Room) -> None:
    async def story() -> None:
        admin = call_as(person("ada", "administrator"))
        rule = GatePolicy(stage="limited", risk_tier="minimal", quorum=3, grade_min="E3", valid_days=30)
        await room.board.set_gate_policy(admin, rule)
        await room.board.set_gate_policy(admin, rule)
        assert rule in await room.board.gate_policies(SPONSOR, NoFields())
        assert len(await room.database.read(lambda r: r.entries(kinds=("portfolio.gate_policy_set",)))) == 1
        for field, wrong in (("quorum", 0), ("quorum", 10), ("valid_days", 0), ("stage", "retired")):
            with pytest.raises(Invalid) as refused:
                await room.board.set_gate_policy(admin, GatePolicy(**{
                    "stage": "limited", "risk_tier": "minimal", "quorum": 1, "grade_min": "E1", "valid_days": 30,
                    field: wrong}))
            assert refused.value.facts["field"] == field
        with pytest.raises(Denied):
            await room.board.set_gate_policy(call_as(person("sam", "sponsor"), access=RoleRulings()), rule)

    asyncio.run(story())


def test_the_heat_map_holds_every_live_use_case_against_all_ten_reasons(room: Room) -> None:
    async def story() -> None:
        u = await room.piloting()
        rows = await room.board.heat_map(SPONSOR, NoFields())
        assert [r.slug for r in rows] == [u.slug]
        assert [x.number for x in rows[0].reasons] == list(range(1, 11))
        assert rows[0].reasons[0].status == "covered" and rows[0].reasons[6].status == "no data"

    asyncio.run(story())
