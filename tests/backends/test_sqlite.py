"""SQLite keeps the database contract, and says plainly when its file is full, damaged or newer."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pilothouse.backends.dialect import SchemaNewer, StoreBroken, StoreFull, StoreUnavailable
from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.sqlite.database import SqliteConnection, SqliteDatabase, SqliteDialect
from pilothouse.kernel.store import Migration, Transaction
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock
from pilothouse.testing.suites.database import CHECKS
from pilothouse.testing.suites.things import CALL, TABLES, Check, Opened, note, run_check


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    keys = PlainKeys()
    database = SqliteDatabase(path, clock=StillClock(), mint=CountingMint(), keys=keys)
    try:
        yield Opened(database=database, erase=keys.destroy)
    finally:
        database.close()


def opening(path: Path) -> SqliteDatabase:
    return SqliteDatabase(path, clock=StillClock(), mint=CountingMint(), keys=PlainKeys())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_sqlite_keeps_the_database_contract(check: Check, tmp_path: Path) -> None:
    run_check(lambda: opened(tmp_path / "pilothouse.db"), check)


class Quota:
    """A dialect whose file may not grow beyond a number of pages, as on a full disk."""

    inline_reads, lock_row, lock_schema, scrubbing = True, "", "", ()

    def __init__(self, path: Path) -> None:
        self._inner = SqliteDialect(path)
        self._writer: SqliteConnection | None = None
        self.pages = 1_000_000

    def open_writer(self) -> SqliteConnection:
        self._writer = self._inner.open_writer()
        self.limit(self.pages)
        return self._writer

    def open_reader(self) -> SqliteConnection:
        return self._inner.open_reader()

    def limit(self, pages: int) -> None:
        self.pages = pages
        assert self._writer is not None
        self._writer.select(f"pragma max_page_count = {pages}", ())


def test_a_full_disk_refuses_loses_nothing_and_recovers(tmp_path: Path) -> None:
    dialect = Quota(tmp_path / "p.db")
    database = LedgerDatabase(dialect, clock=StillClock(), mint=CountingMint(), keys=PlainKeys())

    async def fill() -> None:
        await database.migrate((TABLES,))
        kept = [n for n in range(50) if await database.write(CALL, note(n)) is not None]
        dialect.limit(1)
        outcomes = await asyncio.gather(*(database.write(CALL, note(n, "s" * 1000)) for n in range(100, 300)),
                                        return_exceptions=True)
        full = [outcome for outcome in outcomes if isinstance(outcome, StoreFull)]
        assert len(full) == len(outcomes)
        assert len({id(problem) for problem in full}) == len(full)
        assert "free some space" in full[0].message
        assert await database.read(lambda reader: [entry.body["n"] for entry in reader.entries()]) == kept
        dialect.pages = 1_000_000
        assert await database.write(CALL, note(1000)) == 50

    asyncio.run(fill())
    database.close()


def test_a_newer_build_s_database_is_refused_by_name(tmp_path: Path) -> None:
    newer = Migration(name="rollout/9999_future", statements=("create table future (id text primary key)",))

    async def migrate(*migrations: Migration) -> None:
        database = opening(tmp_path / "p.db")
        try:
            await database.migrate(migrations)
        finally:
            database.close()

    asyncio.run(migrate(TABLES, newer))
    with pytest.raises(SchemaNewer, match=r"rollout/9999_future.*upgrade"):
        asyncio.run(migrate(TABLES))


def test_a_file_that_is_no_database_is_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "p.db").write_bytes(b"these are not the pages you are looking for" * 500)
    database = opening(tmp_path / "p.db")
    with pytest.raises(StoreBroken, match="restore"):
        asyncio.run(database.migrate((TABLES,)))
    database.close()


def test_a_missing_folder_is_said_to_be_missing(tmp_path: Path) -> None:
    database = opening(tmp_path / "nowhere" / "p.db")
    with pytest.raises(StoreUnavailable, match="missing"):
        asyncio.run(database.migrate((TABLES,)))
    with pytest.raises(StoreUnavailable, match="missing"):
        asyncio.run(database.read(lambda reader: reader.size()))
    database.close()


def test_a_closed_database_finishes_what_waits_and_refuses_the_rest(tmp_path: Path) -> None:
    database = opening(tmp_path / "p.db")

    async def write_and_close() -> None:
        await database.migrate((TABLES,))
        writes = [asyncio.create_task(database.write(CALL, note(n))) for n in range(20)]
        await asyncio.sleep(0)
        database.close()
        assert sorted(await asyncio.gather(*writes)) == list(range(20))
        with pytest.raises(StoreUnavailable, match="closed"):
            await database.write(CALL, note(99))
        with pytest.raises(StoreUnavailable, match="closed"):
            await database.read(lambda reader: reader.size())

    asyncio.run(write_and_close())


def test_a_backup_is_consistent_while_writes_go_on(tmp_path: Path) -> None:
    database = opening(tmp_path / "p.db")

    async def write_and_copy() -> int:
        await database.migrate((TABLES,))
        await asyncio.gather(*(database.write(CALL, note(n)) for n in range(2000)))
        copying = asyncio.create_task(database.backup(tmp_path / "copy.db"))
        during = 2000
        while not copying.done():
            await database.write(CALL, note(during))
            during += 1
        await copying
        return during

    during = asyncio.run(write_and_copy())
    database.close()
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        things, leaves = (copy.execute(f"select count(*) from {table}").fetchone()[0] for table in ("thing", "ledger"))
        size = copy.execute("select size from ledger_head").fetchone()[0]
        assert copy.execute("pragma integrity_check").fetchone() == ("ok",)
    copy.close()
    assert 2000 <= things == leaves == size <= during


def test_two_processes_on_one_file_share_one_dense_ledger(tmp_path: Path) -> None:
    one, other = opening(tmp_path / "p.db"), opening(tmp_path / "p.db")

    async def write() -> list[int]:
        await one.migrate((TABLES,))
        await other.migrate((TABLES,))
        return await asyncio.gather(*((one, other)[n % 2].write(CALL, look_then_note(n)) for n in range(400)))

    assert sorted(asyncio.run(write())) == list(range(400))
    assert asyncio.run(one.head()) == asyncio.run(other.head())
    one.close()
    other.close()


def look_then_note(n: int) -> Callable[[Transaction], int]:
    def work(tx: Transaction) -> int:
        assert not tx.rows("select id from thing where n = ?", n)
        return note(n)(tx)

    return work


def test_commit_listeners_hear_of_each_group(tmp_path: Path) -> None:
    database = opening(tmp_path / "p.db")
    heard: list[int] = []
    kinds: set[str] = set()

    def hear(size: int, recorded: frozenset[str]) -> None:
        heard.append(size)
        kinds.update(recorded)

    database.on_commit(hear)

    async def write() -> None:
        await database.migrate((TABLES,))
        await asyncio.gather(*(database.write(CALL, note(n)) for n in range(100)))

    asyncio.run(write())
    database.close()
    assert heard == sorted(heard)
    assert heard[-1] == 100
    assert kinds == {"thing_noted"}


def test_deleted_bytes_do_not_stay_in_the_file(tmp_path: Path) -> None:
    database = opening(tmp_path / "p.db")

    async def write_and_delete() -> None:
        await database.migrate((TABLES,))
        await database.write(CALL, lambda tx: tx.run("insert into thing (id, text) values (?, ?)", "a", "CANARY" * 9))
        await database.write(CALL, lambda tx: tx.run("delete from thing where id = ?", "a"))
        await database.scrub()

    asyncio.run(write_and_delete())
    assert not [path for path in tmp_path.iterdir() if b"CANARY" in path.read_bytes()]
    database.close()
