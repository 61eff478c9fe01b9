"""Portfolios on real databases, SQLite and Postgres alike, with everything that measures."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pilothouse.backends import jobs as job_tables
from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.jobs import DurableJobs
from pilothouse.backends.postgres.database import PostgresDatabase
from pilothouse.backends.running import JobRunner
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.ids import Mint
from pilothouse.kernel.store import Database
from pilothouse.steps.portfolio import jobs as portfolio_jobs
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.api.samples import Samples
from pilothouse.steps.portfolio.contracts import Kpi, Proposal, SampleBatch, UseCase
from pilothouse.steps.portfolio.contracts.samples import Feed, Pulled
from pilothouse.steps.portfolio.migrations import MIGRATIONS
from pilothouse.testing.fakes import EPOCH, CountingMint, PlainKeys, StillClock, call_as, person, system_call
from pilothouse.testing.postgres import fresh_address

T = TypeVar("T")
IDEA = Proposal(title="Summarise complaints", problem="Agents read every complaint twice before they answer it.",
                outcome="speed", unit_of_work="complaint handled", slug="complaints")


@dataclass
class Tape:
    """A source that holds a list of numbers and gives them page by page, one minute apart."""

    values: list[float] = field(default_factory=list)
    asked: int = 0

    def check(self, feed: Feed) -> None:
        return None

    async def pull(self, feed: Feed, *, until: datetime, limit: int) -> Pulled:
        self.asked += 1
        start = int(feed.position or 0)
        page = self.values[start:start + min(limit, 3)]
        times = tuple(stamp(EPOCH + timedelta(minutes=start + i)) for i in range(len(page)))
        end = start + len(page)
        return Pulled(values=tuple(page), times=times, position=str(end) if page else feed.position,
                      more=end < len(self.values))


@dataclass
class Lab:
    """A portfolio that measures, on a real database."""

    database: LedgerDatabase
    mint: Mint
    clock: StillClock
    tape: Tape = field(default_factory=Tape)

    def __post_init__(self) -> None:
        self.jobs = DurableJobs(self.database, clock=self.clock, mint=self.mint)
        self.portfolio, self.samples = self.on(self.database)

    def on(self, database: Database) -> tuple[Portfolio, Samples]:
        """Return façades over this database, or a faulty one in front of it."""
        portfolio = Portfolio(database=database, mint=self.mint)
        samples = Samples(database=database, mint=self.mint, portfolio=portfolio, jobs=self.jobs)
        samples.plug("ledger", self.tape)
        return portfolio, samples

    @property
    def owner(self) -> Call:
        return call_as(person("olga", "owner"), at=self.clock.now())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    async def case(self, **kpi: Any) -> UseCase:
        """Propose the use case with one KPI, minutes."""
        u = await self.portfolio.propose(self.owner, IDEA)
        await self.portfolio.define_kpi(self.owner, Kpi(**{
            "use_case_id": u.id, "slug": "minutes", "title": "Minutes", "unit": "min", "shape": "mean",
            "better": "lower", "least_change": 3.0, **kpi}))
        return u

    async def measure(self, u: UseCase, *values: float, **more: Any) -> None:
        await self.portfolio.measure(self.owner, SampleBatch(**{
            "use_case_id": u.id, "kpi": "minutes", "period": "current", "values": values, "source": "tickets", **more}))

    def runner(self, samples: Samples | None = None) -> JobRunner:
        return JobRunner(self.jobs, portfolio_jobs.handlers(samples or self.samples),
                         lambda job: system_call(at=self.clock.now()))

    async def derived(self) -> list[Any]:
        """Return every derived row."""
        return await self.database.read(lambda r: [
            *r.rows("select * from kpi_slot order by use_case_id, kpi, period, grain, slot"),
            *r.rows("select * from kpi_state order by use_case_id, kpi, period")])


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerDatabase]:
    """A database without the portfolio's tables."""
    mint, clock = CountingMint(), StillClock()
    database: LedgerDatabase
    if request.param == "sqlite":
        database = SqliteDatabase(tmp_path / "e.db", clock=clock, mint=mint, keys=PlainKeys())
    else:
        database = PostgresDatabase(fresh_address(), clock=clock, mint=mint, keys=PlainKeys())
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    mint, clock = CountingMint(), StillClock()
    database: LedgerDatabase
    if request.param == "sqlite":
        database = SqliteDatabase(tmp_path / "p.db", clock=clock, mint=mint, keys=PlainKeys())
    else:
        database = PostgresDatabase(fresh_address(), clock=clock, mint=mint, keys=PlainKeys())
    asyncio.run(database.migrate((*job_tables.MIGRATIONS, *MIGRATIONS)))
    yield Lab(database=database, mint=mint, clock=clock)
    database.close()
