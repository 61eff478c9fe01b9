"""Prioritisation: only what has money and a scoring is ranked, gates come first, funds go where they bring most."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.kernel.quantity import Money, money
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.api.cases import Cases
from pilothouse.steps.portfolio.api.planning import Planning
from pilothouse.steps.portfolio.contracts import Proposal, UseCase
from pilothouse.steps.portfolio.contracts.cases import FreezeCase
from pilothouse.steps.portfolio.contracts.planning import Points, RankRequest, Scoring, SelectRequest, Weights
from pilothouse.steps.portfolio.logic import scoring
from pilothouse.steps.portfolio.migrations import MIGRATIONS
from pilothouse.testing.cases import CASH, a_case, fewer_reopened, judged, replies
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock, call_as, person

OWNER = call_as(person("olga", "owner"))
EASY, HARD = Points(low=1, high=2), Points(low=4, high=5)


@dataclass
class Desk:
    """Everything step 1 knows about money, on a real file."""

    database: LedgerDatabase
    portfolio: Portfolio
    cases: Cases
    planning: Planning

    async def use_case(self, slug: str, minutes: float, **more: Any) -> UseCase:
        u = await self.portfolio.propose(OWNER, Proposal(**{
            "title": f"Help with {slug}", "problem": f"{slug} takes too long for everybody involved in it.",
            "outcome": "speed", "unit_of_work": slug, "slug": slug, "join_anyway": "another team", **more}))
        driver = replies(effect=judged(minutes - 2, minutes, minutes + 4, "min"),
                         recapture=(replace(CASH, share=Decimal(1)),))
        await self.cases.freeze(OWNER, FreezeCase(use_case_id=u.id, draws=2_000, case=a_case(
            drivers=(driver, fewer_reopened()), function=slug)))
        return u

    async def scored(self, u: UseCase, points: Points = EASY, **more: Any) -> None:
        await self.planning.score(OWNER, a_scoring(u, points, **more))


def a_scoring(u: UseCase, points: Points = EASY, **more: Any) -> Scoring:
    return Scoring(**{**{name: points for name in scoring.FACTORS}, "use_case_id": u.id, "fit": Points(low=3, high=3),
                      "squad_weeks": Decimal(10), **more})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    mint = CountingMint()
    database = SqliteDatabase(tmp_path / "p.db", clock=StillClock(), mint=mint, keys=PlainKeys())
    asyncio.run(database.migrate(MIGRATIONS))
    yield Desk(database, Portfolio(database=database, mint=mint), Cases(database=database, mint=mint, writers={}),
               Planning(database=database))
    database.close()


def test_worth_more_and_easier_comes_first_and_what_lacks_data_is_not_ranked(desk: Desk) -> None:
    async def story() -> None:
        good, poor = await desk.use_case("claims", 30), await desk.use_case("forms", 4)
        bare = await desk.use_case("letters", 20)
        await desk.scored(good, reach=Decimal(100), effort=Decimal(4), impact="2", confidence="100", business_value=8,
                          time_criticality=5, risk_reduction=2, job_size=3)
        await desk.scored(poor, HARD)
        found = await desk.planning.rank(OWNER, RankRequest())
        first, second, last = found.placed
        assert (first.slug, second.slug, last.slug) == ("claims", "forms", "letters")
        assert (first.quadrant, second.quadrant, last.quadrant) == ("quick win", "avoid", "no data")
        assert first.first is not None and first.first > 0.9 and last.first is None
        assert (first.rice, first.wsjf) == (100 * 2 * 0.5 / 4, 5.0)  # E0 carries 50 % of confidence at most
        assert (second.rice, second.wsjf) == (None, None)
        assert found.beats[0].share > 0.9
        assert bare.id == last.use_case_id

    asyncio.run(story())


def test_weights_decide_and_the_flip_says_at_which_one(desk: Desk) -> None:
    async def story() -> None:
        rich, easy = await desk.use_case("claims", 30), await desk.use_case("forms", 8)
        await desk.scored(rich, HARD, fit=Points(low=2, high=2))
        await desk.scored(easy, fit=Points(low=4, high=4))
        by_value = await desk.planning.rank(OWNER, RankRequest(weights=Weights(value=60)))
        by_ease = await desk.planning.rank(OWNER, RankRequest(weights=Weights(ease=60)))
        assert (by_value.placed[0].slug, by_ease.placed[0].slug) == ("claims", "forms")
        assert {f.criterion for f in by_value.flips} >= {"value"}
        with pytest.raises(Invalid, match="positive"):
            await desk.planning.rank(OWNER, RankRequest(weights=Weights(value=0)))

    asyncio.run(story())


def test_high_risk_is_never_a_quick_win_and_is_funded_only_when_a_person_says_must(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.use_case("hiring-mail", 30, purpose="hiring")
        await desk.scored(u)
        (placed,) = (await desk.planning.rank(OWNER, RankRequest())).placed
        assert (placed.pregate, placed.quadrant) == ("needs a risk decision", "strategic bet")
        plain = SelectRequest(budget=Decimal(10**6), squad_weeks=Decimal(100))
        found = await desk.planning.select(OWNER, plain)
        assert found.chosen == () and "risk gate" in found.candidates[0].why_not
        assert (await desk.planning.select(OWNER, replace(plain, must=("hiring-mail",)))).chosen == ("hiring-mail",)

    asyncio.run(story())


def test_the_next_money_is_solved_again_and_says_what_it_buys(desk: Desk) -> None:
    async def story() -> None:
        for slug, minutes in (("claims", 30), ("forms", 20), ("calls", 25)):
            await desk.scored(await desk.use_case(slug, minutes))
        one = await desk.planning.select(OWNER, SelectRequest(budget=Decimal(50_000), squad_weeks=Decimal(100)))
        assert one.chosen == ("claims",)
        assert one.cost.amount <= 50_000
        assert one.next_purchase is not None and len(one.next_purchase.comes) >= 1
        assert one.next_purchase.gained.amount > 0
        extra = one.next_purchase.budget.amount - one.budget.amount
        two = await desk.planning.select(OWNER, SelectRequest(budget=one.budget.amount + extra, step=Decimal(1),
                                                              squad_weeks=Decimal(100)))
        assert two.net.amount >= one.next_purchase.net.amount
        assert [m.net.amount for m in one.frontier] == sorted(m.net.amount for m in one.frontier)
        assert one.shadow_price is not None and one.shadow_price > 0
        assert "assumptions" in one.caution[0]
        tight = await desk.planning.select(OWNER, SelectRequest(budget=Decimal(10**6), squad_weeks=Decimal(15)))
        assert tight.chosen == ("claims",) and tight.next_purchase is None

    asyncio.run(story())


def test_what_depends_on_another_is_funded_only_with_it(desk: Desk) -> None:
    async def story() -> None:
        base, top = await desk.use_case("search", 3), await desk.use_case("answers", 40)
        await desk.scored(base)
        await desk.scored(top, depends_on=("search",))
        wide = SelectRequest(budget=Decimal(10**6), squad_weeks=Decimal(100))
        assert set((await desk.planning.select(OWNER, wide)).chosen) == {"search", "answers"}
        assert (await desk.planning.select(OWNER, replace(wide, never=("search",)))).chosen == ()
        with pytest.raises(Invalid, match="itself"):
            await desk.scored(top, depends_on=("answers",))

    asyncio.run(story())


def test_spend_is_held_against_measured_return_and_assumptions_measure_nothing(desk: Desk) -> None:
    async def story() -> None:
        await desk.use_case("claims", 30)
        report = await desk.planning.spend(OWNER, NoFields())
        (row,) = report.functions
        assert row.whole_expected.amount > 0
        assert (row.hard_measured.amount, row.whole_measured.amount, row.measured_per_cost) == (0, 0, 0.0)
        assert row.share == 1.0

    asyncio.run(story())


def test_scoring_twice_is_once_and_every_change_is_in_the_ledger(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.use_case("claims", 30)
        for points in (EASY, EASY, HARD):
            await desk.scored(u, points)
        entries = await desk.database.read(lambda r: r.entries(kinds=("portfolio.scoring_set",)))
        assert [e.body["version"] for e in entries] == [1, 2]

    asyncio.run(story())


@pytest.mark.parametrize(("field", "request_"), [
    ("budget", SelectRequest(budget=Decimal(-1), squad_weeks=Decimal(1))),
    ("squad_weeks", SelectRequest(budget=Decimal(1), squad_weeks=Decimal("NaN"))),
    ("step", SelectRequest(budget=Decimal(1), squad_weeks=Decimal(1), step=Decimal(0))),
    ("never", SelectRequest(budget=Decimal(1), squad_weeks=Decimal(1), must=("a",), never=("a",))),
    ("must", SelectRequest(budget=Decimal(1), squad_weeks=Decimal(1), must=("nothing",))),
])
def test_a_choice_that_makes_no_sense_is_refused_by_field(desk: Desk, field: str, request_: SelectRequest) -> None:
    with pytest.raises(Invalid) as refused:
        asyncio.run(desk.planning.select(OWNER, request_))
    assert refused.value.facts["field"] == field


def test_a_must_beyond_the_budget_is_a_conflict(desk: Desk) -> None:
    async def story() -> None:
        await desk.scored(await desk.use_case("claims", 30))
        with pytest.raises(Conflict, match="does not fit"):
            await desk.planning.select(OWNER, SelectRequest(budget=Decimal(1), squad_weeks=Decimal(99),
                                                            must=("claims",)))

    asyncio.run(story())


@pytest.mark.parametrize(("field", "more"), [
    ("fit", {"fit": Points(low=4, high=2)}), ("integration", {"integration": Points(low=0, high=2)}),
    ("squad_weeks", {"squad_weeks": Decimal(-1)}), ("effort", {"effort": Decimal("Infinity")})])
def test_points_and_amounts_keep_to_their_scales(desk: Desk, field: str, more: dict[str, Any]) -> None:
    async def story() -> None:
        u = await desk.use_case("claims", 30)
        with pytest.raises(Invalid) as refused:
            await desk.scored(u, **more)
        assert refused.value.facts["field"] == field

    asyncio.run(story())


def test_money_refuses_to_mix_and_rounds_half_to_even() -> None:
    one = Money(currency="EUR", amount=Decimal("0.10"))
    assert one + money("EUR", 0.2) == Money(currency="EUR", amount=Decimal("0.30"))
    assert money("EUR", 2.675).amount == Decimal("2.68") and money("EUR", 2.665).amount == Decimal("2.66")
    with pytest.raises(Invalid, match="cannot be added"):
        one + Money(currency="USD", amount=Decimal(1))
