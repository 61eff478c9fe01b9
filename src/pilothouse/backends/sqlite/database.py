"""SQLite: one file in WAL mode with full sync, one writing connection, any number of reading ones."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from pilothouse.backends.dialect import (
    ConstraintBroken,
    Keys,
    StatementFailed,
    StoreBroken,
    StoreFull,
    StoreUnavailable,
    ValueRefused,
)
from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.sqlite.folding import LogFolder
from pilothouse.kernel.clock import Clock
from pilothouse.kernel.errors import PilothouseError
from pilothouse.kernel.ids import Mint
from pilothouse.kernel.store import Row, Scalar

BUSY_MS = 10_000
STATEMENTS_KEPT = 512
WAL_PAGES = 16_000
"""A log of 64 MB is folded by the commit that fills it: a bound, seldom reached thanks to the folding beside it."""

BACKUP_PAGES = 512
"""Pages copied at a time: 2 MB, so that a backup never holds the disk for long."""

_EVERY = (f"pragma busy_timeout = {BUSY_MS}", "pragma foreign_keys = on", "pragma temp_store = memory")
_WRITER = (*_EVERY, "pragma journal_mode = wal", "pragma synchronous = full", "pragma secure_delete = on",
           f"pragma wal_autocheckpoint = {WAL_PAGES}", "pragma cache_size = -16000")
_READER = (*_EVERY, "pragma query_only = on", "pragma cache_size = -4000")


class SqliteConnection:
    """One connection to the file; statements are kept prepared."""

    __slots__ = ("_begin", "_db")

    def __init__(self, path: Path, *, mode: str, begin: str, pragmas: Sequence[str]) -> None:
        self._begin = begin
        with _told_plainly(path):
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None,
                                       check_same_thread=False, cached_statements=STATEMENTS_KEPT)
            for pragma in pragmas:
                self._db.execute(pragma).fetchall()

    def begin(self) -> None:
        self.execute(self._begin, ())

    def commit(self) -> None:
        self.execute("commit", ())

    def rollback(self) -> None:
        if self._db.in_transaction:
            self.execute("rollback", ())

    def savepoint(self) -> None:
        self.execute("savepoint work", ())

    def release(self) -> None:
        self.execute("release work", ())

    def rollback_to(self) -> None:
        self.execute("rollback to work", ())
        self.execute("release work", ())

    def select(self, sql: str, args: Sequence[Scalar]) -> list[Row]:
        try:
            cursor = self._db.execute(sql, args)
            found = cursor.fetchall()
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as problem:
            raise _kernel_error(problem) from problem
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found]

    def execute(self, sql: str, args: Sequence[Scalar]) -> int:
        try:
            return self._db.execute(sql, args).rowcount
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as problem:
            raise _kernel_error(problem) from problem

    def executemany(self, sql: str, rows: Sequence[Sequence[Scalar]]) -> None:
        try:
            self._db.executemany(sql, rows)
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as problem:
            raise _kernel_error(problem) from problem

    def define(self, sql: str) -> None:
        self.execute(sql, ())

    def copy_to(self, target: Path) -> None:
        """Copy one consistent state into a new file while the writer goes on."""
        with _told_plainly(target), closing(sqlite3.connect(target)) as copy:
            # The open snapshot pins the state: without it each commit would start the copy anew.
            self._db.backup(copy, pages=BACKUP_PAGES, sleep=0.001)

    def close(self) -> None:
        self._db.close()


class SqliteDialect:
    """Opens the file for the engine."""

    inline_reads = True
    lock_row = ""
    lock_schema = ""
    scrubbing = ("pragma wal_checkpoint(truncate)",)
    """The file itself is overwritten at each delete; the log still holds earlier pages until it is cut."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open_writer(self) -> SqliteConnection:
        return SqliteConnection(self._path, mode="rwc", begin="begin immediate", pragmas=_WRITER)

    def open_reader(self) -> SqliteConnection:
        return SqliteConnection(self._path, mode="rw", begin="begin", pragmas=_READER)


class SqliteDatabase(LedgerDatabase):
    """The embedded default: everything in one file beside its write-ahead log."""

    def __init__(self, path: Path, *, clock: Clock, mint: Mint, keys: Keys) -> None:
        super().__init__(SqliteDialect(path), clock=clock, mint=mint, keys=keys)
        self._path = path
        self._folder = LogFolder(SqliteDialect(path).open_writer, self._writer.turn)
        self.on_commit(self._folder.committed)

    def close(self) -> None:
        self._folder.close()
        super().close()

    def _scrub(self) -> None:
        with self._folder.alone:
            super()._scrub()

    async def backup(self, target: Path) -> None:
        """Write one consistent copy into a new file, online."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._backup, target)

    def _backup(self, target: Path) -> None:
        with closing(SqliteDialect(self._path).open_reader()) as source:
            source.begin()
            source.select("select size from ledger_head", ())
            source.copy_to(target)
            source.commit()


@contextmanager
def _told_plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as problem:
        if problem.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CANTOPEN:
            raise StoreUnavailable(f"cannot open the database {path.name}: its file or folder is missing or not "
                                   "writable; check the workspace's path and owner") from problem
        raise _kernel_error(problem) from problem
    except sqlite3.Error as problem:
        raise _kernel_error(problem) from problem


def _kernel_error(problem: Exception) -> PilothouseError:
    """Say what SQLite said in the kernel's words, with what to do about it."""
    primary = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return StoreFull("the disk or the database's quota is full; nothing was lost, free some space and try again")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreBroken(f"the database file is damaged ({problem}); stop the server and restore the last backup")
    if primary in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM,
                   sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT):
        return StoreUnavailable(f"the database file cannot be written or read now ({problem}); nothing of this write "
                                "was kept, check the disk and try again", sqlite=primary)
    if primary == sqlite3.SQLITE_READONLY:
        return StoreUnavailable("the database file may only be read; make it writable for this user and try again")
    if primary in (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH):
        return ConstraintBroken(f"a row contradicts what is stored ({problem}); read it again and repeat the change")
    if isinstance(problem, OverflowError | UnicodeEncodeError) or primary == sqlite3.SQLITE_TOOBIG:
        return ValueRefused(f"a value does not fit its column ({problem}); send a smaller or valid one")
    return StatementFailed(f"the database refused a statement ({problem}); please report this")
