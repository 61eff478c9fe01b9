"""Jobs and subscriptions keep their contract on SQLite and Postgres, and a stop between any two steps loses nothing."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pilothouse.backends.jobs import MIGRATIONS, DurableJobs
from pilothouse.backends.postgres.database import PostgresDatabase
from pilothouse.backends.running import JobRunner
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.backends.subscriptions import Subscriber, Subscriptions
from pilothouse.kernel.call import Call
from pilothouse.kernel.store import Database
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock
from pilothouse.testing.faults import FaultyDatabase, Injected
from pilothouse.testing.postgres import fresh_address
from pilothouse.testing.suites import jobs as job_suite
from pilothouse.testing.suites import subscriptions as subscription_suite
from pilothouse.testing.suites.jobs import Check, Desk, counting, recorded, run_check
from pilothouse.testing.suites.things import CALL, TABLES, Opened, note

CHECKS = (*job_suite.CHECKS, *subscription_suite.CHECKS)


@contextmanager
def on_sqlite(path: Path) -> Iterator[Opened]:
    database = SqliteDatabase(path, clock=StillClock(), mint=CountingMint(), keys=PlainKeys())
    try:
        yield Opened(database=database, erase=lambda subject: None)
    finally:
        database.close()


@contextmanager
def on_postgres() -> Iterator[Opened]:
    database = PostgresDatabase(fresh_address(), clock=StillClock(), mint=CountingMint(), keys=PlainKeys())
    try:
        yield Opened(database=database, erase=lambda subject: None)
    finally:
        database.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_jobs_keep_their_contract_on_sqlite(check: Check, tmp_path: Path) -> None:
    run_check(lambda: on_sqlite(tmp_path / "p.db"), check)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_jobs_keep_their_contract_on_postgres(check: Check) -> None:
    run_check(on_postgres, check)


def test_a_job_survives_a_fault_at_every_statement(tmp_path: Path) -> None:
    fail_at, got_through = 0, False
    while not got_through:
        fail_at += 1
        with on_sqlite(tmp_path / f"{fail_at}.db") as opened:
            got_through = asyncio.run(one_fault(opened.database, fail_at))
    assert fail_at > 25, "start, claim, five steps and the end are more statements than that"


async def one_fault(database: Database, fail_at: int) -> bool:
    """Run a job whose process fails at one statement, then another process; returns whether nothing failed."""
    desk, faulty = Desk(database), FaultyDatabase(database, fail_at=fail_at)
    await database.migrate((TABLES, *MIGRATIONS))
    first_try = asyncio.create_task(run_job(faulty, desk))
    (problem,) = await asyncio.gather(first_try, return_exceptions=True)
    assert problem is None or isinstance(problem, Injected)
    seen, jobs = await recorded(database), await desk.jobs.list()
    assert seen == list(range(len(seen)))
    assert [job.done for job in jobs] in ([], [len(seen)])
    await run_job(database, desk)
    assert await recorded(database) == [0, 1, 2, 3, 4]
    assert (await desk.only()).state == "done"
    return problem is None


async def run_job(database: Database, desk: Desk) -> None:
    here = Desk(database, desk.clock, desk.mint)
    await here.start()
    await here.jobs.reclaim(CALL)
    for due in await here.jobs.due(("count",), limit=1):
        if lease := await here.jobs.claim(CALL, due.id):
            await counting(database)(lease)
            await here.jobs.settle(lease, "done")


def test_a_commit_wakes_runner_and_subscribers_at_once(tmp_path: Path) -> None:
    with on_sqlite(tmp_path / "p.db") as opened:
        database = opened.database
        assert isinstance(database, SqliteDatabase)
        jobs = DurableJobs(database, clock=StillClock(), mint=CountingMint())
        heard, ran = asyncio.Event(), asyncio.Event()

        async def hear(call: Call, entries: object) -> None:
            heard.set()

        async def run(progress: object) -> None:
            ran.set()

        async def wake() -> float:
            await database.migrate((TABLES, *MIGRATIONS))
            subscriptions = Subscriptions(
                database, (Subscriber(name="s", kinds=("thing_noted",), handler=hear),), lambda: CALL)
            database.on_commit(jobs.committed)
            database.on_commit(subscriptions.committed)
            following = [asyncio.create_task(subscriptions.run_forever()),
                         asyncio.create_task(JobRunner(jobs, {"k": run}, lambda job: CALL).run_forever())]
            await asyncio.sleep(0.1)
            loop = asyncio.get_running_loop()
            began = loop.time()
            await database.write(CALL, lambda tx: (note(1)(tx), jobs.start(tx, kind="k", key="1")))
            await asyncio.gather(heard.wait(), ran.wait())
            took = loop.time() - began
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            return took

        assert asyncio.run(wake()) < 0.5, "that was the poll, not the bell"
