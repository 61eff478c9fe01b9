"""The database engine: group commits by one writer, snapshot reads, one Merkle ledger, the same on every dialect."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from pilothouse.backends.dialect import Connection, Dialect, Keys, StoreUnavailable
from pilothouse.backends.grouping import GroupWriter, Listener
from pilothouse.backends.migrating import BASE, SYSTEM, apply, apply_base, outstanding
from pilothouse.backends.reading import Snapshots
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import Clock
from pilothouse.kernel.ids import Mint
from pilothouse.kernel.store import Migration, Reader, Transaction

T = TypeVar("T")

READER_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The ledger's size and the root hash over all its leaves."""

    size: int
    root: bytes


class LedgerDatabase:
    """A `kernel.store.Database` over any dialect; callers may be on any event loop and thread."""

    def __init__(self, dialect: Dialect, *, clock: Clock, mint: Mint, keys: Keys) -> None:
        self._dialect = dialect
        self._clock = clock
        self._snapshots = Snapshots(dialect, keys)
        self._threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="pilothouse-reader")
        self._writer = GroupWriter(dialect, clock=clock, mint=mint, keys=keys, prepare=self._prepare,
                                   claim=self._claim)
        self._known = {migration.name for migration in BASE}
        self._closed = False

    async def write(self, call: Call, work: Callable[[Transaction], T], *, quick: bool = False) -> T:
        return await self._writer.submit(call, work, quick=quick)

    async def read(self, work: Callable[[Reader], T], *, quick: bool = False) -> T:
        if quick and self._dialect.inline_reads:
            return self._snapshots.read(work)
        if self._closed:
            raise StoreUnavailable("the database is closed; open it again")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._snapshots.read, work)

    def read_now(self, work: Callable[[Reader], T]) -> T:
        """Run `work` on a snapshot and block until it is done: for threads, not for coroutines."""
        return self._snapshots.read(work)

    async def migrate(self, migrations: Sequence[Migration]) -> Sequence[str]:
        """Apply what is outstanding, all or nothing; SchemaNewer if a newer build was here. Pass all steps' at once."""
        self._known |= {migration.name for migration in migrations}
        applied = await self._writer.submit(
            SYSTEM, lambda tx: apply(tx, outstanding(tx, migrations, self._known), self._clock))
        if applied:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._snapshots.forget_plans)
        return applied

    async def head(self) -> Head:
        """Return size and root as of the last commit."""
        return await self.read(head_of, quick=True)

    async def scrub(self) -> None:
        """Rid the database's files of deleted bytes, as an erasure promises; slow on large Postgres databases."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._scrub)

    def _scrub(self) -> None:
        # No group may begin meanwhile: it would wait for the files, perhaps on an event loop.
        with self._writer.turn, closing(self._dialect.open_writer()) as connection:
            for statement in self._dialect.scrubbing:
                connection.select(statement, ())

    def on_commit(self, listener: Listener) -> None:
        """Call `listener` after each group, on the writer's thread: only signal, never work."""
        self._writer.listeners = (*self._writer.listeners, listener)

    def close(self) -> None:
        """Finish the writes that wait, then close every connection."""
        self._writer.close()
        if not self._closed:
            self._closed = True
            self._threads.submit(self._snapshots.close).result()
            self._threads.shutdown()

    def _prepare(self, connection: Connection) -> None:
        """Make the engine's own tables before the first group on a connection."""
        apply_base(connection, self._dialect, self._clock)

    def _claim(self, connection: Connection) -> None:
        """Make sure that a writer's new connection may write, where the database itself has to say so."""


def head_of(reader: Reader) -> Head:
    """Return the ledger's head as this snapshot sees it."""
    row = reader.rows("select size, root from ledger_head where id = 1")[0]
    assert isinstance(row["size"], int)
    assert isinstance(row["root"], bytes)
    return Head(size=row["size"], root=row["root"])
