"""The contract of durable jobs as checks that run on any database."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

from pilothouse.backends.jobs import LEASE, MIGRATIONS, DurableJobs, JobFinished, JobLost, JobMissing
from pilothouse.backends.running import JobRunner
from pilothouse.kernel.errors import Invalid, Unavailable
from pilothouse.kernel.jobs import Handler, Job, Progress
from pilothouse.kernel.store import Database, Transaction
from pilothouse.testing.fakes import CountingMint, StillClock
from pilothouse.testing.suites.things import CALL, TABLES, Open, Opened, note, raised

Check = Callable[[Database, "Desk"], Awaitable[None]]


class Desk:
    """One process's view of the jobs: its clock is shared with the others, its runner is its own."""

    def __init__(self, database: Database, clock: StillClock | None = None, mint: CountingMint | None = None) -> None:
        self.clock, self.mint = clock or StillClock(), mint or CountingMint()
        self.jobs = DurableJobs(database, clock=self.clock, mint=self.mint)
        self._database = database

    def beside(self) -> "Desk":
        """Return another process's view of the same jobs."""
        return Desk(self._database, self.clock, self.mint)

    def runner(self, handler: Handler, *, heartbeat_s: float = 60) -> JobRunner:
        return JobRunner(self.jobs, {"count": handler}, lambda job: CALL, heartbeat_s=heartbeat_s)

    async def start(self, key: str = "a", **payload: str) -> str:
        return await self._database.write(
            CALL, lambda tx: self.jobs.start(tx, kind="count", key=key, payload=payload, total=5))

    async def only(self) -> Job:
        (job,) = await self.jobs.list(kind="count")
        return job


def run_check(open_database: Open, check: Check) -> None:
    """Run one check on a fresh database that has the tables of jobs and of the suite."""

    async def run(opened: Opened) -> None:
        await opened.database.migrate((TABLES, *MIGRATIONS))
        await check(opened.database, Desk(opened.database))

    with open_database() as opened:
        asyncio.run(run(opened))


def counting(database: Database, *, stop_at: int = 5, problem: BaseException | None = None) -> Handler:
    """Return a handler that records 0 … 4, one transaction each, and raises `problem` before recording `stop_at`."""

    async def handler(progress: Progress) -> None:
        for n in range(int(progress.job.cursor or 0), 5):
            if n == stop_at and problem is not None:
                raise problem
            await database.write(progress.call, step(progress, n))

    return handler


def step(progress: Progress, n: int) -> Callable[[Transaction], None]:
    """Return a work that notes `n` and advances the job past it."""

    def work(tx: Transaction) -> None:
        note(n)(tx)
        progress.advance(tx, cursor=str(n + 1), done=n + 1)

    return work


async def recorded(database: Database) -> list[int]:
    """Return the numbers in the ledger, which the rows must repeat."""
    entries, rows = await database.read(
        lambda reader: (reader.entries(), reader.rows("select n from thing order by n")))
    assert sorted(entry.body["n"] for entry in entries) == [row["n"] for row in rows]
    return [entry.body["n"] for entry in entries]


async def starting_twice_is_the_same_as_once(database: Database, desk: Desk) -> None:
    first = await desk.start("a", path="/inbox")
    assert await desk.start("a", path="/other") == first
    assert await desk.start("b") != first
    newest, oldest = await desk.jobs.list()
    assert (oldest.id, oldest.payload, oldest.state, oldest.total) == (first, {"path": "/inbox"}, "waiting", 5)
    assert newest.key == "b"
    assert await desk.jobs.list(kind="other") == []


async def a_job_runs_to_its_end_once(database: Database, desk: Desk) -> None:
    await desk.start()
    runner = desk.runner(counting(database))
    assert (await runner.run_until_idle(), await runner.run_until_idle()) == (1, 0)
    job = await desk.only()
    assert (job.state, job.cursor, job.done, job.error) == ("done", "5", 5, "")
    await desk.start()
    assert await runner.run_until_idle() == 0
    assert await recorded(database) == [0, 1, 2, 3, 4]


async def what_is_unavailable_is_tried_again_later_from_the_cursor(database: Database, desk: Desk) -> None:
    await desk.start()
    broken = desk.runner(counting(database, stop_at=3, problem=Unavailable("the model is away")))
    assert (await broken.run_until_idle(), await broken.run_until_idle()) == (1, 0)
    job = await desk.only()
    assert (job.state, job.cursor, job.error) == ("waiting", "3", "kernel.unavailable: the model is away")
    desk.clock.advance(timedelta(seconds=1))
    assert await broken.run_until_idle() == 1
    desk.clock.advance(timedelta(seconds=1))
    assert await broken.run_until_idle() == 0, "the second wait must be longer"
    desk.clock.advance(timedelta(seconds=1))
    assert await desk.runner(counting(database)).run_until_idle() == 1
    assert (await desk.only()).state == "done"
    assert await recorded(database) == [0, 1, 2, 3, 4]


async def what_stays_unavailable_fails_in_the_end(database: Database, desk: Desk) -> None:
    await desk.start()
    broken, runs = desk.runner(counting(database, stop_at=0, problem=Unavailable("away"))), 0
    while (await desk.only()).state != "failed":
        runs += await broken.run_until_idle()
        desk.clock.advance(timedelta(minutes=5))
    assert runs == 13


async def refusals_and_bugs_fail_the_job_with_a_reason(database: Database, desk: Desk) -> None:
    await desk.start("a")
    await desk.runner(counting(database, stop_at=1, problem=Invalid("no such folder"))).run_until_idle()
    await desk.start("b")
    await desk.runner(counting(database, stop_at=0, problem=ValueError("secret text"))).run_until_idle()
    bug, refusal = await desk.jobs.list()
    assert (refusal.state, refusal.error) == ("failed", "kernel.invalid: no such folder")
    assert bug.state == "failed"
    assert re.fullmatch(r"a bug: ValueError in jobs.py:\d+; please report it", bug.error), bug.error


async def a_cancelled_job_stops_at_its_next_step(database: Database, desk: Desk) -> None:
    job_id = await desk.start()
    handler = counting(database)

    async def cancel_first(progress: Progress) -> None:
        await database.write(CALL, lambda tx: desk.jobs.cancel(tx, job_id))
        await handler(progress)

    await desk.runner(cancel_first).run_until_idle()
    assert (await desk.only()).state == "cancelled"
    assert await recorded(database) == []
    assert not await database.write(CALL, lambda tx: desk.jobs.cancel(tx, job_id))
    assert await desk.runner(handler).run_until_idle() == 0


async def a_cancelled_job_goes_on_from_its_cursor_when_resumed(database: Database, desk: Desk) -> None:
    job_id = await desk.start()
    handler = counting(database)

    async def cancel_in_the_middle(progress: Progress) -> None:
        await counting(database, stop_at=2, problem=Unavailable("away"))(progress)

    await desk.runner(cancel_in_the_middle).run_until_idle()
    await database.write(CALL, lambda tx: desk.jobs.cancel(tx, job_id))
    before = await recorded(database)
    assert before and (await desk.only()).per_second is None
    assert await database.write(CALL, lambda tx: desk.jobs.resume(tx, job_id))
    assert not await database.write(CALL, lambda tx: desk.jobs.resume(tx, job_id))
    await desk.runner(handler).run_until_idle()
    after = await recorded(database)
    assert (await desk.only()).state == "done"
    assert list(after)[:len(before)] == list(before) and len(set(after)) == len(after)


async def only_an_open_job_can_be_cancelled(database: Database, desk: Desk) -> None:
    job_id = await desk.start()
    await desk.runner(counting(database)).run_until_idle()
    assert await raised(database.write(CALL, lambda tx: desk.jobs.cancel(tx, job_id)), JobFinished)
    assert await raised(database.write(CALL, lambda tx: desk.jobs.resume(tx, job_id)), JobFinished)
    assert await raised(database.write(CALL, lambda tx: desk.jobs.cancel(tx, "job_unknown")), JobMissing)


async def two_processes_never_work_on_one_job(database: Database, desk: Desk) -> None:
    job_id = await desk.start()
    claims = await asyncio.gather(*(beside.jobs.claim(CALL, job_id) for beside in (desk.beside() for _ in range(8))))
    assert len([claim for claim in claims if claim]) == 1
    assert await desk.beside().runner(counting(database)).run_until_idle() == 0


async def a_dead_process_is_replaced_and_its_ghost_can_do_no_harm(database: Database, desk: Desk) -> None:
    job_id = await desk.start()
    ghost = await desk.jobs.claim(CALL, job_id)
    assert ghost is not None
    await database.write(CALL, step(ghost, 0))
    desk.clock.advance(LEASE)
    heir = await desk.beside().jobs.claim(CALL, job_id)
    assert heir is not None
    assert heir.job.cursor == "1"
    assert await raised(database.write(CALL, step(ghost, 9)), JobLost)
    assert not await desk.jobs.renew(ghost)
    desk.clock.advance(LEASE)
    assert await desk.beside().runner(counting(database)).run_until_idle() == 1
    assert await raised(database.write(CALL, step(ghost, 9)), JobLost)
    await desk.jobs.settle(ghost, "failed", "late")
    assert (await desk.only()).state == "done"
    assert await recorded(database) == [0, 1, 2, 3, 4]


async def a_heartbeat_keeps_a_long_job(database: Database, desk: Desk) -> None:
    await desk.start()
    found: list[int] = []

    async def slow(progress: Progress) -> None:
        desk.clock.advance(LEASE / 2)
        await asyncio.sleep(0.1)
        desk.clock.advance(LEASE / 2)
        found.append(len(await desk.jobs.due(("count",), limit=1)))

    await desk.runner(slow, heartbeat_s=0.02).run_until_idle()
    assert found == [0]
    assert (await desk.only()).state == "done"


async def the_owner_of_a_workspace_takes_up_what_it_left(database: Database, desk: Desk) -> None:
    await desk.jobs.claim(CALL, await desk.start())
    assert await desk.runner(counting(database)).run_until_idle() == 0
    assert await desk.jobs.reclaim(CALL) == 1
    assert await desk.runner(counting(database)).run_until_idle() == 1


async def a_stopped_runner_hands_its_jobs_back(database: Database, desk: Desk) -> None:
    await desk.start()
    at_work = asyncio.Event()

    async def endless(progress: Progress) -> None:
        at_work.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(desk.runner(endless).run_forever())
    await asyncio.wait_for(at_work.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await desk.runner(counting(database)).run_until_idle() == 1


async def a_runner_that_waits_takes_up_new_jobs(database: Database, desk: Desk) -> None:
    finished: asyncio.Queue[str] = asyncio.Queue()

    async def tell(progress: Progress) -> None:
        await finished.put(progress.job.key)

    running = asyncio.create_task(desk.runner(tell).run_forever())
    await asyncio.sleep(0.05)
    for key in "abcdefgh":
        await desk.start(key)
    keys = [await asyncio.wait_for(finished.get(), 10) for _ in range(8)]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert sorted(keys) == list("abcdefgh")


CHECKS: tuple[Check, ...] = (
    starting_twice_is_the_same_as_once, a_job_runs_to_its_end_once,
    what_is_unavailable_is_tried_again_later_from_the_cursor, what_stays_unavailable_fails_in_the_end,
    refusals_and_bugs_fail_the_job_with_a_reason, a_cancelled_job_stops_at_its_next_step,
    only_an_open_job_can_be_cancelled, two_processes_never_work_on_one_job,
    a_dead_process_is_replaced_and_its_ghost_can_do_no_harm, a_heartbeat_keeps_a_long_job,
    the_owner_of_a_workspace_takes_up_what_it_left, a_stopped_runner_hands_its_jobs_back,
    a_runner_that_waits_takes_up_new_jobs,
)
