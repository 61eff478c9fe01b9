"""Faults on purpose: a database whose n-th statement fails, and a walk that fails each statement of an act in turn."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Unavailable
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.ledger import Entry, Event, Sealed
from pilothouse.kernel.store import Database, Migration, Reader, Row, Scalar, Transaction

T = TypeVar("T")


class Injected(Unavailable):
    """A fault that a test asked for."""

    code = "testing.injected"


class FaultyDatabase:
    """Any database, in which statement number `fail_at` (from 1, over all writes, each write's end included) fails."""

    def __init__(self, inner: Database, *, fail_at: int) -> None:
        self._inner = inner
        self._fail_at = fail_at
        self.seen = 0

    async def write(self, call: Call, work: Callable[[Transaction], T], *, quick: bool = False) -> T:
        def faulty(tx: Transaction) -> T:
            result = work(FaultyTransaction(tx, self.step))
            self.step()
            return result

        return await self._inner.write(call, faulty, quick=quick)

    async def read(self, work: Callable[[Reader], T], *, quick: bool = False) -> T:
        return await self._inner.read(work, quick=quick)

    async def migrate(self, migrations: Sequence[Migration]) -> Sequence[str]:
        return await self._inner.migrate(migrations)

    def step(self) -> None:
        """Count one statement, and fail if it is the one."""
        self.seen += 1
        if self.seen == self._fail_at:
            raise Injected(f"statement {self.seen} fails because this test says so", statement=self.seen)


class FaultyTransaction:
    """Counts every statement before it runs."""

    def __init__(self, inner: Transaction, step: Callable[[], None]) -> None:
        self._inner = inner
        self._step = step

    def run(self, sql: str, *args: Scalar) -> int:
        self._step()
        return self._inner.run(sql, *args)

    def record(self, stream: str, event: Event) -> int:
        self._step()
        return self._inner.record(stream, event)

    def seal(self, subject: SubjectId, text: str) -> Sealed:
        self._step()
        return self._inner.seal(subject, text)

    def rows(self, sql: str, *args: Scalar) -> Sequence[Row]:
        self._step()
        return self._inner.rows(sql, *args)

    def text(self, content_id: str) -> str | None:
        self._step()
        return self._inner.text(content_id)

    def entries(self, *, after: int = -1, before: int | None = None, stream: str = "", kinds: Sequence[str] = (),
                limit: int = 1000, newest_first: bool = False) -> Sequence[Entry]:
        self._step()
        return self._inner.entries(after=after, before=before, stream=stream, kinds=kinds, limit=limit,
                                   newest_first=newest_first)

    def size(self) -> int:
        return self._inner.size()

    def nodes(self, level: int, start: int, count: int) -> Sequence[bytes]:
        return self._inner.nodes(level, start, count)


async def fail_every_statement(database: Database, act: Callable[[Database], Awaitable[object]],
                               check: Callable[[], Awaitable[object]]) -> int:
    """Run `act` with its 1st, 2nd, 3rd, … statement failing until one run gets through; returns how many it has.

    `check` is awaited after each failure and at the end: rows and ledger must tell the same story there. Every run is
    on the same database, so the last one also shows that trying again works.
    """
    fail_at = 1
    while True:
        faulty = FaultyDatabase(database, fail_at=fail_at)
        try:
            await act(faulty)
        except Injected:
            await check()
            fail_at += 1
        else:
            assert faulty.seen < fail_at, "the act went on after a failed statement; it must let Unavailable pass"
            await check()
            return faulty.seen
