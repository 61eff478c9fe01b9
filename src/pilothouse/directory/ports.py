"""What the directory asks of the floors around it, so that everything about a person can be erased."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pilothouse.directory.contracts import Person
from pilothouse.kernel.call import Call
from pilothouse.kernel.store import Transaction

KeyState = Literal["active", "held", "destroyed"]


class SubjectKeys(Protocol):
    """The keys that subjects' texts are sealed with; destroying one makes its texts unreadable for good."""

    def state(self, subject: str) -> KeyState | None: ...

    def hold(self, subject: str) -> None:
        """Forbid destroying the key; raises a Conflict if it is destroyed already."""
        ...

    def release(self, subject: str) -> None: ...

    def destroy(self, subject: str) -> None:
        """Destroy the key durably; raises a Conflict under a hold. Twice is the same as once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one store would erase of a subject: how much, in which transaction, and what its files need afterwards."""

    store: str
    unit: str
    """What is counted, such as `passages redacted`."""
    count: int
    apply: Callable[[Transaction], int]
    """Erase the rows in the erasure's transaction; returns how many."""
    settle: Callable[[Call], Awaitable[None]] | None = None
    """Bring files and indexes in line after the commit; safe to run again."""


class Forgetter(Protocol):
    """Knows where one part of the platform keeps what is about a person."""

    async def plan(self, subject: str, person: Person | None) -> Sequence[Plan]:
        """Look, on a snapshot, for what must go; changes nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a search through the raw files read, and the files in which a needle was still found."""

    files: int
    bytes: int
    found_in: tuple[str, ...]


class Storage(Protocol):
    """The raw files that everything lies in."""

    async def scrub(self) -> None:
        """Overwrite what deleted rows left behind."""
        ...

    async def scan(self, needles: Sequence[str]) -> Scanned:
        """Search every byte for each needle, in UTF-8 and UTF-16, whatever the case."""
        ...
