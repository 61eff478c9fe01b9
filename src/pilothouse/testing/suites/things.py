"""What the suites of databases and jobs share: a table of things, their events, and how a check is run."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from pilothouse.kernel import merkle
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.store import Database, Migration, Transaction
from pilothouse.testing.fakes import system_call

T = TypeVar("T")

ADA = SubjectId("pr_ada")
TABLES = Migration(name="suite/0001_things", statements=(
    "create table thing (id text primary key, text text not null default '', n integer, share real, raw blob)",
))
CALL = system_call()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An empty database under test, and how to destroy a subject's key."""

    database: Database
    erase: Callable[[str], None]


Open = Callable[[], AbstractContextManager[Opened]]
Check = Callable[[Opened], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingNoted:
    """The suite's event."""

    kind: ClassVar[str] = "thing_noted"
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingDropped:
    """The suite's other event."""

    kind: ClassVar[str] = "thing_dropped"
    n: int


class Refused(Exception):
    """What a work raises on purpose."""


def run_check(open_database: Open, check: Check) -> None:
    """Run one check on a fresh database that has the suite's table."""

    async def run(opened: Opened) -> None:
        await opened.database.migrate((TABLES,))
        await check(opened)

    with open_database() as opened:
        asyncio.run(run(opened))


def note(n: int, stream: str = "things") -> Callable[[Transaction], int]:
    """Return a work that inserts a row and records its event; it gives the entry's number."""

    def work(tx: Transaction) -> int:
        tx.run("insert into thing (id, n) values (?, ?)", f"t{n:06d}", n)
        return tx.record(stream, ThingNoted(n=n))

    return work


async def in_one_group(database: Database, works: Sequence[Callable[[Transaction], T]]) -> Sequence[T | BaseException]:
    """Hold the writer until all works wait, so that they share a group; returns what each gave or raised."""
    gate = threading.Event()
    holding = asyncio.create_task(database.write(CALL, lambda tx: gate.wait(10)))
    await asyncio.sleep(0)
    writes = [asyncio.create_task(database.write(CALL, work)) for work in works]
    await asyncio.sleep(0.05)
    gate.set()
    assert await holding, "the works never got to wait"
    return await asyncio.gather(*writes, return_exceptions=True)


def naive_root(hashes: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash straight from its recursive definition (RFC 9162, 2.1.1)."""
    if len(hashes) < 2:
        return hashes[0] if hashes else merkle.EMPTY_ROOT
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return merkle.node_hash(naive_root(hashes[:split]), naive_root(hashes[split:]))


async def raised(doing: Awaitable[object], kind: type[BaseException] = Refused) -> type[BaseException] | None:
    """Return what was raised, if it was of this kind; None if nothing was."""
    try:
        await doing
    except kind as problem:
        return type(problem)
    return None
