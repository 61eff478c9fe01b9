"""Durable jobs: started once by key, advanced in the same transaction as their effects, resumed after any crash."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import instant
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.store import Reader, Transaction

JobState = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of long work and how far it is; `done` and `total` count the job's own units."""

    id: str
    kind: str
    key: str
    """Starting the same kind and key twice is the same as once."""
    payload: Mapping[str, str]
    state: JobState
    cursor: str
    """Where to go on, in the handler's own words; empty at the start."""
    done: int
    total: int | None
    error: str
    started_at: str
    updated_at: str
    run_at: str = ""
    """When a process last took it up; what it did before does not tell how fast it goes now."""
    run_from: int = 0
    """What was done by then."""

    @property
    def per_second(self) -> float | None:
        """How many units a second the present run does; None before it has done one."""
        if self.state != "running" or not self.run_at or self.done <= self.run_from:
            return None
        took = (instant(self.updated_at) - instant(self.run_at)).total_seconds()
        return (self.done - self.run_from) / took if took > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """How long it lasts still at that rate; None while rate or total is unknown."""
        rate = self.per_second
        return None if rate is None or self.total is None else max(0, self.total - self.done) / rate


class Progress(Protocol):
    """What a handler holds while it works."""

    @property
    def job(self) -> Job: ...

    @property
    def call(self) -> Call: ...

    def advance(self, tx: Transaction, *, cursor: str, done: int, total: int | None = None) -> None:
        """Move the cursor in the caller's transaction, so that effects and progress commit together.

        Raises Conflict if the job was cancelled or another process took it over: the caller's work rolls back.
        """
        ...


Handler = Callable[[Progress], Awaitable[None]]
"""Runs a job from its cursor to its end; called again from the last cursor after a crash."""


class Jobs(Protocol):
    """Starts jobs and tells how they stand."""

    def start(self, tx: Transaction, *, kind: str, key: str, payload: Mapping[str, str] | None = None,
              total: int | None = None) -> str:
        """Start a job in the caller's transaction (or find the one with this key); returns its id."""
        ...

    async def list(self, *, kind: str = "") -> Sequence[Job]: ...

    def read(self, reader: Reader, job_id: str) -> Job:
        """Return one job as it stands in a snapshot or a transaction."""
        ...

    def cancel(self, tx: Transaction, job_id: str) -> bool:
        """End a job where it stands, in the caller's transaction; returns False if it was cancelled before.

        What it did up to its last `advance` stays; the next one is refused and rolls back with its effects.
        """
        ...

    def resume(self, tx: Transaction, job_id: str) -> bool:
        """Let a cancelled or failed job go on from its cursor; returns False if it is open already."""
        ...


Subscription = Callable[[Call, Sequence[Entry]], Awaitable[None]]
"""Receives ledger entries in order, at least once each; must make twice the same as once."""
