"""Durable events a second, what one writer waits, and how long a full verify takes, on SQLite or Postgres.

Sketch before measuring: a write is one row and one entry, about 600 bytes, 10 us in SQLite and 20 us of Python; a sync
is 0.1 to 5 ms. At 128 in flight a group holds about 128 works, so the processor and not the disk sets the pace: 20,000
a second or more. Verifying reads and hashes every leaf once: 1 to 2 us each.

    python bench/ledger.py [--address postgresql://…] [--events 20000] [--verify 10000 100000 1000000]
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import ClassVar

from pilothouse.backends.engine import LedgerDatabase, head_of
from pilothouse.backends.keys import KeyRing
from pilothouse.backends.postgres.database import PostgresDatabase
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.backends.system import RandomMint, SystemClock
from pilothouse.kernel import merkle
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.store import Migration, Reader, Transaction
from pilothouse.testing.fakes import system_call

CALL = system_call()
TABLES = Migration(name="bench/0001_answers", statements=(
    "create table answer (id text primary key, use_case text not null, tokens integer not null)",))
LEAVES_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerBenched:
    """An event of about the size of a real one."""

    kind: ClassVar[str] = "answer_benched"
    answer: str
    use_case: str
    model: str = "extractive"
    tokens_in: int = 812
    tokens_out: int = 96
    passages: tuple[str, ...] = ("psg_01", "psg_02", "psg_03")


def row_and_entry(n: int) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        tx.run("insert into answer (id, use_case, tokens) values (?, ?, ?)", f"a{n:09d}", "uc_1", 908)
        tx.record(f"answer/{n}", AnswerBenched(answer=f"a{n:09d}", use_case="uc_1"))

    return work


def answer(n: int) -> Callable[[Transaction], None]:
    """Return a work as the gateway does it: a look-up, a row, two sealed texts, an entry."""

    def work(tx: Transaction) -> None:
        tx.rows("select tokens from answer where id = ?", f"a{n:09d}")
        tx.seal(SubjectId(f"pr_{n % 50}"), "What is the notice period in the Frankfurt lease? " * 3)
        tx.seal(SubjectId(f"pr_{n % 50}"), "The notice period is six months to the end of a quarter. " * 8)
        row_and_entry(n)(tx)

    return work


async def throughput(database: LedgerDatabase, work: Callable[[int], Callable[[Transaction], None]],
                     numbers: Iterator[int], writers: int, events: int) -> tuple[float, float]:
    """Return writes a second with this many callers, each awaiting its own write, and processor time a write in us."""
    left = iter(range(events))

    async def write() -> None:
        for _ in left:
            await database.write(CALL, work(next(numbers)))

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(write() for _ in range(writers)))
    return events / (time.perf_counter() - began), (time.process_time() - cpu) / events * 1e6


async def latency_ms(database: LedgerDatabase, numbers: Iterator[int], writes: int) -> Sequence[float]:
    """Return the percentiles of one caller's wait, alone."""
    waits = []
    for _ in range(writes):
        began = time.perf_counter()
        await database.write(CALL, row_and_entry(next(numbers)))
        waits.append((time.perf_counter() - began) * 1e3)
    return quantiles(waits, n=1000)


async def read_us(database: LedgerDatabase, reads: int = 3000) -> tuple[float, float]:
    """Return the mean time of a point look-up, quick and not."""
    found = []
    for quick in (True, False):
        began = time.perf_counter()
        for _ in range(reads):
            await database.read(lambda reader: reader.rows("select tokens from answer where id = ?", "a000000001"),
                                quick=quick)
        found.append((time.perf_counter() - began) / reads * 1e6)
    return found[0], found[1]


def verify(reader: Reader) -> int:
    """Compute the root anew from every leaf and compare it to the head; returns the size."""
    head, frontier = head_of(reader), merkle.Frontier()
    for start in range(0, head.size, LEAVES_AT_ONCE):
        frontier = frontier.extend(reader.nodes(0, start, LEAVES_AT_ONCE))
    assert (frontier.size, frontier.root()) == (head.size, head.root), "the ledger does not verify"
    return head.size


def entries(many: int) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        for n in range(many):
            tx.record(f"answer/{n}", AnswerBenched(answer=f"b{n:09d}", use_case="uc_1"))

    return work


async def grow(database: LedgerDatabase, size: int) -> None:
    missing = size - (await database.head()).size
    for start in range(0, missing, 1000):
        await database.write(CALL, entries(min(1000, missing - start)))


async def measure(database: LedgerDatabase, events: int, sizes: Sequence[int]) -> None:
    await database.migrate((TABLES,))
    await measure_verify(database, sizes)
    numbers = iter(range(10**9))
    for name, work in (("row + entry", row_and_entry), ("look-up + row + 2 texts + entry", answer)):
        for writers in (1, 16, 64, 128, 256):
            rate, cpu_us = await throughput(database, work, numbers, writers, events if writers > 1 else events // 20)
            print(f"{name:32} {writers:4} in flight {rate:9,.0f} writes/s {cpu_us:6.0f} us CPU each")
    waits = await latency_ms(database, numbers, 2000)
    print(f"{'one writer alone':32} p50 {waits[499]:.2f} ms, p99 {waits[989]:.2f} ms, p99.9 {waits[998]:.2f} ms")
    quick, threaded = await read_us(database)
    print(f"{'point look-up':32} quick {quick:.0f} us, on a reader's thread {threaded:.0f} us")


async def measure_verify(database: LedgerDatabase, sizes: Sequence[int]) -> None:
    for size in sizes:
        await grow(database, size)
        began = time.perf_counter()
        verified = await database.read(verify)
        print(f"{'verify':32} {verified:9,} entries {time.perf_counter() - began:6.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="a Postgres database that may be filled; SQLite in a new directory if absent")
    parser.add_argument("--directory", type=Path, help="where the SQLite file is made; a temporary one if absent")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--verify", type=int, nargs="*", default=[10_000, 100_000, 1_000_000], metavar="SIZE")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.directory) as folder:
        keys = KeyRing(Path(folder) / "keys", clock=SystemClock())
        keys.ensure(f"pr_{n}" for n in range(50))
        database: LedgerDatabase = (
            PostgresDatabase(chosen.address, clock=SystemClock(), mint=RandomMint(), keys=keys) if chosen.address else
            SqliteDatabase(Path(folder) / "ledger.db", clock=SystemClock(), mint=RandomMint(), keys=keys))
        try:
            asyncio.run(measure(database, chosen.events, chosen.verify))
        finally:
            database.close()


if __name__ == "__main__":
    main()
