"""Group commit: what waits runs together, each work under its savepoint, then one sync, then all are woken.

A group runs on the writer's thread; or, when all of it is quick and the disk is too, on the event loop it came from. To
hand a small work to another thread and back costs several times the work, as both then want the interpreter's lock.
"""

import asyncio
import copy
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from math import inf
from queue import Empty, SimpleQueue
from time import perf_counter
from types import TracebackType
from typing import Any, TypeVar

from pilothouse.backends.dialect import GROUP_ENDING, Connection, Dialect, Keys, StoreUnavailable
from pilothouse.backends.transacting import Group, LedgerTransaction
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import Clock
from pilothouse.kernel.errors import PilothouseError
from pilothouse.kernel.ids import Mint

T = TypeVar("T")
Listener = Callable[[int, frozenset[str]], None]
"""Hears the ledger's size after a group, and which kinds of events the group recorded."""

WORKS_PER_GROUP = 512
GROUP_WORK_S = 0.005
"""A group takes in what arrives while it works, but never for longer than this."""

SYNC_QUICK_S = 0.005
"""Quick works run on the event loop while commits take no longer than this, by a running mean."""

SYNC_WEIGHT = 0.05
"""Weight of the latest commit in that mean."""


class Ticket:
    """A work waiting for its turn, and then its outcome."""

    __slots__ = ("call", "future", "loop", "problem", "result", "work")

    def __init__(self, call: Call, work: Callable[[LedgerTransaction], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.call = call
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.problem: BaseException | None = None


class _Attempt:
    """Runs one work; whatever it raises is undone and kept for its caller, unless the connection itself failed."""

    __slots__ = ("_ticket", "tx")

    def __init__(self, ticket: Ticket, tx: LedgerTransaction) -> None:
        self._ticket = ticket
        self.tx = tx

    def __enter__(self) -> LedgerTransaction:
        return self.tx

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None,
                 trace: TracebackType | None) -> bool:
        if problem is None:
            return True
        if isinstance(self.tx.failure, GROUP_ENDING):
            raise self.tx.failure
        self.tx.undo()
        self._ticket.problem = _relayed(problem)
        return True


class _Fate:
    """What becomes of a whole group: when it cannot begin or commit, each of its callers is told so."""

    __slots__ = ("failed", "tickets")

    def __init__(self) -> None:
        self.tickets: list[Ticket] = []
        self.failed = False

    def __enter__(self) -> list[Ticket]:
        return self.tickets

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None,
                 trace: TracebackType | None) -> bool:
        if problem is not None:
            self.failed = True
            for ticket in self.tickets:
                # Each caller raises its own copy: a shared one would gather all their tracebacks.
                ticket.problem = ticket.problem or copy.copy(problem)
        return True


class GroupWriter:
    """The one writer: a thread, its connection, and the queue before it."""

    def __init__(self, dialect: Dialect, *, clock: Clock, mint: Mint, keys: Keys,
                 prepare: Callable[[Connection], None], claim: Callable[[Connection], None]) -> None:
        self._dialect = dialect
        self._clock = clock
        self._mint = mint
        self._keys = keys
        self._prepare = prepare
        self._claim = claim
        self._prepared = False
        self._queue: SimpleQueue[Ticket | None] = SimpleQueue()
        self._connection: Connection | None = None
        self._closed = False
        self._gate = threading.Lock()
        self.turn = threading.Lock()
        """Held by whoever uses the connection: the thread, or an event loop for a group of quick works."""
        self._quick: dict[asyncio.AbstractEventLoop, list[Ticket]] = {}
        self._sync_s = 0.0 if dialect.inline_reads else inf
        self.listeners: tuple[Listener, ...] = ()
        self._thread = threading.Thread(target=self._serve, name="pilothouse-writer", daemon=True)
        self._thread.start()

    async def submit(self, call: Call, work: Callable[[LedgerTransaction], T], *, quick: bool = False) -> T:
        """Wait for the group that runs `work`; a cancelled caller leaves the group as it is."""
        ticket = Ticket(call, work, asyncio.get_running_loop())
        if quick and self._sync_s <= SYNC_QUICK_S and not self._closed:
            self._soon(ticket.loop, ticket)
        elif not self._queued(ticket):
            raise StoreUnavailable("the database is closed; open it again")
        return await ticket.future  # type: ignore[no-any-return]

    def _queued(self, *tickets: Ticket) -> bool:
        with self._gate:
            for ticket in () if self._closed else tickets:
                self._queue.put(ticket)
            return not self._closed

    def _soon(self, loop: asyncio.AbstractEventLoop, *tickets: Ticket) -> None:
        """Let quick works run when this turn of their event loop is over, with all others that come in it."""
        waiting = self._quick.setdefault(loop, [])
        if not waiting:
            loop.call_soon(self._serve_quick, loop)
        waiting += tickets

    def _serve_quick(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the quick works of an event loop here and now; by the thread if that has its turn or is waited for."""
        waiting = iter(self._quick.pop(loop))
        if self._queue.empty() and self.turn.acquire(blocking=False):
            try:
                if not self._closed:
                    self._serve_group(_for_a_while(waiting))
                    if rest := tuple(waiting):
                        self._soon(loop, *rest)
                    return
            finally:
                self.turn.release()
        if not self._queued(*(rest := tuple(waiting))):
            _wake(_turned_away(rest))

    def close(self) -> None:
        """Finish what waits, then close the connection."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        try:
            while (first := self._queue.get()) is not None:
                with self.turn:
                    self._serve_group(_for_a_while(self._waiting(first)))
        finally:
            with self._gate:
                self._closed = True
            with self.turn:
                self._drop_connection()
            _wake(_turned_away(self._left()))

    def _serve_group(self, waiting: Iterator[Ticket]) -> None:
        fate, size, kinds = _Fate(), -1, frozenset[str]()
        with fate as tickets:
            tickets.append(next(waiting))
            group = self._begin()
            self._attempt(group, tickets[0])
            for ticket in waiting:
                tickets.append(ticket)
                self._attempt(group, ticket)
            size, kinds = self._committed(group), group.kinds()
        if fate.failed:
            self._drop_connection()
        _wake(fate.tickets)
        for listener in self.listeners if size >= 0 else ():
            listener(size, kinds)

    def _committed(self, group: Group) -> int:
        started = perf_counter()
        size = group.commit()
        if self._sync_s < inf:
            self._sync_s += SYNC_WEIGHT * (perf_counter() - started - self._sync_s)
        return size

    def _waiting(self, first: Ticket) -> Iterator[Ticket]:
        """Yield `first` and what else waits, until nothing does."""
        yield first
        while True:
            try:
                ticket = self._queue.get_nowait()
            except Empty:
                return
            if ticket is None:
                self._queue.put(None)
                return
            yield ticket

    def _attempt(self, group: Group, ticket: Ticket) -> None:
        if ticket.future.cancelled():
            return
        with _Attempt(ticket, LedgerTransaction(group, ticket.call, self._keys, self._mint)) as tx:
            ticket.result = ticket.work(tx)
            tx.keep()

    def _begin(self) -> Group:
        """Open a group, on a new connection if the old one died while idle."""
        if self._connection is not None:
            try:
                return Group(self._connection, self._dialect, self._clock)
            except StoreUnavailable:
                self._drop_connection()
        self._connection = self._open()
        return Group(self._connection, self._dialect, self._clock)

    def _open(self) -> Connection:
        if not self._prepared:
            with closing(self._dialect.open_writer()) as first:
                self._prepare(first)
            self._prepared = True
        connection = self._dialect.open_writer()
        try:
            self._claim(connection)
        except PilothouseError:
            connection.close()
            raise
        return connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            with suppress(PilothouseError):
                self._connection.close()
            self._connection = None

    def _left(self) -> Iterator[Ticket]:
        while not self._queue.empty():
            if ticket := self._queue.get():
                yield ticket


def _for_a_while(waiting: Iterator[Ticket]) -> Iterator[Ticket]:
    """Yield tickets until the group is large enough; the rest stays in `waiting`."""
    until = perf_counter() + GROUP_WORK_S
    for _ in range(WORKS_PER_GROUP):
        if (ticket := next(waiting, None)) is None:
            return
        yield ticket
        if perf_counter() > until:
            return


def _turned_away(tickets: Iterable[Ticket]) -> Iterator[Ticket]:
    for ticket in tickets:
        ticket.problem = StoreUnavailable("the database was closed before this write; open it and try again")
        yield ticket


def _relayed(problem: BaseException) -> BaseException:
    """Return the problem as a future can carry it: StopIteration means something else to a coroutine."""
    if isinstance(problem, StopIteration):
        return RuntimeError("a work let StopIteration escape; give next() a default")
    return problem


def _wake(tickets: Iterable[Ticket]) -> None:
    """Deliver outcomes, with one hop into each event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[Ticket]] = {}
    for ticket in tickets:
        loops.setdefault(ticket.loop, []).append(ticket)
    for loop, theirs in loops.items():
        # A loop that is closed has nobody left to wake.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_deliver, theirs)


def _deliver(tickets: Iterable[Ticket]) -> None:
    for ticket in tickets:
        if ticket.future.done():
            continue
        if ticket.problem is not None:
            ticket.future.set_exception(ticket.problem)
        else:
            ticket.future.set_result(ticket.result)
