"""Durable jobs: started once by key, advanced in the same transaction as their effects, resumed after any crash."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pilothouse.kernel.call import Call
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.store import Transaction

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

    async def cancel(self, call: Call, job_id: str) -> None: ...


Subscription = Callable[[Call, Sequence[Entry]], Awaitable[None]]
"""Receives ledger entries in order, at least once each; must make twice the same as once."""
