"""Quick writes run on the event loop they come from, keep the contract there, and leave it when the disk is slow."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from pilothouse.backends import grouping
from pilothouse.backends.dialect import StoreUnavailable
from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.sqlite.database import SqliteConnection, SqliteDatabase, SqliteDialect
from pilothouse.backends.sqlite.folding import PAGES_LONG
from pilothouse.kernel.call import Call
from pilothouse.kernel.store import Transaction
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock
from pilothouse.testing.suites.database import CHECKS
from pilothouse.testing.suites.things import CALL, TABLES, Check, Opened, note, run_check

T = TypeVar("T")


class Hasty(SqliteDatabase):
    """Takes every work for a quick one, save those of the suite that wait for something."""

    async def write(self, call: Call, work: Callable[[Transaction], T], *, quick: bool = False) -> T:
        return await super().write(call, work, quick="wait" not in work.__code__.co_names)  # type: ignore[attr-defined]


@contextmanager
def hasty(path: Path) -> Iterator[Opened]:
    keys = PlainKeys()
    database = Hasty(path, clock=StillClock(), mint=CountingMint(), keys=keys)
    try:
        yield Opened(database=database, erase=keys.destroy)
    finally:
        database.close()


def opening(path: Path) -> SqliteDatabase:
    return SqliteDatabase(path, clock=StillClock(), mint=CountingMint(), keys=PlainKeys())


def where(tx: Transaction) -> str:
    """Return the name of the thread that runs this work."""
    return threading.current_thread().name


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_quick_writes_keep_the_database_contract(check: Check, tmp_path: Path) -> None:
    run_check(lambda: hasty(tmp_path / "pilothouse.db"), check)


def test_quick_works_of_one_turn_of_the_loop_share_one_commit_on_its_own_thread(tmp_path: Path) -> None:
    database = opening(tmp_path / "p.db")
    groups: list[int] = []

    async def write() -> None:
        await database.migrate((TABLES,))
        database.on_commit(lambda size, kinds: groups.append(size))
        assert await database.write(CALL, where, quick=True) == threading.current_thread().name
        assert await database.write(CALL, where) == "pilothouse-writer"
        await asyncio.gather(*(database.write(CALL, note(n), quick=True) for n in range(40)))

    asyncio.run(write())
    database.close()
    assert groups[-1] == 40
    assert len(groups) == 3


def test_a_quick_work_waits_its_turn_behind_a_slow_one_without_stopping_the_loop(tmp_path: Path) -> None:
    database = opening(tmp_path / "p.db")
    gate = threading.Event()

    async def write() -> None:
        await database.migrate((TABLES,))
        slow = asyncio.create_task(database.write(CALL, lambda tx: gate.wait(10)))
        await asyncio.sleep(0.02)
        quick = asyncio.create_task(database.write(CALL, where, quick=True))
        await asyncio.sleep(0.02)
        assert not quick.done()
        gate.set()
        assert await slow
        assert await quick == "pilothouse-writer"

    asyncio.run(write())
    database.close()


class SlowDisk(SqliteDialect):
    """A file whose syncs take long."""

    def open_writer(self) -> SqliteConnection:
        return SlowConnection(self._path, mode="rwc", begin="begin immediate", pragmas=("pragma journal_mode = wal",))


class SlowConnection(SqliteConnection):
    """Commits with the patience of a worn disk."""

    def commit(self) -> None:
        time.sleep(4 * grouping.SYNC_QUICK_S)
        super().commit()


def test_on_a_slow_disk_quick_works_leave_the_event_loop_to_others(tmp_path: Path) -> None:
    database = LedgerDatabase(SlowDisk(tmp_path / "p.db"), clock=StillClock(), mint=CountingMint(), keys=PlainKeys())

    async def write() -> list[str]:
        await database.migrate((TABLES,))
        return [await database.write(CALL, where, quick=True) for _ in range(12)]

    names = asyncio.run(write())
    database.close()
    assert names[-1] == "pilothouse-writer"


def test_more_quick_works_than_a_group_holds_go_on_in_the_next(tmp_path: Path) -> None:
    database = opening(tmp_path / "p.db")

    async def write() -> list[int]:
        await database.migrate((TABLES,))
        return await asyncio.gather(*(database.write(CALL, note(n), quick=True)
                                      for n in range(grouping.WORKS_PER_GROUP + 20)))

    assert asyncio.run(write()) == list(range(grouping.WORKS_PER_GROUP + 20))
    database.close()


def test_quick_works_that_wait_as_the_database_closes_are_told_so(tmp_path: Path) -> None:
    database = opening(tmp_path / "p.db")

    async def write_and_close() -> None:
        await database.migrate((TABLES,))
        waiting = asyncio.create_task(database.write(CALL, note(1), quick=True))
        await asyncio.sleep(0)
        database.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            await waiting
        with pytest.raises(StoreUnavailable, match="closed"):
            await database.write(CALL, note(2), quick=True)

    asyncio.run(write_and_close())


def test_a_long_log_is_started_over_while_writes_go_on(tmp_path: Path) -> None:
    database = opening(tmp_path / "p.db")
    log = tmp_path / "p.db-wal"
    sizes: list[int] = []

    async def write() -> None:
        await database.migrate((TABLES,))
        until, n = time.monotonic() + 20, 0
        while time.monotonic() < until:
            await asyncio.gather(*(database.write(CALL, note(n + i), quick=True) for i in range(8)))
            n += 8
            sizes.append(log.stat().st_size)
            if sizes[-1] > PAGES_LONG * 4096 and len(sizes) > 1500 and sizes[-1] == sizes[-1000]:
                return

    asyncio.run(write())
    database.close()
    assert sizes[-1] == sizes[-1000], "the log grew on"
