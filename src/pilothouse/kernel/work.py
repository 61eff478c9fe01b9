"""Long work's façade: what runs, how far it is, and its end or its going on by a person who may."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Conflict
from pilothouse.kernel.jobs import Job, Jobs
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.store import Database, Transaction


class MustFinish(Conflict):
    """This work may not be cancelled: what it does is owed, or only whole."""

    code = "jobs.must_finish"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRef:
    """Names one job by its id."""

    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One piece of long work as its readers see it; what it works on stays in the job's own row."""

    id: str
    kind: str
    state: str
    done: int
    total: int | None
    per_second: float | None
    """Units a second since it was last taken up; None before the first."""
    seconds_left: float | None
    error: str
    started_at: str
    updated_at: str
    can_be_cancelled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCancelled:
    """A person ended long work where it stood."""

    kind: ClassVar[str] = "jobs.cancelled"
    job: str
    job_kind: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResumed:
    """A person let cancelled or failed work go on from where it stood."""

    kind: ClassVar[str] = "jobs.resumed"
    job: str
    job_kind: str
    done: int
    total: int | None


class LongWork:
    """Tells how long work stands, and ends or resumes it with a record; `owed` are kinds that must finish."""

    def __init__(self, *, database: Database, jobs: Jobs, owed: frozenset[str]) -> None:
        self._database, self._jobs, self._owed = database, jobs, owed

    @operation("GET /api/v1/jobs", effect="read")
    async def list_jobs(self, call: Call, request: NoFields) -> tuple[Work, ...]:
        """Return all long work, newest first, with its rate and how long it lasts still."""
        call.authorize("jobs:read", on="*")
        return tuple(self._told(job) for job in await self._jobs.list())

    @operation("GET /api/v1/jobs/{job}", effect="read")
    async def job(self, call: Call, request: JobRef) -> Work:
        """Return how one piece of long work stands."""
        call.authorize("jobs:read", on="*")
        return await self._one(request.job)

    @operation("POST /api/v1/jobs/{job}/cancel", effect="write")
    async def cancel(self, call: Call, request: JobRef) -> Work:
        """End long work where it stands; what it has done stays, and it can be resumed. Twice is the same as once.

        Raises:
            MustFinish: it is owed, such as an erasure.
        """
        call.authorize("jobs:cancel", on="*")
        held = await self._one(request.job)
        if held.kind in self._owed:
            raise MustFinish("this work cannot be cancelled: what it does is owed, and it goes on after any crash",
                             job=held.id)
        return await self._change(call, request, self._jobs.cancel, JobCancelled)

    @operation("POST /api/v1/jobs/{job}/resume", effect="write")
    async def resume(self, call: Call, request: JobRef) -> Work:
        """Let cancelled or failed work go on from where it stood. Twice is the same as once."""
        call.authorize("jobs:cancel", on="*")
        return await self._change(call, request, self._jobs.resume, JobResumed)

    async def _change(self, call: Call, request: JobRef, act: Callable[[Transaction, str], bool],
                      event: type[JobCancelled] | type[JobResumed]) -> Work:
        def work(tx: Transaction) -> None:
            if act(tx, request.job):
                job = self._jobs.read(tx, request.job)
                tx.record(f"job/{job.id}", event(job=job.id, job_kind=job.kind, done=job.done, total=job.total))

        await self._database.write(call, work)
        return await self._one(request.job)

    async def _one(self, job_id: str) -> Work:
        return self._told(await self._database.read(lambda r: self._jobs.read(r, job_id)))

    def _told(self, job: Job) -> Work:
        return Work(id=job.id, kind=job.kind, state=job.state, done=job.done, total=job.total, error=job.error,
                    per_second=job.per_second, seconds_left=job.seconds_left, started_at=job.started_at,
                    updated_at=job.updated_at,
                    can_be_cancelled=job.kind not in self._owed and job.state in ("waiting", "running"))
