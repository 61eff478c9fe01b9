"""Durable jobs over any Database: rows that say how far each is, and leases so that one process works on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import msgspec

from pilothouse.backends.bell import Bell
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import Clock, stamp
from pilothouse.kernel.errors import Conflict, Missing
from pilothouse.kernel.ids import Mint
from pilothouse.kernel.jobs import Job
from pilothouse.kernel.store import Database, Migration, Reader, Row, Scalar, Transaction

MIGRATIONS = (
    Migration(name="jobs/0001_jobs", statements=(
        "create table job (id text primary key, kind text not null, key text not null, payload text not null, "
        "state text not null, cursor text not null, done integer not null, total integer, error text not null, "
        "started_at text not null, updated_at text not null, due_at text not null, attempts integer not null, "
        "owner text not null, leased_until text not null, unique (kind, key))",
        "create index job_due on job (state, due_at)",
        "create table subscription (name text primary key, position integer not null)",
    )),
    Migration(name="jobs/0002_rate", statements=(
        "alter table job add column run_at text not null default ''",
        "alter table job add column run_from integer not null default 0",
    )),
)
LEASE = timedelta(seconds=15)
_JOB = ("select id, kind, key, payload, state, cursor, done, total, error, started_at, updated_at, run_at, run_from "
        "from job ")
_START = ("insert into job (id, kind, key, payload, state, cursor, done, total, error, started_at, updated_at, due_at, "
          "attempts, owner, leased_until) values (?, ?, ?, ?, 'waiting', '', 0, ?, '', ?, ?, ?, 0, '', '') "
          "on conflict do nothing")
_POSTPONE = "state = 'waiting', error = ?, due_at = ?, attempts = attempts + 1, owner = '', leased_until = ''"
_OPEN = "state in ('waiting', 'running')"


class JobLost(Conflict):
    """The job was cancelled, finished or taken over by another process while this one worked on it."""

    code = "jobs.lost"


class JobFinished(Conflict):
    """The job is over already, so it cannot be cancelled."""

    code = "jobs.finished"


class JobMissing(Missing):
    """There is no such job."""

    code = "jobs.missing"


class DurableJobs:
    """Jobs as rows; `bell` rings when one that was started here is committed."""

    def __init__(self, database: Database, *, clock: Clock, mint: Mint) -> None:
        self.bell = Bell()
        self._started = False
        self._database = database
        self._clock = clock
        self._mint = mint

    def start(self, tx: Transaction, *, kind: str, key: str, payload: Mapping[str, str] | None = None,
              total: int | None = None) -> str:
        now = stamp(self._clock.now())
        tx.run(_START, self._mint("job"), kind, key, msgspec.json.encode(payload or {}).decode(), total, now, now, now)
        self._started = True
        return str(tx.rows("select id from job where kind = ? and key = ?", kind, key)[0]["id"])

    def committed(self, size: int, kinds: frozenset[str]) -> None:
        """Wake the runner if a job was started; for `on_commit`, whose thread is the one that started it."""
        if self._started:
            self._started = False
            self.bell.ring()

    async def list(self, *, kind: str = "") -> Sequence[Job]:
        """Return jobs, the newest first."""
        sql = _JOB + ("where kind = ? " if kind else "") + "order by started_at desc, id desc"
        rows = await self._database.read(lambda reader: reader.rows(sql, *((kind,) if kind else ())))
        return [_job(row) for row in rows]

    def read(self, reader: Reader, job_id: str) -> Job:
        """Return one job; raises JobMissing."""
        return found(reader, job_id)

    def cancel(self, tx: Transaction, job_id: str) -> bool:
        """End a job where it stands; twice is the same as once. Raises JobMissing, or JobFinished when it is over."""
        job = found(tx, job_id)
        if job.state in ("done", "failed"):
            raise JobFinished(f"this job is {job.state} already; there is nothing left to cancel", job=job_id)
        return tx.run(f"update job set state = 'cancelled', owner = '', updated_at = ? where id = ? and {_OPEN}",  # noqa: S608
                      stamp(self._clock.now()), job_id) == 1

    def resume(self, tx: Transaction, job_id: str) -> bool:
        """Let a job go on from its cursor; twice is the same as once. Raises JobMissing, or JobFinished when done."""
        job, now = found(tx, job_id), stamp(self._clock.now())
        if job.state == "done":
            raise JobFinished("this job is done already; there is nothing left to do", job=job_id)
        moved = tx.run("update job set state = 'waiting', error = '', attempts = 0, owner = '', leased_until = '', "
                       "due_at = ?, updated_at = ? where id = ? and state in ('cancelled', 'failed')", now, now, job_id)
        self._started = self._started or moved == 1
        return moved == 1

    async def reclaim(self, call: Call) -> int:
        """Take back the leases of processes that died; only who owns the whole workspace may know that they did."""
        return await self._database.write(call, lambda tx: tx.run(
            "update job set owner = '', leased_until = '' where state = 'running'"))

    async def due(self, kinds: Sequence[str], *, limit: int) -> Sequence[Job]:
        """Return jobs of these kinds that nobody works on and whose time has come, the oldest first."""
        now = stamp(self._clock.now())
        marks = ", ".join("?" * len(kinds))
        found = await self._database.read(lambda reader: reader.rows(
            f"{_JOB} where {_OPEN} and due_at <= ? and leased_until <= ? and kind in ({marks}) "
            "order by started_at, id limit ?", now, now, *kinds, limit), quick=True) if kinds else ()
        return [_job(row) for row in found]

    async def claim(self, call: Call, job_id: str) -> "Lease | None":
        """Take a due job for this process; None if another was faster."""
        owner = self._mint("run")
        return await self._database.write(call, lambda tx: self._claim(tx, call, job_id, owner))

    def _claim(self, tx: Transaction, call: Call, job_id: str, owner: str) -> "Lease | None":
        now = stamp(self._clock.now())
        taken = tx.run(f"update job set state = 'running', owner = ?, leased_until = ?, updated_at = ?, "  # noqa: S608
                       f"run_at = ?, run_from = done where id = ? and {_OPEN} and due_at <= ? and leased_until <= ?",
                       owner, self._until(), now, now, job_id, now, now)
        return Lease(jobs=self, call=call, owner=owner, job=found(tx, job_id)) if taken else None

    def _until(self) -> str:
        return stamp(self._clock.now() + LEASE)

    def change(self, tx: Transaction, lease: "Lease", assignments: str, *args: Scalar) -> bool:
        """Change the row if the lease still holds; returns whether it did."""
        return tx.run(f"update job set {assignments}, updated_at = ? "  # noqa: S608
                      "where id = ? and owner = ? and state = 'running'",
                      *args, stamp(self._clock.now()), lease.job.id, lease.owner) == 1

    async def renew(self, lease: "Lease") -> bool:
        """Keep a job for another while; returns whether it is still ours."""
        return await self._database.write(
            lease.call, lambda tx: self.change(tx, lease, "leased_until = ?", self._until()))

    async def settle(self, lease: "Lease", state: Literal["done", "failed"], error: str = "") -> None:
        """End a job; nothing happens if the lease was lost meanwhile."""
        await self._database.write(lease.call, lambda tx: self.change(
            tx, lease, "state = ?, error = ?, owner = '', leased_until = ''", state, error))

    async def postpone(self, lease: "Lease", wait: timedelta, error: str) -> None:
        """Put a job back to be tried again after `wait`."""
        due = stamp(self._clock.now() + wait)
        await self._database.write(lease.call, lambda tx: self.change(tx, lease, _POSTPONE, error, due))

    async def hand_back(self, lease: "Lease") -> None:
        """Let another run go on from the cursor at once."""
        await self._database.write(lease.call, lambda tx: self.change(tx, lease, "owner = '', leased_until = ''"))

    async def attempts(self, lease: "Lease") -> int:
        """Return how often the job was put back since it last moved."""
        rows = await self._database.read(
            lambda reader: reader.rows("select attempts from job where id = ?", lease.job.id), quick=True)
        return int(rows[0]["attempts"] or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work on a job: a handler's `Progress`. `job` is as this run found it."""

    jobs: DurableJobs
    call: Call
    owner: str
    job: Job

    def advance(self, tx: Transaction, *, cursor: str, done: int, total: int | None = None) -> None:
        if not self.jobs.change(tx, self, "cursor = ?, done = ?, total = coalesce(?, total), attempts = 0, error = ''",
                                cursor, done, total):
            raise JobLost("this job was cancelled or taken over by another process; stop working on it",
                          job=self.job.id)


def found(reader: Reader, job_id: str) -> Job:
    """Return one job; raises JobMissing."""
    rows = reader.rows(_JOB + "where id = ?", job_id)
    if not rows:
        raise JobMissing("there is no such job; list the jobs to see their ids", job=job_id)
    return _job(rows[0])


def _job(row: Row) -> Job:
    return msgspec.convert({**row, "payload": msgspec.json.decode(str(row["payload"]))}, Job)
