"""Postgres: the ledger's head row is the sequencer between replicas; reads are repeatable and read only."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg

from pilothouse.backends.dialect import (
    Connection,
    ConstraintBroken,
    Keys,
    StatementFailed,
    StoreBroken,
    StoreFull,
    StoreOwned,
    StoreUnavailable,
    ValueRefused,
)
from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.postgres.spelling import numbered, typed
from pilothouse.kernel.clock import Clock
from pilothouse.kernel.errors import PilothouseError
from pilothouse.kernel.ids import Mint
from pilothouse.kernel.store import Row, Scalar

T = TypeVar("T")

CONNECT_S = 10
STATEMENT_S = 60
STATEMENTS_KEPT = 512
CLAIM_TRIES, CLAIM_WAIT_S = 15, 0.2
"""A writer waits three seconds for the lock of one that just hung up: its server session ends a little later."""

_CLAIM = "select pg_try_advisory_lock(8643) as mine"
_SESSION = {"application_name": "pilothouse", "jit": "off", "client_min_messages": "error"}
_WRITER = {**_SESSION, "synchronous_commit": "on", "lock_timeout": "10s",
           # A writer that hangs must not hold the ledger's head for ever.
           "idle_in_transaction_session_timeout": "60s"}
_GONE = (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.TransactionRollbackError,
         asyncpg.InsufficientResourcesError, asyncpg.LockNotAvailableError, asyncpg.ReadOnlySQLTransactionError,
         asyncpg.IdleInTransactionSessionTimeoutError, asyncpg.InvalidAuthorizationSpecificationError,
         asyncpg.InvalidCatalogNameError, asyncpg.InvalidCachedStatementError, OSError, TimeoutError)
_RAISED = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, UnicodeEncodeError, ValueError)


class PostgresConnection:
    """One connection with an event loop of its own, run by whichever thread holds the connection."""

    def __init__(self, dsn: str, *, begin: str, settings: dict[str, str]) -> None:
        self._begin = begin
        self._releasing = False
        self._tables_changed = False
        self._loop = asyncio.SelectorEventLoop()
        self._db: asyncpg.Connection | None = None
        try:
            self._db = self._wait(_connect(dsn, settings))
        except PilothouseError:
            self._loop.close()
            raise

    def begin(self) -> None:
        if self._tables_changed:
            raise StoreUnavailable("the tables changed, so prepared statements no longer hold; connect again")
        self._releasing = False
        self._say(self._begin)

    def commit(self) -> None:
        self._say("commit")

    def rollback(self) -> None:
        self._say("rollback")

    def savepoint(self) -> None:
        # The last work's release travels with this work's savepoint: one round trip less.
        self._say("release savepoint work; savepoint work" if self._releasing else "savepoint work")
        self._releasing = False

    def release(self) -> None:
        self._releasing = True

    def rollback_to(self) -> None:
        self._say("rollback to savepoint work; release savepoint work")

    def select(self, sql: str, args: Sequence[Scalar]) -> list[Row]:
        return [dict(record) for record in self._wait(self._open.fetch(numbered(sql), *args))]

    def execute(self, sql: str, args: Sequence[Scalar]) -> int:
        status = self._wait(self._open.execute(numbered(sql), *args)).rpartition(" ")[2]
        return int(status) if status.isdigit() else -1

    def executemany(self, sql: str, rows: Sequence[Sequence[Scalar]]) -> None:
        self._wait(self._open.executemany(numbered(sql), rows))

    def define(self, sql: str) -> None:
        self._say(typed(sql))
        self._tables_changed = True

    def close(self) -> None:
        """Say goodbye within a second, or hang up."""
        if not self._loop.is_closed():
            with suppress(PilothouseError):
                self._wait(self._open.close(timeout=1))
            self._loop.close()

    @property
    def _open(self) -> asyncpg.Connection:
        assert self._db is not None
        return self._db

    def _say(self, sql: str) -> None:
        self._wait(self._open.execute(sql))

    def _wait(self, doing: Coroutine[Any, Any, T]) -> T:
        try:
            return self._loop.run_until_complete(doing)
        except _RAISED as problem:
            raise _kernel_error(problem, closed=self._db is None or self._db.is_closed()) from problem


class PostgresDialect:
    """Opens connections to one Postgres database, named by a `postgresql://` address."""

    inline_reads = False
    lock_row = " for update"
    scrubbing = ("vacuum full", "checkpoint")
    lock_schema = "select pg_advisory_xact_lock(8642)"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def open_writer(self) -> PostgresConnection:
        return PostgresConnection(self._dsn, begin="begin isolation level read committed", settings=_WRITER)

    def open_reader(self) -> PostgresConnection:
        return PostgresConnection(self._dsn, begin="begin isolation level repeatable read, read only",
                                  settings=_SESSION)


class PostgresDatabase(LedgerDatabase):
    """For several replicas: each groups its own writes, and the head row's lock gives the groups their order.

    With `sole` no other `sole` one writes to the same database at the same time: every connection of the writer takes
    a lock of its session first, so that whoever lost the connection must win it again. StoreOwned says who cannot.
    """

    def __init__(self, dsn: str, *, clock: Clock, mint: Mint, keys: Keys, sole: bool = False) -> None:
        self._sole = sole
        super().__init__(PostgresDialect(dsn), clock=clock, mint=mint, keys=keys)

    def _claim(self, connection: Connection) -> None:
        for _ in range(CLAIM_TRIES if self._sole else 0):
            if connection.select(_CLAIM, ())[0]["mine"]:
                return
            time.sleep(CLAIM_WAIT_S)
        if self._sole:
            raise StoreOwned("another Pilothouse process writes to this Postgres database; stop it first, or let the "
                             "command go through it")


async def _connect(dsn: str, settings: dict[str, str]) -> asyncpg.Connection:
    connection = await asyncpg.connect(dsn, timeout=CONNECT_S, command_timeout=STATEMENT_S, server_settings=settings,
                                       statement_cache_size=STATEMENTS_KEPT)
    # Sums of integers come as numeric; the shared SQL knows only integers and doubles.
    await connection.set_type_codec("numeric", schema="pg_catalog", format="text", encoder=str, decoder=_number)
    return connection


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _kernel_error(problem: Exception, *, closed: bool) -> PilothouseError:
    """Say what Postgres said in the kernel's words, with what to do about it."""
    if isinstance(problem, asyncpg.DiskFullError):
        return StoreFull("the database server's disk is full; nothing was lost, free some space there and try again")
    if isinstance(problem, asyncpg.DataCorruptedError | asyncpg.IndexCorruptedError):
        return StoreBroken(f"the database server found damaged data ({problem}); restore the last backup")
    if closed or isinstance(problem, _GONE):
        return StoreUnavailable(f"the database server cannot do this now ({type(problem).__name__}: {problem}); check "
                                "that it runs and that its address is right, then try again")
    if isinstance(problem, asyncpg.IntegrityConstraintViolationError):
        return ConstraintBroken(f"a row contradicts what is stored ({problem}); read it again and repeat the change")
    if isinstance(problem, asyncpg.DataError | UnicodeEncodeError):
        return ValueRefused(f"a value does not fit its column ({problem}); send a smaller or valid one")
    return StatementFailed(f"the database refused a statement ({problem}); please report this")
