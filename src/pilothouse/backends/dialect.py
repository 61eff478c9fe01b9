"""What the engine asks of a database: connections with savepoints, and how a dialect differs from the shared SQL."""

from collections.abc import Sequence
from typing import Protocol

from pilothouse.kernel.errors import Conflict, Invalid, PilothouseError, Unavailable
from pilothouse.kernel.store import Row, Scalar


class StoreUnavailable(Unavailable):
    """The database went away, is busy or has no space: everything in this group is undone and may be tried again."""

    code = "store.unavailable"


class StoreFull(StoreUnavailable):
    """There is no space left to write; nothing was lost and writing goes on once there is."""

    code = "store.full"


class StoreOwned(StoreUnavailable):
    """Another process is the one that writes to this database; nothing of this one was written."""

    code = "store.owned"


class StoreBroken(PilothouseError):
    """The database's own files are damaged."""

    code = "store.broken"


GROUP_ENDING = (StoreUnavailable, StoreBroken)
"""What ends a whole group: after these the transaction itself is gone or in doubt."""


class ConstraintBroken(Conflict):
    """A row contradicts a constraint: a unique key, a reference, a check or a value that must be there."""

    code = "store.constraint"


class ValueRefused(Invalid):
    """A value cannot be stored in its column."""

    code = "store.value"


class StatementFailed(PilothouseError):
    """The database refused a statement for a reason that is a bug of ours; its transaction is undone."""

    code = "store.statement"


class SchemaNewer(Conflict):
    """The database was migrated by a newer build than this one."""

    code = "store.schema_newer"


class Connection(Protocol):
    """One database connection, used by one thread at a time; every error it raises is a PilothouseError."""

    def begin(self) -> None:
        """Start a transaction: the one writer's, or a read-only snapshot, as the connection was opened."""
        ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def savepoint(self) -> None: ...

    def release(self) -> None: ...

    def rollback_to(self) -> None:
        """Undo everything since the last savepoint and forget it."""
        ...

    def select(self, sql: str, args: Sequence[Scalar]) -> list[Row]: ...

    def execute(self, sql: str, args: Sequence[Scalar]) -> int:
        """Run one statement; returns how many rows it touched."""
        ...

    def executemany(self, sql: str, rows: Sequence[Sequence[Scalar]]) -> None: ...

    def define(self, sql: str) -> None:
        """Run one statement that changes tables, with the shared type words mapped to the database's own."""
        ...

    def close(self) -> None: ...


class Dialect(Protocol):
    """How to reach one database, and where its SQL is not the shared one."""

    @property
    def inline_reads(self) -> bool:
        """Whether a point look-up is fast enough to run on an event loop's own thread."""
        ...

    @property
    def lock_row(self) -> str:
        """What to append to a select so that other writers wait for this transaction, such as ` for update`."""
        ...

    @property
    def lock_schema(self) -> str:
        """A select that makes other migrators wait until the transaction ends; empty where there is only one writer."""
        ...

    @property
    def scrubbing(self) -> tuple[str, ...]:
        """Statements, outside of any transaction, after which the files no longer hold deleted or replaced bytes."""
        ...

    def open_writer(self) -> Connection: ...

    def open_reader(self) -> Connection: ...


class Keys(Protocol):
    """Seals texts under their subject's key; the key ring does."""

    def seal(self, subject: str, plaintext: bytes, aad: bytes) -> bytes: ...

    def unseal(self, subject: str, sealed: bytes, aad: bytes) -> bytes | None:
        """Return the text, or None once the subject's key was destroyed."""
        ...

    def commit(self, subject: str, plaintext: bytes) -> str:
        """Return a keyed commitment in hex."""
        ...
