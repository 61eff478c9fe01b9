"""Database: writes are functions handed to the one writer; rows, texts and entries commit together or not at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pilothouse.kernel.call import Call
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.ledger import Entry, Event, Sealed

Scalar = str | int | float | bytes | None
Row = Mapping[str, Scalar]
T = TypeVar("T")


class Reader(Protocol):
    """Reads one consistent snapshot: rows, sealed texts and ledger entries."""

    def rows(self, sql: str, *args: Scalar) -> Sequence[Row]:
        """Run one select with `?` placeholders; rows are mappings by column name."""
        ...

    def text(self, content_id: str) -> str | None:
        """Return a sealed text by its id, or None once its subject was erased."""
        ...

    def entries(self, *, after: int = -1, before: int | None = None, stream: str = "", kinds: Sequence[str] = (),
                limit: int = 1000, newest_first: bool = False) -> Sequence[Entry]:
        """Return entries with `after` < seq < `before`, of one stream and some kinds where given, at most `limit`."""
        ...

    def size(self) -> int:
        """Return how many entries the ledger holds; the next one gets this number."""
        ...

    def nodes(self, level: int, start: int, count: int) -> Sequence[bytes]:
        """Return stored Merkle hashes at a tile level (0, 8, 16, …), as `kernel.merkle` asks for them."""
        ...


class Transaction(Reader, Protocol):
    """One unit of work inside a group commit: an exception rolls back this work and no other."""

    def run(self, sql: str, *args: Scalar) -> int:
        """Run one insert, update or delete; returns how many rows it touched."""
        ...

    def record(self, stream: str, event: Event) -> int:
        """Append an event to the ledger; returns its sequence number (the leaf's index, from 0)."""
        ...

    def seal(self, subject: SubjectId, text: str) -> Sealed:
        """Store a text encrypted under its subject's key; returns what an event may hold of it."""
        ...


class Database(Protocol):
    """Hands work to the writer and reads snapshots; one suite runs on every backend."""

    async def write(self, call: Call, work: Callable[[Transaction], T], *, quick: bool = False) -> T:
        """Run `work` in the next group commit and return its result once it is durable.

        `quick` promises a handful of statements on few rows, which may then run without a thread switch.
        Raises whatever `work` raises (its rows and entries are then gone), or Unavailable when the commit failed.
        `work` may run more than once if a commit must be retried: it must not act outside the transaction.
        """
        ...

    async def read(self, work: Callable[[Reader], T], *, quick: bool = False) -> T:
        """Run `work` on a snapshot; `quick` promises point look-ups, which may then run without a thread switch."""
        ...

    async def migrate(self, migrations: Sequence["Migration"]) -> Sequence[str]:
        """Apply those not yet applied, in order; returns their names. Forward only."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A named, forward-only change of tables, in the SQL subset both databases share.

    Types: `text`, `integer` (64 bit), `real` (double), `blob`; each backend maps them to its own.
    """

    name: str
    """`step/0001_what`, unique and never renamed."""
    statements: tuple[str, ...]
