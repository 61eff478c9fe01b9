"""Group commit: one thread runs everything that waits, each work under its savepoint, then syncs once and wakes all."""

import asyncio
import copy
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
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
        self.listeners: tuple[Listener, ...] = ()
        self._thread = threading.Thread(target=self._serve, name="pilothouse-writer", daemon=True)
        self._thread.start()

    async def submit(self, call: Call, work: Callable[[LedgerTransaction], T]) -> T:
        """Wait for the group that runs `work`; a cancelled caller leaves the group as it is."""
        ticket = Ticket(call, work, asyncio.get_running_loop())
        with self._gate:
            if self._closed:
                raise StoreUnavailable("the database is closed; open it again")
            self._queue.put(ticket)
        return await ticket.future  # type: ignore[no-any-return]

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
                self._serve_group(first)
        finally:
            with self._gate:
                self._closed = True
            self._drop_connection()
            _wake(self._turned_away())

    def _serve_group(self, first: Ticket) -> None:
        fate, size, kinds = _Fate(), -1, frozenset[str]()
        with fate as tickets:
            tickets.append(first)
            group = self._begin()
            for ticket in self._waiting(first):
                if ticket is not first:
                    tickets.append(ticket)
                self._attempt(group, ticket)
            size, kinds = group.commit(), group.kinds()
        if fate.failed:
            self._drop_connection()
        _wake(fate.tickets)
        for listener in self.listeners if size >= 0 else ():
            listener(size, kinds)

    def _waiting(self, first: Ticket) -> Iterator[Ticket]:
        """Yield `first` and what else waits, until nothing does or the group is large enough."""
        until = perf_counter() + GROUP_WORK_S
        yield first
        for _ in range(WORKS_PER_GROUP - 1):
            if perf_counter() > until:
                return
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

    def _turned_away(self) -> Iterator[Ticket]:
        while not self._queue.empty():
            if ticket := self._queue.get():
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
