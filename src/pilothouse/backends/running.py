"""The job runner: leases due jobs, runs their handlers, tries again what was unavailable, records what failed."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from pilothouse.backends.jobs import LEASE, DurableJobs, Lease
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import PilothouseError, Unavailable
from pilothouse.kernel.jobs import Handler, Job

TRIES = 12
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 300.0
POLL_S = 1.0
AT_ONCE = 4

_log = logging.getLogger("pilothouse.jobs")


class JobRunner:
    """Runs the jobs whose kind has a handler here; `call_for` says as whom each job acts."""

    def __init__(self, jobs: DurableJobs, handlers: Mapping[str, Handler], call_for: Callable[[Job], Call], *,
                 heartbeat_s: float = LEASE.total_seconds() / 3) -> None:
        self._jobs = jobs
        self._handlers = handlers
        self._call_for = call_for
        self._heartbeat_s = heartbeat_s

    async def run_until_idle(self) -> int:
        """Run what is due, and what that starts, until nothing is; returns how many runs that took."""
        runs = 0
        while due := await self._jobs.due(tuple(self._handlers), limit=AT_ONCE):
            await asyncio.gather(*(self._run(job) for job in due))
            runs += len(due)
        return runs

    async def run_forever(self) -> None:
        """Run jobs as they become due until cancelled; what is then running goes on after the next start."""
        running: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                await self._jobs.bell.wait(POLL_S)
                running = {job_id: task for job_id, task in running.items() if not task.done()}
                for job in await self._free(running):
                    running[job.id] = asyncio.create_task(self._run_or_wait(job), name=f"job {job.kind}")
                    running[job.id].add_done_callback(lambda _: self._jobs.bell.ring())
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)

    async def _free(self, running: Mapping[str, object]) -> tuple[Job, ...]:
        """Return due jobs for the hands that are free; none while the database cannot say."""
        try:
            due = await self._jobs.due(tuple(self._handlers), limit=AT_ONCE)
        except Unavailable as problem:
            _log.warning("cannot look for jobs: %s", problem.code)
            return ()
        return tuple(job for job in due if job.id not in running)[:AT_ONCE - len(running)]

    async def _run_or_wait(self, job: Job) -> None:
        """Run one job; while the database is away its lease runs out by itself and it is due again."""
        try:
            await self._run(job)
        except Unavailable as problem:
            _log.warning("job %s waits: %s", job.id, problem.code)

    async def _run(self, job: Job) -> None:
        """Run one job, if no other process was faster."""
        lease = await self._jobs.claim(self._call_for(job), job.id)
        if lease is None:
            return
        try:
            await self._work(lease)
        except asyncio.CancelledError:
            await self._jobs.hand_back(lease)
            raise

    async def _work(self, lease: Lease) -> None:
        async with self._kept_alive(lease):
            problem = await outcome(self._handlers[lease.job.kind](lease))
        if problem is None:
            await self._jobs.settle(lease, "done")
        elif isinstance(problem, Unavailable) and (tried := await self._jobs.attempts(lease)) < TRIES:
            await self._jobs.postpone(lease, max(wait_after(tried), asked_for(problem)), told(problem))
        else:
            await self._jobs.settle(lease, "failed", told(problem))

    @asynccontextmanager
    async def _kept_alive(self, lease: Lease) -> AsyncIterator[None]:
        heart = asyncio.create_task(self._beat(lease))
        try:
            yield
        finally:
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)

    async def _beat(self, lease: Lease) -> None:
        """Renew the lease until it is lost; the handler then learns so at its next advance."""
        renewed = True
        while renewed:
            await asyncio.sleep(self._heartbeat_s)
            try:
                renewed = await self._jobs.renew(lease)
            except Unavailable:
                _log.warning("job %s: the lease could not be renewed, trying again", lease.job.id)


async def outcome(doing: Awaitable[None]) -> Exception | None:
    """Await a handler and return what it raised: a failed job is recorded, never dropped."""
    try:
        await doing
    except Exception as problem:
        if not isinstance(problem, PilothouseError):
            _log.exception("a bug in a job or subscription")
        return problem
    return None


def wait_after(tried: int) -> timedelta:
    """Return how long to wait before the next try: doubling from a second to five minutes."""
    return timedelta(seconds=min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** tried))


def asked_for(problem: Unavailable) -> timedelta:
    """Return how long the other side asked to be left alone (`retry_after_s`), a day at most."""
    seconds = problem.facts.get("retry_after_s", 0)
    return timedelta(seconds=min(max(float(seconds), 0.0), 86_400.0))


def told(problem: Exception) -> str:
    """Say what went wrong; of a bug only its kind and place, since its message may quote content."""
    if isinstance(problem, PilothouseError):
        return f"{problem.code}: {problem.message}"
    place = traceback.extract_tb(problem.__traceback__)[-1]
    return f"a bug: {type(problem).__name__} in {Path(place.filename).name}:{place.lineno}; please report it"
