"""Reports: who could use a use case and who did, week by week, from raw facts and the directory."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.directory import store as directory_store
from pilothouse.directory.api import Directory
from pilothouse.directory.contracts import NewPerson, PersonRef
from pilothouse.directory.migrations import MIGRATIONS as DIRECTORY
from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Denied
from pilothouse.kernel.store import Reader
from pilothouse.steps.adoption.api import Adoption
from pilothouse.steps.adoption.contracts import SMALL_UNITS, AdoptionQuery, UsageReport, WeeklyUse
from pilothouse.steps.adoption.errors import TooManyWeeks
from pilothouse.steps.adoption.plugs import AdoptionFacts
from pilothouse.steps.gateway.contracts import UsageFact
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import FreezeRequest, GateRequest, Kpi, Proposal, SampleBatch, UseCaseRef
from pilothouse.steps.portfolio.migrations import MIGRATIONS as PORTFOLIO
from pilothouse.testing.fakes import EPOCH, CountingMint, PlainKeys, StillClock, call_as, person, system_call

WEEK = timedelta(weeks=1)
OWNER, SPONSOR = call_as(person("olga")), call_as(person("bo"))


class Uses:
    """A gateway of which only the facts of use are asked: it keeps them as a list."""

    def __init__(self) -> None:
        self.facts: list[UsageFact] = []

    def asked(self, who: str, at: datetime, *, status: str = "final", times: int = 1) -> None:
        for _ in range(times):
            self.facts.append(UsageFact(
                id=f"int_{len(self.facts)}", use_case_id="uc", principal=who, unit="", asked_at=stamp(at),  # type: ignore[arg-type]
                status=status, answered=True, latency_ms=5.0, cost_eur=0.0, tokens_in=1, tokens_out=1, demo=True,
                given_seq=1))

    def usage(self, reader: Reader, *, use_case_id: str = "", since: str = "", until: str = "~") -> list[UsageFact]:
        return sorted((f for f in self.facts if since <= f.asked_at < until), key=lambda f: f.asked_at)


class Bank:
    """Two units of ten and one of three on a real file, and a use case that went live on Monday, 2 March 2026."""

    def __init__(self, database: LedgerDatabase) -> None:
        mint = CountingMint()
        self.database, self.uses = database, Uses()
        self.directory = Directory(database=database, mint=mint)
        self.portfolio = Portfolio(database=database, mint=mint)
        self.adoption = Adoption(database=database, directory=self.directory, portfolio=self.portfolio,
                                 gateway=self.uses)  # type: ignore[arg-type]

    async def begin(self) -> None:
        await self.database.migrate((*DIRECTORY, *PORTFOLIO))
        for unit, count in (("retail", 10), ("payments", 10), ("board", 3)):
            for n in range(count):
                await self.directory.add_person(system_call(), NewPerson(id=f"{unit}{n}", name=unit, unit=unit))
        await self.directory.add_person(system_call(), NewPerson(id="robo", name="Robo", unit="retail", kind="agent"))

    async def use_case(self, **fields: Any) -> str:
        u = await self.portfolio.propose(OWNER, Proposal(
            title="Savings desk", problem="Branch staff search long policies.", outcome="speed", slug="savings",
            unit_of_work="question answered", **fields))
        await self.portfolio.define_kpi(OWNER, Kpi(use_case_id=u.id, slug="minutes", title="Minutes", unit="min",
                                                   shape="mean", better="lower", least_change=3.0))
        await self.portfolio.measure(OWNER, SampleBatch(use_case_id=u.id, kpi="minutes", period="baseline",
                                                        values=(10.0, 11.0, 9.0, 12.0), source="tickets"))
        await self.portfolio.freeze_baseline(OWNER, FreezeRequest(use_case_id=u.id, kpi="minutes"))
        await self.portfolio.decide_gate(SPONSOR, GateRequest(use_case_id=u.id, verdict="go", reason="seen"))
        return u.id

    async def report(self, *, after: timedelta, weeks: int = 4) -> UsageReport:
        return await self.adoption.report(replace(OWNER, at=EPOCH + after), AdoptionQuery(use_case="savings",
                                                                                       weeks=weeks))


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    database = SqliteDatabase(tmp_path / "p.db", clock=StillClock(), mint=CountingMint(), keys=PlainKeys())
    bank = Bank(database)
    asyncio.run(bank.begin())
    yield bank
    database.close()


def row(report: UsageReport, unit: str, week: int = -1) -> WeeklyUse:
    return [r for r in report.rows if r.unit == unit][week]


def test_people_count_once_a_week_and_tasks_every_time(bank: Bank) -> None:
    asyncio.run(bank.use_case(units=("retail",)))
    for n in range(5):
        bank.uses.asked(f"retail{n}", EPOCH + timedelta(days=n), times=3)
    bank.uses.asked("payments1", EPOCH)
    bank.uses.asked("robo", EPOCH)
    bank.uses.asked("retail9", EPOCH, status="refused")
    seen = row(asyncio.run(bank.report(after=WEEK, weeks=2)), "retail", 0)
    assert (seen.week, seen.eligible, seen.active, seen.share, seen.tasks) == ("2026-03-02", 10, 5, 0.5, 15)
    assert seen.complete


def test_weeks_before_the_gate_are_not_counted_and_quiet_weeks_after_it_are_nought(bank: Bank) -> None:
    asyncio.run(bank.use_case(units=("retail",)))
    report = asyncio.run(bank.report(after=WEEK))
    assert [(r.week, r.active, r.complete) for r in report.rows if r.unit == "retail"] == [
        ("2026-02-16", None, True), ("2026-02-23", None, True), ("2026-03-02", 0, True), ("2026-03-09", 0, False)]


def test_a_week_belongs_to_its_monday_at_the_last_instant_of_sunday(bank: Bank) -> None:
    asyncio.run(bank.use_case(units=("retail",)))
    sunday = datetime(2026, 3, 8, 23, 59, 59, 999999, tzinfo=EPOCH.tzinfo)
    for n in range(5):
        bank.uses.asked(f"retail{n}", sunday)
        bank.uses.asked(f"retail{n}", sunday + timedelta(microseconds=1))
    report = asyncio.run(bank.report(after=WEEK, weeks=2))
    assert [(r.active, r.tasks) for r in report.rows if r.unit == "retail"] == [(5, 5), (5, 5)]


def test_a_small_unit_is_counted_with_another_and_few_active_people_are_withheld(bank: Bank) -> None:
    asyncio.run(bank.use_case())
    for n in range(3):
        bank.uses.asked(f"retail{n}", EPOCH)
    for n in range(6):
        bank.uses.asked(f"payments{n}", EPOCH)
    report = asyncio.run(bank.report(after=timedelta(0), weeks=1))
    assert report.pooled == ("board", "payments")
    assert [(r.unit, r.eligible, r.active) for r in report.rows] == [
        ("retail", 10, None), (SMALL_UNITS, 13, None), ("", 23, 9)]
    assert report.withheld == 2


def test_somebody_who_left_is_no_longer_eligible(bank: Bank) -> None:
    asyncio.run(bank.use_case(units=("retail",)))
    asyncio.run(bank.directory.disable_person(system_call(), PersonRef(person="retail0")))
    assert row(asyncio.run(bank.report(after=timedelta(0), weeks=1)), "retail").eligible == 9


def test_people_who_come_back_are_told_as_a_tenth(bank: Bank) -> None:
    asyncio.run(bank.use_case(units=("retail", "payments")))
    for n in range(9):
        bank.uses.asked(f"retail{n}", EPOCH)
        bank.uses.asked(f"payments{n}", EPOCH + WEEK)
    for n in range(5):
        bank.uses.asked(f"retail{n}", EPOCH + 2 * WEEK)
    assert asyncio.run(bank.report(after=3 * WEEK)).returning_share == 0.3
    assert asyncio.run(bank.report(after=timedelta(0))).returning_share is None


def test_facts_for_gates_speak_of_complete_weeks_only(bank: Bank) -> None:
    asyncio.run(bank.use_case(units=("retail", "payments")))
    plug = AdoptionFacts(bank.uses, adoption=bank.adoption, people_in=directory_store.people)  # type: ignore[arg-type]

    def facts(today: str) -> list[tuple[str, str]]:
        standing = asyncio.run(bank.portfolio.standing(OWNER, UseCaseRef(use_case="savings")))
        return [(f.name, f.status) for f in bank.database.read_now(lambda r: plug.facts(r, standing, today))]

    assert facts("2026-03-04") == [("People use it", "no data"), ("People come back", "no data")]
    for n in range(5):
        for week in range(2):
            bank.uses.asked(f"retail{n}", EPOCH + week * WEEK)
            bank.uses.asked(f"payments{n}", EPOCH + week * WEEK)
    assert facts("2026-03-08") == [("People use it", "no data"), ("People come back", "no data")]
    assert facts("2026-03-16") == [("People use it", "covered"), ("People come back", "covered")]
    assert facts("2026-03-23") == [("People use it", "exposed"), ("People come back", "covered")]


@pytest.mark.parametrize("weeks", [0, -1, 105])
def test_a_report_covers_one_to_104_weeks(bank: Bank, weeks: int) -> None:
    asyncio.run(bank.use_case())
    with pytest.raises(TooManyWeeks):
        asyncio.run(bank.report(after=timedelta(0), weeks=weeks))


def test_a_report_needs_the_permission_to_read_it(bank: Bank) -> None:
    nobody = call_as(person("nobody"), access=RoleRulings())
    with pytest.raises(Denied):
        asyncio.run(bank.adoption.report(nobody, AdoptionQuery(use_case="savings")))
