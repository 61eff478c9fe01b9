"""Durability: what was acknowledged survives SIGKILL at any moment, and a fault at any statement leaves one story."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pilothouse.backends.checkpointing import Checkpointer
from pilothouse.backends.checkpoints import CheckpointLog, verify_chain
from pilothouse.backends.dialect import Connection, StoreUnavailable
from pilothouse.backends.engine import LedgerDatabase, head_of
from pilothouse.backends.keys import KeyRing
from pilothouse.backends.sqlite.database import SqliteDatabase, SqliteDialect
from pilothouse.backends.system import RandomMint, SystemClock
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock
from pilothouse.testing.faults import fail_every_statement
from pilothouse.testing.suites.things import CALL, TABLES, ThingDropped, ThingNoted, naive_root, note

CRASHES = int(os.environ.get("PILOTHOUSE_CRASHES", "10"))
WRITERS = 32


def opening(path: Path) -> SqliteDatabase:
    return SqliteDatabase(path, clock=SystemClock(), mint=RandomMint(), keys=PlainKeys())


async def write_until_killed(path: Path, first: int) -> None:
    """Write numbered things without end, and print each number once its write is acknowledged."""
    database = opening(path)
    await database.migrate((TABLES,))
    numbers = iter(range(first, sys.maxsize))

    async def write() -> None:
        for n in numbers:
            await database.write(CALL, note(n), quick=n % 3 > 0)
            os.write(1, f"{n}\n".encode())

    await asyncio.gather(*(write() for _ in range(WRITERS)))


def crash(path: Path, first: int, after_s: float) -> set[int]:
    """Run a writer, kill it at a moment of its work, and return what it had acknowledged."""
    command = [sys.executable, __file__, str(path), str(first)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as child:
        assert child.stdout is not None
        acknowledged: bytes = child.stdout.readline()
        time.sleep(after_s)
        child.send_signal(signal.SIGKILL)
        acknowledged += child.stdout.read()
    # A number whose line was cut off by the kill says nothing.
    return {int(line) for line in acknowledged.split(b"\n")[:-1]}


def test_every_acknowledged_write_survives_a_kill(tmp_path: Path) -> None:
    path, seed = tmp_path / "p.db", random.randrange(2**32)
    moments, acknowledged = random.Random(seed), set[int]()
    for _ in range(CRASHES):
        acknowledged |= crash(path, max(acknowledged, default=-1) + 1 + WRITERS * 20, moments.uniform(0, 0.15))
        noted = asyncio.run(verified(path))
        assert acknowledged <= noted, (seed, sorted(acknowledged - noted)[:5])
    assert len(acknowledged) > CRASHES * 10


async def verified(path: Path) -> set[int]:
    """Return the numbers that the ledger holds, after checking rows, order and root against each other."""
    database = opening(path)
    try:
        return await database.read(verify)
    finally:
        database.close()


def verify(reader: Reader) -> set[int]:
    head, entries = head_of(reader), reader.entries(limit=10**9)
    assert [entry.seq for entry in entries] == list(range(head.size))
    assert naive_root(reader.nodes(0, 0, head.size)) == head.root
    numbers = [entry.body["n"] for entry in entries]
    assert len(set(numbers)) == len(numbers), "something was done twice"
    assert sorted(numbers) == [row["n"] for row in reader.rows("select n from thing order by n")]
    return set(numbers)


def swap(tx: Transaction) -> None:
    """Replace one thing by another, with a sealed reason: several tables, two events."""
    old = tx.rows("select id, n from thing order by n limit 1")[0]
    assert isinstance(old["n"], int)
    sealed = tx.seal(SubjectId("pr_ada"), f"because {old['n']}")
    assert tx.run("delete from thing where id = ?", old["id"]) == 1
    tx.record("things", ThingDropped(n=old["n"]))
    tx.run("insert into thing (id, text, n) values (?, ?, ?)", f"next{old['n'] + 1:09d}", sealed.id, old["n"] + 1)
    tx.record("things", ThingNoted(n=old["n"] + 1))


def one_story(reader: Reader) -> int:
    """Check that rows, texts and entries agree; returns how many swaps there were."""
    (thing,) = reader.rows("select n, text from thing")
    (texts,) = reader.rows("select count(*) as n from content")
    swaps, size = texts["n"], reader.size()
    assert isinstance(swaps, int)
    assert (thing["n"], size, len(reader.entries(limit=10**6))) == (swaps, 1 + 2 * swaps, size)
    assert swaps == 0 or reader.text(str(thing["text"])) == f"because {swaps - 1}"
    assert naive_root(reader.nodes(0, 0, size)) == head_of(reader).root
    return swaps


def test_a_write_survives_a_fault_at_every_statement(tmp_path: Path) -> None:
    database = opening(tmp_path / "p.db")

    async def run() -> int:
        await database.migrate((TABLES,))
        await database.write(CALL, note(0))
        statements = await fail_every_statement(database, twice, lambda: database.read(one_story))
        assert await database.read(one_story) > 2
        return statements

    async def twice(faulty: Database) -> None:
        await faulty.write(CALL, swap)
        await faulty.write(CALL, swap)

    assert asyncio.run(run()) == 14
    database.close()


class FaultyConnection:
    """A connection on which the n-th thing asked of it fails, as when the disk does; then it is dead."""

    def __init__(self, inner: Connection, step: Callable[[], None]) -> None:
        self._inner = inner
        self._step = step

    def __getattr__(self, name: str) -> Callable[..., object]:
        done = getattr(self._inner, name)

        def do(*args: object) -> object:
            if name not in ("close", "rollback"):
                self._step()
            return done(*args)

        return do


class FaultyDialect(SqliteDialect):
    """SQLite whose writer fails at one statement, be it begin, savepoint, insert, the head's move or commit."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.left = -1

    def open_writer(self) -> Connection:  # type: ignore[override]
        return FaultyConnection(super().open_writer(), self.step)  # type: ignore[return-value]

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise StoreUnavailable("the disk fails because this test says so; try again")


def test_a_group_survives_a_failing_disk_at_every_statement(tmp_path: Path) -> None:
    dialect = FaultyDialect(tmp_path / "p.db")
    database = LedgerDatabase(dialect, clock=StillClock(), mint=CountingMint(), keys=PlainKeys())

    async def run() -> int:
        await database.migrate((TABLES,))
        await database.write(CALL, note(0))
        for fail_at in range(1, 1000):
            before, dialect.left = await database.read(one_story), fail_at
            outcomes = await asyncio.gather(*(database.write(CALL, swap) for _ in range(3)), return_exceptions=True)
            survived, dialect.left = dialect.left > 0, -1
            assert all(outcome is None or isinstance(outcome, StoreUnavailable) for outcome in outcomes)
            assert await database.read(one_story) == before + outcomes.count(None)
            if survived:
                return fail_at
        raise AssertionError("the fault never moved past the end")

    assert asyncio.run(run()) > 20
    database.close()


def test_checkpoints_follow_the_ledger_and_end_at_its_head(tmp_path: Path) -> None:
    keys = KeyRing(tmp_path / "keys", clock=SystemClock())
    database = SqliteDatabase(tmp_path / "p.db", clock=SystemClock(), mint=RandomMint(), keys=keys)
    log = CheckpointLog(tmp_path / "checkpoints")

    async def write() -> None:
        await database.migrate((TABLES,))
        checkpointer = Checkpointer(database, log, keys, interval_s=0.02)
        for n in range(300):
            await database.write(CALL, note(n), quick=n % 3 > 0)
        sealed = await database.write(CALL, lambda tx: tx.seal(SubjectId("pr_ada"), "Grüße"))
        assert await database.read(lambda reader: reader.text(sealed.id)) == "Grüße"
        await asyncio.to_thread(checkpointer.close)
        head = await database.head()
        chain = verify_chain(log.notes(), keys.vkey)
        assert (chain[-1].size, chain[-1].root) == (head.size, head.root)
        assert len(chain) > 2

    asyncio.run(write())
    database.close()


if __name__ == "__main__":
    asyncio.run(write_until_killed(Path(sys.argv[1]), int(sys.argv[2])))
