"""Business cases: frozen once and for ever, tied to what was measured, refused with field and fix."""

import asyncio
import io
import zipfile
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree

import pypdfium2
import pytest

from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.errors import Denied, Invalid
from pilothouse.kernel.store import Database, Reader
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.api.cases import Cases
from pilothouse.steps.portfolio.contracts import FreezeRequest, Kpi, Proposal, SampleBatch, UseCase, UseCaseRef
from pilothouse.steps.portfolio.contracts.cases import (
    Case,
    CaseDraft,
    CaseFileRef,
    CasePair,
    CaseRef,
    CaseVersion,
    Cost,
    FreezeCase,
    Measurement,
    TieKind,
)
from pilothouse.steps.portfolio.drivers.pdf_case import PdfCase
from pilothouse.steps.portfolio.drivers.xlsx_case import XlsxCase
from pilothouse.steps.portfolio.errors import NoSuchCase, NoSuchUseCase
from pilothouse.steps.portfolio.logic import casing
from pilothouse.steps.portfolio.migrations import MIGRATIONS
from pilothouse.testing.cases import CASH, a_case, costs, fewer_reopened, judged, replies
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock, call_as, person
from pilothouse.testing.faults import fail_every_statement

T = TypeVar("T")
OWNER = call_as(person("olga", "owner"))
DRAWS = 2_000


class Meter:
    """A small gateway: it has measured what an answer costs."""

    kind: TieKind = "gateway"

    def measurement(self, reader: Reader, use_case_id: str, ref: str, today: str) -> Measurement | None:
        return Measurement(mean=0.004, sd=0.0002, n=400, unit="EUR/answer", grade="E2", source="own records",
                           period=today, entries=(3, 4)) if ref == "cost per answer" else None


@dataclass
class Desk:
    """Cases on a real file beside the portfolio they belong to."""

    database: LedgerDatabase
    portfolio: Portfolio
    cases: Cases

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    async def proposed(self, slug: str = "replies") -> UseCase:
        return await self.portfolio.propose(OWNER, Proposal(
            title=f"Drafts for {slug}", problem=f"People write every {slug} from scratch, one after another.",
            outcome="speed", unit_of_work="reply sent", volume_per_month=640, current_cost_eur=31.5, slug=slug,
            join_anyway="another team"))

    async def measured(self, u: UseCase) -> None:
        await self.portfolio.define_kpi(OWNER, Kpi(use_case_id=u.id, slug="minutes", title="Minutes", unit="min",
                                                   shape="mean", better="lower", least_change=3.0))
        for period, level in (("baseline", 40.0), ("current", 30.0)):
            values = tuple(level + d for d in (-2.0, -1.0, 0.0, 1.0, 2.0))
            await self.portfolio.measure(OWNER, SampleBatch(use_case_id=u.id, kpi="minutes", period=period,  # type: ignore[arg-type]
                                                            values=values, source="ticket system"))
            if period == "baseline":
                await self.portfolio.freeze_baseline(OWNER, FreezeRequest(use_case_id=u.id, kpi="minutes"))

    async def freeze(self, u: UseCase, case: Case, **more: Any) -> CaseVersion:
        return await self.cases.freeze(OWNER, FreezeCase(**{"use_case_id": u.id, "case": case, "draws": DRAWS, **more}))

    async def entries(self, kind: str = "portfolio.case_frozen") -> Any:
        return await self.database.read(lambda r: r.entries(kinds=(kind,)))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    mint = CountingMint()
    database = SqliteDatabase(tmp_path / "p.db", clock=StillClock(), mint=mint, keys=PlainKeys())
    asyncio.run(database.migrate(MIGRATIONS))
    cases = Cases(database=database, mint=mint, writers={"xlsx": XlsxCase(), "pdf": PdfCase()})
    cases.measurements.plug(Meter())
    yield Desk(database, Portfolio(database=database, mint=mint), cases)
    database.close()


def tied(case: Case) -> Case:
    """Return a case whose minutes come from the KPI and whose tokens come from the gateway."""
    first = replace(case.drivers[0], effect=replace(case.drivers[0].effect, tie="kpi", tied_to="minutes"))
    held = tuple(replace(c, amount=replace(c.amount, tie="gateway", tied_to="cost per answer"))
                 if c.category == "tokens" else c for c in case.costs)
    return replace(case, drivers=(first, *case.drivers[1:]), costs=held)


def test_a_version_never_changes_and_the_same_contents_twice_are_one(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        first = await desk.freeze(u, a_case())
        assert await desk.freeze(u, a_case()) == first
        with pytest.raises(Invalid, match="say why") as refused:
            await desk.freeze(u, a_case(horizon_months=48))
        assert refused.value.facts["field"] == "reason"
        second = await desk.freeze(u, a_case(horizon_months=48), reason="The contract runs for four years")
        assert (first.version, second.version) == (1, 2)
        assert await desk.cases.case(OWNER, CaseRef(use_case="replies", version=1)) == first
        assert (await desk.cases.case(OWNER, CaseRef(use_case="replies"))).reason == "The contract runs for four years"
        assert [line.version for line in await desk.cases.list_cases(OWNER, UseCaseRef(use_case="replies"))] == [2, 1]
        assert [e.body["digest"] for e in await desk.entries()] == [first.digest, second.digest]

    desk.run(story())


def test_a_frozen_version_comes_out_the_same_when_it_is_computed_again(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        frozen = await desk.freeze(u, a_case(), seed=42)
        assert await desk.cases.recompute(OWNER, CaseRef(use_case="replies")) == frozen.outcome
        other = await desk.cases.compute(OWNER, CaseDraft(use_case_id=u.id, case=a_case(), seed=43, draws=DRAWS))
        assert other.outcome.hard.npv != frozen.outcome.hard.npv

    desk.run(story())


def test_a_tied_input_takes_interval_grade_and_entries_and_says_when_its_baseline_is_replaced(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        await desk.measured(u)
        v = await desk.freeze(u, tied(a_case()))
        effect = v.case.drivers[0].effect
        assert float(effect.mean or 0) == pytest.approx(10.0)
        assert effect.sd is not None and 0.5 < effect.sd < 2
        assert (effect.grade, effect.baseline_version) == ("E2", 1)
        assert effect.entries and "baseline version 1" in effect.source
        tokens = next(c.amount for c in v.case.costs if c.category == "tokens")
        assert (float(tokens.mean or 0), tokens.grade, tokens.entries) == (0.004, "E2", (3, 4))
        assert v.stale == ()
        await desk.portfolio.freeze_baseline(OWNER, FreezeRequest(use_case_id=u.id, kpi="minutes", reason="recounted"))
        (line,) = await desk.cases.list_cases(OWNER, UseCaseRef(use_case="replies"))
        assert "version 2 has replaced it" in line.stale[0]
        assert (await desk.freeze(u, tied(a_case()), reason="new baseline")).stale == ()
        assert (await desk.entries())[0].body["baselines"] == ["minutes@1"]

    desk.run(story())


def test_nobody_can_hand_in_a_measurement_or_a_grade_that_only_an_experiment_gives(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        forged = replace(replies().effect, mean=Decimal(999), sd=Decimal(1), entries=(1,))
        v = await desk.freeze(u, a_case(drivers=(replies(effect=forged),)))
        assert (v.case.drivers[0].effect.mean, v.case.drivers[0].effect.entries) == (None, ())
        with pytest.raises(Invalid, match="tied experiment"):
            await desk.freeze(u, a_case(drivers=(replies(effect=replace(forged, grade="E4")),)), reason="again")
        with pytest.raises(Invalid, match="nothing has been measured"):
            await desk.freeze(u, a_case(drivers=(replies(effect=replace(forged, tie="experiment", tied_to="exp_1")),)))

    desk.run(story())


def test_two_use_cases_never_claim_more_than_all_minutes_of_a_group(desk: Desk) -> None:
    async def story() -> None:
        one, two = await desk.proposed(), await desk.proposed("letters")
        claim = {"overlap_group": "minutes of handlers"}
        half = a_case(drivers=(replies(**claim, overlap_share=Decimal("0.6")), fewer_reopened()))
        await desk.freeze(one, half)
        with pytest.raises(Invalid, match=r"claimed to 120 %.*replies 60 %") as refused:
            await desk.freeze(two, half)
        assert refused.value.facts["field"] == "drivers.overlap_share"
        rest = a_case(drivers=(replies(**claim, overlap_share=Decimal("0.4")), fewer_reopened()))
        await desk.freeze(two, rest)

    desk.run(story())


def test_only_released_cash_is_a_hard_return_and_the_rest_stands_beside_it(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        soft = replies(recapture=(replace(CASH, destination="capacity_redeployed", where="backlog"),))
        o = (await desk.freeze(u, a_case(drivers=(soft, fewer_reopened())))).outcome
        assert o.hard.benefits.mean.amount == 0
        assert o.hard.npv.mean.amount == -o.costs.mean.amount
        assert o.whole.npv.mean.amount > o.hard.npv.mean.amount
        places = {(r.destination, r.where): r.amount.amount for r in o.recapture}
        lines = {x.name: x.present_value.mean.amount for x in o.lines}
        assert float(places["capacity_redeployed", "backlog"]) == pytest.approx(0.6 * float(lines["Faster replies"]),
                                                                                abs=0.02)
        assert float(places["not_recaptured", ""]) == pytest.approx(0.4 * float(lines["Faster replies"]), abs=0.02)
        assert float(sum(places.values())) == pytest.approx(float(sum(lines.values())), abs=0.05)

    desk.run(story())


def test_a_case_without_doubt_comes_to_what_is_computed_by_hand(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        flat = a_case(horizon_months=1, discount_rate=Decimal("0.12"), adoption=replace(
            a_case().adoption, ceiling=judged(1, 1, 1, "share"), half=judged(1, 1, 1, "months"), starts_month=0),
            drivers=(replies(volume=judged(100, 100, 100, "reply/month"), effect=judged(12, 12, 12, "min"),
                             review=judged(2, 2, 2, "min"), rework=judged(1, 1, 1, "min"),
                             rate=judged(60, 60, 60, "EUR/h"), attribution=Decimal("0.5"),
                             recapture=(replace(CASH, share=Decimal(1)),)),),
            costs=(Cost(name="Build", category="build", kind="one_off", amount=judged(100, 100, 100, "EUR")),))
        o = (await desk.freeze(u, flat)).outcome
        # month 1: 100 x (12 - 2 - 1) / 60 x 60 x 0.5 = 450, times the curve (1/2 - 1/(1+e^k)) / (1 - 1/(1+e^k))
        from math import exp, log
        first = 1 / (1 + exp(log(81) / 6))
        benefit = 450 * (0.5 - first) / (1 - first) * 1.12 ** (-1 / 12)
        assert float(o.hard.npv.mean.amount) == pytest.approx(benefit - 100, abs=0.01)
        assert o.hard.npv.p10 == o.hard.npv.p90
        assert o.tornado == () and all(k.hard.amount == 0 for k in o.knowing)

    desk.run(story())


def test_two_versions_are_compared_by_what_changed_and_what_it_did(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        await desk.freeze(u, a_case())
        await desk.freeze(u, a_case(drivers=(replies(effect=judged(8, 14, 18, "min")), fewer_reopened())),
                          scenario="better-drafts")
        found = await desk.cases.compare(OWNER, CasePair(use_case="replies", left="base:1", right="better-drafts:1"))
        assert [c.field for c in found.changed] == [f"drivers[Faster replies].effect.{x}" for x in
                                                    ("low", "likely", "high")]
        assert found.hard_change.amount > 0
        with pytest.raises(Invalid, match="scenario:version"):
            await desk.cases.compare(OWNER, CasePair(use_case="replies", left="base", right="base:1"))

    desk.run(story())


def test_a_fault_at_any_statement_of_freezing_leaves_rows_and_ledger_telling_one_story(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        await desk.measured(u)

        async def act(database: Database) -> None:
            cases = Cases(database=database, mint=CountingMint(), writers={})
            cases.measurements.plug(Meter())
            await cases.freeze(OWNER, FreezeCase(use_case_id=u.id, case=tied(a_case()), draws=1_000, reason="why"))

        async def check() -> None:
            rows = await desk.cases.list_cases(OWNER, UseCaseRef(use_case=u.id))
            assert [r.seq for r in rows] == [e.seq for e in await desk.entries()]

        assert await fail_every_statement(desk.database, act, check) >= 5
        assert len(await desk.entries()) == 1

    desk.run(story())


def test_the_starter_says_of_every_guess_that_it_is_assumed_and_can_be_computed_at_once(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        for measured in (False, True):
            if measured:
                await desk.measured(u)
            draft = await desk.cases.starter(OWNER, UseCaseRef(use_case="replies"))
            for _, given in casing.inputs(draft.case):
                assert given.tie or given.source
                assert given.grade in ("E0", "E1")
            found = await desk.cases.compute(OWNER, replace(draft, draws=DRAWS))
            assert found.outcome.grade == "E0"
            assert (draft.case.drivers[0].effect.tie == "kpi") is measured

    desk.run(story())


def test_employees_may_not_read_money_and_engineers_may_not_freeze_it(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        ref = UseCaseRef(use_case="replies")
        with pytest.raises(Denied):
            await desk.cases.list_cases(call_as(person("emil", "employee"), access=RoleRulings()), ref)
        engineer = call_as(person("enno", "engineer"), access=RoleRulings())
        assert await desk.cases.list_cases(engineer, ref) == ()
        with pytest.raises(Denied):
            await desk.cases.freeze(engineer, FreezeCase(use_case_id=u.id, case=a_case()))
        with pytest.raises(NoSuchCase):
            await desk.cases.case(engineer, CaseRef(use_case="replies"))
        with pytest.raises(NoSuchUseCase):
            await desk.cases.case(engineer, CaseRef(use_case="nothing"))

    desk.run(story())


DRIVER, OTHER = replies(), fewer_reopened()
LATE = replace(costs()[-1], starts_month=37)
BAD = {
    "drivers[0].volume.low": a_case(drivers=(replies(volume=judged(-5, 10, 20, "reply/month")),)),
    "drivers[0].effect.low": a_case(drivers=(replies(effect=judged(12, 11, 15, "min")),)),
    "drivers[0].effect.high": a_case(drivers=(replies(effect=judged(5, 11, 10, "min")),)),
    "drivers[0].rate.unit": a_case(drivers=(replies(rate=judged(38, 42, 48, "USD/h")),)),
    "costs[0].amount.unit": a_case(costs=(replace(costs()[0], amount=judged(1, 2, 3, "")),)),
    "costs[4].starts_month": a_case(costs=(*costs()[:4], LATE)),
    "costs[2].ends_month": a_case(costs=(*costs()[:2], replace(costs()[2], ends_month=40))),
    "drivers[0].review": a_case(drivers=(replies(review=None),)),
    "drivers[0].rework": a_case(drivers=(replies(rework=None),)),
    "costs": a_case(drivers=(OTHER,), costs=costs()[:3]),
    "drivers[0].recapture": a_case(drivers=(replies(recapture=(CASH, CASH)),)),
    "drivers[0].recapture[0].verified_by": a_case(drivers=(replies(recapture=(replace(CASH, verified_by=""),)),)),
    "drivers[0].recapture[0].destination": a_case(drivers=(replace(OTHER, recapture=(CASH,)), DRIVER)),
    "drivers[0].overlap_group": a_case(drivers=(replies(overlap_share=Decimal("0.5")),)),
    "drivers.overlap_share": a_case(drivers=(replies(overlap_group="g", overlap_share=Decimal("0.7")), replace(
        OTHER, overlap_group="g", overlap_share=Decimal("0.4")))),
    "drivers[1].name": a_case(drivers=(replies(), replies())),
    "costs[3].driver": a_case(drivers=(replies("Other name"),)),
    "horizon_months": a_case(horizon_months=121),
    "drivers": a_case(drivers=tuple(replies(f"d{i}") for i in range(31))),
    "discount_rate": a_case(discount_rate=Decimal("8")),
    "currency": a_case(currency="euro"),
    "adoption.ceiling.high": a_case(adoption=replace(a_case().adoption, ceiling=judged(0.5, 0.9, 1.2, "share"))),
    "adoption.half.unit": a_case(adoption=replace(a_case().adoption, half=judged(3, 4, 5, "weeks"))),
    "drivers[0].effect.source": a_case(drivers=(replies(effect=replace(DRIVER.effect, source=" ")),)),
    "drivers[0].volume.likely": a_case(drivers=(replies(volume=replace(DRIVER.volume, likely=Decimal("NaN"))),)),
    "drivers[0].volume.unit": a_case(drivers=(replies(volume=judged(1, 2, 3, "reply")),)),
}


@pytest.mark.parametrize("field", BAD)
def test_what_does_not_fit_is_refused_with_its_field_and_a_fix(field: str) -> None:
    with pytest.raises(Invalid) as refused:
        casing.check(BAD[field], seed=1, draws=DRAWS)
    assert refused.value.facts["field"] == field
    assert len(refused.value.message) > 20


@pytest.mark.parametrize(("seed", "draws"), [(-1, DRAWS), (1, 999), (1, 200_001)])
def test_seed_and_draws_keep_to_their_limits(seed: int, draws: int) -> None:
    with pytest.raises(Invalid):
        casing.check(a_case(), seed=seed, draws=draws)


def cells(body: bytes, sheet: int) -> list[list[tuple[str, str]]]:
    """Return (type, value) of every cell of a sheet, as the workbook holds them."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        shared = [("".join(t.text or "" for t in item.iter(f"{space}t")))
                  for item in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))]
        tree = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    assert not list(tree.iter(f"{space}f")), "a formula"
    found = []
    for row in tree.iter(f"{space}row"):
        texts = [(c.get("t", "n"), (c.findtext(f"{space}v") or "")) for c in row]
        found.append([(kind, shared[int(v)] if kind == "s" else v) for kind, v in texts])
    return found


def test_the_workbook_holds_numbers_as_numbers_with_grades_and_no_text_as_a_formula(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        evil = "=HYPERLINK(\"http://x\",\"y\")"
        case = a_case(drivers=(replies(evil, effect=replace(DRIVER.effect, source="+1+1")), fewer_reopened()),
                      costs=costs()[:3])
        v = await desk.freeze(u, case)
        file = await desk.cases.export(OWNER, CaseFileRef(use_case="replies"))
        assert file.name == "replies-base-1.xlsx"
        figures, inputs = cells(file.body, 1), cells(file.body, 2)
        assert figures[1][1] == ("n", str(v.outcome.hard.npv.mean.amount).rstrip("0").rstrip("."))
        assert figures[1][6] == ("s", "E0")
        row = next(r for r in inputs if r[0] == ("s", f"{evil}: effect"))
        assert (row[1][0], row[5], row[7]) == ("n", ("s", "E0"), ("s", "+1+1"))
        assert file.body == (await desk.cases.export(OWNER, CaseFileRef(use_case="replies"))).body

    desk.run(story())


def test_the_paper_shows_figures_grades_sources_and_its_hash(desk: Desk) -> None:
    async def story() -> None:
        u = await desk.proposed()
        v = await desk.freeze(u, a_case(drivers=(replies("<b>Faster & better</b>"), fewer_reopened()),
                                        costs=costs()[:3]))
        file = await desk.cases.export(OWNER, CaseFileRef(use_case="replies", form="pdf"))
        paper = pypdfium2.PdfDocument(file.body)
        text = "".join(paper[i].get_textpage().get_text_range() for i in range(len(paper)))
        paper.close()
        flat = "".join(text.split())
        for said in (f"{v.outcome.hard.npv.p50.amount:,.0f}", "E0", "assumedbythetest", v.digest, "<b>Faster&better"):
            assert said in flat, said

    desk.run(story())
