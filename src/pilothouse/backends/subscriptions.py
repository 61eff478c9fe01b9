"""Ledger subscriptions: named cursors that hand each new entry of some kinds to a handler, in order, at least once."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pilothouse.backends.bell import Bell
from pilothouse.backends.running import POLL_S, outcome, told, wait_after
from pilothouse.kernel.call import Call
from pilothouse.kernel.jobs import Subscription
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.store import Database, Reader, Transaction

BATCH = 200
SETTLE_S = 0.2
"""How long commits are let gather before they are read: one look for many."""

SAVE_EVERY = 5_000
"""How far a cursor moves over entries that do not concern it before that is written down."""

_log = logging.getLogger("pilothouse.subscriptions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """Who wants which kinds of entries; the name owns the cursor and must never be reused for something else."""

    name: str
    kinds: tuple[str, ...]
    handler: Subscription


class Subscriptions:
    """Delivers entries; on several processes each may deliver the same one, and the cursor never goes back."""

    def __init__(self, database: Database, subscribers: Sequence[Subscriber], call_for: Callable[[], Call]) -> None:
        self._database = database
        self._bells = {subscriber: Bell() for subscriber in subscribers}
        self._call_for = call_for
        self._seen: dict[str, int] = {}
        self._saved: dict[str, int] = {}

    def committed(self, size: int, kinds: frozenset[str]) -> None:
        """Wake those whose kinds were recorded; the database's `on_commit` calls this."""
        for subscriber, bell in self._bells.items():
            if not kinds.isdisjoint(subscriber.kinds):
                bell.ring()

    async def deliver_all(self) -> int:
        """Deliver until everybody saw everything; returns how many entries that were. Raises what a handler does."""
        total = 0
        while delivered := sum([await self._deliver(subscriber) for subscriber in self._bells]):
            total += delivered
        return total

    async def run_forever(self) -> None:
        """Deliver entries as they are committed, until cancelled; a slow subscriber holds up no other."""
        await asyncio.gather(*(self._follow(subscriber, bell) for subscriber, bell in self._bells.items()))

    async def _follow(self, subscriber: Subscriber, bell: Bell) -> None:
        tried = 0
        while True:
            await bell.wait(POLL_S)
            problem = await outcome(self._catch_up(subscriber))
            tried = tried + 1 if problem else 0
            if problem:
                # Order is a promise, so nothing may overtake the entry that fails.
                _log.warning("subscription %s tries again: %s", subscriber.name, told(problem))
                await asyncio.sleep(wait_after(tried - 1).total_seconds())
            await asyncio.sleep(SETTLE_S)

    async def _catch_up(self, subscriber: Subscriber) -> None:
        while await self._deliver(subscriber):
            pass

    async def _deliver(self, subscriber: Subscriber) -> int:
        """Deliver the next entries, then move the cursor; returns how many there were."""
        after = await self._position(subscriber)
        entries, size = await self._database.read(lambda reader: _next(reader, subscriber, after))
        if entries:
            await subscriber.handler(self._call_for(), entries)
        reached = entries[-1].seq if len(entries) == BATCH else size - 1
        if entries or reached - self._saved[subscriber.name] > SAVE_EVERY:
            await self._database.write(self._call_for(), lambda tx: _save(tx, subscriber.name, reached))
            self._saved[subscriber.name] = reached
        self._seen[subscriber.name] = reached
        return len(entries)

    async def _position(self, subscriber: Subscriber) -> int:
        if subscriber.name not in self._seen:
            rows = await self._database.read(
                lambda reader: reader.rows("select position from subscription where name = ?", subscriber.name))
            self._seen[subscriber.name] = self._saved[subscriber.name] = int(rows[0]["position"] or 0) if rows else -1
        return self._seen[subscriber.name]


def _next(reader: Reader, subscriber: Subscriber, after: int) -> tuple[Sequence[Entry], int]:
    return reader.entries(after=after, kinds=subscriber.kinds, limit=BATCH), reader.size()


def _save(tx: Transaction, name: str, position: int) -> None:
    tx.run("insert into subscription (name, position) values (?, ?) on conflict (name) do update "
           "set position = excluded.position where subscription.position < excluded.position", name, position)
